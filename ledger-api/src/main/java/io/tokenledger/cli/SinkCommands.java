package io.tokenledger.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code audit sinks}, {@code dead-letters} and {@code requeue}: the receivers of the log. */
final class SinkCommands {

  private static final JsonMapper JSON = JsonMapper.shared();

  private SinkCommands() {}

  /** {@code audit sinks}: how far each receiver is. */
  @Command(
      name = "sinks",
      description = "Lists the receivers of the log, how far each is, and what keeps it.",
      mixinStandardHelpOptions = true,
      footer = {"", "Exit codes: 0 listed, 3 no answer, 4 the question is wrong."})
  static final class Sinks extends AuditQuestion {

    private static final List<String> HEADING =
        List.of("name", "next", "lag", "dead", "node", "delivered", "trouble");

    @Override
    public Integer call() {
      requireFormat();
      JsonNode answer = ask("/api/v1/audit/sinks");
      List<Row> rows = new ArrayList<>();
      for (JsonNode sink : answer.path("sinks")) {
        List<@Nullable String> cells = new ArrayList<>();
        for (String field :
            List.of(
                "name",
                "next_leaf_index",
                "lag",
                "dead_letters",
                "node",
                "delivered_at",
                "trouble")) {
          cells.add(text(sink.path(field)));
        }
        rows.add(new Row(cells, sink));
      }
      print(HEADING, rows, counted(rows.size(), "sink"));
      return 0;
    }
  }

  /** {@code audit dead-letters}: what a receiver refused. */
  @Command(
      name = "dead-letters",
      description = "Lists the entries that a receiver refused for good.",
      mixinStandardHelpOptions = true,
      footer = {"", "Exit codes: 0 listed, 3 no answer, 4 the question is wrong."})
  static final class DeadLetters extends AuditQuestion {

    private static final List<String> HEADING =
        List.of("leaf", "type", "refused", "times", "again", "why");

    @Parameters(paramLabel = "SINK", description = "As `audit sinks` lists it")
    private String sink = "";

    @Override
    public Integer call() {
      requireFormat();
      List<Row> rows = new ArrayList<>();
      String from = "0";
      while (from != null) {
        JsonNode page =
            ask(
                "/api/v1/audit/dead-letters?limit=1000&sink="
                    + Remote.encode(sink)
                    + "&from="
                    + from);
        for (JsonNode letter : page.path("dead_letters")) {
          List<@Nullable String> cells = new ArrayList<>();
          for (String field :
              List.of("leaf_index", "event_type", "refused_at", "refusals", "requeued", "reason")) {
            cells.add(text(letter.path(field)));
          }
          rows.add(new Row(cells, letter));
        }
        from = text(page.path("next_from"));
      }
      print(HEADING, rows, counted(rows.size(), "dead letter"));
      return 0;
    }
  }

  /** {@code audit requeue}: they are sent again. */
  @Command(
      name = "requeue",
      description = "Has entries sent again that a receiver refused, all of them or one.",
      mixinStandardHelpOptions = true,
      footer = {"", "Exit codes: 0 they are sent again, 1 they are not."})
  static final class Requeue implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Parameters(paramLabel = "SINK", description = "As `audit sinks` lists it")
    private String sink = "";

    @Option(names = "--leaf", paramLabel = "N", description = "Only the entry of that leaf")
    private @Nullable Long leaf;

    @Override
    public Integer call() {
      ObjectNode body = JSON.createObjectNode().put("sink", sink);
      if (leaf != null) {
        body.put("leaf_index", leaf);
      }
      Remote.Answer answer = remote.post("/api/v1/audit/dead-letters/requeue", body.toString());
      if (answer.status() != 200) {
        throw Remote.refused("audit requeue", answer);
      }
      long requeued = JSON.readTree(answer.body()).path("requeued").asLong();
      System.out.println(
          AuditQuestion.counted(requeued, "dead letter") + " of " + sink + " will be sent again");
      return 0;
    }
  }
}

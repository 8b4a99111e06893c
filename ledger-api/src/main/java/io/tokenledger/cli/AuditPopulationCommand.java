package io.tokenledger.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;

/** {@code audit population}: how many events a period has, all of them, signed. */
@Command(
    name = "population",
    description = "Counts all events of a period by type and outcome, signed by the log's keys.",
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  ledger audit population --from 2026-01-01 --to 2026-04-01 -o q1.note",
      "",
      "Exit codes: 0 counted, 3 no answer, 4 the question is wrong."
    })
final class AuditPopulationCommand extends AuditQuestion {

  private static final List<String> HEADING = List.of("type", "outcome", "events", "requests");

  @Option(
      names = "--from",
      paramLabel = "TIME",
      required = true,
      description = "First date or instant that counts, or how long ago: 24h")
  private String from = "";

  @Option(
      names = "--to",
      paramLabel = "TIME",
      required = true,
      description = "First date or instant that no longer counts, or how long ago")
  private String to = "";

  @Option(
      names = "--at",
      paramLabel = "PLACE",
      description = "Place in the log: leaf:N or checkpoint:N. Default the newest checkpoint")
  private @Nullable String at;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FILE",
      description = "Writes the signed note there")
  private @Nullable Path output;

  @Override
  public Integer call() {
    requireFormat();
    JsonNode report =
        ask(
            "/api/v1/audit/population?from="
                + Remote.encode(moment("--from", from))
                + parameter("to", moment("--to", to))
                + parameter("at", at));
    if (output != null) {
      try {
        Files.writeString(output, report.path("note").asString());
      } catch (IOException e) {
        throw new CommandFailed(
            LedgerCli.UNKNOWN, output + " cannot be written: " + e.getMessage());
      }
    }
    List<Row> rows = new ArrayList<>();
    for (JsonNode count : report.path("counts")) {
      List<@Nullable String> cells = new ArrayList<>();
      cells.add(text(count.path("event_type")));
      cells.add(text(count.path("outcome")));
      cells.add(text(count.path("events")));
      cells.add(text(count.path("requests")));
      rows.add(new Row(cells, count));
    }
    print(
        HEADING,
        rows,
        counted(report.path("events").asLong(), "event")
            + " of "
            + report.path("from").asString()
            + " to "
            + report.path("to").asString()
            + ", in a log of "
            + report.path("tree_size").asLong()
            + " leaves with the root "
            + report.path("root").asString());
    return 0;
  }
}

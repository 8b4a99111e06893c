package io.tokenledger.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.node.StringNode;

/**
 * {@code show tokens}, in the words of {@code influxdb3}, and {@code show token}, which it lacks.
 */
@Command(
    name = "show",
    description = "Shows tokens.",
    mixinStandardHelpOptions = true,
    subcommands = {ShowCommand.Tokens.class, ShowCommand.One.class})
final class ShowCommand {

  private static final JsonMapper JSON = JsonMapper.shared();

  @Command(
      name = "tokens",
      description = {
        "Lists the tokens that are not revoked, as InfluxDB's system.tokens shows them.",
        "With any filter: all tokens that match, revoked ones too, with who made and used them."
      },
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Examples:",
        "  ledger show tokens",
        "  ledger show tokens --format csv -o tokens.csv",
        "  ledger show tokens --unused-since 90d --state live",
        "  ledger show tokens --database mydb --expires-within 30d --format json"
      })
  static final class Tokens implements Callable<Integer> {

    private static final int PAGE = 1_000;

    @Mixin private Remote.WithToken remote = new Remote.WithToken();
    @Mixin private TokenFilters filters = new TokenFilters();

    @Option(
        names = "--format",
        paramLabel = "FORMAT",
        completionCandidates = Formats.Rows.class,
        description = "pretty, json, jsonl, csv or parquet. Default pretty")
    private String format = "pretty";

    @Option(
        names = {"-o", "--output"},
        paramLabel = "FILE",
        description = "Where to write to. Default: standard output")
    private @Nullable Path output;

    @Override
    public Integer call() {
      if (!List.of("pretty", "json", "jsonl", "csv", "parquet").contains(format)) {
        throw new CommandFailed(
            "--format must be pretty, json, jsonl, csv or parquet, got " + format);
      }
      Map<String, String> filter = filters.values();
      String text = filter.isEmpty() ? systemTokens() : filtered(filter);
      if (output == null) {
        System.out.println(text.stripTrailing());
        return 0;
      }
      try {
        Files.writeString(output, text, StandardCharsets.UTF_8);
        return 0;
      } catch (IOException e) {
        throw new CommandFailed("--output " + output + " cannot be written: " + e.getMessage());
      }
    }

    private String systemTokens() {
      Remote.Answer answer =
          remote.post(
              "/api/v3/query_sql",
              Json.object(
                  json -> {
                    json.writeStringProperty("db", "_internal");
                    json.writeStringProperty("q", "select * from system.tokens order by token_id");
                    json.writeStringProperty("format", format);
                    json.writeNullProperty("params");
                  }));
      if (answer.status() != 200) {
        throw Remote.refused("show tokens", answer);
      }
      return answer.body();
    }

    private String filtered(Map<String, String> filter) {
      if (format.equals("parquet")) {
        throw new CommandFailed("--format parquet is not available: ask for json, jsonl or csv");
      }
      List<JsonNode> tokens = new ArrayList<>();
      String cursor = null;
      do {
        StringBuilder path = new StringBuilder("/api/v1/tokens?limit=" + PAGE);
        filter.forEach(
            (name, value) ->
                path.append('&').append(name).append('=').append(Remote.encode(value)));
        if (cursor != null) {
          path.append("&cursor=").append(cursor);
        }
        Remote.Answer answer = remote.get(path.toString());
        if (answer.status() != 200) {
          throw Remote.refused("show tokens", answer);
        }
        JsonNode page = JSON.readTree(answer.body());
        page.path("tokens").forEach(tokens::add);
        cursor = page.path("next_cursor").asString(null);
      } while (cursor != null);
      return switch (format) {
        case "json" -> JSON.createArrayNode().addAll(tokens) + "\n";
        case "jsonl" -> lines(tokens.stream().map(JsonNode::toString).toList());
        case "csv" -> lines(TokenRows.csv(tokens));
        default -> lines(TokenRows.table(tokens));
      };
    }

    private static String lines(List<String> lines) {
      return String.join("\n", lines) + "\n";
    }
  }

  @Command(
      name = "token",
      description = "Shows the whole life of a token, or of all tokens that bore a name.",
      mixinStandardHelpOptions = true,
      footer = {"", "Example:", "  ledger show token --token-name ingest"})
  static final class One implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();
    @Mixin private TokenChoice choice = new TokenChoice();

    @Option(
        names = "--format",
        paramLabel = "FORMAT",
        completionCandidates = Formats.TextOrJson.class,
        description = "text or json. Default text")
    private String format = "text";

    @Override
    public Integer call() {
      if (!format.equals("text") && !format.equals("json")) {
        throw new CommandFailed("--format must be text or json, got " + format);
      }
      JsonNode json = whole();
      if (format.equals("json")) {
        System.out.println(json);
        return 0;
      }
      List<JsonNode> tokens = new ArrayList<>();
      if (json.has("tokens")) {
        json.path("tokens").forEach(tokens::add);
      } else {
        tokens.add(json);
      }
      TokenRows.table(tokens).forEach(System.out::println);
      System.out.println();
      List<List<String>> rows = new ArrayList<>();
      rows.add(List.of("TIME", "ACTION", "OUTCOME", "ACTOR", "TOKEN"));
      for (JsonNode event : json.path("events")) {
        rows.add(
            List.of(
                event.path("occurred_at").asString(""),
                event.path("action").asString(""),
                event.path("outcome").asString(""),
                Terminal.shown(event.path("actor").path("name").asString("")),
                event.path("target").path("id").asString("-")));
      }
      Terminal.printTable(rows);
      return 0;
    }

    /** The life with the events of all its pages. */
    private JsonNode whole() {
      String name = choice.name();
      String path =
          name == null
              ? "/api/v1/tokens/" + choice.id(remote) + "?"
              : "/api/v1/tokens/by-name?token_name=" + Remote.encode(name) + "&";
      ObjectNode life = page(path);
      while (life.remove("next_cursor") instanceof StringNode cursor) {
        ObjectNode page = page(path + "cursor=" + cursor.asString());
        life.withArray("events").addAll(page.withArray("events"));
        life.set("next_cursor", page.path("next_cursor"));
      }
      return life;
    }

    private ObjectNode page(String path) {
      Remote.Answer answer = remote.get(path);
      if (answer.status() != 200) {
        throw Remote.refused("show token", answer);
      }
      return (ObjectNode) JSON.readTree(answer.body());
    }
  }
}

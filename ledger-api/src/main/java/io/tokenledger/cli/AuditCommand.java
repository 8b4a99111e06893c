package io.tokenledger.cli;

import io.tokenledger.token.TokenSecret;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code audit}: the history, for people. */
@Command(
    name = "audit",
    description = "Reads, proves and verifies the audit trail.",
    mixinStandardHelpOptions = true,
    subcommands = {
      AuditCommand.Log.class,
      AuditVerifyCommand.class,
      AuditProveCommand.class,
      AuditCheckCommand.class,
      WatchCommand.class,
      WitnessCommand.class,
      AuditExportCommand.class,
      AuditAsOfCommand.class,
      AuditDiffCommand.class,
      AuditHistoryCommand.class,
      AuditAccessCommand.class,
      AuditPopulationCommand.class,
      SinkCommands.Sinks.class,
      SinkCommands.DeadLetters.class,
      SinkCommands.Requeue.class,
      AuditEraseCommand.class,
      AuditHoldCommand.class,
      AuditRetentionCommand.class,
      AuditArchiveCommand.class
    })
final class AuditCommand {

  private static final JsonMapper JSON = JsonMapper.shared();

  /** {@code audit log}. */
  @Command(
      name = "log",
      description = "Lists events, newest first.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Examples:",
        "  ledger audit log --since 24h",
        "  ledger audit log --token ingest      the whole life of all tokens of the name",
        "  ledger audit log --outcome denied --format csv",
        "  ledger audit log --q 'action:token.* -actor:alice \"quarterly review\"'",
        "",
        "Words of a query: actor: action: target: token: outcome: type: ip: from: to: at: text:",
        "request: correlation:, with - before what is excluded and quotes around spaces."
      })
  static final class Log implements Callable<Integer> {

    private static final int PAGE = 500;

    @Mixin private Remote remote = new Remote();

    @Option(
        names = "--auth-token",
        paramLabel = "TOKEN",
        description = "Token to authenticate with [LEDGER_AUTH_TOKEN, INFLUXDB3_AUTH_TOKEN]")
    private @Nullable String authToken;

    @Option(names = "--token", paramLabel = "NAME", description = "Only the tokens of this name")
    private @Nullable String tokenName;

    @Option(names = "--actor", paramLabel = "NAME", description = "Only what this actor did")
    private @Nullable String actor;

    @Option(names = "--action", paramLabel = "ACTION", description = "Only this: token.create")
    private @Nullable String action;

    @Option(
        names = "--outcome",
        paramLabel = "OUTCOME",
        description = "Only success, denied or failed")
    private @Nullable String outcome;

    @Option(
        names = "--since",
        paramLabel = "TIME",
        description = "From: 2026-11-24T12:00:00Z, or how long ago: 24h")
    private @Nullable String since;

    @Option(names = "--until", paramLabel = "TIME", description = "Before: as --since")
    private @Nullable String until;

    @Option(names = "--q", paramLabel = "QUERY", description = "Only what the query finds")
    private @Nullable String query;

    @Option(
        names = "--at",
        paramLabel = "PLACE",
        description = "Only up to this place in the log: leaf:N or checkpoint:N")
    private @Nullable String at;

    @Option(names = "--limit", paramLabel = "N", description = "At most so many. Default 1000")
    private int limit = 1_000;

    @Option(
        names = "--format",
        paramLabel = "FORMAT",
        completionCandidates = Formats.Events.class,
        description = "table, json (a line an event) or csv. Default table")
    private String format = "table";

    @Override
    public Integer call() {
      if (!List.of("table", "json", "csv").contains(format)) {
        throw new CommandFailed("--format must be table, json or csv, got " + format);
      }
      if (limit < 1) {
        throw new CommandFailed("--limit must be at least 1, got " + limit);
      }
      if (tokenName != null && tokenName.startsWith(TokenSecret.PREFIX)) {
        throw new CommandFailed("--token takes a token's name here; a secret goes to --auth-token");
      }
      if (authToken != null) {
        remote.authenticate(authToken);
      }
      List<JsonNode> events = read();
      switch (format) {
        case "json" -> events.forEach(event -> System.out.println(event));
        case "csv" -> printCsv(events);
        default -> printTable(events);
      }
      return 0;
    }

    private List<JsonNode> read() {
      List<JsonNode> events = new ArrayList<>();
      String cursor = null;
      do {
        StringBuilder path = new StringBuilder("/api/v1/audit/events?limit=");
        path.append(Math.min(PAGE, limit - events.size()));
        add(path, "token", tokenName);
        add(path, "actor", actor);
        add(path, "action", action);
        add(path, "outcome", outcome);
        add(path, "since", TokenFilters.instant("--since", since));
        add(path, "until", TokenFilters.instant("--until", until));
        add(path, "q", query);
        add(path, "at", at);
        add(path, "cursor", cursor);
        Remote.Answer answer = remote.get(path.toString());
        if (answer.status() != 200) {
          throw Remote.refused("read the audit log", answer);
        }
        JsonNode page = JSON.readTree(answer.body());
        page.path("events").forEach(events::add);
        cursor =
            page.path("next_cursor").isString() ? page.path("next_cursor").stringValue() : null;
      } while (cursor != null && events.size() < limit);
      return events;
    }

    private static void add(StringBuilder path, String name, @Nullable String value) {
      if (value != null) {
        path.append('&').append(name).append('=').append(Remote.encode(value));
      }
    }

    private static void printTable(List<JsonNode> events) {
      List<List<String>> rows = new ArrayList<>();
      rows.add(
          List.of("LEAF", "TIME", "ACTOR", "ACTION", "TARGET", "OUTCOME", "FROM", "FOR", "WHY"));
      for (JsonNode event : events) {
        JsonNode envelope = event.path("envelope");
        long count = event.path("count").asLong(1);
        rows.add(
            List.of(
                event.path("leaf_index").asString(),
                event.path("occurred_at").asString().replaceFirst("\\.(\\d{3})\\d*Z$", ".$1Z"),
                text(event.path("actor").path("name")),
                text(event.path("action")),
                target(event.path("target")),
                outcome(event) + (count > 1 ? " x" + count : ""),
                text(envelope.path("source").path("ip")),
                text(envelope.path("on_behalf_of")),
                why(envelope)));
      }
      Terminal.printTable(rows);
      System.out.println(events.size() + (events.size() == 1 ? " event" : " events"));
    }

    private static String target(JsonNode target) {
      String id = target.path("id").isString() ? " (" + text(target.path("id")) + ")" : "";
      return text(target.path("name")) + id;
    }

    private static String outcome(JsonNode event) {
      JsonNode reason = event.path("outcome_reason");
      return text(event.path("outcome")) + (reason.isString() ? ": " + text(reason) : "");
    }

    private static String why(JsonNode envelope) {
      return List.of(text(envelope.path("ticket")), text(envelope.path("reason"))).stream()
          .filter(part -> !part.equals("-"))
          .collect(Collectors.joining(" "));
    }

    /** For eyes: what is not there is a dash, what would move the cursor a question mark. */
    private static String text(JsonNode node) {
      return node.isString() && !node.stringValue().isEmpty()
          ? Terminal.shown(node.stringValue())
          : "-";
    }

    private static void printCsv(List<JsonNode> events) {
      System.out.println(
          "leaf_index,event_id,occurred_at,event_type,actor_type,actor_token_id,actor_name,action,"
              + "target_id,target_name,outcome,outcome_reason,count,source_ip,on_behalf_of,ticket,"
              + "reason,request_id");
      for (JsonNode event : events) {
        JsonNode envelope = event.path("envelope");
        JsonNode who = event.path("actor");
        JsonNode target = event.path("target");
        List<JsonNode> cells =
            List.of(
                event.path("leaf_index"),
                event.path("event_id"),
                event.path("occurred_at"),
                event.path("event_type"),
                who.path("type"),
                who.path("token_id"),
                who.path("name"),
                event.path("action"),
                target.path("id"),
                target.path("name"),
                event.path("outcome"),
                event.path("outcome_reason"),
                event.path("count"),
                envelope.path("source").path("ip"),
                envelope.path("on_behalf_of"),
                envelope.path("ticket"),
                envelope.path("reason"),
                event.path("request_id"));
        System.out.println(Terminal.csv(cells.stream().map(Log::cell).toList()));
      }
    }

    private static @Nullable String cell(JsonNode node) {
      return node.isNull() || node.isMissingNode() ? null : node.asString();
    }
  }
}

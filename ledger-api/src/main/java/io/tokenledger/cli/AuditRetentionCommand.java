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
import tools.jackson.databind.node.ObjectNode;

/** {@code audit retention}: for how long the bodies of events are kept. */
@Command(
    name = "retention",
    description = "Shows and sets for how long the bodies of events are kept, by class.",
    mixinStandardHelpOptions = true,
    subcommands = {
      AuditRetentionCommand.Show.class,
      AuditRetentionCommand.Set.class,
      AuditRetentionCommand.Run.class
    })
final class AuditRetentionCommand {

  private static final String RETENTION = "/api/v1/audit/retention";
  private static final String FOREVER = "forever";

  private AuditRetentionCommand() {}

  /** {@code audit retention show}. */
  @Command(
      name = "show",
      description = "Shows what is kept for how long, what went, and what that waits for.",
      mixinStandardHelpOptions = true,
      footer = {"", "Exit codes: 0 shown, 3 no answer, 4 the question is wrong."})
  static final class Show extends AuditQuestion {

    @Override
    public Integer call() {
      requireFormat();
      JsonNode answer = ask(RETENTION);
      List<Row> rows = new ArrayList<>();
      for (JsonNode each : answer.path("classes")) {
        List<@Nullable String> cells = new ArrayList<>();
        cells.add(text(each.path("class")));
        cells.add(each.path("days").isNull() ? FOREVER : text(each.path("days")));
        cells.add(text(each.path("proposed_days")));
        cells.add(text(each.path("proposed_by_token_id")));
        List<String> types = new ArrayList<>();
        each.path("types").forEach(type -> types.add(type.asString("")));
        cells.add(String.join(" ", types));
        rows.add(new Row(cells, each));
      }
      print(
          List.of("class", "days", "proposed", "by_token", "types"),
          rows,
          rows.size() + " classes" + waits(answer) + prunes(answer));
      return 0;
    }

    private static String waits(JsonNode answer) {
      JsonNode first = answer.path("waits_for").path(0);
      return first.isMissingNode()
          ? ""
          : "\nnothing from leaf "
              + first.path("next_leaf").asLong()
              + " on goes before "
              + Terminal.shown(first.path("what").asString(""))
              + " has seen it";
    }

    private static String prunes(JsonNode answer) {
      StringBuilder lines = new StringBuilder();
      for (JsonNode prune : answer.path("prunes")) {
        lines.append('\n').append(line(prune)).append("; ");
        if (prune.path("completed_at").isString()) {
          lines.append("gone ").append(prune.path("completed_at").stringValue());
        } else if (prune.path("trouble").isString()) {
          lines.append("NOT gone: ").append(Terminal.shown(prune.path("trouble").stringValue()));
        } else {
          lines.append("not gone yet");
        }
      }
      return lines.toString();
    }
  }

  private static String line(JsonNode prune) {
    return prune.path("class").asString("")
        + ": "
        + prune.path("event_count").asLong()
        + " events before "
        + prune.path("before").asString("")
        + " in leaves "
        + prune.path("from").asLong()
        + " to "
        + (prune.path("to").asLong() - 1);
  }

  /** {@code audit retention set}. */
  @Command(
      name = "set",
      description = "Keeps the bodies of a class for so many days.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Less than before is proposed only, until another token sets the same. --reason is",
        "required: it goes into the audit.",
        "",
        "Examples:",
        "  ledger audit retention set requests 400 --reason 'policy 12'",
        "  ledger audit retention set requests forever --reason 'policy 13'"
      })
  static final class Set implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Parameters(index = "0", paramLabel = "CLASS", description = "requests, reads or service")
    private String retentionClass = "";

    @Parameters(
        index = "1",
        paramLabel = "DAYS",
        description = "1 to 36500, or forever for without end")
    private String days = "";

    @Override
    public Integer call() {
      ObjectNode body = AuditQuestion.JSON.createObjectNode().put("class", retentionClass);
      if (days.equals(FOREVER)) {
        body.putNull("days");
      } else {
        try {
          body.put("days", Integer.parseInt(days));
        } catch (NumberFormatException e) {
          throw new CommandFailed(LedgerCli.USAGE, "DAYS must be 1 to 36500, or " + FOREVER);
        }
      }
      Remote.Answer answer = remote.post(RETENTION, body.toString());
      if (answer.status() != 200) {
        throw Remote.refused("set the retention", answer);
      }
      boolean proposed =
          AuditQuestion.JSON.readTree(answer.body()).path("state").asString("").equals("proposed");
      System.out.println(
          proposed
              ? "proposed: it is in force when another token sets the same"
              : retentionClass
                  + " are kept for "
                  + (days.equals(FOREVER) ? "ever" : days + (days.equals("1") ? " day" : " days")));
      return 0;
    }
  }

  /** {@code audit retention run}. */
  @Command(
      name = "run",
      description = "Decides at once what is at the end of its retention; it goes a minute later.",
      mixinStandardHelpOptions = true,
      footer = {"", "--reason is required without --dry-run: it goes into the audit."})
  static final class Run implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Option(names = "--dry-run", description = "Only shows what would go")
    private boolean dryRun;

    @Override
    public Integer call() {
      Remote.Answer answer =
          remote.post(
              RETENTION + "/run",
              AuditQuestion.JSON.createObjectNode().put("dry_run", dryRun).toString());
      if (answer.status() != 200) {
        throw Remote.refused("prune", answer);
      }
      JsonNode prunes = AuditQuestion.JSON.readTree(answer.body()).path("prunes");
      if (prunes.isEmpty()) {
        System.out.println("nothing is at the end of its retention");
      }
      for (JsonNode prune : prunes) {
        System.out.println(line(prune) + (dryRun ? " would go" : " go"));
        prune
            .path("kept")
            .forEach(range -> System.out.println("  held: leaves " + range.asString("")));
      }
      return 0;
    }
  }
}

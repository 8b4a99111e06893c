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

/** {@code audit hold}: what nobody may erase. */
@Command(
    name = "hold",
    description = "Places, lifts and lists legal holds, which beat every erasure.",
    mixinStandardHelpOptions = true,
    subcommands = {
      AuditHoldCommand.Place.class,
      AuditHoldCommand.Lift.class,
      AuditHoldCommand.Show.class
    })
final class AuditHoldCommand {

  private static final String HOLDS = "/api/v1/audit/holds";
  private static final JsonMapper JSON = JsonMapper.shared();

  private AuditHoldCommand() {}

  /** {@code audit hold place}. */
  @Command(
      name = "place",
      description = "Holds the events for which all bounds given are true.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "--reason is required: it goes into the audit.",
        "",
        "Example:",
        "  ledger audit hold place case-17 --by-token ingest --from 2026-01-01T00:00:00Z \\",
        "      --reason 'case 17'"
      })
  static final class Place implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Parameters(paramLabel = "HOLD", description = "A name for it, used once")
    private String hold = "";

    @Option(names = "--subject", paramLabel = "SUBJECT", description = "Whose, as audit erase")
    private @Nullable String subject;

    @Option(
        names = "--by-token",
        paramLabel = "NAME",
        description = "Of the token that acted or was acted upon")
    private @Nullable String token;

    @Option(names = "--from", paramLabel = "TIME", description = "From then on")
    private @Nullable String from;

    @Option(names = "--until", paramLabel = "TIME", description = "Before that")
    private @Nullable String until;

    @Override
    public Integer call() {
      ObjectNode body = JSON.createObjectNode().put("hold", hold);
      add(body, "subject", subject);
      add(body, "token", token);
      add(body, "from", TokenFilters.instant("--from", from));
      add(body, "until", TokenFilters.instant("--until", until));
      return change(remote, HOLDS, body, hold + " is placed");
    }

    private static void add(ObjectNode body, String name, @Nullable String value) {
      if (value != null) {
        body.put(name, value);
      }
    }
  }

  /** {@code audit hold lift}. */
  @Command(
      name = "lift",
      description = "Ends a hold that another token placed.",
      mixinStandardHelpOptions = true,
      footer = {"", "--reason is required: it goes into the audit."})
  static final class Lift implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Parameters(paramLabel = "HOLD", description = "As audit hold list shows it")
    private String hold = "";

    @Override
    public Integer call() {
      return change(
          remote, HOLDS + "/lift", JSON.createObjectNode().put("hold", hold), hold + " is lifted");
    }
  }

  /** {@code audit hold list}. */
  @Command(
      name = "list",
      description = "Lists the holds there are and were.",
      mixinStandardHelpOptions = true)
  static final class Show implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Override
    public Integer call() {
      Remote.Answer answer = remote.get(HOLDS);
      if (answer.status() != 200) {
        throw Remote.refused("list the holds", answer);
      }
      List<List<String>> rows = new ArrayList<>();
      rows.add(List.of("HOLD", "SUBJECT", "TOKEN", "FROM", "UNTIL", "PLACED", "LIFTED"));
      for (JsonNode hold : JSON.readTree(answer.body()).path("holds")) {
        List<String> row = new ArrayList<>();
        for (String name :
            List.of("hold", "subject", "token", "from", "until", "placed_at", "lifted_at")) {
          JsonNode value = hold.path(name);
          row.add(value.isString() ? Terminal.shown(value.stringValue()) : "-");
        }
        rows.add(row);
      }
      Terminal.printTable(rows);
      return 0;
    }
  }

  private static int change(
      Remote.WithToken remote, String route, ObjectNode body, String sentence) {
    Remote.Answer answer = remote.post(route, body.toString());
    if (answer.status() != 200) {
      throw Remote.refused("audit hold", answer);
    }
    System.out.println("hold " + sentence);
    return 0;
  }
}

package io.tokenledger.cli;

import io.tokenledger.permission.Action;
import io.tokenledger.permission.InvalidPermission;
import io.tokenledger.permission.Permission;
import io.tokenledger.permission.Permissions;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code check}: may this token do that? Exit 0 for yes, 1 for no. */
@Command(
    name = "check",
    description = "Asks whether a token may do something.",
    mixinStandardHelpOptions = true,
    footer = {"", "Example:", "  ledger check --permission db:mydb:read --check-token apiv3_..."})
final class CheckCommand implements Callable<Integer> {

  private static final JsonMapper JSON = JsonMapper.shared();

  @Mixin private Remote.WithToken remote = new Remote.WithToken();

  @Option(
      names = "--permission",
      required = true,
      paramLabel = "PERMISSION",
      description = "TYPE:NAME:ACTION, one name and one action or more")
  private String permission = "";

  @Option(
      names = "--check-token",
      paramLabel = "TOKEN",
      description = "The token asked about. Default: the one that asks [LEDGER_CHECK_TOKEN]")
  private @Nullable String checkToken;

  @Option(
      names = "--explain",
      description = "Says of a no which event decided and since when; needs ledger:check:read")
  private boolean explain;

  @Override
  public Integer call() {
    Permission asked = single(permission);
    String about = checkToken == null ? System.getenv("LEDGER_CHECK_TOKEN") : checkToken;
    boolean allowed = true;
    for (String name : asked.names()) {
      for (Action action : asked.actions()) {
        ObjectNode body = JSON.createObjectNode();
        if (about != null) {
          body.put("token", about);
        }
        body.put("resource_type", asked.type().wireName());
        body.put("resource_name", name);
        body.put("action", action.wireName());
        if (explain) {
          body.put("explain", true);
        }
        Remote.Answer answer = remote.post("/api/v1/check", body.toString());
        if (answer.status() != 200) {
          throw Remote.refused("check", answer);
        }
        JsonNode json = JSON.readTree(answer.body());
        boolean yes = json.path("allowed").asBoolean(false);
        allowed &= yes;
        System.out.printf(
            "%-7s %s:%s:%s  %s%s%n",
            yes ? "allowed" : "denied",
            asked.type().wireName(),
            name,
            action.wireName(),
            json.path("reason").asString(""),
            json.path("entry").isString() ? " by " + json.path("entry").stringValue() : "");
        if (json.path("explanation").isObject()) {
          System.out.println(explained(json.path("explanation")));
        }
      }
    }
    return allowed ? 0 : LedgerCli.FAILED;
  }

  /** One line: since when, by which event, and by whom where the server says so. */
  private static String explained(JsonNode explanation) {
    StringBuilder line = new StringBuilder("        ");
    line.append(explanation.path("reason").asString(""));
    if (explanation.path("since").isString()) {
      line.append(" since ").append(explanation.path("since").stringValue());
    }
    JsonNode event = explanation.path("event");
    if (event.isObject()) {
      line.append(", by ")
          .append(event.path("event_type").asString(""))
          .append(' ')
          .append(event.path("event_id").asString(""))
          .append(", leaf ")
          .append(event.path("leaf_index").asLong())
          .append(", of ")
          .append(event.path("occurred_at").asString(""));
      if (event.path("actor").isObject()) {
        line.append(", by ").append(event.path("actor").path("name").asString(""));
      }
    }
    return line.toString();
  }

  private static Permission single(String text) {
    try {
      Permission parsed = Permission.parse(text);
      Permissions.of(List.of(parsed));
      return parsed;
    } catch (InvalidPermission e) {
      throw new CommandFailed("Invalid permission: " + e.getMessage());
    }
  }
}

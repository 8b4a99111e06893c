package io.tokenledger.cli;

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

/** {@code delete token}, in the words of {@code influxdb3}, and {@code delete tokens} for many. */
@Command(
    name = "delete",
    description = "Revokes tokens.",
    mixinStandardHelpOptions = true,
    subcommands = {DeleteCommand.Token.class, DeleteCommand.Tokens.class})
final class DeleteCommand {

  private static final String OPERATOR = "_admin";

  @Command(
      name = "token",
      description = "Revokes a token; its name is free afterwards.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Examples:",
        "  ledger delete token --token-name ingest",
        "  ledger delete token --id 7 --yes      this token, whoever bears its name now"
      })
  static final class Token implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Option(
        names = "--token-name",
        paramLabel = "NAME",
        description = "The token that bears this name now")
    private @Nullable String tokenName;

    @Option(names = "--id", paramLabel = "ID", description = "The token with this id")
    private @Nullable Long id;

    @Option(
        names = {"-y", "--yes"},
        description = "Does not ask")
    private boolean yes;

    @Override
    public Integer call() {
      if ((tokenName == null) == (id == null)) {
        throw new CommandFailed("give --token-name or --id");
      }
      if (OPERATOR.equals(tokenName)) {
        throw new CommandFailed(
            "The operator token \"_admin\" is required and cannot be deleted. To regenerate an"
                + " operator token, use: ledger create token --admin --regenerate --token [TOKEN]");
      }
      String shown = tokenName == null ? "token " + id : '"' + tokenName + '"';
      if (!yes) {
        Terminal.confirm("Are you sure you want to delete " + shown + "?", "Delete");
      }
      Remote.Answer answer =
          remote.delete(
              tokenName == null
                  ? "/api/v1/tokens/" + id
                  : "/api/v3/configure/token?token_name=" + Remote.encode(tokenName));
      if (answer.status() != 200) {
        throw Remote.refused("delete token", answer);
      }
      System.out.println(
          tokenName == null
              ? "Token " + id + " deleted successfully"
              : "Token " + shown + " deleted successfully");
      return 0;
    }
  }

  @Command(
      name = "tokens",
      description = {
        "Revokes all tokens that match the filters; shows them first and asks.",
        "Never the operator token, nor the one that asks."
      },
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Examples:",
        "  ledger delete tokens --made-by 12 --dry-run     what token 12 made, and so on",
        "  ledger delete tokens --created-by alice --database mydb",
        "  ledger delete tokens --unused-since 90d --kind resource --yes"
      })
  static final class Tokens implements Callable<Integer> {

    private static final JsonMapper JSON = JsonMapper.shared();

    @Mixin private Remote.WithToken remote = new Remote.WithToken();
    @Mixin private TokenFilters filters = new TokenFilters();

    @Option(names = "--dry-run", description = "Only shows who would be hit")
    private boolean dryRun;

    @Option(
        names = {"-y", "--yes"},
        description = "Does not ask")
    private boolean yes;

    @Override
    public Integer call() {
      Map<String, String> filter = filters.values();
      JsonNode dry = revoke(filter, null);
      List<List<String>> rows = new ArrayList<>();
      rows.add(List.of("ID", "NAME", "KIND", "STATE"));
      for (JsonNode token : dry.path("tokens")) {
        rows.add(
            List.of(
                token.path("id").asString(),
                Terminal.shown(token.path("name").asString("")),
                token.path("kind").asString(""),
                token.path("state").asString("")));
      }
      Terminal.printTable(rows);
      long count = dry.path("matched").asLong();
      System.out.println(count + (count == 1 ? " token matches" : " tokens match"));
      if (dryRun || count == 0) {
        return 0;
      }
      if (!yes) {
        Terminal.confirm("Are you sure you want to delete these " + count + " tokens?", "Delete");
      }
      JsonNode done = revoke(filter, dry.path("digest").asString(""));
      for (JsonNode token : done.path("tokens")) {
        if (!token.path("revoked").asBoolean(false)) {
          System.err.println(
              "not deleted: "
                  + Terminal.shown(token.path("name").asString(""))
                  + ": "
                  + token.path("error").asString(""));
        }
      }
      long revoked = done.path("revoked").asLong();
      System.out.println(revoked + " of " + count + " deleted successfully");
      return revoked == count ? 0 : LedgerCli.FAILED;
    }

    private JsonNode revoke(Map<String, String> filter, @Nullable String expected) {
      Remote.Answer answer =
          remote.post(
              "/api/v1/tokens/revoke",
              Json.object(
                  json -> {
                    json.writeName("filter");
                    json.writeStartObject();
                    filter.forEach(json::writeStringProperty);
                    json.writeEndObject();
                    json.writeBooleanProperty("dry_run", expected == null);
                    if (expected != null) {
                      // What was shown is what is hit, or nothing is.
                      json.writeStringProperty("expected_digest", expected);
                    }
                  }));
      if (answer.status() != 200) {
        throw Remote.refused("delete tokens", answer);
      }
      return JSON.readTree(answer.body());
    }
  }
}

package io.tokenledger.cli;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;

/** {@code audit history}: what a token was, from each event of its life to the next. */
@Command(
    name = "history",
    description = "Shows the life of a token, state by state.",
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  ledger audit history --token-name ingest      all tokens that ever bore the name",
      "  ledger audit history --id 7 --format json",
      "",
      "Exit codes: 0 shown, 3 no answer, 4 the question is wrong."
    })
final class AuditHistoryCommand extends AuditQuestion {

  private static final List<String> HEADING =
      List.of("id", "leaf", "since", "event", "by", "state", "permissions", "expiry", "hash");

  @Option(
      names = "--token-name",
      paramLabel = "NAME",
      description = "All tokens that ever bore this name")
  private @Nullable String name;

  @Option(names = "--id", paramLabel = "ID", description = "The token with this id")
  private @Nullable Long id;

  @Override
  public Integer call() {
    requireFormat();
    if ((name == null) == (id == null)) {
      throw new CommandFailed(LedgerCli.USAGE, "give --token-name or --id");
    }
    List<Row> rows = new ArrayList<>();
    for (long token : ids()) {
      askAll(
          "/api/v1/audit/tokens/" + token + "/history",
          page -> page.path("versions").forEach(version -> rows.add(row(version))));
    }
    print(HEADING, rows, counted(rows.size(), "event"));
    return 0;
  }

  private List<Long> ids() {
    if (id != null) {
      return List.of(id);
    }
    List<Long> ids = new ArrayList<>();
    ask("/api/v1/tokens/by-name?token_name=" + Remote.encode(String.valueOf(name)))
        .path("tokens")
        .forEach(token -> ids.add(token.path("id").asLong()));
    return ids;
  }

  private static Row row(JsonNode version) {
    List<@Nullable String> cells = new ArrayList<>();
    cells.add(text(version.path("id")));
    cells.add(text(version.path("from_leaf")));
    cells.add(text(version.path("valid_from")));
    cells.add(text(version.path("event_type")));
    cells.add(text(version.path("actor").path("name")));
    cells.add(text(version.path("state")));
    cells.add(words(version.path("permissions")));
    cells.add(text(version.path("expiry")));
    cells.add(text(version.path("hash")));
    return new Row(cells, version);
  }
}

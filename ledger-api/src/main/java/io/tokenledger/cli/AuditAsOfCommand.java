package io.tokenledger.cli;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;

/** {@code audit asof}: all tokens as of a moment. */
@Command(
    name = "asof",
    description = "Lists the tokens that there were at a moment.",
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  ledger audit asof 2026-03-01",
      "  ledger audit asof leaf:48231 --revoked --format csv",
      "",
      "A place in the log gives the same answer for ever; a time gives the same for one size of",
      "the log. Exit codes: 0 listed, 3 no answer, 4 the question is wrong."
    })
final class AuditAsOfCommand extends AuditQuestion {

  static final List<String> HEADING =
      List.of("id", "name", "kind", "state", "permissions", "expiry", "hash", "leaf");

  @Parameters(
      index = "0",
      paramLabel = "MOMENT",
      description = "leaf:N, checkpoint:N, a date, an instant, or how long ago: 24h")
  private String moment = "";

  @Option(names = "--revoked", description = "Also those that were revoked by then")
  private boolean revoked;

  @Override
  public Integer call() {
    requireFormat();
    List<Row> rows = new ArrayList<>();
    String[] where = {""};
    askAll(
        "/api/v1/audit/state?revoked=" + revoked + parameter("at", moment("MOMENT", moment)),
        page -> {
          page.path("tokens").forEach(token -> rows.add(row(token)));
          where[0] = where(page.path("at"));
        });
    print(HEADING, rows, counted(rows.size(), "token") + " as of " + where[0]);
    return 0;
  }

  static Row row(JsonNode token) {
    List<@Nullable String> cells = new ArrayList<>();
    cells.add(text(token.path("id")));
    cells.add(text(token.path("name")));
    cells.add(text(token.path("kind")));
    cells.add(text(token.path("state")));
    cells.add(words(token.path("permissions")));
    cells.add(text(token.path("expiry")));
    cells.add(text(token.path("hash")));
    cells.add(text(token.path("from_leaf")));
    return new Row(cells, token);
  }
}

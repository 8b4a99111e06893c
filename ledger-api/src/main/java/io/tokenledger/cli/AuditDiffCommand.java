package io.tokenledger.cli;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;

/** {@code audit diff}: what came, went and changed between two moments. */
@Command(
    name = "diff",
    description = "Lists the tokens added, removed and changed between two moments.",
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  ledger audit diff 2026-01-01 2026-04-01",
      "  ledger audit diff leaf:100 checkpoint:4711 --format json",
      "",
      "Exit codes: 0 listed, 3 no answer, 4 the question is wrong."
    })
final class AuditDiffCommand extends AuditQuestion {

  private static final List<String> HEADING =
      List.of("change", "id", "name", "what", "before", "after");

  @Parameters(
      index = "0",
      paramLabel = "FROM",
      description = "leaf:N, checkpoint:N, a date, an instant, or how long ago: 24h")
  private String from = "";

  @Parameters(index = "1", paramLabel = "TO", description = "As FROM")
  private String to = "";

  @Override
  public Integer call() {
    requireFormat();
    List<Row> rows = new ArrayList<>();
    String[] where = {"", ""};
    long[] tokens = {0};
    askAll(
        "/api/v1/audit/diff?from="
            + Remote.encode(moment("FROM", from))
            + parameter("to", moment("TO", to)),
        page -> {
          for (JsonNode token : page.path("added")) {
            rows.add(row("added", token, "permissions", null, words(token.path("permissions"))));
          }
          for (JsonNode token : page.path("removed")) {
            rows.add(row("removed", token, "permissions", words(token.path("permissions")), null));
          }
          for (JsonNode token : page.path("changed")) {
            for (JsonNode difference : token.path("differences")) {
              rows.add(
                  row(
                      "changed",
                      token,
                      text(difference.path("path")),
                      value(difference.path("before")),
                      value(difference.path("after"))));
            }
          }
          tokens[0] +=
              page.path("added").size() + page.path("removed").size() + page.path("changed").size();
          where[0] = page.path("from").path("time").asString();
          where[1] = where(page.path("to"));
        });
    print(
        HEADING,
        rows,
        counted(tokens[0], "token") + " changed between " + where[0] + " and " + where[1]);
    return 0;
  }

  private static @Nullable String value(JsonNode node) {
    return node.isArray() ? words(node) : text(node);
  }

  private static Row row(
      String change,
      JsonNode token,
      @Nullable String what,
      @Nullable String before,
      @Nullable String after) {
    List<@Nullable String> cells = new ArrayList<>();
    cells.add(change);
    cells.add(text(token.path("id")));
    cells.add(text(token.path("name")));
    cells.add(what);
    cells.add(before);
    cells.add(after);
    return new Row(
        cells,
        JSON.createObjectNode()
            .put("change", change)
            .put("id", token.path("id").asLong())
            .put("name", text(token.path("name")))
            .put("what", what)
            .put("before", before)
            .put("after", after));
  }
}

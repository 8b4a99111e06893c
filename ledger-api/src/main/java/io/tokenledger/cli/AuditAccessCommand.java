package io.tokenledger.cli;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;

/** {@code audit access}: who could do what. */
@Command(
    name = "access",
    description = "Lists the tokens that could do something on a resource at a moment.",
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  ledger audit access db:metrics --action read --at 2026-03-01",
      "  ledger audit access ledger:audit --action read",
      "",
      "Exit codes: 0 listed, 3 no answer, 4 the question is wrong."
    })
final class AuditAccessCommand extends AuditQuestion {

  private static final List<String> HEADING = List.of("id", "name", "kind", "by", "expiry", "leaf");

  @Parameters(index = "0", paramLabel = "RESOURCE", description = "TYPE:NAME, db:metrics")
  private String resource = "";

  @Option(
      names = "--action",
      paramLabel = "ACTION",
      required = true,
      description = "create, describe, read, write or delete")
  private String action = "";

  @Option(
      names = "--at",
      paramLabel = "MOMENT",
      description = "leaf:N, checkpoint:N, a date, an instant, or how long ago. Default now")
  private @Nullable String at;

  @Override
  public Integer call() {
    requireFormat();
    List<Row> rows = new ArrayList<>();
    String[] where = {""};
    askAll(
        "/api/v1/audit/access?resource="
            + Remote.encode(resource)
            + parameter("action", action)
            + parameter("at", at == null ? null : moment("--at", at)),
        page -> {
          page.path("tokens").forEach(token -> rows.add(row(token)));
          where[0] = where(page.path("at"));
        });
    print(
        HEADING,
        rows,
        counted(rows.size(), "token") + " could " + action + " " + resource + " at " + where[0]);
    return 0;
  }

  private static Row row(JsonNode token) {
    List<@Nullable String> cells = new ArrayList<>();
    cells.add(text(token.path("id")));
    cells.add(text(token.path("name")));
    cells.add(text(token.path("kind")));
    cells.add(text(token.path("entry")));
    cells.add(text(token.path("expiry")));
    cells.add(text(token.path("from_leaf")));
    return new Row(cells, token);
  }
}

package io.tokenledger.server;

import io.tokenledger.ledger.Ledger;
import io.tokenledger.sql.SqlRefused;
import io.tokenledger.sql.SqlResult;
import io.tokenledger.token.Actor;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.LongSummaryStatistics;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

/**
 * InfluxDB's {@code query_sql}, for the tables about tokens ({@code influxdb3-token-surface} 1.6):
 * it is how its clients list them.
 */
@RestController
class SqlRoutes {

  static final String QUERY_SQL = "/api/v3/query_sql";

  private static final String DATABASE = "_internal";

  private static final String AUDIT_LOG = "audit_log";

  private final Ledger ledger;
  private final AuditReads audits;

  SqlRoutes(Ledger ledger, AuditReads audits) {
    this.ledger = ledger;
    this.audits = audits;
  }

  @GetMapping(QUERY_SQL)
  void get(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String params = request.getParameter("params");
    answer(
        request,
        response,
        request.getParameter("db"),
        request.getParameter("q"),
        request.getParameter("format"),
        params == null || params.equals("null")
            ? Map.of()
            : JsonBody.parse(params.getBytes(StandardCharsets.UTF_8)).scalars());
  }

  @PostMapping(QUERY_SQL)
  void post(HttpServletRequest request, HttpServletResponse response) throws IOException {
    JsonBody body = TokenRoutes.jsonBody(request);
    answer(
        request,
        response,
        body.string("db"),
        body.string("q"),
        body.optionalString("format"),
        body.isNull("params") ? Map.of() : body.object("params").scalars());
  }

  private void answer(
      HttpServletRequest request,
      HttpServletResponse response,
      @Nullable String database,
      @Nullable String query,
      @Nullable String format,
      Map<String, @Nullable Object> params)
      throws IOException {
    Actor actor = RequestContexts.of(request).actor();
    Set<String> readable = readable(actor);
    if (readable.isEmpty()) {
      throw Rejection.forbidden();
    }
    if (database == null || query == null) {
      throw new Rejection(
          400,
          "serde error: missing field `" + (database == null ? "db" : "q") + "`",
          "missing_parameter",
          false);
    }
    if (!database.equals(DATABASE)) {
      throw new Rejection(
          404,
          JsonText.error("database not found: " + database + "; this ledger has only " + DATABASE),
          "database_not_found",
          false);
    }
    SqlFormat chosen = SqlFormat.of(format, request.getHeader("Accept"));
    ledger.tokens().awaitCaughtUp();
    SqlResult result;
    try {
      result = ledger.sql().run(query, params, readable);
    } catch (SqlRefused e) {
      if (AUDIT_LOG.equals(e.relation()) && actor.permissions().isAdmin()) {
        throw audits.refused(actor);
      }
      throw new Rejection(
          400, JsonText.error(String.valueOf(e.getMessage())), "query_refused", false);
    }
    if (result.relations().contains(AUDIT_LOG)) {
      record(request, result, query + "\n" + new TreeMap<>(params));
    }
    byte[] bytes = chosen.write(result).getBytes(StandardCharsets.UTF_8);
    response.setStatus(200);
    response.setContentType(chosen.contentType());
    response.setContentLength(bytes.length);
    response.getOutputStream().write(bytes);
  }

  private void record(HttpServletRequest request, SqlResult result, String exact) {
    int column = result.columns().indexOf("leaf_index");
    LongSummaryStatistics leaves =
        result.rows().stream()
            .map(row -> column < 0 ? null : row.get(column))
            .filter(Long.class::isInstance)
            .mapToLong(Long.class::cast)
            .summaryStatistics();
    boolean known = leaves.getCount() > 0;
    audits.record(
        request,
        audits.require(request),
        new AuditReads.Asked(result.query(), exact),
        result.rows().size(),
        known ? leaves.getMin() : null,
        known ? leaves.getMax() : null,
        ledger.auditSize());
  }

  /** What this actor may read: who reviews history reads all, who manages tokens the tokens. */
  private Set<String> readable(Actor actor) {
    Set<String> relations = new HashSet<>();
    if (actor.mayReadTokens()) {
      relations.add("tokens");
      relations.add("token_history");
    }
    if (audits.right(actor) != null) {
      relations.add(AUDIT_LOG);
    }
    return relations;
  }
}

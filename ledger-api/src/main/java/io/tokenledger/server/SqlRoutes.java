package io.tokenledger.server;

import io.tokenledger.ledger.Ledger;
import io.tokenledger.sql.SqlRefused;
import io.tokenledger.sql.SqlResult;
import io.tokenledger.sql.SystemViews;
import io.tokenledger.token.Actor;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
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

  /** A query and its parameters have limits of their own. */
  private static final int MAX_BODY_BYTES = 2 * 1024 * 1024;

  private static final int MAX_BODY_VALUES = 10_000;

  /** For the answers that are being made and sent at a time: two of the longest. */
  private final MemoryBudget answers =
      new MemoryBudget("large answers", 2 * AnswerBuffer.MAX_BYTES);

  private final Ledger ledger;
  private final AuditReads audits;
  private final boolean withHashes;

  SqlRoutes(Ledger ledger, AuditReads audits, ServeOptions options) {
    this.ledger = ledger;
    this.audits = audits;
    this.withHashes = !options.withoutAuth();
  }

  @GetMapping(QUERY_SQL)
  void get(HttpServletRequest request, HttpServletResponse response) throws IOException {
    requireReader(request);
    String params = request.getParameter("params");
    answer(
        request,
        response,
        request.getParameter("db"),
        request.getParameter("q"),
        request.getParameter("format"),
        params == null || params.equals("null")
            ? Map.of()
            : JsonBody.parse(params.getBytes(StandardCharsets.UTF_8), MAX_BODY_VALUES).scalars());
  }

  @PostMapping(QUERY_SQL)
  void post(HttpServletRequest request, HttpServletResponse response) throws IOException {
    requireReader(request);
    JsonBody body = RequestBodies.of(request).parsed(request, MAX_BODY_BYTES, MAX_BODY_VALUES);
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
    Map<String, List<String>> views =
        SystemViews.of(readable(RequestContexts.of(request).actor()), withHashes);
    try (MemoryBudget.Share memory = answers.share()) {
      SqlAnswer answer = chosen.answer(new AnswerBuffer(memory));
      SqlResult result = ledger.sql().run(query, params, views, answer);
      if (result.relations().contains(AUDIT_LOG)) {
        record(request, result, query + "\n" + new TreeMap<>(params));
      }
      response.setStatus(200);
      response.setContentType(chosen.contentType());
      response.setContentLengthLong(answer.length());
      answer.writeTo(response.getOutputStream());
    } catch (SqlRefused e) {
      Actor actor = RequestContexts.of(request).actor();
      if (AUDIT_LOG.equals(e.relation()) && actor.permissions().isAdmin()) {
        throw audits.refused(actor);
      }
      throw new Rejection(
          400, JsonText.error(String.valueOf(e.getMessage())), "query_refused", false);
    }
  }

  /** Before anything of the request is read: who may not read is not worth the memory. */
  private void requireReader(HttpServletRequest request) {
    TokenRoutes.require(!readable(RequestContexts.of(request).actor()).isEmpty());
  }

  private void record(HttpServletRequest request, SqlResult result, String exact) {
    audits.record(
        request,
        audits.require(request),
        new AuditReads.Asked(result.query(), exact),
        result.rows(),
        result.firstLeafIndex(),
        result.lastLeafIndex(),
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

package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URLEncoder;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Listing by SQL, as InfluxDB's clients do it, and queries that mean harm. */
class SqlIT {

  @TempDir static Path data;
  private static Server server;
  private static HttpProbe http;
  private static String operator;

  @BeforeAll
  static void start() {
    server = Server.start(ServerIT.options(data, Map.of()));
    http = new HttpProbe(server.url());
    operator = HttpProbe.json(http.bootstrap()).path("token").asString();
    http.create(operator, "reader", "db", "a", "read");
    http.create(operator, "writer", "db", "b", "read", "write");
    for (int i = 0; i < 400; i++) {
      http.create(operator, "many " + i, "db", "c", "read");
      if (i % 2 == 0) {
        http.delete("many%20" + i, operator);
      }
    }
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static HttpResponse<String> post(String sql, String more) {
    return http.post(
        SqlRoutes.QUERY_SQL,
        operator,
        "{\"db\":\"_internal\",\"q\":" + JsonMapper.shared().writeValueAsString(sql) + more + "}");
  }

  private static JsonNode rows(String sql) {
    HttpResponse<String> answer = post(sql, ",\"format\":\"json\"");
    assertEquals(200, answer.statusCode(), answer.body());
    return HttpProbe.json(answer);
  }

  @Test
  void tokensHaveInfluxDbsColumnsTypesAndRenderings() {
    JsonNode reader = rows("SELECT * FROM system.tokens WHERE name = 'reader'").get(0);
    assertTrue(reader.path("token_id").isIntegralNumber());
    assertTrue(reader.path("hash").asString().matches("[0-9a-f]{9}"));
    assertTrue(
        reader
            .path("created_at")
            .asString()
            .matches("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{3})?"));
    assertEquals("[\"db:a:read\"]", reader.path("permissions").asString());
    assertTrue(reader.path("expiry").isMissingNode(), "null is left out");
    JsonNode admin = rows("SELECT * FROM system.tokens WHERE token_id = 0").get(0);
    assertEquals("[\"*:*:*\"]", admin.path("permissions").asString());
    String header = post("SELECT * FROM system.tokens LIMIT 0", ",\"format\":\"csv\"").body();
    assertEquals(
        "token_id,name,hash,created_at,description,created_by_token_id,updated_at,"
            + "updated_by_token_id,expiry,permissions\n",
        header);
  }

  @Test
  void theFiltersOfRealClientsWork() {
    assertEquals(1, rows("SELECT * FROM system.tokens WHERE permissions LIKE '%*:*:*%'").size());
    assertEquals(
        202, rows("SELECT name FROM system.tokens WHERE permissions NOT LIKE '%*:*:*%'").size());
    assertEquals(1, rows("SELECT * FROM system.tokens WHERE name = 'writer'").size());
  }

  @Test
  void historyKeepsWhatWasRevokedAndByWhom() {
    JsonNode gone = rows("SELECT * FROM system.token_history WHERE name = 'many 0'").get(0);
    assertEquals("revoked", gone.path("state").asString());
    assertEquals("_admin", gone.path("revoked_by").asString());
    assertEquals(
        200,
        rows("SELECT 1 FROM system.token_history WHERE state = 'revoked' AND name LIKE 'many %'")
            .size());
    assertEquals(
        200,
        rows("SELECT count(*) AS n FROM system.audit_log WHERE action = 'token.revoke'"
                + " AND target_name LIKE 'many %'")
            .get(0)
            .path("n")
            .asInt());
  }

  @Test
  void aParameterIsAValueAndNeverSql() {
    HttpResponse<String> found =
        post(
            "SELECT token_id FROM system.tokens WHERE name = $name AND token_id > $id",
            ",\"params\":{\"name\":\"reader\",\"id\":0}");
    assertEquals("[{\"token_id\":1}]", found.body());
    HttpResponse<String> hostile =
        post(
            "SELECT token_id FROM system.tokens WHERE name = $name",
            ",\"params\":{\"name\":\"' OR 1=1 --\"}");
    assertEquals("[]", hostile.body());
    String query = URLEncoder.encode("SELECT $a AS a", StandardCharsets.UTF_8);
    String params = URLEncoder.encode("{\"a\":\"x\"}", StandardCharsets.UTF_8);
    assertEquals(
        "[{\"a\":\"x\"}]",
        http.get(SqlRoutes.QUERY_SQL + "?db=_internal&q=" + query + "&params=" + params, operator)
            .body());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      nullValues = "-",
      value = {
        "-|application/json|application/json|[{\"n\":1,\"t\":\"a,b\"}]",
        "-|*/*|application/json|[{\"n\":1,\"t\":\"a,b\"}]",
        "-|text/csv|text/csv|n,t~1,\"a,b\"~",
        "-|text/plain|text/plain;charset=utf-8|+---+-----+~! n ! t   !~+---+-----+~! 1 ! a,b !~+---+-----+",
        "json|text/csv|application/json|[{\"n\":1,\"t\":\"a,b\"}]",
        "jsonl|-|application/jsonl|{\"n\":1,\"t\":\"a,b\"}~",
        "json_lines|-|application/jsonl|{\"n\":1,\"t\":\"a,b\"}~",
        "csv|-|text/csv|n,t~1,\"a,b\"~"
      })
  void theFormatIsTheParameterOrElseTheAcceptHeader(
      String format, String accept, String type, String body) {
    String query = URLEncoder.encode("SELECT 1 AS n, 'a,b' AS t", StandardCharsets.UTF_8);
    var request =
        http.request(
                SqlRoutes.QUERY_SQL
                    + "?db=_internal&q="
                    + query
                    + (format == null ? "" : "&format=" + format))
            .header("Authorization", "Bearer " + operator);
    if (accept != null) {
      request.header("Accept", accept);
    }
    HttpResponse<String> answer = http.send(request);
    assertEquals(200, answer.statusCode(), answer.body());
    assertEquals(type, answer.headers().firstValue("Content-Type").orElse("").replace("; ", ";"));
    assertEquals(body.replace('~', '\n').replace('!', '|'), answer.body());
  }

  @ParameterizedTest
  @CsvSource({
    "application/parquet,invalid mime type (application/parquet)",
    "application/jsonl,invalid mime type (application/jsonl)",
    "application/vnd.apache.parquet,parquet is not available"
  })
  void whatCannotBeAcceptedIsTold(String accept, String expected) {
    HttpResponse<String> answer =
        http.send(
            http.request(SqlRoutes.QUERY_SQL + "?db=_internal&q=SELECT%201")
                .header("Authorization", "Bearer " + operator)
                .header("Accept", accept));
    assertEquals(400, answer.statusCode());
    assertTrue(answer.body().contains(expected), answer.body());
  }

  @Test
  void readersOfTheLedgerReadWhatTheyMay() {
    String auditor = http.create(operator, "auditor", "ledger", "audit", "read");
    String manager = http.create(operator, "manager", "ledger", "tokens", "read");
    String stranger = http.create(operator, "stranger", "db", "a", "read");
    String log = "{\"db\":\"_internal\",\"q\":\"SELECT count(*) FROM system.audit_log\"}";
    String tokens = "{\"db\":\"_internal\",\"q\":\"SELECT count(*) FROM system.tokens\"}";
    assertEquals(200, http.post(SqlRoutes.QUERY_SQL, auditor, log).statusCode());
    assertEquals(200, http.post(SqlRoutes.QUERY_SQL, auditor, tokens).statusCode());
    assertEquals(400, http.post(SqlRoutes.QUERY_SQL, manager, log).statusCode());
    assertEquals(200, http.post(SqlRoutes.QUERY_SQL, manager, tokens).statusCode());
    assertEquals(403, http.post(SqlRoutes.QUERY_SQL, stranger, tokens).statusCode());
    for (String name : List.of("auditor", "manager", "stranger")) {
      http.delete(name, operator);
    }
  }

  @Test
  void withoutAuthNobodyIsShownHashes(@TempDir Path elsewhere) {
    try (Server open =
        Server.start(ServerIT.options(elsewhere, Map.of("LEDGER_WITHOUT_AUTH", "true")))) {
      HttpProbe anyone = new HttpProbe(open.url());
      String path = SqlRoutes.QUERY_SQL + "?db=_internal&format=csv&q=";
      HttpResponse<String> header =
          anyone.send(anyone.request(path + "SELECT%20*%20FROM%20system.tokens"));
      assertEquals(
          "token_id,name,created_at,description,created_by_token_id,updated_at,"
              + "updated_by_token_id,expiry,permissions\n",
          header.body());
      HttpResponse<String> hash =
          anyone.send(anyone.request(path + "SELECT%20hash%20FROM%20system.tokens"));
      assertEquals(400, hash.statusCode());
    }
  }

  @Test
  void twoRowsWhereOneIsDueAreTheCallersMistake() {
    HttpResponse<String> answer = post("SELECT (SELECT name FROM system.tokens) AS n", "");
    assertEquals(400, answer.statusCode(), answer.body());
    assertTrue(answer.body().contains("more than one row"), answer.body());
  }

  @Test
  @Tag("long")
  void theTimeLimitIsForTheWholeQueryAndNotForEachFetch() {
    Instant asked = Instant.now();
    HttpResponse<String> answer =
        post(
            "SELECT x.leaf_index, (SELECT count(*) FROM system.audit_log b, system.audit_log c"
                + " WHERE b.leaf_index + c.leaf_index > x.leaf_index) AS n"
                + " FROM system.audit_log x, system.tokens y LIMIT 5000",
            "");
    assertEquals(400, answer.statusCode(), answer.body());
    assertTrue(answer.body().contains("longer than 10 seconds"), answer.body());
    assertTrue(Duration.between(asked, Instant.now()).toSeconds() < 25, "two fetches at most");
  }

  @Test
  void tooManyRowsAreRefused() {
    HttpResponse<String> answer =
        post("SELECT a.leaf_index FROM system.audit_log a, system.audit_log b", "");
    assertEquals(400, answer.statusCode());
    assertTrue(answer.body().contains("more than 100000 rows"), answer.body());
  }

  @Test
  @Tag("long")
  void queriesWithoutAnEndAreEndedAndNobodyElseWaits() throws Exception {
    String endless =
        "SELECT count(*) FROM system.audit_log a, system.audit_log b, system.audit_log c,"
            + " system.audit_log d, system.audit_log e";
    ExecutorService clients = Executors.newFixedThreadPool(4);
    List<Future<HttpResponse<String>>> answers = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      answers.add(clients.submit(() -> post(endless, "")));
    }
    Instant end = Instant.now().plusSeconds(6);
    int others = 0;
    Duration slowest = Duration.ZERO;
    while (Instant.now().isBefore(end)) {
      Instant asked = Instant.now();
      assertEquals(200, http.get("/ping", operator).statusCode());
      assertEquals(200, http.get("/api/v1/tokens?limit=1", operator).statusCode());
      Duration took = Duration.between(asked, Instant.now());
      slowest = took.compareTo(slowest) > 0 ? took : slowest;
      others++;
    }
    assertTrue(others > 5 && slowest.toSeconds() < 4, others + " others, slowest " + slowest);
    int ended = 0;
    for (Future<HttpResponse<String>> answer : answers) {
      HttpResponse<String> got = answer.get();
      if (got.statusCode() == 400) {
        assertTrue(got.body().contains("longer than 10 seconds"), got.body());
        ended++;
      } else {
        assertEquals(503, got.statusCode(), got.body());
        assertTrue(got.headers().firstValue("Retry-After").isPresent());
      }
    }
    clients.shutdown();
    assertEquals(2, ended, "two ran, two found no place");
    assertEquals(1, rows("SELECT 1 AS n").size(), "the next one is answered");
  }
}

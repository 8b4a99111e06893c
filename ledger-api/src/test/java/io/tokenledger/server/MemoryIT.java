package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.json.JsonMapper;

/**
 * The launcher's own heap holds against the largest that callers may ask for, twice at once, while
 * others are served: a node whose heap is full ends for all.
 */
class MemoryIT {

  private static final Path LAUNCHER = Path.of("../ops/bin/ledger").toAbsolutePath().normalize();
  private static final Duration START_LIMIT = Duration.ofSeconds(60);

  @TempDir static Path directory;
  private static Process process;
  private static HttpProbe http;
  private static String operator;
  private static String stranger;

  @BeforeAll
  static void start() throws Exception {
    Path out = directory.resolve("out");
    process =
        new ProcessBuilder(
                LAUNCHER.toString(),
                "serve",
                "--http-bind",
                "127.0.0.1:0",
                "--data-dir",
                directory.resolve("data").toString())
            .redirectOutput(out.toFile())
            .redirectError(directory.resolve("log").toFile())
            .start();
    String prefix = "ledger ready on ";
    Instant end = Instant.now().plus(START_LIMIT);
    while (!(Files.exists(out) && Files.readString(out).endsWith("\n"))) {
      assertTrue(process.isAlive() && Instant.now().isBefore(end), "the node starts");
      process.waitFor(20, TimeUnit.MILLISECONDS);
    }
    http = new HttpProbe(Files.readString(out).substring(prefix.length()).strip());
    operator = HttpProbe.json(http.bootstrap()).path("token").asString();
    stranger = http.create(operator, "stranger", "db", "a", "read");
    for (int i = 0; i < 20; i++) {
      http.create(operator, "many " + i, "db", "a", "read");
    }
  }

  @AfterAll
  static void stop() throws Exception {
    process.destroy();
    assertTrue(process.waitFor(30, TimeUnit.SECONDS), "the node ends");
  }

  private static String query(String sql, String more) {
    return "{\"db\":\"_internal\",\"q\":"
        + JsonMapper.shared().writeValueAsString(sql)
        + more
        + "}";
  }

  /** Asks that many times at once, and meanwhile asks what everybody asks. */
  private static List<HttpResponse<String>> atOnce(
      int clients, Supplier<HttpResponse<String>> request) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(clients);
    try {
      List<Future<HttpResponse<String>>> asked = new ArrayList<>();
      for (int i = 0; i < clients; i++) {
        asked.add(threads.submit(request::get));
      }
      while (!asked.stream().allMatch(Future::isDone)) {
        assertEquals(200, http.get("/api/v1/tokens?limit=5", operator).statusCode());
      }
      List<HttpResponse<String>> answers = new ArrayList<>();
      for (Future<HttpResponse<String>> answer : asked) {
        answers.add(answer.get());
      }
      assertTrue(process.isAlive(), "the node lives");
      assertEquals(200, http.get("/ping", operator).statusCode());
      return answers;
    } finally {
      threads.shutdownNow();
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "json;SELECT a.*, h.* FROM system.audit_log a, system.token_history h, system.tokens t,"
            + " system.tokens u LIMIT 90000;longer than 16777216 bytes",
        "jsonl;SELECT a.*, h.* FROM system.audit_log a, system.token_history h, system.tokens t,"
            + " system.tokens u LIMIT 90000;longer than 16777216 bytes",
        "csv;SELECT a.*, h.*, b.* FROM system.audit_log a, system.token_history h,"
            + " system.audit_log b, system.tokens u LIMIT 90000;longer than 16777216 bytes",
        "pretty;SELECT a.*, h.* FROM system.audit_log a, system.token_history h, system.tokens t,"
            + " system.tokens u LIMIT 90000;longer than 16777216 bytes",
        "pretty;SELECT 1, CASE WHEN t.token_id = 3 AND u.token_id = 3 THEN CAST(CAST('9e100000' AS"
            + " numeric) AS text) END FROM system.tokens t, system.tokens u;longer than 16777216",
        "json;SELECT CAST('9e131000' AS numeric) FROM system.tokens t, system.tokens u;a number of more than 1000 digits",
        "csv;SELECT CAST('9e131000' AS numeric) FROM system.tokens t, system.tokens u;a number of more than 1000 digits",
        "json;SELECT CAST(CAST('9e131000' AS numeric) AS text), CAST(CAST('9e131000' AS numeric) AS"
            + " text) FROM system.tokens t, system.tokens u;more than 8388608 bytes in 50 of them",
        "json;SELECT name || name || name || name || name || name || name || name || name || name"
            + " || name FROM system.tokens;0",
        "json;SELECT name || name || name || name || name || name || name || name || name || name"
            + " || name || name FROM system.tokens;must not join texts more than 10 times",
        "json;SELECT t.json_agg FROM system.tokens t;column t.json_agg does not exist"
      })
  void whatIsTooLongIsRefusedTwiceAtOnce(String format, String sql, String expected)
      throws Exception {
    String body = query(sql, ",\"format\":\"" + format + "\"");
    for (HttpResponse<String> answer :
        atOnce(2, () -> http.post(SqlRoutes.QUERY_SQL, operator, body))) {
      boolean refused = !expected.equals("0");
      assertEquals(refused ? 400 : 200, answer.statusCode(), sql);
      assertTrue(!refused || answer.body().contains(expected), answer.body());
    }
  }

  @ParameterizedTest
  @CsvSource({"json", "jsonl", "csv", "pretty"})
  void whatIsJustNotTooLongIsAnsweredTwiceAtOnce(String format) throws Exception {
    String body =
        query(
            "SELECT a.*, h.* FROM system.audit_log a, system.token_history h, system.tokens t"
                + " LIMIT 9000",
            ",\"format\":\"" + format + "\"");
    for (HttpResponse<String> answer :
        atOnce(2, () -> http.post(SqlRoutes.QUERY_SQL, operator, body))) {
      assertEquals(200, answer.statusCode());
      assertTrue(answer.body().length() > 2_000_000, "length " + answer.body().length());
    }
  }

  @Test
  void aParameterHasItsLimitAndSoHaveAllOfThem() throws Exception {
    String one = query("SELECT $p AS p", ",\"params\":{\"p\":\"" + "x".repeat(1_000_000) + "\"}");
    for (HttpResponse<String> answer :
        atOnce(2, () -> http.post(SqlRoutes.QUERY_SQL, operator, one))) {
      assertEquals(400, answer.statusCode());
      assertTrue(answer.body().contains("$p is longer than 65536 characters"), answer.body());
    }
    String sum = "SELECT $p AS a" + ", $p".repeat(16);
    HttpResponse<String> together =
        http.post(
            SqlRoutes.QUERY_SQL,
            operator,
            query(sum, ",\"params\":{\"p\":\"" + "x".repeat(65_536) + "\"}"));
    assertEquals(400, together.statusCode());
    assertTrue(together.body().contains("longer than 1048576 characters"), together.body());
    HttpResponse<String> number =
        http.post(
            SqlRoutes.QUERY_SQL, operator, query("SELECT $p AS a", ",\"params\":{\"p\":1e900000}"));
    assertEquals(400, number.statusCode());
    HttpResponse<String> timesRows =
        http.post(
            SqlRoutes.QUERY_SQL,
            operator,
            query(
                "SELECT $p AS p FROM system.tokens t, system.tokens u",
                ",\"params\":{\"p\":\"" + "x".repeat(65_536) + "\"}"));
    assertEquals(400, timesRows.statusCode());
    assertTrue(timesRows.body().contains("longer than 16777216 bytes"), timesRows.body());
  }

  /** Small values, which take the most memory for their text. */
  private static String values(String value, int bytes) {
    return "{\"x\":[" + value + ("," + value).repeat((bytes - 10) / (value.length() + 1)) + "]}";
  }

  @Test
  void everyTokenMaySendACheckAndNoneALargeOne() throws Exception {
    String large = values("{}", 1_900_000);
    for (HttpResponse<String> answer :
        atOnce(8, () -> http.post(CheckRoutes.CHECK, stranger, large))) {
      assertEquals(413, answer.statusCode());
      assertEquals("max request size (65536 bytes) exceeded", answer.body());
    }
    String dense = values("{\"a\":1}", 65_000);
    for (HttpResponse<String> answer :
        atOnce(16, () -> http.post(CheckRoutes.CHECK, stranger, dense))) {
      assertEquals(400, answer.statusCode(), answer.body());
      assertTrue(answer.body().contains("more than 1000 values"), answer.body());
    }
  }

  @Test
  void aQueryIsReadOnlyOfWhoMayAsk() throws Exception {
    String large = query("SELECT 1", ",\"x\":\"" + "y".repeat(1_900_000) + "\"");
    for (HttpResponse<String> answer :
        atOnce(8, () -> http.post(SqlRoutes.QUERY_SQL, stranger, large))) {
      assertEquals(403, answer.statusCode());
    }
  }

  @ParameterizedTest
  @CsvSource({"{}", "{\"a\":1}", "1000", "\"ab\"", "[[]]"})
  void largeBodiesAreReadOneByOneAndTheRestIsToldToComeAgain(String value) throws Exception {
    String large = values(value, 9_900_000);
    for (HttpResponse<String> answer :
        atOnce(16, () -> http.post(TokenRoutes.ENTERPRISE, operator, large))) {
      if (answer.statusCode() == 503) {
        assertTrue(answer.headers().firstValue("Retry-After").isPresent());
        assertTrue(answer.body().contains("too many large requests at once"), answer.body());
      } else {
        assertEquals(400, answer.statusCode(), answer.body());
        assertTrue(answer.body().contains("more than 200000 values"), answer.body());
      }
    }
  }

  @Test
  void theLargestImportIsTakenBesideOthers() throws Exception {
    StringBuilder rows = new StringBuilder("{\"tokens\":[");
    for (int i = 0; i < 10_000; i++) {
      rows.append(i == 0 ? "" : ",")
          .append(
              "{\"name\":\"import\",\"hash\":\"short\",\"permissions\":\"[\\\"db:a:read\\\"]\",")
          .append("\"description\":\"")
          .append("d".repeat(900))
          .append("\"}");
    }
    String body = rows.append("]}").toString();
    boolean taken = false;
    for (HttpResponse<String> answer :
        atOnce(4, () -> http.post(ImportRoutes.IMPORT, operator, body))) {
      assertTrue(answer.statusCode() == 200 || answer.statusCode() == 503, answer.body());
      taken |= answer.statusCode() == 200;
    }
    assertTrue(taken, "one of them");
  }
}

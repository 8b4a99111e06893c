package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.text.Normalizer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.json.JsonMapper;

/** Whatever a caller sends gets its answer: the status and a text that names field and rule. */
class BadInputIT {

  private static final String ENTERPRISE = "/api/v3/enterprise/configure/token";
  private static final String GRANT =
      "\"permissions\":[{\"resource_type\":\"db\",\"resource_names\":[\"a\"],"
          + "\"actions\":[\"read\"]}]";

  @TempDir static Path data;
  private static Server server;
  private static HttpProbe http;
  private static String operator;
  private static String victim;

  @BeforeAll
  static void start() {
    server = Server.start(ServerIT.options(data, Map.of()));
    http = new HttpProbe(server.url());
    operator = HttpProbe.json(http.bootstrap()).path("token").asString();
    victim = HttpProbe.json(http.post(ENTERPRISE, operator, body("victim"))).path("id").asString();
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static String body(String name) {
    return "{\"token_name\":" + JsonMapper.shared().writeValueAsString(name) + "," + GRANT + "}";
  }

  private static HttpResponse<String> send(String verb, String path, String body) {
    return http.send(
        http.request(path)
            .header("Authorization", "Bearer " + operator)
            .header("Content-Type", "application/json")
            .method(verb, BodyPublishers.ofString(body)));
  }

  @Test
  void everyRowOfTheTableGetsItsStatusAndText() throws IOException {
    List<String> wrong = new ArrayList<>();
    int rows = 0;
    int tokens = count();
    try (InputStream in =
            Objects.requireNonNull(BadInputIT.class.getResourceAsStream("bad-input.txt"));
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        if (line.startsWith("#")) {
          continue;
        }
        rows++;
        String[] cells = line.split("\t", -1);
        HttpResponse<String> answer =
            send(cells[0], cells[1].replace("{victim}", victim), cells[2].replace("<TAB>", "\t"));
        if (answer.statusCode() != Integer.parseInt(cells[3])
            || !answer.body().contains(cells[4])) {
          String asked = line.length() > 200 ? line.substring(0, 200) + "..." : line;
          wrong.add(asked + " -> " + answer.statusCode() + " " + answer.body());
        }
      }
    }
    assertEquals("", String.join("\n", wrong));
    assertTrue(rows >= 150, "rows: " + rows);
    assertEquals(tokens, count(), "nothing was made or lost");
    assertEquals(200, send("GET", "/api/v1/tokens/" + victim, "").statusCode());
  }

  private static int count() {
    return HttpProbe.json(send("GET", "/api/v1/tokens?limit=1000", "")).path("tokens").size();
  }

  @ParameterizedTest
  @ValueSource(ints = {513, 1_000, 65_536, 1_048_576})
  void aNameThatIsTooLongIsRefusedWithItsLength(int bytes) {
    HttpResponse<String> refused = http.post(ENTERPRISE, operator, body("x".repeat(bytes)));
    assertEquals(400, refused.statusCode());
    assertTrue(refused.body().contains("longer than 512 bytes"), refused.body());
    assertTrue(refused.body().contains(Integer.toString(bytes)), refused.body());
    assertEquals(
        201, http.post(ENTERPRISE, operator, body("y".repeat(508) + bytes % 1_000)).statusCode());
  }

  /** One letter or symbol of each plane that has any, and its neighbours. */
  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
  void namesOfEveryPlaneAreTakenWholeOrRefusedWithTheRule(int plane) {
    Random random = new Random(plane);
    for (int i = 0; i < 20; i++) {
      int codePoint = plane * 0x10000 + random.nextInt(0x10000);
      String name = "plane" + plane + "-" + i + new String(Character.toChars(codePoint));
      HttpResponse<String> answer = http.post(ENTERPRISE, operator, body(name));
      boolean allowed =
          !Character.isISOControl(codePoint)
              && Character.getType(codePoint) != Character.SURROGATE
              && Normalizer.isNormalized(name, Normalizer.Form.NFC);
      String shown = Integer.toHexString(codePoint) + ": " + answer.body();
      assertEquals(allowed ? 201 : 400, answer.statusCode(), shown);
      if (allowed) {
        assertEquals(name, HttpProbe.json(answer).path("name").asString());
        String encoded = java.net.URLEncoder.encode(name, StandardCharsets.UTF_8);
        assertEquals(200, http.delete(encoded, operator).statusCode(), shown);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      nullValues = "-",
      value = {
        "Bearer|400|header was malformed",
        "bearer x|400|header was malformed",
        "BEARER x|400|header was malformed",
        "Bearer  x|400|header was malformed",
        "Bearer x y|400|header was malformed",
        "Digest x|400|header was malformed",
        "Basic !!!|400|header was malformed",
        "Basic bm9jb2xvbg==|400|header was malformed",
        "Basic YTpiOmM=|400|header was malformed",
        "Basic YTpi|401|the request was not authenticated",
        "Bearer apiv3_|401|the request was not authenticated",
        "Token x|401|the request was not authenticated",
        "Bearer ' OR 1=1 --|400|header was malformed",
        "x|400|header was malformed"
      })
  void aBrokenAuthorizationIsTold(String header, int status, String expected) {
    HttpResponse<String> answer =
        http.send(http.request("/health").header("Authorization", header));
    assertEquals(status, answer.statusCode(), answer.body());
    assertTrue(answer.body().contains(expected), answer.body());
  }

  @ParameterizedTest
  @CsvSource({
    "text/plain,415",
    "application/x-www-form-urlencoded,415",
    "application/jsonp,415",
    "application/xml+json,201",
    "application/json;charset=utf-8,201",
    "APPLICATION/JSON,201",
    "json,415"
  })
  void theBodyMustSayThatItIsJson(String type, int status) {
    HttpResponse<String> answer =
        http.send(
            http.request(ENTERPRISE)
                .header("Authorization", "Bearer " + operator)
                .header("Content-Type", type)
                .POST(BodyPublishers.ofString(body("typed " + type))));
    assertEquals(status, answer.statusCode(), answer.body());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "Ledger-Reason|%ff%|percent-encoded UTF-8",
        "Ledger-Ticket|%zz|percent-encoded UTF-8",
        "Idempotency-Key|short|22 to 255 visible ASCII characters"
      })
  void aBrokenHeaderIsNamed(String header, String value, String expected) {
    HttpResponse<String> answer =
        http.send(
            http.request(ENTERPRISE)
                .header("Authorization", "Bearer " + operator)
                .header("Content-Type", "application/json")
                .header(header, value)
                .POST(BodyPublishers.ofString(body("header " + header))));
    assertEquals(400, answer.statusCode(), answer.body());
    assertTrue(answer.body().contains(header), answer.body());
    assertTrue(answer.body().contains(expected), answer.body());
  }

  @Test
  void tooLongAReasonIsRefused() {
    HttpResponse<String> answer =
        http.send(
            http.request(ENTERPRISE)
                .header("Authorization", "Bearer " + operator)
                .header("Content-Type", "application/json")
                .header("Ledger-Reason", "x".repeat(1_025))
                .POST(BodyPublishers.ofString(body("reason"))));
    assertEquals(400, answer.statusCode(), answer.body());
  }

  /** What no HTTP library would send. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "GET / HTTP/9.9\r\n\r\n",
        "NONSENSE\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /api/v1/check HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /api/v1/check HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        "POST /api/v1/check HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: x\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \u00e4\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: x\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n"
      })
  void brokenHttpNeverGetsASuccessOrA500(String request) throws IOException {
    URI url = URI.create(server.url());
    try (Socket socket = new Socket(url.getHost(), url.getPort())) {
      socket.setSoTimeout(10_000);
      OutputStream out = socket.getOutputStream();
      out.write(request.getBytes(StandardCharsets.ISO_8859_1));
      out.flush();
      String status =
          new BufferedReader(
                  new InputStreamReader(socket.getInputStream(), StandardCharsets.ISO_8859_1))
              .readLine();
      assertTrue(status != null && status.matches("HTTP/1\\.1 [45]0[0-9].*"), status);
      assertFalse(status.startsWith("HTTP/1.1 500"), status);
    }
  }

  private static final List<String> PARSERS = List.of("permission", "expiry", "name", "sql");

  private static final String[] PIECES = {
    "db",
    ":",
    ",",
    "*",
    "read",
    "write",
    "a",
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "0",
    "-1",
    "1e9",
    "\u0000",
    "\u00e9",
    "\ud83d\ude00",
    "\u202e",
    "'",
    ";",
    "--",
    "SELECT",
    "FROM",
    "system.tokens",
    "(",
    ")",
    " ",
    "\n",
    "NULL",
    "%",
    "_",
    "$1",
    "::",
    "||",
    "9".repeat(30)
  };

  /** Four readers of callers' text, each given random pieces. */
  @Test
  void randomTextNeverGetsA500() {
    Random random = new Random(20261124);
    for (int i = 0; i < 400; i++) {
      assertAnswered(random, PARSERS.get(i % PARSERS.size()));
    }
  }

  /** The same with another beginning each time, which the failure names. */
  @Test
  @Tag("long")
  void aMinuteOfRandomTextNeverGetsA500() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    Instant end = Instant.now().plusSeconds(60);
    int texts = 0;
    try {
      while (Instant.now().isBefore(end)) {
        assertAnswered(random, PARSERS.get(texts++ % PARSERS.size()));
      }
    } catch (AssertionError e) {
      throw new AssertionError("seed " + seed + ", text " + texts, e);
    }
    assertTrue(texts > 1_000, "texts: " + texts);
  }

  private static void assertAnswered(Random random, String parser) {
    StringBuilder text = new StringBuilder();
    for (int length = random.nextInt(8); length >= 0; length--) {
      text.append(PIECES[random.nextInt(PIECES.length)]);
    }
    String quoted = JsonMapper.shared().writeValueAsString(text.toString());
    HttpResponse<String> answer =
        switch (parser) {
          case "permission" ->
              http.post(
                  ENTERPRISE,
                  operator,
                  "{\"token_name\":\"fuzz\",\"permissions\":[{\"resource_type\":\"db\","
                      + "\"resource_names\":["
                      + quoted
                      + "],\"actions\":["
                      + quoted
                      + "]}]}");
          case "expiry" ->
              http.post(
                  ENTERPRISE,
                  operator,
                  "{\"token_name\":\"fuzz\",\"expiry_secs\":" + text + "," + GRANT + "}");
          case "name" -> http.post(ENTERPRISE, operator, body(text.toString()));
          default ->
              http.post(
                  SqlRoutes.QUERY_SQL,
                  operator,
                  "{\"db\":\"_internal\",\"q\":"
                      + JsonMapper.shared().writeValueAsString("SELECT " + text)
                      + "}");
        };
    assertTrue(
        answer.statusCode() < 500 && answer.statusCode() != 408,
        () -> parser + " " + quoted + " -> " + answer.statusCode() + " " + answer.body());
  }
}

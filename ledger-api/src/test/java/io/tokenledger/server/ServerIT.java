package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ServerIT {

  private static final String ENTERPRISE = "/api/v3/enterprise/configure/token";
  private static final AtomicInteger NAMES = new AtomicInteger();

  @TempDir static Path data;
  private static Server server;
  private static HttpProbe http;
  private static String operator;

  @BeforeAll
  static void start() {
    server = Server.start(options(data, Map.of()));
    http = new HttpProbe(server.url());
    HttpResponse<String> made = http.bootstrap();
    assertEquals(201, made.statusCode());
    operator = HttpProbe.json(made).path("token").asString();
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  static ServeOptions options(Path data, Map<String, String> environment) {
    Map<String, String> all = new java.util.HashMap<>(environment);
    all.putIfAbsent("LEDGER_HTTP_BIND", "127.0.0.1:0");
    all.putIfAbsent("LEDGER_DATA_DIR", data.toString());
    return new ServeCommand(all).options();
  }

  private static String newName() {
    return "t" + NAMES.incrementAndGet();
  }

  private static String body(String name, String permission) {
    return "{\"token_name\":\"" + name + "\",\"permissions\":[" + permission + "]}";
  }

  private static final String READ_A =
      "{\"resource_type\":\"db\",\"resource_names\":[\"a\"],\"actions\":[\"read\"]}";

  @Test
  void aCreationAnswersInInfluxDbsFormAndFieldOrder() {
    HttpResponse<String> made =
        http.post(
            ENTERPRISE,
            operator,
            "{\"token_name\":\"form\",\"type\":\"resource\",\"expiry_secs\":300000,"
                + "\"permissions\":["
                + READ_A
                + "]}");
    assertEquals(201, made.statusCode());
    assertTrue(
        made.body()
            .matches(
                "\\{\"id\":\\d+,\"name\":\"form\",\"token\":\"apiv3_[A-Za-z0-9_-]{86}\","
                    + "\"hash\":\"[0-9a-f]{128}\",\"created_at\":\"[0-9T:.-]+Z\","
                    + "\"expiry\":\"[0-9T:.-]+Z\"}"),
        made.body());
    assertEquals("application/json", made.headers().firstValue("content-type").orElse(""));
    assertEquals("*", made.headers().firstValue("access-control-allow-origin").orElse(""));
    assertTrue(made.headers().firstValue("cluster-uuid").isPresent());
    JsonNode json = HttpProbe.json(made);
    assertEquals(
        Duration.ofSeconds(300_000),
        Duration.between(
            Instant.parse(json.path("created_at").asString()),
            Instant.parse(json.path("expiry").asString())));
  }

  @Test
  void theOlderFieldNameAndTheOlderPathWorkToo() {
    String older = READ_A.replace("resource_names", "resource_identifier");
    assertEquals(201, http.post(ENTERPRISE, operator, body(newName(), older)).statusCode());
    assertEquals(
        201, http.post("/api/v3/configure/token", operator, body(newName(), READ_A)).statusCode());
  }

  @Test
  void aTakenNameIsAConflictUntilItIsRevokedAndThenHasANewId() {
    String name = newName();
    JsonNode first = HttpProbe.json(http.post(ENTERPRISE, operator, body(name, READ_A)));
    HttpResponse<String> second = http.post(ENTERPRISE, operator, body(name, READ_A));
    assertEquals(409, second.statusCode());
    assertEquals("token name already exists, " + name, second.body());

    HttpResponse<String> revoked = http.delete(name, operator);
    assertEquals(200, revoked.statusCode());
    assertEquals("", revoked.body());
    assertEquals(401, http.get("/health", first.path("token").asString()).statusCode());

    JsonNode third = HttpProbe.json(http.post(ENTERPRISE, operator, body(name, READ_A)));
    assertTrue(third.path("id").asLong() > first.path("id").asLong());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{} | serde json error: missing field `token_name` at line 1 column 2",
        "{\"token_name\":\"x\"} | serde json error: missing field `permissions` at line 1 column 18",
        "{\"token_name\":\"x\",\"permissions\":[{\"resource_type\":\"db\",\"actions\":[\"read\"]}]}"
            + " | serde json error: missing field `resource_names` at line 1 column 74",
        "'' | serde json error: EOF while parsing a value at line 1 column 0",
        "{\"token_name\":1,\"permissions\":[]} | serde json error: invalid type: `token_name` must be"
            + " a string",
        "{\"token_name\":\"x\",\"permissions\":[\"db:a:read\"]} | serde json error: invalid type:"
            + " `permissions` must be an array of objects",
        "{\"token_name\":\"x\",\"token_name\":\"y\",\"permissions\":[]} | serde json error: duplicate"
            + " field `token_name` at line 1 column 19",
        "{\"token_name\":\"x\",\"permissions\":[]} | cannot parse token permission, permissions must"
            + " hold at least one permission"
      })
  void aBrokenBodyIsRefusedNamingFieldAndPlace(String body, String text) {
    HttpResponse<String> answer = http.post(ENTERPRISE, operator, body);
    assertEquals(400, answer.statusCode());
    assertEquals(text, answer.body());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"0", "-1", "1.5", "\"7\"", "99999999999999999999", "9223372036854775807", "true"})
  void anExpiryThatIsNoneIsRefusedAndNeverTakenForNoExpiry(String expiry) {
    String name = newName();
    HttpResponse<String> answer =
        http.post(
            ENTERPRISE,
            operator,
            "{\"token_name\":\""
                + name
                + "\",\"expiry_secs\":"
                + expiry
                + ",\"permissions\":["
                + READ_A
                + "]}");
    assertEquals(400, answer.statusCode(), answer.body());
    assertTrue(answer.body().contains("expiry_secs"), answer.body());
    assertEquals(404, http.delete(name, operator).statusCode());
  }

  @ParameterizedTest
  @CsvSource({
    "Bearer, 400",
    "bearer T, 400",
    "Bearer  T, 400",
    "Bearer T x, 400",
    "Digest T, 400",
    "Basic ???, 400",
    "Basic bm9jb2xvbg==, 400",
    "Basic YTpiOmM=, 400",
    "Bearer unknown, 401",
    "Token unknown, 401"
  })
  void credentialsAreReadAsInfluxDbReadsThem(String header, int status) {
    HttpResponse<String> answer = http.send(http.request("/nope").header("Authorization", header));
    assertEquals(status, answer.statusCode());
    assertEquals(
        status == 400 ? Rejection.MALFORMED_HEADER : Rejection.NOT_AUTHENTICATED, answer.body());
    assertEquals("application/json", answer.headers().firstValue("content-type").orElse(""));
  }

  @Test
  void allThreeSchemesWorkEverywhereAndThePasswordParameterOnTwoPaths() {
    String basic =
        Base64.getEncoder()
            .encodeToString(("user:" + operator).getBytes(StandardCharsets.US_ASCII));
    for (String header : List.of("Bearer " + operator, "Token " + operator, "Basic " + basic)) {
      assertEquals(
          200,
          http.send(http.request("/health").header("Authorization", header)).statusCode(),
          "a valid header");
    }
    assertEquals(404, http.send(http.request("/query?p=" + operator)).statusCode());
    assertEquals(401, http.send(http.request("/query?p=x&q=1")).statusCode());
    assertEquals(401, http.send(http.request("/health?p=" + operator)).statusCode());
    assertEquals(
        401, http.send(http.request("/query?p=" + operator + "&p=" + operator)).statusCode());
  }

  @Test
  void anAuthorizationThatIsNotVisibleAsciiOrComesTwiceIsMalformed() {
    String umlaut =
        new String("Bearer ü".getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    for (String headers :
        List.of(
            "Authorization: " + umlaut,
            "Authorization: Bearer " + operator + "\r\nAuthorization: Bearer " + operator)) {
      String answer = http.raw("GET /health HTTP/1.1\r\n" + headers);
      assertTrue(answer.startsWith("HTTP/1.1 400 "), answer);
      assertTrue(answer.contains(Rejection.MALFORMED_HEADER), answer);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "/api/v1/audit/events?since=%zz, since is not percent-encoded UTF-8",
    "/api/v1/audit/events?actor=%c3%28, actor is not percent-encoded UTF-8",
    "/api/v1/audit/events?actor=a&x=%4, x is not percent-encoded UTF-8",
    "/api/v1/tokens?name=%ff, name is not percent-encoded UTF-8",
    "/api/v3/query_sql?db=_internal&q=%zz, q is not percent-encoded UTF-8",
    "/nope?%zz=1, the name of a query parameter is not percent-encoded UTF-8",
    "/api/v1/audit/events?=1, the query holds parameters that cannot be read"
  })
  void aQueryThatIsWronglyEncodedIsRefusedNamingTheParameter(String path, String text) {
    String answer = http.raw("GET " + path + " HTTP/1.1\r\nAuthorization: Bearer " + operator);
    assertTrue(answer.startsWith("HTTP/1.1 400 "), answer);
    assertTrue(answer.endsWith("{\"error\":\"" + text + "\"}"), answer);
  }

  @Test
  void aQueryOfMoreParametersThanAreReadIsRefused() {
    HttpResponse<String> answer =
        http.get("/api/v1/audit/events?" + "a=1&".repeat(1_500), operator);
    assertEquals(400, answer.statusCode(), answer.body());
  }

  @ParameterizedTest
  @CsvSource({
    "GET /a%2fb HTTP/1.1, 400",
    "GET /api/%zz HTTP/1.1, 400",
    "GET /[x] HTTP/1.1, 400",
    "GET /api/v3/%c3%28 HTTP/1.1, 400",
    "GET /../x HTTP/1.1, 400",
    "TRACE / HTTP/1.1, 405",
    "TRACE /health HTTP/1.1, 405",
    "GET / HTTP/9.9, 505",
    "GE(T / HTTP/1.1, 400"
  })
  void whatTheServerRefusesBeforeAuthenticationIsAnsweredInJsonToo(String line, int status) {
    String answer = http.raw(line);
    assertTrue(answer.startsWith("HTTP/1.1 " + status), answer);
    assertTrue(answer.contains("Content-Type: application/json"), answer);
    assertTrue(answer.contains("{\"error\":"), answer);
    assertFalse(answer.toLowerCase(java.util.Locale.ROOT).contains("<html"), answer);
  }

  @Test
  void authenticationComesBeforeRouting() {
    HttpResponse<String> anonymous = http.send(http.request("/nope"));
    assertEquals(401, anonymous.statusCode());
    assertEquals(Rejection.NOT_AUTHENTICATED, anonymous.body());
    HttpResponse<String> known = http.get("/nope", operator);
    assertEquals(404, known.statusCode());
    assertEquals("Not found", known.body());
    assertEquals(
        404,
        http.send(
                http.request("/ping")
                    .header("Authorization", "Bearer " + operator)
                    .method("HEAD", BodyPublishers.noBody()))
            .statusCode());
  }

  @Test
  void preflightsAreAnsweredToAnyone() {
    HttpResponse<String> answer =
        http.send(http.request("/any/path").method("OPTIONS", BodyPublishers.noBody()));
    assertEquals(204, answer.statusCode());
    assertEquals("*", answer.headers().firstValue("access-control-allow-origin").orElse(""));
    assertEquals("86400", answer.headers().firstValue("access-control-max-age").orElse(""));
  }

  @Test
  void onlyJsonIsReadAndNotMoreThanTenMebibytes() {
    HttpResponse<String> form =
        http.send(
            http.request(ENTERPRISE)
                .header("Authorization", "Bearer " + operator)
                .header("Content-Type", "text/plain")
                .POST(BodyPublishers.ofString("{}")));
    assertEquals(415, form.statusCode());
    assertEquals("unacceptable content-type, expected: application/json", form.body());
    HttpResponse<String> large = http.post(ENTERPRISE, operator, " ".repeat(10 * 1024 * 1024 + 1));
    assertEquals(413, large.statusCode());
    assertEquals("max request size (10485760 bytes) exceeded", large.body());
  }

  @Test
  void theFirstOperatorIsMadeOnThisMachineAndOnlyOnce(@TempDir Path fresh) {
    HttpResponse<String> again = http.bootstrap();
    assertEquals(409, again.statusCode());
    assertEquals("token name already exists, _admin", again.body());
    try (Server other = Server.start(options(fresh, Map.of()))) {
      HttpProbe probe = new HttpProbe(other.url());
      for (String header :
          List.of(
              "Origin", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Via")) {
        HttpResponse<String> refused =
            probe.send(
                probe
                    .request(TokenRoutes.BOOTSTRAP)
                    .header(header, "x")
                    .POST(BodyPublishers.noBody()));
        assertEquals(403, refused.statusCode(), header);
      }
      HttpResponse<String> made = probe.bootstrap();
      assertEquals(201, made.statusCode());
      assertTrue(made.headers().firstValue("access-control-allow-origin").isEmpty());
      assertEquals(0, HttpProbe.json(made).path("id").asLong());
      String trail =
          probe.get("/api/v1/audit/events", HttpProbe.json(made).path("token").asString()).body();
      assertTrue(trail.contains("OperatorTokenCreated") && trail.contains("remote_bootstrap"));
    }
  }

  @Test
  void anAuditorReadsTheHistoryAndIsRefusedEveryTokenCommand() {
    String auditor = http.create(operator, newName(), "ledger", "audit", "read");
    assertEquals(200, http.get("/api/v1/audit/events", auditor).statusCode());
    for (HttpResponse<String> refused :
        List.of(
            http.post(ENTERPRISE, auditor, body(newName(), READ_A)),
            http.post(TokenRoutes.NAMED_ADMIN, auditor, "{\"token_name\":\"x\"}"),
            http.post(TokenRoutes.REGENERATE, auditor, ""),
            http.delete("x", auditor))) {
      assertEquals(403, refused.statusCode());
      assertEquals(Rejection.NOT_PERMITTED, refused.body());
    }
    String writer = http.create(operator, newName(), "db", "*", "read", "write");
    assertEquals(403, http.get("/api/v1/audit/events", writer).statusCode());
  }

  @Test
  void aDeniedCommandIsFoundByWhatWasAskedAndOfWhichToken() {
    String auditor = http.create(operator, newName(), "ledger", "audit", "read");
    String name = newName();
    HttpResponse<String> made = http.post(ENTERPRISE, operator, body(name, READ_A));
    long id = HttpProbe.json(made).path("id").asLong();
    String one = LifecycleRoutes.TOKENS + "/" + id;
    http.post(ENTERPRISE, auditor, body(name, READ_A));
    http.post(TokenRoutes.NAMED_ADMIN, auditor, "{\"token_name\":\"" + name + "\"}");
    http.delete(name, auditor);
    for (String verb : List.of("rotate", "suspend", "resume")) {
      http.post(one + "/" + verb, auditor, "{}");
    }
    for (String what : List.of("description", "expiry", "permissions")) {
      http.send(
          http.request(one + "/" + what)
              .header("Authorization", "Bearer " + auditor)
              .PUT(BodyPublishers.noBody()));
    }
    // Both creations are of one kind: the second is counted with the first.
    List.of(
            "token.create",
            "token.revoke",
            "token.rotate",
            "token.suspend",
            "token.resume",
            "token.describe",
            "token.change_expiry",
            "token.change_permissions")
        .forEach(
            action -> {
              JsonNode denied =
                  HttpProbe.json(
                          http.get(
                              "/api/v1/audit/events?outcome=denied&action="
                                  + action
                                  + "&token="
                                  + name,
                              operator))
                      .path("events");
              assertEquals(1, denied.size(), action);
              assertEquals("AccessDenied", denied.get(0).path("event_type").asString());
              assertEquals(name, denied.get(0).path("target").path("name").asString());
            });
  }

  @ParameterizedTest
  @CsvSource({
    "9223372036854775808, got 9223372036854775808;",
    "-9223372036854775809, got -9223372036854775809;",
    "123456789012345678901234567890123456789012345678901234567890,"
        + " got 1234567890123456789012345678901234567890... (60 characters);"
  })
  void anExpiryThatDoesNotFitIsRefusedAsItWasSent(String seconds, String text) {
    HttpResponse<String> answer =
        http.post(
            TokenRoutes.NAMED_ADMIN,
            operator,
            "{\"token_name\":\"" + newName() + "\",\"expiry_secs\":" + seconds + "}");
    assertEquals(400, answer.statusCode());
    assertTrue(answer.body().contains(text), answer.body());
  }

  @ParameterizedTest
  @CsvSource({
    "token-ledger-cli/0.1.0, cli/0.1.0",
    "token-ledger-cli/, rest",
    "token-ledger-cli/0.1.0 (x), rest",
    "curl/8, rest"
  })
  void theClientsVersionIsRecorded(String agent, String client) {
    String name = newName();
    http.send(
        http.request(TokenRoutes.NAMED_ADMIN)
            .header("Authorization", "Bearer " + operator)
            .header("Content-Type", "application/json")
            .header("User-Agent", agent)
            .POST(BodyPublishers.ofString("{\"token_name\":\"" + name + "\"}")));
    assertEquals(
        client,
        HttpProbe.json(http.get("/api/v1/audit/events?token=" + name, operator))
            .path("events")
            .get(0)
            .path("envelope")
            .path("source")
            .path("client")
            .asString());
  }

  @Test
  void aNamedAdminDoesEverythingButTouchTheOperator() {
    HttpResponse<String> made =
        http.post(TokenRoutes.NAMED_ADMIN, operator, "{\"token_name\":\"" + newName() + "\"}");
    assertEquals(201, made.statusCode());
    String admin = HttpProbe.json(made).path("token").asString();
    assertEquals(201, http.post(ENTERPRISE, admin, body(newName(), READ_A)).statusCode());
    assertEquals(403, http.post(TokenRoutes.REGENERATE, admin, "").statusCode());
    HttpResponse<String> deletion = http.delete("_admin", admin);
    assertEquals(405, deletion.statusCode());
    assertEquals("cannot delete operator token", deletion.body());
    HttpResponse<String> missing = http.delete("", admin);
    assertEquals(400, missing.statusCode());
    assertEquals(
        "serde error: missing field `token_name`",
        http.send(
                http.request("/api/v3/configure/token")
                    .header("Authorization", "Bearer " + admin)
                    .DELETE())
            .body());
    HttpResponse<String> unknown = http.delete("nobody", admin);
    assertEquals(404, unknown.statusCode());
    assertEquals("the requested resource was not found: nobody", unknown.body());
  }

  @Test
  void probesNeedTheirOwnPermission() {
    String health = http.create(operator, newName(), "system", "health", "read");
    assertEquals(200, http.get("/health", health).statusCode());
    assertEquals("OK", http.get("/api/v1/health", health).body());
    assertEquals(403, http.get("/ping", health).statusCode());
    assertEquals(403, http.get("/metrics", health).statusCode());
    assertEquals(401, http.send(http.request("/health")).statusCode());
    assertTrue(http.get("/metrics", operator).body().contains("jvm_memory_used_bytes"));
    assertTrue(HttpProbe.json(http.get("/ping", operator)).has("version"));
  }

  @Test
  void aCheckNamesTokenEntryAndReason() {
    String name = newName();
    String reader = http.create(operator, name, "db", "metrics", "read");
    String ask =
        "{\"token\":\""
            + reader
            + "\",\"resource_type\":\"db\",\"resource_name\":\"metrics\",\"action\":\"%s\"}";
    JsonNode yes = HttpProbe.json(http.post("/api/v1/check", operator, ask.formatted("read")));
    assertTrue(yes.path("allowed").asBoolean());
    assertEquals("granted", yes.path("reason").asString());
    assertEquals(name, yes.path("token_name").asString());
    assertEquals("db:metrics:read", yes.path("entry").asString());
    JsonNode no = HttpProbe.json(http.post("/api/v1/check", operator, ask.formatted("write")));
    assertFalse(no.path("allowed").asBoolean());
    assertEquals("not_granted", no.path("reason").asString());
    http.delete(name, operator);
    JsonNode gone = HttpProbe.json(http.post("/api/v1/check", operator, ask.formatted("read")));
    assertEquals("revoked_token", gone.path("reason").asString());
    assertEquals(
        403,
        http.post(
                "/api/v1/check",
                http.create(operator, newName(), "db", "a", "read"),
                ask.formatted("read"))
            .statusCode());
  }

  @Test
  void aCheckThatIsAllowedIsNoEvent() {
    String reader = http.create(operator, newName(), "db", "metrics", "read");
    long before = newestLeaf();
    JsonNode self =
        HttpProbe.json(
            http.post(
                "/api/v1/check",
                reader,
                "{\"resource_type\":\"db\",\"resource_name\":\"metrics\",\"action\":\"read\"}"));
    assertTrue(self.path("allowed").asBoolean(), "a token may ask about itself");
    assertEquals(before, newestLeaf());
  }

  /** The mutating routes; a new one that is not here fails the comparison with the document. */
  @Test
  void everyMutatingRouteLeavesAnEventWhenItWorksAndWhenItIsRefused() {
    String nobody = http.create(operator, newName(), "db", "a", "read");
    // Of its own: repeats of another test's refusals would only be counted.
    String admin =
        HttpProbe.json(
                http.post(
                    TokenRoutes.NAMED_ADMIN, operator, "{\"token_name\":\"" + newName() + "\"}"))
            .path("token")
            .asString();
    List<Runnable> requests =
        List.of(
            () -> http.post(TokenRoutes.REGENERATE, nobody, ""),
            () ->
                http.post(TokenRoutes.NAMED_ADMIN, admin, "{\"token_name\":\"" + newName() + "\"}"),
            // Names of their own: repeats of one kind would only be counted.
            () ->
                http.post(
                    TokenRoutes.NAMED_ADMIN, nobody, "{\"token_name\":\"" + newName() + "\"}"),
            () -> http.post(ENTERPRISE, admin, body(newName(), READ_A)),
            () -> http.post(ENTERPRISE, nobody, body(newName(), READ_A)),
            () -> http.post(ENTERPRISE, admin, "{"),
            () -> http.post(TokenRoutes.TOKEN, admin, body(newName(), READ_A)),
            () -> http.post(TokenRoutes.TOKEN, nobody, "{}"),
            () -> http.delete("nobody" + newName(), admin),
            () -> http.delete("x", nobody));
    long before = newestLeaf();
    for (Runnable request : requests) {
      request.run();
      long after = newestLeaf();
      assertTrue(after > before, "request " + requests.indexOf(request));
      before = after;
    }
  }

  /** The newest event that is no read of the audit: asking for it here is one. */
  private static long newestLeaf() {
    for (JsonNode event :
        HttpProbe.json(http.get("/api/v1/audit/events?limit=1000", operator)).path("events")) {
      if (!event.path("event_type").asString().equals("AuditLogRead")) {
        return event.path("leaf_index").asLong();
      }
    }
    throw new AssertionError("only reads among the last thousand events");
  }

  @Test
  void theAuditSaysWhoWhyAndFromWhereAndHoldsNoSecret() {
    String name = newName();
    HttpResponse<String> made =
        http.send(
            http.request(ENTERPRISE)
                .header("Authorization", "Bearer " + operator)
                .header("Content-Type", "application/json")
                .header("Ledger-Reason", "gr%C3%B6%C3%9Fe " + operator)
                .header("Ledger-Ticket", "CHG-9")
                .header("Ledger-On-Behalf-Of", "Alice")
                .header("X-Request-Id", "my-request")
                .header("X-Forwarded-For", "198.51.100.9")
                .POST(BodyPublishers.ofString(body(name, READ_A))));
    String secret = HttpProbe.json(made).path("token").asString();
    HttpResponse<String> page = http.get("/api/v1/audit/events?token=" + name, operator);
    JsonNode event = HttpProbe.json(page).path("events").get(0);
    JsonNode envelope = event.path("envelope");
    assertEquals("_admin", event.path("actor").path("name").asString());
    assertEquals("my-request", event.path("request_id").asString());
    assertEquals("größe apiv3_***", envelope.path("reason").asString());
    assertEquals("Alice", envelope.path("on_behalf_of").asString());
    assertEquals("127.0.0.1", envelope.path("source").path("ip").asString());
    assertEquals("198.51.100.9", envelope.path("source").path("forwarded_for").asString());
    assertFalse(envelope.path("source").path("forwarded_trusted").asBoolean());
    String everything = http.get("/api/v1/audit/events?limit=1000", operator).body();
    assertFalse(everything.contains(secret));
    assertFalse(everything.contains(operator));
  }

  @Test
  void reasonsMayBePlainUtf8AndWhatIsNotIsRefused() {
    String line = "POST " + TokenRoutes.REGENERATE + "x HTTP/1.1\r\nLedger-Reason: ";
    for (String bad : List.of("\u00ff", "%ff", "%c3%28", "%zz", "50% done")) {
      String answer = http.raw(line + bad);
      assertTrue(answer.startsWith("HTTP/1.1 400 "), answer);
      assertTrue(answer.contains("Ledger-Reason must be plain or percent-encoded UTF-8"), answer);
    }
    String name = newName();
    String plain =
        new String("größe + 1".getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    assertTrue(
        http.raw(
                "DELETE /api/v3/configure/token?token_name="
                    + name
                    + " HTTP/1.1\r\nAuthorization: Bearer "
                    + operator
                    + "\r\nLedger-Reason: "
                    + plain)
            .startsWith("HTTP/1.1 404 "));
    JsonNode event =
        HttpProbe.json(http.get("/api/v1/audit/events?token=" + name, operator))
            .path("events")
            .get(0);
    assertEquals("größe + 1", event.path("envelope").path("reason").asString());
  }

  @Test
  void auditPagesAreCompleteAndBadQueriesNameTheParameter() {
    List<Long> leaves = new ArrayList<>();
    String cursor = "";
    do {
      JsonNode page = HttpProbe.json(http.get("/api/v1/audit/events?limit=3" + cursor, operator));
      page.path("events").forEach(event -> leaves.add(event.path("leaf_index").asLong()));
      cursor =
          page.path("next_cursor").isString()
              ? "&cursor=" + page.path("next_cursor").asString()
              : "";
    } while (!cursor.isEmpty());
    for (int i = 0; i < leaves.size(); i++) {
      assertEquals(leaves.size() - 1 - i, leaves.get(i));
    }
    for (String bad : List.of("limit=0", "limit=x", "since=yesterday", "outcome=bad", "cursor=a")) {
      HttpResponse<String> answer = http.get("/api/v1/audit/events?" + bad, operator);
      assertEquals(400, answer.statusCode());
      assertTrue(answer.body().contains(bad.substring(0, bad.indexOf('='))), answer.body());
    }
  }

  @Test
  void replayOverHttpReportsProgressAndTheResult() {
    String[] lines = http.post("/api/v1/replay/verify", operator, "").body().strip().split("\n");
    assertTrue(lines[0].contains("\"type\":\"progress\""), lines[0]);
    assertTrue(lines[lines.length - 1].contains("\"equal\":true"), lines[lines.length - 1]);
    String[] swap = http.post("/api/v1/replay/swap", operator, "").body().strip().split("\n");
    JsonNode exchange = JsonMapper.shared().readTree(swap[swap.length - 1]);
    assertTrue(exchange.path("swapped").asBoolean(), exchange.toString());
    assertTrue(exchange.path("position").asString().matches("[0-9]+-[0-9]+"), exchange.toString());
  }

  @Test
  void theDocumentListsExactlyTheRoutes() throws IOException {
    JsonNode paths = HttpProbe.json(http.send(http.request("/openapi.json"))).path("paths");
    List<String> documented = new ArrayList<>();
    paths
        .properties()
        .forEach(
            path ->
                path.getValue()
                    .propertyNames()
                    .forEach(method -> documented.add(method.toUpperCase() + " " + path.getKey())));
    assertTrue(documented.size() > 20);
    assertEquals(TestServer.routes(), documented.stream().sorted().toList());
  }

  @Test
  void everyRouteThatTakesJsonDocumentsHowABodyIsRefusedAndRefusesItSo() {
    JsonNode paths = HttpProbe.json(http.send(http.request("/openapi.json"))).path("paths");
    List<String> tried = new ArrayList<>();
    for (var path : paths.properties()) {
      for (var method : path.getValue().properties()) {
        JsonNode operation = method.getValue();
        if (!operation.has("requestBody")) {
          continue;
        }
        String route = method.getKey().toUpperCase(Locale.ROOT) + " " + path.getKey();
        List<String> refusals = new ArrayList<>(List.of("400", "413", "415"));
        if (!operation.path("security").isArray()) {
          refusals.addAll(List.of("401", "403", "503"));
        }
        refusals.forEach(
            status -> assertTrue(operation.path("responses").has(status), route + " " + status));
        HttpResponse<String> answer =
            http.send(
                http.request(path.getKey().replace("{id}", "1"))
                    .header("Authorization", "Bearer " + operator)
                    .header("Content-Type", "text/plain")
                    .method(
                        method.getKey().toUpperCase(Locale.ROOT), BodyPublishers.ofString("{}")));
        assertEquals(415, answer.statusCode(), route);
        tried.add(route);
      }
    }
    assertTrue(tried.size() > 10, tried.toString());
    assertTrue(paths.path(TokenRoutes.BOOTSTRAP).path("post").path("responses").has("400"));
  }
}

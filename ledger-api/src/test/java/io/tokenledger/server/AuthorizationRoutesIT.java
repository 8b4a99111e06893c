package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.token.SecretHash;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class AuthorizationRoutesIT {

  private static final String POSITION = "[0-9]+-[0-9]+";

  private static Server server;
  private static HttpProbe http;
  private static String operator;

  @BeforeAll
  static void start(@TempDir Path data) {
    server = Server.start(ServerIT.options(data, Map.of()));
    http = new HttpProbe(server.url());
    operator = HttpProbe.json(http.bootstrap()).path("token").asString();
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static String position(HttpResponse<String> answer) {
    return answer.headers().firstValue("X-Ledger-Position").orElse("");
  }

  private static String kept(HttpResponse<String> answer) {
    return answer.headers().firstValue("Cache-Control").orElse("");
  }

  private static String question(String token, String action, String more) {
    return "{\"token\":\""
        + token
        + "\",\"resource_type\":\"db\",\"resource_name\":\"a\",\"action\":\""
        + action
        + "\""
        + more
        + "}";
  }

  private static HttpResponse<String> checked(String body) {
    return http.post(CheckRoutes.CHECK, operator, body);
  }

  private static HttpResponse<String> revoked(String name, String prefer) {
    return http.send(
        http.request("/api/v3/configure/token?token_name=" + name)
            .header("Authorization", "Bearer " + operator)
            .header("Prefer", prefer)
            .DELETE());
  }

  @Test
  void everyWriteSaysWhereItStandsAndACheckWaitsForIt() {
    HttpResponse<String> made =
        http.post(
            "/api/v3/enterprise/configure/token",
            operator,
            "{\"token_name\":\"placed\",\"permissions\":[{\"resource_type\":\"db\","
                + "\"resource_names\":[\"a\"],\"actions\":[\"read\"]}]}");
    String secret = HttpProbe.json(made).path("token").asString();
    long id = HttpProbe.json(made).path("id").asLong();
    assertTrue(position(made).matches(POSITION), position(made));
    assertTrue(
        HttpProbe.json(
                checked(question(secret, "read", ",\"min_position\":\"" + position(made) + "\"")))
            .path("allowed")
            .asBoolean());
    HttpResponse<String> suspended =
        http.post(LifecycleRoutes.TOKENS + "/" + id + "/suspend", operator, "");
    assertTrue(position(suspended).matches(POSITION), position(suspended));
    assertEquals(
        "suspended_token",
        HttpProbe.json(
                checked(
                    question(secret, "read", ",\"min_position\":\"" + position(suspended) + "\"")))
            .path("reason")
            .asString());
    HttpResponse<String> ended = http.delete("placed", operator);
    assertTrue(position(ended).matches(POSITION), position(ended));
    assertEquals("", position(http.get(LifecycleRoutes.TOKENS, operator)));
  }

  @Test
  void whoIsRevokedBeforeItsBodyEndsMayDoNothingMore() throws IOException {
    String slow =
        HttpProbe.json(
                http.post(TokenRoutes.NAMED_ADMIN, operator, "{\"token_name\":\"slow-admin\"}"))
            .path("token")
            .asString();
    String body =
        "{\"token_name\":\"too-late\",\"permissions\":[{\"resource_type\":\"db\","
            + "\"resource_names\":[\"a\"],\"actions\":[\"read\"]}]}";
    URI url = URI.create(server.url());
    try (Socket socket = new Socket(url.getHost(), url.getPort())) {
      socket.setSoTimeout(10_000);
      String head =
          "POST "
              + TokenRoutes.ENTERPRISE
              + " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
              + "Authorization: Bearer "
              + slow
              + "\r\nExpect: 100-continue\r\nContent-Length: "
              + body.length()
              + "\r\n\r\n";
      socket.getOutputStream().write(head.getBytes(StandardCharsets.UTF_8));
      BufferedReader lines =
          new BufferedReader(
              new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
      // It asks for the body: who sends it was authenticated.
      assertEquals("HTTP/1.1 100 ", lines.readLine());
      assertEquals("", lines.readLine());
      assertEquals(200, http.delete("slow-admin", operator).statusCode());
      socket.getOutputStream().write(body.getBytes(StandardCharsets.UTF_8));
      assertEquals("HTTP/1.1 401 ", lines.readLine());
    }
    assertFalse(http.get(LifecycleRoutes.TOKENS, operator).body().contains("too-late"));
  }

  @Test
  void aPositionThatDoesNotComeIsNoDecision() {
    HttpResponse<String> answer =
        checked(question("apiv3_x", "read", ",\"min_position\":\"1-99999999999\""));
    assertEquals(503, answer.statusCode());
    assertTrue(answer.body().contains("does not know position 1-99999999999"), answer.body());
    assertTrue(answer.headers().firstValue("Retry-After").isPresent());
    assertEquals(
        400, checked(question("apiv3_x", "read", ",\"min_position\":\"soon\"")).statusCode());
  }

  @Test
  void aYesMayBeKeptNoLongerThanTheBoundAndANoNotAtAll() {
    String secret = http.create(operator, "kept", "db", "a", "read");
    assertEquals("private, max-age=1", kept(checked(question(secret, "read", ""))));
    assertEquals("no-store", kept(checked(question(secret, "write", ""))));
    assertEquals("no-store", kept(checked(question("apiv3_x", "read", ""))));
    String read = question(secret, "read", "");
    assertEquals(
        "private, max-age=1",
        kept(http.post(CheckRoutes.BATCH, operator, "{\"checks\":[" + read + "," + read + "]}")));
    assertEquals(
        "no-store",
        kept(
            http.post(
                CheckRoutes.BATCH,
                operator,
                "{\"checks\":[" + read + "," + question(secret, "write", "") + "]}")));
    HttpResponse<String> introspected =
        http.send(
            http.request(CheckRoutes.INTROSPECT)
                .header("Authorization", "Bearer " + secret)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .POST(BodyPublishers.ofString("token=" + secret)));
    assertTrue(HttpProbe.json(introspected).path("active").asBoolean());
    assertEquals("private, max-age=1", kept(introspected));
  }

  @Test
  void aYesIsNotKeptLongerThanTheSecretLives() {
    HttpResponse<String> made =
        http.post(
            "/api/v3/enterprise/configure/token",
            operator,
            "{\"token_name\":\"short\",\"expiry_secs\":1,\"permissions\":[{\"resource_type\":\"db\","
                + "\"resource_names\":[\"a\"],\"actions\":[\"read\"]}]}");
    HttpResponse<String> answer =
        checked(question(HttpProbe.json(made).path("token").asString(), "read", ""));
    assertEquals("private, max-age=0", kept(answer));
  }

  @Test
  void whoRevokesIsToldWhichNodesObey() {
    String secret = http.create(operator, "told", "db", "a", "read");
    HttpResponse<String> answer = revoked("told", "applied=nodes, wait=7");
    assertEquals(200, answer.statusCode());
    assertEquals(
        "applied=nodes, wait=7", answer.headers().firstValue("Preference-Applied").orElse(""));
    JsonNode nodes = HttpProbe.json(answer).path("nodes");
    assertEquals(1, nodes.path("applied").size());
    assertFalse(nodes.path("applied").path(0).path("node").asString().isEmpty());
    assertTrue(nodes.path("applied").path(0).path("millis").asLong() < 1_000);
    assertEquals(0, nodes.path("missing").size());
    assertEquals(
        "revoked_token",
        HttpProbe.json(checked(question(secret, "read", ""))).path("reason").asString());
    http.create(operator, "both", "db", "a", "read");
    HttpResponse<String> both = revoked("both", "applied=nodes, receipt=checkpoint, wait=20");
    assertEquals(2, both.headers().allValues("Preference-Applied").size());
    assertEquals(1, HttpProbe.json(both).path("nodes").path("applied").size());
    assertTrue(HttpProbe.json(both).has("audit_proof"));
    http.create(operator, "many", "db", "many", "read");
    HttpResponse<String> many =
        http.send(
            http.request(LifecycleRoutes.REVOKE)
                .header("Authorization", "Bearer " + operator)
                .header("Content-Type", "application/json")
                .header("Prefer", "applied=nodes")
                .POST(
                    BodyPublishers.ofString(
                        "{\"filter\":{\"database\":\"many\"},\"dry_run\":false}")));
    assertEquals(1, HttpProbe.json(many).path("revoked").asInt(), many.body());
    assertEquals(1, HttpProbe.json(many).path("nodes").path("applied").size(), many.body());
    http.create(operator, "plain", "db", "a", "read");
    assertEquals("", revoked("plain", "respond-async").body());
  }

  @Test
  void healthIsPlainWhileDecisionsAreMadeFromMemory() {
    assertEquals("OK", http.get("/health", operator).body());
  }

  /** Reads the feed until that many events have come. */
  private static List<String> heard(String headers, int count) throws IOException {
    URI url = URI.create(server.url());
    List<String> events = new ArrayList<>();
    try (Socket socket = new Socket(url.getHost(), url.getPort())) {
      socket.setSoTimeout(10_000);
      socket
          .getOutputStream()
          .write(
              ("GET "
                      + FeedRoutes.FEED
                      + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "
                      + operator
                      + headers
                      + "\r\n\r\n")
                  .getBytes(StandardCharsets.UTF_8));
      BufferedReader lines =
          new BufferedReader(
              new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
      StringBuilder event = new StringBuilder();
      for (String line = lines.readLine();
          line != null && events.size() < count;
          line = lines.readLine()) {
        if (line.startsWith("id: ") || line.startsWith("event: ") || line.startsWith("data: ")) {
          event.append(line).append('\n');
        }
        if (line.startsWith("data: ")) {
          events.add(event.toString());
          event.setLength(0);
        }
      }
    }
    return events;
  }

  private static String id(String event) {
    return event.substring("id: ".length(), event.indexOf('\n'));
  }

  @Test
  void whoKeepsAnswersHearsWhichToForgetAndIsContinued() throws IOException {
    List<String> first = heard("", 2);
    assertTrue(first.get(0).contains("event: reset"), first.get(0));
    assertTrue(first.get(1).startsWith("event: alive"), first.get(1));
    String secret = http.create(operator, "forgotten", "db", "a", "read");
    assertEquals(200, http.delete("forgotten", operator).statusCode());
    List<String> missed = heard("\r\nLast-Event-ID: " + id(first.get(0)), 1);
    assertTrue(missed.get(0).contains("event: change"), missed.get(0));
    assertTrue(missed.get(0).contains("\"name\":\"forgotten\""), missed.get(0));
    assertTrue(
        missed.get(0).contains("\"hash_prefix\":\"" + SecretHash.of(secret) + "\""), missed.get(0));
    assertFalse(missed.get(0).contains(secret));
    assertTrue(heard("\r\nLast-Event-ID: of another ledger", 1).get(0).contains("event: reset"));
    String reader = http.create(operator, "no asker", "db", "a", "read");
    assertEquals(403, http.get(FeedRoutes.FEED, reader).statusCode());
  }

  private static JsonNode explained(String asker, String token, String action) {
    HttpResponse<String> answer =
        http.post(CheckRoutes.CHECK, asker, question(token, action, ",\"explain\":true"));
    assertEquals(200, answer.statusCode(), answer.body());
    JsonNode json = HttpProbe.json(answer);
    assertFalse(json.path("allowed").asBoolean(), answer.body());
    return json.path("explanation");
  }

  /** Reason, type of the event and its actor, after making sure that the log knows that event. */
  private static String told(JsonNode explanation) {
    JsonNode event = explanation.path("event");
    HttpResponse<String> logged =
        http.get("/api/v1/audit/events/" + event.path("event_id").asString(), operator);
    assertEquals(200, logged.statusCode(), logged.body());
    assertTrue(
        logged.body().contains("\"leaf_index\":" + event.path("leaf_index").asLong()),
        logged.body());
    assertFalse(explanation.path("since").isNull());
    return explanation.path("reason").asString()
        + " "
        + event.path("event_type").asString()
        + " "
        + event.path("actor").path("name").asString("hidden");
  }

  private static String change(String token, String method, String what, String body) {
    JsonNode known = HttpProbe.json(checked(question(token, "read", "")));
    HttpResponse<String> answer =
        http.send(
            http.request(LifecycleRoutes.TOKENS + "/" + known.path("token_id").asLong() + what)
                .header("Authorization", "Bearer " + operator)
                .header("Content-Type", "application/json")
                .method(method, BodyPublishers.ofString(body)));
    assertTrue(answer.statusCode() < 300, answer.body());
    return answer.body();
  }

  private static String grants(String... actions) {
    return "{\"permissions\":[{\"resource_type\":\"db\",\"resource_names\":[\"a\"],\"actions\":[\""
        + String.join("\",\"", actions)
        + "\"]}]}";
  }

  @Test
  void aNoIsExplainedByTheEventThatMadeItSo() {
    String token = http.create(operator, "explained", "db", "a", "read", "write");
    assertFalse(
        HttpProbe.json(checked(question(token, "read", ",\"explain\":true"))).has("explanation"));
    change(token, "PUT", "/permissions", grants("read"));
    JsonNode narrowed = explained(operator, token, "write");
    assertEquals("not_granted TokenPermissionsChanged _admin", told(narrowed));
    assertEquals(narrowed.path("since"), narrowed.path("event").path("occurred_at"));
    // What came later did not take it, so the same event still decides.
    change(token, "PUT", "/permissions", grants("read", "describe"));
    assertEquals(narrowed, explained(operator, token, "write"));
    assertEquals(
        "not_granted ResourceTokenCreated _admin", told(explained(operator, token, "delete")));

    change(token, "POST", "/suspend", "");
    JsonNode suspended = explained(operator, token, "write");
    assertEquals("suspended_token TokenSuspended _admin", told(suspended));
    change(token, "PUT", "/description", "{\"description\":\"later\"}");
    assertEquals(suspended, explained(operator, token, "write"));
    change(token, "POST", "/resume", "");

    String second = secret(change(token, "POST", "/rotate", "{\"grace_secs\":3600}"));
    assertTrue(HttpProbe.json(checked(question(token, "read", ""))).path("allowed").asBoolean());
    secret(change(second, "POST", "/rotate", "{\"grace_secs\":0}"));
    JsonNode first = explained(operator, token, "read");
    assertEquals("superseded_token TokenRotated _admin", told(first));
    // The second rotation cut the grace of the first short: it ended both secrets.
    assertEquals(explained(operator, second, "read").path("event"), first.path("event"));

    http.delete("explained", operator);
    assertEquals("revoked_token TokenRevoked _admin", told(explained(operator, token, "read")));
  }

  private static String secret(String body) {
    return JsonMapper.shared().readTree(body).path("token").asString();
  }

  @Test
  void anExpiredTokenIsExplainedByWhoSetItsExpiry() {
    String token = http.create(operator, "expiring", "db", "a", "read");
    change(token, "PUT", "/expiry", "{\"expiry_secs\":1}");
    long end = System.nanoTime() + 5_000_000_000L;
    while (HttpProbe.json(checked(question(token, "read", ""))).path("allowed").asBoolean()) {
      assertTrue(System.nanoTime() < end, "it expires");
    }
    assertEquals(
        "expired_token TokenExpiryChanged _admin", told(explained(operator, token, "read")));
  }

  @Test
  void whoReadsNoAuditLearnsTheEventAndNotWhoDidIt() {
    String asker = http.create(operator, "explains", "ledger", "check", "read");
    String token = http.create(operator, "asked about", "db", "a", "read");
    assertEquals("not_granted ResourceTokenCreated hidden", told(explained(asker, token, "write")));
    assertEquals("not_granted ResourceTokenCreated hidden", told(explained(asker, asker, "read")));
    JsonNode unknown = explained(asker, "apiv3_never", "read");
    assertEquals(
        "{\"reason\":\"unknown_token\",\"since\":null,\"event\":null}", unknown.toString());
  }

  @Test
  void anExplanationWithTheActorIsAReadOfTheAuditLog() {
    String token = http.create(operator, "read about", "db", "a", "read");
    String event = explained(operator, token, "write").path("event").path("event_id").asString();
    String reads = http.get("/api/v1/audit/events?action=audit.read&limit=1000", operator).body();
    assertTrue(reads.contains("POST /api/v1/check") && reads.contains("event=" + event), reads);
  }

  @Test
  void whoMayNotAskGetsNoExplanationOfAnything() {
    String nobody = http.create(operator, "curious", "db", "a", "read");
    String gone = http.create(operator, "gone for good", "db", "a", "read");
    http.delete("gone%20for%20good", operator);
    List<String> answers = new ArrayList<>();
    for (String token : List.of(gone, "apiv3_never", nobody)) {
      HttpResponse<String> answer =
          http.post(CheckRoutes.CHECK, nobody, question(token, "write", ",\"explain\":true"));
      answers.add(answer.statusCode() + answer.body());
    }
    HttpResponse<String> itself =
        http.post(
            CheckRoutes.CHECK,
            nobody,
            "{\"resource_type\":\"db\",\"resource_name\":\"a\",\"action\":\"write\",\"explain\":true}");
    answers.add(itself.statusCode() + itself.body());
    assertEquals(List.of("403" + Rejection.NOT_PERMITTED), answers.stream().distinct().toList());
  }
}

package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** What gateways ask, as they send it. */
class GatewayIT {

  @TempDir static Path data;
  private static Server server;
  private static HttpProbe http;
  private static String operator;
  private static String reader;
  private static String writer;

  @BeforeAll
  static void start() {
    server = Server.start(ServerIT.options(data, Map.of()));
    http = new HttpProbe(server.url());
    operator = HttpProbe.json(http.bootstrap()).path("token").asString();
    reader = http.create(operator, "reader", "db", "mydb", "read");
    writer = http.create(operator, "writer & co", "db", "mydb", "write");
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static HttpRequest.Builder nginx(String method, String uri) {
    return http.request(GatewayRoutes.FORWARD_AUTH)
        .header("X-Original-Method", method)
        .header("X-Original-URI", uri);
  }

  private static HttpResponse<String> asked(HttpRequest.Builder question, String token) {
    return http.send(question.header("Authorization", "Bearer " + token).GET());
  }

  private static String reason(HttpResponse<String> answer) {
    return answer.statusCode() + " " + answer.headers().firstValue(GatewayRoutes.REASON).orElse("");
  }

  @Test
  void aTokenPassesWithWhatItIsGrantedAndTheGatewayLearnsWhoseItIs() {
    HttpResponse<String> answer = asked(nginx("POST", "/write?db=mydb"), writer);
    assertEquals(200, answer.statusCode());
    assertEquals("", answer.body());
    assertEquals("2", answer.headers().firstValue(GatewayRoutes.TOKEN_ID).orElse(""));
    assertEquals("writer+%26+co", answer.headers().firstValue(GatewayRoutes.TOKEN_NAME).orElse(""));
    assertEquals("private, max-age=1", answer.headers().firstValue("Cache-Control").orElse(""));
    assertEquals("403 not_granted", reason(asked(nginx("POST", "/write?db=mydb"), reader)));
    assertEquals("403 not_granted", reason(asked(nginx("POST", "/write?db=other"), writer)));
  }

  @Test
  void eachFamilyIsToldNoInItsOwnWords() {
    HttpResponse<String> query =
        asked(nginx("GET", "/query?db=mydb&q=SELECT%20a%20FROM%20m"), writer);
    assertEquals(401, query.statusCode());
    assertEquals("{\"error\":\"unauthorized access\"}", query.body());
    HttpResponse<String> second = asked(nginx("POST", "/api/v2/write?bucket=mydb"), reader);
    assertEquals(403, second.statusCode());
    assertEquals("forbidden", HttpProbe.json(second).path("code").asString());
    HttpResponse<String> third = asked(nginx("POST", "/api/v3/write_lp?db=mydb"), reader);
    assertEquals(403, third.statusCode());
    assertEquals(Rejection.NOT_PERMITTED, third.body());
  }

  @Test
  void aTokenIsTakenFromWhereItsClientPutsIt() {
    String query = "/query?db=mydb&q=SELECT%20a%20FROM%20m";
    String basic =
        Base64.getEncoder().encodeToString(("any:" + reader).getBytes(StandardCharsets.UTF_8));
    for (String header : new String[] {"Bearer " + reader, "Token " + reader, "Basic " + basic}) {
      assertEquals(
          200, http.send(nginx("GET", query).header("Authorization", header)).statusCode());
    }
    assertEquals(200, http.send(nginx("GET", query + "&u=any&p=" + reader)).statusCode());
    assertEquals(200, asked(nginx("GET", query + "&p=" + reader), reader).statusCode());
    assertEquals(
        "401 not_authenticated", reason(asked(nginx("GET", query + "&p=" + reader), writer)));
  }

  @Test
  void aMultipartBodyMayHoldWhatIsAskedForWhateverTheMethod() {
    String query = "/query?db=mydb&q=SELECT%20a%20FROM%20m";
    String type = "Multipart/form-data; boundary=b";
    assertEquals(
        "401 body_decides",
        reason(asked(nginx("GET", query).header("Content-Type", type), reader)));
    assertEquals(
        200, asked(nginx("GET", query).header("Content-Type", type), operator).statusCode());
  }

  @Test
  void noLiveTokenIsOneAnswerForEveryReason() {
    String gone = http.create(operator, "gone", "db", "mydb", "read");
    assertEquals(200, http.delete("gone", operator).statusCode());
    HttpRequest.Builder[] questions = {
      nginx("GET", "/ping"),
      nginx("GET", "/ping").header("Authorization", "Bearer " + gone),
      nginx("GET", "/ping").header("Authorization", "Bearer apiv3_unknown"),
      nginx("GET", "/ping").header("Authorization", "bearer " + reader),
      nginx("GET", "/ping").header("Authorization", "Basic %%%"),
    };
    for (HttpRequest.Builder question : questions) {
      HttpResponse<String> answer = http.send(question);
      assertEquals("401 not_authenticated", reason(answer));
      assertEquals(Rejection.NOT_AUTHENTICATED, answer.body());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "X-Original-Method: GET",
        "X-Original-URI: /ping",
        "X-Original-Method: GET | X-Original-URI: /ping | X-Forwarded-Method: GET | X-Forwarded-Uri: /ping",
        "X-Original-Method: GET | X-Original-URI: /ping | X-Forwarded-Uri: /ping",
        "X-Original-Method: GET | X-Forwarded-Uri: /ping",
        "X-Original-Method: GET | X-Original-Method: POST | X-Original-URI: /ping",
        "X-Original-Method: GET | X-Original-URI: /ping | X-Original-URI: /ping",
        "X-Original-Method: GET | X-Original-URI: /ping | X-HTTP-Method-Override: POST",
        "X-Original-Method: GET | X-Original-URI: /ping | X-Method-Override: POST",
        "X-Original-Method: GET | X-Original-URI: /ping | X-HTTP-Method: POST",
        "X-Ledger-Any: none",
      })
  void whatNamesNoSingleRequestIsDeniedToAnyone(String headers) {
    HttpRequest.Builder question = http.request(GatewayRoutes.FORWARD_AUTH);
    for (String header : headers.split(" \\| ")) {
      String[] parts = header.split(": ", 2);
      question.header(parts[0], parts[1]);
    }
    assertEquals("403 contradictory_headers", reason(asked(question, operator)));
  }

  @Test
  void caddyAndTraefikNameTheRequestInTheirOwnHeaders() {
    HttpRequest.Builder question =
        http.request(GatewayRoutes.FORWARD_AUTH)
            .header("X-Forwarded-Method", "POST")
            .header("X-Forwarded-Uri", "/write?db=mydb")
            .header("X-Forwarded-Host", "influx.example")
            .header("X-Forwarded-Proto", "https");
    assertEquals(200, asked(question, writer).statusCode());
  }

  @Test
  void envoySendsTheRequestItself() {
    String path = GatewayRoutes.FORWARD_AUTH + "/write?db=mydb";
    HttpRequest.Builder question =
        http.request(path)
            .header("Authorization", "Bearer " + writer)
            .method("POST", BodyPublishers.noBody());
    assertEquals(200, http.send(question).statusCode());
    assertEquals("403 unknown_route", reason(asked(http.request(path), writer)));
    assertEquals(
        "403 contradictory_headers",
        reason(
            asked(
                http.request(path)
                    .header("X-Original-Method", "GET")
                    .header("X-Original-URI", "/ping"),
                operator)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "/write?db=mydb"})
  void aPreflightIsNeverAYes(String suffix) {
    HttpResponse<String> answer =
        http.send(
            http.request(GatewayRoutes.FORWARD_AUTH + suffix)
                .header("Authorization", "Bearer " + operator)
                .header("Origin", "http://elsewhere.example")
                .header("Access-Control-Request-Method", "POST")
                .method("OPTIONS", BodyPublishers.noBody()));
    assertEquals("403 unknown_route", reason(answer));
  }

  @Test
  void anAdminPassesWhereTheBodyDecidesAndNobodyWhereTheRouteIsUnknown() {
    assertEquals(200, asked(nginx("POST", "/api/v3/query_sql"), operator).statusCode());
    assertEquals("403 body_decides", reason(asked(nginx("POST", "/api/v3/query_sql"), reader)));
    assertEquals("403 unknown_route", reason(asked(nginx("GET", "/debug/vars"), operator)));
  }

  @Test
  void whatAClientAssertsToTheServerBehindDoesNotDisturb() {
    HttpRequest.Builder question = nginx("POST", "/write?db=mydb").header("Ledger-Reason", "%zz");
    assertEquals(200, asked(question, writer).statusCode());
  }

  @Test
  void expiryAndSuspensionStopATokenAtOnce() {
    String token = http.create(operator, "paused", "db", "mydb", "read");
    String id =
        asked(nginx("GET", "/api/v3/query_sql?db=mydb&q=x"), token)
            .headers()
            .firstValue(GatewayRoutes.TOKEN_ID)
            .orElseThrow();
    assertEquals(200, http.post("/api/v1/tokens/" + id + "/suspend", operator, "{}").statusCode());
    assertEquals(
        "401 not_authenticated",
        reason(asked(nginx("GET", "/api/v3/query_sql?db=mydb&q=x"), token)));
    assertTrue(http.post("/api/v1/tokens/" + id + "/resume", operator, "{}").statusCode() < 300);
    assertEquals(200, asked(nginx("GET", "/api/v3/query_sql?db=mydb&q=x"), token).statusCode());
  }

  private static String question(String token, String action) {
    return "{\"token\":\""
        + token
        + "\",\"resource_type\":\"db\",\"resource_name\":\"mydb\",\"action\":\""
        + action
        + "\"}";
  }

  @Test
  void manyQuestionsAreAnsweredInTheirOrder() {
    String asker = http.create(operator, "asker", "ledger", "check", "read");
    String checks =
        "{\"checks\":["
            + String.join(
                ",",
                question(reader, "read"),
                question(writer, "read"),
                question("apiv3_unknown", "read"),
                question(reader, "read"),
                "{\"resource_type\":\"ledger\",\"resource_name\":\"check\",\"action\":\"read\"}")
            + "]}";
    HttpResponse<String> answer = http.post(CheckRoutes.BATCH, asker, checks);
    assertEquals(200, answer.statusCode(), answer.body());
    List<String> told = new ArrayList<>();
    HttpProbe.json(answer)
        .path("decisions")
        .forEach(
            each ->
                told.add(
                    each.path("token_name").asString("") + " " + each.path("reason").asString()));
    assertEquals(
        List.of(
            "reader granted",
            "writer & co not_granted",
            " unknown_token",
            "reader granted",
            "asker granted"),
        told);
    assertEquals(403, http.post(CheckRoutes.BATCH, reader, checks).statusCode());
  }

  @Test
  void aThousandQuestionsAreTheMost() {
    String one = "{\"resource_type\":\"db\",\"resource_name\":\"mydb\",\"action\":\"read\"}";
    for (int count : new int[] {1_000, 1_001}) {
      String checks = "{\"checks\":[" + String.join(",", Collections.nCopies(count, one)) + "]}";
      assertEquals(
          count == 1_000 ? 200 : 400,
          http.post(CheckRoutes.BATCH, reader, checks).statusCode(),
          "of " + count);
    }
  }

  private static HttpResponse<String> introspected(String asker, String body) {
    return http.send(
        http.request(CheckRoutes.INTROSPECT)
            .header("Authorization", "Bearer " + asker)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(BodyPublishers.ofString(body)));
  }

  @Test
  void introspectionSpeaksRfc7662() {
    HttpResponse<String> answer = introspected(operator, "token=" + reader + "&token_type_hint=x");
    assertEquals(200, answer.statusCode());
    JsonNode json = HttpProbe.json(answer);
    assertTrue(json.path("active").asBoolean());
    assertEquals("db:mydb:read", json.path("scope").asString());
    assertEquals("reader", json.path("username").asString());
    assertEquals("token:1", json.path("sub").asString());
    assertTrue(json.path("exp").isMissingNode(), "it never expires");
    assertTrue(json.path("iat").asLong() > 1_700_000_000);
    assertEquals("{\"active\":false}", introspected(operator, "token=apiv3_unknown").body());
    assertEquals(200, introspected(reader, "token=" + reader).statusCode());
    assertEquals(403, introspected(reader, "token=" + writer).statusCode());
    assertEquals(403, introspected(reader, "token=apiv3_unknown").statusCode());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "token=", "tok=a", "token=a&token=a", "token=%zz", "token=%ff"})
  void anIntrospectionWithoutOneTokenIsRefused(String body) {
    HttpResponse<String> answer = introspected(operator, body);
    assertEquals(400, answer.statusCode());
    assertTrue(answer.body().contains("token must be"), answer.body());
  }
}

package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is decided by path, tried with every other way to write that path. */
class RoutedPathIT {

  @TempDir static Path openData;
  @TempDir static Path data;
  private static Server open;
  private static HttpProbe openHttp;
  private static TestServer guarded;
  private static HttpProbe http;

  @BeforeAll
  static void start() {
    // Made with authentication first, so that there is a token to rotate.
    try (TestServer server = new TestServer(openData, Map.of())) {
      server.bootstrap("first");
      new HttpProbe(server.url()).create(server.operator(), "victim", "db", "a", "read");
    }
    open = Server.start(ServerIT.options(openData, Map.of("LEDGER_WITHOUT_AUTH", "true")));
    openHttp = new HttpProbe(open.url());
    guarded = new TestServer(data, Map.of("LEDGER_DISABLE_AUTHZ", "health"));
    guarded.bootstrap("first");
    http = new HttpProbe(guarded.url());
  }

  @AfterAll
  static void stop() {
    open.close();
    guarded.close();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "POST | /api/v3/configure/token/admin",
        "POST | /api/v3/configure/token/admin/regenerate",
        "POST | /api/v3/configure/%74oken/admin/regenerate",
        "POST | /%61pi/v3/configure/token/admin/regenerate",
        "POST | /api/v3/configure/token;x/admin/regenerate",
        "POST | /api/v3/configure/token;x=/api/admin/regenerate;y",
        "POST | /api/v3/configure/token/named_admin",
        "POST | /api/v3/configure/%74oken/named_admin",
        "POST | /api/v3/enterprise/configure/token",
        "POST | /api/v3/enterprise;x/configure/%74oken",
        "POST | /api/v3/configure/token",
        "DELETE | /api/v3/configure/token?token_name=victim",
        "DELETE | /api/v3/configure/%74oken?token_name=victim",
        "POST | /api/v1/tokens/1/rotate",
        "POST | /api/v1/%74okens/1/rotate",
        "POST | /api/v1/tokens;x/1/rotate",
        "POST | /api/v1/tokens/1/suspend",
        "POST | /api/v1/tokens/1/resume",
        "PUT | /api/v1/tokens/1/description",
        "PUT | /api/v1/tokens/1/expiry",
        "PUT | /api/v1/tokens/1/permissions",
        "DELETE | /api/v1/tokens/1",
        "POST | /api/v1/tokens/revoke",
        "POST | /api/v1/tokens/%72evoke",
        "POST | /api/v1/tokens/import"
      })
  void withoutAuthNoTokenIsMadeOrChangedHoweverThePathIsWritten(String method, String path) {
    HttpResponse<String> refused =
        openHttp.send(
            openHttp
                .request(path)
                .header("Content-Type", "application/json")
                .method(method, BodyPublishers.ofString("{\"token_name\":\"x\"}")));
    assertEquals(405, refused.statusCode(), refused.body());
    assertEquals("endpoint disabled, started without auth", refused.body());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "//api/v3/configure/token/admin/regenerate",
        "/api/v3/configure//token/admin/regenerate",
        "/x/../api/v3/configure/token/admin/regenerate",
        "/api/v3/./configure/token/admin/regenerate",
        "/api/v3/configure/token%2fadmin/regenerate"
      })
  void withoutAuthAPathThatIsNoRouteGivesNoSecretEither(String path) {
    HttpResponse<String> answer =
        openHttp.send(openHttp.request(path).POST(BodyPublishers.noBody()));
    assertTrue(answer.statusCode() >= 400, answer.body());
    assertFalse(answer.body().contains("apiv3_"), answer.body());
  }

  @Test
  void withoutAuthTokensCanBeReadAndAsked() {
    assertEquals(200, openHttp.send(openHttp.request("/api/v1/tokens")).statusCode());
    assertEquals(200, openHttp.send(openHttp.request("/api/v1/tokens/1")).statusCode());
  }

  @ParameterizedTest
  @CsvSource({
    "/health, 200",
    "/%68ealth, 200",
    "/health;x, 200",
    "//health, 401",
    "/health/, 401",
    "/x/../health, 401",
    "/ping, 401",
    "/%70ing, 401",
    "/ping;/health, 401",
    "/metrics;x=/health, 401",
    "/api/v1/tokens;/health, 401"
  })
  void onlyTheProbeThatWasOpenedIsOpen(String path, int status) {
    assertEquals(status, http.send(http.request(path)).statusCode());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "/api/v3/configure/token/admin/regenerate;/api/v3/configure/token/admin",
        "/api/v3/configure/token/admin/%72egenerate",
        "/api/v3/configure/token/admin//regenerate",
        "/api/v3/configure/token/named_admin;/../admin"
      })
  void whatIsExemptFromAuthenticationOpensNothingElse(String path) {
    HttpResponse<String> answer = http.send(http.request(path).POST(BodyPublishers.noBody()));
    assertEquals(401, answer.statusCode(), answer.body());
  }

  @Test
  void theBootstrapIsTheSameRouteHoweverItIsWritten() {
    HttpResponse<String> answer =
        http.send(http.request("/api/v3/configure/%74oken/admin;x").POST(BodyPublishers.noBody()));
    assertEquals(409, answer.statusCode(), "there is an operator already");
  }

  @ParameterizedTest
  @CsvSource({
    "/query?p=, 404",
    "/%71uery?p=, 404",
    "/write;x?p=, 404",
    "//query?p=, 401",
    "/health2;/query?p=, 401",
    "/ping;x=/query?p=, 401"
  })
  void thePasswordParameterCountsOnItsTwoPathsOnly(String path, int status) {
    assertEquals(status, http.send(http.request(path + guarded.operator())).statusCode());
  }
}

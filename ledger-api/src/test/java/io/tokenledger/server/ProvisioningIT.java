package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.token.SecretHash;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** Tokens that come from files: at every start, and once from an InfluxDB. */
class ProvisioningIT {

  private static final String ADMIN = "apiv3_the-admin-of-the-file";
  private static final String READER = "apiv3_the-reader-of-the-file";

  @TempDir Path directory;

  private Server start(String permissionTokens) throws Exception {
    Path admin =
        Files.writeString(
            directory.resolve("admin.json"), "{\"token\":\"" + ADMIN + "\",\"name\":\"boot\"}");
    Path tokens =
        Files.writeString(
            directory.resolve("tokens.json"), "{\"tokens\":[" + permissionTokens + "]}");
    return Server.start(
        ServerIT.options(
            directory.resolve("data"),
            Map.of(
                "LEDGER_ADMIN_TOKEN_FILE", admin.toString(),
                "LEDGER_PERMISSION_TOKENS_FILE", tokens.toString())));
  }

  private static String token(String secret, String name, String more) {
    return "{\"token\":\"" + secret + "\",\"name\":\"" + name + "\"," + more + "}";
  }

  /** What was made of the files, newest first: neither the node's own events nor our reads. */
  private static List<JsonNode> events(Server server) {
    List<JsonNode> events = new ArrayList<>();
    HttpProbe http = new HttpProbe(server.url());
    HttpProbe.json(http.get(LedgerRoutes.AUDIT + "?limit=1000", ADMIN))
        .path("events")
        .forEach(
            event -> {
              String action = event.path("action").asString();
              if (!action.startsWith("service.") && !action.startsWith("audit.")) {
                events.add(event);
              }
            });
    return events;
  }

  private static int count(Server server) {
    return events(server).size();
  }

  @Test
  void theSameFileAtEveryStartWritesNothingNew() throws Exception {
    String file = token(READER, "reader", "\"permissions\":[\"system:ping:read\"]");
    int first;
    try (Server server = start(file)) {
      first = count(server);
      assertEquals(200, new HttpProbe(server.url()).get("/ping", READER).statusCode());
    }
    try (Server server = start(file)) {
      assertEquals(first, count(server));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "reader|\"permissions\":[\"db:*:read\"]|permissions_differ",
        "reader|\"permissions\":[\"system:ping:read\"],\"expiry_millis\":4102444800000|expiry_differs",
        "other|\"permissions\":[\"system:ping:read\"]|name_changed"
      })
  void aChangedFileIsReportedAndChangesNothing(String changed) throws Exception {
    try (Server server = start(token(READER, "reader", "\"permissions\":[\"system:ping:read\"]"))) {
      assertEquals(200, new HttpProbe(server.url()).get("/ping", READER).statusCode());
    }
    String[] cells = changed.split("\\|");
    try (Server server = start(token(READER, cells[0], cells[1]))) {
      JsonNode reported = events(server).get(0);
      assertEquals("CommandRejected", reported.path("event_type").asString());
      assertEquals(cells[2], reported.path("outcome_reason").asString());
      assertEquals(200, new HttpProbe(server.url()).get("/ping", READER).statusCode());
    }
  }

  @Test
  void aRevokedTokenOfTheFileIsNotRevived() throws Exception {
    String file = token(READER, "reader", "\"permissions\":[\"system:ping:read\"]");
    try (Server server = start(file)) {
      assertEquals(200, new HttpProbe(server.url()).delete("reader", ADMIN).statusCode());
    }
    try (Server server = start(file)) {
      assertEquals("was_revoked", events(server).get(0).path("outcome_reason").asString());
      assertEquals(401, new HttpProbe(server.url()).get("/ping", READER).statusCode());
    }
  }

  @Test
  void aTokenTakenOutOfTheFileIsReportedAtEachStartAndStaysValid() throws Exception {
    try (Server server = start(token(READER, "reader", "\"permissions\":[\"system:ping:read\"]"))) {
      assertEquals(200, new HttpProbe(server.url()).get("/ping", READER).statusCode());
    }
    for (int i = 0; i < 2; i++) {
      try (Server server = start("")) {
        JsonNode reported = events(server).get(0);
        assertEquals("not_in_file", reported.path("outcome_reason").asString());
        assertEquals("reader", reported.path("target").path("name").asString());
        assertEquals(200, new HttpProbe(server.url()).get("/ping", READER).statusCode());
        if (i == 1) {
          assertEquals(200, new HttpProbe(server.url()).delete("reader", ADMIN).statusCode());
        }
      }
    }
    int before;
    try (Server server = start("")) {
      before = count(server);
    }
    try (Server server = start("")) {
      assertEquals(before, count(server), "what is revoked is missed by nobody");
    }
  }

  @Test
  void anotherSecretUnderTheSameNameIsReported() throws Exception {
    try (Server server = start(token(READER, "reader", "\"permissions\":[\"db:a:read\"]"))) {
      assertEquals(403, new HttpProbe(server.url()).get("/ping", READER).statusCode());
    }
    String other = "apiv3_another-secret";
    try (Server server = start(token(other, "reader", "\"permissions\":[\"db:a:read\"]"))) {
      assertEquals("name_taken", events(server).get(0).path("outcome_reason").asString());
      assertEquals(401, new HttpProbe(server.url()).get("/ping", other).statusCode());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"token\":\"no-prefix\",\"name\":\"a\",\"permissions\":[\"db:a:read\"]}",
        "{\"token\":\"apiv3_x\",\"name\":\"\",\"permissions\":[\"db:a:read\"]}",
        "{\"token\":\"apiv3_x\",\"name\":\"a\",\"permissions\":[]}",
        "{\"token\":\"apiv3_x\",\"name\":\"a\",\"permissions\":[\"db:a\"]}",
        "{\"token\":\"apiv3_x\",\"name\":\"a\"}",
        "{\"name\":\"a\",\"permissions\":[\"db:a:read\"]}",
        "{\"token\":\"apiv3_x\",\"name\":\"a\",\"permissions\":[\"db:a:read\"],\"expiry_millis\":-1}",
        "7"
      })
  void aBrokenFileStopsTheStartAndNamesIt(String entry) {
    String secret = "apiv3_x";
    IllegalStateException stopped =
        assertThrows(IllegalStateException.class, () -> start(entry).close());
    assertTrue(stopped.getMessage().startsWith("--permission-tokens-file "), stopped.getMessage());
    assertFalse(stopped.getMessage().contains(secret), "no secret in an error");
  }

  @Test
  void theTokensOfAnInfluxDbAreTakenOverWithTheirSecrets() throws Exception {
    try (Server server = start("")) {
      HttpProbe http = new HttpProbe(server.url());
      String rows =
          "{\"tokens\":["
              + row("_admin", "apiv3_a", "[\\\"*:*:*\\\"]", "")
              + ","
              + row("ops", "apiv3_ops", "*:*:*", "")
              + ","
              + row(
                  "ingest",
                  "apiv3_ingest",
                  "[\\\"db:a:read\\\", \\\"system:ping:read\\\"]",
                  ",\"expiry\":\"2099-01-01T00:00:00.000\",\"token_id\":7,"
                      + "\"created_at\":\"2025-04-18T14:02:45.331\",\"description\":\"hall 3\"")
              + ","
              + row(
                  "old", "apiv3_old", "[\\\"db:a:read\\\"]", ",\"expiry\":\"2020-01-01T00:00:00\"")
              + ","
              + row("odd", "apiv3_odd", "[\\\"db:a:drop\\\"]", "")
              + ",{\"name\":\"short\",\"hash\":\"f9d9ca5aa\",\"permissions\":\"*:*:*\"}]}";
      HttpResponse<String> answer = http.post(ImportRoutes.IMPORT, ADMIN, rows);
      assertEquals(200, answer.statusCode(), answer.body());
      JsonNode taken = HttpProbe.json(answer);
      assertEquals(2, taken.path("created").asInt(), answer.body());
      assertTrue(outcome(taken, 0).startsWith("left: the ledger has an operator"));
      assertEquals("created", outcome(taken, 1));
      assertEquals("created", outcome(taken, 2));
      assertTrue(outcome(taken, 3).startsWith("left: invalid expiry"), outcome(taken, 3));
      assertTrue(outcome(taken, 4).contains("action not supported"), outcome(taken, 4));
      assertTrue(outcome(taken, 5).startsWith("left: the hash is shortened"), outcome(taken, 5));
      assertEquals(200, http.get("/ping", "apiv3_ingest").statusCode());
      JsonNode ingest =
          HttpProbe.json(http.get("/api/v1/tokens?name=ingest", ADMIN)).path("tokens").get(0);
      assertEquals("hall 3", ingest.path("description").asString());
      assertEquals(200, http.get("/health", "apiv3_ops").statusCode());
      JsonNode again = HttpProbe.json(http.post(ImportRoutes.IMPORT, ADMIN, rows));
      assertEquals(0, again.path("created").asInt());
      assertEquals("unchanged", outcome(again, 2));
      assertEquals(403, http.post(ImportRoutes.IMPORT, "apiv3_ingest", rows).statusCode());
    }
  }

  private static String outcome(JsonNode taken, int row) {
    return taken.path("tokens").get(row).path("outcome").asString();
  }

  private static String row(String name, String secret, String permissions, String more) {
    return "{\"name\":\""
        + name
        + "\",\"hash\":\""
        + SecretHash.of(secret).hex()
        + "\",\"permissions\":\""
        + permissions
        + "\""
        + more
        + "}";
  }
}

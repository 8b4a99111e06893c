package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.Frontier;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.Proofs;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TlogProof;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.tlog.VerifierKey;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** The log over HTTP, checked with nothing but what it serves and the key. */
class TlogIT {

  private static final String CREATE =
      "{\"token_name\":\"%s\",\"permissions\":[{\"resource_type\":\"db\",\"resource_names\":[\"a\"],"
          + "\"actions\":[\"read\"]}]}";

  @TempDir static Path directory;
  private static TestServer server;
  private static HttpProbe http;
  private static int next;

  @BeforeAll
  static void start() {
    server = new TestServer(directory.resolve("data"), Map.of());
    server.bootstrap("first");
    http = new HttpProbe(server.url());
    for (int i = 0; i < 300; i++) {
      create("t" + i, null);
    }
    assertTrue(create("last", "receipt=checkpoint, wait=20").body().contains("audit_proof"));
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static HttpResponse<String> create(String name, String prefer) {
    return send("POST", "/api/v3/enterprise/configure/token", prefer, CREATE.formatted(name));
  }

  private static HttpResponse<String> send(String verb, String path, String prefer, String body) {
    HttpRequest.Builder request =
        http.request(path)
            .header("Authorization", "Bearer " + server.operator())
            .header("Content-Type", "application/json")
            .method(verb, HttpRequest.BodyPublishers.ofString(body));
    if (prefer != null) {
      request.header("Prefer", prefer);
    }
    return http.send(request);
  }

  private static String get(String path) {
    HttpResponse<String> answer = http.get(path, server.operator());
    assertEquals(200, answer.statusCode(), path + ": " + answer.body());
    return answer.body();
  }

  private static Policy policy() {
    JsonNode keys = HttpProbe.json(http.get("/api/v1/audit/keys", server.operator()));
    return Policy.of(
        List.of(VerifierKey.parse(keys.path("keys").path(0).path("verifier_key").stringValue())));
  }

  private static byte[] bytes(String path) throws Exception {
    HttpResponse<byte[]> answer =
        java.net.http.HttpClient.newHttpClient()
            .send(
                http.request(path).header("Authorization", "Bearer " + server.operator()).build(),
                HttpResponse.BodyHandlers.ofByteArray());
    assertEquals(200, answer.statusCode(), path);
    assertEquals(
        "private, max-age=31536000, immutable",
        answer.headers().firstValue("cache-control").orElse(""));
    return answer.body();
  }

  @Test
  void entriesInTheirBundlesMakeTheTilesAndTheSignedRoot() throws Exception {
    Checkpoint head = policy().open(SignedNote.parse(get("/tlog/checkpoint")));
    assertTrue(head.size() > 256, "a whole tile and a part of one: " + head.size());
    Frontier tree = new Frontier();
    List<TreeHash> leaves = new ArrayList<>();
    List<TreeHash> tiles = new ArrayList<>();
    for (String path : List.of("entries/000", "entries/001.p/" + (head.size() - 256))) {
      ByteBuffer bundle = ByteBuffer.wrap(bytes("/tlog/tile/" + path));
      while (bundle.hasRemaining()) {
        byte[] entry = new byte[bundle.getShort() & 0xffff];
        bundle.get(entry);
        assertTrue(new String(entry, StandardCharsets.UTF_8).startsWith("{\"v\":1,\"gi\":"));
        leaves.add(TreeHash.leaf(entry));
        tree.add(
            TreeHash.leaf(entry),
            (level, index, hash) -> {
              if (level == 8) {
                tiles.add(hash);
              }
            });
      }
    }
    assertEquals(head.root(), tree.root());
    ByteBuffer hashes = ByteBuffer.wrap(bytes("/tlog/tile/0/000"));
    for (int i = 0; i < 256; i++) {
      byte[] hash = new byte[TreeHash.BYTES];
      hashes.get(hash);
      assertEquals(leaves.get(i), TreeHash.of(hash));
    }
    assertArrayEquals(tiles.get(0).bytes(), bytes("/tlog/tile/1/000.p/1"));
  }

  @Test
  void aCommandCanWaitForTheProofOfWhatItDid() {
    String name = "receipt" + ++next;
    HttpResponse<String> made = create(name, "wait=20, receipt=checkpoint");
    assertEquals(201, made.statusCode(), made.body());
    assertEquals(
        "receipt=checkpoint, wait=20", made.headers().firstValue("Preference-Applied").orElse(""));
    TlogProof proof = TlogProof.parse(HttpProbe.json(made).path("audit_proof").stringValue());
    assertEquals(
        Long.toString(proof.leafIndex()), made.headers().firstValue("Audit-Leaf").orElse(""));
    Checkpoint head = policy().open(proof.checkpoint());
    assertTrue(head.size() > proof.leafIndex());
    String eventId =
        HttpProbe.json(http.get("/api/v1/audit/events?limit=1&token=" + name, server.operator()))
            .path("events")
            .path(0)
            .path("event_id")
            .stringValue();
    String entry = get("/api/v1/audit/events/" + eventId + "/entry");
    assertTrue(proof.includes(entry.getBytes(StandardCharsets.UTF_8)));
    TlogProof later = TlogProof.parse(get("/api/v1/audit/events/" + eventId + "/proof"));
    assertTrue(later.includes(entry.getBytes(StandardCharsets.UTF_8)));
    HttpResponse<String> revoked =
        send(
            "DELETE",
            "/api/v3/configure/token?token_name=" + name,
            "receipt=checkpoint, wait=20",
            "");
    assertEquals(200, revoked.statusCode());
    assertTrue(HttpProbe.json(revoked).path("audit_proof").isString(), revoked.body());
  }

  @Test
  void whoAsksForNoReceiptGetsTheUsualAnswer() {
    String name = "plain" + ++next;
    HttpResponse<String> made = create(name, "respond-async");
    assertFalse(made.body().contains("audit_proof"));
    assertTrue(made.headers().firstValue("Preference-Applied").isEmpty());
    HttpResponse<String> revoked =
        send("DELETE", "/api/v3/configure/token?token_name=" + name, null, "");
    assertEquals("", revoked.body());
  }

  @Test
  void anyTwoSizesAreJoinedByAProof() {
    SignedNote before = SignedNote.parse(get("/tlog/checkpoint"));
    assertEquals(201, create("more" + ++next, "receipt=checkpoint, wait=20").statusCode());
    Checkpoint old = policy().open(before);
    Checkpoint now = policy().open(SignedNote.parse(get("/tlog/checkpoint")));
    assertTrue(now.size() > old.size());
    List<TreeHash> proof =
        get("/api/v1/audit/consistency?from=" + old.size() + "&to=" + now.size())
            .lines()
            .map(TreeHash::parse)
            .toList();
    assertTrue(Proofs.isConsistent(old.size(), old.root(), now.size(), now.root(), proof));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "/api/v1/audit/consistency?from=1|400|to is missing: a number of leaves",
        "/api/v1/audit/consistency?from=x&to=2|400|from must be a whole number, got x",
        "/api/v1/audit/consistency?from=-1&to=2|400|from must not be negative, got -1",
        "/api/v1/audit/consistency?from=3&to=2|400|from must not be greater than to, got 3 and 2",
        "/api/v1/audit/consistency?from=1&to=99999999|400|no checkpoint covers to=99999999",
        "/tlog/tile/0/999|404|no checkpoint covers such a tile",
        "/tlog/tile/9/000|404|no checkpoint covers such a tile",
        "/tlog/tile/0/0|404|no checkpoint covers such a tile",
        "/tlog/tile/entries/x000/000|404|no checkpoint covers such a tile",
        "/api/v1/audit/events/nothing/proof|404|no event of that id has a place in the log",
        "/api/v1/audit/events/nothing/entry|404|no event of that id has a place in the log",
      })
  void whatIsAskedWronglyIsSaid(String path, int status, String error) {
    HttpResponse<String> answer = http.get(path, server.operator());
    assertEquals(status, answer.statusCode());
    assertEquals(error, HttpProbe.json(answer).path("error").asString(), answer.body());
  }

  @ParameterizedTest
  @CsvSource({
    "GET,/tlog/checkpoint",
    "GET,/tlog/tile/0/000",
    "GET,/api/v1/audit/keys",
    "GET,/api/v1/audit/consistency?from=1&to=2",
    "GET,/api/v1/audit/events/x/proof",
    "GET,/api/v1/audit/events/x/entry",
    "POST,/api/v1/audit/bundles",
    "POST,/api/v1/audit/generations"
  })
  void whoMayNotReadTheAuditIsRefused(String verb, String path) {
    String reader = http.create(server.operator(), "reader" + ++next, "db", "a", "read");
    HttpRequest.Builder request =
        http.request(path)
            .header("Authorization", "Bearer " + reader)
            .header("Content-Type", "application/json")
            .method(verb, HttpRequest.BodyPublishers.ofString("{\"reason\":\"x\"}"));
    assertEquals(403, http.send(request).statusCode());
    HttpRequest.Builder anonymous =
        http.request(path).method(verb, HttpRequest.BodyPublishers.noBody());
    assertEquals(401, http.send(anonymous).statusCode());
  }
}

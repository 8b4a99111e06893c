package io.tokenledger.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.server.TestServer;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Backups and restores by the commands that the runbook names, and what a server then answers. */
class RestoreCliIT {

  private static final JsonMapper JSON = JsonMapper.shared();
  private static final String CHECK =
      "{\"resource_type\":\"db\",\"resource_name\":\"a\",\"action\":\"read\",\"token\":\"%s\"}";

  @TempDir Path directory;

  /** What a command said. */
  private record Said(int exit, String out, String err) {}

  private static Said ledger(String... words) {
    InputStream in = System.in;
    PrintStream out = System.out;
    PrintStream err = System.err;
    ByteArrayOutputStream saidOut = new ByteArrayOutputStream();
    ByteArrayOutputStream saidErr = new ByteArrayOutputStream();
    System.setIn(new ByteArrayInputStream("no\n".getBytes(StandardCharsets.UTF_8)));
    System.setOut(new PrintStream(saidOut, true, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(saidErr, true, StandardCharsets.UTF_8));
    try {
      int exit = LedgerCli.run(words);
      return new Said(
          exit, saidOut.toString(StandardCharsets.UTF_8), saidErr.toString(StandardCharsets.UTF_8));
    } finally {
      System.setIn(in);
      System.setOut(out);
      System.setErr(err);
    }
  }

  private static Said done(String... words) {
    Said said = ledger(words);
    assertEquals(0, said.exit(), String.join(" ", words) + ": " + said);
    return said;
  }

  private static JsonNode create(TestServer server, String name) {
    HttpResponse<String> made =
        server.send(
            "POST",
            "/api/v3/enterprise/configure/token",
            "create-" + name,
            "{\"token_name\":\""
                + name
                + "\",\"permissions\":[{\"resource_type\":\"db\","
                + "\"resource_names\":[\"a\"],\"actions\":[\"read\"]}]}");
    assertEquals(201, made.statusCode(), made.body());
    return JSON.readTree(made.body());
  }

  private static String check(TestServer server, String secret) {
    HttpResponse<String> answer =
        server.send("POST", "/api/v1/check", "check", CHECK.formatted(secret));
    assertEquals(200, answer.statusCode(), answer.body());
    JsonNode json = JSON.readTree(answer.body());
    return json.path("allowed").asBoolean() + " " + json.path("reason").asString();
  }

  private static void assertEverythingIsDenied(TestServer server, String secret) {
    assertEquals("false ledger_restored", check(server, secret));
    assertEquals("false ledger_restored", check(server, "apiv3_of-nobody"));
    for (String route :
        List.of(
            "GET /health",
            "GET /ready",
            "GET /ping",
            "GET /api/v1/tokens",
            "GET /api/v1/audit/events",
            "POST /api/v3/enterprise/configure/token",
            "POST /api/v3/configure/token/admin",
            "POST /api/v1/audit/generations",
            "DELETE /api/v3/configure/token?token_name=kept")) {
      HttpResponse<String> answer =
          server.send(route.split(" ")[0], route.split(" ")[1], "denied", "{\"reason\":\"r\"}");
      assertEquals(503, answer.statusCode(), route);
      assertTrue(answer.body().contains("ledger replay restore accept"), answer.body());
    }
  }

  private static void assertEveryFileIsOnThePage(Path data) throws IOException {
    String page = Files.readString(Path.of("../ops/runbooks/what-is-truth.md"));
    try (Stream<Path> files = Files.list(data)) {
      for (Path file : files.toList()) {
        assertTrue(page.contains("\n| `" + file.getFileName() + "` | "), file.toString());
      }
    }
  }

  private void copyKeys(Path from, Path to) throws IOException {
    for (String name : List.of("ledger.key", "signing.key")) {
      Files.copy(from.resolve(name), to.resolve(name));
    }
    Files.createDirectories(to.resolve("subject-keys"));
    try (Stream<Path> keys = Files.list(from.resolve("subject-keys"))) {
      for (Path key : keys.toList()) {
        Files.copy(key, to.resolve("subject-keys").resolve(key.getFileName()));
      }
    }
  }

  @Test
  void aDatabaseThatIsMarkedAsRestoredDeniesUntilItIsAccepted() throws Exception {
    String data = directory.resolve("data").toString();
    String operator;
    String kept;
    long before;
    try (TestServer server = new TestServer(Path.of(data), Map.of())) {
      server.bootstrap("first");
      operator = server.operator();
      JsonNode token = create(server, "kept");
      kept = token.path("token").asString();
      before = token.path("id").asLong();
      assertEquals("true granted", check(server, kept));
      done("replay", "restore", "mark", "--data-dir", data);
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      while (!check(server, kept).equals("false ledger_restored")) {
        assertTrue(System.nanoTime() < end, "denied in time");
        TimeUnit.MILLISECONDS.sleep(20);
      }
      assertEverythingIsDenied(server, kept);
      assertEveryFileIsOnThePage(Path.of(data));
      Said running = ledger("replay", "restore", "accept", "--data-dir", data, "--yes");
      assertEquals(LedgerCli.UNKNOWN, running.exit());
      assertTrue(running.err().contains("stop it first"), running.err());
    }
    Said unsure = ledger("replay", "restore", "accept", "--data-dir", data);
    assertEquals(LedgerCli.FAILED, unsure.exit(), unsure.err());
    Said accepted =
        done("replay", "restore", "accept", "--data-dir", data, "-y", "--reason", "a test");
    assertTrue(accepted.out().contains("the log goes on as token-ledger/2"), accepted.out());
    Said again = ledger("replay", "restore", "accept", "--data-dir", data, "-y");
    assertEquals(LedgerCli.UNKNOWN, again.exit());
    assertTrue(again.err().contains("nothing says that it was restored"), again.err());
    try (TestServer server = new TestServer(Path.of(data), Map.of())) {
      server.adopt(operator);
      assertEquals("true granted", check(server, kept));
      assertTrue(create(server, "next").path("id").asLong() > before + 1);
      JsonNode event =
          server.events().stream()
              .filter(each -> each.path("event_type").asString().equals("RestoreAccepted"))
              .findFirst()
              .orElseThrow();
      assertEquals("system", event.path("actor").path("type").asString());
      assertEquals("a test", event.path("envelope").path("reason").asString());
    }
  }

  private static String line(Said said, String word) {
    return said.out()
        .lines()
        .filter(line -> line.startsWith(word))
        .map(line -> line.substring(word.length()).strip())
        .findFirst()
        .orElseThrow(() -> new AssertionError(word + " in " + said));
  }

  @Test
  @Tag("long")
  void aTokenThatWasRevokedSinceTheMomentIsRefusedInTheRestoredLedger() throws Exception {
    Path data = directory.resolve("data");
    Path base = directory.resolve("base");
    Path archive = directory.resolve("archive");
    Path events = directory.resolve("events.zip");
    String operator;
    String leaked;
    String kept;
    long highest;
    Instant moment;
    try (TestServer server =
        new TestServer(data, Map.of("LEDGER_WAL_ARCHIVE", archive.toString()))) {
      server.bootstrap("first");
      operator = server.operator();
      done("backup", "base", "--data-dir", data.toString(), "--to", base.toString());
      leaked = create(server, "leaked").path("token").asString();
      kept = create(server, "kept").path("token").asString();
      assertEquals("true granted", check(server, leaked));
      moment = Instant.now();
      assertEquals(
          200,
          server
              .send("DELETE", "/api/v3/configure/token?token_name=leaked", "revoke", "")
              .statusCode());
      highest = create(server, "later").path("id").asLong();
    }
    String backed =
        line(
            done("backup", "events", "--data-dir", data.toString(), "--to", events.toString()),
            "digest ");
    Said original = done("backup", "digest", "--data-dir", data.toString());
    assertEquals(backed, line(original, "truth"));

    Path newest = directory.resolve("newest");
    done(
        "restore",
        "base",
        "--from",
        base.toString(),
        "--data-dir",
        newest.toString(),
        "--wal-archive",
        archive.toString());
    Said restored = done("backup", "digest", "--data-dir", newest.toString());
    assertEquals(line(original, "truth"), line(restored, "truth"));
    assertEquals(line(original, "rebuildable"), line(restored, "rebuildable"));

    Path filled = directory.resolve("filled");
    assertEquals(
        backed,
        line(
            done("restore", "events", "--from", events.toString(), "--data-dir", filled.toString()),
            "digest "));
    assertEquals(backed, line(done("backup", "digest", "--data-dir", filled.toString()), "truth"));

    Path older = directory.resolve("older");
    done(
        "restore",
        "base",
        "--from",
        base.toString(),
        "--data-dir",
        older.toString(),
        "--wal-archive",
        archive.toString(),
        "--until",
        moment.toString());
    assertFalse(Files.exists(older.resolve("state")), "it remembers nothing that is old too");
    copyKeys(data, older);
    try (TestServer server = new TestServer(older, Map.of())) {
      server.adopt(operator);
      assertEverythingIsDenied(server, leaked);
    }
    String[] accept = {
      "replay", "restore", "accept", "--data-dir", older.toString(), "--known", events.toString()
    };
    Said shown =
        done(Stream.concat(Stream.of(accept), Stream.of("--dry-run")).toArray(String[]::new));
    assertTrue(shown.out().contains("  revoke leaked\n"), shown.out());
    Said accepted = done(Stream.concat(Stream.of(accept), Stream.of("-y")).toArray(String[]::new));
    assertTrue(accepted.out().contains("TokenRevoked token:leaked"), accepted.out());
    try (TestServer server = new TestServer(older, Map.of())) {
      server.adopt(operator);
      assertEquals("false revoked_token", check(server, leaked));
      assertEquals("true granted", check(server, kept));
      assertTrue(create(server, "next").path("id").asLong() > highest);
      assertEquals(
          0, LedgerCli.run("replay", "verify", "--host", server.url(), "--token", operator));
    }
  }

  @Test
  void whatIsAskedWronglyIsSaidInOneLine() throws Exception {
    String none = directory.resolve("none").toString();
    String file = Files.writeString(directory.resolve("file"), "no zip").toString();
    for (List<String> words :
        List.of(
            List.of("backup", "base", "--data-dir", none, "--to", none + "2"),
            List.of("backup", "events", "--data-dir", none, "--to", none + "2"),
            List.of("backup", "digest", "--data-dir", none),
            List.of("restore", "base", "--from", none, "--data-dir", none + "2"),
            List.of(
                "restore",
                "base",
                "--from",
                none,
                "--data-dir",
                none + "2",
                "--until",
                "2026-11-24T12:00:00Z"),
            List.of("replay", "restore", "accept", "--data-dir", none, "--known", file),
            List.of("replay", "restore", "mark", "--data-dir", none))) {
      Said said = ledger(words.toArray(new String[0]));
      assertEquals(LedgerCli.UNKNOWN, said.exit(), words + ": " + said);
      assertEquals(1, said.err().lines().count(), words + ": " + said);
    }
    for (List<String> words :
        List.of(
            List.of("backup", "events", "--to", none),
            List.of("backup", "digest"),
            List.of("restore", "events", "--from", none),
            List.of("restore", "base", "--from", none, "--data-dir", none, "--until", "yesterday"),
            List.of("replay", "restore", "accept"),
            List.of("replay", "restore", "mark"))) {
      Said said = ledger(words.toArray(new String[0]));
      assertEquals(LedgerCli.USAGE, said.exit(), words + ": " + said);
    }
  }
}

package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The launcher as a user runs it: a process that is killed, stopped, and started again. */
class ProcessIT {

  private static final Path LAUNCHER = Path.of("../ops/bin/ledger").toAbsolutePath().normalize();
  private static final Duration START_LIMIT = Duration.ofSeconds(60);
  private static final int KILLS = 20;
  private static final int CLIENTS = 8;

  @TempDir Path directory;
  private final List<Process> started = new ArrayList<>();

  private record Node(Process process, HttpProbe http, String url) {}

  /** What a command line said. */
  private record Said(int exitCode, String out, String err) {}

  @AfterEach
  void endWhatWasStarted() throws Exception {
    for (Process process : started) {
      process.destroy();
      if (!process.waitFor(30, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    }
    // A server that was killed leaves its PostgreSQL behind for the next one to adopt.
    Path pidFile = data().resolve("postgres/postmaster.pid");
    if (Files.exists(pidFile)) {
      long pid = Long.parseLong(Files.readAllLines(pidFile).get(0));
      ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
    }
  }

  private Path data() {
    return directory.resolve("data");
  }

  private Node serve(String... more) throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                LAUNCHER.toString(),
                "serve",
                "--http-bind",
                "127.0.0.1:0",
                "--data-dir",
                data().toString()));
    command.addAll(List.of(more));
    Path out = Files.createTempFile(directory, "serve", ".out");
    Process process =
        new ProcessBuilder(command)
            .redirectOutput(out.toFile())
            .redirectError(ProcessBuilder.Redirect.appendTo(directory.resolve("log").toFile()))
            .start();
    started.add(process);
    String prefix = "ledger ready on ";
    Instant end = Instant.now().plus(START_LIMIT);
    while (process.isAlive() && Instant.now().isBefore(end)) {
      String said = Files.readString(out);
      if (said.startsWith(prefix) && said.endsWith("\n")) {
        String url = said.substring(prefix.length()).strip();
        return new Node(process, new HttpProbe(url), url);
      }
      process.waitFor(20, TimeUnit.MILLISECONDS);
    }
    throw new AssertionError("no server: " + Files.readString(directory.resolve("log")));
  }

  private static void kill9(long pid) throws Exception {
    new ProcessBuilder("kill", "-9", Long.toString(pid)).start().waitFor();
  }

  private Said run(Map<String, String> environment, String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of(LAUNCHER.toString()));
    command.addAll(List.of(arguments));
    Path out = Files.createTempFile(directory, "cli", ".out");
    Path err = Files.createTempFile(directory, "cli", ".err");
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().putAll(environment);
    Process process = builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start();
    started.add(process);
    assertTrue(process.waitFor(60, TimeUnit.SECONDS), "the command ends");
    return new Said(
        process.exitValue(),
        Files.readString(out, StandardCharsets.UTF_8),
        Files.readString(err, StandardCharsets.UTF_8));
  }

  @Test
  @Tag("long")
  void killedAtRandomMomentsItLosesNoAcknowledgedTokenAndRevivesNoRevocation() throws Exception {
    Node node = serve();
    String operator = HttpProbe.json(node.http().bootstrap()).path("token").asString();
    Map<String, String> live = new ConcurrentHashMap<>();
    Queue<String> revoked = new ConcurrentLinkedQueue<>();
    Random random = new Random(20261124);
    for (int round = 0; round < KILLS; round++) {
      Node current = node;
      int thisRound = round;
      AtomicBoolean stop = new AtomicBoolean();
      List<Thread> clients = new ArrayList<>();
      for (int client = 0; client < CLIENTS; client++) {
        String prefix = "k" + thisRound + "-" + client + "-";
        Thread thread =
            new Thread(() -> hammer(current.http(), operator, prefix, stop, live, revoked), prefix);
        thread.start();
        clients.add(thread);
      }
      // Begun once, killed with each round, and gone on with by the next.
      int begun = current.http().post("/api/v1/replay/start", operator, "").statusCode();
      assertEquals(round == 0 ? 202 : 409, begun);
      current.process().waitFor(200 + random.nextInt(400), TimeUnit.MILLISECONDS);
      kill9(current.process().pid());
      stop.set(true);
      for (Thread client : clients) {
        client.join(60_000);
      }
      current.process().waitFor(10, TimeUnit.SECONDS);
      node = serve();
    }
    assertTrue(live.size() > KILLS, "the load did something: " + live.size());
    assertFalse(revoked.isEmpty());
    for (String secret : live.values()) {
      assertEquals("granted", reason(node, operator, secret));
    }
    for (String secret : revoked) {
      assertEquals("revoked_token", reason(node, operator, secret));
    }
    String replay = node.http().post("/api/v1/replay/verify", operator, "").body();
    assertTrue(replay.contains("\"equal\":true"), replay);
  }

  private static void hammer(
      HttpProbe http,
      String operator,
      String prefix,
      AtomicBoolean stop,
      Map<String, String> live,
      Queue<String> revoked) {
    for (int i = 0; !stop.get() && i < 10_000; i++) {
      try {
        String name = prefix + i;
        String secret = http.create(operator, name, "db", "a", "read");
        live.put(name, secret);
        if (i % 3 == 0) {
          // From here on its fate is unknown until the answer is there.
          live.remove(name);
          if (http.delete(name, operator).statusCode() == 200) {
            revoked.add(secret);
          }
        }
      } catch (java.io.UncheckedIOException | AssertionError e) {
        // The server is gone, as it should be.
        return;
      }
    }
  }

  private static String reason(Node node, String operator, String secret) {
    HttpResponse<String> answer =
        node.http()
            .post(
                "/api/v1/check",
                operator,
                "{\"token\":\""
                    + secret
                    + "\",\"resource_type\":\"db\",\"resource_name\":\"a\",\"action\":\"read\"}");
    return HttpProbe.json(answer).path("reason").asString();
  }

  @Test
  @Tag("long")
  void withoutItsDatabaseItSaysSoAndRecoversUnaided() throws Exception {
    Node node = serve();
    String operator = HttpProbe.json(node.http().bootstrap()).path("token").asString();
    long postgres =
        Long.parseLong(Files.readAllLines(data().resolve("postgres/postmaster.pid")).get(0));
    new ProcessBuilder("kill", "-STOP", Long.toString(postgres)).start().waitFor();
    for (ProcessHandle backend : ProcessHandle.of(postgres).orElseThrow().descendants().toList()) {
      new ProcessBuilder("kill", "-STOP", Long.toString(backend.pid())).start().waitFor();
    }
    try {
      // Pooled sessions hang; a new one cannot be had: either way there is no answer to give.
      HttpResponse<String> check = node.http().get("/health", operator);
      assertEquals(503, check.statusCode());
      assertTrue(check.headers().firstValue("retry-after").isPresent());
    } finally {
      for (ProcessHandle backend :
          ProcessHandle.of(postgres).orElseThrow().descendants().toList()) {
        new ProcessBuilder("kill", "-CONT", Long.toString(backend.pid())).start().waitFor();
      }
      new ProcessBuilder("kill", "-CONT", Long.toString(postgres)).start().waitFor();
    }
    Instant end = Instant.now().plusSeconds(40);
    int status = 0;
    while (status != 200 && Instant.now().isBefore(end)) {
      status = node.http().get("/health", operator).statusCode();
    }
    assertEquals(200, status);
  }

  @Test
  @Tag("long")
  void itsOwnPostgresIsStartedAgainWhenItIsKilled() throws Exception {
    Node node = serve();
    String operator = HttpProbe.json(node.http().bootstrap()).path("token").asString();
    kill9(Long.parseLong(Files.readAllLines(data().resolve("postgres/postmaster.pid")).get(0)));
    Instant end = Instant.now().plusSeconds(60);
    int status = 0;
    while (status != 201 && Instant.now().isBefore(end)) {
      HttpResponse<String> answer =
          node.http().post(TokenRoutes.NAMED_ADMIN, operator, "{\"token_name\":\"after\"}");
      status = answer.statusCode();
      assertTrue(List.of(201, 503).contains(status), answer.body());
    }
    assertEquals(201, status);
  }

  @Test
  @Tag("long")
  void theCommandLineTellsItsStoryWithExitCodes() throws Exception {
    Node node = serve();
    Map<String, String> host = Map.of("LEDGER_HOST_URL", node.url());
    Said operator = run(host, "create", "token", "--admin", "--format", "json");
    assertEquals(0, operator.exitCode(), operator.err());
    String secret = JsonMapper.shared().readTree(operator.out()).path("token").asString();
    Map<String, String> environment =
        Map.of(
            "LEDGER_HOST_URL",
            node.url(),
            "LEDGER_AUTH_TOKEN",
            secret,
            "INFLUXDB3_AUTH_TOKEN",
            "not this one",
            "INFLUXDB3_HOST_URL",
            "http://127.0.0.1:9");
    String[] create = {
      "create", "token", "--permission", "db:A,B:read,write", "--name", "cli", "--expiry", "7d"
    };
    Said made = run(environment, create);
    assertEquals(0, made.exitCode(), made.err());
    assertTrue(made.out().contains("New token created successfully!"));
    assertFalse(made.out().contains("\u001b"), "no colours into a pipe");

    Said again = run(environment, create);
    assertEquals(1, again.exitCode());
    assertTrue(again.err().contains("409 token name already exists, cli"), again.err());
    assertEquals(1, again.err().strip().split("\n").length);

    Said operatorAgain = run(environment, "create", "token", "--admin");
    assertEquals(1, operatorAgain.exitCode());
    assertTrue(operatorAgain.err().contains("create token --admin --regenerate"));
    assertFalse(operatorAgain.err().contains("delete it first"), "it cannot be deleted");

    Said bad = run(environment, "create", "token", "--permission", "db:A", "--name", "x");
    assertEquals(1, bad.exitCode());
    assertTrue(bad.err().contains("Invalid permission"), bad.err());
    Said zero = run(environment, "create", "token", "--admin", "--name", "x", "--expiry", "0");
    assertEquals(1, zero.exitCode());
    assertTrue(zero.err().contains("--expiry"), zero.err());

    assertEquals(0, run(environment, "delete", "token", "--token-name", "cli", "-y").exitCode());
    Said log = run(environment, "audit", "log", "--token", "cli", "--format", "csv");
    assertEquals(0, log.exitCode(), log.err());
    assertEquals(4, log.out().strip().split("\n").length, log.out());

    assertEquals(0, run(environment, "replay", "verify").exitCode());
    Said held = run(environment, "replay", "verify", "--data-dir", data().toString());
    assertEquals(3, held.exitCode());
    assertTrue(held.err().contains("the server is running: drop --data-dir"), held.err());

    anyMomentIsBuiltAsideWithProgressForMachinesAndForEyes(environment);
    node.process().destroy();
    assertTrue(node.process().waitFor(30, TimeUnit.SECONDS));
    assertEquals(0, node.process().exitValue(), "SIGTERM drains");
    Said offline = run(environment, "replay", "verify", "--data-dir", data().toString());
    assertEquals(0, offline.exitCode(), offline.err());
    assertEquals(3, run(environment, "replay", "verify").exitCode());
    theSwapWithoutAServerLeavesItsEventWhereTheKeysAre(environment);
  }

  private void anyMomentIsBuiltAsideWithProgressForMachinesAndForEyes(
      Map<String, String> environment) throws Exception {
    for (String moment : List.of("leaf:1", "time:" + Instant.now())) {
      Said built =
          run(environment, "replay", "start", "--to", moment, "--wait", "--format", "jsonl");
      assertEquals(0, built.exitCode(), built.err());
      List<JsonNode> lines = built.out().lines().map(JsonMapper.shared()::readTree).toList();
      JsonNode last = lines.get(lines.size() - 1);
      assertEquals("ready", last.path("state").asString(), built.out());
      assertTrue(last.path("schema").asString().startsWith("replay_"), built.out());
      assertTrue(last.path("events_done").asLong() > 0, built.out());
      assertTrue(lines.stream().allMatch(line -> line.has("events_per_second")), built.out());
      assertTrue(lines.stream().allMatch(line -> line.has("position")), built.out());
      assertTrue(Instant.parse(last.path("drop_after").asString()).isAfter(Instant.now()));
    }
    for (String wrong : List.of("leaf:99999", "time:2999-01-01T00:00:00Z", "soon")) {
      Said refused = run(environment, "replay", "start", "--to", wrong, "--wait");
      assertEquals(3, refused.exitCode(), refused.out());
      assertTrue(refused.err().contains("to "), refused.err());
    }
    // A terminal, as a person has one.
    Path typescript = directory.resolve("typescript");
    ProcessBuilder terminal =
        new ProcessBuilder(
                "script",
                "--quiet",
                "--return",
                "--command",
                LAUNCHER + " replay start --to leaf:1 --wait",
                typescript.toString())
            .redirectInput(ProcessBuilder.Redirect.from(new File("/dev/null")))
            .redirectOutput(ProcessBuilder.Redirect.DISCARD);
    terminal.environment().putAll(environment);
    assertEquals(0, terminal.start().waitFor());
    String seen = Files.readString(typescript);
    assertTrue(seen.contains("\r[" + "#".repeat(30) + "] "), seen);
    assertTrue(seen.contains(" events, "), seen);
    assertTrue(seen.contains(" s left"), seen);
  }

  private void theSwapWithoutAServerLeavesItsEventWhereTheKeysAre(Map<String, String> environment)
      throws Exception {
    String[] swap = {
      "replay", "swap", "--data-dir", data().toString(), "--ticket", "CHG-7", "--reason", "a drill"
    };
    Said recorded = run(environment, swap);
    assertEquals(0, recorded.exitCode(), recorded.err());
    assertFalse(recorded.err().contains("no event"), recorded.err());
    Path key = data().resolve("ledger.key");
    Path away = data().resolve("away.key");
    Files.move(key, away);
    Said silent = run(environment, swap);
    assertEquals(0, silent.exitCode(), silent.err());
    assertTrue(
        silent.err().contains("no event records this swap: there is no --ledger-key-file"),
        silent.err());
    assertFalse(Files.exists(key), "no key of nobody's is made");
    Files.move(away, key);

    Node node = serve();
    Map<String, String> there = new HashMap<>(environment);
    there.put("LEDGER_HOST_URL", node.url());
    Said log = run(there, "audit", "log", "--action", "replay.swap", "--format", "json");
    assertEquals(0, log.exitCode(), log.err());
    assertEquals(1, log.out().strip().lines().count(), log.out());
    JsonNode event = JsonMapper.shared().readTree(log.out());
    assertEquals("system", event.path("actor").path("type").asString());
    JsonNode envelope = event.path("envelope");
    assertEquals("offline", envelope.path("actor").path("auth_method").asString());
    String client = envelope.path("source").path("client").asString();
    assertTrue(client.startsWith("cli/0."), client);
    assertEquals("CHG-7", envelope.path("ticket").asString());
    assertEquals("a drill", envelope.path("reason").asString());
  }

  @Test
  void whatCannotStartSaysWhyInOneLine() throws Exception {
    Node node = serve();
    int port = java.net.URI.create(node.url()).getPort();
    Said taken =
        run(
            Map.of(),
            "serve",
            "--http-bind",
            "127.0.0.1:" + port,
            "--data-dir",
            directory.resolve("other").toString());
    assertEquals(1, taken.exitCode());
    assertTrue(taken.err().contains("port " + port + " is taken"), taken.err());
    assertEquals(1, taken.err().strip().lines().count(), taken.err());
    Said held =
        run(Map.of(), "serve", "--http-bind", "127.0.0.1:0", "--data-dir", data().toString());
    assertEquals(1, held.exitCode());
    assertTrue(held.err().contains("another ledger works on the data directory"), held.err());
    Said bad = run(Map.of(), "serve", "--http-bind", "nowhere");
    assertEquals(1, bad.exitCode());
    assertTrue(bad.err().contains("--http-bind must be HOST:PORT"), bad.err());
    Said url = run(Map.of(), "serve", "--database-url", "postgresql://u:secret@h");
    assertEquals(1, url.exitCode());
    assertTrue(url.err().contains("--database-url"), url.err());
    assertFalse(url.err().contains("secret"), "the password is not repeated");
  }

  @Test
  void aStartThatCannotWorkNamesItsFlagInOneLine() throws Exception {
    Path garbage = directory.resolve("garbage.pem");
    Files.writeString(garbage, "no certificate");
    Path missing = directory.resolve("missing.pem");
    for (List<String> flags :
        List.of(
            List.of("--http-bind", "no.such.host.invalid:8181", "there is no such host"),
            List.of("--http-bind", "192.0.2.1:8181", "no address of this machine"),
            List.of("--admin-token-recovery-http-bind", "127.9.9.9:99999", "must be HOST:PORT"),
            List.of("--tls-cert", missing.toString(), "cannot be read", "--tls-key", "x"),
            List.of("--tls-key", missing.toString(), "cannot be read", "--tls-cert", "" + garbage),
            List.of("--tls-cert", garbage.toString(), "cannot be used", "--tls-key", "" + garbage),
            List.of("--admin-token-file", missing.toString(), "cannot be read"))) {
      List<String> arguments = new ArrayList<>(flags);
      String says = arguments.remove(2);
      arguments.add(0, "serve");
      arguments.addAll(List.of("--data-dir", data().toString()));
      if (!arguments.contains("--http-bind")) {
        arguments.addAll(List.of("--http-bind", "127.0.0.1:0"));
      }
      Said refused = run(Map.of(), arguments.toArray(new String[0]));
      assertEquals(1, refused.exitCode(), refused.err());
      List<String> lines = refused.err().strip().lines().toList();
      String last = lines.get(lines.size() - 1);
      assertTrue(last.startsWith("ledger: ") && last.contains(flags.get(0)), refused.err());
      assertTrue(last.contains(says), last);
      assertFalse(refused.err().contains("Exception"), refused.err());
    }
  }

  @Test
  void tokensFromFilesAreProvisionedAndAnAdminAmongThemClosesTheBootstrap() throws Exception {
    Path admin = directory.resolve("admin.json");
    Files.writeString(admin, "{\"token\":\"apiv3_chosen-admin\",\"name\":\"admin\"}");
    Path tokens = directory.resolve("tokens.json");
    Files.writeString(
        tokens,
        "{\"create_databases\":[\"a\"],\"tokens\":[{\"token\":\"apiv3_chosen-reader\",\"name\":\"r\","
            + "\"permissions\":[\"db:a:read\",\"system:ping:read\"]}]}");
    Node node =
        serve(
            "--admin-token-file", admin.toString(), "--permission-tokens-file", tokens.toString());
    assertEquals(200, node.http().get("/ping", "apiv3_chosen-reader").statusCode());
    assertEquals(200, node.http().get("/health", "apiv3_chosen-admin").statusCode());
    assertEquals(409, node.http().bootstrap().statusCode());
  }

  @Test
  @Tag("long")
  void aLostOperatorTokenIsRegeneratedOnceThroughTheRecoveryPort() throws Exception {
    Node first = serve();
    String lost = HttpProbe.json(first.http().bootstrap()).path("token").asString();
    first.process().destroy();
    first.process().waitFor(30, TimeUnit.SECONDS);
    int port;
    try (var socket = new java.net.ServerSocket(0)) {
      port = socket.getLocalPort();
    }
    Node node = serve("--admin-token-recovery-http-bind", "127.0.0.1:" + port);
    HttpProbe recovery = new HttpProbe("http://127.0.0.1:" + port);
    assertEquals(404, recovery.bootstrap().statusCode());
    HttpResponse<String> badly =
        recovery.send(
            recovery
                .request(TokenRoutes.REGENERATE)
                .header("Ledger-Reason", "%zz")
                .POST(BodyPublishers.noBody()));
    assertEquals(400, badly.statusCode());
    HttpResponse<String> made =
        recovery.send(
            recovery
                .request(TokenRoutes.REGENERATE)
                .header("Ledger-Reason", "the laptop is lost")
                .header("Ledger-Ticket", "CHG-7")
                .header("Ledger-On-Behalf-Of", "Carol")
                .POST(BodyPublishers.noBody()));
    assertEquals(201, made.statusCode(), made.body());
    String operator = HttpProbe.json(made).path("token").asString();
    String trail = node.http().get("/api/v1/audit/events?action=token.regenerate", operator).body();
    for (String said : List.of("the laptop is lost", "CHG-7", "Carol", "\"recovery\"")) {
      assertTrue(trail.contains(said), trail);
    }
    assertEquals(401, node.http().get("/health", lost).statusCode());
    assertEquals(200, node.http().get("/health", operator).statusCode());
    Instant end = Instant.now().plusSeconds(10);
    boolean closed = false;
    while (!closed && Instant.now().isBefore(end)) {
      try {
        recovery.bootstrap();
      } catch (java.io.UncheckedIOException e) {
        closed = true;
      }
    }
    assertTrue(closed, "the recovery port closes after its use");
  }

  @Test
  @Tag("long")
  void theRecoveryPortSaysThatThereIsNoOperatorTokenAndStaysOpen() throws Exception {
    int port;
    try (var socket = new java.net.ServerSocket(0)) {
      port = socket.getLocalPort();
    }
    serve("--admin-token-recovery-http-bind", "127.0.0.1:" + port);
    HttpProbe recovery = new HttpProbe("http://127.0.0.1:" + port);
    for (int i = 0; i < 2; i++) {
      HttpResponse<String> refused = recovery.post(TokenRoutes.REGENERATE, "none", "");
      assertEquals(500, refused.statusCode());
      assertEquals("missing admin token, cannot update", refused.body());
    }
  }

  @Test
  void withACertificateItSpeaksTlsToWhoTrustsIt() throws Exception {
    Path store = directory.resolve("store.p12");
    Process keytool =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-alias",
                "a",
                "-keyalg",
                "EC",
                "-dname",
                "CN=localhost",
                "-ext",
                "san=ip:127.0.0.1",
                "-storetype",
                "PKCS12",
                "-keystore",
                store.toString(),
                "-storepass",
                "changeit")
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    assertEquals(0, keytool.waitFor());
    KeyStore keys = KeyStore.getInstance(store.toFile(), "changeit".toCharArray());
    Path certificate = directory.resolve("cert.pem");
    Path key = directory.resolve("key.pem");
    Files.writeString(certificate, pem("CERTIFICATE", keys.getCertificate("a").getEncoded()));
    Files.writeString(
        key, pem("PRIVATE KEY", keys.getKey("a", "changeit".toCharArray()).getEncoded()));

    Node node = serve("--tls-cert", certificate.toString(), "--tls-key", key.toString());
    assertTrue(node.url().startsWith("https://127.0.0.1:"), node.url());
    Map<String, String> host = Map.of("LEDGER_HOST_URL", node.url());
    Said stranger = run(host, "create", "token", "--admin");
    assertEquals(1, stranger.exitCode());
    Said trusting = run(host, "create", "token", "--admin", "--tls-ca", certificate.toString());
    assertEquals(0, trusting.exitCode(), trusting.err());
    // The operator exists now: the answer shows that the connection was made.
    Said careless = run(host, "create", "token", "--admin", "--tls-no-verify");
    assertTrue(careless.err().contains("409"), careless.err());
  }

  private static String pem(String type, byte[] der) {
    return "-----BEGIN "
        + type
        + "-----\n"
        + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der)
        + "\n-----END "
        + type
        + "-----\n";
  }

  @Test
  @Tag("long")
  void aForwardedAddressIsBelievedFromATrustedProxyOnly() throws Exception {
    Node node = serve("--trusted-proxies", "127.0.0.0/8, 10.0.0.0/8");
    String operator = HttpProbe.json(node.http().bootstrap()).path("token").asString();
    String forged = "192.0.2.1, 198.51.100.9, 10.1.2.3";
    HttpResponse<String> made =
        node.http()
            .send(
                node.http()
                    .request(TokenRoutes.NAMED_ADMIN)
                    .header("Authorization", "Bearer " + operator)
                    .header("Content-Type", "application/json")
                    .header("X-Forwarded-For", forged)
                    .POST(
                        java.net.http.HttpRequest.BodyPublishers.ofString(
                            "{\"token_name\":\"forwarded\"}")));
    assertEquals(201, made.statusCode());
    String trail = node.http().get("/api/v1/audit/events?token=forwarded", operator).body();
    assertTrue(
        trail.contains("\"forwarded_for\":\"198.51.100.9\",\"forwarded_trusted\":true"), trail);
    // A proxy may leave the caller's line as it is and add its own below.
    String[] lines = {"192.0.2.1, ".repeat(60) + "192.0.2.1", "198.51.100.10, 10.1.2.3"};
    HttpResponse<String> twoLines =
        node.http()
            .send(
                node.http()
                    .request("/api/v3/configure/token?token_name=two-lines")
                    .header("Authorization", "Bearer " + operator)
                    .header("X-Forwarded-For", lines[0])
                    .header("X-Forwarded-For", lines[1])
                    .DELETE());
    assertEquals(404, twoLines.statusCode());
    String second = node.http().get("/api/v1/audit/events?token=two-lines", operator).body();
    assertTrue(
        second.contains("\"forwarded_for\":\"198.51.100.10\",\"forwarded_trusted\":true"), second);
    assertFalse(
        Files.readString(directory.resolve("log")).contains("apiv3_"), "no secret in a log");
  }

  @Test
  void withoutAuthNoTokenCanBeMade() throws Exception {
    Node node = serve("--without-auth");
    HttpResponse<String> refused = node.http().bootstrap();
    assertEquals(405, refused.statusCode());
    assertEquals("endpoint disabled, started without auth", refused.body());
    assertEquals(200, node.http().send(node.http().request("/health")).statusCode());
  }

  @Test
  @Tag("long")
  void probesCanBeOpenedToAnyone() throws IOException, Exception {
    Node node = serve("--disable-authz", "health,ready");
    assertEquals(200, node.http().send(node.http().request("/health")).statusCode());
    assertEquals(200, node.http().send(node.http().request("/ready")).statusCode());
    assertEquals(401, node.http().send(node.http().request("/ping")).statusCode());
  }

  @Test
  void anOpenPingTellsStrangersNothingButThatItIsAlive() throws Exception {
    Node node = serve("--disable-authz", "ping");
    HttpResponse<String> ping = node.http().send(node.http().request("/ping"));
    assertEquals(200, ping.statusCode());
    assertEquals("OK", ping.body());
    assertTrue(ping.headers().firstValue("x-influxdb-version").isEmpty());
  }
}

package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import io.tokenledger.postgres.PostgresBinaries;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nodes on a PostgreSQL of the user's own, of the oldest version that is promised. */
class ExternalDatabaseIT {

  private static final Path LAUNCHER = Path.of("../ops/bin/ledger").toAbsolutePath().normalize();
  private static final int NAMES = 1_000;
  private static final int CLIENTS_A_NODE = 32;

  @TempDir Path directory;
  private EmbeddedPostgres postgres;
  private final List<Process> started = new ArrayList<>();

  @BeforeEach
  void startDatabase() throws Exception {
    postgres = EmbeddedPostgres.start(directory.resolve("postgres"), binaries());
    try (Connection connection = connect(postgres.url());
        Statement statement = connection.createStatement()) {
      statement.execute("CREATE ROLE owner LOGIN CREATEROLE PASSWORD 'p@ss'");
      statement.execute("CREATE DATABASE tokens OWNER owner");
    }
  }

  @AfterEach
  void stopEverything() throws Exception {
    for (Process process : started) {
      process.destroy();
      if (!process.waitFor(30, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    }
    postgres.close();
  }

  private static Path binaries() throws Exception {
    Path jar = Path.of("target/oldest-postgres/postgres.jar").toAbsolutePath();
    if (!Files.exists(jar)) {
      return Path.of("target/app/postgres");
    }
    Path unpacked = jar.resolveSibling("unpacked");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                jar + File.pathSeparator + System.getProperty("java.class.path"),
                PostgresBinaries.class.getName(),
                unpacked.toString())
            .inheritIO()
            .start();
    assertEquals(0, process.waitFor());
    return unpacked;
  }

  private static Connection connect(DatabaseUrl url) throws Exception {
    return DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
  }

  private DatabaseUrl owner() {
    return postgres.url().on("tokens").as("owner", "p@ss");
  }

  private String logs() {
    try {
      return Files.readString(directory.resolve("one.err"))
          + Files.readString(directory.resolve("two.err"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Process launch(String node) throws Exception {
    ProcessBuilder builder =
        new ProcessBuilder(
                LAUNCHER.toString(),
                "serve",
                "--http-bind",
                "127.0.0.1:0",
                "--node-id",
                node,
                "--data-dir",
                directory.resolve("keys").toString())
            .redirectOutput(directory.resolve(node + ".out").toFile())
            .redirectError(directory.resolve(node + ".err").toFile());
    builder
        .environment()
        .put(
            "LEDGER_DATABASE_URL",
            "postgresql://owner:p%40ss@127.0.0.1:" + postgres.port() + "/tokens");
    Process process = builder.start();
    started.add(process);
    return process;
  }

  private HttpProbe ready(String node, Process process) throws Exception {
    Instant end = Instant.now().plusSeconds(60);
    while (process.isAlive() && Instant.now().isBefore(end)) {
      String said = Files.readString(directory.resolve(node + ".out"));
      if (said.endsWith("\n")) {
        return new HttpProbe(said.replace("ledger ready on ", "").strip());
      }
      process.waitFor(20, TimeUnit.MILLISECONDS);
    }
    throw new AssertionError(Files.readString(directory.resolve(node + ".err")));
  }

  @Test
  @Tag("long")
  void twoNodesThatStartAtOnceMigrateOnceAndMakeEachOfAThousandNamesOnce() throws Exception {
    Process one = launch("one");
    Process two = launch("two");
    List<HttpProbe> nodes = List.of(ready("one", one), ready("two", two));
    String operator = HttpProbe.json(nodes.get(0).bootstrap()).path("token").asString();
    assertEquals(200, nodes.get(1).get("/health", operator).statusCode());

    Map<Integer, AtomicInteger> statuses = new ConcurrentHashMap<>();
    Queue<String> wrong = new ConcurrentLinkedQueue<>();
    ExecutorService clients = Executors.newFixedThreadPool(2 * CLIENTS_A_NODE);
    for (int i = 0; i < NAMES; i++) {
      String body =
          "{\"token_name\":\"same"
              + i
              + "\",\"permissions\":[{\"resource_type\":\"db\","
              + "\"resource_names\":[\"a\"],\"actions\":[\"read\"]}]}";
      String conflict = "token name already exists, same" + i;
      for (HttpProbe node : nodes) {
        clients.execute(
            () -> {
              HttpResponse<String> answer =
                  node.post("/api/v3/enterprise/configure/token", operator, body);
              boolean right = answer.statusCode() == 201 || answer.body().equals(conflict);
              if (right) {
                statuses
                    .computeIfAbsent(answer.statusCode(), key -> new AtomicInteger())
                    .incrementAndGet();
              } else {
                wrong.add(answer.statusCode() + " " + answer.body());
              }
            });
      }
    }
    clients.shutdown();
    assertTrue(clients.awaitTermination(120, TimeUnit.SECONDS));
    assertEquals(List.of(), List.copyOf(wrong), this::logs);
    assertEquals(
        Map.of(201, NAMES, 409, NAMES),
        Map.of(201, statuses.get(201).get(), 409, statuses.get(409).get()),
        statuses::toString);
    String replay = nodes.get(1).post("/api/v1/replay/verify", operator, "").body();
    assertTrue(replay.contains("\"equal\":true"), replay);
    try (Connection connection = connect(owner());
        Statement statement = connection.createStatement();
        var row =
            statement.executeQuery(
                "SELECT count(*) FROM migrations.flyway_schema_history WHERE version = '1'")) {
      row.next();
      assertEquals(1, row.getInt(1));
    }
  }

  @Test
  @Tag("long")
  void aStoppedDatabaseIsSaidToBeUnavailableAndRecoveredFromUnaided() throws Exception {
    HttpProbe node = ready("one", launch("one"));
    String operator = HttpProbe.json(node.bootstrap()).path("token").asString();
    String reader = node.create(operator, "reader", "db", "a", "read");
    int port = postgres.port();
    postgres.close();
    for (HttpResponse<String> answer :
        List.of(
            node.get("/ready", operator),
            node.get("/nope", "unknown"),
            node.post("/api/v1/check", operator, "{}"),
            node.post("/api/v3/enterprise/configure/token", operator, "{}"),
            node.delete("reader", operator),
            node.bootstrap(),
            // Their refusals need no database to be found out, but one to be recorded: each time.
            node.send(node.request("/nope")),
            node.send(node.request("/nope")),
            node.send(node.request("/nope").header("Authorization", "nonsense")),
            node.send(node.request("/nope").header("Authorization", "nonsense")))) {
      assertEquals(503, answer.statusCode(), answer.body());
      assertEquals("5", answer.headers().firstValue("retry-after").orElse(""));
    }
    postgres = EmbeddedPostgres.start(directory.resolve("postgres"), binaries(), port);
    Instant end = Instant.now().plus(Duration.ofSeconds(60));
    while (node.get("/ready", operator).statusCode() != 200) {
      assertTrue(Instant.now().isBefore(end), "it recovers");
    }
    assertEquals(401, node.get("/ready", "unknown").statusCode());
    assertEquals(
        201,
        node.send(
                node.request("/api/v3/configure/token/named_admin")
                    .header("Authorization", "Bearer " + operator)
                    .header("Content-Type", "application/json")
                    .POST(
                        java.net.http.HttpRequest.BodyPublishers.ofString(
                            "{\"token_name\":\"after\"}")))
            .statusCode());
    String trail = node.get("/api/v1/audit/events", operator).body();
    assertTrue(trail.contains("\"after\""), "events are sequenced again");
    assertEquals(
        "granted",
        HttpProbe.json(
                node.post(
                    "/api/v1/check",
                    operator,
                    "{\"token\":\""
                        + reader
                        + "\",\"resource_type\":\"db\","
                        + "\"resource_name\":\"a\",\"action\":\"read\"}"))
            .path("reason")
            .asString());
  }

  @Test
  @Tag("long")
  void anOlderProgramRefusesANewerSchema() throws Exception {
    Process first = launch("one");
    ready("one", first);
    first.destroy();
    first.waitFor(30, TimeUnit.SECONDS);
    try (Connection connection = connect(owner());
        Statement statement = connection.createStatement()) {
      statement.execute(
          "INSERT INTO migrations.flyway_schema_history SELECT installed_rank + 999, '999', 'newer',"
              + " type, 'V999__newer.sql', checksum, installed_by, installed_on, execution_time,"
              + " success FROM migrations.flyway_schema_history WHERE version = '1'");
    }
    Process older = launch("two");
    assertTrue(older.waitFor(60, TimeUnit.SECONDS));
    assertEquals(1, older.exitValue());
    String said = Files.readString(directory.resolve("two.err"));
    assertTrue(said.contains("made by a newer version of the ledger"), said);
  }

  @Test
  void anOwnerThatMayNotMakeRolesIsToldWhichSqlToRun() throws Exception {
    try (Connection connection = connect(postgres.url());
        Statement statement = connection.createStatement()) {
      statement.execute("ALTER ROLE owner NOCREATEROLE");
    }
    Process node = launch("one");
    assertTrue(node.waitFor(60, TimeUnit.SECONDS));
    String said = Files.readString(directory.resolve("one.err"));
    assertTrue(said.contains("ALTER ROLE \"owner\" CREATEROLE;"), said);
  }
}

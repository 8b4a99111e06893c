package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.ServerSocket;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The shipped gateway configurations, run by the nginx and Caddy of Debian in front of Debian's
 * InfluxDB 1.6 and of a QuestDB, and asked by client libraries of others.
 */
@Tag("client")
class RealGatewayIT {

  private static final Path CONFIGURATIONS = Path.of("../ops/gateways").toAbsolutePath();
  private static final Path CLIENTS = Path.of("target/clients").toAbsolutePath();

  @TempDir static Path directory;
  private static final Deque<Process> PROCESSES = new ArrayDeque<>();
  private static Server server;
  private static HttpProbe ledger;
  private static String operator;
  private static String reader;
  private static String writer;
  private static String questdbWriter;
  private static int nginx;
  private static int caddy;
  private static int questdb;

  @BeforeAll
  static void start() throws Exception {
    server = Server.start(ServerIT.options(directory.resolve("data"), Map.of()));
    ledger = new HttpProbe(server.url());
    operator = HttpProbe.json(ledger.bootstrap()).path("token").asString();
    reader = ledger.create(operator, "reader", "db", "mydb", "read");
    writer = ledger.create(operator, "writer", "db", "mydb", "write");
    questdbWriter = ledger.create(operator, "questdb-writer", "db", "questdb", "write");
    int influxDb = influxDb();
    nginx = freePort();
    questdb = freePort();
    nginx(
        configuration("nginx-influxdb.conf", nginx, "8086", influxDb),
        configuration("nginx-questdb.conf", questdb, "9000", questDb()));
    caddy = freePort();
    caddy(configuration("Caddyfile", caddy, "8086", influxDb));
    HttpResponse<String> made =
        through(nginx, operator, "POST", "/query?q=CREATE%20DATABASE%20mydb");
    assertEquals(200, made.statusCode(), made.body());
    assertEquals(
        200, through(nginx, operator, "POST", "/query?q=CREATE%20DATABASE%20other").statusCode());
  }

  @AfterAll
  static void stop() throws Exception {
    while (!PROCESSES.isEmpty()) {
      Process process = PROCESSES.pop();
      process.destroy();
      if (!process.waitFor(10, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
    }
    server.close();
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  /** The shipped file with this test's addresses, as a reader would set his. */
  private static String configuration(String file, int port, String database, int databasePort)
      throws IOException {
    String text = Files.readString(CONFIGURATIONS.resolve(file));
    for (String address : List.of(":8080", "127.0.0.1:8181", "127.0.0.1:" + database)) {
      assertTrue(text.contains(address), file + " names " + address);
    }
    return text.replace(":8080", ":" + port)
        .replace("127.0.0.1:8181", server.url().substring("http://".length()))
        .replace("127.0.0.1:" + database, "127.0.0.1:" + databasePort);
  }

  private static void run(String name, int port, Map<String, String> environment, String... command)
      throws Exception {
    Path log = directory.resolve(name + ".log");
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile());
    builder.environment().putAll(environment);
    Process process = builder.start();
    PROCESSES.push(process);
    Instant end = Instant.now().plusSeconds(60);
    while (true) {
      try (java.net.Socket socket = new java.net.Socket("127.0.0.1", port)) {
        assertTrue(socket.isConnected());
        return;
      } catch (IOException e) {
        assertTrue(
            process.isAlive() && Instant.now().isBefore(end),
            () -> name + " does not serve, see " + log);
        TimeUnit.MILLISECONDS.sleep(50);
      }
    }
  }

  private static int influxDb() throws Exception {
    int port = freePort();
    Path files = directory.resolve("influxdb");
    run(
        "influxd",
        port,
        Map.of(
            "INFLUXDB_REPORTING_DISABLED",
            "true",
            "INFLUXDB_BIND_ADDRESS",
            "127.0.0.1:" + freePort(),
            "INFLUXDB_HTTP_BIND_ADDRESS",
            "127.0.0.1:" + port,
            "INFLUXDB_META_DIR",
            files.resolve("meta").toString(),
            "INFLUXDB_DATA_DIR",
            files.resolve("data").toString(),
            "INFLUXDB_DATA_WAL_DIR",
            files.resolve("wal").toString()),
        "influxd",
        "run",
        "-config",
        "/dev/null");
    return port;
  }

  private static int questDb() throws Exception {
    int port = freePort();
    run(
        "questdb",
        port,
        Map.of(
            "QDB_TELEMETRY_ENABLED", "false",
            "QDB_HTTP_BIND_TO", "127.0.0.1:" + port,
            "QDB_HTTP_MIN_ENABLED", "false",
            "QDB_PG_ENABLED", "false",
            "QDB_LINE_TCP_ENABLED", "false"),
        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
        "-Xmx256m",
        "-p",
        CLIENTS.resolve("questdb.jar").toString(),
        "-m",
        "io.questdb/io.questdb.ServerMain",
        "-d",
        Files.createDirectories(directory.resolve("questdb")).toString());
    return port;
  }

  private static void nginx(String... servers) throws Exception {
    Path main = directory.resolve("nginx.conf");
    Files.writeString(
        main,
        "daemon off; pid nginx.pid; error_log nginx-error.log warn;\n"
            + (System.getProperty("user.name").equals("root") ? "user root;\n" : "")
            + "events {}\nhttp {\naccess_log off;\n"
            + String.join("\n", servers)
            + "}\n");
    run("nginx", nginx, Map.of(), "nginx", "-p", directory.toString(), "-c", main.toString());
  }

  private static void caddy(String site) throws Exception {
    Path file = directory.resolve("Caddyfile");
    Files.writeString(file, "{\n\tadmin off\n\tauto_https off\n}\n" + site);
    run(
        "caddy",
        caddy,
        Map.of("HOME", directory.toString()),
        "caddy",
        "run",
        "--adapter",
        "caddyfile",
        "--config",
        file.toString());
  }

  private static HttpResponse<String> through(int port, String token, String method, String path) {
    return through(port, token, method, path, "");
  }

  private static HttpResponse<String> through(
      int port, String token, String method, String path, String body) {
    HttpRequest.Builder request = new HttpProbe("http://127.0.0.1:" + port).request(path);
    if (!token.isEmpty()) {
      request.header("Authorization", "Token " + token);
    }
    return new HttpProbe("http://127.0.0.1:" + port)
        .send(
            request.method(
                method, body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(body)));
  }

  private static String client(String program, String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of("node", CLIENTS.resolve(program).toString()));
    command.addAll(List.of(arguments));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    return said.strip();
  }

  private static int port(String gateway) {
    return gateway.equals("nginx") ? nginx : caddy;
  }

  @ParameterizedTest
  @ValueSource(strings = {"nginx", "caddy"})
  void aTokenWritesOrReadsItsDatabaseAndNoOther(String gateway) {
    int port = port(gateway);
    String line = "mem,gateway=" + gateway + " value=7";
    String select = "/query?db=mydb&q=SELECT%20value%20FROM%20mem%20WHERE%20gateway=%27";
    assertEquals(204, through(port, writer, "POST", "/write?db=mydb", line).statusCode());
    HttpResponse<String> read = through(port, reader, "GET", select + gateway + "%27");
    assertEquals(200, read.statusCode());
    assertTrue(read.body().contains(",7]"), read.body());
    assertEquals(403, through(port, reader, "POST", "/write?db=mydb", line).statusCode());
    assertEquals(403, through(port, writer, "POST", "/write?db=other", line).statusCode());
    assertEquals(401, through(port, writer, "GET", select + "%27").statusCode());
    assertEquals(401, through(port, "", "POST", "/write?db=mydb", line).statusCode());
    assertEquals(401, through(port, "wrong", "POST", "/write?db=mydb", line).statusCode());
    String basic =
        Base64.getEncoder().encodeToString(("any:" + writer).getBytes(StandardCharsets.UTF_8));
    assertEquals(
        204,
        new HttpProbe("http://127.0.0.1:" + port)
            .send(
                new HttpProbe("http://127.0.0.1:" + port)
                    .request("/write?db=mydb")
                    .header("Authorization", "Basic " + basic)
                    .POST(BodyPublishers.ofString(line)))
            .statusCode());
  }

  @ParameterizedTest
  @ValueSource(strings = {"nginx", "caddy"})
  void noWayAroundTheDecisionIsKnown(String gateway) {
    int port = port(gateway);
    String line = "stolen value=1";
    for (String uri :
        List.of(
            "/write?db=mydb&db=other",
            "/write?db=other&db=mydb",
            "/write?db=mydb&%64b=other",
            "/write?db=mydb;db=other",
            "/%77rite?db=other",
            "//write?db=mydb",
            "/write/../write?db=other",
            "/write?db=mydb&RP=x",
            "/write?db=mydb%00")) {
      String answer =
          new HttpProbe("http://127.0.0.1:" + port)
              .raw(
                  "POST "
                      + uri
                      + " HTTP/1.1\r\nAuthorization: Token "
                      + writer
                      + "\r\nContent-Length: "
                      + line.length())
              .lines()
              .findFirst()
              .orElse("");
      assertTrue(answer.matches("HTTP/1.1 (403|400) .*"), uri + ": " + answer);
    }
    for (String header : List.of("X-HTTP-Method-Override", "X-Original-URI", "X-Forwarded-Uri")) {
      HttpResponse<String> answer =
          new HttpProbe("http://127.0.0.1:" + port)
              .send(
                  new HttpProbe("http://127.0.0.1:" + port)
                      .request("/write?db=other")
                      .header("Authorization", "Token " + writer)
                      .header(header, "/write?db=mydb")
                      .POST(BodyPublishers.ofString(line)));
      assertEquals(403, answer.statusCode(), header);
    }
    HttpResponse<String> into =
        through(
            port, reader, "GET", "/query?db=mydb&q=SELECT%20value%20INTO%20stolen%20FROM%20mem");
    assertEquals(401, into.statusCode());
    HttpResponse<String> found =
        through(port, operator, "POST", "/query?db=other&q=SHOW%20MEASUREMENTS");
    assertTrue(!found.body().contains("stolen"), found.body());
  }

  /** As the services of a compose file are named; the ledger's own server refuses such a host. */
  @ParameterizedTest
  @ValueSource(strings = {"nginx", "caddy"})
  void aHostWithAnUnderscoreIsServed(String gateway) {
    String line = "host value=1";
    String answer =
        new HttpProbe("http://127.0.0.1:" + port(gateway))
            .raw(
                "POST /write?db=mydb HTTP/1.1\r\nAuthorization: Token "
                    + writer
                    + "\r\nContent-Length: "
                    + line.length(),
                "influx_gw:8080",
                line);
    assertTrue(answer.startsWith("HTTP/1.1 204 "), answer);
  }

  @ParameterizedTest
  @ValueSource(strings = {"nginx", "caddy"})
  void expiryRevocationAndSuspensionStopATokenAtOnce(String gateway) throws Exception {
    int port = port(gateway);
    String name = gateway + "-leaver";
    String leaver = ledger.create(operator, name, "db", "mydb", "write");
    assertEquals(204, through(port, leaver, "POST", "/write?db=mydb", "a b=1").statusCode());
    assertEquals(200, ledger.delete(name, operator).statusCode());
    assertEquals(401, through(port, leaver, "POST", "/write?db=mydb", "a b=1").statusCode());
    HttpResponse<String> made =
        ledger.post(
            "/api/v3/enterprise/configure/token",
            operator,
            "{\"token_name\":\""
                + gateway
                + "-short\",\"permissions\":[{\"resource_type\":\"db\",\"resource_names\":"
                + "[\"mydb\"],\"actions\":[\"write\"]}],\"expiry_secs\":3}");
    String shortLived = HttpProbe.json(made).path("token").asString();
    Instant expiry = Instant.parse(HttpProbe.json(made).path("expiry").asString());
    assertEquals(204, through(port, shortLived, "POST", "/write?db=mydb", "a b=1").statusCode());
    while (Instant.now().isBefore(expiry)) {
      TimeUnit.MILLISECONDS.sleep(20);
    }
    assertEquals(401, through(port, shortLived, "POST", "/write?db=mydb", "a b=1").statusCode());
    String paused = ledger.create(operator, gateway + "-paused", "db", "mydb", "write");
    String id =
        ledger
            .send(
                ledger
                    .request(GatewayRoutes.FORWARD_AUTH + "/write?db=mydb")
                    .header("Authorization", "Token " + paused)
                    .POST(BodyPublishers.noBody()))
            .headers()
            .firstValue(GatewayRoutes.TOKEN_ID)
            .orElse("");
    assertEquals(
        200, ledger.post("/api/v1/tokens/" + id + "/suspend", operator, "{}").statusCode());
    assertEquals(401, through(port, paused, "POST", "/write?db=mydb", "a b=1").statusCode());
  }

  @ParameterizedTest
  @ValueSource(strings = {"nginx", "caddy"})
  void theClientLibraryOfVersionOneWorksUnchanged(String gateway) throws Exception {
    String port = Integer.toString(port(gateway));
    assertEquals("ok null", client("influx1.js", port, writer, "write"));
    String rows = client("influx1.js", port, reader, "query");
    assertTrue(rows.startsWith("ok [{") && rows.contains("\"value\":7"), rows);
    for (String[] denied :
        new String[][] {{reader, "write"}, {writer, "query"}, {writer, "create"}}) {
      String said = client("influx1.js", port, denied[0], denied[1]);
      assertTrue(said.startsWith("failed "), denied[1] + ": " + said);
    }
  }

  @Test
  void aQuestDbTakesLinesFromItsClientAndItsConsoleFromAdminsOnly() throws Exception {
    String port = Integer.toString(questdb);
    assertEquals("ok", client("questdb.js", port, questdbWriter));
    assertTrue(client("questdb.js", port, writer).startsWith("failed "), "another database's");
    String count = "/exec?query=SELECT%20count()%20FROM%20cpu";
    assertEquals(403, through(questdb, questdbWriter, "GET", count).statusCode());
    Instant end = Instant.now().plusSeconds(20);
    HttpResponse<String> answer = through(questdb, operator, "GET", count);
    while (!answer.body().contains("[[1]]") && Instant.now().isBefore(end)) {
      TimeUnit.MILLISECONDS.sleep(100);
      answer = through(questdb, operator, "GET", count);
    }
    assertEquals(200, answer.statusCode());
    assertTrue(answer.body().contains("[[1]]"), answer.body());
  }
}

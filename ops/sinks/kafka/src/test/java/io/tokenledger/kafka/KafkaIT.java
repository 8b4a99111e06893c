package io.tokenledger.kafka;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * The ledger as it is run, with the jars of this sink beside its own, brings the log to a broker;
 * Kafka's own console consumer reads it back.
 */
class KafkaIT {

  private static final Path LAUNCHER = Path.of("../../bin/ledger").toAbsolutePath().normalize();
  private static final Path JARS = Path.of("target/lib").toAbsolutePath();
  private static final JsonMapper JSON = JsonMapper.shared();
  private static final int KILLS = 20;
  private static final int CLIENTS = 3;

  @TempDir Path directory;
  private final HttpClient http = HttpClient.newHttpClient();
  private TestBroker broker;
  private Path sinks;
  private @Nullable Process ledger;
  private String url = "";
  private String operator = "";

  @BeforeEach
  void start() throws Exception {
    broker = new TestBroker(directory.resolve("broker"));
    sinks =
        Files.writeString(
            directory.resolve("sinks.json"),
            "{\"sinks\":[{\"name\":\"bus\",\"type\":\"kafka\",\"servers\":\""
                + broker.servers()
                + "\",\"topic\":\"audit\",\"properties_file\":\"client.properties\"}]}");
    Files.writeString(directory.resolve("client.properties"), "compression.type=lz4\n");
    startLedger();
    operator = post("/api/v3/configure/token/admin", "").path("token").asString();
  }

  @AfterEach
  void stop() throws Exception {
    killLedger();
    broker.close();
    Path pidFile = directory.resolve("data/postgres/postmaster.pid");
    if (Files.exists(pidFile)) {
      long pid = Long.parseLong(Files.readAllLines(pidFile).get(0));
      ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
    }
  }

  private void startLedger() throws Exception {
    Path out = Files.createTempFile(directory, "serve", ".out");
    ProcessBuilder builder =
        new ProcessBuilder(
            LAUNCHER.toString(),
            "serve",
            "--http-bind",
            "127.0.0.1:0",
            "--data-dir",
            directory.resolve("data").toString(),
            "--sinks",
            sinks.toString());
    builder.environment().put("LEDGER_SINK_JARS", JARS.toString());
    Path log = directory.resolve("log");
    Process started =
        builder
            .redirectOutput(out.toFile())
            .redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()))
            .start();
    ledger = started;
    String prefix = "ledger ready on ";
    Instant end = Instant.now().plusSeconds(90);
    String said = "";
    while (!(said.startsWith(prefix) && said.endsWith("\n"))) {
      assertTrue(
          started.isAlive() && Instant.now().isBefore(end),
          "no server: " + (Files.exists(log) ? Files.readString(log) : ""));
      started.waitFor(20, TimeUnit.MILLISECONDS);
      said = Files.readString(out);
    }
    url = said.substring(prefix.length()).strip();
  }

  private void killLedger() {
    Process running = ledger;
    if (running != null) {
      running.destroyForcibly().onExit().join();
    }
  }

  private JsonNode post(String path, String body) throws Exception {
    return send(HttpRequest.newBuilder().POST(BodyPublishers.ofString(body)), path);
  }

  private JsonNode send(HttpRequest.Builder request, String path) throws Exception {
    request.uri(URI.create(url + path)).timeout(Duration.ofSeconds(30));
    request.header("Content-Type", "application/json");
    if (!operator.isEmpty()) {
      request.header("Authorization", "Bearer " + operator);
    }
    var answer = http.send(request.build(), BodyHandlers.ofString());
    assertTrue(answer.statusCode() / 100 == 2, answer.statusCode() + answer.body());
    return JSON.readTree(answer.body());
  }

  private void create(String name) throws Exception {
    post(
        "/api/v3/enterprise/configure/token",
        "{\"token_name\":\""
            + name
            + "\",\"permissions\":[{\"resource_type\":\"db\",\"resource_names\":[\"a\"],"
            + "\"actions\":[\"read\"]}]}");
  }

  private JsonNode state() throws Exception {
    return send(HttpRequest.newBuilder().GET(), "/api/v1/audit/sinks");
  }

  /** Waits until the broker has confirmed all that is in the log now; gives how much. */
  private long awaitConfirmed() throws Exception {
    long size =
        send(HttpRequest.newBuilder().GET(), "/api/v1/audit/events?limit=1")
            .path("tree_size")
            .asLong();
    Instant end = Instant.now().plusSeconds(120);
    while (state().path("sinks").path(0).path("next_leaf_index").asLong() < size) {
      assertTrue(Instant.now().isBefore(end), state().toString());
      Thread.sleep(200);
    }
    return size;
  }

  /** Partition, key and value of each record, by Kafka's own console consumer. */
  private List<String[]> consumed() throws Exception {
    String said =
        broker.run(
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            "--bootstrap-server",
            broker.servers(),
            "--topic",
            "audit",
            "--from-beginning",
            "--timeout-ms",
            "5000",
            "--formatter-property",
            "print.partition=true",
            "--formatter-property",
            "print.key=true",
            "--formatter-property",
            "print.headers=true",
            "--formatter-property",
            "key.separator=\t");
    return said.lines().filter(line -> line.startsWith("Partition:")).map(KafkaIT::cells).toList();
  }

  private static String[] cells(String line) {
    String[] cells = line.split("\t", 4);
    assertEquals(4, cells.length, line);
    return cells;
  }

  @Test
  @Tag("client")
  void theConsoleConsumerReadsEveryEntryInOrderUnderItsLeaf() throws Exception {
    for (int i = 0; i < 20; i++) {
      create("größe-" + i);
    }
    long size = awaitConfirmed();
    List<String[]> records = consumed();
    assertEquals(
        LongStream.range(0, size).boxed().toList(),
        records.stream().limit(size).map(record -> Long.valueOf(record[2])).toList());
    for (String[] record : records) {
      assertEquals("Partition:0", record[0]);
      assertTrue(
          record[1].contains("content-type:application/cloudevents+json")
              && record[1].contains("tlogorigin:token-ledger"),
          record[1]);
      JsonNode event = JSON.readTree(record[3]);
      assertEquals(record[2], event.path("tlogindex").asString());
      assertEquals("1.0", event.path("specversion").asString());
    }
    assertTrue(
        records.stream().anyMatch(record -> record[3].contains("\"größe-7\"")), "names are whole");
  }

  @Test
  @Tag("long")
  void killedAtRandomMomentsBothLoseNothing() throws Exception {
    Random random = new Random(20261125);
    for (int round = 0; round < KILLS; round++) {
      AtomicBoolean stop = new AtomicBoolean();
      List<Thread> clients = new ArrayList<>();
      for (int client = 0; client < CLIENTS; client++) {
        String prefix = "k" + round + "-" + client + "-";
        Thread thread = new Thread(() -> hammer(prefix, stop), prefix);
        thread.start();
        clients.add(thread);
      }
      TimeUnit.MILLISECONDS.sleep(200 + random.nextInt(1_500));
      if (random.nextBoolean()) {
        killLedger();
      }
      broker.kill();
      TimeUnit.MILLISECONDS.sleep(random.nextInt(500));
      killLedger();
      stop.set(true);
      for (Thread client : clients) {
        client.join(60_000);
      }
      broker.start();
      startLedger();
    }
    long size = awaitConfirmed();
    assertTrue(size > 20L * KILLS, "the load did something: " + size);
    Map<Long, String> known = new HashMap<>();
    int repeats = 0;
    for (String[] record : consumed()) {
      String id = JSON.readTree(record[3].getBytes(StandardCharsets.UTF_8)).path("id").asString();
      String before = known.put(Long.valueOf(record[2]), id);
      if (before != null) {
        assertEquals(before, id, "leaf " + record[2]);
        repeats++;
      }
    }
    assertEquals(
        List.of(),
        LongStream.range(0, size).boxed().filter(leaf -> !known.containsKey(leaf)).toList());
    System.out.println(size + " entries, " + repeats + " repeats, 0 lost");
  }

  private void hammer(String prefix, AtomicBoolean stop) {
    for (int i = 0; !stop.get() && i < 10_000; i++) {
      try {
        create(prefix + i);
      } catch (Exception | AssertionError e) {
        // It was killed, as it should be.
        return;
      }
    }
  }
}

package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
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
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A ledger and a receiver are killed with {@code kill -9} at random moments, twenty times each,
 * under load: the receiver has every entry in the end, and what it has twice is the same.
 */
@Tag("long")
class SinkKilledIT {

  private static final Path LAUNCHER = Path.of("../ops/bin/ledger").toAbsolutePath().normalize();
  private static final int KILLS = 20;
  private static final int CLIENTS = 3;

  @TempDir Path directory;
  private @Nullable Process ledger;
  private @Nullable HttpProbe http;
  private String operator = "";

  /** What is killed and started again beside the ledger. */
  private interface Receiver {
    String sink() throws Exception;

    void kill() throws Exception;

    void start() throws Exception;

    /** Each entry that it has: the leaf, and what it is told by. */
    List<Map.Entry<Long, String>> taken() throws Exception;
  }

  @AfterEach
  void stop() throws Exception {
    killLedger();
    Path pidFile = directory.resolve("data/postgres/postmaster.pid");
    if (Files.exists(pidFile)) {
      long pid = Long.parseLong(Files.readAllLines(pidFile).get(0));
      ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
    }
  }

  private void killLedger() throws Exception {
    Process running = ledger;
    if (running != null) {
      running.destroyForcibly();
      assertTrue(running.waitFor(10, TimeUnit.SECONDS));
    }
  }

  private void startLedger(Path sinks) throws Exception {
    Path out = Files.createTempFile(directory, "serve", ".out");
    Process started =
        new ProcessBuilder(
                LAUNCHER.toString(),
                "serve",
                "--http-bind",
                "127.0.0.1:0",
                "--data-dir",
                directory.resolve("data").toString(),
                "--sinks",
                sinks.toString())
            .redirectOutput(out.toFile())
            .redirectError(ProcessBuilder.Redirect.appendTo(directory.resolve("log").toFile()))
            .start();
    ledger = started;
    String prefix = "ledger ready on ";
    Instant end = Instant.now().plusSeconds(90);
    String said = "";
    while (!(said.startsWith(prefix) && said.endsWith("\n"))) {
      assertTrue(
          started.isAlive() && Instant.now().isBefore(end),
          "no server: " + Files.readString(directory.resolve("log")));
      started.waitFor(20, TimeUnit.MILLISECONDS);
      said = Files.readString(out);
    }
    http = new HttpProbe(said.substring(prefix.length()).strip());
  }

  private void hammer(String prefix, AtomicBoolean stop) {
    HttpProbe current = http;
    for (int i = 0; !stop.get() && i < 10_000; i++) {
      try {
        current.create(operator, prefix + i, "db", "a", "read");
      } catch (java.io.UncheckedIOException | AssertionError e) {
        // It was killed, as it should be.
        return;
      }
    }
  }

  private void survives(Receiver receiver) throws Exception {
    Path sinks =
        Files.writeString(directory.resolve("sinks.json"), "{\"sinks\":[" + receiver.sink() + "]}");
    startLedger(sinks);
    operator = HttpProbe.json(http.bootstrap()).path("token").asString();
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
      boolean ledgerFirst = random.nextBoolean();
      ledger.waitFor(200 + random.nextInt(1_500), TimeUnit.MILLISECONDS);
      if (ledgerFirst) {
        killLedger();
      }
      receiver.kill();
      ledger.waitFor(random.nextInt(500), TimeUnit.MILLISECONDS);
      killLedger();
      stop.set(true);
      for (Thread client : clients) {
        client.join(60_000);
      }
      receiver.start();
      startLedger(sinks);
    }
    long size = sinks().path("tree_size").asLong();
    assertTrue(size > 20L * KILLS, "the load did something: " + size);
    Instant end = Instant.now().plusSeconds(120);
    while (sinks().path("sinks").path(0).path("next_leaf_index").asLong() < size) {
      assertTrue(Instant.now().isBefore(end), () -> sinks().toString());
      Thread.sleep(200);
    }
    Map<Long, String> known = new HashMap<>();
    int repeats = 0;
    for (Map.Entry<Long, String> entry : receiver.taken()) {
      String before = known.put(entry.getKey(), entry.getValue());
      if (before != null) {
        assertEquals(before, entry.getValue(), "leaf " + entry.getKey());
        repeats++;
      }
    }
    List<Long> lost =
        LongStream.range(0, size).boxed().filter(leaf -> !known.containsKey(leaf)).toList();
    assertEquals(List.of(), lost);
    System.out.println(size + " entries, " + repeats + " repeats, 0 lost");
  }

  private JsonNode sinks() {
    return HttpProbe.json(http.get(SinkRoutes.SINKS, operator));
  }

  @Test
  void aWebhookLosesNothing() throws Exception {
    try (Webhook webhook = new Webhook()) {
      survives(webhook);
    }
  }

  @Test
  void rsyslogLosesNothing() throws Exception {
    try (TestRsyslog rsyslog = new TestRsyslog(directory.resolve("rsyslog"))) {
      survives(
          new Receiver() {
            @Override
            public String sink() {
              return rsyslog.sink();
            }

            @Override
            public void kill() throws Exception {
              rsyslog.kill();
            }

            @Override
            public void start() throws Exception {
              rsyslog.start();
            }

            @Override
            public List<Map.Entry<Long, String>> taken() throws Exception {
              return rsyslog.lines().stream()
                  // A line that was cut off by a kill has no newline, and the next is behind it.
                  .filter(line -> line.startsWith("token-ledger ") && line.contains(" cn1="))
                  .map(
                      line ->
                          Map.entry(
                              Long.valueOf(line.replaceAll(".* cn1=(\\d+) .*", "$1")),
                              line.replaceAll(".* externalId=(\\S+) .*", "$1")))
                  .toList();
            }
          });
    }
  }

  /** A process that answers when what it was posted is on its disk. */
  private final class Webhook implements Receiver, AutoCloseable {
    private final Path file = directory.resolve("taken");
    private final int port;
    private @Nullable Process process;

    Webhook() throws Exception {
      Files.writeString(
          directory.resolve("secret"), "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
      try (var free = new java.net.ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
        this.port = free.getLocalPort();
      }
      start();
    }

    @Override
    public String sink() {
      return "{\"name\":\"hook\",\"type\":\"webhook\",\"url\":\"http://127.0.0.1:"
          + port
          + "/\",\"secret_file\":\"secret\"}";
    }

    @Override
    public void start() throws Exception {
      process =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-XX:TieredStopAtLevel=1",
                  "-cp",
                  System.getProperty("java.class.path"),
                  SinkKilledIT.class.getName(),
                  Integer.toString(port),
                  file.toString())
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
    }

    @Override
    public void kill() throws Exception {
      process.destroyForcibly();
      assertTrue(process.waitFor(10, TimeUnit.SECONDS));
    }

    @Override
    public List<Map.Entry<Long, String>> taken() throws IOException {
      List<Map.Entry<Long, String>> taken = new ArrayList<>();
      for (String line : Files.readAllLines(file)) {
        String[] words = line.split(" ");
        // What was being written when it was killed was not answered.
        if (words.length == 2 && words[1].length() == 36) {
          taken.add(Map.entry(Long.valueOf(words[0]), words[1]));
        }
      }
      return taken;
    }

    @Override
    public void close() {
      process.destroyForcibly().onExit().join();
    }
  }

  /** That process: port and file. */
  public static void main(String[] args) throws Exception {
    FileChannel file =
        FileChannel.open(Path.of(args[1]), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    // What the one before left half written must not lengthen our first line.
    file.write(ByteBuffer.wrap(new byte[] {'\n'}));
    HttpServer server =
        HttpServer.create(
            new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[0])), 0);
    server.createContext(
        "/",
        exchange -> {
          StringBuilder lines = new StringBuilder();
          for (JsonNode event :
              JsonMapper.shared().readTree(exchange.getRequestBody().readAllBytes())) {
            lines.append(event.path("tlogindex").asString()).append(' ');
            lines.append(event.path("id").asString()).append('\n');
          }
          file.write(ByteBuffer.wrap(lines.toString().getBytes(StandardCharsets.UTF_8)));
          file.force(false);
          exchange.sendResponseHeaders(204, -1);
          exchange.close();
        });
    server.start();
  }
}

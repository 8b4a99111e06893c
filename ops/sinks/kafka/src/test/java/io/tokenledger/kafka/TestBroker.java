package io.tokenledger.kafka;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** A broker of Kafka that is its own controller, of the artifacts that Kafka publishes. */
final class TestBroker implements AutoCloseable {

  private static final Path LIBRARIES = Path.of("target/broker").toAbsolutePath();

  private static final String CONFIGURATION =
      """
      process.roles=broker,controller
      node.id=1
      controller.quorum.voters=1@127.0.0.1:%2$d
      listeners=PLAINTEXT://127.0.0.1:%1$d,CONTROLLER://127.0.0.1:%2$d
      controller.listener.names=CONTROLLER
      log.dirs=%3$s
      num.partitions=3
      offsets.topic.replication.factor=1
      transaction.state.log.replication.factor=1
      transaction.state.log.min.isr=1
      group.initial.rebalance.delay.ms=0
      """;

  private final Path directory;
  private final Path configuration;
  private final int port;
  private @Nullable Process process;

  TestBroker(Path directory) throws Exception {
    this.directory = Files.createDirectories(directory);
    assertTrue(Files.isDirectory(LIBRARIES), "run with -Pclients, which fetches the broker");
    this.port = freePort();
    this.configuration =
        Files.writeString(
            directory.resolve("server.properties"),
            CONFIGURATION.formatted(port, freePort(), directory.resolve("data")));
    run(
        "kafka.tools.StorageTool",
        "format",
        "--cluster-id",
        "MkU3OEVBNTcwNTJENDM2Qg",
        "--config",
        configuration.toString());
    start();
  }

  private static int freePort() throws IOException {
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return free.getLocalPort();
    }
  }

  String servers() {
    return "127.0.0.1:" + port;
  }

  private ProcessBuilder java(String main, String... arguments) {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                LIBRARIES + "/*",
                main));
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command);
  }

  /** What a tool of Kafka's own prints. */
  String run(String main, String... arguments) throws Exception {
    Path out = Files.createTempFile(directory, "tool", ".out");
    Path err = directory.resolve("tool.err");
    Process ran =
        java(main, arguments).redirectOutput(out.toFile()).redirectError(err.toFile()).start();
    assertTrue(ran.waitFor(120, TimeUnit.SECONDS), main);
    assertEquals(0, ran.exitValue(), () -> main + ": " + read(out) + read(err));
    return read(out);
  }

  private static String read(Path file) {
    try {
      return Files.readString(file, StandardCharsets.UTF_8);
    } catch (IOException e) {
      return String.valueOf(e);
    }
  }

  void start() throws Exception {
    Process started =
        java("kafka.Kafka", configuration.toString())
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log().toFile()))
            .start();
    process = started;
    Instant end = Instant.now().plusSeconds(60);
    while (!listens()) {
      assertTrue(started.isAlive() && Instant.now().isBefore(end), () -> read(log()));
      Thread.sleep(50);
    }
  }

  private Path log() {
    return directory.resolve("broker.log");
  }

  private boolean listens() {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      return socket.isConnected();
    } catch (IOException e) {
      return false;
    }
  }

  /** As {@code kill -9} does. */
  void kill() {
    Process running = process;
    if (running != null) {
      running.destroyForcibly().onExit().join();
    }
  }

  @Override
  public void close() {
    kill();
  }
}

package io.tokenledger.s3;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Adobe's S3Mock in a process of its own: it refuses what exists already and keeps locks, but it
 * does not enforce them. No server that does can be had from the package registries.
 */
final class TestS3 implements AutoCloseable {

  private static final Path JARS = Path.of("target/server").toAbsolutePath();

  private final Path directory;
  private final int port;
  private @Nullable Process process;

  TestS3(Path directory) throws Exception {
    this.directory = Files.createDirectories(directory);
    assertTrue(Files.isDirectory(JARS), "run with -Pclients, which fetches the server");
    this.port = freePort();
    start();
  }

  private static int freePort() throws IOException {
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return free.getLocalPort();
    }
  }

  String endpoint() {
    return "http://127.0.0.1:" + port;
  }

  private static Path jar() throws IOException {
    try (Stream<Path> files = Files.list(JARS)) {
      return files.filter(file -> file.toString().endsWith("-exec.jar")).findFirst().orElseThrow();
    }
  }

  private void start() throws Exception {
    Process started =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-XX:TieredStopAtLevel=1",
                "-jar",
                jar().toString(),
                "--server.address=127.0.0.1",
                "--server.port=0",
                "--http.port=" + port,
                "--com.adobe.testing.s3mock.store.root=" + directory.resolve("data"))
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

  private static String read(Path file) {
    try {
      return Files.readString(file, StandardCharsets.UTF_8);
    } catch (IOException e) {
      return String.valueOf(e);
    }
  }

  private Path log() {
    return directory.resolve("s3.log");
  }

  private boolean listens() {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      return socket.isConnected();
    } catch (IOException e) {
      return false;
    }
  }

  @Override
  public void close() {
    Process running = process;
    if (running != null) {
      running.destroyForcibly().onExit().join();
    }
  }
}

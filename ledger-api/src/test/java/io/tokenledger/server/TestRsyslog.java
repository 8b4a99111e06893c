package io.tokenledger.server;

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

/** Debian's rsyslog, which takes syslog over TLS and writes the messages into a file. */
final class TestRsyslog implements AutoCloseable {

  private static final String PROGRAM = "/usr/sbin/rsyslogd";

  private static final String CONFIGURATION =
      """
      global(workDirectory="%1$s" maxMessageSize="64k"
             defaultNetstreamDriver="gtls"
             defaultNetstreamDriverCAFile="%1$s/cert.pem"
             defaultNetstreamDriverCertFile="%1$s/cert.pem"
             defaultNetstreamDriverKeyFile="%1$s/key.pem")
      module(load="imtcp" streamDriver.mode="1" streamDriver.authMode="anon")
      template(name="line" type="string" string="%%app-name%% %%msgid%% %%msg%%\\n")
      input(type="imtcp" address="127.0.0.1" port="%2$d" ruleset="ledger")
      ruleset(name="ledger" queue.type="direct") {
        action(type="omfile" file="%1$s/taken.log" template="line" sync="on")
      }
      """;

  private final Path directory;
  private final int port;
  private @Nullable Process process;

  TestRsyslog(Path directory) throws Exception {
    this.directory = Files.createDirectories(directory);
    assertTrue(Files.isExecutable(Path.of(PROGRAM)), "install rsyslog and rsyslog-gnutls");
    run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=IP:127.0.0.1,DNS:localhost");
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      this.port = free.getLocalPort();
    }
    Files.writeString(directory.resolve("rsyslog.conf"), CONFIGURATION.formatted(directory, port));
    start();
  }

  private void run(String... command) throws Exception {
    Process ran =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("openssl.log").toFile())
            .start();
    assertTrue(ran.waitFor(60, TimeUnit.SECONDS));
    assertEquals(0, ran.exitValue(), () -> String.join(" ", command));
  }

  /** Starts it, and waits until it listens. */
  void start() throws Exception {
    Process started =
        new ProcessBuilder(
                PROGRAM,
                "-n",
                "-f",
                directory.resolve("rsyslog.conf").toString(),
                "-i",
                directory.resolve("pid").toString())
            .redirectErrorStream(true)
            .redirectOutput(
                ProcessBuilder.Redirect.appendTo(directory.resolve("rsyslogd.log").toFile()))
            .start();
    process = started;
    Instant end = Instant.now().plusSeconds(20);
    while (!listens()) {
      assertTrue(started.isAlive() && Instant.now().isBefore(end), () -> "rsyslogd: " + log());
      Thread.sleep(20);
    }
  }

  private String log() {
    try {
      return Files.readString(directory.resolve("rsyslogd.log"));
    } catch (IOException e) {
      return String.valueOf(e);
    }
  }

  private boolean listens() {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      return socket.isConnected();
    } catch (IOException e) {
      return false;
    }
  }

  /** As {@code kill -9} does. */
  void kill() throws Exception {
    Process running = process;
    if (running != null) {
      running.destroyForcibly();
      assertTrue(running.waitFor(10, TimeUnit.SECONDS));
      Files.deleteIfExists(directory.resolve("pid"));
    }
  }

  /** What the file of sinks says of it. */
  String sink() {
    return "{\"name\":\"siem\",\"type\":\"syslog\",\"format\":\"cef\",\"url\":\"tls://127.0.0.1:"
        + port
        + "\",\"ca_file\":\""
        + directory.resolve("cert.pem")
        + "\",\"settle_seconds\":1}";
  }

  /** All that it wrote, whole lines. */
  List<String> lines() throws IOException {
    Path taken = directory.resolve("taken.log");
    if (!Files.exists(taken)) {
      return List.of();
    }
    String text = new String(Files.readAllBytes(taken), StandardCharsets.UTF_8);
    return new ArrayList<>(text.substring(0, text.lastIndexOf('\n') + 1).lines().toList());
  }

  @Override
  public void close() {
    Process running = process;
    if (running != null) {
      running.destroyForcibly().onExit().join();
    }
  }
}

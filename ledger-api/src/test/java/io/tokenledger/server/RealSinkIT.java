package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/**
 * Receivers of others take the log: Debian's rsyslog over TLS, and the SDK of CloudEvents, which
 * judges what it is posted.
 */
@Tag("client")
class RealSinkIT {

  private static final Path CLIENTS = Path.of("target/clients");

  @TempDir Path directory;

  private interface Condition {
    boolean holds() throws IOException;
  }

  private Server serve(String sink) throws IOException {
    Path file = Files.writeString(directory.resolve("sinks.json"), "{\"sinks\":[" + sink + "]}");
    return Server.start(
        ServerIT.options(directory.resolve("data"), Map.of("LEDGER_SINKS", file.toString())));
  }

  private static void await(String what, Condition condition) throws Exception {
    Instant end = Instant.now().plusSeconds(60);
    while (!condition.holds()) {
      assertTrue(Instant.now().isBefore(end), what);
      Thread.sleep(50);
    }
  }

  /** Makes some events and waits until the receiver has confirmed them; gives their number. */
  private static long fill(HttpProbe http, String operator) throws Exception {
    for (int i = 0; i < 20; i++) {
      http.create(operator, "größe-" + i + "-|=", "db", "a", "read");
    }
    assertEquals(401, http.get("/health", "apiv3_wrong").statusCode());
    // It is a read of the audit, and so an entry itself: how many there are now is what counts.
    HttpResponse<String> page = http.get(LedgerRoutes.AUDIT + "?limit=1", operator);
    long size = HttpProbe.json(page).path("tree_size").asLong();
    await(
        "the receiver has all " + size,
        () -> sink(http, operator).path("sinks").path(0).path("next_leaf_index").asLong() >= size);
    return size;
  }

  private static JsonNode sink(HttpProbe http, String operator) {
    return HttpProbe.json(http.get(SinkRoutes.SINKS, operator));
  }

  @Test
  void rsyslogTakesCefOverTlsWholeAndInOrder() throws Exception {
    try (TestRsyslog rsyslog = new TestRsyslog(directory.resolve("rsyslog"));
        Server server = serve(rsyslog.sink())) {
      HttpProbe http = new HttpProbe(server.url());
      String operator = HttpProbe.json(http.bootstrap()).path("token").asString();
      long size = fill(http, operator);
      List<String> lines = rsyslog.lines();
      assertEquals(
          LongStream.range(0, size).boxed().toList(),
          lines.stream()
              .map(line -> Long.valueOf(line.replaceAll(".* cn1=(\\d+) .*", "$1")))
              .limit(size)
              .toList());
      for (String line : lines) {
        assertTrue(
            line.matches("token-ledger (\\w+)  ?CEF:0\\|Token Ledger\\|.*\\|\\1\\|.*"), line);
      }
      assertTrue(
          lines.stream().anyMatch(line -> line.contains(" duser=größe-7-|\\= ")),
          () -> lines.toString());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 7})
  void theSdkOfCloudEventsTakesEveryOneForValid(int batch) throws Exception {
    Path out = directory.resolve("cloudevents.out");
    Process receiver =
        new ProcessBuilder("node", "cloudevents.js")
            .directory(CLIENTS.toFile())
            .redirectOutput(out.toFile())
            .redirectErrorStream(true)
            .start();
    try {
      await("the receiver listens", () -> Files.readString(out).startsWith("port "));
      int port = Integer.parseInt(Files.readString(out).lines().toList().get(0).substring(5));
      Files.writeString(
          directory.resolve("secret"), "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
      try (Server server =
          serve(
              "{\"name\":\"bus\",\"type\":\"webhook\",\"url\":\"http://127.0.0.1:"
                  + port
                  + "/\",\"secret_file\":\"secret\",\"batch\":"
                  + batch
                  + "}")) {
        HttpProbe http = new HttpProbe(server.url());
        String operator = HttpProbe.json(http.bootstrap()).path("token").asString();
        long size = fill(http, operator);
        List<String> lines = Files.readString(out, StandardCharsets.UTF_8).lines().skip(1).toList();
        assertFalse(lines.stream().anyMatch(line -> !line.startsWith("event ")), lines.toString());
        assertEquals(
            LongStream.range(0, size).boxed().toList(),
            lines.stream().map(line -> Long.valueOf(line.split(" ")[1])).limit(size).toList());
        assertTrue(
            lines.stream().anyMatch(line -> line.endsWith("ResourceTokenCreated.v1 größe-7-|=")),
            lines.toString());
      }
    } finally {
      receiver.destroyForcibly();
      assertTrue(receiver.waitFor(10, TimeUnit.SECONDS));
    }
  }
}

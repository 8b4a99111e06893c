package io.tokenledger.sink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.TestLedger;
import io.tokenledger.outside.WebhookSignature;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The log reaches its receivers: all of it, in its order, whatever they or the nodes do. */
class SinkIT {

  private static final JsonMapper JSON = JsonMapper.shared();
  private static final byte[] SECRET =
      "0123456789abcdef0123456789abcdef".getBytes(StandardCharsets.UTF_8);

  @TempDir Path directory;
  private final MeterRegistry meters = new SimpleMeterRegistry();
  private final List<JsonNode> taken = Collections.synchronizedList(new ArrayList<>());
  private volatile ToIntFunction<String> answer = body -> 204;
  private final AtomicInteger posts = new AtomicInteger();
  private DatabaseUrl database;
  private HttpServer receiver;
  private @Nullable Ledger ledger;

  @BeforeEach
  void start() throws IOException {
    database = TestPostgres.freshDatabase();
    Files.writeString(
        directory.resolve("secret"), "whsec_" + Base64.getEncoder().encodeToString(SECRET) + "\n");
    receiver = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    receiver.createContext("/", this::take);
    receiver.start();
  }

  @AfterEach
  void stop() {
    if (ledger != null) {
      ledger.close();
    }
    receiver.stop(0);
  }

  private void take(HttpExchange exchange) throws IOException {
    posts.incrementAndGet();
    byte[] body = exchange.getRequestBody().readAllBytes();
    var headers = exchange.getRequestHeaders();
    assertEquals(
        WebhookSignature.of(
            SECRET, headers.getFirst("webhook-id"), headers.getFirst("webhook-timestamp"), body),
        headers.getFirst("webhook-signature"));
    String text = new String(body, StandardCharsets.UTF_8);
    int status = answer.applyAsInt(text);
    if (status / 100 == 2) {
      assertEquals(
          "application/cloudevents-batch+json; got", headers.getFirst("Content-Type") + "; got");
      JSON.readTree(text).forEach(taken::add);
    }
    if (status == 200) {
      exchange.sendResponseHeaders(status, 0);
      exchange.getResponseBody().write(new byte[200_000]);
    } else {
      exchange.sendResponseHeaders(status, -1);
    }
    exchange.close();
  }

  private List<SinkTarget> webhook(String more) throws IOException {
    return sinks(
        "{\"name\":\"hook\",\"type\":\"webhook\",\"url\":\"http://127.0.0.1:"
            + receiver.getAddress().getPort()
            + "/in\",\"secret_file\":\"secret\""
            + more
            + "}");
  }

  private List<SinkTarget> sinks(String text) throws IOException {
    return SinkTarget.read(
        Files.writeString(directory.resolve("sinks.json"), "{\"sinks\":[" + text + "]}"));
  }

  private Ledger open(List<SinkTarget> sinks) {
    return TestLedger.openWithSinks(database, directory.resolve("keys"), sinks, meters);
  }

  private static void create(Ledger ledger, String name) {
    TestLedger.create(ledger, name, TestLedger.newHash(), "db:a:read").join();
  }

  private static void await(String what, BooleanSupplier condition) throws InterruptedException {
    Instant end = Instant.now().plus(Duration.ofSeconds(30));
    while (!condition.getAsBoolean()) {
      assertTrue(Instant.now().isBefore(end), what);
      Thread.sleep(20);
    }
  }

  private List<Long> leaves() {
    synchronized (taken) {
      return taken.stream().map(each -> Long.valueOf(each.path("tlogindex").asString())).toList();
    }
  }

  /** Waits until the receiver has all, and says that it has them in order and each once. */
  private void assertAllOnce(long size) throws InterruptedException {
    await("all " + size + ", got " + leaves(), () -> leaves().size() >= size);
    assertEquals(LongStream.range(0, size).boxed().toList(), leaves());
  }

  private SinkState state(Ledger of) {
    return of.sinks().list().get(0);
  }

  @Test
  void theReceiverGetsEveryEntryInOrderSignedAndInClear() throws Exception {
    ledger = open(webhook(",\"batch\":3"));
    for (int i = 0; i < 10; i++) {
      create(ledger, "token-" + i);
    }
    long size = ledger.auditSize();
    assertTrue(size >= 10);
    assertAllOnce(size);
    JsonNode last = taken.get(taken.size() - 1).path("data");
    assertEquals("token-9", last.path("payload").path("name").asString());
    assertEquals("Alice Example", last.path("envelope").path("on_behalf_of").asString());
    assertEquals("203.0.113.7", last.path("envelope").path("source").path("ip").asString());
    await("the cursor follows", () -> state(ledger).lag() == 0);
    assertEquals("n1", state(ledger).node());
    assertEquals(size, meters.get("ledger.sink.delivered").tag("sink", "hook").counter().count());
  }

  @Test
  void whatIsRefusedWaitsAsADeadLetterAndTheRestGoesOn() throws Exception {
    answer = body -> body.contains("poison") ? 422 : 204;
    ledger = open(webhook(""));
    create(ledger, "before");
    create(ledger, "poison");
    create(ledger, "after");
    await("the rest arrives", () -> taken.toString().contains("\"after\""));
    await("a dead letter waits", () -> state(ledger).deadLetters() == 1);
    DeadLetter letter = ledger.sinks().deadLetters("hook", 0, 10).get(0);
    assertEquals("ResourceTokenCreated", letter.eventType());
    assertEquals("the receiver answered 422", letter.reason());
    assertFalse(leaves().contains(letter.leafIndex()));
    await("it is an event", () -> events("DeliveryRefused").size() == 1);

    assertEquals(0, requeue(letter.leafIndex() + 1));
    assertEquals(1, requeue(null));
    await("it is refused again", () -> twice(letter.leafIndex()));
    answer = body -> 204;
    assertEquals(1, requeue(letter.leafIndex()));
    await("it arrives", () -> leaves().contains(letter.leafIndex()));
    await("it is no letter any more", () -> state(ledger).deadLetters() == 0);
    assertEquals(2, events("DeadLettersRequeued").size());
  }

  /** One that takes some posts and then wants rest is not sent the same ones for ever. */
  @Test
  void whatWasTakenBeforeAFailureIsNotSentAgain() throws Exception {
    answer = body -> posts.get() % 4 == 0 ? 429 : 204;
    ledger = open(webhook(",\"batch\":2"));
    for (int i = 0; i < 20; i++) {
      create(ledger, "token-" + i);
    }
    assertAllOnce(ledger.auditSize());
  }

  /** What is not signed may be another entry once a standby took over that never received it. */
  @Test
  void whatIsNotSignedIsNotSent() throws Exception {
    ledger = open(webhook(""));
    create(ledger, "one");
    await("it arrives", () -> taken.toString().contains("\"one\""));
    await("all is signed", () -> one(UNSIGNED).equals("0"));
    try (Connection signing = TestPostgres.connect(database);
        Statement statement = signing.createStatement()) {
      signing.setAutoCommit(false);
      statement.execute("LOCK TABLE audit.checkpoint IN EXCLUSIVE MODE");
      create(ledger, "two");
      await("it has its place", () -> one(PLACED).equals("2"));
      Thread.sleep(2_000);
      assertFalse(taken.toString().contains("\"two\""));
      signing.rollback();
    }
    await("it arrives", () -> taken.toString().contains("\"two\""));
  }

  private static final String UNSIGNED =
      "SELECT (SELECT count(*) FROM audit.leaf) - (SELECT max(size) FROM audit.checkpoint)";
  private static final String PLACED =
      "SELECT count(*) FROM audit.leaf JOIN ledger.event USING (global_index) WHERE event_type ="
          + " 'ResourceTokenCreated'";

  /** A node that hangs keeps its session, and with it the lock. */
  @Test
  void whoGivesNoSignForMinutesLosesTheSink() throws Exception {
    ledger = open(webhook(""));
    create(ledger, "one");
    await("it arrives", () -> !taken.isEmpty());
    String first = one("SELECT pid FROM state.sink");
    try (Ledger second =
        TestLedger.openWithSinks(
            database, directory.resolve("keys"), webhook(""), new SimpleMeterRegistry())) {
      await(
          "another session delivers",
          () -> {
            change("UPDATE state.sink SET renewed_at = now() - interval '200 seconds'");
            return !one("SELECT pid FROM state.sink").equals(first);
          });
      create(second, "two");
      await("it arrives", () -> taken.toString().contains("\"two\""));
    }
  }

  private String one(String sql) {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(sql)) {
      row.next();
      return String.valueOf(row.getString(1));
    } catch (SQLException e) {
      throw new AssertionError(e);
    }
  }

  private void change(String sql) {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      statement.executeUpdate(sql);
    } catch (SQLException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aReceiverThatTakesAnEntryMaySayWhatItLikes() throws Exception {
    answer = body -> 200;
    ledger = open(webhook(""));
    create(ledger, "one");
    assertAllOnce(ledger.auditSize());
    await("the cursor follows", () -> state(ledger).lag() == 0);
  }

  @Test
  void aRequeuedEntryThatIsNotTakenHoldsUpNoOther() throws Exception {
    answer = body -> body.contains("poison") ? 422 : 204;
    ledger = open(webhook(""));
    create(ledger, "poison");
    await("a dead letter waits", () -> state(ledger).deadLetters() == 1);
    long leaf = ledger.sinks().deadLetters("hook", 0, 10).get(0).leafIndex();
    answer = body -> body.contains("poison") ? 503 : 204;
    int before = posts.get();
    assertEquals(1, requeue(leaf));
    await("it is tried", () -> posts.get() > before);
    create(ledger, "after");
    await("the rest arrives", () -> taken.toString().contains("\"after\""));
    assertEquals(1, state(ledger).deadLetters());
  }

  private boolean twice(long leafIndex) {
    DeadLetter letter = ledger.sinks().deadLetters("hook", leafIndex, 1).get(0);
    return letter.refusals() == 2 && !letter.requeued();
  }

  private int requeue(@Nullable Long leafIndex) {
    return ledger.sinks().requeue("hook", leafIndex, TestLedger.context(TestLedger.ADMIN));
  }

  private List<AuditEntry> events(String type) {
    return ledger.audit().search(AuditQuery.newest(null, 1_000)).entries().stream()
        .filter(entry -> entry.eventType().equals(type))
        .toList();
  }

  @ParameterizedTest
  @CsvSource({"503", "401"})
  void aReceiverThatTakesNothingIsWaitedForAcrossARestart(int status) throws Exception {
    answer = body -> status;
    ledger = open(webhook(""));
    create(ledger, "one");
    await("it is tried", () -> posts.get() > 0);
    await("the trouble is told", () -> state(ledger).trouble() != null);
    assertEquals("the receiver answered " + status, state(ledger).trouble());
    assertEquals(0, state(ledger).deadLetters());
    assertEquals(0, state(ledger).nextLeafIndex());
    await("the lag is told", () -> meters.get("ledger.sink.lag").gauge().value() > 0);
    ledger.close();
    answer = body -> 204;
    ledger = open(webhook(""));
    create(ledger, "two");
    assertAllOnce(ledger.auditSize());
    await("the trouble is over", () -> state(ledger).trouble() == null);
  }

  @Test
  void oneNodeDeliversAtATimeAndAnotherGoesOnWhereItEnded() throws Exception {
    ledger = open(webhook(""));
    create(ledger, "one");
    try (Ledger second =
        TestLedger.openSecondWithSinks(
            database, directory.resolve("keys"), directory.resolve("state2"), webhook(""))) {
      create(second, "two");
      create(ledger, "three");
      assertAllOnce(ledger.auditSize());
      assertEquals("n1", state(second).node());
      await("the cursor follows", () -> state(second).lag() == 0);
      ledger.close();
      ledger = null;
      create(second, "four");
      await("the second takes over", () -> state(second).node().equals("n2"));
      assertAllOnce(second.auditSize());
    }
  }

  @Test
  void oneThatBeginsNowLeavesOutWhatWasBefore() throws Exception {
    try (Ledger before = open(List.of())) {
      create(before, "old");
    }
    ledger = open(webhook(",\"from\":\"now\""));
    await("it has begun", () -> !ledger.sinks().list().isEmpty());
    create(ledger, "new");
    await("the new one comes", () -> taken.toString().contains("\"new\""));
    assertFalse(taken.toString().contains("\"old\""));
  }

  /** A receiver of syslog that dies now and then with what it has read. */
  private final class FlakySyslog implements AutoCloseable {
    private final ServerSocket server;
    private final List<String> written = Collections.synchronizedList(new ArrayList<>());
    private final List<Socket> open = Collections.synchronizedList(new ArrayList<>());
    private volatile int diesAfter;

    FlakySyslog(int diesAfter) throws IOException {
      this.diesAfter = diesAfter;
      this.server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
      Thread thread = new Thread(this::accept, "flaky-syslog");
      thread.setDaemon(true);
      thread.start();
    }

    private void accept() {
      while (!server.isClosed()) {
        try {
          Socket socket = server.accept();
          open.add(socket);
          Thread thread = new Thread(() -> read(socket), "flaky-syslog-connection");
          thread.setDaemon(true);
          thread.start();
        } catch (IOException e) {
          return;
        }
      }
    }

    private void read(Socket socket) {
      List<String> unwritten = new ArrayList<>();
      try (socket;
          InputStream in = socket.getInputStream()) {
        for (String message = message(in); message != null; message = message(in)) {
          unwritten.add(message);
          if (diesAfter > 0 && --diesAfter == 0) {
            // What it had read is lost with all its connections, as in a process that is killed.
            List.copyOf(open).forEach(FlakySyslog::drop);
            return;
          }
        }
        written.addAll(unwritten);
      } catch (IOException e) {
        // Dropped.
      }
    }

    private static void drop(Socket socket) {
      try {
        socket.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    /** The next message; null at the end of the connection. */
    private static @Nullable String message(InputStream in) throws IOException {
      int length = 0;
      for (int c = in.read(); c != ' '; c = in.read()) {
        if (c < 0) {
          return null;
        }
        assertTrue(c >= '0' && c <= '9', "a length stands before each message");
        length = length * 10 + c - '0';
      }
      byte[] bytes = in.readNBytes(length);
      return bytes.length == length ? new String(bytes, StandardCharsets.UTF_8) : null;
    }

    List<Long> leaves() {
      synchronized (written) {
        return written.stream()
            .map(message -> Long.valueOf(message.replaceAll("(?s).* cn1=(\\d+) .*", "$1")))
            .toList();
      }
    }

    @Override
    public void close() throws IOException {
      server.close();
      List.copyOf(open).forEach(FlakySyslog::drop);
    }
  }

  @ParameterizedTest
  @CsvSource({"0", "5"})
  void syslogIsConfirmedOnlyWhenTheReceiverHasReadItAndLives(int diesAfter) throws Exception {
    try (FlakySyslog syslog = new FlakySyslog(diesAfter)) {
      ledger =
          open(
              sinks(
                  "{\"name\":\"siem\",\"type\":\"syslog\",\"format\":\"cef\",\"url\":\"tcp://127.0.0.1:"
                      + syslog.server.getLocalPort()
                      + "\",\"settle_seconds\":1}"));
      for (int i = 0; i < 8; i++) {
        create(ledger, "token-" + i);
      }
      long size = ledger.auditSize();
      await("confirmed", () -> state(ledger).nextLeafIndex() >= size);
      assertEquals(
          LongStream.range(0, size).boxed().toList(),
          syslog.leaves().stream().distinct().toList(),
          "none is lost, and new ones come in their order");
      if (diesAfter == 0) {
        assertEquals(size, syslog.leaves().size(), "and none twice while it lives");
      }
      String first = syslog.written.get(0);
      assertTrue(
          first.matches(
              "(?s)<10[89]>1 20\\d\\d-\\d\\d-\\d\\dT[0-9:.]+Z n1 token-ledger - \\w+ - CEF:0\\|.*"),
          first);
    }
  }

  /** A receiver would cut it off, or take its rest for the next message. */
  @Test
  void whatIsTooLongForSyslogIsADeadLetterAndTheOthersArrive() throws Exception {
    try (FlakySyslog syslog = new FlakySyslog(0)) {
      ledger =
          open(
              sinks(
                  "{\"name\":\"siem\",\"type\":\"syslog\",\"format\":\"cef\",\"url\":\"tcp://127.0.0.1:"
                      + syslog.server.getLocalPort()
                      + "\",\"settle_seconds\":0,\"max_message_bytes\":4096}"));
      create(ledger, "before");
      String[] many =
          IntStream.range(0, 300).mapToObj(i -> "db:database" + i + ":read").toArray(String[]::new);
      TestLedger.create(ledger, "long", TestLedger.newHash(), many).join();
      create(ledger, "after");
      long size = ledger.auditSize();
      await("all is told", () -> state(ledger).nextLeafIndex() >= size);
      DeadLetter letter = ledger.sinks().deadLetters("siem", 0, 10).get(0);
      assertEquals("longer than max_message_bytes, 4096", letter.reason());
      await("the others arrive", () -> syslog.leaves().size() >= size - 1);
      assertFalse(syslog.leaves().contains(letter.leafIndex()));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'{\"type\":\"webhook\"}'|a sink has no name",
        "'{\"name\":\"A b\",\"type\":\"webhook\"}'|name must be 1 to 40 of a-z",
        "'{\"name\":\"a\",\"type\":\"x\"}'|there is no sink of type x here, only syslog, webhook",
        "'{\"name\":\"a\",\"type\":\"webhook\",\"format\":\"xml\"}'|cloudevents, ocsf, cef, got xml",
        "'{\"name\":\"a\",\"type\":\"webhook\",\"from\":\"then\"}'|from must be first or now",
        "'{\"name\":\"a\",\"type\":\"webhook\",\"url\":\"https://u:p@h/\"}'|url must hold no login",
        "'{\"name\":\"a\",\"type\":\"webhook\",\"url\":\"http://h/\"}'|only a receiver on this machine",
        "'{\"name\":\"a\",\"type\":\"webhook\",\"url\":\"https://h/\"}'|has no secret_file",
        "'{\"name\":\"a\",\"type\":\"webhook\",\"url\":\"https://h/\",\"colour\":\"red\"}'|no setting colour",
        "'{\"name\":\"a\",\"type\":\"webhook\",\"url\":\"https://h/\",\"batch\":0}'|batch must be 1 to 1000",
        "'{\"name\":\"a\",\"type\":\"webhook\",\"url\":\"https://h/\",\"secret_file\":\"none\"}'|cannot be read",
        "'{\"name\":\"a\",\"type\":\"syslog\",\"url\":\"udp://h\"}'|url must be one of tls://, tcp://",
        "'{\"name\":\"a\",\"type\":\"syslog\",\"url\":\"tls://h\",\"ca_file\":\"none\"}'|TLS cannot be set up",
        "'{\"name\":\"a\",\"type\":\"syslog\",\"url\":\"tls://h\",\"name\":\"b\"}'|is no JSON",
        "'{\"name\":\"a\",\"type\":\"syslog\",\"url\":[]}'|url must be a text or a number"
      })
  void aWrongFileOfSinksIsRefusedWithTheRule(String sink, String rule) {
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> Sinks.open(sinks(sink)));
    assertTrue(String.valueOf(refused.getMessage()).contains(rule), refused.getMessage());
  }
}

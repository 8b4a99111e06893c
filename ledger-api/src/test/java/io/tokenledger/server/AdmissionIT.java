package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two thousand clients at once, each on a connection of its own. */
class AdmissionIT {

  private static final int CLIENTS = 2_000;
  private static final Duration TAIL = Duration.ofSeconds(5);
  private static final Duration LIMIT = Duration.ofSeconds(30);
  private static final Pattern LENGTH = Pattern.compile("content-length: (\\d+)");

  @TempDir static Path directory;
  private static EmbeddedPostgres postgres;
  private static Server server;
  private static HttpProbe http;
  private static String operator;
  private static int names;

  @BeforeAll
  static void start() {
    postgres =
        EmbeddedPostgres.start(directory.resolve("postgres"), Path.of("target/app/postgres"));
    DatabaseUrl url = postgres.url();
    server =
        Server.start(
            ServerIT.options(
                directory.resolve("keys"),
                Map.of(
                    "LEDGER_DATABASE_URL",
                    url.jdbcUrl() + "&user=" + url.user() + "&password=" + url.password())));
    http = new HttpProbe(server.url());
    operator = HttpProbe.json(http.bootstrap()).path("token").asString();
  }

  @AfterAll
  static void stop() {
    server.close();
    postgres.close();
  }

  /**
   * What a client heard.
   *
   * @param took from the knock at the port, or from the request on a connection that stayed
   */
  private record Heard(int status, boolean retryAfter, Duration took) {}

  /** All clients, on one thread: each has one request under way. */
  private static final class Crowd implements AutoCloseable {

    private final URI uri = URI.create(server.url());
    private final Selector selector = Selector.open();
    private final List<Heard> heard = new ArrayList<>();
    private int underWay;

    private static final class Client {
      private final ByteBuffer answer = ByteBuffer.allocate(16 * 1024);
      private long since;
    }

    Crowd() throws IOException {
      for (int i = 0; i < CLIENTS; i++) {
        knock();
      }
    }

    private void knock() throws IOException {
      Client client = new Client();
      client.since = System.nanoTime();
      SocketChannel channel = SocketChannel.open();
      channel.configureBlocking(false);
      channel.connect(new InetSocketAddress(uri.getHost(), uri.getPort()));
      channel.register(selector, SelectionKey.OP_CONNECT, client);
      underWay++;
    }

    private static void ask(SelectionKey key) throws IOException {
      String body =
          "{\"token_name\":\"crowd "
              + names++
              + "\",\"permissions\":[{\"resource_type\":\"db\",\"resource_names\":[\"a\"],"
              + "\"actions\":[\"read\"]}]}";
      String request =
          "POST "
              + TokenRoutes.ENTERPRISE
              + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "
              + operator
              + "\r\nContent-Type: application/json\r\nContent-Length: "
              + body.length()
              + "\r\n\r\n"
              + body;
      ByteBuffer bytes = ByteBuffer.wrap(request.getBytes(StandardCharsets.US_ASCII));
      ((SocketChannel) key.channel()).write(bytes);
      assertEquals(0, bytes.remaining(), "a request fits into what the system takes at once");
      key.interestOps(SelectionKey.OP_READ);
    }

    /** Takes answers until that is so; whoever hears one goes on asking as long as told. */
    void listen(BooleanSupplier enough, BooleanSupplier asksAgain) throws IOException {
      long end = System.nanoTime() + LIMIT.toNanos();
      while (!enough.getAsBoolean()) {
        assertTrue(
            System.nanoTime() < end, () -> underWay + " still wait, answered: " + heard.size());
        selector.select(50);
        for (SelectionKey key : selector.selectedKeys()) {
          if (key.isConnectable()) {
            ((SocketChannel) key.channel()).finishConnect();
            ask(key);
          } else if (key.isReadable()) {
            read(key, asksAgain);
          }
        }
        selector.selectedKeys().clear();
      }
    }

    private void read(SelectionKey key, BooleanSupplier asksAgain) throws IOException {
      Client client = (Client) key.attachment();
      int read = ((SocketChannel) key.channel()).read(client.answer);
      assertTrue(read >= 0, "no connection ends without an answer");
      String text =
          new String(
              client.answer.array(), 0, client.answer.position(), StandardCharsets.ISO_8859_1);
      int body = text.indexOf("\r\n\r\n") + 4;
      if (body < 4) {
        return;
      }
      String head = text.substring(0, body).toLowerCase(Locale.ROOT);
      Matcher length = LENGTH.matcher(head);
      assertTrue(length.find(), head);
      if (text.length() < body + Integer.parseInt(length.group(1))) {
        return;
      }
      heard.add(
          new Heard(
              Integer.parseInt(text.substring(9, 12)),
              head.contains("\r\nretry-after: "),
              Duration.ofNanos(System.nanoTime() - client.since)));
      underWay--;
      boolean closed = head.contains("\r\nconnection: close");
      if (closed || !asksAgain.getAsBoolean()) {
        key.channel().close();
        if (asksAgain.getAsBoolean()) {
          knock();
        }
      } else {
        client.answer.clear();
        client.since = System.nanoTime();
        underWay++;
        ask(key);
      }
    }

    long count(int status) {
      return heard.stream().filter(one -> one.status() == status).count();
    }

    void requireAnswersInTime() {
      for (Heard one : heard) {
        assertTrue(one.status() == 201 || one.status() == 503, one::toString);
        assertEquals(one.status() == 503, one.retryAfter(), one::toString);
        assertTrue(one.took().compareTo(TAIL) < 0, one::toString);
      }
    }

    @Override
    public void close() throws IOException {
      for (SelectionKey key : selector.keys()) {
        key.channel().close();
      }
      selector.close();
    }
  }

  @Test
  void allAreAnsweredOrToldToComeAgainWithinSeconds() throws Exception {
    try (Crowd crowd = new Crowd()) {
      long end = System.nanoTime() + Duration.ofSeconds(3).toNanos();
      crowd.listen(() -> crowd.underWay == 0, () -> System.nanoTime() < end);
      crowd.requireAnswersInTime();
      assertTrue(crowd.heard.size() >= CLIENTS, "each heard once or more");
      assertTrue(crowd.count(201) > Admission.MAX_THREADS, () -> "made: " + crowd.count(201));
    }
  }

  @Test
  void whileNoThreadMovesAllOthersHearItAndNothingIsLost() throws Exception {
    try (Connection connection =
            DriverManager.getConnection(
                postgres.url().jdbcUrl(), postgres.url().user(), postgres.url().password());
        Statement statement = connection.createStatement();
        Crowd crowd = new Crowd()) {
      connection.setAutoCommit(false);
      statement.execute("LOCK TABLE ledger.event IN EXCLUSIVE MODE");
      crowd.listen(() -> crowd.underWay == Admission.MAX_THREADS, () -> false);
      crowd.requireAnswersInTime();
      assertEquals(CLIENTS - Admission.MAX_THREADS, crowd.count(503));

      HttpResponse<String> late = http.get("/ping", operator);
      assertEquals(503, late.statusCode(), late.body());
      assertEquals("{\"error\":\"too many requests at once, try again\"}", late.body());

      connection.commit();
      crowd.listen(() -> crowd.underWay == 0, () -> false);
      assertEquals(Admission.MAX_THREADS, crowd.count(201));
    }
    String metrics = http.get("/metrics", operator).body();
    assertTrue(
        metrics.lines().anyMatch(line -> line.matches("ledger_http_refused_total [1-9][0-9.E]*")),
        metrics);
  }
}

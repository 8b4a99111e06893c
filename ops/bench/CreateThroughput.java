import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import io.tokenledger.postgres.Roles;
import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.UUID;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/**
 * Tokens created, and tokens revoked, a second through HTTP with 64 clients, against a bare JDBC
 * program that writes the same rows, bytes and indexes with one commit each; and creation against
 * the same server that makes no tree and signs nothing ({@code --signing-key-file none}): what the
 * audit's proofs cost. All in turn, on one PostgreSQL. What a round creates it revokes.
 *
 * <p>Run it with ops/bench/create-throughput.
 */
public class CreateThroughput {

  private static final int CLIENTS = 64;
  private static final int SECONDS = 8;
  private static final int ROUNDS = 5;
  private static final int WARM_UP_SECONDS = 40;

  private static final AtomicLong NAMES = new AtomicLong();
  private static final SecureRandom RANDOM = new SecureRandom();

  /** What creations write, and what revocations do. */
  private static Sample created;

  private static Sample revoked;

  /** An event's bytes. */
  private record Sample(String payload, String metadata) {}

  interface Client {
    void createOne() throws Exception;

    /** Revokes one that was created this way; false when none is left. */
    boolean revokeOne() throws Exception;

    /** Called before each turn: a server closes connections that rested through those of others. */
    default void begin() throws Exception {}
  }

  public static void main(String[] args) throws Exception {
    Path home = Path.of(args[0]).toAbsolutePath();
    Path work = Files.createTempDirectory("ledger-bench");
    try (EmbeddedPostgres postgres =
        EmbeddedPostgres.start(work.resolve("data"), home.resolve("ledger-api/target/app/postgres"))) {
      for (String name : List.of("http", "plain", "raw")) {
        try (Connection connection = connect(postgres.url());
            Statement statement = connection.createStatement()) {
          statement.execute("CREATE DATABASE " + name);
        }
      }
      DatabaseUrl httpDatabase = postgres.url().on("http");
      DatabaseUrl plainDatabase = postgres.url().on("plain");
      DatabaseUrl rawDatabase = postgres.url().on("raw");
      Process migrated = serve(home, rawDatabase, work, "--exit-when-ready");
      migrated.waitFor();
      Process server = serve(home, httpDatabase, work);
      Process plain = serve(home, plainDatabase, work, "--signing-key-file", "none");
      try {
        measure(readUrl(server), readUrl(plain), httpDatabase, rawDatabase);
      } finally {
        for (Process each : List.of(server, plain)) {
          each.destroy();
          each.waitFor();
        }
      }
    } finally {
      try (Stream<Path> files = Files.walk(work)) {
        files.sorted((a, b) -> b.compareTo(a)).forEach(file -> file.toFile().delete());
      }
    }
  }

  private static List<Client> clients(String url) throws Exception {
    HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    String made =
        http.send(
                HttpRequest.newBuilder(URI.create(url + "/api/v3/configure/token/admin"))
                    .POST(HttpRequest.BodyPublishers.noBody())
                    .build(),
                HttpResponse.BodyHandlers.ofString())
            .body();
    String token = made.replaceFirst(".*\"token\":\"([^\"]+)\".*", "$1");
    List<Client> clients = new ArrayList<>();
    for (int i = 0; i < CLIENTS; i++) {
      clients.add(new Wire(url, token));
    }
    return clients;
  }

  private static void measure(
      String url, String plainUrl, DatabaseUrl httpDatabase, DatabaseUrl rawDatabase)
      throws Exception {
    List<Client> byHttp = clients(url);
    List<Client> byPlain = clients(plainUrl);
    byHttp.get(0).createOne();
    created = sample(httpDatabase);
    byHttp.get(0).revokeOne();
    revoked = sample(httpDatabase);
    HikariConfig config = new HikariConfig();
    DatabaseUrl app = Roles.ensureApp(rawDatabase).with("currentSchema", "views");
    config.setJdbcUrl(app.jdbcUrl());
    config.setUsername(app.user());
    config.setPassword(app.password());
    config.setAutoCommit(false);
    config.setMaximumPoolSize(8);
    try (HikariDataSource pool = new HikariDataSource(config)) {
      List<Client> raw = Collections.nCopies(CLIENTS, new Raw(pool));
      rate(byHttp, WARM_UP_SECONDS);
      rate(byPlain, WARM_UP_SECONDS);
      rate(raw, WARM_UP_SECONDS);
      revocations(byHttp, WARM_UP_SECONDS);
      revocations(raw, WARM_UP_SECONDS);
      List<Double> revocationRatios = new ArrayList<>();
      List<Double> ratios = new ArrayList<>();
      List<Double> proven = new ArrayList<>();
      for (int round = 1; round <= ROUNDS; round++) {
        double rawRate = rate(raw, SECONDS);
        // The one that comes first in a round differs: checkpoints of PostgreSQL fall on either.
        double plainRate = round % 2 == 0 ? rate(byPlain, SECONDS) : 0;
        double httpRate = rate(byHttp, SECONDS);
        plainRate = round % 2 == 0 ? plainRate : rate(byPlain, SECONDS);
        ratios.add(httpRate / rawRate);
        proven.add(httpRate / plainRate);
        System.out.printf(
            "round %d: raw JDBC %.0f/s, HTTP %.0f/s, without tree and signatures %.0f/s,"
                + " ratios %.2f %.2f%n",
            round, rawRate, httpRate, plainRate, httpRate / rawRate, httpRate / plainRate);
        double rawRevocations = round % 2 == 0 ? revocations(raw, SECONDS) : 0;
        double httpRevocations = revocations(byHttp, SECONDS);
        rawRevocations = round % 2 == 0 ? rawRevocations : revocations(raw, SECONDS);
        revocationRatios.add(httpRevocations / rawRevocations);
        System.out.printf(
            "round %d, revocations: raw JDBC %.0f/s, HTTP %.0f/s, ratio %.2f%n",
            round, rawRevocations, httpRevocations, httpRevocations / rawRevocations);
      }
      print("HTTP/raw", ratios);
      print("HTTP/raw of revocations", revocationRatios);
      print("with/without tree and signatures", proven);
    }
  }

  private static void print(String what, List<Double> ratios) {
    double[] sorted = ratios.stream().mapToDouble(r -> r).sorted().toArray();
    System.out.printf(
        "ratio %s: min %.2f median %.2f max %.2f%n",
        what, sorted[0], sorted[sorted.length / 2], sorted[sorted.length - 1]);
  }

  /** Takes payload and envelope of a real event, so that the bare program writes as many bytes. */
  private static Sample sample(DatabaseUrl database) throws Exception {
    try (Connection connection = connect(database);
        Statement statement = connection.createStatement();
        ResultSet row =
            statement.executeQuery(
                "SELECT payload, metadata FROM ledger.event ORDER BY global_index DESC LIMIT 1")) {
      row.next();
      return new Sample(row.getString(1), row.getString(2));
    }
  }

  /** A connection that stays open, and no more client than that: it shares the two cores. */
  private static final class Wire implements Client {
    private final String head;
    private final String revocation;
    private final Queue<String> mine = new ArrayDeque<>();
    private final URI uri;
    private Socket socket;
    private InputStream in;

    Wire(String url, String token) throws Exception {
      uri = URI.create(url);
      begin();
      head =
          "POST /api/v3/enterprise/configure/token HTTP/1.1\r\nHost: " + uri.getHost()
              + "\r\nAuthorization: Bearer " + token
              + "\r\nContent-Type: application/json\r\nContent-Length: ";
      revocation =
          " HTTP/1.1\r\nHost: " + uri.getHost() + "\r\nAuthorization: Bearer " + token + "\r\n\r\n";
    }

    @Override
    public void begin() throws Exception {
      if (socket != null) {
        socket.close();
      }
      socket = new Socket(uri.getHost(), uri.getPort());
      socket.setTcpNoDelay(true);
      in = new BufferedInputStream(socket.getInputStream());
    }

    @Override
    public void createOne() throws Exception {
      String name = "b" + NAMES.incrementAndGet();
      String body =
          "{\"token_name\":\"" + name + "\",\"permissions\":[{"
              + "\"resource_type\":\"db\",\"resource_names\":[\"a\"],\"actions\":[\"read\","
              + "\"write\"]}]}";
      exchange(head + body.length() + "\r\n\r\n" + body, 201);
      mine.add(name);
    }

    @Override
    public boolean revokeOne() throws Exception {
      String name = mine.poll();
      if (name != null) {
        exchange("DELETE /api/v3/configure/token?token_name=" + name + revocation, 200);
      }
      return name != null;
    }

    private void exchange(String request, int expected) throws Exception {
      socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
      String status = line();
      int length = 0;
      for (String header = line(); !header.isEmpty(); header = line()) {
        if (header.toLowerCase().startsWith("content-length: ")) {
          length = Integer.parseInt(header.substring(16));
        }
      }
      in.readNBytes(length);
      if (!status.startsWith("HTTP/1.1 " + expected)) {
        throw new IllegalStateException(status);
      }
    }

    private String line() throws Exception {
      StringBuilder line = new StringBuilder();
      for (int c = in.read(); c != '\n'; c = in.read()) {
        if (c < 0) {
          throw new IllegalStateException("the server closed the connection");
        }
        if (c != '\r') {
          line.append((char) c);
        }
      }
      return line.toString();
    }
  }

  private static byte[] random(int bytes) {
    byte[] random = new byte[bytes];
    RANDOM.nextBytes(random);
    return random;
  }

  /** The statements of the server's transactions, and nothing around them. */
  private static final class Raw implements Client {
    private final Queue<Made> made = new ConcurrentLinkedQueue<>();
    private final HikariDataSource pool;

    private record Made(String name, long tokenId) {}

    Raw(HikariDataSource pool) {
      this.pool = pool;
    }

    @Override
    public void createOne() throws Exception {
      String name = "r" + NAMES.incrementAndGet();
      try (Connection connection = pool.getConnection()) {
        long tokenId;
        try (PreparedStatement next =
                connection.prepareStatement("SELECT nextval('ledger.token_id')");
            ResultSet row = next.executeQuery()) {
          row.next();
          tokenId = row.getLong(1);
        }
        insertEvent(connection, name, 0, "ResourceTokenCreated", created);
        try (PreparedStatement lookup =
            connection.prepareStatement(
                "INSERT INTO token_lookup (secret_hash, token_id, token_name, kind, permissions,"
                    + " created_at_ms, last_sequence)"
                    + " VALUES (?, ?, ?, 'resource', '{db:a:read,write}', 1, 0)")) {
          lookup.setBytes(1, random(64));
          lookup.setLong(2, tokenId);
          lookup.setString(3, name);
          lookup.executeUpdate();
        }
        connection.commit();
        made.add(new Made(name, tokenId));
      }
    }

    @Override
    public boolean revokeOne() throws Exception {
      Made one = made.poll();
      if (one == null) {
        return false;
      }
      try (Connection connection = pool.getConnection()) {
        // As the server must: what has become of the name decides.
        try (PreparedStatement history =
            connection.prepareStatement(
                "SELECT event_type, payload FROM ledger.event"
                    + " WHERE aggregate_id = ? ORDER BY sequence_number")) {
          history.setString(1, "token:" + one.name());
          history.executeQuery().close();
        }
        insertEvent(connection, one.name(), 1, "TokenRevoked", revoked);
        try (PreparedStatement lookup =
            connection.prepareStatement(
                "UPDATE token_lookup SET revoked_at_ms = 2, last_sequence = 1,"
                    + " changed_xid = pg_current_xact_id()"
                    + " WHERE token_id = ? AND last_sequence < 1")) {
          lookup.setLong(1, one.tokenId());
          lookup.executeUpdate();
        }
        connection.commit();
      }
      return true;
    }

    private static void insertEvent(
        Connection connection, String name, long sequence, String type, Sample sample)
        throws Exception {
      String id = UUID.randomUUID().toString();
      try (PreparedStatement event =
          connection.prepareStatement(
              "INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,"
                  + " event_type, revision, occurred_at, payload, metadata, mac)"
                  + " VALUES (?, ?, ?, 'Token', ?, '1', '2026-11-24T12:00:00.000Z', ?, ?, ?)")) {
        event.setString(1, id);
        event.setString(2, "token:" + name);
        event.setLong(3, sequence);
        event.setString(4, type);
        event.setString(5, sample.payload());
        event.setString(6, sample.metadata());
        event.setBytes(7, random(32));
        event.executeUpdate();
      }
      try (PreparedStatement salt =
          connection.prepareStatement("INSERT INTO state.event_salt VALUES (?, ?, ?)")) {
        salt.setString(1, id);
        salt.setBytes(2, random(32));
        salt.setBytes(3, random(32));
        salt.executeUpdate();
      }
    }
  }

  private interface Step {
    /** False when there is nothing left to do. */
    boolean one(Client client) throws Exception;
  }

  private static double rate(List<Client> clients, int seconds) throws Exception {
    return rate(
        clients,
        seconds,
        client -> {
          client.createOne();
          return true;
        });
  }

  private static double revocations(List<Client> clients, int seconds) throws Exception {
    return rate(clients, seconds, Client::revokeOne);
  }

  /** Until the time is over or the first of them has nothing left: fewer clients would be slower. */
  private static double rate(List<Client> clients, int seconds, Step step) throws Exception {
    AtomicBoolean over = new AtomicBoolean();
    AtomicLong done = new AtomicLong();
    for (Client client : clients) {
      client.begin();
    }
    long start = System.nanoTime();
    long end = start + seconds * 1_000_000_000L;
    List<Thread> threads = new ArrayList<>();
    for (Client client : clients) {
      Thread thread =
          new Thread(
              () -> {
                try {
                  while (System.nanoTime() < end && !over.get()) {
                    if (step.one(client)) {
                      done.incrementAndGet();
                    } else {
                      over.set(true);
                    }
                  }
                } catch (Exception e) {
                  e.printStackTrace();
                }
              });
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) {
      thread.join();
    }
    return done.get() * 1e9 / (System.nanoTime() - start);
  }

  private static Connection connect(DatabaseUrl url) throws Exception {
    return DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
  }

  private static Process serve(Path home, DatabaseUrl database, Path work, String... more)
      throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                home.resolve("ops/bin/ledger").toString(),
                "serve",
                "--http-bind",
                "127.0.0.1:0",
                "--data-dir",
                work.resolve(database.database()).toString()));
    command.addAll(Arrays.asList(more));
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(work.resolve("serve.log").toFile());
    builder
        .environment()
        .put(
            "LEDGER_DATABASE_URL",
            database.jdbcUrl() + "&user=" + database.user() + "&password=" + database.password());
    return builder.start();
  }

  private static String readUrl(Process server) throws Exception {
    String line = new BufferedReader(new InputStreamReader(server.getInputStream())).readLine();
    return line.replace("ledger ready on ", "");
  }
}

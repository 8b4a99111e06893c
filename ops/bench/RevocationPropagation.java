import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * Two nodes on one PostgreSQL. Tokens are revoked on one while the other is asked about them without
 * a pause: from the answer to the revocation until the first refusal has arrived. Beside that both
 * are asked about tokens that live.
 *
 * <p>Run it with ops/bench/revocation-propagation.
 */
public class RevocationPropagation {

  private static final int REVOKERS = 2;
  private static final int ASKERS_A_NODE = 2;
  private static final int WARM_UP = 2_000;

  /** What the ledger promises: no request that arrives later than this is let in. */
  private static final long BOUND_NANOS = TimeUnit.SECONDS.toNanos(1);

  private static final long LIMIT_SECONDS = 10;

  /** Upper ends, in milliseconds. */
  private static final double[] BUCKETS = {
    0, 1, 2, 3, 4, 5, 7.5, 10, 15, 20, 25, 50, 100, 250, 500, 1_000, Double.POSITIVE_INFINITY
  };

  private static final AtomicInteger NEXT = new AtomicInteger();
  private static final AtomicLong ASKED = new AtomicLong();
  private static final AtomicLong ALLOWED_LATE = new AtomicLong();
  private static final AtomicLong WRONG = new AtomicLong();
  private static final AtomicLong UNANSWERED = new AtomicLong();
  private static volatile boolean stop;

  /**
   * What B is asked about.
   *
   * @param allowed completes once it was let in
   * @param refused completes with the moment of the first refusal
   */
  private record Watched(
      String secret,
      CompletableFuture<Void> allowed,
      CompletableFuture<Long> revokedNanos,
      CompletableFuture<Long> refused) {}

  public static void main(String[] args) throws Exception {
    Path root = Path.of(args[0]).toAbsolutePath();
    int revocations = args.length > 1 ? Integer.parseInt(args[1]) : 10_000;
    int perSecond = args.length > 2 ? Integer.parseInt(args[2]) : 1_000;
    Path work = Files.createTempDirectory("ledger-bench");
    try (EmbeddedPostgres postgres =
        EmbeddedPostgres.start(
            work.resolve("data"), root.resolve("ledger-api/target/app/postgres"))) {
      try (Connection connection = connect(postgres.url())) {
        connection.createStatement().execute("CREATE DATABASE nodes");
      }
      List<Process> nodes = new ArrayList<>();
      try {
        List<URI> urls = new ArrayList<>();
        for (String name : List.of("a", "b")) {
          Process node = serve(root, work, postgres.url().on("nodes"), name);
          nodes.add(node);
          urls.add(
              URI.create(
                  new BufferedReader(new InputStreamReader(node.getInputStream()))
                      .readLine()
                      .replace("ledger ready on ", "")));
        }
        run(urls.get(0), urls.get(1), revocations, perSecond);
      } finally {
        for (Process node : nodes) {
          node.destroy();
          node.waitFor();
        }
      }
    } finally {
      try (Stream<Path> files = Files.walk(work)) {
        files.sorted((a, b) -> b.compareTo(a)).forEach(file -> file.toFile().delete());
      }
    }
  }

  private static void run(URI a, URI b, int revocations, int perSecond) throws Exception {
    Wire first = new Wire(a);
    String operator = field(first.send("POST", "/api/v3/configure/token/admin", "", "").body());
    String[] live = new String[200];
    for (int i = 0; i < live.length; i++) {
      live[i] = create(first, operator);
    }
    List<Thread> askers = new ArrayList<>();
    for (URI node : List.of(a, b)) {
      for (int i = 0; i < ASKERS_A_NODE; i++) {
        int from = i;
        askers.add(
            thread(
                () -> {
                  Wire wire = new Wire(node);
                  long pause = ASKERS_A_NODE * 1_000_000_000L / perSecond;
                  long due = System.nanoTime();
                  for (int at = from; !stop; at++) {
                    ASKED.incrementAndGet();
                    int status = wire.mayWrite(live[at % live.length]);
                    (status == 503 ? UNANSWERED : WRONG).addAndGet(status == 200 ? 0 : 1);
                    due = Math.max(due + pause, System.nanoTime() - 10 * pause);
                    LockSupport.parkNanos(due - System.nanoTime());
                  }
                }));
      }
    }
    revoke(a, b, operator, Math.min(WARM_UP, revocations));
    long asked = ASKED.get();
    long began = System.nanoTime();
    long[] nanos = revoke(a, b, operator, revocations);
    double seconds = (System.nanoTime() - began) / 1e9;
    System.out.printf(
        Locale.ROOT, "%d revocations in %.0f s, %.0f/s, beside %.0f other questions a second%n",
        nanos.length, seconds, nanos.length / seconds, (ASKED.get() - asked) / seconds);
    stop = true;
    for (Thread asker : askers) {
      asker.join();
    }
    report(nanos);
  }

  /** Revokes so many, each after B has let it in; gives the nanoseconds until B refused. */
  private static long[] revoke(URI a, URI b, String operator, int count) throws Exception {
    long[] nanos = new long[count];
    AtomicInteger done = new AtomicInteger();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < REVOKERS; i++) {
      SynchronousQueue<Watched> watched = new SynchronousQueue<>();
      Thread watcher = thread(() -> watch(new Wire(b), watched));
      threads.add(
          thread(
              () -> {
                Wire wire = new Wire(a);
                for (int at = done.getAndIncrement(); at < count; at = done.getAndIncrement()) {
                  String name = "t" + NEXT.incrementAndGet();
                  Watched token =
                      new Watched(
                          create(wire, operator, name),
                          new CompletableFuture<>(),
                          new CompletableFuture<>(),
                          new CompletableFuture<>());
                  watched.put(token);
                  token.allowed().get(LIMIT_SECONDS, TimeUnit.SECONDS);
                  Answer answer =
                      wire.send(
                          "DELETE", "/api/v3/configure/token?token_name=" + name, operator, "");
                  long revoked = System.nanoTime();
                  token.revokedNanos().complete(revoked);
                  if (answer.status() != 200) {
                    throw new IllegalStateException("revocation answered " + answer.status());
                  }
                  nanos[at] =
                      Math.max(0, token.refused().get(LIMIT_SECONDS, TimeUnit.SECONDS) - revoked);
                }
                watcher.interrupt();
              }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    return nanos;
  }

  private static void watch(Wire wire, SynchronousQueue<Watched> watched) throws Exception {
    while (true) {
      Watched token;
      try {
        token = watched.take();
      } catch (InterruptedException e) {
        return;
      }
      while (!token.refused().isDone()) {
        long asked = System.nanoTime();
        int status = wire.mayWrite(token.secret());
        if (status == 200) {
          token.allowed().complete(null);
          // Known to be revoked when this was asked: compared by when, not by which thread ran.
          if (asked - token.revokedNanos().getNow(asked) > BOUND_NANOS) {
            ALLOWED_LATE.incrementAndGet();
          }
        } else if (status == 401 && token.allowed().isDone()) {
          token.refused().complete(System.nanoTime());
        } else {
          // A node that was held up says so, rather than yes.
          (status == 503 ? UNANSWERED : WRONG).incrementAndGet();
        }
      }
    }
  }

  private static void report(long[] nanos) {
    long[] sorted = nanos.clone();
    Arrays.sort(sorted);
    System.out.printf(
        Locale.ROOT, "from A's answer to B's refusal: p50 %.1f ms, p95 %.1f ms, p99 %.1f ms (goal below 25),"
            + " max %.1f ms%n",
        at(sorted, 0.50), at(sorted, 0.95), at(sorted, 0.99), sorted[sorted.length - 1] / 1e6);
    double below = -1;
    for (double bucket : BUCKETS) {
      double from = below;
      long count =
          Arrays.stream(sorted).filter(n -> n / 1e6 > from && n / 1e6 <= bucket).count();
      int bar = (int) Math.ceil(60.0 * count / sorted.length);
      System.out.printf(Locale.ROOT, "%9s ms %6d %s%n", "<= " + text(bucket), count, "#".repeat(bar));
      below = bucket;
    }
    System.out.printf(
        "let in when asked more than the bound of 1,000 ms later: %d; goal 0%n"
            + "other wrong answers: %d; goal 0%n"
            + "questions not answered (503): %d%n",
        ALLOWED_LATE.get(), WRONG.get(), UNANSWERED.get());
  }

  private static String text(double bucket) {
    return Double.isInfinite(bucket) ? "more" : String.format(Locale.ROOT, "%.1f", bucket).replaceAll("\\.0$", "");
  }

  private static double at(long[] sorted, double part) {
    return sorted[(int) Math.min(sorted.length - 1, Math.ceil(part * sorted.length))] / 1e6;
  }

  private static String create(Wire wire, String operator) throws Exception {
    return create(wire, operator, "live" + NEXT.incrementAndGet());
  }

  private static String create(Wire wire, String operator, String name) throws Exception {
    Answer answer =
        wire.send(
            "POST",
            "/api/v3/enterprise/configure/token",
            operator,
            "{\"token_name\":\"" + name + "\",\"permissions\":[{\"resource_type\":\"db\","
                + "\"resource_names\":[\"a\"],\"actions\":[\"write\"]}]}");
    if (answer.status() != 201) {
      throw new IllegalStateException("creation answered " + answer.status());
    }
    return field(answer.body());
  }

  private static String field(String json) {
    return json.replaceFirst("(?s).*\"token\":\"([^\"]+)\".*", "$1");
  }

  private record Answer(int status, String body) {}

  /** A connection that stays open, and no more client than that: it shares the two cores. */
  private static final class Wire {
    private final URI url;
    private Socket socket;
    private InputStream in;

    Wire(URI url) throws IOException {
      this.url = url;
      connect();
    }

    private void connect() throws IOException {
      socket = new Socket(url.getHost(), url.getPort());
      socket.setTcpNoDelay(true);
      socket.setSoTimeout((int) TimeUnit.SECONDS.toMillis(LIMIT_SECONDS));
      in = new BufferedInputStream(socket.getInputStream());
    }

    int mayWrite(String secret) throws IOException {
      return exchange(
              "GET /api/v1/forward-auth HTTP/1.1\r\nHost: a\r\nX-Original-Method: POST\r\n"
                  + "X-Original-URI: /write?db=a\r\nAuthorization: Bearer "
                  + secret
                  + "\r\n\r\n")
          .status();
    }

    Answer send(String method, String path, String token, String body) throws IOException {
      return exchange(
          method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
              + (token.isEmpty() ? "" : "Authorization: Bearer " + token + "\r\n")
              + (body.isEmpty() ? "" : "Content-Type: application/json\r\n")
              + "Content-Length: " + body.length() + "\r\n\r\n" + body);
    }

    private Answer exchange(String request) throws IOException {
      socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
      String status = line();
      int length = 0;
      boolean last = false;
      for (String header = line(); !header.isEmpty(); header = line()) {
        String lower = header.toLowerCase(Locale.ROOT);
        if (lower.startsWith("content-length: ")) {
          length = Integer.parseInt(header.substring(16));
        }
        last |= lower.equals("connection: close");
      }
      String body = new String(in.readNBytes(length), StandardCharsets.UTF_8);
      if (last) {
        socket.close();
        connect();
      }
      return new Answer(Integer.parseInt(status.substring(9, 12)), body);
    }

    private String line() throws IOException {
      StringBuilder line = new StringBuilder();
      for (int c = in.read(); c != '\n'; c = in.read()) {
        if (c < 0) {
          throw new IOException("the server closed the connection");
        }
        if (c != '\r') {
          line.append((char) c);
        }
      }
      return line.toString();
    }
  }

  private interface Work {
    void run() throws Exception;
  }

  /** What fails in one of them fails the bench: a number without it would be worth nothing. */
  private static Thread thread(Work work) {
    Thread thread =
        new Thread(
            () -> {
              try {
                work.run();
              } catch (Exception e) {
                WRONG.incrementAndGet();
                e.printStackTrace();
              }
            });
    thread.setDaemon(true);
    thread.start();
    return thread;
  }

  private static Connection connect(DatabaseUrl url) throws Exception {
    return DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
  }

  private static Process serve(Path root, Path work, DatabaseUrl database, String name)
      throws Exception {
    ProcessBuilder builder =
        new ProcessBuilder(
                root.resolve("ops/bin/ledger").toString(),
                "serve",
                "--http-bind",
                "127.0.0.1:0",
                "--node-id",
                name,
                "--state-dir",
                work.resolve("state-" + name).toString(),
                "--data-dir",
                work.resolve("keys").toString())
            .redirectError(work.resolve(name + ".log").toFile());
    builder
        .environment()
        .put(
            "LEDGER_DATABASE_URL",
            database.jdbcUrl() + "&user=" + database.user() + "&password=" + database.password());
    return builder.start();
  }
}

package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.postgres.EmbeddedPostgres;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/**
 * Three nodes on one PostgreSQL, each behind a wire that can be cut, under questions whose answers
 * are known.
 */
@Tag("long")
class ManyNodesIT {

  private static final Path LAUNCHER = Path.of("../ops/bin/ledger").toAbsolutePath().normalize();
  private static final Duration BOUND = Duration.ofSeconds(1);
  private static final int NODES = 3;
  private static final int ASKERS_A_NODE = 3;

  @TempDir Path directory;
  private EmbeddedPostgres postgres;
  private final List<Wire> wires = new ArrayList<>();
  private final List<Process> processes = new ArrayList<>();
  private final List<HttpProbe> nodes = new ArrayList<>();
  private String operator = "";

  private final List<Known> tokens = new CopyOnWriteArrayList<>();
  private final Queue<String> wrong = new ConcurrentLinkedQueue<>();
  private final AtomicLong allowed = new AtomicLong();
  private final AtomicLong denied = new AtomicLong();
  private final AtomicLong unanswered = new AtomicLong();
  private volatile boolean stop;

  /** A token, and since when it is known to be revoked. */
  private static final class Known {
    private final String name;
    private final String secret;
    private volatile long askedNanos = Long.MAX_VALUE;
    private volatile long revokedNanos = Long.MAX_VALUE;

    Known(String name, String secret) {
      this.name = name;
      this.secret = secret;
    }
  }

  /** Forwards connections to one port, until it is cut or falls silent. */
  private static final class Wire implements AutoCloseable {
    private final ServerSocket in;
    private final int to;
    private final Set<Socket> ends = ConcurrentHashMap.newKeySet();
    private volatile boolean silent;
    private volatile boolean cut;

    Wire(int to) throws IOException {
      this.in = new ServerSocket(0, 64, InetAddress.getLoopbackAddress());
      this.to = to;
      begin(this::accept);
    }

    private static void begin(Runnable work) {
      Thread thread = new Thread(work, "wire");
      thread.setDaemon(true);
      thread.start();
    }

    private void accept() {
      try {
        while (true) {
          Socket near = in.accept();
          if (cut) {
            near.close();
            continue;
          }
          try {
            Socket far = new Socket(InetAddress.getLoopbackAddress(), to);
            Collections.addAll(ends, near, far);
            begin(() -> pump(near, far));
            begin(() -> pump(far, near));
          } catch (IOException e) {
            near.close();
          }
        }
      } catch (IOException e) {
        // Closed.
      }
    }

    private void pump(Socket from, Socket into) {
      byte[] some = new byte[8_192];
      try (from;
          into) {
        InputStream in = from.getInputStream();
        for (int count = in.read(some); count >= 0; count = in.read(some)) {
          while (silent && !cut) {
            Thread.onSpinWait();
            TimeUnit.MILLISECONDS.sleep(5);
          }
          into.getOutputStream().write(some, 0, count);
        }
      } catch (IOException | InterruptedException e) {
        // One of the two ends is closed: so is the other.
      } finally {
        ends.remove(from);
        ends.remove(into);
      }
    }

    void cut() throws IOException {
      cut = true;
      for (Socket end : ends) {
        end.close();
      }
    }

    @Override
    public void close() throws IOException {
      in.close();
      cut();
    }
  }

  @BeforeEach
  void start() throws Exception {
    postgres =
        EmbeddedPostgres.start(directory.resolve("postgres"), Path.of("target/app/postgres"));
    try (Connection connection =
            DriverManager.getConnection(
                postgres.url().jdbcUrl(), postgres.url().user(), postgres.url().password());
        Statement statement = connection.createStatement()) {
      statement.execute("CREATE ROLE owner LOGIN CREATEROLE PASSWORD 'p@ss'");
      statement.execute("CREATE DATABASE tokens OWNER owner");
    }
    for (int i = 0; i < NODES; i++) {
      wires.add(new Wire(postgres.port()));
      launch(i);
      nodes.add(ready(i));
    }
    operator = HttpProbe.json(nodes.get(0).bootstrap()).path("token").asString();
  }

  @AfterEach
  void end() throws Exception {
    stop = true;
    for (Process process : processes) {
      signal(process, "CONT");
      process.destroy();
      if (!process.waitFor(30, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    }
    for (Wire wire : wires) {
      wire.close();
    }
    postgres.close();
  }

  private void launch(int number) throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(
                LAUNCHER.toString(),
                "serve",
                "--http-bind",
                "127.0.0.1:0",
                "--node-id",
                "n" + number,
                "--state-dir",
                directory.resolve("state" + number).toString(),
                "--data-dir",
                directory.resolve("keys").toString())
            .redirectOutput(directory.resolve("n" + number + ".out").toFile())
            .redirectError(directory.resolve("n" + number + ".err").toFile());
    builder
        .environment()
        .put(
            "LEDGER_DATABASE_URL",
            "postgresql://owner:p%40ss@127.0.0.1:"
                + wires.get(number).in.getLocalPort()
                + "/tokens");
    processes.add(builder.start());
  }

  private HttpProbe ready(int number) throws Exception {
    String prefix = "ledger ready on ";
    Instant end = Instant.now().plusSeconds(60);
    while (processes.get(number).isAlive() && Instant.now().isBefore(end)) {
      String said = Files.readString(directory.resolve("n" + number + ".out"));
      if (said.startsWith(prefix) && said.endsWith("\n")) {
        return new HttpProbe(said.substring(prefix.length()).strip());
      }
      processes.get(number).waitFor(20, TimeUnit.MILLISECONDS);
    }
    throw new AssertionError(log(number));
  }

  private String log(int number) throws IOException {
    return Files.readString(directory.resolve("n" + number + ".err"));
  }

  private static void signal(Process process, String name) throws Exception {
    new ProcessBuilder("kill", "-" + name, Long.toString(process.pid())).start().waitFor();
  }

  private static HttpResponse<String> asked(HttpProbe node, String secret) {
    return node.send(
        node.request(GatewayRoutes.FORWARD_AUTH)
            .header("X-Original-Method", "POST")
            .header("X-Original-URI", "/write?db=a")
            .header("Authorization", "Bearer " + secret));
  }

  /** Asks about a token and judges the answer by what is known of it. */
  private void ask(int node, Known token) {
    long asked = System.nanoTime();
    int status;
    try {
      status = asked(nodes.get(node), token.secret).statusCode();
    } catch (UncheckedIOException e) {
      unanswered.incrementAndGet();
      return;
    }
    if (status == 200) {
      allowed.incrementAndGet();
      long revoked = token.revokedNanos;
      if (revoked != Long.MAX_VALUE && asked - revoked > BOUND.toNanos()) {
        wrong.add(
            "n"
                + node
                + " let "
                + token.name
                + " in "
                + (asked - revoked) / 1_000_000
                + " ms late");
      }
    } else if (status == 401) {
      denied.incrementAndGet();
      if (token.askedNanos == Long.MAX_VALUE) {
        wrong.add("n" + node + " refused " + token.name + ", which is live");
      }
    } else {
      unanswered.incrementAndGet();
      if (status != 503) {
        wrong.add("n" + node + " answered " + status);
      }
    }
  }

  private List<Thread> load() {
    List<Thread> threads = new ArrayList<>();
    for (int node = 0; node < NODES; node++) {
      for (int i = 0; i < ASKERS_A_NODE; i++) {
        int number = node;
        Random random = new Random(31L * node + i);
        threads.add(
            new Thread(
                () -> {
                  while (!stop) {
                    // Half of them of the newest: what changes is what may be wrong.
                    int size = tokens.size();
                    int back = random.nextBoolean() ? random.nextInt(size) : random.nextInt(10);
                    ask(number, tokens.get(Math.max(0, size - 1 - back)));
                  }
                },
                "asker-" + node));
      }
    }
    threads.forEach(Thread::start);
    return threads;
  }

  private Known created() {
    String name = "t" + tokens.size();
    Known token = new Known(name, nodes.get(0).create(operator, name, "db", "a", "write"));
    tokens.add(token);
    return token;
  }

  private HttpResponse<String> revoked(Known token, String prefer) {
    token.askedNanos = System.nanoTime();
    HttpResponse<String> answer =
        nodes
            .get(0)
            .send(
                nodes
                    .get(0)
                    .request("/api/v3/configure/token?token_name=" + token.name)
                    .header("Authorization", "Bearer " + operator)
                    .header("Prefer", prefer)
                    .DELETE());
    assertEquals(200, answer.statusCode(), answer.body());
    token.revokedNanos = System.nanoTime();
    return answer;
  }

  private static Set<String> missing(HttpResponse<String> answer) {
    Set<String> names = new HashSet<>();
    HttpProbe.json(answer)
        .path("nodes")
        .path("missing")
        .forEach(name -> names.add(name.asString()));
    return names;
  }

  /** Creates and revokes for so long, half of each. */
  private void change(Duration time) {
    long end = System.nanoTime() + time.toNanos();
    while (System.nanoTime() < end) {
      created();
      Known one = created();
      ask(1, one);
      ask(2, one);
      revoked(one, "handling=lenient");
    }
  }

  private void awaitHealthy(int node) {
    Instant end = Instant.now().plusSeconds(30);
    String said = "";
    while (Instant.now().isBefore(end)) {
      said = nodes.get(node).get("/health", operator).body();
      if (said.equals("OK")) {
        return;
      }
    }
    throw new AssertionError("n" + node + ": " + said);
  }

  @Test
  void noNodeLetsARevokedTokenInPastTheBoundWhateverHappensToIt() throws Exception {
    for (int i = 0; i < 20; i++) {
      created();
    }
    List<Thread> askers = load();
    change(Duration.ofSeconds(4));
    List<Long> millis = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      HttpResponse<String> answer = revoked(created(), "applied=nodes, wait=5");
      assertEquals(Set.of(), missing(answer));
      JsonNode applied = HttpProbe.json(answer).path("nodes").path("applied");
      assertEquals(NODES, applied.size());
      long slowest = 0;
      for (JsonNode each : applied) {
        slowest = Math.max(slowest, each.path("millis").asLong());
      }
      millis.add(slowest);
    }
    Collections.sort(millis);
    System.out.println(
        "applied on all nodes: p50 " + millis.get(100) + " ms, p99 " + millis.get(198) + " ms");

    aNodeThatIsFrozen();
    aNodeThatHearsNothing();
    aNodeThatIsCutOff();
    aDatabaseThatRestarts();

    change(Duration.ofSeconds(2));
    stop = true;
    for (Thread asker : askers) {
      asker.join(60_000);
    }
    for (int node = 0; node < NODES; node++) {
      for (Known token : tokens) {
        boolean live = token.askedNanos == Long.MAX_VALUE;
        assertEquals(live ? 200 : 401, asked(nodes.get(node), token.secret).statusCode());
      }
    }
    System.out.println(
        tokens.size()
            + " tokens; "
            + allowed
            + " allowed, "
            + denied
            + " denied, "
            + unanswered
            + " without an answer, "
            + wrong.size()
            + " wrong");
    assertTrue(wrong.isEmpty(), wrong.stream().limit(10).toList().toString());
    assertTrue(allowed.get() > 1_000 && denied.get() > 100);
  }

  /** Others wait for it until its lease ends; waking up it lets nobody in by what it knew. */
  private void aNodeThatIsFrozen() throws Exception {
    Known before = created();
    ask(1, before);
    signal(processes.get(1), "STOP");
    HttpResponse<String> early = revoked(before, "applied=nodes, wait=1");
    assertEquals(Set.of("n1"), missing(early));
    assertTrue(early.headers().firstValue("Preference-Applied").isEmpty());
    HttpResponse<String> late = revoked(created(), "applied=nodes, wait=5");
    assertEquals(Set.of(), missing(late));
    assertEquals(2, HttpProbe.json(late).path("nodes").path("applied").size());
    List<Thread> queued = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      Thread thread = new Thread(() -> ask(1, before), "queued");
      thread.start();
      queued.add(thread);
    }
    // They lie in its socket when it wakes up.
    processes.get(0).waitFor(200, TimeUnit.MILLISECONDS);
    signal(processes.get(1), "CONT");
    for (Thread thread : queued) {
      thread.join(30_000);
    }
    awaitHealthy(1);
  }

  /** Its connections are there and nothing comes. */
  private void aNodeThatHearsNothing() {
    Known before = created();
    ask(2, before);
    wires.get(2).silent = true;
    revoked(before, "handling=lenient");
    change(Duration.ofSeconds(5));
    wires.get(2).silent = false;
    awaitHealthy(2);
    ask(2, before);
  }

  private void aNodeThatIsCutOff() throws IOException {
    Known before = created();
    ask(2, before);
    wires.get(2).cut();
    revoked(before, "handling=lenient");
    change(Duration.ofSeconds(3));
    assertEquals(503, asked(nodes.get(2), before.secret).statusCode());
    wires.get(2).cut = false;
    awaitHealthy(2);
    ask(2, before);
  }

  private void aDatabaseThatRestarts() throws Exception {
    Known before = created();
    revoked(before, "handling=lenient");
    int port = postgres.port();
    postgres.close();
    processes.get(0).waitFor(1_500, TimeUnit.MILLISECONDS);
    ask(0, before);
    postgres =
        EmbeddedPostgres.start(directory.resolve("postgres"), Path.of("target/app/postgres"), port);
    for (int node = 0; node < NODES; node++) {
      awaitHealthy(node);
      ask(node, before);
    }
  }
}

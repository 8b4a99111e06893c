import com.sun.net.httpserver.HttpServer;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * For each sink: how fast a receiver that was away catches up while nothing else goes on, what it gets
 * while 32 clients create tokens, and what both cost creation: to catch up, and to have what is created.
 * All by the ledger as it is run, with receiver and clients on the same cores.
 *
 * <p>A pair is one server in turns of some seconds: the receiver is away, and it takes entries. Which
 * comes first changes from round to round.
 *
 * <p>Run it with ops/bench/sinks.
 */
public class SinkSpeed {

  private static final int CLIENTS = 32;
  private static final int SECONDS = 8;
  private static final int ROUNDS = 5;
  private static final int WARM_UP_SECONDS = 20;

  private static final AtomicLong NAMES = new AtomicLong(System.nanoTime());
  private static final HttpClient HTTP =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  private static Path home;
  private static Path work;
  private static String token = "";

  /** What takes the log; away until it is told to come. */
  interface Receiver {
    String sink() throws Exception;

    void come() throws Exception;

    void go() throws Exception;
  }

  public static void main(String[] args) throws Exception {
    home = Path.of(args[0]).toAbsolutePath();
    work = Files.createTempDirectory("ledger-bench");
    int events = args.length > 1 ? Integer.parseInt(args[1]) : 400_000;
    List<String> sinks =
        args.length > 2
            ? Arrays.asList(args).subList(2, args.length)
            : List.of("webhook", "syslog", "kafka");
    try {
      begin(events);
      for (String sink : sinks) {
        Receiver receiver =
            switch (sink) {
              case "webhook" -> new Webhook();
              case "syslog" -> new Rsyslog();
              case "kafka" -> new Kafka();
              default -> throw new IllegalArgumentException("no sink " + sink);
            };
        try {
          measure(sink, receiver);
        } finally {
          receiver.go();
        }
      }
    } finally {
      stopPostgres();
      try (Stream<Path> files = Files.walk(work)) {
        files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
      }
    }
    System.exit(0);
  }

  /** A ledger with so many events, whose projections have taken them. */
  private static void begin(int events) throws Exception {
    Process server = serve(null);
    String made = post(url(server) + "/api/v3/configure/token/admin").body();
    token = made.replaceFirst(".*\"token\":\"([^\"]+)\".*", "$1");
    stop(server);
    Process generate =
        new ProcessBuilder(
                home.resolve("ops/bench/generate").toString(),
                work.resolve("data").toString(),
                Integer.toString(events))
            .redirectErrorStream(true)
            .redirectOutput(work.resolve("generate.log").toFile())
            .start();
    if (generate.waitFor() != 0) {
      throw new IllegalStateException(Files.readString(work.resolve("generate.log")));
    }
    server = serve(null);
    String url = url(server);
    while (!get(url + "/api/v1/audit/completeness").matches("(?s).*\"events_without_leaf\":0,.*")
        || get(url + "/api/v1/audit/completeness").matches("(?s).*\"leaves_behind\":\\d{4,}.*")) {
      TimeUnit.SECONDS.sleep(2);
    }
    stop(server);
  }

  private static void measure(String name, Receiver receiver) throws Exception {
    Path file =
        Files.writeString(
            work.resolve(name + ".json"), "{\"sinks\":[" + receiver.sink() + "]}");
    receiver.come();
    Process server = serve(file);
    String url = url(server);
    while (delivered(url) == 0) {
      TimeUnit.MILLISECONDS.sleep(10);
    }
    long first = delivered(url);
    long begun = System.nanoTime();
    long cpu = cpuMicros(server);
    awaitCaughtUp(url);
    long taken = delivered(url) - first;
    double seconds = (System.nanoTime() - begun) / 1e9;
    System.out.printf(
        "%s: caught up %d entries in %.1f s: %.0f/s, %.0f us of the server's CPU an entry%n",
        name, taken, seconds, taken / seconds, (cpuMicros(server) - cpu) / (double) taken);
    stop(server);

    // Another sink of the same kind has all before it again.
    receiver.go();
    Path again =
        Files.writeString(
            work.resolve(name + "2.json"),
            "{\"sinks\":["
                + receiver.sink().replaceFirst("\"name\":\"[a-z]+", "$02")
                + "]}");
    server = serve(again);
    url = url(server);
    List<Wire> clients = new ArrayList<>();
    for (int i = 0; i < CLIENTS; i++) {
      clients.add(new Wire(url, token));
    }
    rate(clients, WARM_UP_SECONDS);
    pair(name + " while it catches up", receiver, url, clients, false);
    receiver.come();
    awaitCaughtUp(url);
    pair(name + " while it has what is created", receiver, url, clients, true);
    stop(server);
  }

  private static long cpuMicros(Process server) {
    return server.toHandle().info().totalCpuDuration().orElseThrow().toNanos() / 1_000;
  }

  private static void awaitCaughtUp(String url) throws Exception {
    while (lag(url) > 1_000) {
      TimeUnit.MILLISECONDS.sleep(50);
    }
  }

  /**
   * @param following whether the receiver has all when its turn begins
   */
  private static void pair(
      String what, Receiver receiver, String url, List<Wire> clients, boolean following)
      throws Exception {
    List<Double> ratios = new ArrayList<>();
    List<Double> speeds = new ArrayList<>();
    for (int round = 1; round <= ROUNDS; round++) {
      receiver.go();
      double without = round % 2 == 0 ? rate(clients, SECONDS) : 0;
      receiver.come();
      long before = delivered(url);
      while (delivered(url) == before) {
        // It tries again after a while only, and then there must be something to give.
        rate(clients.subList(0, 1), 1);
      }
      if (following) {
        awaitCaughtUp(url);
      }
      before = delivered(url);
      long start = System.nanoTime();
      double with = rate(clients, SECONDS);
      double speed = (delivered(url) - before) * 1e9 / (System.nanoTime() - start);
      long left = lag(url);
      receiver.go();
      TimeUnit.SECONDS.sleep(1);
      without = round % 2 == 0 ? without : rate(clients, SECONDS);
      ratios.add(with / without);
      speeds.add(speed);
      System.out.printf(
          "%s, round %d: creation %.0f/s without, %.0f/s with %.0f entries/s (%d left), ratio %.3f%n",
          what, round, without, with, speed, left, with / without);
    }
    Collections.sort(ratios);
    Collections.sort(speeds);
    System.out.printf(
        "%s: creation with/without min %.3f median %.3f max %.3f, entries median %.0f/s%n",
        what,
        ratios.get(0),
        ratios.get(ROUNDS / 2),
        ratios.get(ROUNDS - 1),
        speeds.get(ROUNDS / 2));
  }

  private static String get(String url) throws Exception {
    return HTTP.send(
            HttpRequest.newBuilder(URI.create(url)).header("Authorization", "Bearer " + token).build(),
            HttpResponse.BodyHandlers.ofString())
        .body();
  }

  private static HttpResponse<String> post(String url) throws Exception {
    return HTTP.send(
        HttpRequest.newBuilder(URI.create(url)).POST(HttpRequest.BodyPublishers.noBody()).build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private static long meter(String url, String meter) throws Exception {
    Matcher matcher =
        Pattern.compile("(?m)^" + meter + "(?:_leaves)?\\{sink=\"[a-z0-9]+\"\\} (\\S+)$")
            .matcher(get(url + "/metrics"));
    return matcher.find() ? (long) Double.parseDouble(matcher.group(1)) : 0;
  }

  private static long delivered(String url) throws Exception {
    return meter(url, "ledger_sink_delivered_total");
  }

  private static long lag(String url) throws Exception {
    return meter(url, "ledger_sink_lag");
  }

  private static Process serve(Path sinks) throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                home.resolve("ops/bin/ledger").toString(),
                "serve",
                "--http-bind",
                "127.0.0.1:0",
                "--data-dir",
                work.resolve("data").toString()));
    if (sinks != null) {
      command.addAll(List.of("--sinks", sinks.toString()));
    }
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .redirectError(ProcessBuilder.Redirect.appendTo(work.resolve("serve.log").toFile()));
    Path jars = home.resolve("ops/sinks/kafka/target/lib");
    if (Files.isDirectory(jars)) {
      builder.environment().put("LEDGER_SINK_JARS", jars.toString());
    }
    return builder.start();
  }

  private static String url(Process server) throws Exception {
    String line = server.inputReader().readLine();
    if (line == null) {
      throw new IllegalStateException(Files.readString(work.resolve("serve.log")));
    }
    return line.replace("ledger ready on ", "");
  }

  private static void stop(Process server) throws Exception {
    server.destroy();
    server.waitFor();
  }

  private static void stopPostgres() throws Exception {
    Path pid = work.resolve("data/postgres/postmaster.pid");
    if (Files.exists(pid)) {
      ProcessHandle.of(Long.parseLong(Files.readAllLines(pid).get(0)))
          .ifPresent(
              postgres -> {
                postgres.destroy();
                postgres.onExit().join();
              });
    }
  }

  private static int freePort() throws IOException {
    try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return free.getLocalPort();
    }
  }

  private static void run(Path directory, String... command) throws Exception {
    Process ran =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectOutput(directory.resolve("run.log").toFile())
            .start();
    if (ran.waitFor() != 0) {
      throw new IllegalStateException(Files.readString(directory.resolve("run.log")));
    }
  }

  /** Reads what it is posted and answers. */
  private static final class Webhook implements Receiver {
    private final HttpServer server;
    private volatile boolean here;

    Webhook() throws Exception {
      Files.writeString(
          work.resolve("secret"), "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
      server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
      server.setExecutor(Executors.newCachedThreadPool());
      server.createContext(
          "/",
          exchange -> {
            exchange.getRequestBody().transferTo(OutputStream.nullOutputStream());
            exchange.sendResponseHeaders(here ? 204 : 503, -1);
            exchange.close();
          });
      server.start();
    }

    @Override
    public String sink() {
      return "{\"name\":\"hook\",\"type\":\"webhook\",\"url\":\"http://127.0.0.1:"
          + server.getAddress().getPort()
          + "/\",\"secret_file\":\"secret\"}";
    }

    @Override
    public void come() {
      here = true;
    }

    @Override
    public void go() {
      here = false;
    }
  }

  /** What is a program of its own, and listens on a port. */
  private abstract static class Program implements Receiver {
    final Path directory;
    final int port;
    private Process process;

    Program(String name) throws Exception {
      directory = Files.createDirectories(work.resolve(name));
      port = freePort();
    }

    abstract List<String> command();

    @Override
    public void come() throws Exception {
      process =
          new ProcessBuilder(command())
              .redirectErrorStream(true)
              .redirectOutput(directory.resolve("program.log").toFile())
              .start();
      while (true) {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
          return;
        } catch (IOException e) {
          if (!process.isAlive()) {
            throw new IllegalStateException(Files.readString(directory.resolve("program.log")), e);
          }
          TimeUnit.MILLISECONDS.sleep(50);
        }
      }
    }

    @Override
    public void go() throws Exception {
      if (process != null) {
        process.destroyForcibly().waitFor();
        Files.deleteIfExists(directory.resolve("pid"));
      }
    }
  }

  /** CEF over TLS into a file of rsyslog. */
  private static final class Rsyslog extends Program {
    Rsyslog() throws Exception {
      super("rsyslog");
      run(
          directory,
          "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out"
              .split(" "),
          "cert.pem -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1".split(" "));
      Files.writeString(
          directory.resolve("rsyslog.conf"),
          """
          global(workDirectory="%1$s" maxMessageSize="64k" defaultNetstreamDriver="gtls"
                 defaultNetstreamDriverCAFile="%1$s/cert.pem"
                 defaultNetstreamDriverCertFile="%1$s/cert.pem"
                 defaultNetstreamDriverKeyFile="%1$s/key.pem")
          module(load="imtcp" streamDriver.mode="1" streamDriver.authMode="anon")
          template(name="line" type="string" string="%%msg%%\\n")
          input(type="imtcp" address="127.0.0.1" port="%2$d")
          action(type="omfile" file="/dev/null" template="line")
          """
              .formatted(directory, port));
    }

    private static void run(Path directory, String[] begin, String[] end) throws Exception {
      SinkSpeed.run(
          directory, Stream.concat(Arrays.stream(begin), Arrays.stream(end)).toArray(String[]::new));
    }

    @Override
    List<String> command() {
      return List.of(
          "/usr/sbin/rsyslogd", "-n", "-f", directory.resolve("rsyslog.conf").toString(), "-i",
          directory.resolve("pid").toString());
    }

    @Override
    public String sink() {
      return "{\"name\":\"siem\",\"type\":\"syslog\",\"format\":\"cef\",\"url\":\"tls://127.0.0.1:"
          + port
          + "\",\"ca_file\":\""
          + directory.resolve("cert.pem")
          + "\"}";
    }
  }

  /** CloudEvents into a topic of one broker. */
  private static final class Kafka extends Program {
    Kafka() throws Exception {
      super("kafka");
      Files.writeString(
          directory.resolve("server.properties"),
          """
          process.roles=broker,controller
          node.id=1
          controller.quorum.voters=1@127.0.0.1:%2$d
          listeners=PLAINTEXT://127.0.0.1:%1$d,CONTROLLER://127.0.0.1:%2$d
          controller.listener.names=CONTROLLER
          log.dirs=%3$s
          """
              .formatted(port, freePort(), directory.resolve("data")));
      SinkSpeed.run(
          directory,
          Stream.concat(
                  java("kafka.tools.StorageTool").stream(),
                  Stream.of(
                      "format", "--cluster-id", "MkU3OEVBNTcwNTJENDM2Qg", "--config",
                      directory.resolve("server.properties").toString()))
              .toArray(String[]::new));
    }

    private static List<String> java(String main) {
      return List.of(
          Path.of(System.getProperty("java.home"), "bin", "java").toString(),
          "-Xmx512m",
          "-cp",
          home.resolve("ops/sinks/kafka/target/broker") + "/*",
          main);
    }

    @Override
    List<String> command() {
      return Stream.concat(
              java("kafka.Kafka").stream(),
              Stream.of(directory.resolve("server.properties").toString()))
          .toList();
    }

    @Override
    public String sink() {
      return "{\"name\":\"bus\",\"type\":\"kafka\",\"servers\":\"127.0.0.1:"
          + port
          + "\",\"topic\":\"audit\"}";
    }
  }

  /** A connection that stays open, and no more client than that: it shares the two cores. */
  private static final class Wire {
    private final String head;
    private final URI uri;
    private Socket socket;
    private InputStream in;

    Wire(String url, String token) {
      uri = URI.create(url);
      head =
          "POST /api/v3/enterprise/configure/token HTTP/1.1\r\nHost: " + uri.getHost()
              + "\r\nAuthorization: Bearer " + token
              + "\r\nContent-Type: application/json\r\nContent-Length: ";
    }

    void begin() throws IOException {
      if (socket != null) {
        socket.close();
      }
      socket = new Socket(uri.getHost(), uri.getPort());
      socket.setTcpNoDelay(true);
      in = new BufferedInputStream(socket.getInputStream());
    }

    void createOne() throws IOException {
      String body =
          "{\"token_name\":\"b" + NAMES.incrementAndGet() + "\",\"permissions\":[{"
              + "\"resource_type\":\"db\",\"resource_names\":[\"a\"],\"actions\":[\"read\","
              + "\"write\"]}]}";
      socket
          .getOutputStream()
          .write((head + body.length() + "\r\n\r\n" + body).getBytes(StandardCharsets.US_ASCII));
      String status = line();
      int length = 0;
      for (String header = line(); !header.isEmpty(); header = line()) {
        if (header.toLowerCase().startsWith("content-length: ")) {
          length = Integer.parseInt(header.substring(16));
        }
      }
      in.readNBytes(length);
      if (!status.startsWith("HTTP/1.1 201")) {
        throw new IllegalStateException(status);
      }
    }

    private String line() throws IOException {
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

  private static double rate(List<Wire> clients, int seconds) throws Exception {
    AtomicLong done = new AtomicLong();
    for (Wire client : clients) {
      client.begin();
    }
    long start = System.nanoTime();
    long end = start + seconds * 1_000_000_000L;
    List<Thread> threads = new ArrayList<>();
    for (Wire client : clients) {
      Thread thread =
          new Thread(
              () -> {
                try {
                  while (System.nanoTime() < end) {
                    client.createOne();
                    done.incrementAndGet();
                  }
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
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
}

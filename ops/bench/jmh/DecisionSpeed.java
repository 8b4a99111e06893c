package io.tokenledger.bench;

import io.tokenledger.index.AuthorizationIndex;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.lookup.LookupRow;
import io.tokenledger.permission.Action;
import io.tokenledger.permission.ResourceType;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenKind;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/**
 * A decision by the index, against the SHA-512 of the same token string that it needs in any case;
 * and what the index costs: memory, and the time to load it.
 *
 * <p>Run it with ops/bench/decision-speed.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class DecisionSpeed {

  /** As many strings and rows as no cache of this kind of machine holds. */
  private static final int ASKED = 1 << 18;

  private static final int SETS = 500;

  @Param("1000")
  public int tokens;

  private AuthorizationIndex index;
  private String[] asked;
  private long[] memory;
  private int next;

  @Setup(Level.Trial)
  public void fill() throws Exception {
    long before = usedBytes();
    index = new AuthorizationIndex();
    List<LookupRow> rows = new ArrayList<>();
    Random random = new Random(7);
    for (int i = 0; i < tokens; i++) {
      String permissions = "db:db-" + i % SETS + ":read,write";
      rows.add(
          new LookupRow(
              sha512(token(random)), i, "token-" + i, TokenKind.RESOURCE, permissions, 1L,
              FoundToken.NEVER, FoundToken.NEVER, FoundToken.NEVER, FoundToken.NEVER));
      if (rows.size() == 1_000 || i == tokens - 1) {
        index.put(rows);
        rows.clear();
      }
    }
    rows = null;
    System.out.printf(
        Locale.ROOT, "%nINDEX %d tokens: %.0f bytes each after a collection (its own account: %.0f)%n",
        tokens, (double) (usedBytes() - before) / tokens, (double) index.approximateBytes() / tokens);
    int longs = (int) (index.approximateBytes() / Long.BYTES);
    memory = new long[Integer.highestOneBit(longs)];
    askForThem();
  }

  /**
   * Whether few or many are live, as many strings are asked for, and each lies with its characters:
   * reading those costs the same.
   */
  private void askForThem() {
    asked = new String[ASKED];
    Random random = new Random(7);
    int step = Math.max(1, tokens / ASKED);
    int filled = 0;
    for (int i = 0; i < tokens && filled < ASKED; i++) {
      String token = token(random);
      if (i % step == 0) {
        asked[filled++] = token;
      }
    }
    for (int i = 0; i < ASKED; i++) {
      asked[i] = new String(asked[i % filled].toCharArray());
    }
    Collections.shuffle(Arrays.asList(asked), random);
  }

  private static String token(Random random) {
    byte[] secret = new byte[64];
    random.nextBytes(secret);
    return "apiv3_" + Base64.getUrlEncoder().withoutPadding().encodeToString(secret);
  }

  private static byte[] sha512(String token) throws Exception {
    return MessageDigest.getInstance("SHA-512").digest(token.getBytes(StandardCharsets.UTF_8));
  }

  private static long usedBytes() {
    Runtime runtime = Runtime.getRuntime();
    for (int i = 0; i < 3; i++) {
      System.gc();
    }
    return runtime.totalMemory() - runtime.freeMemory();
  }

  private String ask() {
    next = (next + 1) & (ASKED - 1);
    return asked[next];
  }

  /** What every server must do that keeps no secrets. */
  @Benchmark
  public byte[] hash() throws Exception {
    return sha512(ask());
  }

  /**
   * The same, and one read of a place that the hash chooses in as much memory as the index takes:
   * less no index can do whose secrets are more than the caches hold.
   */
  @Benchmark
  public long hashAndRead() throws Exception {
    byte[] hash = sha512(ask());
    int place = (hash[0] & 0xff) << 24 | (hash[1] & 0xff) << 16 | (hash[2] & 0xff) << 8 | hash[3] & 0xff;
    return memory[place & (memory.length - 1)];
  }

  /** The same, and the index's answer. */
  @Benchmark
  public AuthorizationIndex.Answer decide() throws Exception {
    return index.decide(
        sha512(ask()), ResourceType.DB, "db-7", Action.WRITE, System.currentTimeMillis());
  }

  /** The same as the routes do it, who tell name, id and deciding entry too. */
  @Benchmark
  public boolean find() throws Exception {
    FoundToken token = index.find(SecretHash.of(ask()));
    return token.state(System.currentTimeMillis()) == FoundToken.State.LIVE
        && token.permissions().decide(ResourceType.DB, "db-7", Action.WRITE).allowed();
  }

  public static void main(String[] args) throws Exception {
    Path root = Path.of(args[0]).toAbsolutePath();
    int many = Integer.parseInt(args[1]);
    boolean brief = args.length > 2;
    speed(many, brief);
    load(root, many);
  }

  private static void speed(int many, boolean brief) throws Exception {
    long heapMiB = 512 + many / 1_000_000L * 512;
    TimeValue turn = TimeValue.seconds(brief ? 1 : 2);
    Map<String, RunResult> results = new TreeMap<>();
    for (RunResult result :
        new Runner(
                new OptionsBuilder()
                    .include(DecisionSpeed.class.getName() + "\\.")
                    .param("tokens", "1000", Integer.toString(many))
                    .forks(brief ? 1 : 3)
                    .warmupIterations(brief ? 1 : 3)
                    .warmupTime(turn)
                    .measurementIterations(brief ? 2 : 5)
                    .measurementTime(turn)
                    .jvmArgs("-Xmx" + heapMiB + "m", "-XX:+UseSerialGC")
                    .addProfiler(GCProfiler.class)
                    .build())
            .run()) {
      String name = result.getPrimaryResult().getLabel();
      results.put(name + " " + result.getParams().getParam("tokens"), result);
    }
    for (String tokens : List.of("1000", Integer.toString(many))) {
      RunResult hash = results.get("hash " + tokens);
      for (String what : List.of("decide", "find")) {
        RunResult run = results.get(what + " " + tokens);
        System.out.printf(
            Locale.ROOT,
            "%s with %s tokens: %.0f ns, SHA-512 alone %.0f ns, ratio %.2f; %.0f bytes allocated"
                + " beyond the %.0f of the hash%s%n",
            what, tokens, nanos(run), nanos(hash), nanos(run) / nanos(hash),
            allocated(run) - allocated(hash), allocated(hash),
            what.equals("decide") ? "; goals 1.30 and 0" : "");
      }
    }
    String of = Integer.toString(many);
    System.out.printf(
        Locale.ROOT,
        "SHA-512 and one read of that much memory with %s tokens: %.0f ns, decide to that %.2f%n",
        of, nanos(results.get("hashAndRead " + of)),
        nanos(results.get("decide " + of)) / nanos(results.get("hashAndRead " + of)));
    System.out.printf(
        Locale.ROOT, "decide with %d tokens against 1000: ratio %.2f; goal 1.30%n",
        many, nanos(results.get("decide " + many)) / nanos(results.get("decide 1000")));
  }

  private static double nanos(RunResult result) {
    return result.getPrimaryResult().getScore();
  }

  private static double allocated(RunResult result) {
    return result.getSecondaryResults().entrySet().stream()
        .filter(each -> each.getKey().endsWith("gc.alloc.rate.norm"))
        .findFirst()
        .orElseThrow()
        .getValue()
        .getScore();
  }

  /** By the server itself, whose log says how long it took, with more and more heap. */
  private static void load(Path root, int many) throws Exception {
    Path work = Files.createTempDirectory("ledger-bench");
    try (EmbeddedPostgres postgres =
        EmbeddedPostgres.start(
            work.resolve("data"), root.resolve("ledger-api/target/app/postgres"))) {
      try (Connection connection = connect(postgres.url())) {
        connection.createStatement().execute("CREATE DATABASE many");
      }
      DatabaseUrl database = postgres.url().on("many");
      serve(root, work, database, 256);
      try (Connection connection = connect(database);
          PreparedStatement insert =
              connection.prepareStatement(
                  """
                  INSERT INTO views.token_lookup
                         (secret_hash, token_id, token_name, kind, permissions, created_at_ms, last_sequence)
                  SELECT sha512(number::text::bytea), number, 'token-' || number, 'resource',
                         ARRAY['db:db-' || number % 500 || ':read,write'], 1, 0
                    FROM generate_series(1, ?) AS number
                  """)) {
        insert.setInt(1, many);
        insert.executeUpdate();
        connection.createStatement().execute("VACUUM ANALYZE views.token_lookup");
      }
      // Two fifths of the heap may be the index's, of which a server asks 160 bytes a row.
      long needed = many * 160L * 5 / 2 / (1 << 20) + 24;
      for (long heapMiB : new long[] {256, needed, needed, needed}) {
        System.out.printf("serve -Xmx%dm: %s%n", heapMiB, serve(root, work, database, heapMiB));
      }
    } finally {
      try (Stream<Path> files = Files.walk(work)) {
        files.sorted((a, b) -> b.compareTo(a)).forEach(file -> file.toFile().delete());
      }
    }
  }

  /** Starts a server that ends when it is ready, and gives what it said of its index. */
  private static String serve(Path root, Path work, DatabaseUrl database, long heapMiB)
      throws Exception {
    Path log = work.resolve("serve.log");
    ProcessBuilder builder =
        new ProcessBuilder(
                root.resolve("ops/bin/ledger").toString(),
                "serve",
                "--exit-when-ready",
                "--http-bind",
                "127.0.0.1:0",
                "--data-dir",
                work.resolve("keys").toString())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile());
    builder
        .environment()
        .put(
            "LEDGER_DATABASE_URL",
            database.jdbcUrl() + "&user=" + database.user() + "&password=" + database.password());
    builder.environment().put("LEDGER_JAVA_OPTS", "-Xmx" + heapMiB + "m");
    long began = System.nanoTime();
    int status = builder.start().waitFor();
    long millis = (System.nanoTime() - began) / 1_000_000;
    String said =
        Files.readString(log)
            .lines()
            .filter(line -> line.contains(" secrets in ") || line.contains("memory: each decision"))
            .map(line -> line.replaceFirst(".*(authorization index:|the lookup of)", "$1"))
            .map(line -> line.replaceFirst("\".*", ""))
            .findFirst()
            .orElse("nothing of an index, exit " + status + ": " + Files.readString(log));
    return said + "; launch to ready and end " + millis + " ms; goal of the load 6,000 ms";
  }

  private static Connection connect(DatabaseUrl url) throws Exception {
    return DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
  }
}

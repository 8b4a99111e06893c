import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.audit.Outcome;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.LedgerOptions;
import io.tokenledger.permission.Permissions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.sealing.SubjectKeys;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.store.EventJson;
import io.tokenledger.store.EventTable;
import io.tokenledger.token.Actor;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.TokenEvent.ResourceTokenCreated;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenSecret;
import io.tokenledger.verify.Verdict;
import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.UUID;

/**
 * A log of real events, sealed and with MACs, which the ledger's own sequencer gave their leaves.
 * Full verification (with MACs and all signatures) in turn with a plain program that reads the same
 * rows and hashes each byte of them once; then proofs and exports from a server on that log.
 *
 * <p>Run it with ops/bench/audit-verification.
 */
public class AuditVerification {

  private static final int ROUNDS = 3;
  private static final int BATCH = 5_000;
  private static final int RECEIPTS = 200;
  private static final int PROOFS = 500;

  private static final String SAME_ROWS =
      """
      SELECT leaf.leaf_index, leaf.event_id, leaf.entry, leaf.leaf_hash, event.global_index,
             event.event_id, event.aggregate_id, event.sequence_number, event.aggregate_type,
             event.event_type, event.revision, event.occurred_at, event.payload, event.metadata,
             event.mac, event.recorded_at, salt.payload_salt, salt.metadata_salt
        FROM audit.leaf       AS leaf
        JOIN ledger.event     AS event ON event.global_index = leaf.global_index
        JOIN state.event_salt AS salt  ON salt.event_id = event.event_id
       WHERE leaf.leaf_index >= ?
         AND leaf.leaf_index <  ?
       ORDER BY leaf.leaf_index
      """;

  public static void main(String[] args) throws Exception {
    Path home = Path.of(args[0]).toAbsolutePath();
    int events = Integer.parseInt(args[1]);
    Path work = Files.createTempDirectory("ledger-bench");
    try (EmbeddedPostgres postgres =
        EmbeddedPostgres.start(work.resolve("data"), home.resolve("ledger-api/target/app/postgres"))) {
      DatabaseUrl database = postgres.url();
      // Reading takes longer than any answer may.
      DatabaseUrl patient = database.with("socketTimeout", "0");
      fill(patient, work, events);
      List<Double> ratios = new ArrayList<>();
      for (int round = 1; round <= ROUNDS; round++) {
        double plain = plain(patient);
        double full = verify(patient, work);
        ratios.add(full / plain);
        System.out.printf(
            Locale.ROOT,
            "round %d: read and hash %.1f s, verify %.1f s, ratio %.2f%n",
            round, plain, full, full / plain);
      }
      ratios.sort(null);
      System.out.printf(Locale.ROOT, "ratio verify/read: median %.2f%n", ratios.get(ROUNDS / 2));
      serve(home, work, database);
    } finally {
      try (var files = Files.walk(work)) {
        files.sorted(java.util.Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
      }
    }
  }

  private static LedgerOptions options(DatabaseUrl database, Path work, List<Path> signing) {
    return new LedgerOptions(
        database, work.resolve("ledger.key"), work.resolve("subjects"), "token-ledger", "n1", 4,
        signing, work.resolve("state"), null, null, List.of(), null, List.of());
  }

  private static Connection connect(DatabaseUrl url) throws Exception {
    return DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
  }

  private static void fill(DatabaseUrl database, Path work, int events) throws Exception {
    Ledger.open(options(database, work, List.of()), new SimpleMeterRegistry()).close();
    long begun = System.nanoTime();
    LedgerKey key = LedgerKey.loadOrCreate(work.resolve("ledger.key"));
    Envelopes envelopes =
        new Envelopes(new SubjectKeys(work.resolve("subjects")), key, "token-ledger", "n1");
    EventTable table = new EventTable(key);
    SecureRandom random = new SecureRandom();
    try (Connection connection = connect(database)) {
      connection.setAutoCommit(false);
      for (int done = 0; done < events; done += BATCH) {
        List<EventTable.Row> rows = new ArrayList<>();
        for (int i = done; i < Math.min(events, done + BATCH); i++) {
          rows.add(row(envelopes, random, i));
        }
        table.append(connection, rows);
        connection.commit();
      }
    }
    System.out.printf(Locale.ROOT, "%,d events made in %.0f s%n", events, seconds(begun));
    begun = System.nanoTime();
    try (Ledger ledger =
        Ledger.open(
            options(database, work, List.of(work.resolve("signing.key"))),
            new SimpleMeterRegistry())) {
      while (ledger.log().newest().map(CheckpointTable.Signed::size).orElse(0L) < events) {
        Thread.sleep(50);
      }
      System.out.printf(
          Locale.ROOT, "leaves and signatures in %.0f s (%.0f/s)%n",
          seconds(begun), events / seconds(begun));
      while (ledger.auditSize() < events) {
        Thread.sleep(200);
      }
      System.out.printf(Locale.ROOT, "searchable after %.0f s%n", seconds(begun));
    }
    try (Connection connection = connect(database); Statement statement = connection.createStatement()) {
      statement.execute("VACUUM ANALYZE");
      statement.execute("CHECKPOINT");
      try (ResultSet row =
          statement.executeQuery(
              "SELECT pg_total_relation_size('audit.leaf')::float8 / count(*) FROM audit.leaf")) {
        row.next();
        System.out.printf(
            Locale.ROOT, "storage: %.0f bytes a leaf with entry and indexes; goal 600%n",
            row.getDouble(1));
      }
    }
  }

  private static EventTable.Row row(Envelopes envelopes, SecureRandom random, int i) {
    String id = UUID.randomUUID().toString();
    Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    TokenName name = new TokenName("bench-" + i);
    TokenId tokenId = new TokenId(1_000L + i);
    Actor actor = Actor.token(new TokenId(i % 100), new TokenName("admin-" + i % 100), Permissions.admin());
    RequestContext context =
        new RequestContext(
            actor, "bearer", "Person " + i % 1_000, "reason " + i % 5_000, "CHG-" + i % 5_000,
            "203.0.113." + i % 250, 4711, null, false, "agent/1", "rest", "request-" + i, null, null,
            null);
    return new EventTable.Row(
        id,
        "token:" + name.value(),
        0,
        "Token",
        "ResourceTokenCreated",
        "1",
        now.toString().length() == 24 ? now.toString() : now.toString().replace("Z", ".000Z"),
        EventJson.write(
            new ResourceTokenCreated(
                name,
                tokenId,
                TokenSecret.generate(random).hash(),
                Permissions.parse(List.of("db:a,b:read,write")),
                now,
                Expiry.NEVER)),
        envelopes.write(
            id,
            now,
            context,
            new Envelopes.What(
                "token.create", Outcome.SUCCESS, null, 201, "token", "token:" + tokenId, name.value(),
                null, 0L, List.of())));
  }

  private static double seconds(long begun) {
    return (System.nanoTime() - begun) / 1e9;
  }

  /** In the same chunks as the verification, for those can be read without a cursor. */
  private static double plain(DatabaseUrl database) throws Exception {
    long begun = System.nanoTime();
    MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
    try (Connection connection = connect(database);
        PreparedStatement statement = connection.prepareStatement(SAME_ROWS)) {
      int rows = 1;
      for (long from = 0; rows > 0; from += 2_000) {
        rows = 0;
        statement.setLong(1, from);
        statement.setLong(2, from + 2_000);
        try (ResultSet row = statement.executeQuery()) {
          int columns = row.getMetaData().getColumnCount();
          while (row.next()) {
            rows++;
            for (int column = 1; column <= columns; column++) {
              sha256.update(row.getBytes(column));
            }
            sha256.digest();
          }
        }
      }
    }
    return seconds(begun);
  }

  private static double verify(DatabaseUrl database, Path work) {
    long begun = System.nanoTime();
    Verdict verdict =
        Ledger.verifyOffline(
            database, null, List.of(), work.resolve("ledger.key"), true, (done, total) -> {});
    if (!verdict.isClean()) {
      throw new IllegalStateException(verdict.findings().toString());
    }
    return seconds(begun);
  }

  private static void serve(Path home, Path work, DatabaseUrl database) throws Exception {
    ProcessBuilder builder =
        new ProcessBuilder(
                home.resolve("ops/bin/ledger").toString(),
                "serve", "--http-bind", "127.0.0.1:0", "--data-dir", work.toString(),
                "--subject-key-store", work.resolve("subjects").toString())
            .redirectError(work.resolve("serve.log").toFile());
    builder
        .environment()
        .put(
            "LEDGER_DATABASE_URL",
            database.jdbcUrl() + "&user=" + database.user() + "&password=" + database.password());
    Process server = builder.start();
    try {
      String url =
          new BufferedReader(new InputStreamReader(server.getInputStream()))
              .readLine()
              .replace("ledger ready on ", "");
      HttpClient http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
      String token =
          http.send(
                  HttpRequest.newBuilder(URI.create(url + "/api/v3/configure/token/admin"))
                      .POST(HttpRequest.BodyPublishers.noBody())
                      .build(),
                  HttpResponse.BodyHandlers.ofString())
              .body()
              .replaceFirst(".*\"token\":\"([^\"]+)\".*", "$1");
      proofs(http, url, token, eventIds(database));
      receipts(http, url, token);
      export(http, url, token, server);
    } finally {
      server.destroy();
      server.waitFor();
    }
  }

  private static List<String> eventIds(DatabaseUrl database) throws Exception {
    List<String> ids = new ArrayList<>();
    Random random = new Random(1);
    try (Connection connection = connect(database);
        PreparedStatement statement =
            connection.prepareStatement(
                "SELECT event_id FROM audit.leaf WHERE leaf_index = ? % (SELECT size FROM"
                    + " audit.tree_head)")) {
      for (int i = 0; i < 2 * PROOFS; i++) {
        statement.setLong(1, random.nextLong(Long.MAX_VALUE));
        try (ResultSet row = statement.executeQuery()) {
          row.next();
          ids.add(row.getString(1));
        }
      }
    }
    return ids;
  }

  private static void proofs(HttpClient http, String url, String token, List<String> ids)
      throws Exception {
    double[] millis = new double[PROOFS];
    // The first half warms the server up.
    for (int i = 0; i < 2 * PROOFS; i++) {
      long begun = System.nanoTime();
      HttpResponse<String> answer =
          http.send(
              HttpRequest.newBuilder(URI.create(url + "/api/v1/audit/events/" + ids.get(i) + "/proof"))
                  .header("Authorization", "Bearer " + token)
                  .build(),
              HttpResponse.BodyHandlers.ofString());
      if (answer.statusCode() != 200) {
        throw new IllegalStateException(answer.body());
      }
      if (i >= PROOFS) {
        millis[i - PROOFS] = (System.nanoTime() - begun) / 1e6;
      }
    }
    Arrays.sort(millis);
    System.out.printf(
        Locale.ROOT, "proof by API: p50 %.1f ms, p95 %.1f ms%n",
        millis[PROOFS / 2], millis[PROOFS * 95 / 100]);
  }

  /** Creations that answer with the proof that they are in the log. */
  private static void receipts(HttpClient http, String url, String token) throws Exception {
    double[] millis = new double[RECEIPTS];
    for (int i = 0; i < RECEIPTS; i++) {
      long begun = System.nanoTime();
      HttpResponse<String> answer =
          http.send(
              HttpRequest.newBuilder(URI.create(url + "/api/v3/enterprise/configure/token"))
                  .header("Authorization", "Bearer " + token)
                  .header("Content-Type", "application/json")
                  .header("Prefer", "receipt=checkpoint, wait=5")
                  .POST(
                      HttpRequest.BodyPublishers.ofString(
                          "{\"token_name\":\"receipt-"
                              + i
                              + "\",\"permissions\":[{\"resource_type\":\"db\","
                              + "\"resource_names\":[\"a\"],\"actions\":[\"read\"]}]}"))
                  .build(),
              HttpResponse.BodyHandlers.ofString());
      if (answer.statusCode() != 201 || !answer.body().contains("audit_proof")) {
        throw new IllegalStateException(answer.statusCode() + ": no proof came with it");
      }
      millis[i] = (System.nanoTime() - begun) / 1e6;
    }
    Arrays.sort(millis);
    System.out.printf(
        Locale.ROOT, "creation with its proof: p50 %.0f ms, p99 %.0f ms; goal 1,200 ms%n",
        millis[RECEIPTS / 2], millis[RECEIPTS * 99 / 100]);
  }

  private static void export(HttpClient http, String url, String token, Process server)
      throws Exception {
    for (String format : List.of("ndjson", "csv")) {
      long begun = System.nanoTime();
      HttpResponse<InputStream> answer =
          http.send(
              HttpRequest.newBuilder(URI.create(url + "/api/v1/audit/exports?format=" + format))
                  .header("Authorization", "Bearer " + token)
                  .POST(HttpRequest.BodyPublishers.noBody())
                  .build(),
              HttpResponse.BodyHandlers.ofInputStream());
      long lines = 0;
      byte[] buffer = new byte[65_536];
      try (InputStream in = answer.body()) {
        for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
          for (int i = 0; i < count; i++) {
            lines += buffer[i] == '\n' ? 1 : 0;
          }
        }
      }
      System.out.printf(
          Locale.ROOT, "export %s: %,d lines, %.0f/s, server %s%n",
          format, lines, lines / seconds(begun), memory(server));
    }
  }

  /** Resident memory; its heap is limited by the launcher. */
  private static String memory(Process server) throws Exception {
    return Files.readAllLines(Path.of("/proc/" + server.pid() + "/status")).stream()
        .filter(line -> line.startsWith("VmHWM"))
        .findFirst()
        .orElse("")
        .replaceAll("\\s+", " ");
  }
}

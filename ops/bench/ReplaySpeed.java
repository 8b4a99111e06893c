import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.follow.CopyRows;
import io.tokenledger.follow.Fold;
import io.tokenledger.follow.Header;
import io.tokenledger.follow.Leaf;
import io.tokenledger.history.AuditLogTable;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.LedgerOptions;
import io.tokenledger.ledger.Proposal;
import io.tokenledger.lookup.LookupFold;
import io.tokenledger.permission.Permissions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import io.tokenledger.replay.Replay;
import io.tokenledger.replay.ReplayJob;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.sealing.SubjectKeys;
import io.tokenledger.store.EventReader;
import io.tokenledger.timeline.HistoryFold;
import io.tokenledger.token.Actor;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenEvent;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenSecret;
import io.tokenledger.tokens.TokenFold;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A rebuild against a plain program that reads the same rows, parses them and writes the same result
 * by COPY with the same indexes, in turn on one PostgreSQL; and how fast writes go on meanwhile. The
 * plain program of the lookup folds all tokens in memory in the order of the rows; that of all
 * projections is one thread that reads the streams, then the leaves.
 *
 * <p>Run it with ops/bench/replay-speed, on what ops/bench/generate made.
 */
public class ReplaySpeed {

  private static final JsonMapper JSON = JsonMapper.shared();
  private static final SecureRandom RANDOM = new SecureRandom();
  private static final int WRITERS = 8;
  private static final String ASIDE = "replay_999999999";

  public static void main(String[] args) throws Exception {
    Path root = Path.of(args[0]).toAbsolutePath();
    Path data = Path.of(args[1]).toAbsolutePath();
    int rounds = Integer.parseInt(args[2]);
    try (EmbeddedPostgres postgres =
        EmbeddedPostgres.start(data, root.resolve("ledger-api/target/app/postgres"))) {
      DatabaseUrl url = postgres.url();
      try (Ledger.Offline offline = Ledger.openOffline(url, new SimpleMeterRegistry())) {
        for (int round = 1; round <= rounds; round++) {
          long plain = plainLookup(url);
          long ours = rebuilt(offline.replay(), List.of(Replay.LOOKUP));
          System.out.printf(
              "lookup: plain %d ms, rebuild %d ms, ratio %.2f%n", plain, ours, plain / (double) ours);
        }
      }
      if (args.length > 3) {
        return;
      }
      long begun = System.nanoTime();
      Ledger ledger = open(url, data);
      System.out.printf("opened in %d ms%n", millis(begun));
      try {
        sequenced(url);
        for (int round = 1; round <= rounds; round++) {
          long plain = plainAll(url, data);
          long ours = rebuilt(ledger.replay(), List.of());
          System.out.printf(
              "all: plain %d ms, rebuild %d ms, ratio %.2f%n", plain, ours, plain / (double) ours);
        }
        writes(ledger);
      } finally {
        ledger.close();
      }
      Runtime runtime = Runtime.getRuntime();
      System.out.printf(
          "heap limit %d MB, used at the end %d MB%n",
          runtime.maxMemory() >> 20, (runtime.totalMemory() - runtime.freeMemory()) >> 20);
    }
  }

  private static Ledger open(DatabaseUrl url, Path data) {
    return Ledger.open(
        new LedgerOptions(
            url,
            data.resolve("ledger.key"),
            data.resolve("subject-keys"),
            "token-ledger",
            "bench",
            8,
            List.of(data.resolve("signing.key")),
            data.resolve("state"),
            null,
            null,
            List.of(),
            null,
            List.of()),
        new SimpleMeterRegistry());
  }

  private static long millis(long since) {
    return (System.nanoTime() - since) / 1_000_000;
  }

  private static Connection connect(DatabaseUrl url) throws Exception {
    Connection connection =
        DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
    connection.setAutoCommit(false);
    return connection;
  }

  private static long number(DatabaseUrl url, String sql) throws Exception {
    try (Connection connection = connect(url);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(sql)) {
      row.next();
      return row.getLong(1);
    }
  }

  /** Until every event has its leaf and the live projections have followed. */
  private static void sequenced(DatabaseUrl url) throws Exception {
    long begun = System.nanoTime();
    long events = number(url, "SELECT count(*) FROM ledger.event");
    while (number(url, "SELECT size FROM audit.tree_head") < events) {
      Thread.sleep(500);
    }
    System.out.printf("%d events have their leaves after %d ms%n", events, millis(begun));
    while (number(url, "SELECT min(next_leaf_index) FROM views.follower") < events) {
      Thread.sleep(500);
    }
    System.out.printf("the live projections have followed after %d ms%n", millis(begun));
  }

  private static long rebuilt(Replay replay, List<String> projections) {
    long begun = System.nanoTime();
    ReplayJob job = replay.start(projections, "bench");
    ReplayJob ready = replay.await(job.id(), each -> {});
    long millis = millis(begun);
    System.out.printf(
        "  bulk %d events in %d ms, to ready %d ms%n",
        ready.eventsDone(), ready.workMillis(), millis);
    replay.drop(job.id());
    return millis;
  }

  private static void call(Connection connection, String function, String projections)
      throws Exception {
    try (Statement statement = connection.createStatement()) {
      statement.execute(
          "SELECT rebuild." + function + "('" + ASIDE + "', '{" + projections + "}')");
    }
  }

  private static final class Token {
    private long id;
    private String name;
    private List<String> permissions;
    private long createdAt;
    private Long expiresAt;
    private Long revokedAt;
    private Long suspendedAt;
    private long sequence;
    private final List<String> hashes = new ArrayList<>(2);
    private final List<Long> superseded = new ArrayList<>(2);
  }

  private static List<String> strings(JsonNode array) {
    List<String> texts = new ArrayList<>();
    array.forEach(each -> texts.add(each.stringValue()));
    return texts;
  }

  private static long time(JsonNode json, String field) {
    return Instant.parse(json.get(field).stringValue()).toEpochMilli();
  }

  private static long plainLookup(DatabaseUrl url) throws Exception {
    long begun = System.nanoTime();
    Map<Long, Token> tokens = new HashMap<>();
    try (Connection connection = connect(url)) {
      call(connection, "prepare", "token_lookup");
      try (PreparedStatement statement =
          connection.prepareStatement(
              "SELECT sequence_number, event_type, payload FROM ledger.event"
                  + " WHERE aggregate_type = 'Token' ORDER BY global_index")) {
        statement.setFetchSize(2_000);
        try (ResultSet row = statement.executeQuery()) {
          while (row.next()) {
            fold(tokens, row.getLong(1), row.getString(2), JSON.readTree(row.getString(3)));
          }
        }
      }
      try (Statement statement = connection.createStatement()) {
        statement.execute("SET LOCAL search_path = " + ASIDE);
      }
      CopyRows rows =
          new CopyRows(
              "COPY token_lookup (secret_hash, token_id, token_name, kind, permissions,"
                  + " created_at_ms, expires_at_ms, revoked_at_ms, superseded_at_ms,"
                  + " suspended_at_ms, last_sequence) FROM STDIN");
      int waiting = 0;
      for (Token token : tokens.values()) {
        for (int i = 0; i < token.hashes.size(); i++) {
          rows.addHex(token.hashes.get(i))
              .add(token.id)
              .add(token.name)
              .add("resource")
              .add(token.permissions)
              .add(token.createdAt)
              .add(token.expiresAt)
              .add(token.revokedAt)
              .add(token.superseded.get(i))
              .add(token.suspendedAt)
              .add(token.sequence)
              .end();
        }
        if (++waiting % 20_000 == 0) {
          rows.drain().write(connection);
        }
      }
      rows.drain().write(connection);
      call(connection, "index", "token_lookup");
      connection.commit();
      long millis = millis(begun);
      call(connection, "remove", "token_lookup");
      connection.commit();
      return millis;
    }
  }

  private static void fold(Map<Long, Token> tokens, long sequence, String type, JsonNode json) {
    long id = json.get("id").longValue();
    if (type.endsWith("Created")) {
      Token token = new Token();
      token.id = id;
      token.name = json.get("name").stringValue();
      token.permissions =
          json.has("permissions") ? strings(json.get("permissions")) : List.of("*:*:*");
      token.createdAt = time(json, "created_at");
      token.expiresAt = json.path("expiry").isString() ? (Long) time(json, "expiry") : null;
      token.hashes.add(json.get("hash").stringValue());
      token.superseded.add(null);
      token.sequence = sequence;
      tokens.put(id, token);
      return;
    }
    Token token = tokens.get(id);
    switch (type) {
      case "TokenRevoked" -> token.revokedAt = time(json, "revoked_at");
      case "TokenRotated" -> {
        long now = time(json, "rotated_at");
        long end = time(json, "grace_end");
        token.superseded.replaceAll(before -> before == null ? end : Math.min(before, now));
        token.hashes.add(json.get("hash").stringValue());
        token.superseded.add(null);
      }
      case "TokenPermissionsChanged" -> token.permissions = strings(json.get("permissions"));
      case "TokenSuspended" -> token.suspendedAt = time(json, "suspended_at");
      case "TokenResumed" -> token.suspendedAt = null;
      default -> {
        return;
      }
    }
    token.sequence = sequence;
  }

  private static long plainAll(DatabaseUrl url, Path data) throws Exception {
    Envelopes envelopes =
        new Envelopes(
            new SubjectKeys(data.resolve("subject-keys")),
            LedgerKey.loadOrCreate(data.resolve("ledger.key")),
            "token-ledger",
            "bench");
    String all = String.join(",", Replay.PROJECTIONS);
    long begun = System.nanoTime();
    try (Connection reader = connect(url);
        Connection writer = connect(url)) {
      call(writer, "prepare", all);
      try (Statement statement = writer.createStatement()) {
        statement.execute("SET LOCAL search_path = " + ASIDE);
      }
      try (Statement statement = reader.createStatement()) {
        statement.execute("SET LOCAL work_mem = '64MB'");
      }
      List<Fold> folds =
          List.of(new LookupFold(), new TokenFold(envelopes), new HistoryFold());
      String from =
          " FROM ledger.event AS event JOIN audit.leaf AS leaf ON leaf.global_index ="
              + " event.global_index ";
      String columns =
          "SELECT leaf.leaf_index, event.global_index, event.event_id, event.occurred_at,"
              + " event.aggregate_type, event.sequence_number, event.event_type, event.revision,"
              + " event.payload, event.metadata, event.aggregate_id";
      try (PreparedStatement statement =
          reader.prepareStatement(
              columns
                  + from
                  + "WHERE event.aggregate_type = 'Token' ORDER BY event.aggregate_id,"
                  + " event.sequence_number")) {
        statement.setFetchSize(2_000);
        String stream = "";
        long events = 0;
        try (ResultSet row = statement.executeQuery()) {
          while (row.next()) {
            if (!row.getString("aggregate_id").equals(stream)) {
              stream = row.getString("aggregate_id");
              folds.forEach(Fold::endStream);
            }
            Leaf leaf = leaf(row);
            TokenEvent event =
                (TokenEvent)
                    EventReader.CURRENT
                        .read(leaf.eventType(), leaf.revision(), leaf.payload())
                        .get(0);
            folds.forEach(fold -> fold.take(leaf, event));
            if (++events % 20_000 == 0) {
              for (Fold fold : folds) {
                fold.rows().drain().write(writer);
              }
            }
          }
        }
      }
      folds.forEach(Fold::endStream);
      for (Fold fold : folds) {
        fold.rows().drain().write(writer);
      }
      CopyRows rows = AuditLogTable.newRows();
      try (PreparedStatement statement =
          reader.prepareStatement(columns + from + "ORDER BY leaf.leaf_index")) {
        statement.setFetchSize(2_000);
        long events = 0;
        try (ResultSet row = statement.executeQuery()) {
          while (row.next()) {
            AuditLogTable.collect(leaf(row), rows);
            if (++events % 20_000 == 0) {
              rows.drain().write(writer);
            }
          }
        }
      }
      rows.drain().write(writer);
      call(writer, "index", all);
      writer.commit();
      long millis = millis(begun);
      call(writer, "remove", all);
      writer.commit();
      return millis;
    }
  }

  private static Leaf leaf(ResultSet row) throws Exception {
    return new Leaf(
        row.getLong(1),
        row.getLong(2),
        row.getString(3),
        row.getString(4),
        row.getString(5),
        row.getLong(6),
        row.getString(7),
        row.getString(8),
        row.getString(9),
        Header.parse(row.getString(10)),
        false);
  }

  /** Creations a second by eight callers, without and during a rebuild of everything. */
  private static void writes(Ledger ledger) throws Exception {
    rate(ledger, 5_000, null);
    double without = rate(ledger, 10_000, null);
    ReplayJob job = ledger.replay().start(List.of(), "bench");
    double during = rate(ledger, 0, job);
    long begun = System.nanoTime();
    ledger.replay().await(job.id(), each -> {});
    System.out.printf(
        "writes: %.0f/s without, %.0f/s during a rebuild, ratio %.2f; ready %d ms after they ended%n",
        without, during, during / without, millis(begun));
    Replay.Exchange swap = ledger.replay().swap(job.id(), null);
    System.out.printf("swap: %s, appends waited %d ms%n", swap.swapped(), swap.pauseMillis());
    Replay.Exchange back = ledger.replay().rollback(job.id(), null);
    System.out.printf("rollback: %s, appends waited %d ms%n", back.swapped(), back.pauseMillis());
    ledger.replay().drop(job.id());
  }

  private static double rate(Ledger ledger, long forMillis, ReplayJob job) throws Exception {
    AtomicLong done = new AtomicLong();
    boolean[] over = new boolean[1];
    List<Thread> threads = new ArrayList<>();
    long begun = System.nanoTime();
    for (int i = 0; i < WRITERS; i++) {
      Thread thread =
          new Thread(
              () -> {
                while (!over[0]) {
                  create(ledger);
                  done.incrementAndGet();
                }
              });
      thread.start();
      threads.add(thread);
    }
    while (job == null
        ? millis(begun) < forMillis
        : List.of(ReplayJob.State.BUILDING, ReplayJob.State.INDEXING)
            .contains(ledger.replay().job(job.id()).state())) {
      Thread.sleep(200);
    }
    double rate = done.get() * 1_000.0 / millis(begun);
    over[0] = true;
    for (Thread thread : threads) {
      thread.join();
    }
    return rate;
  }

  private static void create(Ledger ledger) {
    TokenName name = new TokenName("write-" + UUID.randomUUID());
    Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
    RequestContext context =
        new RequestContext(
            Actor.SYSTEM, "bearer", null, null, null, null, 0, null, false, null, "bench", "r",
            null, null, null);
    ledger
        .execute(
            Proposal.withNewId(
                name,
                id ->
                    new CreateResourceToken(
                        name,
                        id,
                        TokenSecret.generate(RANDOM).hash(),
                        Permissions.parse(List.of("db:a:read")),
                        now,
                        Expiry.NEVER,
                        Actor.SYSTEM)),
            context)
        .join();
  }
}

package io.tokenledger.sequence;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.ledger.TestLedger;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.Roles;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.store.EventTable;
import io.tokenledger.tlog.Frontier;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SequencerIT {

  private static final AtomicInteger EVENTS = new AtomicInteger();

  @TempDir Path keys;
  private DatabaseUrl database;
  private final List<Sequencer> sequencers = new ArrayList<>();

  @BeforeEach
  void migrate() {
    database = TestPostgres.freshDatabase();
    TestLedger.open(database, keys).close();
  }

  @AfterEach
  void stop() {
    sequencers.forEach(Sequencer::close);
  }

  /** Takes any tree and signs none. */
  private static final class NoKeeper implements TreeKeeper {
    @Override
    public void begin(Connection session, int generation, Frontier edge) {}

    @Override
    public void grown(Connection session, int generation, Frontier edge) {}

    @Override
    public void forged(Connection session, List<LogTable.NewLeaf> leaves) {}
  }

  private Sequencer sequencer(Duration floorPatience, Duration reconcileInterval) {
    Sequencer sequencer =
        new Sequencer(
            Roles.ensureApp(database),
            "n" + sequencers.size(),
            new EventTable(LedgerKey.loadOrCreate(keys.resolve("ledger.key"))),
            new NoKeeper(),
            Duration.ofMillis(20),
            floorPatience,
            reconcileInterval,
            (firstLeafIndex, rows) -> {},
            new SimpleMeterRegistry());
    sequencers.add(sequencer);
    sequencer.start();
    return sequencer;
  }

  private static String insert(Connection connection) throws SQLException {
    String id = "e" + EVENTS.incrementAndGet();
    try (PreparedStatement statement =
        connection.prepareStatement(
            """
            INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,
                                      event_type, revision, occurred_at, payload, metadata, mac)
            VALUES (?, ?, 0, 'Request', 'x', '1', '2026-11-24T12:00:00Z', '{}', '{}',
                    sha256('m'))
            """)) {
      statement.setString(1, id);
      statement.setString(2, id);
      statement.executeUpdate();
    }
    return id;
  }

  private long number(String sql) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(sql)) {
      row.next();
      return row.getLong(1);
    }
  }

  private void execute(String sql) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  private void await(String sql, long wanted, Duration limit) throws Exception {
    long end = System.nanoTime() + limit.toNanos();
    while (number(sql) != wanted) {
      assertTrue(System.nanoTime() < end, () -> "not " + wanted + " in time: " + sql);
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  private void assertDense() throws SQLException {
    long leaves = number("SELECT count(*) FROM audit.leaf");
    assertEquals(leaves, number("SELECT coalesce(max(leaf_index) + 1, 0) FROM audit.leaf"));
    assertEquals(leaves, number("SELECT size FROM audit.tree_head"));
    assertEquals(leaves, number("SELECT count(*) FROM ledger.event"));
  }

  @Test
  void anEventThatCommitsLaterThanEveryLimitGetsItsPlace() throws Exception {
    holdOpenWhileOthersCommit(
        Duration.ofMillis(200), Duration.ofMillis(500), Duration.ofSeconds(2));
  }

  @Test
  @Tag("long")
  void anEventThatCommitsAfterNinetySecondsGetsItsPlace() throws Exception {
    holdOpenWhileOthersCommit(
        Duration.ofSeconds(60), Duration.ofSeconds(60), Duration.ofSeconds(90));
  }

  private void holdOpenWhileOthersCommit(Duration patience, Duration reconcile, Duration open)
      throws Exception {
    sequencer(patience, reconcile);
    try (Connection slow = TestPostgres.connect(database);
        Connection fast = TestPostgres.connect(database)) {
      slow.setAutoCommit(false);
      String late = insert(slow);
      List<String> cursorSaw = new ArrayList<>();
      long cursor = 0;
      long end = System.nanoTime() + open.toNanos();
      long committed = 0;
      while (System.nanoTime() < end) {
        insert(fast);
        committed++;
        cursor = follow(fast, cursor, cursorSaw);
        TimeUnit.MILLISECONDS.sleep(20);
      }
      await("SELECT count(*) FROM audit.leaf", committed, Duration.ofSeconds(10));
      slow.commit();
      await(
          "SELECT count(*) FROM audit.leaf WHERE event_id = '" + late + "'",
          1,
          reconcile.plusSeconds(15));
      assertDense();
      follow(fast, cursor, cursorSaw);
      assertFalse(
          cursorSaw.contains(late), "a follower that remembers the highest number loses it");
    }
  }

  /** What nobody here does: read on from the highest number seen. */
  private static long follow(Connection connection, long cursor, List<String> saw)
      throws SQLException {
    long highest = cursor;
    try (PreparedStatement statement =
        connection.prepareStatement(
            "SELECT global_index, event_id FROM ledger.event WHERE global_index > ?"
                + " ORDER BY global_index")) {
      statement.setLong(1, cursor);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          highest = row.getLong(1);
          saw.add(row.getString(2));
        }
      }
    }
    return highest;
  }

  @Test
  void manyWritersWithRollbacksAndPausesGiveOneDenseOrderAlsoWithTwoSequencers() throws Exception {
    // Each session draws its numbers ahead: what commits first may have the highest.
    execute("ALTER TABLE ledger.event ALTER global_index SET CACHE 20");
    sequencer(Duration.ofMillis(300), Duration.ofSeconds(1));
    sequencer(Duration.ofMillis(300), Duration.ofSeconds(1));
    ExecutorService writers = Executors.newFixedThreadPool(8);
    List<Future<Integer>> done = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      int seed = i;
      Callable<Integer> writer = () -> write(new Random(seed), 60);
      done.add(writers.submit(writer));
    }
    int committed = 0;
    for (Future<Integer> writer : done) {
      committed += writer.get(60, TimeUnit.SECONDS);
    }
    writers.shutdown();
    await("SELECT count(*) FROM audit.leaf", committed, Duration.ofSeconds(10));
    assertDense();
  }

  /** A backlog is drained upwards, and what commits below it meanwhile is not left behind. */
  @Test
  void aBacklogOfSeveralBatchesGetsItsPlacesAndSoDoesWhatCommitsBelowIt() throws Exception {
    try (Connection slow = TestPostgres.connect(database)) {
      slow.setAutoCommit(false);
      String late = insert(slow);
      execute(
          "INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,"
              + " event_type, revision, occurred_at, payload, metadata, mac)"
              + " SELECT 'b' || i, 'b' || i, 0, 'Token', 'ResourceTokenCreated', '1',"
              + " '2026-11-24T12:00:00.000Z', '{}', '{}', sha256('m')"
              + " FROM generate_series(1, 12001) AS i");
      sequencer(Duration.ofMinutes(5), Duration.ofMinutes(5));
      await("SELECT count(*) FROM audit.leaf", 12_001, Duration.ofSeconds(30));
      assertEquals(
          0,
          number(
              "SELECT count(*) FROM audit.leaf AS one JOIN audit.leaf AS next"
                  + " ON next.leaf_index = one.leaf_index + 1"
                  + " WHERE next.global_index < one.global_index"),
          "in the order of their rows");
      slow.commit();
      await(
          "SELECT count(*) FROM audit.leaf WHERE event_id = '" + late + "'",
          1,
          Duration.ofSeconds(10));
      assertDense();
    }
  }

  /** Whoever can add rows does not end the log by one that has no entry. */
  @Test
  void aRowWhoseEntryWouldBeTooLongGetsItsPlaceAndOneWithoutATimeIsRefused() throws Exception {
    sequencer(Duration.ofMinutes(5), Duration.ofMinutes(5));
    String row =
        "INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,"
            + " event_type, revision, occurred_at, payload, metadata, mac, recorded_at)"
            + " SELECT long, long, 0, long, long, long, '2026-11-24T12:00:00.000Z', '{}',"
            + " json_build_object('actor', json_build_object('id', long), 'action', long,"
            + " 'outcome', long, 'target', json_build_object('id', long), 'request_id', long)::text,"
            + " sha256('m'), %s FROM (SELECT repeat(chr(1), 2000) AS long) AS made";
    assertThrows(SQLException.class, () -> execute(row.formatted("'infinity'")));
    execute(row.formatted("now()"));
    try (Connection connection = TestPostgres.connect(database)) {
      insert(connection);
    }
    await("SELECT count(*) FROM audit.leaf", 2, Duration.ofSeconds(30));
    assertDense();
  }

  private int write(Random random, int transactions) throws Exception {
    int committed = 0;
    try (Connection connection = TestPostgres.connect(database)) {
      connection.setAutoCommit(false);
      for (int i = 0; i < transactions; i++) {
        int events = 1 + random.nextInt(5);
        for (int event = 0; event < events; event++) {
          insert(connection);
        }
        if (random.nextInt(20) == 0) {
          TimeUnit.MILLISECONDS.sleep(random.nextInt(600));
        }
        if (random.nextInt(10) == 0) {
          connection.rollback();
        } else {
          connection.commit();
          committed += events;
        }
      }
    }
    return committed;
  }

  @Test
  void anotherNodeLeadsWithinSecondsWhenTheLeadersSessionEnds() throws Exception {
    Sequencer first = sequencer(Duration.ofSeconds(1), Duration.ofSeconds(5));
    awaitLeading(first);
    Sequencer second = sequencer(Duration.ofSeconds(1), Duration.ofSeconds(5));
    String leader =
        "SELECT coalesce(min(pid), 0) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            + " WHERE d.datname = current_database() AND l.locktype = 'advisory'"
            + " AND l.granted AND l.objid::bigint = "
            + 0x7106_0003L;
    long pid = number(leader);
    assertTrue(pid > 0, "someone leads");
    number("SELECT pg_terminate_backend(" + pid + ")::int");
    try (Connection connection = TestPostgres.connect(database)) {
      insert(connection);
    }
    await("SELECT count(*) FROM audit.leaf", 1, Duration.ofSeconds(5));
    assertTrue(first.isLeading() ^ second.isLeading(), "exactly one leads");
    assertDense();
  }

  private static void awaitLeading(Sequencer sequencer) throws InterruptedException {
    long end = System.nanoTime() + Duration.ofSeconds(10).toNanos();
    while (!sequencer.isLeading()) {
      assertTrue(System.nanoTime() < end, "it leads");
      TimeUnit.MILLISECONDS.sleep(10);
    }
  }
}

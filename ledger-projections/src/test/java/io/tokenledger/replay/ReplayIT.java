package io.tokenledger.replay;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.TestLedger;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.permission.Permissions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenCommand.ChangeExpiry;
import io.tokenledger.token.TokenCommand.ChangePermissions;
import io.tokenledger.token.TokenCommand.DescribeToken;
import io.tokenledger.token.TokenCommand.ResumeToken;
import io.tokenledger.token.TokenCommand.RotateToken;
import io.tokenledger.token.TokenCommand.SuspendToken;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenSummary;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReplayIT {

  @TempDir Path keys;

  private DatabaseUrl database;
  private Ledger ledger;

  @BeforeEach
  void open() {
    database = TestPostgres.freshDatabase();
    ledger = TestLedger.open(database, keys);
  }

  @AfterEach
  void close() {
    ledger.close();
  }

  private void sql(String... statements) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      for (String each : statements) {
        statement.execute(each);
      }
    }
  }

  private String one(String query) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        var row = statement.executeQuery(query)) {
      row.next();
      return String.valueOf(row.getString(1));
    }
  }

  private static void ignore(ReplayJob job) {}

  private ReplayJob started(String... projections) {
    return ledger
        .replay()
        .await(ledger.replay().start(List.of(projections), "alice").id(), ReplayIT::ignore);
  }

  /** Names that live, die and are used again, with every change there is. */
  private void lives(int tokens) {
    Random random = new Random(7);
    for (int i = 0; i < tokens; i++) {
      String name = "quote\" back\\slash {" + random.nextInt(Math.max(2, tokens / 3));
      TokenName tokenName = new TokenName(name);
      TokenSummary made =
          TestLedger.create(ledger, name, TestLedger.newHash(), "db:a,b:read")
              .exceptionally(taken -> null)
              .join();
      if (made == null) {
        TestLedger.revoke(ledger, name).join();
        continue;
      }
      TokenId id = made.id();
      TestLedger.execute(
              ledger,
              new RotateToken(
                  tokenName,
                  id,
                  TestLedger.newHash(),
                  TestLedger.now(),
                  Duration.ofHours(random.nextInt(2)),
                  TestLedger.ADMIN))
          .join();
      TestLedger.execute(
              ledger,
              new DescribeToken(
                  tokenName, id, "a \\ back\\nslash", TestLedger.now(), TestLedger.ADMIN))
          .join();
      TestLedger.execute(
              ledger, new SuspendToken(tokenName, id, TestLedger.now(), TestLedger.ADMIN))
          .join();
      if (random.nextBoolean()) {
        TestLedger.execute(
                ledger, new ResumeToken(tokenName, id, TestLedger.now(), TestLedger.ADMIN))
            .join();
        TestLedger.execute(
                ledger,
                new ChangePermissions(
                    tokenName,
                    id,
                    Permissions.parse(List.of("db:c:write", "system:ping:read")),
                    TestLedger.now(),
                    TestLedger.ADMIN))
            .join();
        TestLedger.execute(
                ledger,
                new ChangeExpiry(
                    tokenName,
                    id,
                    new Expiry(System.currentTimeMillis() + 3_600_000),
                    TestLedger.now(),
                    TestLedger.ADMIN))
            .join();
      }
    }
  }

  @Test
  void everyProjectionComesOutOfTheEventsAsItIsAndChangesPlaces() throws Exception {
    TestLedger.createOperator(ledger, TestLedger.newHash()).join();
    lives(40);
    ReplayJob job = started();
    assertEquals(Replay.PROJECTIONS, job.projections());
    lives(10);

    ReplayReport report = ledger.replay().compare(job.id());
    assertEquals(List.of(), report.differences());
    assertEquals(report.live(), report.rebuilt());
    assertEquals(
        Set.of("audit_log", "audit_log_span", "token", "token_history", "token_lookup"),
        report.live().keySet());

    String before = one("SELECT 'views.token_lookup'::regclass::oid");
    long listed = TestLedger.query(ledger, "SELECT * FROM system.tokens", "tokens").size();
    assertTrue(ledger.replay().swap(job.id(), null).swapped());
    assertNotEquals(before, one("SELECT 'views.token_lookup'::regclass::oid"));
    assertEquals(before, one("SELECT 'previous.token_lookup'::regclass::oid"));
    assertEquals(listed, TestLedger.query(ledger, "SELECT * FROM system.tokens", "tokens").size());
    SecretHash late = TestLedger.newHash();
    TestLedger.create(ledger, "after the swap", late, "db:a:read").join();
    assertTrue(ledger.lookup().find(late).isPresent());
    assertTrue(ledger.replay().rollback(job.id(), null).swapped());
    assertEquals(before, one("SELECT 'views.token_lookup'::regclass::oid"));
    assertTrue(ledger.lookup().find(late).isPresent());
    assertEquals(0, ledger.replay().compare(job.id()).differenceCount());

    ledger.replay().drop(job.id());
    assertEquals("null", one("SELECT to_regclass('previous.token_lookup')"));
    assertEquals(ReplayJob.State.DROPPED, ledger.replay().job(job.id()).state());
  }

  @Test
  void noTamperedRowGoesAwayUnseenAndNoneByItself() throws Exception {
    List<SecretHash> hashes = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      hashes.add(TestLedger.newHash());
      TestLedger.create(ledger, "t" + i, hashes.get(i), "db:a:read").join();
    }
    TestLedger.revoke(ledger, "t3").join();
    sql(
        "DELETE FROM views.token_lookup WHERE token_name = 't1'",
        "UPDATE views.token_lookup SET permissions = '{*:*:*}' WHERE token_name = 't2'",
        "UPDATE views.token_lookup SET revoked_at_ms = NULL WHERE token_name = 't3'",
        "INSERT INTO views.token_lookup SELECT sha512('x'), 99, 'forged', kind, permissions,"
            + " created_at_ms, NULL, NULL, NULL, 0 FROM views.token_lookup LIMIT 1");

    ReplayJob job = started(Replay.LOOKUP);
    ReplayReport found = ledger.replay().compare(job.id());
    Set<String> kinds = new HashSet<>();
    found.differences().forEach(d -> kinds.add(d.kind() + " " + d.tokenName()));
    assertEquals(Set.of("missing t1", "changed t2", "changed t3", "added forged"), kinds);
    assertNotEquals(found.live(), found.rebuilt());

    Replay.Exchange refused = ledger.replay().swap(job.id(), null);
    assertFalse(refused.swapped());
    assertEquals(found.digest(), refused.digest());
    sql("UPDATE views.token_lookup SET permissions = '{*:*:*}' WHERE token_name = 't4'");
    assertFalse(ledger.replay().swap(job.id(), found.digest()).swapped());

    String digest = ledger.replay().compare(job.id()).digest();
    assertTrue(ledger.replay().swap(job.id(), digest).swapped());
    assertEquals(
        FoundToken.State.REVOKED,
        ledger.lookup().find(hashes.get(3)).orElseThrow().state(System.currentTimeMillis()));
    assertTrue(ledger.lookup().find(hashes.get(1)).isPresent());
    assertFalse(ledger.replay().rollback(job.id(), null).swapped());
  }

  @Test
  void decisionsAreRightAllTheWayThroughRebuildSwapAndRollback() throws Exception {
    lives(20);
    Map<SecretHash, FoundToken.State> known = new ConcurrentHashMap<>();
    List<SecretHash> asked = new CopyOnWriteArrayList<>();
    SecretHash unknown = TestLedger.newHash();
    AtomicBoolean over = new AtomicBoolean();
    AtomicLong wrong = new AtomicLong();
    AtomicLong decisions = new AtomicLong();
    ExecutorService load = Executors.newFixedThreadPool(3);
    List<Future<?>> running = new ArrayList<>();
    running.add(
        load.submit(
            () -> {
              for (int i = 0; !over.get(); i++) {
                SecretHash hash = TestLedger.newHash();
                TestLedger.create(ledger, "load" + i, hash, "db:a:read").join();
                known.put(hash, FoundToken.State.LIVE);
                asked.add(hash);
                if (i % 2 == 0) {
                  // Not asked about while it changes: only what is known is judged.
                  known.remove(hash);
                  TestLedger.revoke(ledger, "load" + i).join();
                  known.put(hash, FoundToken.State.REVOKED);
                }
              }
              return null;
            }));
    for (int reader = 0; reader < 2; reader++) {
      Random random = new Random(reader);
      running.add(
          load.submit(
              () -> {
                while (!over.get()) {
                  if (ledger.lookup().find(unknown).isPresent()) {
                    wrong.incrementAndGet();
                  }
                  if (asked.isEmpty()) {
                    continue;
                  }
                  SecretHash hash = asked.get(random.nextInt(asked.size()));
                  FoundToken.State before = known.get(hash);
                  FoundToken.State got =
                      ledger
                          .lookup()
                          .find(hash)
                          .map(found -> found.state(System.currentTimeMillis()))
                          .orElse(null);
                  if (before != null && before == known.get(hash)) {
                    decisions.incrementAndGet();
                    if (got != before) {
                      wrong.incrementAndGet();
                    }
                  }
                }
                return null;
              }));
    }
    try {
      for (int round = 0; round < 2; round++) {
        ReplayJob job = started();
        Replay.Exchange swap = ledger.replay().swap(job.id(), null);
        assertTrue(swap.swapped(), () -> String.valueOf(ledger.replay().compare(job.id())));
        assertTrue(ledger.replay().rollback(job.id(), null).swapped());
        assertTrue(ledger.replay().rollback(job.id(), null).swapped());
      }
    } finally {
      over.set(true);
      for (Future<?> each : running) {
        each.get();
      }
      load.shutdown();
    }
    assertTrue(decisions.get() > 100, "the load asks: " + decisions);
    assertEquals(0, wrong.get());
  }

  @Test
  void aPausedReplayGoesOnWhereItWas() throws Exception {
    lives(10);
    ledger.close();
    // Nobody works on it: what a killed node leaves.
    try (Ledger.Offline offline = Ledger.openOffline(database, new SimpleMeterRegistry())) {
      ReplayJob job = offline.replay().start(List.of(Replay.LOOKUP), "alice");
      offline.replay().pause(job.id());
    }
    ledger = TestLedger.open(database, keys);
    long id = ledger.replay().history(1).get(0).id();
    assertThrows(Replay.ReplayRefused.class, () -> ledger.replay().start(List.of(), "bob"));
    ledger.replay().resume(id);
    assertEquals(ReplayJob.State.READY, ledger.replay().await(id, ReplayIT::ignore).state());
    assertEquals(0, ledger.replay().compare(id).differenceCount());
  }

  @Test
  void anEventThatCannotBeReadStopsItAndIsNamed() throws Exception {
    TestLedger.create(ledger, "t", TestLedger.newHash(), "db:a:read").join();
    sql(
        "INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,"
            + " event_type, revision, occurred_at, payload, metadata, mac) SELECT 'broken',"
            + " 'token:u', 0, 'Token', 'NeverHeardOf', '1', occurred_at, payload, metadata, mac"
            + " FROM ledger.event WHERE aggregate_id = 'token:t'");
    UnreadableEvent failure = assertThrows(UnreadableEvent.class, () -> started(Replay.LOOKUP));
    assertTrue(failure.getMessage().contains("event broken"), failure.getMessage());
    assertTrue(failure.getMessage().contains("NeverHeardOf"), failure.getMessage());
  }

  @Test
  void anyMomentLiesInASchemaOfItsOwnUntilItsLeaseEnds() throws Exception {
    SecretHash hash = TestLedger.newHash();
    TestLedger.create(ledger, "t", hash, "db:a:read").join();
    long size = awaitSize(1);
    TestLedger.revoke(ledger, "t").join();
    awaitSize(size + 1);
    ReplayJob job =
        ledger
            .replay()
            .startAt(List.of(), "leaf:" + (size - 1), size, null, "alice", Duration.ofHours(1));
    ledger.replay().await(job.id(), ReplayIT::ignore);
    assertEquals("null", one("SELECT revoked_at_ms FROM " + job.schema() + ".token_lookup"));
    assertNotEquals("null", one("SELECT revoked_at_ms FROM views.token_lookup"));
    sql("UPDATE state.replay SET drop_after = clock_timestamp() - interval '1 second'");
    assertEquals(1, ledger.replay().dropExpired());
    assertEquals("null", one("SELECT to_regnamespace('" + job.schema() + "')"));
  }

  @Test
  void aMomentInTimeHoldsWhatHadOccurredByThen() throws Exception {
    TestLedger.create(ledger, "t", TestLedger.newHash(), "db:a:read").join();
    awaitSize(1);
    Instant created =
        Instant.parse(one("SELECT occurred_at FROM ledger.event WHERE event_type LIKE '%Created'"));
    while (Instant.now().toEpochMilli() <= created.toEpochMilli()) {
      Thread.onSpinWait();
    }
    TestLedger.revoke(ledger, "t").join();
    long size = awaitSize(2);
    ReplayJob job =
        ledger
            .replay()
            .startAt(List.of(), "time:" + created, size, created, "alice", Duration.ofHours(1));
    ledger.replay().await(job.id(), ReplayIT::ignore);
    assertEquals("null", one("SELECT revoked_at_ms FROM " + job.schema() + ".token_lookup"));
    assertEquals("null", one("SELECT revoked_at FROM " + job.schema() + ".token"));
    assertEquals(
        "1", one("SELECT count(*) FROM " + job.schema() + ".token_history WHERE token_name = 't'"));
    assertNotEquals("null", one("SELECT revoked_at_ms FROM views.token_lookup"));
  }

  @Test
  void driftIsFoundOnceAndGoneAfterASwap() throws Exception {
    TestLedger.createOperator(ledger, TestLedger.newHash()).join();
    lives(6);
    awaitSize(2);
    ledger.drift().round();
    assertEquals(Map.of(), ledger.drift().found());
    sql(
        "UPDATE views.token_lookup SET permissions = '{*:*:*}' WHERE token_id = 1",
        "INSERT INTO views.token_lookup SELECT sha512('x'), 99, 'forged', kind, permissions,"
            + " created_at_ms, NULL, NULL, NULL, 0 FROM views.token_lookup LIMIT 1");
    ledger.drift().round();
    ledger.drift().round();
    long secrets =
        Long.parseLong(one("SELECT count(*) FROM views.token_lookup WHERE token_id = 1"));
    assertEquals(Map.of("token_lookup", secrets + 1), ledger.drift().found());
    assertEquals(
        "2", one("SELECT count(*) FROM ledger.event WHERE event_type = 'ProjectionDriftFound'"));
    ReplayJob job = started();
    String digest = ledger.replay().compare(job.id()).digest();
    assertTrue(ledger.replay().swap(job.id(), digest).swapped());
    assertEquals(Map.of(), ledger.drift().found());
    ledger.drift().round();
    assertEquals(Map.of(), ledger.drift().found());
    assertEquals("0", one("SELECT count(*) FROM drift.token_lookup"));
  }

  private long awaitSize(long atLeast) throws Exception {
    Instant end = Instant.now().plusSeconds(10);
    while (Instant.now().isBefore(end)) {
      long size = ledger.auditSize();
      if (size >= atLeast) {
        return size;
      }
      Thread.onSpinWait();
    }
    throw new AssertionError("the log does not grow to " + atLeast);
  }
}

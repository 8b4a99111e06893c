package io.tokenledger.requests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.TestLedger;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.sealing.SubjectKeys;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.Actor;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.postgresql.ds.PGSimpleDataSource;

class RequestLogOutageIT {

  private static final Duration WINDOW = Duration.ofMinutes(1);
  private static final RequestContext CALLER = TestLedger.context(Actor.ANONYMOUS);

  @TempDir Path keys;
  private DatabaseUrl database;
  private final SwitchedDatabase writers = new SwitchedDatabase();
  private final SetClock clock = new SetClock();
  private RequestLog log;

  /** A database that can be away, and that can keep who asks for it waiting. */
  private static final class SwitchedDatabase extends PGSimpleDataSource {
    private static final long serialVersionUID = 1L;

    private volatile boolean away;
    private transient volatile CountDownLatch door = new CountDownLatch(0);
    private final AtomicInteger refused = new AtomicInteger();

    @Override
    public Connection getConnection() throws SQLException {
      try {
        door.await();
      } catch (InterruptedException e) {
        throw new SQLException(e);
      }
      if (away) {
        refused.incrementAndGet();
        throw new SQLException("the database is away");
      }
      Connection connection = super.getConnection();
      connection.setAutoCommit(false);
      return connection;
    }
  }

  private static final class SetClock extends Clock {
    private volatile Instant now = Instant.parse("2026-11-24T12:00:00Z");

    private void pass(Duration duration) {
      now = now.plus(duration);
    }

    @Override
    public Instant instant() {
      return now;
    }

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      return this;
    }
  }

  @BeforeEach
  void open() {
    database = TestPostgres.freshDatabase();
    TestLedger.open(database, keys).close();
    writers.setUrl(database.jdbcUrl());
    writers.setUser(database.user());
    writers.setPassword(database.password());
    LedgerKey key = LedgerKey.loadOrCreate(keys.resolve("ledger.key"));
    log =
        new RequestLog(
            writers,
            new EventTable(key),
            new Envelopes(new SubjectKeys(keys.resolve("subjects")), key, "test/log", "n1"),
            () -> {},
            clock,
            WINDOW,
            new SimpleMeterRegistry());
  }

  @AfterEach
  void close() {
    writers.away = false;
    log.close();
  }

  private void refuse(String reason) {
    log.authenticationFailed(CALLER, "GET other", reason, 401);
  }

  private List<Long> counts(String eventType) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row =
            statement.executeQuery(
                "SELECT payload::json ->> 'count' FROM ledger.event WHERE event_type = '"
                    + eventType
                    + "' ORDER BY global_index")) {
      List<Long> counts = new ArrayList<>();
      while (row.next()) {
        counts.add(row.getLong(1));
      }
      return counts;
    }
  }

  private void awaitCounts(String eventType, List<Long> wanted) throws SQLException {
    Instant end = Instant.now().plusSeconds(20);
    while (!counts(eventType).equals(wanted) && Instant.now().isBefore(end)) {
      clock.pass(Duration.ofSeconds(1));
    }
    assertEquals(wanted, counts(eventType));
  }

  private void awaitAnotherTry() {
    int before = writers.refused.get();
    Instant end = Instant.now().plusSeconds(20);
    while (writers.refused.get() == before && Instant.now().isBefore(end)) {
      Thread.onSpinWait();
    }
    assertTrue(writers.refused.get() > before, "it tries to write");
  }

  @Test
  void aRefusalThatCannotBeStoredIsUnavailableAgainAndAgain() throws SQLException {
    writers.away = true;
    for (int i = 0; i < 3; i++) {
      assertThrows(LedgerUnavailable.class, () -> refuse("missing_token"));
    }
    writers.away = false;
    refuse("missing_token");
    assertEquals(List.of(1L), counts("AuthenticationFailed"));
  }

  @Test
  void aRepeatWaitsUntilTheFirstOfItsKindIsStored() throws Exception {
    writers.away = true;
    writers.door = new CountDownLatch(1);
    List<CompletableFuture<Void>> answers = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      answers.add(CompletableFuture.runAsync(() -> refuse("missing_token")));
    }
    assertEquals(0, answers.stream().filter(CompletableFuture::isDone).count());
    writers.door.countDown();
    for (CompletableFuture<Void> answer : answers) {
      CompletionException failed =
          assertThrows(
              CompletionException.class, () -> answer.orTimeout(10, TimeUnit.SECONDS).join());
      assertInstanceOf(LedgerUnavailable.class, failed.getCause());
    }
  }

  @Test
  void countsThatCouldNotBeWrittenAreWrittenWhenTheDatabaseIsBack() throws SQLException {
    for (int i = 0; i < 5; i++) {
      refuse("missing_token");
      log.decisionDenied(CALLER, "not_granted", "token:7");
    }
    writers.away = true;
    clock.pass(WINDOW);
    awaitAnotherTry();
    assertThrows(
        LedgerUnavailable.class, () -> refuse("missing_token"), "a new window has a new first");
    for (int i = 0; i < 2; i++) {
      log.decisionDenied(CALLER, "not_granted", "token:7");
    }
    clock.pass(WINDOW);
    awaitAnotherTry();
    writers.away = false;
    clock.pass(WINDOW);
    awaitCounts("AuthenticationFailed", List.of(1L, 4L));
    awaitCounts("DecisionsDenied", List.of(7L));
  }
}

package io.tokenledger.ledger;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.sealing.SubjectKeys;
import io.tokenledger.store.EventTable;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.postgresql.ds.PGSimpleDataSource;

@Timeout(20)
class LogAlertsTest {

  @TempDir Path keys;
  private final HangingDatabase database = new HangingDatabase();
  private RequestLog requests;
  private LogAlerts alerts;

  /** Keeps who asks for it waiting, and is away then. */
  private static final class HangingDatabase extends PGSimpleDataSource {
    private static final long serialVersionUID = 1L;

    private final transient CountDownLatch door = new CountDownLatch(1);
    private final transient Semaphore refused = new Semaphore(0);

    @Override
    public Connection getConnection() throws SQLException {
      try {
        door.await();
      } catch (InterruptedException e) {
        throw new SQLException(e);
      }
      refused.release();
      throw new SQLException("the database is away");
    }
  }

  @BeforeEach
  void open() {
    LedgerKey key = LedgerKey.loadOrCreate(keys.resolve("ledger.key"));
    requests =
        new RequestLog(
            database,
            new EventTable(key),
            new Envelopes(new SubjectKeys(keys.resolve("subjects")), key, "test/log", "n1"),
            () -> {},
            Clock.systemUTC(),
            Duration.ofMinutes(1),
            new SimpleMeterRegistry());
    alerts = new LogAlerts(requests, Duration.ofMillis(1));
  }

  @AfterEach
  void close() {
    database.door.countDown();
    alerts.close();
    requests.close();
  }

  @Test
  void theKeeperGoesOnWhileTheDatabaseHangsHoweverMuchItReports() {
    for (int i = 0; i < 20_000; i++) {
      alerts.signingRefused("history_rewritten", "history was rewritten", i);
    }
    assertEquals(1, database.door.getCount(), "no event was stored meanwhile");
  }

  @Test
  void whatCannotBeStoredIsTriedAgain() throws InterruptedException {
    database.door.countDown();
    alerts.signingRefused("history_rewritten", "history was rewritten", 7);
    assertTrue(database.refused.tryAcquire(3, 10, TimeUnit.SECONDS));
  }

  @Test
  void whatIsReportedWhileTheNodeDrainsEndsNoThread() {
    database.door.countDown();
    alerts.close();
    alerts.signingRefused("history_rewritten", "history was rewritten", 1);
  }
}

package io.tokenledger.ledger;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.signing.CheckpointMemory;
import io.tokenledger.signing.Signer;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.VerifierKey;
import io.tokenledger.verify.DatabaseVerification;
import io.tokenledger.verify.Finding;
import io.tokenledger.verify.Verdict;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the whole log again while the node serves, once it does and then daily: the start itself
 * looks only at the tree's edge. What is found is an event, and stops the signing until a later
 * verification finds nothing; but for a row that no node wrote, which is recorded as such and
 * leaves the log sound.
 */
final class SelfVerification implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(SelfVerification.class);

  private final DatabaseUrl app;
  private final EventTable events;
  private final Signer signer;
  private final CheckpointMemory memory;
  private final RequestLog requests;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          work -> {
            Thread thread = new Thread(work, "ledger-verify");
            thread.setDaemon(true);
            return thread;
          });

  SelfVerification(
      DatabaseUrl app,
      EventTable events,
      Signer signer,
      CheckpointMemory memory,
      RequestLog requests) {
    this.app = app;
    this.events = events;
    this.signer = signer;
    this.memory = memory;
    this.requests = requests;
  }

  /** Begins, in a thread of its own. */
  @SuppressWarnings("FutureReturnValueIgnored") // Ends with the timer.
  void start(Duration interval) {
    timer.scheduleWithFixedDelay(this::runSafely, 0, interval.toMillis(), TimeUnit.MILLISECONDS);
  }

  private void runSafely() {
    try {
      run();
    } catch (SQLException | LedgerUnavailable e) {
      LOG.warn("the log was not verified: {}", e.getMessage());
    } catch (RuntimeException e) {
      // The outermost boundary of this thread: tomorrow is another day.
      LOG.error("the log could not be verified", e);
    }
  }

  /** Verifies once, records the result, and stops or resumes the signing. */
  Verdict run() throws SQLException {
    // Remembered first: a snapshot taken later holds all that was signed before.
    List<SignedNote> remembered = new ArrayList<>();
    List<VerifierKey> keys = new ArrayList<>();
    int newest = Math.max(1, memory.newestGeneration());
    for (int generation = 1; generation <= newest; generation++) {
      keys.addAll(signer.verifierKeys(generation));
    }
    memory.newest(newest).ifPresent(remembered::add);
    Verdict verdict;
    try (Connection connection =
        DriverManager.getConnection(app.jdbcUrl(), app.user(), app.password())) {
      connection.setAutoCommit(false);
      verdict =
          new DatabaseVerification(Policy.of(keys), remembered, events, false)
              .run(connection, (done, total) -> {});
    }
    verdict.findings().forEach(finding -> LOG.error("the log is not as it was: {}", finding));
    Finding difference = verdict.difference();
    signer.verified(difference == null ? null : difference.toString(), verdict.leaves());
    requests.auditVerified(
        RequestContext.ofNode("clock", "verification", UUID.randomUUID().toString()),
        "scheduled",
        "database",
        verdict.isClean() ? "ok" : "tampered",
        verdict.leaves());
    return verdict;
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }
}

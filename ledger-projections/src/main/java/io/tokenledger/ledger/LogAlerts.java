package io.tokenledger.ledger;

import io.tokenledger.audit.ControlEvent;
import io.tokenledger.audit.ControlEvent.CheckpointAnchored;
import io.tokenledger.audit.ControlEvent.ForgedEventFound;
import io.tokenledger.audit.ControlEvent.SigningKeyRotated;
import io.tokenledger.audit.ControlEvent.SigningRefused;
import io.tokenledger.audit.ControlEvent.WitnessRefused;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.sequence.LogTable;
import io.tokenledger.signing.Alerts;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.tlog.VerifierKey;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes an event and a log line of what the log's keeper reports. What comes with a transaction
 * gets its event in that. The rest is stored beside the keeper's own thread, which holds the
 * leadership and must not wait for another transaction; the keeper reports it once, so an event
 * that cannot be stored is tried again for a while.
 */
final class LogAlerts implements Alerts, AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(LogAlerts.class);

  /** Far more than there are things to report that differ. */
  private static final int MAX_WAITING = 1_000;

  private static final int MAX_TRIES = 30;

  private static final Duration CLOSING_LIMIT = Duration.ofSeconds(5);

  private final RequestLog requests;
  private final Duration retryPause;
  private final CountDownLatch closing = new CountDownLatch(1);
  private final ThreadPoolExecutor executor =
      new ThreadPoolExecutor(
          1,
          1,
          0,
          TimeUnit.SECONDS,
          new ArrayBlockingQueue<>(MAX_WAITING),
          work -> {
            Thread thread = new Thread(work, "ledger-alerts");
            thread.setDaemon(true);
            return thread;
          });

  /**
   * @param retryPause how long to wait before an event that could not be stored is tried again
   */
  LogAlerts(RequestLog requests, Duration retryPause) {
    this.requests = requests;
    this.retryPause = retryPause;
  }

  @Override
  public void forgedEvents(Connection connection, List<LogTable.NewLeaf> leaves)
      throws SQLException {
    for (LogTable.NewLeaf leaf : leaves) {
      LOG.error("event {} at {} was written by no node", leaf.eventId(), leaf.globalIndex());
    }
    append(
        connection,
        leaves.stream()
            .map(leaf -> new ForgedEventFound(leaf.globalIndex(), leaf.eventId()))
            .toList());
  }

  @Override
  public void signingRefused(String code, String reason, long size) {
    LOG.error("no checkpoint is signed: {}", reason);
    append(new SigningRefused(code, size));
  }

  @Override
  public void keyRotated(Connection connection, VerifierKey before, VerifierKey now)
      throws SQLException {
    LOG.info("{} signs beside {}", now, before);
    append(connection, List.of(new SigningKeyRotated(before.toString(), now.toString())));
  }

  @Override
  public void checkpointAnchored(
      Connection connection, String kind, long size, TreeHash root, String reference)
      throws SQLException {
    LOG.info("{} of the checkpoint of {} by {}", kind, size, reference);
    append(connection, List.of(new CheckpointAnchored(kind, size, root.hex(), reference)));
  }

  @Override
  public void witnessRefused(String witness, long size, int status, String detail) {
    LOG.error("{} refused the checkpoint of {}: {} {}", witness, size, status, detail);
    append(new WitnessRefused(witness, size, status, detail));
  }

  private void append(Connection connection, List<? extends ControlEvent> events)
      throws SQLException {
    requests.append(connection, events, ofKeeper());
  }

  private static RequestContext ofKeeper() {
    return RequestContext.ofNode("log", "keeper", UUID.randomUUID().toString());
  }

  private void append(ControlEvent event) {
    try {
      executor.execute(() -> appendInTheEnd(event));
    } catch (RejectedExecutionException e) {
      // The keeper goes on.
      LOG.error("{} is not recorded: too many wait, or the node drains", event);
    }
  }

  private void appendInTheEnd(ControlEvent event) {
    for (int tries = 1; tries <= MAX_TRIES; tries++) {
      try {
        requests.append(event, ofKeeper());
        return;
      } catch (LedgerUnavailable e) {
        LOG.warn("{} is not recorded yet: {}", event, e.getMessage());
        if (isClosingAfter(retryPause)) {
          break;
        }
      }
    }
    LOG.error("{} is not recorded: the database does not take it", event);
  }

  private boolean isClosingAfter(Duration pause) {
    try {
      return closing.await(pause.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return true;
    }
  }

  /** Stores what waits, as far as the database takes it. */
  @Override
  public void close() {
    closing.countDown();
    executor.shutdown();
    try {
      boolean ended = executor.awaitTermination(CLOSING_LIMIT.toSeconds(), TimeUnit.SECONDS);
      LOG.debug("alerts ended: {}", ended);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    executor.shutdownNow();
  }
}

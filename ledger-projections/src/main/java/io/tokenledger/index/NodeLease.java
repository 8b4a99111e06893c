package io.tokenledger.index;

import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.sequence.WakeUp;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the other nodes that this one decides from memory, and what that holds. Renewed each
 * second; a node that could not for three seconds asks the database by itself, so that others need
 * not wait for one that is dead, frozen or cut off.
 */
final class NodeLease implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(NodeLease.class);

  static final Duration LEASE = Duration.ofSeconds(3);

  private static final Duration RENEWAL = Duration.ofSeconds(1);

  /** Between two renewals, however much was taken in meanwhile. */
  private static final Duration REST = Duration.ofMillis(5);

  private static final Duration RETRY = Duration.ofMillis(200);

  /** A lease that a crash loses ends sooner than its node believes by less than the bound. */
  private static final String NO_WAIT =
      """
      SET synchronous_commit = off
      """;

  private final DatabaseUrl app;
  private final String nodeId;
  private final Supplier<IndexFeed.@Nullable State> state;
  private final String runId = UUID.randomUUID().toString();
  private final WakeUp wakeUp = new WakeUp();
  private final Thread thread;
  private volatile @Nullable Begun renewed;
  private volatile @Nullable Begun heldSince;
  private volatile boolean closing;

  NodeLease(DatabaseUrl app, String nodeId, Supplier<IndexFeed.@Nullable State> state) {
    this.app = app.with("connectTimeout", "2").with("socketTimeout", "2");
    this.nodeId = nodeId;
    this.state = state;
    this.thread = new Thread(this::work, "ledger-lease");
    thread.setDaemon(true);
  }

  void start() {
    thread.start();
  }

  /** Something was taken in that others may wait for; never waits. */
  void wake() {
    wakeUp.call();
  }

  /** Whether others still wait for this node. */
  boolean isHeld() {
    Begun last = renewed;
    return last != null && last.isWithin(LEASE);
  }

  /**
   * Whether what was known then may be decided by: nobody waited for this node before it had its
   * lease, so only what it looked for since holds what others were told that all nodes obey.
   */
  boolean covers(Begun began) {
    Begun since = heldSince;
    return isHeld() && since != null && began.isAfter(since);
  }

  private void work() {
    while (!closing) {
      try (Connection session =
          DriverManager.getConnection(app.jdbcUrl(), app.user(), app.password())) {
        try (PreparedStatement statement = session.prepareStatement(NO_WAIT)) {
          statement.execute();
        }
        NodeTable.removeOld(session);
        while (!closing) {
          renew(session);
          pause(RENEWAL);
        }
        NodeTable.remove(session, runId);
      } catch (SQLException e) {
        LOG.debug("the lease waits for the database: {}", e.getMessage());
        pause(RETRY);
      } catch (RuntimeException e) {
        // The outermost boundary of this thread: without the lease the node asks the database.
        LOG.error("the lease cannot be renewed", e);
        pause(RETRY);
      }
    }
  }

  private void renew(Connection session) throws SQLException {
    Begun began = Begun.now();
    IndexFeed.State now = state.get();
    if (now != null) {
      NodeTable.renew(session, runId, nodeId, LEASE, now.timeline(), now.snapshot());
      // After it: the old one may have ended while the statement was under way.
      if (!isHeld()) {
        heldSince = Begun.now();
      }
      renewed = began;
    }
  }

  private void pause(Duration limit) {
    if (!closing && !wakeUp.sleep(REST, limit)) {
      closing = true;
    }
  }

  @Override
  public void close() {
    closing = true;
    wakeUp.call();
    try {
      thread.join(TimeUnit.SECONDS.toMillis(2));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

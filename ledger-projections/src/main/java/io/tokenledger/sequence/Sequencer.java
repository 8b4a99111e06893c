package io.tokenledger.sequence;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.store.Locks;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives each committed event the next leaf index. Leaves go to every event that has none yet, found
 * by set difference and never by a cursor: an event that commits late, with a number long passed,
 * is found like any other.
 *
 * <p>A floor bounds how far down each scan looks. It rises past an event only when every
 * transaction that was open when the event was first seen has ended, or when patience with such a
 * transaction is over; and because an insert may draw its number before PostgreSQL knows of its
 * transaction, a scan of everything runs at the start of a leadership and from time to time. So the
 * floor makes scans cheap, and nothing depends on its being right.
 *
 * <p>One node leads: the one whose session holds the lock. When its session ends, however, another
 * takes over within a second; should two believe to lead, the compare-and-set on the tree's size
 * lets one of them win.
 */
public final class Sequencer implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Sequencer.class);

  private static final int MAX_BATCH = 5_000;
  private static final Duration RETRY = Duration.ofSeconds(1);
  private static final Duration REST = Duration.ofMillis(40);

  private static final String TRY_LEAD =
      """
      SELECT pg_try_advisory_lock(?)
      """;

  private static final String LOCK_BATCH =
      """
      SELECT pg_advisory_xact_lock(?)
      """;

  private static final String SIZE =
      """
      SELECT size
        FROM audit.tree_head
       WHERE log_id = 1
      """;

  private static final String ADD_LEAVES =
      """
      INSERT INTO audit.leaf (leaf_index, global_index, event_id)
      SELECT ? + row_number() OVER (ORDER BY unsequenced.global_index) - 1,
             unsequenced.global_index,
             unsequenced.event_id
        FROM (SELECT event.global_index, event.event_id
                FROM ledger.event AS event
               WHERE event.global_index > ?
                 AND NOT EXISTS (SELECT 1
                                   FROM audit.leaf AS leaf
                                  WHERE leaf.global_index = event.global_index)
               ORDER BY event.global_index
               LIMIT ?) AS unsequenced
      """;

  private static final String GROW =
      """
      UPDATE audit.tree_head
         SET size   = ?
       WHERE log_id = 1
         AND size   = ?
      """;

  private static final String HORIZON =
      """
      SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
             pg_snapshot_xmax(pg_current_snapshot())::text::bigint
      """;

  private static final String HIGHEST_LEAFED =
      """
      SELECT coalesce(max(global_index), 0)
        FROM audit.leaf
      """;

  private final DatabaseUrl app;
  private final Duration interval;
  private final Duration floorPatience;
  private final Duration reconcileInterval;
  private final Runnable sequenced;
  private final Counter leaves;
  private final Counter lateFinds;
  private final WakeUp wakeUp = new WakeUp();
  private final Thread thread;
  private volatile boolean closing;
  private volatile boolean leading;

  private @Nullable Connection session;
  private long floor;
  private long candidate;
  private long candidateXmax;
  private long candidateSince;
  private long lastReconcile;

  /**
   * @param app the role of the nodes; the sequencer keeps a session of its own, not a pooled one,
   *     because the session is the leadership
   * @param interval how long to wait for new events when nobody calls {@link #wake}
   * @param floorPatience how long a transaction may hold the floor down
   * @param reconcileInterval how often everything is scanned
   * @param sequenced called after each batch
   */
  public Sequencer(
      DatabaseUrl app,
      Duration interval,
      Duration floorPatience,
      Duration reconcileInterval,
      Runnable sequenced,
      MeterRegistry meters) {
    this.app = app;
    this.interval = interval;
    this.floorPatience = floorPatience;
    this.reconcileInterval = reconcileInterval;
    this.sequenced = sequenced;
    this.leaves = Counter.builder("ledger.sequencer.leaves").register(meters);
    this.lateFinds = Counter.builder("ledger.sequencer.late").register(meters);
    Gauge.builder("ledger.sequencer.leading", this, s -> s.leading ? 1 : 0).register(meters);
    this.thread = new Thread(this::work, "ledger-sequencer");
    thread.setDaemon(true);
  }

  /** Begins to work in a thread of its own. */
  public void start() {
    thread.start();
  }

  /** Says that there is something to do; never waits. */
  public void wake() {
    wakeUp.call();
  }

  /** Whether this node sequences at present. */
  public boolean isLeading() {
    return leading;
  }

  private void work() {
    while (!closing) {
      try {
        if (!leading && !tryLead()) {
          pause(RETRY);
          continue;
        }
        if (step() < MAX_BATCH) {
          pause(interval);
        }
      } catch (SQLException e) {
        LOG.warn("the sequencer lost its session: {}", e.getMessage());
        resign();
        pause(RETRY);
      }
    }
    resign();
  }

  private void pause(Duration limit) {
    // Under load every commit calls: one batch for many of them costs the others least.
    if (!closing && !wakeUp.sleep(REST, limit)) {
      closing = true;
    }
  }

  private boolean tryLead() throws SQLException {
    Connection connection = session;
    if (connection == null || !connection.isValid(2)) {
      resign();
      connection = DriverManager.getConnection(app.jdbcUrl(), app.user(), app.password());
      connection.setAutoCommit(false);
      session = connection;
    }
    leading = queryTrue(connection, TRY_LEAD, Locks.SEQUENCER_LEADER);
    connection.commit();
    if (leading) {
      floor = 0;
      candidate = 0;
      candidateXmax = Long.MAX_VALUE;
      candidateSince = System.nanoTime();
      lastReconcile = System.nanoTime();
    }
    return leading;
  }

  /**
   * One batch.
   *
   * @return how many events got their place
   */
  private int step() throws SQLException {
    Connection connection = session;
    if (connection == null) {
      throw new SQLException("no session");
    }
    boolean reconcile = System.nanoTime() - lastReconcile > reconcileInterval.toNanos();
    long from = reconcile ? 0 : floor;
    queryNothing(connection, LOCK_BATCH, Locks.SEQUENCER_BATCH);
    long[] horizon = queryTwo(connection, HORIZON);
    long size = queryLong(connection, SIZE);
    int added = addLeaves(connection, size, from);
    if (added > 0) {
      grow(connection, size, size + added);
    }
    long highest = added > 0 || candidate == 0 ? queryLong(connection, HIGHEST_LEAFED) : candidate;
    connection.commit();
    if (added > 0) {
      leaves.increment(added);
      sequenced.run();
    }
    if (added < MAX_BATCH) {
      if (reconcile) {
        lastReconcile = System.nanoTime();
      }
      raiseFloor(horizon[0], horizon[1], highest);
    }
    return added;
  }

  /**
   * @param xmin every transaction below it has ended
   * @param xmax no transaction at or above it had begun
   */
  private void raiseFloor(long xmin, long xmax, long highest) {
    boolean allEnded = xmin >= candidateXmax;
    boolean outOfPatience = System.nanoTime() - candidateSince > floorPatience.toNanos();
    if (allEnded || outOfPatience) {
      if (!allEnded && candidate > floor) {
        LOG.info(
            "a transaction is open for longer than {}; the reconcile will look", floorPatience);
      }
      floor = Math.max(floor, candidate);
      candidate = highest;
      candidateXmax = xmax;
      candidateSince = System.nanoTime();
    } else if (candidateXmax == Long.MAX_VALUE) {
      candidate = highest;
      candidateXmax = xmax;
    }
  }

  private int addLeaves(Connection connection, long size, long from) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADD_LEAVES)) {
      statement.setLong(1, size);
      statement.setLong(2, from);
      statement.setInt(3, MAX_BATCH);
      int added = statement.executeUpdate();
      if (from == 0 && floor > 0 && added > 0) {
        lateFinds.increment(added);
        LOG.info("the reconcile gave {} events their place", added);
      }
      return added;
    }
  }

  private static void grow(Connection connection, long from, long to) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(GROW)) {
      statement.setLong(1, to);
      statement.setLong(2, from);
      if (statement.executeUpdate() != 1) {
        throw new SQLException("another sequencer was faster");
      }
    }
  }

  private static boolean queryTrue(Connection connection, String sql, long key)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.setLong(1, key);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getBoolean(1);
      }
    }
  }

  private static void queryNothing(Connection connection, String sql, long key)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.setLong(1, key);
      statement.execute();
    }
  }

  private static long queryLong(Connection connection, String sql) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getLong(1);
    }
  }

  private static long[] queryTwo(Connection connection, String sql) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return new long[] {row.getLong(1), row.getLong(2)};
    }
  }

  /** Ends the session, and with it the leadership. */
  private void resign() {
    leading = false;
    Connection connection = session;
    session = null;
    if (connection != null) {
      try {
        connection.close();
      } catch (SQLException e) {
        LOG.debug("the session was lost already", e);
      }
    }
  }

  @Override
  public void close() {
    closing = true;
    wake();
    try {
      thread.join(Duration.ofSeconds(10).toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

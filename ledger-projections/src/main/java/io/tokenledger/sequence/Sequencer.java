package io.tokenledger.sequence;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.Locks;
import io.tokenledger.tlog.Frontier;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.TreeHash;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
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
  private static final Duration RETRY_REFUSED = Duration.ofSeconds(5);
  private static final Duration RENEWAL = Duration.ofSeconds(1);
  private static final int SILENT_SECONDS = 3;

  /** After a scan of everything, rest for this many times as long. */
  private static final int RECONCILE_REST = 50;

  private static final Duration REST = Duration.ofMillis(40);

  /** A batch of so many says that there is load: what a batch costs should be shared by more. */
  private static final int BUSY_BATCH = 100;

  private static final Duration BUSY_REST = Duration.ofMillis(150);

  private static final String TRY_LEAD =
      """
      SELECT pg_try_advisory_lock(?)
      """;

  private static final String LOCK_BATCH =
      """
      SELECT pg_advisory_xact_lock(?)
      """;

  private static final String RENEW =
      """
      UPDATE audit.leader
         SET node       = ?,
             pid        = pg_backend_pid(),
             renewed_at = clock_timestamp()
       WHERE log_id     = 1
      """;

  /** The lock's holder must be the session that should have given a sign: a pid is used again. */
  private static final String END_SILENT_LEADER =
      """
      SELECT pg_terminate_backend(leader.pid)
        FROM audit.leader AS leader
        JOIN pg_locks     AS held  ON held.pid = leader.pid
        JOIN pg_database  AS here  ON here.oid = held.database
       WHERE here.datname = current_database()
         AND held.locktype = 'advisory'
         AND held.granted
         AND held.classid::bigint << 32 | held.objid::bigint = ?
         AND leader.renewed_at < clock_timestamp() - make_interval(secs => ?)
      """;

  private final DatabaseUrl app;
  private final String node;
  private final EventTable events;
  private final TreeKeeper keeper;
  private final LogEntries entries = new LogEntries();
  private final Duration interval;
  private final Duration floorPatience;
  private final Duration reconcileInterval;
  private final Listener listener;
  private final Counter leaves;
  private final Counter lateFinds;
  private final WakeUp wakeUp = new WakeUp();
  private final Thread thread;
  private volatile boolean closing;
  private volatile boolean leading;

  private @Nullable Connection session;
  private int generation;
  private Frontier edge = new Frontier();
  private long renewed;
  private long floor;

  /** Where a scan that filled its batch goes on; 0 when the next one begins at its bottom. */
  private long resume;

  private long candidate;
  private long candidateXmax;
  private long candidateSince;
  private long lastReconcile;
  private long nextReconcile;

  /**
   * @param app the role of the nodes; the sequencer keeps a session of its own, not a pooled one,
   *     because the session is the leadership
   * @param node name of this node
   * @param events knows which rows a node wrote
   * @param keeper looks after the tree while this node leads
   * @param interval how long to wait for new events when nobody calls {@link #wake}
   * @param floorPatience how long a transaction may hold the floor down
   * @param reconcileInterval how often everything is scanned
   * @param listener called after each batch
   */
  public Sequencer(
      DatabaseUrl app,
      String node,
      EventTable events,
      TreeKeeper keeper,
      Duration interval,
      Duration floorPatience,
      Duration reconcileInterval,
      Listener listener,
      MeterRegistry meters) {
    this.app = app;
    this.node = node;
    this.events = events;
    this.keeper = keeper;
    this.interval = interval;
    this.floorPatience = floorPatience;
    this.reconcileInterval = reconcileInterval;
    this.nextReconcile = reconcileInterval.toNanos();
    this.listener = listener;
    this.leaves = Counter.builder("ledger.sequencer.leaves").register(meters);
    this.lateFinds = Counter.builder("ledger.sequencer.late").register(meters);
    Gauge.builder("ledger.sequencer.leading", this, s -> s.leading ? 1 : 0).register(meters);
    this.thread = new Thread(this::work, "ledger-sequencer");
    thread.setDaemon(true);
  }

  /** Hears of what got its place, once it is committed. */
  public interface Listener {

    /**
     * Must not wait: the next batch waits for it.
     *
     * @param firstLeafIndex the place of the first row; the others follow it
     */
    void sequenced(long firstLeafIndex, List<LogRow> rows);
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
          pause(REST, RETRY);
          continue;
        }
        int taken = step();
        if (taken < MAX_BATCH) {
          pause(taken < BUSY_BATCH ? REST : BUSY_REST, interval);
        }
      } catch (SQLException | LedgerUnavailable e) {
        LOG.warn("the sequencer lost its session: {}", e.getMessage());
        resign();
        pause(REST, RETRY);
      } catch (TreeRefused | InvalidTlogFormat e) {
        LOG.error("this node does not go on with the log: {}", e.getMessage());
        resign();
        pause(REST, RETRY_REFUSED);
      } catch (RuntimeException e) {
        // The outermost boundary of this thread: without it no event would get its place again.
        LOG.error("the sequencer failed, and tries again", e);
        resign();
        pause(REST, RETRY_REFUSED);
      }
    }
    resign();
  }

  private void pause(Duration rest, Duration limit) {
    // Under load every commit calls: one batch for many of them costs the others least.
    if (!closing && !wakeUp.sleep(rest, limit)) {
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
    boolean locked = queryTrue(connection, TRY_LEAD, Locks.SEQUENCER_LEADER);
    if (!locked) {
      endSilentLeader(connection);
      connection.commit();
      return false;
    }
    renew(connection);
    connection.commit();
    reload(connection);
    floor = 0;
    resume = 0;
    candidate = 0;
    candidateXmax = Long.MAX_VALUE;
    candidateSince = System.nanoTime();
    lastReconcile = System.nanoTime();
    leading = true;
    return true;
  }

  /** A leader that hangs keeps its session, and would keep everyone waiting. */
  private static void endSilentLeader(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(END_SILENT_LEADER)) {
      statement.setLong(1, Locks.SEQUENCER_LEADER);
      statement.setInt(2, SILENT_SECONDS);
      try (ResultSet row = statement.executeQuery()) {
        if (row.next()) {
          LOG.warn("the leader gave no sign for {} s; its session is ended", SILENT_SECONDS);
        }
      }
    }
  }

  private void renew(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(RENEW)) {
      statement.setString(1, node);
      statement.executeUpdate();
    }
    renewed = System.nanoTime();
  }

  /** Takes the tree as it is in the database, when the keeper agrees. */
  private void reload(Connection connection) throws SQLException {
    LogTable.Head head = LogTable.head(connection);
    Frontier found = Frontier.of(head.size(), head.edge());
    if (!found.root().equals(head.root())) {
      throw new TreeRefused(
          "edge_differs", "the tree's edge in audit.tree_head does not have the root beside it");
    }
    keeper.begin(connection, head.generation(), found.copy());
    connection.commit();
    generation = head.generation();
    edge = found;
  }

  /**
   * One round: leaves for what has none, and what the keeper does with the tree.
   *
   * @return how many events got their place
   */
  private int step() throws SQLException {
    Connection connection = session;
    if (connection == null) {
      throw new SQLException("no session");
    }
    long began = System.nanoTime();
    boolean reconcile = began - lastReconcile > nextReconcile;
    queryNothing(connection, LOCK_BATCH, Locks.SEQUENCER_BATCH);
    if (System.nanoTime() - renewed > RENEWAL.toNanos()) {
      renew(connection);
    }
    LogTable.Head head = LogTable.head(connection);
    if (head.generation() != generation
        || head.size() != edge.size()
        || !head.root().equals(edge.root())) {
      connection.commit();
      LOG.warn("the tree has {} leaves where this node left {}", head.size(), edge.size());
      reload(connection);
      return 0;
    }
    long[] horizon = LogTable.horizon(connection);
    boolean whole = resume == 0;
    long bottom = reconcile ? 0 : floor;
    List<LogRow> rows = LogTable.unsequenced(connection, Math.max(bottom, resume), MAX_BATCH);
    boolean full = rows.size() == MAX_BATCH;
    Frontier grown = edge.copy();
    List<LogTable.NewLeaf> added = rows.stream().map(this::leaf).toList();
    if (!rows.isEmpty() && !LogTable.append(connection, generation, grown, added)) {
      throw new SQLException("another sequencer was faster");
    }
    List<LogTable.NewLeaf> forged = added.stream().filter(leaf -> !leaf.macValid()).toList();
    if (!forged.isEmpty()) {
      keeper.forged(connection, forged);
    }
    long highest =
        rows.isEmpty() && candidate != 0 ? candidate : LogTable.highestLeafed(connection);
    connection.commit();
    edge = grown;
    if (!rows.isEmpty()) {
      leaves.increment(rows.size());
      if (reconcile && floor > 0) {
        lateFinds.increment(rows.size());
        LOG.info("the reconcile gave {} events their place", rows.size());
      }
      listener.sequenced(head.size(), rows);
    }
    keeper.grown(connection, generation, edge.copy());
    connection.commit();
    // A backlog is drained upwards, for a scan over what just got its place would cost its square.
    // What committed below meanwhile is found when the next scan begins at the bottom again.
    resume = full ? rows.get(rows.size() - 1).globalIndex() : 0;
    if (whole && !full) {
      if (reconcile) {
        lastReconcile = System.nanoTime();
        // The longer the history the longer it takes: it may never take more than its share.
        nextReconcile =
            Math.max(reconcileInterval.toNanos(), RECONCILE_REST * (lastReconcile - began));
      }
      raiseFloor(horizon[0], horizon[1], highest);
    }
    return rows.size();
  }

  private LogTable.NewLeaf leaf(LogRow row) {
    byte[] entry = entries.write(row);
    return new LogTable.NewLeaf(
        row.globalIndex(),
        row.row().eventId(),
        entry,
        TreeHash.leaf(entry),
        events.isOurs(row.row(), row.mac()));
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

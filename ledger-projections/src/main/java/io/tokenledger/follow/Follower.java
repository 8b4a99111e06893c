package io.tokenledger.follow;

import io.tokenledger.sequence.WakeUp;
import io.tokenledger.store.UnreadableEvent;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps one projection: takes leaf after leaf in the dense order and commits what was written with
 * how far it came. Every node runs one for each projection; a lock lets one work at a time.
 */
public final class Follower implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Follower.class);

  /** How many leaves are taken at once, at most. */
  public static final int MAX_BATCH = 1_000;

  private static final Duration INTERVAL = Duration.ofMillis(250);
  private static final int MAX_DOUBLINGS = 7;

  /** How long a reader waits for what was committed before it to be readable. */
  private static final Duration PATIENCE = Duration.ofSeconds(1);

  private static final long POLL_MILLIS = 20;

  private static final String SIZE =
      """
      SELECT size
        FROM audit.tree_head
       WHERE log_id = 1
      """;

  /**
   * What follows need not be on disk at the commit: rows and position are lost together, and taken
   * again. Commands that wait for the disk wait for fewer others.
   */
  private static final String TRY_LOCK =
      """
      SELECT pg_try_advisory_xact_lock(?),
             CASE WHEN ? THEN set_config('synchronous_commit', 'off', true) END
      """;

  private static final String POSITION =
      """
      SELECT coalesce((SELECT next_leaf_index
                         FROM views.follower
                        WHERE name = ?), 0)
      """;

  /** One that begins today leaves out what was before, and none is ever rebuilt. */
  private static final String CURSOR =
      """
      SELECT coalesce((SELECT next_leaf_index
                         FROM state.cursor
                        WHERE name = ?),
                      (SELECT size FROM audit.tree_head WHERE log_id = 1))
      """;

  private static final String NEXT =
      """
      SELECT leaf.leaf_index, event.global_index, event.event_id, event.occurred_at,
             event.aggregate_type, event.sequence_number, event.event_type, event.revision,
             event.payload, event.metadata, kept.event_id IS NOT NULL AS quarantined
        FROM audit.leaf            AS leaf
        JOIN ledger.event          AS event ON event.global_index = leaf.global_index
        LEFT JOIN state.quarantine AS kept
          ON kept.event_id = event.event_id
         AND kept.state    = 'quarantined'
       WHERE leaf.leaf_index >= ?
       ORDER BY leaf.leaf_index
       LIMIT ?
      """;

  private static final String LOCK =
      """
      SELECT pg_advisory_xact_lock(?)
      """;

  private static final String OF_STREAM =
      """
      SELECT leaf.leaf_index, event.global_index, event.event_id, event.occurred_at,
             event.aggregate_type, event.sequence_number, event.event_type, event.revision,
             event.payload, event.metadata, kept.event_id IS NOT NULL AS quarantined
        FROM ledger.event          AS event
        JOIN audit.leaf            AS leaf ON leaf.global_index = event.global_index
        LEFT JOIN state.quarantine AS kept
          ON kept.event_id = event.event_id
         AND kept.state    = 'quarantined'
       WHERE event.aggregate_id = ?
         AND leaf.leaf_index    < (SELECT next_leaf_index
                                     FROM views.follower
                                    WHERE name = ?)
       ORDER BY leaf.leaf_index
      """;

  private static final String ADVANCE =
      """
      INSERT INTO views.follower (name, next_leaf_index)
      VALUES (?, ?)
          ON CONFLICT (name) DO UPDATE
         SET next_leaf_index = excluded.next_leaf_index
      """;

  private static final String ADVANCE_CURSOR =
      """
      INSERT INTO state.cursor (name, next_leaf_index)
      VALUES (?, ?)
          ON CONFLICT (name) DO UPDATE
         SET next_leaf_index = excluded.next_leaf_index
      """;

  private static final String LAST_EVENT =
      """
      SELECT coalesce(max(global_index), 0)
        FROM ledger.event
      """;

  /**
   * Asks of the last events only: whether any at all has no leaf would be asked of the whole table.
   * Not of the very last one alone, since an index is taken before its commit, and what was
   * committed last may lie below it.
   */
  private static final String IS_BEHIND =
      """
      SELECT count(*) > count(leaf.leaf_index)
          OR coalesce(max(leaf.leaf_index), -1)
          >= coalesce((SELECT next_leaf_index FROM views.follower WHERE name = ?), 0)
        FROM ledger.event AS event
        LEFT JOIN audit.leaf AS leaf ON leaf.global_index = event.global_index
       WHERE event.global_index >  ? - 1000
         AND event.global_index <= ?
      """;

  private final DataSource writers;
  private final Projection projection;
  private final RecentLeaves recent;
  private final WakeUp wakeUp = new WakeUp();
  private final Thread thread;
  private final Consumer<UnreadableEvent> unreadable;
  private volatile @Nullable UnreadableEvent standing;
  private volatile boolean retry;
  private volatile boolean closing;

  /**
   * @param writers connections that do not commit by themselves
   * @param recent what this node's sequencer read last
   * @param unreadable hears of an event that this cannot take, each time it tries
   */
  public Follower(
      DataSource writers,
      Projection projection,
      RecentLeaves recent,
      Consumer<UnreadableEvent> unreadable) {
    this.writers = writers;
    this.projection = projection;
    this.recent = recent;
    this.unreadable = unreadable;
    this.thread = new Thread(this::work, "ledger-follow-" + projection.name());
    thread.setDaemon(true);
  }

  /** Begins to work in a thread of its own. */
  public void start() {
    thread.start();
  }

  /** Says that there are new leaves; never waits. */
  public void wake() {
    wakeUp.call();
  }

  private void work() {
    int failures = 0;
    while (!closing) {
      try {
        if (step() < MAX_BATCH) {
          pause(INTERVAL);
        }
        failures = 0;
        standing = null;
      } catch (UnreadableEvent e) {
        LOG.error("{} stands still: {}", projection.name(), e.getMessage());
        recent.clear();
        standing = e;
        reportSafely(e);
        pause(INTERVAL.multipliedBy(1L << Math.min(failures++, MAX_DOUBLINGS)));
      } catch (SQLException e) {
        LOG.warn("{} waits for the database: {}", projection.name(), e.getMessage());
        pause(INTERVAL);
      } catch (RuntimeException e) {
        // The outermost boundary of this thread: a leaf it cannot take must not end it for good.
        LOG.warn("{} stands still, and tries again: {}", projection.name(), String.valueOf(e));
        pause(INTERVAL.multipliedBy(1L << Math.min(failures++, MAX_DOUBLINGS)));
      }
    }
  }

  private void reportSafely(UnreadableEvent event) {
    try {
      unreadable.accept(event);
    } catch (RuntimeException e) {
      // Who hears it may need the database too: the next try reports again.
      LOG.warn("that could not be reported: {}", e.getMessage());
    }
  }

  /** Before which event this stands still because it cannot be read; null while it goes on. */
  public @Nullable UnreadableEvent standing() {
    return standing;
  }

  /** What this keeps. */
  public Projection projection() {
    return projection;
  }

  private void pause(Duration limit) {
    if (limit.equals(INTERVAL)) {
      sleep(Duration.ZERO);
      return;
    }
    // What failed is not tried again at each new leaf, but when someone says that it may work now.
    long end = System.nanoTime() + limit.toNanos();
    while (!closing && !retry && System.nanoTime() < end) {
      sleep(INTERVAL);
    }
    retry = false;
  }

  private void sleep(Duration rest) {
    if (!closing && !wakeUp.sleep(rest, INTERVAL)) {
      closing = true;
    }
  }

  /** Says that what this stands still before may be passed now; never waits. */
  public void retry() {
    retry = true;
    wakeUp.call();
  }

  /**
   * Takes the next leaves, a thousand at most.
   *
   * @return how many; 0 also while another node works
   */
  int step() throws SQLException {
    try (Connection connection = writers.getConnection()) {
      if (!locked(connection)) {
        connection.rollback();
        return 0;
      }
      long position = position(connection, projection);
      List<Leaf> leaves = recent.from(position, MAX_BATCH);
      if (leaves.isEmpty()) {
        leaves = next(connection, position);
      }
      if (!leaves.isEmpty()) {
        leaves = takeReadable(connection, leaves);
      }
      if (!leaves.isEmpty() || projection.startsAtHead()) {
        advance(connection, projection, position + leaves.size());
      }
      connection.commit();
      return leaves.size();
    }
  }

  /** All of them, or those before the first that cannot be read: it is alone the next time. */
  private List<Leaf> takeReadable(Connection connection, List<Leaf> leaves) throws SQLException {
    Savepoint before = connection.setSavepoint();
    List<Leaf> some = leaves;
    while (true) {
      try {
        projection.take(connection, some);
        return some;
      } catch (UnreadableEvent e) {
        // An earlier one may show only once a later one is left out.
        int readable = Math.toIntExact(e.leafIndex() - leaves.get(0).leafIndex());
        if (readable <= 0) {
          throw e;
        }
        connection.rollback(before);
        some = leaves.subList(0, readable);
      }
    }
  }

  private boolean locked(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(TRY_LOCK)) {
      statement.setLong(1, projection.lock());
      // A cursor that came back by a crash would send again what was received.
      statement.setBoolean(2, !projection.startsAtHead());
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getBoolean(1);
      }
    }
  }

  private static long position(Connection connection, Projection projection) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(projection.startsAtHead() ? CURSOR : POSITION)) {
      statement.setString(1, projection.name());
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getLong(1);
      }
    }
  }

  /**
   * The leaves from that one on, in their order, {@value #MAX_BATCH} at most.
   *
   * @throws SQLException also when one is missing
   */
  public static List<Leaf> next(Connection connection, long position) throws SQLException {
    List<Leaf> leaves = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(NEXT)) {
      statement.setLong(1, position);
      statement.setInt(2, MAX_BATCH);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          long leafIndex = row.getLong("leaf_index");
          if (leafIndex != position + leaves.size()) {
            throw new SQLException("leaf " + (position + leaves.size()) + " is missing");
          }
          leaves.add(leaf(row));
        }
      }
    }
    return leaves;
  }

  private static Leaf leaf(ResultSet row) throws SQLException {
    return new Leaf(
        row.getLong("leaf_index"),
        row.getLong("global_index"),
        row.getString("event_id"),
        row.getString("occurred_at"),
        row.getString("aggregate_type"),
        row.getLong("sequence_number"),
        row.getString("event_type"),
        row.getString("revision"),
        row.getString("payload"),
        Header.orNone(row.getString("metadata")),
        row.getBoolean("quarantined"));
  }

  /** How many leaves that live projection has not taken yet. */
  public static long behind(Connection connection, Projection projection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(SIZE);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getLong(1) - position(connection, projection);
    }
  }

  /** No follower of any node works on that projection from here to the end of the transaction. */
  public static void hold(Connection connection, Projection projection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(LOCK)) {
      statement.setLong(1, projection.lock());
      statement.execute();
    }
  }

  /**
   * Takes for a live projection, which the caller holds, every leaf below that one, in the
   * transaction of the caller, whose {@code search_path} must begin with {@code views}.
   */
  public static void takeUntil(Connection connection, Projection projection, long end)
      throws SQLException {
    long position = position(connection, projection);
    while (position < end) {
      List<Leaf> leaves = next(connection, position);
      long left = end - position;
      if (leaves.size() > left) {
        leaves = leaves.subList(0, Math.toIntExact(left));
      }
      projection.take(connection, leaves);
      position += leaves.size();
      advance(connection, projection, position);
    }
  }

  private static void advance(Connection connection, Projection projection, long next)
      throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(projection.startsAtHead() ? ADVANCE_CURSOR : ADVANCE)) {
      statement.setString(1, projection.name());
      statement.setLong(2, next);
      statement.executeUpdate();
    }
  }

  /**
   * Takes again what a projection has passed of one stream, in its order.
   *
   * @param connection in a transaction; waits in it for who works on the projection
   */
  public static void retake(Connection connection, Projection projection, String aggregateId)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(LOCK)) {
      statement.setLong(1, projection.lock());
      statement.execute();
    }
    List<Leaf> leaves = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(OF_STREAM)) {
      statement.setString(1, aggregateId);
      statement.setString(2, projection.name());
      statement.setFetchSize(MAX_BATCH);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          leaves.add(leaf(row));
          if (leaves.size() == MAX_BATCH) {
            projection.take(connection, leaves);
            leaves.clear();
          }
        }
      }
    }
    if (!leaves.isEmpty()) {
      projection.take(connection, leaves);
    }
  }

  /**
   * Waits, a second at most, until a reader finds in a projection what was committed before the
   * call. What comes after it is not waited for, else every reader of a busy ledger waited in full.
   *
   * @param wake asks for what is committed to be taken
   */
  public static void awaitCaughtUp(Connection connection, String projection, Runnable wake)
      throws SQLException {
    long end = System.nanoTime() + PATIENCE.toNanos();
    long last = lastEvent(connection);
    try (PreparedStatement statement = connection.prepareStatement(IS_BEHIND)) {
      statement.setString(1, projection);
      statement.setLong(2, last);
      statement.setLong(3, last);
      while (System.nanoTime() < end) {
        try (ResultSet row = statement.executeQuery()) {
          row.next();
          if (!row.getBoolean(1)) {
            return;
          }
        }
        wake.run();
        Thread.sleep(POLL_MILLIS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static long lastEvent(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(LAST_EVENT);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getLong(1);
    }
  }

  @Override
  public void close() {
    closing = true;
    wakeUp.call();
    try {
      thread.join(Duration.ofSeconds(5).toMillis());
      thread.interrupt();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

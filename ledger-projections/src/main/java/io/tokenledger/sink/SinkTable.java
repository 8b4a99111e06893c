package io.tokenledger.sink;

import io.tokenledger.store.Locks;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** All SQL on {@code state.sink} and {@code state.dead_letter}. */
final class SinkTable {

  /**
   * How many leaves are signed, or were before this log began. What is not signed yet could be
   * another entry after a standby took over that had not received it, and would have the same key.
   */
  static final String SIGNED =
      """
      SELECT coalesce(max(greatest(log.begun_at_size,
                                   (SELECT max(point.size)
                                      FROM audit.checkpoint AS point
                                     WHERE point.generation = log.generation))), 0) AS size
        FROM audit.generation AS log
       WHERE log.generation = (SELECT max(generation) FROM audit.generation)
      """;

  /**
   * The lock that lets one node deliver, for as long as its session lives. A cursor that a crash
   * takes back by a moment only sends something again, which is no reason to wait for the disk.
   */
  private static final String TRY_LOCK =
      """
      SELECT pg_try_advisory_lock(?, hashtext(?)), set_config('synchronous_commit', 'off', false)
      """;

  /** Longer than any receiver may take for a batch, and for its settling. */
  private static final int SILENT_SECONDS = 180;

  private static final String BEGIN =
      """
      INSERT INTO state.sink (name, next_leaf_index, node, pid, renewed_at)
      VALUES (?, CASE WHEN ? THEN (\s"""
          + SIGNED
          + """
              ) ELSE 0 END, ?,
              pg_backend_pid(), clock_timestamp())
          ON CONFLICT (name) DO UPDATE
         SET node       = excluded.node,
             pid        = excluded.pid,
             renewed_at = excluded.renewed_at
      RETURNING next_leaf_index
      """;

  private static final String RENEW =
      """
      UPDATE state.sink
         SET renewed_at = clock_timestamp()
       WHERE name       = ?
      """;

  /** The lock's holder must be the session that should have given a sign: a pid is used again. */
  private static final String END_SILENT =
      """
      SELECT pg_terminate_backend(sink.pid)
        FROM state.sink  AS sink
        JOIN pg_locks    AS held ON held.pid = sink.pid
        JOIN pg_database AS here ON here.oid = held.database
       WHERE here.datname        = current_database()
         AND held.locktype       = 'advisory'
         AND held.granted
         AND held.classid::bigint = ?
         AND held.objid::bigint   = hashtext(sink.name)::bigint & 4294967295
         AND sink.name            = ?
         AND sink.renewed_at      < clock_timestamp() - make_interval(secs => ?)
      """;

  private static final String ADVANCE =
      """
      UPDATE state.sink
         SET next_leaf_index = ?,
             delivered_at    = clock_timestamp(),
             trouble         = NULL,
             trouble_since   = NULL
       WHERE name            = ?
         AND next_leaf_index < ?
      """;

  private static final String TROUBLE =
      """
      UPDATE state.sink
         SET trouble       = ?,
             trouble_since = coalesce(trouble_since, clock_timestamp())
       WHERE name          = ?
      """;

  private static final String NO_TROUBLE =
      """
      UPDATE state.sink
         SET trouble       = NULL,
             trouble_since = NULL
       WHERE name          = ?
         AND trouble IS NOT NULL
      """;

  private static final String REFUSE =
      """
      INSERT INTO state.dead_letter (sink, leaf_index, reason)
      VALUES (?, ?, ?)
          ON CONFLICT (sink, leaf_index) DO UPDATE
         SET reason     = excluded.reason,
             refusals   = dead_letter.refusals + 1,
             refused_at = clock_timestamp(),
             requeued   = false
      """;

  private static final String COUNT =
      """
      SELECT count(*)
        FROM state.dead_letter
       WHERE sink = ?
      """;

  private static final String IS_LETTER =
      """
      SELECT EXISTS (SELECT 1
                       FROM state.dead_letter
                      WHERE sink       = ?
                        AND leaf_index = ?)
      """;

  private static final String NEXT_REQUEUED =
      """
      SELECT leaf_index
        FROM state.dead_letter
       WHERE sink = ?
         AND requeued
         AND leaf_index < ?
       ORDER BY leaf_index
       LIMIT 1
      """;

  private static final String DELIVERED =
      """
      DELETE FROM state.dead_letter
       WHERE sink       = ?
         AND leaf_index = ?
      """;

  private static final String REQUEUE =
      """
      UPDATE state.dead_letter
         SET requeued = true
       WHERE sink = ?
         AND NOT requeued
         AND (?::bigint IS NULL OR leaf_index = ?::bigint)
      RETURNING leaf_index
      """;

  private static final String LIST =
      """
      SELECT sink.name, sink.next_leaf_index, head.size, sink.node, sink.delivered_at,
             sink.trouble, sink.trouble_since,
             (SELECT count(*)
                FROM state.dead_letter AS letter
               WHERE letter.sink = sink.name) AS dead_letters
        FROM state.sink AS sink
       CROSS JOIN (\s"""
          + SIGNED
          + """
             ) AS head
       ORDER BY sink.name
      """;

  private static final String LETTERS =
      """
      SELECT letter.leaf_index, leaf.event_id, event.event_type, letter.reason, letter.refusals,
             letter.refused_at, letter.requeued
        FROM state.dead_letter AS letter
        JOIN audit.leaf        AS leaf  ON leaf.leaf_index = letter.leaf_index
        JOIN ledger.event      AS event ON event.global_index = leaf.global_index
       WHERE letter.sink        = ?
         AND letter.leaf_index >= ?
       ORDER BY letter.leaf_index
       LIMIT ?
      """;

  private final Connection connection;

  SinkTable(Connection connection) {
    this.connection = connection;
  }

  boolean lock(String sink) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(TRY_LOCK)) {
      statement.setInt(1, Locks.SINK);
      statement.setString(2, sink);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getBoolean(1);
      }
    }
  }

  /**
   * Takes the sink for this node.
   *
   * @return the first leaf that may not be with the receiver
   */
  long begin(String sink, boolean fromNow, String node) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(BEGIN)) {
      statement.setString(1, sink);
      statement.setBoolean(2, fromNow);
      statement.setString(3, node);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getLong(1);
      }
    }
  }

  /** Says that who holds the lock lives. */
  void renew(String sink) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(RENEW)) {
      statement.setString(1, sink);
      statement.executeUpdate();
    }
  }

  /**
   * Ends the session of a node that hangs, or whose machine is gone, so that another gets the lock.
   *
   * @return whether one was ended
   */
  boolean endSilent(String sink) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(END_SILENT)) {
      statement.setInt(1, Locks.SINK);
      statement.setString(2, sink);
      statement.setInt(3, SILENT_SECONDS);
      try (ResultSet row = statement.executeQuery()) {
        return row.next();
      }
    }
  }

  /** Every entry before that leaf is with the receiver. Never goes back. */
  void advance(String sink, long nextLeafIndex) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADVANCE)) {
      statement.setLong(1, nextLeafIndex);
      statement.setString(2, sink);
      statement.setLong(3, nextLeafIndex);
      statement.executeUpdate();
    }
  }

  void trouble(String sink, @Nullable String trouble) throws SQLException {
    try (PreparedStatement statement =
        connection.prepareStatement(trouble == null ? NO_TROUBLE : TROUBLE)) {
      if (trouble == null) {
        statement.setString(1, sink);
      } else {
        statement.setString(1, trouble);
        statement.setString(2, sink);
      }
      statement.executeUpdate();
    }
  }

  /** How many leaves the signed log has. */
  long treeSize() throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(SIGNED);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getLong(1);
    }
  }

  /** Keeps the entry as a dead letter. */
  void refuse(String sink, long leafIndex, String reason) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(REFUSE)) {
      statement.setString(1, sink);
      statement.setLong(2, leafIndex);
      statement.setString(3, reason);
      statement.executeUpdate();
    }
  }

  long deadLetters(String sink) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(COUNT)) {
      statement.setString(1, sink);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getLong(1);
      }
    }
  }

  /** Whether that entry is a dead letter already. */
  boolean isLetter(String sink, long leafIndex) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(IS_LETTER)) {
      statement.setString(1, sink);
      statement.setLong(2, leafIndex);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getBoolean(1);
      }
    }
  }

  /** The first dead letter before that leaf that is to be sent again. */
  Optional<Long> nextRequeued(String sink, long before) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(NEXT_REQUEUED)) {
      statement.setString(1, sink);
      statement.setLong(2, before);
      try (ResultSet row = statement.executeQuery()) {
        return row.next() ? Optional.of(row.getLong(1)) : Optional.empty();
      }
    }
  }

  /** A dead letter is none any more. */
  void delivered(String sink, long leafIndex) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(DELIVERED)) {
      statement.setString(1, sink);
      statement.setLong(2, leafIndex);
      statement.executeUpdate();
    }
  }

  /**
   * Has dead letters sent again.
   *
   * @param leafIndex which; null for all of the sink
   * @return their leaves, in no order
   */
  List<Long> requeue(String sink, @Nullable Long leafIndex) throws SQLException {
    List<Long> leaves = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(REQUEUE)) {
      statement.setString(1, sink);
      statement.setObject(2, leafIndex);
      statement.setObject(3, leafIndex);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          leaves.add(row.getLong(1));
        }
      }
    }
    return leaves;
  }

  List<SinkState> list() throws SQLException {
    List<SinkState> states = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(LIST);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        states.add(
            new SinkState(
                row.getString("name"),
                row.getLong("next_leaf_index"),
                row.getLong("size"),
                row.getString("node"),
                instant(row, "delivered_at"),
                row.getString("trouble"),
                instant(row, "trouble_since"),
                row.getLong("dead_letters")));
      }
    }
    return states;
  }

  /** The dead letters of a sink from that leaf on. */
  List<DeadLetter> letters(String sink, long from, int limit) throws SQLException {
    List<DeadLetter> letters = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(LETTERS)) {
      statement.setString(1, sink);
      statement.setLong(2, from);
      statement.setInt(3, limit);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          letters.add(
              new DeadLetter(
                  row.getLong("leaf_index"),
                  row.getString("event_id"),
                  row.getString("event_type"),
                  row.getString("reason"),
                  row.getInt("refusals"),
                  row.getObject("refused_at", OffsetDateTime.class).toInstant(),
                  row.getBoolean("requeued")));
        }
      }
    }
    return letters;
  }

  private static @Nullable Instant instant(ResultSet row, String column) throws SQLException {
    OffsetDateTime time = row.getObject(column, OffsetDateTime.class);
    return time == null ? null : time.toInstant();
  }
}

package io.tokenledger.replay;

import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** All SQL on {@code state.replay} and {@code state.replay_segment}. */
final class ReplayTable {

  private static final String ADD =
      """
      INSERT INTO state.replay
        (projections, moment, to_size, to_time, state, started_by, first_size, position,
         events_total, drop_after)
      VALUES (?, ?, ?, ?::timestamptz, 'building', ?, ?, ?, ?,
              clock_timestamp() + make_interval(secs => ?))
      RETURNING replay_id
      """;

  private static final String ADD_SEGMENT =
      """
      INSERT INTO state.replay_segment (replay_id, segment, kind, after, until)
      VALUES (?, ?, ?, ?, ?)
      """;

  private static final String JOBS =
      """
      SELECT replay.replay_id, replay.projections, replay.moment, replay.to_size, replay.to_time,
             replay.state, replay.paused, replay.started_by, replay.started_at,
             replay.updated_at, replay.first_size, replay.position,
             (SELECT coalesce(sum(events), 0)
                FROM state.replay_segment AS segment
               WHERE segment.replay_id = replay.replay_id) AS events_done,
             replay.events_total,
             replay.work_millis
               + CASE WHEN replay.state = 'building' AND replay.working_since IS NOT NULL
                      THEN extract(epoch FROM clock_timestamp() - replay.working_since) * 1000
                      ELSE 0 END AS work_millis,
             (SELECT size FROM audit.tree_head WHERE log_id = 1) AS tree_size,
             replay.compared_at, replay.compared_xid::text::bigint AS compared_xid,
             replay.difference_count, replay.difference_digest, replay.error, replay.drop_after
        FROM state.replay AS replay
       WHERE (?::bigint IS NULL OR replay.replay_id = ?)
       ORDER BY replay.replay_id DESC
       LIMIT ?
      """;

  private static final String LOCK_JOB =
      """
      SELECT state, paused
        FROM state.replay
       WHERE replay_id = ?
         FOR UPDATE
      """;

  private static final String SEGMENTS =
      """
      SELECT segment, kind, after, until
        FROM state.replay_segment
       WHERE replay_id = ?
         AND NOT done
       ORDER BY segment
      """;

  private static final String ADVANCE_SEGMENT =
      """
      UPDATE state.replay_segment
         SET after     = ?,
             events    = events + ?,
             done      = ?
       WHERE replay_id = ?
         AND segment   = ?
         AND after     = ?
      """;

  private static final String GO_ON =
      """
      SELECT NOT paused AND state = 'building'
        FROM state.replay
       WHERE replay_id = ?
      """;

  /** A node that was killed left its mark; what it worked after its last sign is not counted. */
  private static final String WORK_BEGINS =
      """
      UPDATE state.replay
         SET working_since = clock_timestamp(),
             work_millis   = work_millis
                             + coalesce(extract(epoch FROM updated_at - working_since) * 1000, 0),
             updated_at    = clock_timestamp()
       WHERE replay_id     = ?
      """;

  private static final String NEWEST =
      """
      SELECT coalesce(max(global_index), 0)
        FROM ledger.event
      """;

  private static final String WORK_ENDS =
      """
      UPDATE state.replay
         SET work_millis   = work_millis
                             + extract(epoch FROM clock_timestamp() - working_since) * 1000,
             working_since = NULL,
             updated_at    = clock_timestamp()
       WHERE replay_id     = ?
         AND working_since IS NOT NULL
      """;

  private static final String SIGN_OF_LIFE =
      """
      UPDATE state.replay
         SET updated_at = clock_timestamp()
       WHERE replay_id  = ?
      """;

  private static final String SET_STATE =
      """
      UPDATE state.replay
         SET state      = ?,
             error      = ?,
             updated_at = clock_timestamp()
       WHERE replay_id  = ?
         AND state      = ANY (?)
      """;

  private static final String SET_POSITION =
      """
      UPDATE state.replay
         SET position   = ?,
             updated_at = clock_timestamp()
       WHERE replay_id  = ?
      """;

  private static final String SET_PAUSED =
      """
      UPDATE state.replay
         SET paused     = ?,
             updated_at = clock_timestamp()
       WHERE replay_id  = ?
         AND state      IN ('building', 'indexing', 'catching_up', 'ready', 'failed')
      """;

  private static final String RETRY =
      """
      UPDATE state.replay
         SET error      = NULL,
             state      = CASE WHEN EXISTS (SELECT 1
                                              FROM state.replay_segment AS segment
                                             WHERE segment.replay_id = replay.replay_id
                                               AND NOT segment.done)
                               THEN 'building'
                               ELSE 'indexing' END,
             updated_at = clock_timestamp()
       WHERE replay_id  = ?
         AND state      = 'failed'
      """;

  private static final String SET_COMPARISON =
      """
      UPDATE state.replay
         SET compared_at       = clock_timestamp(),
             compared_xid      = ?::text::xid8,
             difference_count  = ?,
             difference_digest = ?,
             updated_at        = clock_timestamp()
       WHERE replay_id         = ?
      """;

  private static final String KEEP_UNTIL =
      """
      UPDATE state.replay
         SET drop_after = clock_timestamp() + make_interval(secs => ?)
       WHERE replay_id  = ?
      """;

  private static final String EXPIRED =
      """
      SELECT replay_id
        FROM state.replay
       WHERE drop_after < clock_timestamp()
         AND state NOT IN ('swapped', 'rolled_back', 'dropped')
      """;

  private static final String REPLACED =
      """
      UPDATE state.replay
         SET state      = 'dropped',
             updated_at = clock_timestamp()
       WHERE state      IN ('swapped', 'rolled_back')
         AND replay_id  <> ?
      """;

  private ReplayTable() {}

  /**
   * A part of the bulk.
   *
   * @param streams whether it reads whole streams; else leaves
   * @param after the last stream or leaf that is done
   * @param until the last stream of it; null for the end
   */
  record Segment(int number, boolean streams, String after, @Nullable String until) {}

  static long add(
      Connection connection,
      List<String> projections,
      String moment,
      @Nullable Long toSize,
      @Nullable Instant toTime,
      String startedBy,
      long firstSize,
      long eventsTotal,
      @Nullable Long leaseSeconds)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADD)) {
      statement.setArray(1, connection.createArrayOf("text", projections.toArray()));
      statement.setString(2, moment);
      statement.setObject(3, toSize, Types.BIGINT);
      statement.setString(4, toTime == null ? null : toTime.toString());
      statement.setString(5, startedBy);
      statement.setLong(6, firstSize);
      statement.setLong(7, firstSize);
      statement.setLong(8, eventsTotal);
      statement.setObject(9, leaseSeconds, Types.BIGINT);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getLong(1);
      }
    }
  }

  static void addSegment(Connection connection, long id, Segment segment) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADD_SEGMENT)) {
      statement.setLong(1, id);
      statement.setInt(2, segment.number());
      statement.setString(3, segment.streams() ? "streams" : "leaves");
      statement.setString(4, segment.after());
      statement.setString(5, segment.until());
      statement.executeUpdate();
    }
  }

  /** The newest first. */
  static List<ReplayJob> jobs(Connection connection, int limit) throws SQLException {
    return jobs(connection, null, limit);
  }

  static Optional<ReplayJob> job(Connection connection, long id) throws SQLException {
    return jobs(connection, id, 1).stream().findFirst();
  }

  private static List<ReplayJob> jobs(Connection connection, @Nullable Long id, int limit)
      throws SQLException {
    List<ReplayJob> jobs = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(JOBS)) {
      statement.setObject(1, id, Types.BIGINT);
      statement.setObject(2, id, Types.BIGINT);
      statement.setInt(3, limit);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          jobs.add(read(row));
        }
      }
    }
    return jobs;
  }

  private static ReplayJob read(ResultSet row) throws SQLException {
    Array projections = row.getArray("projections");
    return new ReplayJob(
        row.getLong("replay_id"),
        List.of((String[]) projections.getArray()),
        row.getString("moment"),
        row.getObject("to_size", Long.class),
        instant(row, "to_time"),
        ReplayJob.State.valueOf(row.getString("state").toUpperCase(Locale.ROOT)),
        row.getBoolean("paused"),
        row.getString("started_by"),
        row.getObject("started_at", OffsetDateTime.class).toInstant(),
        row.getObject("updated_at", OffsetDateTime.class).toInstant(),
        row.getLong("first_size"),
        row.getLong("position"),
        row.getLong("events_done"),
        row.getLong("events_total"),
        row.getLong("work_millis"),
        row.getLong("tree_size"),
        instant(row, "compared_at"),
        row.getObject("compared_xid", Long.class),
        row.getObject("difference_count", Long.class),
        row.getString("difference_digest"),
        row.getString("error"),
        instant(row, "drop_after"));
  }

  private static @Nullable Instant instant(ResultSet row, String column) throws SQLException {
    OffsetDateTime time = row.getObject(column, OffsetDateTime.class);
    return time == null ? null : time.toInstant();
  }

  /** Whether somebody may work on it now; holds its row until the end of the transaction. */
  static boolean lock(Connection connection, long id, ReplayJob.State... states)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(LOCK_JOB)) {
      statement.setLong(1, id);
      try (ResultSet row = statement.executeQuery()) {
        return row.next()
            && List.of(states)
                .contains(ReplayJob.State.valueOf(row.getString("state").toUpperCase(Locale.ROOT)));
      }
    }
  }

  static List<Segment> segments(Connection connection, long id) throws SQLException {
    List<Segment> segments = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(SEGMENTS)) {
      statement.setLong(1, id);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          segments.add(
              new Segment(
                  row.getInt("segment"),
                  row.getString("kind").equals("streams"),
                  row.getString("after"),
                  row.getString("until")));
        }
      }
    }
    return segments;
  }

  /**
   * @throws SQLException when another node has moved it: the rows must not be committed
   */
  static void advance(
      Connection connection,
      long id,
      int segment,
      String before,
      String after,
      long events,
      boolean done)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADVANCE_SEGMENT)) {
      statement.setString(1, after);
      statement.setLong(2, events);
      statement.setBoolean(3, done);
      statement.setLong(4, id);
      statement.setInt(5, segment);
      statement.setString(6, before);
      if (statement.executeUpdate() != 1) {
        throw new SQLException("another node works on replay " + id);
      }
    }
  }

  /** The row of the newest event. */
  static long newest(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(NEWEST);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getLong(1);
    }
  }

  static boolean goesOn(Connection connection, long id) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(GO_ON)) {
      statement.setLong(1, id);
      try (ResultSet row = statement.executeQuery()) {
        return row.next() && row.getBoolean(1);
      }
    }
  }

  static void workBegins(Connection connection, long id) throws SQLException {
    update(connection, WORK_BEGINS, id);
  }

  static void workEnds(Connection connection, long id) throws SQLException {
    update(connection, WORK_ENDS, id);
  }

  static void signOfLife(Connection connection, long id) throws SQLException {
    update(connection, SIGN_OF_LIFE, id);
  }

  static boolean retry(Connection connection, long id) throws SQLException {
    return update(connection, RETRY, id);
  }

  static void replaced(Connection connection, long by) throws SQLException {
    update(connection, REPLACED, by);
  }

  private static boolean update(Connection connection, String sql, long id) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.setLong(1, id);
      return statement.executeUpdate() > 0;
    }
  }

  /**
   * @return whether it was in one of those states
   */
  static boolean setState(
      Connection connection,
      long id,
      ReplayJob.State state,
      @Nullable String error,
      ReplayJob.State... from)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(SET_STATE)) {
      statement.setString(1, state.name().toLowerCase(Locale.ROOT));
      statement.setString(2, error);
      statement.setLong(3, id);
      statement.setArray(
          4,
          connection.createArrayOf(
              "text",
              List.of(from).stream().map(each -> each.name().toLowerCase(Locale.ROOT)).toArray()));
      return statement.executeUpdate() == 1;
    }
  }

  static void setPosition(Connection connection, long id, long position) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(SET_POSITION)) {
      statement.setLong(1, position);
      statement.setLong(2, id);
      statement.executeUpdate();
    }
  }

  static boolean setPaused(Connection connection, long id, boolean paused) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(SET_PAUSED)) {
      statement.setBoolean(1, paused);
      statement.setLong(2, id);
      return statement.executeUpdate() == 1;
    }
  }

  static void setComparison(
      Connection connection, long id, long xid, long differences, String digest)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(SET_COMPARISON)) {
      statement.setString(1, Long.toString(xid));
      statement.setLong(2, differences);
      statement.setString(3, digest);
      statement.setLong(4, id);
      statement.executeUpdate();
    }
  }

  static void keepFor(Connection connection, long id, @Nullable Long seconds) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(KEEP_UNTIL)) {
      statement.setObject(1, seconds, Types.BIGINT);
      statement.setLong(2, id);
      statement.executeUpdate();
    }
  }

  static List<Long> expired(Connection connection) throws SQLException {
    List<Long> ids = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(EXPIRED);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        ids.add(row.getLong(1));
      }
    }
    return ids;
  }
}

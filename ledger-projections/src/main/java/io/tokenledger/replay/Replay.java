package io.tokenledger.replay;

import io.tokenledger.lookup.LookupTable;
import io.tokenledger.replay.ReplayReport.Difference;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.Locks;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.token.TokenEvent;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import javax.sql.DataSource;

/**
 * Builds the authorization lookup again from the events, in schema {@code rebuild}, and compares it
 * row by row with the live one. It runs the very statements that keep the live one, reads one
 * snapshot for both sides, and needs constant memory whatever the length of the history.
 */
public final class Replay {

  private static final int BATCH = 1_000;
  private static final int MAX_DIFFERENCES = 1_000;

  private static final String LOCK_REPLAY =
      """
      SELECT pg_try_advisory_xact_lock(?)
      """;

  private static final String LOCK_APPENDS =
      """
      SELECT pg_advisory_xact_lock(?)
      """;

  private static final String WORK_IN_REBUILD =
      """
      SET LOCAL search_path = rebuild
      """;

  private static final String NO_SOCKET_LIMIT =
      """
      SET LOCAL statement_timeout = 0
      """;

  private static final String CLEAR =
      """
      DELETE FROM rebuild.token_lookup
      """;

  private static final String COUNT =
      """
      SELECT count(*)
        FROM ledger.event
      """;

  private static final String EVENTS =
      """
      SELECT event.global_index, event.event_id, event.sequence_number, event.event_type,
             event.revision, event.payload, kept.event_id IS NOT NULL AS quarantined
        FROM ledger.event          AS event
        LEFT JOIN state.quarantine AS kept
          ON kept.event_id = event.event_id
         AND kept.state    = 'quarantined'
       ORDER BY event.global_index
      """;

  private static final String ROWS =
      """
      SELECT count(*)
        FROM rebuild.token_lookup
      """;

  private static final String COMPARE =
      """
      SELECT CASE WHEN live.secret_hash IS NULL THEN 'missing'
                  WHEN built.secret_hash IS NULL THEN 'added'
                  ELSE 'changed' END AS kind,
             coalesce(built.token_id, live.token_id) AS token_id,
             coalesce(built.token_name, live.token_name) AS token_name,
             left(encode(coalesce(built.secret_hash, live.secret_hash), 'hex'), 9) AS hash_prefix,
             CASE WHEN live.secret_hash IS NULL OR built.secret_hash IS NULL THEN ''
                  ELSE concat_ws('; ',
             CASE WHEN live.token_id IS DISTINCT FROM built.token_id
                  THEN format('token_id: %s -> %s', live.token_id, built.token_id) END,
             CASE WHEN live.token_name IS DISTINCT FROM built.token_name
                  THEN format('token_name: %s -> %s', live.token_name, built.token_name) END,
             CASE WHEN live.kind IS DISTINCT FROM built.kind
                  THEN format('kind: %s -> %s', live.kind, built.kind) END,
             CASE WHEN live.permissions IS DISTINCT FROM built.permissions
                  THEN format('permissions: %s -> %s', live.permissions, built.permissions) END,
             CASE WHEN live.created_at_ms IS DISTINCT FROM built.created_at_ms
                  THEN format('created_at_ms: %s -> %s', live.created_at_ms, built.created_at_ms) END,
             CASE WHEN live.expires_at_ms IS DISTINCT FROM built.expires_at_ms
                  THEN format('expires_at_ms: %s -> %s', live.expires_at_ms, built.expires_at_ms) END,
             CASE WHEN live.revoked_at_ms IS DISTINCT FROM built.revoked_at_ms
                  THEN format('revoked_at_ms: %s -> %s', live.revoked_at_ms, built.revoked_at_ms) END,
             CASE WHEN live.superseded_at_ms IS DISTINCT FROM built.superseded_at_ms
                  THEN format('superseded_at_ms: %s -> %s', live.superseded_at_ms,
                              built.superseded_at_ms) END,
             CASE WHEN live.suspended_at_ms IS DISTINCT FROM built.suspended_at_ms
                  THEN format('suspended_at_ms: %s -> %s', live.suspended_at_ms,
                              built.suspended_at_ms) END,
             CASE WHEN live.last_sequence IS DISTINCT FROM built.last_sequence
                  THEN format('last_sequence: %s -> %s', live.last_sequence, built.last_sequence) END)
             END AS detail
        FROM views.token_lookup AS live
        FULL JOIN rebuild.token_lookup AS built ON built.secret_hash = live.secret_hash
       WHERE (live.token_id, live.token_name, live.kind, live.permissions, live.created_at_ms,
              live.expires_at_ms, live.revoked_at_ms, live.superseded_at_ms, live.suspended_at_ms,
              live.last_sequence)
             IS DISTINCT FROM
             (built.token_id, built.token_name, built.kind, built.permissions,
              built.created_at_ms, built.expires_at_ms, built.revoked_at_ms,
              built.superseded_at_ms, built.suspended_at_ms, built.last_sequence)
       ORDER BY token_id
      """;

  private static final String REMOVE_DIFFERING =
      """
      DELETE FROM views.token_lookup AS live
       WHERE NOT EXISTS (
             SELECT 1
               FROM rebuild.token_lookup AS built
              WHERE built.secret_hash = live.secret_hash
                AND (live.token_id, live.token_name, live.kind, live.permissions,
                     live.created_at_ms, live.expires_at_ms, live.revoked_at_ms,
                     live.superseded_at_ms, live.suspended_at_ms, live.last_sequence)
                    IS NOT DISTINCT FROM
                    (built.token_id, built.token_name, built.kind, built.permissions,
                     built.created_at_ms, built.expires_at_ms, built.revoked_at_ms,
                     built.superseded_at_ms, built.suspended_at_ms, built.last_sequence))
      """;

  private static final String ADD_MISSING =
      """
      INSERT INTO views.token_lookup
        (secret_hash, token_id, token_name, kind, permissions, created_at_ms, expires_at_ms,
         revoked_at_ms, superseded_at_ms, suspended_at_ms, last_sequence)
      SELECT secret_hash, token_id, token_name, kind, permissions, created_at_ms, expires_at_ms,
             revoked_at_ms, superseded_at_ms, suspended_at_ms, last_sequence
        FROM rebuild.token_lookup AS built
       WHERE NOT EXISTS (SELECT 1
                           FROM views.token_lookup AS live
                          WHERE live.secret_hash = built.secret_hash)
      """;

  private final DataSource writers;
  private final EventReader reader;

  /** Hears how far a replay is. */
  public interface Progress {
    /**
     * @param done events read
     * @param total events there are
     */
    void at(long done, long total);
  }

  /**
   * @param writers connections that do not commit by themselves
   */
  public Replay(DataSource writers, EventReader reader) {
    this.writers = writers;
    this.reader = reader;
  }

  /**
   * Rebuilds and compares; changes nothing that anyone uses.
   *
   * @throws IllegalStateException when another replay runs
   * @throws UnreadableEvent when an event cannot be read; its message says which
   * @throws LedgerUnavailable when the database does not answer
   */
  public ReplayReport verify(Progress progress) {
    return run(progress, false);
  }

  /**
   * Rebuilds, compares and makes the live lookup what the events say. Appends wait while it works:
   * what was committed before is in it, what comes after is written on top. When anything fails the
   * live lookup stays as it was.
   *
   * @throws IllegalStateException when another replay runs
   * @throws UnreadableEvent when an event cannot be read; its message says which
   * @throws LedgerUnavailable when the database does not answer
   */
  public ReplayReport swap(Progress progress) {
    return run(progress, true);
  }

  private ReplayReport run(Progress progress, boolean swap) {
    long start = System.nanoTime();
    try (Connection connection = writers.getConnection()) {
      connection.rollback();
      connection.setTransactionIsolation(
          swap ? Connection.TRANSACTION_READ_COMMITTED : Connection.TRANSACTION_REPEATABLE_READ);
      try {
        if (!lock(connection, LOCK_REPLAY, Locks.REPLAY)) {
          throw new IllegalStateException("another replay runs; wait for it to end");
        }
        if (swap) {
          lock(connection, LOCK_APPENDS, Locks.APPEND);
        }
        execute(connection, NO_SOCKET_LIMIT);
        execute(connection, CLEAR);
        execute(connection, WORK_IN_REBUILD);
        long events = rebuild(connection, progress);
        ReplayReport compared = compare(connection, events, start);
        if (swap) {
          execute(connection, REMOVE_DIFFERING);
          execute(connection, ADD_MISSING);
        }
        connection.commit();
        return new ReplayReport(
            compared.events(),
            compared.rows(),
            compared.differences(),
            compared.differenceCount(),
            swap,
            compared.millis());
      } finally {
        connection.rollback();
        connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("the replay was broken off", e);
    }
  }

  private static boolean lock(Connection connection, String sql, long key) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.setLong(1, key);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return "t".equals(row.getString(1));
      }
    }
  }

  private static void execute(Connection connection, String sql) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.execute();
    }
  }

  private static long count(Connection connection, String sql) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getLong(1);
    }
  }

  private long rebuild(Connection connection, Progress progress) throws SQLException {
    long total = count(connection, COUNT);
    long done = 0;
    List<LookupTable.Step> steps = new ArrayList<>(BATCH);
    progress.at(0, total);
    try (PreparedStatement statement = connection.prepareStatement(EVENTS)) {
      statement.setFetchSize(BATCH);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          done++;
          List<Object> events = read(row);
          for (int part = 0; part < events.size(); part++) {
            if (events.get(part) instanceof TokenEvent event) {
              steps.add(new LookupTable.Step(event, row.getLong("sequence_number"), part));
            }
          }
          if (steps.size() >= BATCH) {
            LookupTable.apply(connection, steps);
            steps.clear();
            progress.at(done, total);
          }
        }
      }
    }
    LookupTable.apply(connection, steps);
    progress.at(done, Math.max(done, total));
    return done;
  }

  /** None of a quarantined one: no token of its name is valid as long. */
  private List<Object> read(ResultSet row) throws SQLException {
    if (row.getBoolean("quarantined")) {
      return List.of();
    }
    try {
      return reader.read(
          row.getString("event_type"), row.getString("revision"), row.getString("payload"));
    } catch (UnreadableEvent e) {
      throw e.atGlobalIndex(row.getLong("global_index"), row.getString("event_id"));
    }
  }

  private static ReplayReport compare(Connection connection, long events, long start)
      throws SQLException {
    List<Difference> differences = new ArrayList<>();
    long differing = 0;
    try (PreparedStatement statement = connection.prepareStatement(COMPARE)) {
      statement.setFetchSize(BATCH);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          differing++;
          if (differences.size() < MAX_DIFFERENCES) {
            differences.add(
                new Difference(
                    row.getString("kind"),
                    row.getLong("token_id"),
                    row.getString("token_name"),
                    row.getString("hash_prefix"),
                    row.getString("detail")));
          }
        }
      }
    }
    long millis = (System.nanoTime() - start) / 1_000_000;
    return new ReplayReport(
        events, count(connection, ROWS), List.copyOf(differences), differing, false, millis);
  }
}

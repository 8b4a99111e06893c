package io.tokenledger.history;

import io.tokenledger.follow.Follower;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.store.LedgerUnavailable;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/** Searches the audit log. */
public final class AuditLog {

  private static final String SIZE =
      """
      SELECT coalesce(max(leaf_index) + 1, 0)
        FROM views.audit_log
      """;

  private static final String SEARCH =
      """
      SELECT log.leaf_index, log.global_index, event.event_id, log.event_type, event.revision,
             log.occurred_at, event.recorded_at, leaf.sequenced_at, log.action, log.outcome,
             log.outcome_reason, log.actor_type, log.actor_token_id, log.actor_name,
             log.target_id, log.target_name, log.request_id, log.request_count, event.payload,
             event.metadata
        FROM views.audit_log AS log
        JOIN ledger.event    AS event ON event.global_index = log.global_index
        JOIN audit.leaf      AS leaf  ON leaf.leaf_index = log.leaf_index
       WHERE (?::text IS NULL OR log.actor_name = ?)
         AND (?::text IS NULL OR log.action = ?)
         AND (?::text IS NULL OR log.target_name = ?)
         AND (?::text IS NULL OR log.target_id = ?)
         AND (?::text IS NULL OR log.outcome = ?)
         AND (?::timestamptz IS NULL OR log.occurred_at >= ?::timestamptz)
         AND (?::timestamptz IS NULL OR log.occurred_at <  ?::timestamptz)
         AND (?::bigint IS NULL OR log.leaf_index < ?)
       ORDER BY log.leaf_index DESC
       LIMIT ?
      """;

  private final DataSource readers;
  private final Envelopes envelopes;
  private final Runnable wake;

  /**
   * @param readers connections that commit each statement by themselves
   * @param wake asks for what is committed to be made searchable
   */
  public AuditLog(DataSource readers, Envelopes envelopes, Runnable wake) {
    this.readers = readers;
    this.envelopes = envelopes;
    this.wake = wake;
  }

  /**
   * The entries that match, newest first. Waits, a second at most, until what was committed before
   * the call can be found.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public AuditPage search(AuditQuery query) {
    try (Connection connection = readers.getConnection()) {
      Follower.awaitCaughtUp(connection, AuditLogTable.NAME, wake);
      long size = size(connection);
      List<AuditEntry> entries = entries(connection, query);
      boolean full = entries.size() == query.limit();
      return new AuditPage(
          entries, full ? entries.get(entries.size() - 1).leafIndex() : null, size);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the audit log does not answer", e);
    }
  }

  private static long size(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(SIZE);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getLong(1);
    }
  }

  private List<AuditEntry> entries(Connection connection, AuditQuery query) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(SEARCH)) {
      int next = 1;
      next = twice(statement, next, query.actor());
      next = twice(statement, next, query.action());
      next = twice(statement, next, query.token());
      next = twice(statement, next, query.targetId());
      next = twice(statement, next, query.outcome());
      next = twice(statement, next, text(query.since()));
      next = twice(statement, next, text(query.until()));
      statement.setObject(next++, query.beforeLeafIndex(), java.sql.Types.BIGINT);
      statement.setObject(next++, query.beforeLeafIndex(), java.sql.Types.BIGINT);
      statement.setInt(next, query.limit());
      List<AuditEntry> entries = new ArrayList<>();
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          entries.add(entry(row));
        }
      }
      return entries;
    }
  }

  private static int twice(PreparedStatement statement, int index, @Nullable String value)
      throws SQLException {
    statement.setString(index, value);
    statement.setString(index + 1, value);
    return index + 2;
  }

  private static @Nullable String text(@Nullable Instant instant) {
    return instant == null ? null : instant.toString();
  }

  private AuditEntry entry(ResultSet row) throws SQLException {
    String eventId = row.getString("event_id");
    return new AuditEntry(
        row.getLong("leaf_index"),
        row.getLong("global_index"),
        eventId,
        row.getString("event_type"),
        row.getString("revision"),
        instant(row, "occurred_at"),
        instant(row, "recorded_at"),
        instant(row, "sequenced_at"),
        row.getString("action"),
        row.getString("outcome"),
        row.getString("outcome_reason"),
        row.getString("actor_type"),
        row.getObject("actor_token_id", Long.class),
        row.getString("actor_name"),
        row.getString("target_id"),
        row.getString("target_name"),
        row.getString("request_id"),
        row.getLong("request_count"),
        envelopes.openPayload(eventId, row.getString("payload")),
        envelopes.open(eventId, row.getString("metadata")));
  }

  private static Instant instant(ResultSet row, String column) throws SQLException {
    return row.getObject(column, OffsetDateTime.class).toInstant();
  }
}

package io.tokenledger.history;

import io.tokenledger.follow.ColumnArrays;
import io.tokenledger.follow.CopyRows;
import io.tokenledger.follow.Header;
import io.tokenledger.follow.Leaf;
import io.tokenledger.follow.Projection;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.Locks;
import io.tokenledger.store.UnreadableEvent;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/** Keeps {@code views.audit_log}, what the audit is searched by. */
public final class AuditLogTable implements Projection {

  /** Name of this projection, for who waits for it. */
  public static final String NAME = "audit_log";

  /** So many leaves share a row of {@code audit_log_span}. */
  public static final int SPAN = 1_024;

  private static final JsonMapper JSON = JsonMapper.shared();

  private static final String INSERT =
      """
      INSERT INTO audit_log
        (leaf_index, global_index, occurred_at, event_type, action, outcome, outcome_reason,
         actor_type, actor_token_id, actor_name, target_id, target_name, request_id,
         request_count, correlation_id)
      SELECT leaf_index, global_index, occurred_at::timestamptz, event_type, action, outcome,
             outcome_reason, actor_type, actor_token_id, actor_name, target_id, target_name,
             request_id, request_count, correlation_id
        FROM unnest(?::bigint[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[],
                    ?::text[], ?::text[], ?::bigint[], ?::text[], ?::text[], ?::text[],
                    ?::text[], ?::bigint[], ?::text[])
          AS leaf (leaf_index, global_index, occurred_at, event_type, action, outcome,
                   outcome_reason, actor_type, actor_token_id, actor_name, target_id, target_name,
                   request_id, request_count, correlation_id)
          ON CONFLICT (leaf_index) DO NOTHING
      """;

  /** Of {@link #values}. */
  private static final String[] TYPES = {
    "bigint", "bigint", "text", "text", "text", "text", "text", "text", "bigint", "text", "text",
    "text", "text", "bigint", "text"
  };

  private static final String WIDEN =
      """
      INSERT INTO audit_log_span AS known (span, first_at, last_at)
      SELECT span, min(occurred_at), max(occurred_at)
        FROM (SELECT leaf_index / 1024, occurred_at::timestamptz
                FROM unnest(?::bigint[], ?::text[]) AS leaf (leaf_index, occurred_at))
          AS leaf (span, occurred_at)
       GROUP BY span
          ON CONFLICT (span) DO UPDATE
         SET first_at = least(known.first_at, excluded.first_at),
             last_at  = greatest(known.last_at, excluded.last_at)
      """;

  private static final String COPY =
      """
      COPY audit_log
        (leaf_index, global_index, occurred_at, event_type, action, outcome, outcome_reason,
         actor_type, actor_token_id, actor_name, target_id, target_name, request_id,
         request_count, correlation_id)
      FROM STDIN
      """;

  private static final String COPY_SPANS =
      """
      COPY audit_log_span (span, first_at, last_at)
      FROM STDIN
      """;

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public long lock() {
    return Locks.AUDIT_FOLLOWER;
  }

  @Override
  public void take(Connection connection, List<Leaf> leaves) throws SQLException {
    ColumnArrays rows = new ColumnArrays(TYPES);
    for (Leaf leaf : leaves) {
      rows.add(values(leaf));
    }
    rows.execute(connection, INSERT);
    try (PreparedStatement statement = connection.prepareStatement(WIDEN)) {
      statement.setArray(
          1, connection.createArrayOf("bigint", leaves.stream().map(Leaf::leafIndex).toArray()));
      statement.setArray(
          2, connection.createArrayOf("text", leaves.stream().map(AuditLogTable::time).toArray()));
      statement.executeUpdate();
    }
  }

  /** Collects the row of that leaf, for a rebuild. */
  public static void collect(Leaf leaf, CopyRows rows) {
    for (Object value : values(leaf)) {
      if (value instanceof String text) {
        rows.add(text);
      } else {
        rows.add(value);
      }
    }
    rows.end();
  }

  /** Rows for {@link #collect}. */
  public static CopyRows newRows() {
    return new CopyRows(COPY);
  }

  /** Rows of a span number and the first and last time in it. */
  public static CopyRows newSpans() {
    return new CopyRows(COPY_SPANS);
  }

  /** Of a quarantined leaf whose time is none the earliest that there is. */
  public static String time(Leaf leaf) {
    try {
      EventReader.requireTime(leaf.occurredAt());
      return leaf.occurredAt();
    } catch (UnreadableEvent e) {
      requireQuarantined(leaf, e);
      return Instant.EPOCH.toString();
    }
  }

  private static @Nullable Object[] values(Leaf leaf) {
    Header header = leaf.header();
    long count = 1;
    try {
      if (leaf.aggregateType().equals("Request")) {
        count = JSON.readTree(leaf.payload()).path("count").asLong(1);
      }
      if (!header.readable()) {
        throw new UnreadableEvent("broken envelope", new IllegalArgumentException("no object"));
      }
    } catch (JacksonException e) {
      requireQuarantined(leaf, new UnreadableEvent("broken payload of " + leaf.eventType(), e));
    } catch (UnreadableEvent e) {
      requireQuarantined(leaf, e);
    }
    return new Object[] {
      leaf.leafIndex(),
      leaf.globalIndex(),
      time(leaf),
      leaf.eventType(),
      header.action(),
      header.outcome(),
      header.outcomeReason(),
      header.actorType(),
      header.actorTokenId(),
      header.actorName(),
      header.targetId(),
      header.targetName(),
      header.requestId(),
      count,
      header.correlationId()
    };
  }

  /** A quarantined leaf is listed with what can be read of it; before another one this stands. */
  private static void requireQuarantined(Leaf leaf, UnreadableEvent unreadable) {
    if (!leaf.quarantined()) {
      throw leaf.unreadable(unreadable);
    }
  }
}

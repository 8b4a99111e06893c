package io.tokenledger.privacy;

import io.tokenledger.audit.ControlEvent.LegalHoldLifted;
import io.tokenledger.audit.ControlEvent.LegalHoldPlaced;
import io.tokenledger.audit.ControlEvent.RetentionChanged;
import io.tokenledger.sequence.LogRow;
import io.tokenledger.sequence.LogTable;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.UnreadableEvent;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.temporal.ChronoUnit;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What the events say of retention and of legal holds. Whoever has a node's login can write the
 * tables of both; only a node with the ledger's key makes events. So nothing goes while the two
 * differ.
 */
final class Recorded {

  /** By an index of its own. */
  private static final String EVENTS =
      """
      SELECT event.global_index, event.event_id, event.aggregate_id, event.sequence_number,
             event.aggregate_type, event.event_type, event.revision, event.occurred_at,
             event.payload, event.metadata, event.mac,
             event.recorded_at::text AS recorded_at,
             NULL::bytea             AS payload_salt,
             NULL::bytea             AS metadata_salt
        FROM ledger.event AS event
       WHERE event.event_type IN ('RetentionChanged', 'LegalHoldPlaced', 'LegalHoldLifted')
       ORDER BY event.global_index
      """;

  private static final String HOLDS =
      """
      SELECT hold, subject, token_name, held_from, held_until
        FROM state.legal_hold
       WHERE lifted_at IS NULL
      """;

  private final Map<String, Integer> days = new HashMap<>();
  private final Map<String, LegalHoldPlaced> holds = new HashMap<>();

  private Recorded() {}

  /**
   * Compares both tables with the events.
   *
   * @throws PrivacyRefused when they differ
   */
  static void requireAgreed(Connection connection, EventTable table) throws SQLException {
    Recorded recorded = new Recorded();
    try (PreparedStatement statement = connection.prepareStatement(EVENTS);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        LogRow event = LogTable.read(row);
        if (table.isOurs(event.row(), event.mac())) {
          recorded.take(event);
        }
      }
    }
    Map<String, Integer> inForce = new HashMap<>();
    Retention.policies(connection)
        .forEach(
            (named, policy) -> {
              if (policy.days() != null) {
                inForce.put(named.wireName(), policy.days());
              }
            });
    if (!inForce.equals(recorded.days)) {
      throw new PrivacyRefused(
          "not_as_recorded",
          "state.retention says "
              + inForce
              + " days and the events "
              + recorded.days
              + ": nothing goes until someone sets what is kept again");
    }
    Map<String, LegalHoldPlaced> open = holds(connection);
    if (!open.equals(recorded.holds)) {
      throw new PrivacyRefused(
          "not_as_recorded",
          "state.legal_hold says that these hold: "
              + open.keySet()
              + ", with the bounds of each, and the events "
              + recorded.holds.keySet()
              + ": nothing goes until they agree");
    }
  }

  private void take(LogRow row) {
    Object event;
    try {
      event =
          EventReader.CURRENT
              .read(row.row().eventType(), row.row().revision(), row.row().payload())
              .get(0);
    } catch (UnreadableEvent e) {
      // A row that only a newer node reads; what it changed in the tables shows as a difference.
      return;
    }
    if (event instanceof RetentionChanged changed && changed.inForce()) {
      if (changed.afterDays() == null) {
        days.remove(changed.retentionClass());
      } else {
        days.put(changed.retentionClass(), changed.afterDays());
      }
    } else if (event instanceof LegalHoldPlaced placed) {
      holds.put(
          placed.hold(),
          new LegalHoldPlaced(
              placed.hold(),
              placed.subject(),
              placed.token(),
              stored(placed.from()),
              stored(placed.until())));
    } else if (event instanceof LegalHoldLifted lifted) {
      holds.remove(lifted.hold());
    }
  }

  private static Map<String, LegalHoldPlaced> holds(Connection connection) throws SQLException {
    Map<String, LegalHoldPlaced> holds = new HashMap<>();
    try (PreparedStatement statement = connection.prepareStatement(HOLDS);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        String hold = Objects.requireNonNull(row.getString("hold"));
        holds.put(
            hold,
            new LegalHoldPlaced(
                hold,
                row.getString("subject"),
                row.getString("token_name"),
                instant(row, "held_from"),
                instant(row, "held_until")));
      }
    }
    return holds;
  }

  private static @Nullable Instant instant(ResultSet row, String column) throws SQLException {
    OffsetDateTime at = row.getObject(column, OffsetDateTime.class);
    return at == null ? null : stored(at.toInstant());
  }

  /** To the precision of a column, and not rounded as PostgreSQL does it. */
  private static @Nullable Instant stored(@Nullable Instant instant) {
    return instant == null ? null : instant.truncatedTo(ChronoUnit.MILLIS);
  }
}

package io.tokenledger.privacy;

import io.tokenledger.audit.ControlEvent.EventsPruned;
import io.tokenledger.audit.ControlEvent.EventsWithheld;
import io.tokenledger.audit.ControlEvent.LegalHoldLifted;
import io.tokenledger.audit.ControlEvent.LegalHoldPlaced;
import io.tokenledger.audit.ControlEvent.RetentionChanged;
import io.tokenledger.audit.ControlEvent.SubjectErased;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.UnreadableEvent;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What the events say of retention, holds and erasures. What is destroyed cannot be brought back,
 * so it is decided by nothing else: whoever has the login of a node can write its tables, but only
 * a node with the ledger's key makes an event with a valid MAC.
 */
final class Recorded {

  private static final JsonMapper JSON = JsonMapper.shared();
  private static final String TOKEN = "token:";

  /** By an index of its own: there are few of them. */
  private static final String EVENTS =
      """
      SELECT event_id, aggregate_id, sequence_number, aggregate_type, event_type, revision,
             occurred_at, payload, metadata, mac
        FROM ledger.event
       WHERE event_type IN ('RetentionChanged', 'LegalHoldPlaced', 'LegalHoldLifted',
                            'SubjectErased', 'EventsPruned', 'EventsWithheld')
       ORDER BY global_index
      """;

  /** The holds of {@link #setHolds}, in a FROM. */
  static final String HOLDS =
      """
      unnest(?::text[], ?::text[], ?::text[], ?::timestamptz[], ?::timestamptz[])
               AS hold (hold, subject, token_name, held_from, held_until)
      """;

  private final Map<String, Said> retention = new HashMap<>();
  private final Map<String, Hold> holds = new LinkedHashMap<>();
  private final Map<String, EventsPruned> decisions = new HashMap<>();
  private final Map<String, List<EventsWithheld>> withheld = new HashMap<>();
  private final Set<String> erasedKeyIds = new HashSet<>();

  /**
   * What was said of a class.
   *
   * @param days in force; null for without end
   * @param changedAt when that was said
   * @param proposal a shorter time that someone asked for since; null when nobody did
   */
  record Said(@Nullable Integer days, Instant changedAt, @Nullable Proposal proposal) {}

  /**
   * A shorter time.
   *
   * @param tokenId who asked; null for others than tokens
   */
  record Proposal(@Nullable Integer days, @Nullable Long tokenId, Instant at) {}

  /**
   * What holds.
   *
   * @param placedBy null for others than tokens
   */
  record Hold(LegalHoldPlaced bounds, @Nullable Long placedBy) {}

  private Recorded() {}

  /** All that is committed. */
  static Recorded read(Connection connection, EventTable table) throws SQLException {
    Recorded recorded = new Recorded();
    try (PreparedStatement statement = connection.prepareStatement(EVENTS);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        EventTable.Row event =
            new EventTable.Row(
                row.getString("event_id"),
                row.getString("aggregate_id"),
                row.getLong("sequence_number"),
                row.getString("aggregate_type"),
                row.getString("event_type"),
                row.getString("revision"),
                row.getString("occurred_at"),
                row.getString("payload"),
                row.getString("metadata"));
        if (table.isOurs(event, row.getBytes("mac"))) {
          recorded.take(event);
        }
      }
    }
    return recorded;
  }

  private void take(EventTable.Row row) {
    Object event;
    try {
      event = EventReader.CURRENT.read(row.eventType(), row.revision(), row.payload()).get(0);
    } catch (UnreadableEvent e) {
      throw new PrivacyRefused(
          "unreadable",
          "event " + row.eventId() + " is of a newer version of the ledger: " + e.reason());
    }
    if (event instanceof RetentionChanged changed) {
      take(changed, Instant.parse(row.occurredAt()), actor(row.metadata()));
    } else if (event instanceof LegalHoldPlaced placed) {
      holds.put(placed.hold(), new Hold(placed, actor(row.metadata())));
    } else if (event instanceof LegalHoldLifted lifted) {
      holds.remove(lifted.hold());
    } else if (event instanceof SubjectErased erased) {
      erasedKeyIds.addAll(erased.keyIds());
    } else if (event instanceof EventsPruned pruned) {
      decisions.put(row.eventId(), pruned);
    } else if (event instanceof EventsWithheld kept) {
      withheld.computeIfAbsent(kept.decision(), key -> new ArrayList<>()).add(kept);
    }
  }

  private void take(RetentionChanged changed, Instant at, @Nullable Long tokenId) {
    Said before = retention.get(changed.retentionClass());
    retention.put(
        changed.retentionClass(),
        changed.inForce()
            ? new Said(changed.afterDays(), at, null)
            : new Said(
                before == null ? null : before.days(),
                before == null ? at : before.changedAt(),
                new Proposal(changed.afterDays(), tokenId, at)));
  }

  /** The token that acted. */
  private static @Nullable Long actor(String metadata) {
    try {
      JsonNode id = JSON.readTree(metadata).path("actor").path("id");
      return id.isString() && id.stringValue().startsWith(TOKEN)
          ? Long.valueOf(id.stringValue().substring(TOKEN.length()))
          : null;
    } catch (JacksonException | NumberFormatException e) {
      return null;
    }
  }

  /** What was said of that class; null when nothing was. */
  @Nullable Said retention(String retentionClass) {
    return retention.get(retentionClass);
  }

  /** The hold of that name; null when none of it holds. */
  @Nullable Hold hold(String name) {
    return holds.get(name);
  }

  /** What a node decided under that event id; null for others. */
  @Nullable EventsPruned decision(String eventId) {
    return decisions.get(eventId);
  }

  /** What that decision covers no more. */
  List<EventsWithheld> withheld(String decision) {
    return withheld.getOrDefault(decision, List.of());
  }

  /** All keys that were ever destroyed. */
  Set<String> erasedKeyIds() {
    return erasedKeyIds;
  }

  /**
   * Sets the parameters of {@link #HOLDS}.
   *
   * @param first number of the first of them
   * @return number of the first after them
   */
  int setHolds(PreparedStatement statement, int first) throws SQLException {
    List<LegalHoldPlaced> all = holds.values().stream().map(Hold::bounds).toList();
    List<Function<LegalHoldPlaced, @Nullable Object>> columns =
        List.of(
            LegalHoldPlaced::hold,
            LegalHoldPlaced::subject,
            LegalHoldPlaced::token,
            LegalHoldPlaced::from,
            LegalHoldPlaced::until);
    int next = first;
    for (Function<LegalHoldPlaced, @Nullable Object> column : columns) {
      Object[] values =
          all.stream().map(column).map(value -> value == null ? null : value.toString()).toArray();
      Array array = statement.getConnection().createArrayOf("text", values);
      statement.setObject(next++, array);
    }
    return next;
  }
}

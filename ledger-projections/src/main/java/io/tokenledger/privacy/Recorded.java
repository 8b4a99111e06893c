package io.tokenledger.privacy;

import io.tokenledger.audit.ControlEvent.EventsPruned;
import io.tokenledger.audit.ControlEvent.EventsWithheld;
import io.tokenledger.audit.ControlEvent.LegalHoldLifted;
import io.tokenledger.audit.ControlEvent.LegalHoldPlaced;
import io.tokenledger.audit.ControlEvent.RetentionChanged;
import io.tokenledger.audit.ControlEvent.SubjectErased;
import io.tokenledger.audit.EventType;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.UnreadableEvent;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
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

  private static final int FETCHED = 500;

  /** What says what holds. */
  static final List<EventType> HOLDING =
      List.of(EventType.LEGAL_HOLD_PLACED, EventType.LEGAL_HOLD_LIFTED);

  /** What says what is erased. */
  static final List<EventType> ERASING = List.of(EventType.SUBJECT_ERASED);

  /** What says for how long what is kept. */
  static final List<EventType> KEEPING = List.of(EventType.RETENTION_CHANGED);

  /** What says what goes and what stays. */
  static final List<EventType> PRUNING =
      List.of(
          EventType.RETENTION_CHANGED,
          EventType.LEGAL_HOLD_PLACED,
          EventType.LEGAL_HOLD_LIFTED,
          EventType.EVENTS_PRUNED,
          EventType.EVENTS_WITHHELD);

  /** By an index of its own, which the list of constants makes usable. */
  private static final String EVENTS =
      """
      SELECT event.event_id, event.aggregate_id, event.sequence_number, event.aggregate_type,
             event.event_type, event.revision, event.occurred_at, event.payload, event.metadata,
             event.mac, leaf.mac_valid
        FROM ledger.event    AS event
        LEFT JOIN audit.leaf AS leaf
          ON leaf.global_index = event.global_index
         AND leaf.leaf_index   < (SELECT size FROM audit.tree_head WHERE log_id = 1)
       WHERE event.event_type IN
             ('RetentionChanged', 'LegalHoldPlaced', 'LegalHoldLifted', 'SubjectErased',
              'EventsPruned', 'EventsWithheld')
         AND event.event_type = ANY (?::text[])
       ORDER BY event.global_index
      """;

  private static final String LISTED =
      """
      SELECT hold, subject, token_name, held_from, held_until, placed_by_token_id
        FROM state.legal_hold
       WHERE lifted_at IS NULL
      """;

  /** Whatever the payload of a row is that no node wrote. */
  private static final String TOKEN_IDS =
      """
      SELECT string_agg(DISTINCT substring(payload FROM '"id":([0-9]+)'), ' ')
        FROM ledger.event
       WHERE aggregate_id = ?
         AND event_type IN ('OperatorTokenCreated', 'NamedAdminCreated', 'ResourceTokenCreated')
      """;

  /** The holds of {@link #setHolds}, in a FROM. */
  static final String HOLDS =
      """
      unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::timestamptz[], ?::timestamptz[])
               AS hold (hold, subject, token_name, token_ids, held_from, held_until)
      """;

  private final Map<String, Said> retention = new HashMap<>();
  private final Map<String, Hold> holds = new LinkedHashMap<>();
  private final Map<String, String> tokenIds = new HashMap<>();
  private final Set<String> placed = new HashSet<>();
  private final Map<String, EventsPruned> decisions = new HashMap<>();
  private final Map<String, List<EventsWithheld>> withheld = new HashMap<>();
  private final Set<String> erasedKeyIds = new HashSet<>();

  /** An event that was a node's when it got its place, and is not what it was; null for none. */
  private @Nullable String damaged;

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

  /**
   * All of that kind that is committed.
   *
   * @param connection does not commit by itself
   * @throws PrivacyRefused when one of them is of a newer version
   */
  static Recorded read(Connection connection, EventTable table, List<EventType> types)
      throws SQLException {
    Recorded recorded = new Recorded();
    try (PreparedStatement statement = connection.prepareStatement(EVENTS)) {
      statement.setFetchSize(FETCHED);
      statement.setArray(
          1, connection.createArrayOf("text", types.stream().map(EventType::storedName).toArray()));
      try (ResultSet row = statement.executeQuery()) {
        recorded.take(table, row);
      }
    }
    if (types.contains(EventType.LEGAL_HOLD_PLACED)) {
      recorded.addListed(connection);
      recorded.findTokens(connection);
    }
    return recorded;
  }

  private void take(EventTable table, ResultSet row) throws SQLException {
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
        take(event);
      } else if (row.getBoolean("mac_valid")) {
        damaged = event.eventId();
      }
    }
  }

  /**
   * A hold of the list that no event tells of or ends, because it was lost or nobody placed it: the
   * list can only hold more.
   */
  private void addListed(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(LISTED);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        String hold = row.getString("hold");
        if (!placed.contains(hold)) {
          LegalHoldPlaced bounds =
              new LegalHoldPlaced(
                  hold,
                  row.getString("subject"),
                  row.getString("token_name"),
                  instant(row, "held_from"),
                  instant(row, "held_until"));
          holds.put(hold, new Hold(bounds, row.getObject("placed_by_token_id", Long.class)));
        }
      }
    }
  }

  private static @Nullable Instant instant(ResultSet row, String column) throws SQLException {
    OffsetDateTime at = row.getObject(column, OffsetDateTime.class);
    // What PostgreSQL would not read back bounds nothing: more is held then.
    return at == null || at.getYear() < 0 || at.getYear() > 9_999 ? null : at.toInstant();
  }

  /** Of a token that was refused an event may have the id alone. */
  private void findTokens(Connection connection) throws SQLException {
    for (Hold each : holds.values()) {
      String name = each.bounds().token();
      if (name != null && !tokenIds.containsKey(name)) {
        try (PreparedStatement statement = connection.prepareStatement(TOKEN_IDS)) {
          statement.setString(1, TOKEN + name);
          try (ResultSet row = statement.executeQuery()) {
            row.next();
            String ids = row.getString(1);
            tokenIds.put(name, ids == null ? "" : ids);
          }
        }
      }
    }
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
    } else if (event instanceof LegalHoldPlaced said) {
      holds.put(said.hold(), new Hold(said, actor(row.metadata())));
      placed.add(said.hold());
    } else if (event instanceof LegalHoldLifted lifted) {
      holds.remove(lifted.hold());
      placed.add(lifted.hold());
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

  /**
   * For who is about to destroy something.
   *
   * @throws PrivacyRefused when one of them is not what it was: what it held or kept is not known
   */
  Recorded requireSound() {
    if (damaged != null) {
      throw new PrivacyRefused(
          "damaged", "event " + damaged + " is not what it was: nothing goes, see verify");
    }
    return this;
  }

  /** Whether a hold ever had that name. */
  boolean wasPlaced(String name) {
    return placed.contains(name);
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
            hold -> tokenIds.get(hold.token() == null ? "" : hold.token()),
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

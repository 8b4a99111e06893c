package io.tokenledger.quarantine;

import io.tokenledger.audit.ControlEvent;
import io.tokenledger.audit.ControlEvent.EventQuarantined;
import io.tokenledger.audit.ControlEvent.EventReleased;
import io.tokenledger.audit.ControlEvent.UnreadableEventFound;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.follow.Follower;
import io.tokenledger.follow.Projection;
import io.tokenledger.lookup.LookupTable;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.Locks;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.token.Token;
import io.tokenledger.token.TokenEvent;
import io.tokenledger.token.TokenName;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * All SQL on {@code state.quarantine} that writes. An event that cannot be read stops projections
 * and rebuilds; after a review an operator lets them pass it. What it says is not known, so as long
 * its name obeys no command and none of its tokens is valid: it may be a revocation. The event
 * itself, its leaf and every proof stay as they are.
 */
public final class Quarantine {

  private static final String STREAM_PREFIX = "token:";
  private static final int MAX_LISTED = 1_000;
  private static final JsonMapper JSON = JsonMapper.shared();

  private static final String ADD =
      """
      INSERT INTO state.quarantine (event_id, global_index, aggregate_id, reason, state)
      SELECT event_id, global_index, aggregate_id, ?, 'found'
        FROM ledger.event
       WHERE event_id = ?
          ON CONFLICT (event_id) DO NOTHING
      RETURNING global_index
      """;

  private static final String CHANGE =
      """
      UPDATE state.quarantine
         SET state      = ?,
             changed_at = clock_timestamp()
       WHERE event_id   = ?
         AND (state = 'quarantined') <> (? = 'quarantined')
      """;

  private static final String LIST =
      """
      SELECT event_id, global_index, aggregate_id, reason, state, found_at, changed_at
        FROM state.quarantine
       ORDER BY global_index DESC
       LIMIT ?
      """;

  private static final String EVENT =
      """
      SELECT global_index, aggregate_id, aggregate_type, event_type, revision, occurred_at,
             payload, metadata
        FROM ledger.event
       WHERE event_id = ?
      """;

  private static final String LOCK_APPENDS =
      """
      SELECT pg_advisory_xact_lock(?)
      """;

  private final DataSource writers;
  private final RequestLog requests;
  private final EventReader reader;
  private final List<Projection> projections;
  private final Runnable passable;

  private record Event(
      long globalIndex,
      String aggregateId,
      String aggregateType,
      String type,
      String revision,
      String occurredAt,
      String payload,
      String metadata) {}

  /**
   * @param writers connections that do not commit by themselves and see schema {@code views}
   * @param projections what takes a released event again, in this order
   * @param passable called when what stood still before an event may go on
   */
  public Quarantine(
      DataSource writers,
      RequestLog requests,
      EventReader reader,
      List<Projection> projections,
      Runnable passable) {
    this.passable = passable;
    this.writers = writers;
    this.requests = requests;
    this.reader = reader;
    this.projections = List.copyOf(projections);
  }

  /**
   * Records that an event cannot be read, the first time that any node says so.
   *
   * @throws LedgerUnavailable when it cannot be stored
   */
  public void found(UnreadableEvent event) {
    String eventId = event.eventId();
    if (eventId == null) {
      return;
    }
    try (Connection connection = writers.getConnection()) {
      try {
        Optional<Long> globalIndex = add(connection, eventId, event.reason());
        if (globalIndex.isPresent()) {
          append(
              connection,
              new UnreadableEventFound(globalIndex.get(), eventId, event.reason()),
              RequestContext.ofNode("log", "projection", UUID.randomUUID().toString()));
        }
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("what cannot be read cannot be recorded", e);
    }
  }

  /** In this order: an event without its row is written again, a row without its event never. */
  private void append(Connection connection, ControlEvent event, RequestContext context)
      throws SQLException {
    requests.append(event, context);
    connection.commit();
  }

  private static Optional<Long> add(Connection connection, String eventId, String reason)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADD)) {
      statement.setString(1, reason);
      statement.setString(2, eventId);
      try (ResultSet row = statement.executeQuery()) {
        return row.next() ? Optional.of(row.getLong(1)) : Optional.empty();
      }
    }
  }

  /**
   * Lets projections and replays pass an event that cannot be read.
   *
   * @throws QuarantineRefused when there is no such event, it can be read, is quarantined already,
   *     or is about the acting token's own name
   * @throws LedgerUnavailable when the database does not answer
   */
  public void quarantine(String eventId, RequestContext context) {
    try (Connection connection = writers.getConnection()) {
      try {
        Event event = event(connection, eventId);
        UnreadableEvent why = unreadable(event);
        if (why == null) {
          throw new QuarantineRefused("event " + eventId + " can be read");
        }
        TokenName own = context.actor().tokenName();
        if (own != null && Token.aggregateId(own).equals(event.aggregateId())) {
          throw new QuarantineRefused(
              "the acting token would no longer be valid: let another admin do it");
        }
        add(connection, eventId, why.reason());
        change(connection, eventId, "quarantined", "is quarantined already");
        // For those who were away: what they are told of is what has changed since.
        if (event.aggregateId().startsWith(STREAM_PREFIX)) {
          LookupTable.touch(connection, event.aggregateId().substring(STREAM_PREFIX.length()));
        }
        append(connection, new EventQuarantined(event.globalIndex(), eventId), context);
        passable.run();
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("nothing was quarantined", e);
    }
  }

  /**
   * Ends a quarantine, once this version can read the event: all events of its name are taken again
   * by the authorization lookup and every projection that has passed it, in one transaction. Its
   * event comes first: when the rest fails the quarantine goes on, and releasing is done again.
   *
   * @throws QuarantineRefused when it is not quarantined, or it or another event of its name still
   *     cannot be read
   * @throws LedgerUnavailable when the database does not answer
   */
  public void release(String eventId, RequestContext context) {
    try (Connection connection = writers.getConnection()) {
      try {
        Event event = event(connection, eventId);
        UnreadableEvent why = unreadable(event);
        if (why != null) {
          throw new QuarantineRefused(
              "event " + eventId + " still cannot be read: " + why.reason());
        }
        change(connection, eventId, "released", "is not quarantined");
        eachPage(connection, event.aggregateId(), steps -> {});
        // Before the lock, for which its own transaction would wait.
        requests.append(new EventReleased(event.globalIndex(), eventId), context);
        if (event.aggregateType().equals("Token")) {
          takeAgain(connection, event.aggregateId());
        }
        connection.commit();
        passable.run();
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("nothing was released", e);
    }
  }

  private void takeAgain(Connection connection, String aggregateId) throws SQLException {
    // The lookup is written with the events: none may come between reading and writing.
    try (PreparedStatement statement = connection.prepareStatement(LOCK_APPENDS)) {
      statement.setLong(1, Locks.APPEND);
      statement.execute();
    }
    TokenName name = new TokenName(aggregateId.substring(STREAM_PREFIX.length()));
    LookupTable.remove(connection, name);
    eachPage(connection, aggregateId, steps -> LookupTable.apply(connection, steps));
    for (Projection projection : projections) {
      projection.forget(connection, name);
      Follower.retake(connection, projection, aggregateId);
    }
  }

  /** Takes what the next events of a stream did to the lookup. */
  private interface Steps {
    void take(List<LookupTable.Step> steps) throws SQLException;
  }

  private void eachPage(Connection connection, String aggregateId, Steps taker)
      throws SQLException {
    List<EventTable.Row> page = EventTable.readPage(connection, aggregateId, 0);
    while (!page.isEmpty()) {
      List<LookupTable.Step> steps = new ArrayList<>();
      for (EventTable.Row row : page) {
        List<Object> events = read(row);
        for (int part = 0; part < events.size(); part++) {
          if (events.get(part) instanceof TokenEvent event) {
            steps.add(new LookupTable.Step(event, row.sequenceNumber(), part));
          }
        }
      }
      taker.take(steps);
      long last = page.get(page.size() - 1).sequenceNumber();
      page = EventTable.readPage(connection, aggregateId, last + 1);
    }
  }

  private List<Object> read(EventTable.Row row) {
    try {
      return reader.read(row.eventType(), row.revision(), row.payload());
    } catch (UnreadableEvent e) {
      throw new QuarantineRefused(
          "event " + row.eventId() + " of the same name still cannot be read: " + e.reason());
    }
  }

  /** Why an event cannot be read; null when it can. */
  private @Nullable UnreadableEvent unreadable(Event event) {
    try {
      reader.read(event.type(), event.revision(), event.payload());
      EventReader.requireTime(event.occurredAt());
      if (!JSON.readTree(event.metadata()).isObject()) {
        throw new UnreadableEvent("broken envelope", new IllegalArgumentException("no object"));
      }
      return null;
    } catch (UnreadableEvent e) {
      return e;
    } catch (JacksonException e) {
      return new UnreadableEvent("broken envelope", e);
    }
  }

  private static Event event(Connection connection, String eventId) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(EVENT)) {
      statement.setString(1, eventId);
      try (ResultSet row = statement.executeQuery()) {
        if (!row.next()) {
          throw new QuarantineRefused("there is no event " + eventId);
        }
        return new Event(
            row.getLong("global_index"),
            row.getString("aggregate_id"),
            row.getString("aggregate_type"),
            row.getString("event_type"),
            row.getString("revision"),
            row.getString("occurred_at"),
            row.getString("payload"),
            row.getString("metadata"));
      }
    }
  }

  private static void change(Connection connection, String eventId, String state, String otherwise)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(CHANGE)) {
      statement.setString(1, state);
      statement.setString(2, eventId);
      statement.setString(3, state);
      if (statement.executeUpdate() == 0) {
        throw new QuarantineRefused("event " + eventId + " " + otherwise);
      }
    }
  }

  /**
   * Every event that was found unreadable, newest first, a thousand at most.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public List<UnreadableRow> list() {
    List<UnreadableRow> rows = new ArrayList<>();
    try (Connection connection = writers.getConnection()) {
      try (PreparedStatement statement = connection.prepareStatement(LIST)) {
        statement.setInt(1, MAX_LISTED);
        try (ResultSet row = statement.executeQuery()) {
          while (row.next()) {
            rows.add(
                new UnreadableRow(
                    row.getString("event_id"),
                    row.getLong("global_index"),
                    row.getString("aggregate_id"),
                    row.getString("reason"),
                    row.getString("state"),
                    row.getObject("found_at", OffsetDateTime.class).toInstant(),
                    row.getObject("changed_at", OffsetDateTime.class).toInstant()));
          }
        }
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("the quarantine cannot be read", e);
    }
    return rows;
  }
}

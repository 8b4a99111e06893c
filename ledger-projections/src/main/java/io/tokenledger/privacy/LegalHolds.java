package io.tokenledger.privacy;

import io.tokenledger.audit.ControlEvent.LegalHoldLifted;
import io.tokenledger.audit.ControlEvent.LegalHoldPlaced;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.Locks;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/**
 * All SQL on {@code state.legal_hold}, which lists them. A hold beats retention and erasure;
 * placing and lifting one are events in the same transaction, and what holds is what these events
 * say. Who placed it does not lift it.
 */
public final class LegalHolds {

  /**
   * Whether an {@code event} lies within all bounds of a {@code hold}. Names and ids of tokens are
   * compared as they stand in an envelope, which may be no JSON, and which may have only the id of
   * who was refused.
   */
  static final String COVERS =
      """
      (hold.subject IS NULL
               OR strpos(event.metadata, '"subject":"' || hold.subject || '"') > 0)
             AND (hold.token_name IS NULL
               OR event.aggregate_id = 'token:' || hold.token_name
               OR strpos(event.metadata, '"name":' || to_json(hold.token_name)::text) > 0
               OR EXISTS (SELECT 1
                            FROM unnest(string_to_array(hold.token_ids, ' ')) AS id
                           WHERE strpos(event.metadata, '"id":"token:' || id || '"') > 0))
             AND (hold.held_from IS NULL
               OR event.occurred_at::timestamptz >= hold.held_from)
             AND (hold.held_until IS NULL
               OR event.occurred_at::timestamptz < hold.held_until)
      """;

  private static final String CONSTRAINT = "legal_hold_pkey";
  private static final int MAX_LISTED = 1_000;

  private static final String LOCK =
      """
      SELECT pg_advisory_xact_lock(?)
      """;

  private static final String PLACE =
      """
      INSERT INTO state.legal_hold
        (hold, subject, token_name, held_from, held_until, placed_by_token_id)
      VALUES (?, ?, ?, ?, ?, ?)
      """;

  private static final String LIFT =
      """
      UPDATE state.legal_hold
         SET lifted_at  = clock_timestamp()
       WHERE hold       = ?
         AND lifted_at IS NULL
      """;

  private static final String LIST =
      """
      SELECT hold, subject, token_name, held_from, held_until, placed_at, placed_by_token_id,
             lifted_at
        FROM state.legal_hold
       ORDER BY lifted_at IS NOT NULL, placed_at DESC
       LIMIT ?
      """;

  private final DataSource writers;
  private final EventTable table;
  private final RequestLog requests;
  private final Runnable wake;

  /**
   * @param writers connections that do not commit by themselves
   * @param table knows which rows a node wrote
   * @param wake called when an event was committed
   */
  public LegalHolds(DataSource writers, EventTable table, RequestLog requests, Runnable wake) {
    this.writers = writers;
    this.table = table;
    this.requests = requests;
    this.wake = wake;
  }

  /**
   * Holds what those bounds cover from now on.
   *
   * @throws PrivacyRefused when there is or was a hold of that name
   * @throws LedgerUnavailable when the database does not answer
   */
  public void place(LegalHoldPlaced hold, RequestContext context) {
    try (Connection connection = writers.getConnection()) {
      try {
        lock(connection);
        if (Recorded.read(connection, table, Recorded.HOLDING).wasPlaced(hold.hold())) {
          throw new PrivacyRefused("hold_exists", "there is or was a hold named " + hold.hold());
        }
        insert(connection, hold, context);
        requests.append(connection, List.of(hold), context);
        connection.commit();
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      if (CONSTRAINT.equals(EventTable.violatedConstraint(e))) {
        throw new PrivacyRefused("hold_exists", "there is or was a hold named " + hold.hold());
      }
      throw new LedgerUnavailable("nothing is held", e);
    }
    wake.run();
  }

  private static void insert(Connection connection, LegalHoldPlaced hold, RequestContext context)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(PLACE)) {
      statement.setString(1, hold.hold());
      statement.setString(2, hold.subject());
      statement.setString(3, hold.token());
      statement.setObject(4, offset(hold.from()));
      statement.setObject(5, offset(hold.until()));
      statement.setObject(6, tokenId(context));
      statement.executeUpdate();
    }
  }

  /**
   * Ends a hold.
   *
   * @throws PrivacyRefused when there is none of that name, or the acting token placed it: that
   *     takes a second one
   * @throws LedgerUnavailable when the database does not answer
   */
  public void lift(String hold, RequestContext context) {
    try (Connection connection = writers.getConnection()) {
      try {
        lock(connection);
        Recorded.Hold placed = Recorded.read(connection, table, Recorded.HOLDING).hold(hold);
        if (placed == null) {
          throw new PrivacyRefused("no_hold", "there is no hold named " + hold);
        }
        if (placed.placedBy() != null && placed.placedBy().equals(tokenId(context))) {
          throw new PrivacyRefused(
              "second_person", "who placed a hold does not lift it: another token must");
        }
        try (PreparedStatement statement = connection.prepareStatement(LIFT)) {
          statement.setString(1, hold);
          statement.executeUpdate();
        }
        requests.append(connection, List.of(new LegalHoldLifted(hold)), context);
        connection.commit();
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("the hold was not lifted", e);
    }
    wake.run();
  }

  /**
   * Those that hold, newest first, then those that were lifted; a thousand at most.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public List<LegalHold> list() {
    List<LegalHold> holds = new ArrayList<>();
    try (Connection connection = writers.getConnection()) {
      try (PreparedStatement statement = connection.prepareStatement(LIST)) {
        statement.setInt(1, MAX_LISTED);
        try (ResultSet row = statement.executeQuery()) {
          while (row.next()) {
            Instant placedAt = row.getObject("placed_at", OffsetDateTime.class).toInstant();
            holds.add(
                new LegalHold(
                    row.getString("hold"),
                    row.getString("subject"),
                    row.getString("token_name"),
                    instant(row, "held_from"),
                    instant(row, "held_until"),
                    placedAt,
                    row.getObject("placed_by_token_id", Long.class),
                    instant(row, "lifted_at")));
          }
        }
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("the holds cannot be read", e);
    }
    return holds;
  }

  /** Nothing is held, lifted or erased beside the transaction that has this. */
  static void lock(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(LOCK)) {
      statement.setLong(1, Locks.PRIVACY);
      statement.execute();
    }
  }

  /** Of who acts; null for others than tokens. */
  static @Nullable Long tokenId(RequestContext context) {
    return context.actor().tokenId() == null ? null : context.actor().tokenId().value();
  }

  private static @Nullable OffsetDateTime offset(@Nullable Instant instant) {
    return instant == null ? null : instant.atOffset(ZoneOffset.UTC);
  }

  private static @Nullable Instant instant(ResultSet row, String column) throws SQLException {
    OffsetDateTime at = row.getObject(column, OffsetDateTime.class);
    return at == null ? null : at.toInstant();
  }
}

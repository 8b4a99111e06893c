package io.tokenledger.privacy;

import io.tokenledger.audit.ControlEvent.SubjectErased;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sealing.SubjectKeys;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.tokens.TokenTable;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/**
 * Erases subjects: destroys the keys under which what is personal of them is sealed. No event, leaf
 * or proof changes, and no copy of an event opens any more, wherever it went. All SQL on {@code
 * state.erasure}.
 *
 * <p>The event comes first and the keys go after its commit: a node that dies between has said what
 * will happen, and {@link #complete} of any node does it. It also destroys keys again that came
 * back, so that a restored backup of keys brings back nothing that was erased.
 */
public final class Erasures {

  private static final String TOKEN = "token:";

  private static final String ADD =
      """
      INSERT INTO state.erasure (event_id, subject, key_ids)
      VALUES (?, ?, ?)
      """;

  private static final String COUNT =
      """
      SELECT count(*) AS events, min(occurred_at) AS first_at, max(occurred_at) AS last_at
        FROM ledger.event
       WHERE EXISTS (SELECT 1
                       FROM unnest(?::text[]) AS id
                      WHERE strpos(metadata, 'sealed:1:' || id) > 0
                         OR strpos(payload, 'sealed:1:' || id) > 0)
      """;

  /** Names of tokens are compared as they stand in an envelope, which may be no JSON. */
  private static final String HOLDS =
      """
      SELECT hold.hold
        FROM state.legal_hold AS hold
       WHERE hold.lifted_at IS NULL
         AND (hold.subject = ?
           OR EXISTS (SELECT 1
                        FROM ledger.event AS event
                       WHERE EXISTS (SELECT 1
                                       FROM unnest(?::text[]) AS id
                                      WHERE strpos(event.metadata, 'sealed:1:' || id) > 0
                                         OR strpos(event.payload, 'sealed:1:' || id) > 0)
                         AND (hold.subject IS NULL
                           OR strpos(event.metadata, '"subject":"' || hold.subject || '"') > 0)
                         AND (hold.token_name IS NULL
                           OR event.aggregate_id = 'token:' || hold.token_name
                           OR strpos(event.metadata,
                                     '"name":' || to_json(hold.token_name)::text) > 0)
                         AND (hold.held_from IS NULL
                           OR event.occurred_at::timestamptz >= hold.held_from)
                         AND (hold.held_until IS NULL
                           OR event.occurred_at::timestamptz < hold.held_until)))
       ORDER BY hold.hold
      """;

  private static final String OPEN =
      """
      SELECT event_id, subject
        FROM state.erasure
       WHERE completed_at IS NULL
       ORDER BY erased_at
      """;

  private static final String KEY_IDS =
      """
      SELECT DISTINCT unnest(key_ids)
        FROM state.erasure
      """;

  private static final String COMPLETE =
      """
      UPDATE state.erasure
         SET completed_at = clock_timestamp()
       WHERE event_id     = ?
      """;

  /** Wherever a table of tokens lies: live, aside, or in the making. */
  private static final String SCHEMAS =
      """
      SELECT table_schema
        FROM information_schema.columns
       WHERE table_name  = 'token'
         AND column_name = 'description'
       ORDER BY table_schema
      """;

  private static final String USE =
      """
      SELECT set_config('search_path', ?, true)
      """;

  private static final String FORGET_ANSWERS =
      """
      DELETE FROM state.idempotent_answer
       WHERE token_id = ?
      """;

  private static final String REWRITE =
      """
      VACUUM (FULL) views.token
      """;

  private final DataSource writers;
  private final Owner owner;
  private final RequestLog requests;
  private final SubjectKeys keys;
  private final Envelopes envelopes;
  private final Runnable wake;

  /** Gives a connection of who owns the tables. */
  public interface Owner {
    /** One that commits by itself. */
    Connection connect() throws SQLException;
  }

  private record Open(String eventId, String subject) {}

  /**
   * @param writers connections that do not commit by themselves
   * @param owner rewrites tables in which removed rows would lie on until they are overwritten
   * @param wake called when an event was committed
   */
  public Erasures(
      DataSource writers,
      Owner owner,
      RequestLog requests,
      SubjectKeys keys,
      Envelopes envelopes,
      Runnable wake) {
    this.writers = writers;
    this.owner = owner;
    this.requests = requests;
    this.keys = keys;
    this.envelopes = envelopes;
    this.wake = wake;
  }

  /**
   * What erasing that subject would do. Reads all events once.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public Erasure preview(String subject) {
    try (Connection connection = writers.getConnection()) {
      try {
        return look(connection, subject);
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("what is sealed cannot be counted", e);
    }
  }

  /**
   * Destroys the keys of that subject, on every node that shares the directory of keys; others see
   * it within a second.
   *
   * @throws PrivacyRefused when a hold covers any of its events, nothing is sealed under a key of
   *     its own, or the request is the subject's own: its reason would be unreadable too
   * @throws LedgerUnavailable when the database does not answer: nothing is erased, or will be when
   *     it answers
   */
  public Erasure erase(String subject, RequestContext context) {
    if (subject.equals(envelopes.subject(context, Instant.now()))) {
      throw new PrivacyRefused(
          "own_subject",
          "a subject does not erase itself: the reason of it would be unreadable too");
    }
    Erasure erased;
    try (Connection connection = writers.getConnection()) {
      try {
        LegalHolds.lock(connection);
        Erasure found = look(connection, subject);
        if (!found.holds().isEmpty()) {
          throw new PrivacyRefused(
              "held", subject + " is held by " + String.join(", ", found.holds()));
        }
        if (found.keyIds().isEmpty()) {
          throw new PrivacyRefused("nothing_sealed", "nothing is sealed for " + subject);
        }
        String eventId =
            requests
                .append(
                    connection,
                    List.of(new SubjectErased(subject, found.keyIds(), found.eventCount())),
                    context)
                .get(0);
        add(connection, eventId, subject, found.keyIds());
        connection.commit();
        erased =
            new Erasure(
                subject,
                found.keyIds(),
                found.eventCount(),
                found.firstAt(),
                found.lastAt(),
                List.of(),
                eventId);
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("nothing was erased", e);
    }
    wake.run();
    try {
      complete();
    } catch (SQLException e) {
      throw new LedgerUnavailable("it will be erased when the database answers", e);
    }
    return erased;
  }

  private Erasure look(Connection connection, String subject) throws SQLException {
    List<String> keyIds = keys.ids(subject);
    List<String> holds = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(HOLDS)) {
      statement.setString(1, subject);
      statement.setArray(2, connection.createArrayOf("text", keyIds.toArray()));
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          holds.add(row.getString(1));
        }
      }
    }
    try (PreparedStatement statement = connection.prepareStatement(COUNT)) {
      statement.setArray(1, connection.createArrayOf("text", keyIds.toArray()));
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return new Erasure(
            subject,
            keyIds,
            row.getLong("events"),
            instant(row.getString("first_at")),
            instant(row.getString("last_at")),
            holds,
            null);
      }
    }
  }

  private static @Nullable Instant instant(@Nullable String text) {
    return text == null ? null : Instant.parse(text);
  }

  private static void add(
      Connection connection, String eventId, String subject, List<String> keyIds)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADD)) {
      statement.setString(1, eventId);
      statement.setString(2, subject);
      statement.setArray(3, connection.createArrayOf("text", keyIds.toArray()));
      statement.executeUpdate();
    }
  }

  /**
   * Does what was decided and is not done, and destroys again what came back.
   *
   * @throws SQLException when the database does not answer: the next round goes on
   */
  public void complete() throws SQLException {
    try (Connection connection = writers.getConnection()) {
      try {
        for (String keyId : keyIds(connection)) {
          keys.destroy(keyId);
        }
        List<Open> open = open(connection);
        for (Open each : open) {
          if (each.subject().startsWith(TOKEN)) {
            forgetCopies(connection, Long.parseLong(each.subject().substring(TOKEN.length())));
          }
        }
        connection.commit();
        if (open.stream().anyMatch(each -> each.subject().startsWith(TOKEN))) {
          rewrite();
        }
        for (Open each : open) {
          try (PreparedStatement statement = connection.prepareStatement(COMPLETE)) {
            statement.setString(1, each.eventId());
            statement.executeUpdate();
          }
        }
        connection.commit();
      } finally {
        connection.rollback();
      }
    }
  }

  private static List<String> keyIds(Connection connection) throws SQLException {
    List<String> ids = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(KEY_IDS);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        ids.add(row.getString(1));
      }
    }
    return ids;
  }

  private static List<Open> open(Connection connection) throws SQLException {
    List<Open> open = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(OPEN);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        open.add(new Open(row.getString("event_id"), row.getString("subject")));
      }
    }
    return open;
  }

  private static void forgetCopies(Connection connection, long tokenId) throws SQLException {
    List<String> schemas = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(SCHEMAS);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        schemas.add(row.getString(1));
      }
    }
    for (String schema : schemas) {
      try (PreparedStatement statement = connection.prepareStatement(USE)) {
        statement.setString(1, schema);
        statement.execute();
      }
      TokenTable.clearDescription(connection, tokenId);
    }
    try (PreparedStatement statement = connection.prepareStatement(FORGET_ANSWERS)) {
      statement.setLong(1, tokenId);
      statement.executeUpdate();
    }
  }

  /** The words that were removed lie in the table's file until it is written anew. */
  private void rewrite() throws SQLException {
    try (Connection connection = owner.connect();
        PreparedStatement statement = connection.prepareStatement(REWRITE)) {
      statement.execute();
    }
  }
}

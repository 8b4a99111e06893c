package io.tokenledger.privacy;

import io.tokenledger.audit.ControlEvent.SubjectErased;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.follow.Follower;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sealing.SubjectKeys;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.tokens.TokenTable;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.postgresql.util.PSQLWarning;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

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

  private static final Logger LOG = LoggerFactory.getLogger(Erasures.class);

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

  private static final String HOLDS =
      """
      SELECT hold.hold
        FROM\s"""
          + Recorded.HOLDS
          + """
       WHERE (hold.subject = ?
           OR EXISTS (SELECT 1
                        FROM ledger.event AS event
                       WHERE EXISTS (SELECT 1
                                       FROM unnest(?::text[]) AS id
                                      WHERE strpos(event.metadata, 'sealed:1:' || id) > 0
                                         OR strpos(event.payload, 'sealed:1:' || id) > 0)
                         AND\s"""
          + LegalHolds.COVERS
          + """
             ))
       ORDER BY hold.hold
      """;

  /**
   * Of tokens only those that the followers have heard of: before that, one may still write what it
   * opened. Without a tree nothing follows.
   */
  private static final String OPEN =
      """
      SELECT erasure.event_id, erasure.subject
        FROM state.erasure AS erasure
        JOIN ledger.event  AS event ON event.event_id = erasure.event_id
        LEFT JOIN audit.leaf AS leaf ON leaf.global_index = event.global_index
       WHERE erasure.completed_at IS NULL
         AND (erasure.subject NOT LIKE 'token:%'
          OR leaf.leaf_index < (SELECT next_leaf_index FROM views.follower WHERE name = 'token')
          OR NOT EXISTS (SELECT 1 FROM audit.leaf))
       ORDER BY erasure.erased_at
      """;

  private static final String ERASURES =
      """
      SELECT count(*)
        FROM ledger.event
       WHERE event_type = 'SubjectErased'
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

  /** What a server says of rows that a reader of before may still see. */
  private static final Pattern NOT_REMOVED = Pattern.compile("([0-9]+) .*", Pattern.DOTALL);

  private static final String LOCK_LIMIT =
      """
      SET lock_timeout = '5s'
      """;

  /** Longer than any node seals under a key that was retired, with what it takes to commit. */
  private static final Duration SETTLED = SubjectKeys.TRUST.plusMillis(200);

  private final DataSource writers;
  private final Owner owner;
  private final EventTable table;
  private final RequestLog requests;
  private final SubjectKeys keys;
  private final Envelopes envelopes;
  private final Runnable wake;
  private Set<String> erasedKeyIds = Set.of();
  private long erasures;

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
      EventTable table,
      RequestLog requests,
      SubjectKeys keys,
      Envelopes envelopes,
      Runnable wake) {
    this.writers = writers;
    this.owner = owner;
    this.table = table;
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
   * <p>The keys are retired first, and then looked at what they seal: what is written from then on
   * has another key, and no hold that covers it can be missed.
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
    keys.retire(subject);
    settle();
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
    try (Connection connection = writers.getConnection()) {
      Follower.awaitCaughtUp(connection, TokenTable.NAME, wake);
      connection.rollback();
      complete();
    } catch (SQLException e) {
      throw new LedgerUnavailable("it will be erased when the database answers", e);
    }
    return erased;
  }

  private static void settle() {
    try {
      Thread.sleep(SETTLED.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new LedgerUnavailable("shutting down", e);
    }
  }

  private Erasure look(Connection connection, String subject) throws SQLException {
    List<String> keyIds = keys.ids(subject);
    List<String> holds = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(HOLDS)) {
      int next =
          Recorded.read(connection, table, Recorded.HOLDING).requireSound().setHolds(statement, 1);
      statement.setString(next, subject);
      statement.setArray(next + 1, connection.createArrayOf("text", keyIds.toArray()));
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
        // A row of the table is written by whoever has a node's login; a key comes back never.
        for (String keyId : erasedKeyIds(connection)) {
          keys.destroy(keyId);
        }
        List<Open> open = open(connection);
        List<String> schemas = schemas(connection);
        for (Open each : open) {
          if (each.subject().startsWith(TOKEN)) {
            long tokenId = Long.parseLong(each.subject().substring(TOKEN.length()));
            forgetCopies(connection, schemas, tokenId);
          }
        }
        connection.commit();
        boolean words = open.stream().anyMatch(each -> each.subject().startsWith(TOKEN));
        if (words && !rewritten(schemas)) {
          LOG.info("an erasure waits for readers that began before it");
          return;
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

  /** Read again when there are more: they are never fewer. */
  private synchronized Set<String> erasedKeyIds(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ERASURES);
        ResultSet row = statement.executeQuery()) {
      row.next();
      long count = row.getLong(1);
      if (count != erasures) {
        erasedKeyIds = Recorded.read(connection, table, Recorded.ERASING).erasedKeyIds();
        erasures = count;
      }
    }
    return erasedKeyIds;
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

  private static List<String> schemas(Connection connection) throws SQLException {
    List<String> schemas = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(SCHEMAS);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        schemas.add(row.getString(1));
      }
    }
    return schemas;
  }

  private static void forgetCopies(Connection connection, List<String> schemas, long tokenId)
      throws SQLException {
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

  /**
   * The words that were removed lie in the tables' files until those are written anew, and in the
   * statistics of their columns until these are made anew.
   *
   * @return whether nothing of them is left; not while a reader of before may still see them
   */
  private boolean rewritten(List<String> schemas) throws SQLException {
    boolean gone = true;
    try (Connection connection = owner.connect();
        Statement statement = connection.createStatement()) {
      statement.execute(LOCK_LIMIT);
      for (String schema : schemas) {
        statement.clearWarnings();
        statement.execute(
            "VACUUM (FULL, ANALYZE, VERBOSE) "
                + statement.enquoteIdentifier(schema, true)
                + ".token");
        gone &= areAllRemoved(statement.getWarnings());
      }
    }
    return gone;
  }

  private static boolean areAllRemoved(@Nullable SQLWarning first) {
    for (SQLWarning said = first; said != null; said = said.getNextWarning()) {
      if (said instanceof PSQLWarning warning) {
        String detail = warning.getServerErrorMessage().getDetail();
        Matcher kept = NOT_REMOVED.matcher(detail == null ? "" : detail);
        if (kept.matches() && !kept.group(1).equals("0")) {
          return false;
        }
      }
    }
    return true;
  }
}

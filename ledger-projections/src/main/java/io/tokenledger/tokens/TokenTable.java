package io.tokenledger.tokens;

import io.tokenledger.audit.ControlEvent.SubjectErased;
import io.tokenledger.audit.EventType;
import io.tokenledger.follow.ColumnArrays;
import io.tokenledger.follow.Leaf;
import io.tokenledger.follow.Projection;
import io.tokenledger.follow.Rounds;
import io.tokenledger.permission.Permissions;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.Locks;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenEvent;
import io.tokenledger.token.TokenEvent.NamedAdminCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenRegenerated;
import io.tokenledger.token.TokenEvent.ResourceTokenCreated;
import io.tokenledger.token.TokenEvent.TokenDescribed;
import io.tokenledger.token.TokenEvent.TokenExpired;
import io.tokenledger.token.TokenEvent.TokenExpiryAnnounced;
import io.tokenledger.token.TokenEvent.TokenExpiryChanged;
import io.tokenledger.token.TokenEvent.TokenPermissionsChanged;
import io.tokenledger.token.TokenEvent.TokenResumed;
import io.tokenledger.token.TokenEvent.TokenRevoked;
import io.tokenledger.token.TokenEvent.TokenRotated;
import io.tokenledger.token.TokenEvent.TokenSuspended;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenKind;
import io.tokenledger.token.TokenName;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** All SQL on {@code views.token}: kept from the events in their dense order, and searched. */
public final class TokenTable implements Projection {

  /** Name of this projection, for who waits for it. */
  public static final String NAME = "token";

  private static final String FORGET =
      """
      DELETE FROM views.token
       WHERE token_name = ?
      """;

  private static final String INSERT =
      """
      INSERT INTO token
        (token_id, token_name, kind, permissions, secret_hash, created_at, created_by,
         created_by_token_id, expires_at, expiry_set_at, last_leaf_index)
      SELECT token_id, token_name, kind, string_to_array(permissions, E'\\n'), secret_hash,
             created_at::timestamptz, created_by, created_by_token_id, expires_at::timestamptz,
             created_at::timestamptz, leaf_index
        FROM unnest(?::bigint[], ?::text[], ?::text[], ?::text[], ?::bytea[], ?::text[], ?::text[],
                    ?::bigint[], ?::text[], ?::bigint[])
          AS made (token_id, token_name, kind, permissions, secret_hash, created_at, created_by,
                   created_by_token_id, expires_at, leaf_index)
          ON CONFLICT (token_id) DO NOTHING
      """;

  /** One statement for every change: what is null keeps what there is. */
  private static final String CHANGE =
      """
      UPDATE token
         SET permissions         = coalesce(string_to_array(?, E'\\n'), permissions),
             secret_hash         = coalesce(?, secret_hash),
             description         = CASE WHEN ? THEN nullif(?, '') ELSE description END,
             expires_at          = CASE WHEN ? THEN ?::timestamptz ELSE expires_at END,
             expiry_set_at       = CASE WHEN ? THEN ?::timestamptz ELSE expiry_set_at END,
             suspended_at        = CASE WHEN ? THEN ?::timestamptz ELSE suspended_at END,
             announced_days      = CASE WHEN ? THEN NULL ELSE announced_days END,
             expiry_recorded     = CASE WHEN ? THEN false ELSE expiry_recorded END,
             updated_at          = ?::timestamptz,
             updated_by          = ?,
             updated_by_token_id = ?,
             last_leaf_index     = ?
       WHERE token_id            = ?
         AND last_leaf_index     < ?
      """;

  private static final String CLEAR_DESCRIPTION =
      """
      UPDATE token
         SET description  = NULL
       WHERE token_id     = ?
         AND description IS NOT NULL
      """;

  private static final String REVOKE =
      """
      UPDATE token
         SET revoked_at          = ended.revoked_at::timestamptz,
             revoked_by          = ended.revoked_by,
             revoked_by_token_id = ended.revoked_by_token_id,
             last_leaf_index     = ended.leaf_index
        FROM unnest(?::text[], ?::text[], ?::bigint[], ?::bigint[], ?::bigint[], ?::bigint[])
          AS ended (revoked_at, revoked_by, revoked_by_token_id, leaf_index, token_id, seen_before)
       WHERE token.token_id        = ended.token_id
         AND token.last_leaf_index < ended.seen_before
      """;

  private static final String[] MADE = {
    "bigint", "text", "text", "text", "bytea", "text", "text", "bigint", "text", "bigint"
  };

  private static final String[] ENDED = {"text", "text", "bigint", "bigint", "bigint", "bigint"};

  private static final String RECORD =
      """
      UPDATE token
         SET announced_days  = coalesce(?, announced_days),
             expiry_recorded = ?,
             last_leaf_index = ?
       WHERE token_id        = ?
         AND last_leaf_index < ?
      """;

  private static final String SEARCH =
      """
      WITH RECURSIVE made (token_id) AS (
             SELECT token_id
               FROM views.token
              WHERE created_by_token_id = ?::bigint
              UNION
             SELECT child.token_id
               FROM views.token AS child
               JOIN made ON made.token_id = child.created_by_token_id)
      SELECT token.token_id, token.token_name, token.kind, token.permissions, token.secret_hash,
             token.description, token.created_at, token.created_by, token.created_by_token_id,
             token.updated_at, token.updated_by, token.updated_by_token_id, token.expires_at,
             token.suspended_at, token.revoked_at, token.revoked_by, token.revoked_by_token_id,
             usage.last_used_at
        FROM views.token            AS token
        LEFT JOIN state.token_usage AS usage ON usage.token_id = token.token_id
       WHERE (?::bigint IS NULL OR token.token_id = ?)
         AND (?::text IS NULL
              OR ? = CASE WHEN revoked_at IS NOT NULL THEN 'REVOKED'
                          WHEN suspended_at IS NOT NULL THEN 'SUSPENDED'
                          WHEN expires_at <= ?::timestamptz THEN 'EXPIRED'
                          ELSE 'LIVE' END)
         AND (?::text IS NULL OR kind = ?)
         AND (?::text IS NULL OR token_name LIKE ? ESCAPE '!')
         AND (?::text IS NULL OR token_name = ?)
         AND (?::text IS NULL
              OR kind <> 'resource'
              OR EXISTS (SELECT 1
                           FROM unnest(permissions) AS grant_text
                          WHERE grant_text LIKE 'db:%'
                            AND string_to_array(split_part(grant_text, ':', 2), ',')
                                && ARRAY['*', ?::text]))
         AND (?::text IS NULL OR ? = ANY (permissions))
         AND (?::timestamptz IS NULL OR created_at >= ?::timestamptz)
         AND (?::timestamptz IS NULL OR created_at <  ?::timestamptz)
         AND (?::timestamptz IS NULL OR expires_at >= ?::timestamptz)
         AND (?::timestamptz IS NULL OR expires_at <  ?::timestamptz)
         AND (?::text IS NULL OR created_by = ?)
         AND (?::bigint IS NULL OR token.token_id IN (SELECT token_id FROM made))
         AND (?::timestamptz IS NULL
              OR created_at < ?::timestamptz
                 AND coalesce(last_used_at, '-infinity') < ?::timestamptz)
         AND (?::bigint IS NULL OR token.token_id > ?)
       ORDER BY token.token_id
       LIMIT ?
      """;

  private static final String DUE =
      """
      SELECT token_id, token_name, days
        FROM (SELECT token_id, token_name, expires_at, expiry_set_at, announced_days,
                     CASE WHEN expires_at <= moment                      THEN 0
                          WHEN expires_at <= moment + interval '1 day'   THEN 1
                          WHEN expires_at <= moment + interval '7 days'  THEN 7
                          WHEN expires_at <= moment + interval '14 days' THEN 14
                          ELSE 30 END AS days
                FROM views.token
               CROSS JOIN (SELECT ?::timestamptz) AS clock (moment)
               WHERE revoked_at IS NULL
                 AND NOT expiry_recorded
                 AND expires_at <= moment + interval '30 days') AS soon
       WHERE days = 0
          OR days < coalesce(announced_days, 31)
             AND expires_at - expiry_set_at > make_interval(days => days)
       ORDER BY expires_at
       LIMIT 1000
      """;

  /**
   * A token whose expiry wants an event.
   *
   * @param daysAhead the notice to give, 30, 14, 7 or 1; 0 when the expiry has passed
   */
  public record Due(TokenId id, TokenName name, int daysAhead) {}

  private final Envelopes envelopes;
  private final EventReader reader;

  /**
   * @param envelopes opens what the events hold sealed
   */
  public TokenTable(Envelopes envelopes, EventReader reader) {
    this.envelopes = envelopes;
    this.reader = reader;
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public long lock() {
    return Locks.TOKEN_FOLLOWER;
  }

  @Override
  public void forget(Connection connection, TokenName name) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(FORGET)) {
      statement.setString(1, name.value());
      statement.executeUpdate();
    }
  }

  @Override
  public void take(Connection connection, List<Leaf> leaves) throws SQLException {
    // Words opened from now on are of a later key: those of before go first.
    Map<Long, Long> erasures = new HashMap<>();
    for (Leaf leaf : leaves) {
      Long erased = erasedToken(leaf);
      if (erased != null) {
        clearDescription(connection, erased);
        erasures.put(erased, leaf.leafIndex());
      }
    }
    List<Step> steps = new ArrayList<>();
    for (Leaf leaf : leaves) {
      List<TokenEvent> events = leaf.tokenEvents(reader);
      for (int part = 0; part < events.size(); part++) {
        // What a split made of one leaf, that leaf's first part has not done yet.
        long seenBefore = leaf.leafIndex() + (part == 0 ? 0 : 1);
        TokenEvent event = events.get(part);
        boolean forgotten = erasures.getOrDefault(event.id().value(), -1L) > leaf.leafIndex();
        steps.add(new Step(leaf, opened(leaf.eventId(), event, forgotten), seenBefore));
      }
    }
    try (PreparedStatement change = connection.prepareStatement(CHANGE);
        PreparedStatement record = connection.prepareStatement(RECORD)) {
      for (List<Step> round : Rounds.of(steps, step -> step.event().name())) {
        ColumnArrays made = new ColumnArrays(MADE);
        ColumnArrays ended = new ColumnArrays(ENDED);
        for (Step step : round) {
          if (add(made, step.event(), step.leaf())) {
            continue;
          }
          if (step.event() instanceof TokenRevoked revoked) {
            add(ended, revoked, step);
          } else if (step.event() instanceof TokenExpired) {
            bindRecord(record, null, true, step);
          } else if (step.event() instanceof TokenExpiryAnnounced announced) {
            bindRecord(record, announced.daysAhead(), false, step);
          } else {
            bindChange(change, Change.of(step.event()), step);
          }
        }
        made.execute(connection, INSERT);
        change.executeBatch();
        ended.execute(connection, REVOKE);
        record.executeBatch();
      }
    }
  }

  /**
   * An event to take.
   *
   * @param seenBefore the row has seen it when its last leaf is this one or a later one
   */
  private record Step(Leaf leaf, TokenEvent event, long seenBefore) {}

  /**
   * The token whose keys were destroyed: what was opened before goes where that leaf is taken. Null
   * for any other leaf.
   */
  private @Nullable Long erasedToken(Leaf leaf) {
    if (leaf.quarantined() || !leaf.eventType().equals(EventType.SUBJECT_ERASED.storedName())) {
      return null;
    }
    try {
      for (Object event : reader.read(leaf.eventType(), leaf.revision(), leaf.payload())) {
        if (event instanceof SubjectErased erased && erased.subject().startsWith("token:")) {
          return Long.valueOf(erased.subject().substring("token:".length()));
        }
      }
      return null;
    } catch (UnreadableEvent e) {
      throw leaf.unreadable(e);
    } catch (NumberFormatException e) {
      throw leaf.unreadable(new UnreadableEvent("no number of a token", e));
    }
  }

  /**
   * Removes the words about a token from the table that the connection's {@code search_path} names.
   */
  public static void clearDescription(Connection connection, long tokenId) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(CLEAR_DESCRIPTION)) {
      statement.setLong(1, tokenId);
      statement.executeUpdate();
    }
  }

  /**
   * The event with its free text in clear, empty once the key of it is gone.
   *
   * @param forgotten whether it was erased since: the key may still be in this node's memory
   */
  private TokenEvent opened(String eventId, TokenEvent event, boolean forgotten) {
    if (!(event instanceof TokenDescribed described)) {
      return event;
    }
    String text =
        forgotten ? null : envelopes.openText(eventId, "description", described.description());
    return new TokenDescribed(
        described.name(), described.id(), text == null ? "" : text, described.describedAt());
  }

  private static boolean add(ColumnArrays made, TokenEvent event, Leaf leaf) {
    if (event instanceof OperatorTokenCreated created) {
      add(
          made,
          event,
          TokenKind.OPERATOR,
          Permissions.admin(),
          created.hash(),
          created.createdAt(),
          Expiry.NEVER,
          leaf);
    } else if (event instanceof NamedAdminCreated created) {
      add(
          made,
          event,
          TokenKind.ADMIN,
          Permissions.admin(),
          created.hash(),
          created.createdAt(),
          created.expiry(),
          leaf);
    } else if (event instanceof ResourceTokenCreated created) {
      add(
          made,
          event,
          TokenKind.RESOURCE,
          created.permissions(),
          created.hash(),
          created.createdAt(),
          created.expiry(),
          leaf);
    } else {
      return false;
    }
    return true;
  }

  private static void add(
      ColumnArrays made,
      TokenEvent event,
      TokenKind kind,
      Permissions permissions,
      SecretHash hash,
      Instant createdAt,
      Expiry expiry,
      Leaf leaf) {
    made.add(
        event.id().value(),
        event.name().value(),
        kind.wireName(),
        String.join("\n", permissions.texts()),
        hash.bytes(),
        createdAt.toString(),
        leaf.header().actorName(),
        leaf.header().actorTokenId(),
        text(expiry),
        leaf.leafIndex());
  }

  private static void add(ColumnArrays ended, TokenRevoked revoked, Step step) {
    ended.add(
        revoked.revokedAt().toString(),
        step.leaf().header().actorName(),
        step.leaf().header().actorTokenId(),
        step.leaf().leafIndex(),
        step.event().id().value(),
        step.seenBefore());
  }

  /** What an event changes of a row; what it leaves alone is null, or false in the flag before. */
  private record Change(
      Instant at,
      @Nullable String permissions,
      @Nullable SecretHash hash,
      @Nullable String description,
      boolean setsExpiry,
      @Nullable String expiry,
      boolean setsSuspension,
      @Nullable String suspendedAt) {

    static Change of(TokenEvent event) {
      if (event instanceof OperatorTokenRegenerated changed) {
        return ofSecret(changed.regeneratedAt(), changed.hash());
      }
      if (event instanceof TokenRotated changed) {
        return ofSecret(changed.rotatedAt(), changed.hash());
      }
      if (event instanceof TokenSuspended changed) {
        Instant at = changed.suspendedAt();
        return new Change(at, null, null, null, false, null, true, at.toString());
      }
      if (event instanceof TokenResumed changed) {
        return new Change(changed.resumedAt(), null, null, null, false, null, true, null);
      }
      if (event instanceof TokenDescribed changed) {
        return new Change(
            changed.describedAt(), null, null, changed.description(), false, null, false, null);
      }
      if (event instanceof TokenExpiryChanged changed) {
        return new Change(
            changed.changedAt(), null, null, null, true, text(changed.expiry()), false, null);
      }
      if (event instanceof TokenPermissionsChanged changed) {
        String permissions = String.join("\n", changed.permissions().texts());
        return new Change(changed.changedAt(), permissions, null, null, false, null, false, null);
      }
      throw new IllegalArgumentException("no change of the table of tokens: " + event);
    }

    private static Change ofSecret(Instant at, SecretHash hash) {
      return new Change(at, null, hash, null, false, null, false, null);
    }
  }

  private static void bindChange(PreparedStatement statement, Change change, Step step)
      throws SQLException {
    statement.setString(1, change.permissions());
    statement.setBytes(2, change.hash() == null ? null : change.hash().bytes());
    statement.setBoolean(3, change.description() != null);
    statement.setString(4, change.description());
    statement.setBoolean(5, change.setsExpiry());
    statement.setString(6, change.expiry());
    statement.setBoolean(7, change.setsExpiry());
    statement.setString(8, change.at().toString());
    statement.setBoolean(9, change.setsSuspension());
    statement.setString(10, change.suspendedAt());
    statement.setBoolean(11, change.setsExpiry());
    statement.setBoolean(12, change.setsExpiry());
    statement.setString(13, change.at().toString());
    statement.setString(14, step.leaf().header().actorName());
    statement.setObject(15, step.leaf().header().actorTokenId(), Types.BIGINT);
    addFor(statement, 16, step);
  }

  private static void bindRecord(
      PreparedStatement statement, @Nullable Integer announcedDays, boolean expired, Step step)
      throws SQLException {
    statement.setObject(1, announcedDays, Types.INTEGER);
    statement.setBoolean(2, expired);
    addFor(statement, 3, step);
  }

  private static void addFor(PreparedStatement statement, int index, Step step)
      throws SQLException {
    statement.setLong(index, step.leaf().leafIndex());
    statement.setLong(index + 1, step.event().id().value());
    statement.setLong(index + 2, step.seenBefore());
    statement.addBatch();
  }

  private static @Nullable String text(Expiry expiry) {
    return expiry.isNever() ? null : expiry.instant().toString();
  }

  static List<TokenEntry> search(Connection connection, TokenQuery query) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(SEARCH)) {
      Long madeBy = query.madeBy() == null ? null : query.madeBy().value();
      String state = query.state() == null ? null : query.state().name();
      Long afterId = query.afterId() == null ? null : query.afterId().value();
      String unused = text(query.unusedSince());
      List<@Nullable Object> values = new ArrayList<>();
      values.add(madeBy);
      addTwice(values, query.id() == null ? null : query.id().value());
      values.addAll(Arrays.asList(state, state, query.now().toString()));
      addTwice(values, query.kind() == null ? null : query.kind().wireName());
      addTwice(values, likePattern(query.name()));
      addTwice(values, query.exactName());
      addTwice(values, query.database());
      addTwice(values, query.permission());
      addTwice(values, text(query.createdSince()));
      addTwice(values, text(query.createdUntil()));
      addTwice(values, text(query.expiresSince()));
      addTwice(values, text(query.expiresUntil()));
      addTwice(values, query.createdBy());
      values.add(madeBy);
      values.addAll(Arrays.asList(unused, unused, unused));
      addTwice(values, afterId);
      values.add((long) query.limit());
      for (int i = 0; i < values.size(); i++) {
        Object value = values.get(i);
        statement.setObject(
            i + 1,
            value,
            value == null ? Types.NULL : value instanceof Long ? Types.BIGINT : Types.VARCHAR);
      }
      List<TokenEntry> entries = new ArrayList<>();
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          entries.add(entry(row));
        }
      }
      return entries;
    }
  }

  private static void addTwice(List<@Nullable Object> values, @Nullable Object value) {
    values.add(value);
    values.add(value);
  }

  private static @Nullable String likePattern(@Nullable String glob) {
    return glob == null
        ? null
        : glob.replace("!", "!!")
            .replace("%", "!%")
            .replace("_", "!_")
            .replace('*', '%')
            .replace('?', '_');
  }

  private static @Nullable String text(@Nullable Instant instant) {
    return instant == null ? null : instant.toString();
  }

  /**
   * The tokens whose expiry wants an event at that instant, the nearest first, 1,000 at most. No
   * notice is due that would come as early as the expiry was set.
   */
  public static List<Due> due(Connection connection, Instant now) throws SQLException {
    List<Due> due = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(DUE)) {
      statement.setString(1, now.toString());
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          due.add(
              new Due(
                  new TokenId(row.getLong("token_id")),
                  new TokenName(row.getString("token_name")),
                  row.getInt("days")));
        }
      }
    }
    return due;
  }

  private static TokenEntry entry(ResultSet row) throws SQLException {
    return new TokenEntry(
        new TokenId(row.getLong("token_id")),
        new TokenName(row.getString("token_name")),
        TokenKind.valueOf(row.getString("kind").toUpperCase(Locale.ROOT)),
        List.of((String[]) row.getArray("permissions").getArray()),
        HexFormat.of().formatHex(row.getBytes("secret_hash")),
        row.getString("description"),
        row.getObject("created_at", OffsetDateTime.class).toInstant(),
        row.getString("created_by"),
        row.getObject("created_by_token_id", Long.class),
        instant(row, "updated_at"),
        row.getString("updated_by"),
        row.getObject("updated_by_token_id", Long.class),
        instant(row, "expires_at"),
        instant(row, "suspended_at"),
        instant(row, "revoked_at"),
        row.getString("revoked_by"),
        row.getObject("revoked_by_token_id", Long.class),
        instant(row, "last_used_at"));
  }

  private static @Nullable Instant instant(ResultSet row, String column) throws SQLException {
    OffsetDateTime time = row.getObject(column, OffsetDateTime.class);
    return time == null ? null : time.toInstant();
  }
}

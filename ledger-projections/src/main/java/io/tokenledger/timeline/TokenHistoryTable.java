package io.tokenledger.timeline;

import io.tokenledger.follow.ColumnArrays;
import io.tokenledger.follow.Leaf;
import io.tokenledger.follow.Projection;
import io.tokenledger.follow.Rounds;
import io.tokenledger.permission.Permissions;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.Locks;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenEvent;
import io.tokenledger.token.TokenEvent.NamedAdminCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenRegenerated;
import io.tokenledger.token.TokenEvent.ResourceTokenCreated;
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
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * All SQL on {@code views.token_history}. Every event of a token makes a row, also one that changes
 * nothing that is kept here: the time of each counts for those after it.
 */
public final class TokenHistoryTable implements Projection {

  /** Name of this projection, for who waits for it. */
  public static final String NAME = "token_history";

  private static final String FORGET =
      """
      DELETE FROM views.token_history
       WHERE token_name = ?
      """;

  private static final int PREFIX_DIGITS = 9;

  /** A name's tokens share a stream, so the one before may have brought a later time with it. */
  private static final String CREATE =
      """
      INSERT INTO token_history
        (token_id, from_leaf, valid_from, event_type, actor_name, actor_token_id, token_name,
         kind, permissions, secret_hash_prefix, created_at, expires_at)
      SELECT made.token_id, made.leaf,
             greatest(made.occurred_at::timestamptz, (SELECT valid_from
                                                        FROM token_history AS before
                                                       WHERE before.token_name = made.token_name
                                                         AND before.from_leaf < made.leaf
                                                       ORDER BY before.from_leaf DESC
                                                       LIMIT 1)),
             made.event_type, made.actor_name, made.actor_token_id, made.token_name, made.kind,
             string_to_array(made.permissions, E'\\n'), made.secret_hash_prefix,
             made.created_at::timestamptz, made.expires_at::timestamptz
        FROM unnest(?::bigint[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::bigint[],
                    ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[])
          AS made (token_id, leaf, occurred_at, event_type, actor_name, actor_token_id, token_name,
                   kind, permissions, secret_hash_prefix, created_at, expires_at)
          ON CONFLICT (token_id, from_leaf) DO NOTHING
      """;

  /**
   * The row before ends, and its copy begins with what the event changes. Nothing is joined by what
   * the planner believes to be few rows: that took the square of their number.
   */
  private static final String CHANGE =
      """
      WITH change AS (
             SELECT given.token_id, given.leaf, given.occurred_at::timestamptz, given.event_type,
                    given.actor_name, given.actor_token_id,
                    string_to_array(given.permissions, E'\\n') AS new_permissions,
                    given.new_hash_prefix, given.new_grace_ends_at::timestamptz,
                    given.sets_expiry, given.new_expires_at::timestamptz, given.sets_suspension,
                    given.new_suspended_at::timestamptz, given.new_revoked_at::timestamptz,
                    before.from_leaf, before.valid_from, before.token_name, before.kind,
                    before.permissions, before.secret_hash_prefix, before.grace_hash_prefix,
                    before.grace_ends_at, before.created_at, before.expires_at,
                    before.suspended_at, before.revoked_at
               FROM unnest(?::bigint[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::bigint[],
                           ?::text[], ?::text[], ?::text[], ?::boolean[], ?::text[],
                           ?::boolean[], ?::text[], ?::text[])
                 AS given (token_id, leaf, occurred_at, event_type, actor_name, actor_token_id,
                           permissions, new_hash_prefix, new_grace_ends_at, sets_expiry,
                           new_expires_at, sets_suspension, new_suspended_at, new_revoked_at)
              CROSS JOIN LATERAL (
                    SELECT history.from_leaf, history.valid_from, history.token_name,
                           history.kind, history.permissions, history.secret_hash_prefix,
                           history.grace_hash_prefix, history.grace_ends_at, history.created_at,
                           history.expires_at, history.suspended_at, history.revoked_at
                      FROM token_history AS history
                     WHERE history.token_id  = given.token_id
                       AND history.from_leaf < given.leaf
                     ORDER BY history.from_leaf DESC
                     LIMIT 1) AS before),
           closed AS (
             UPDATE token_history AS history
                SET to_leaf  = change.leaf,
                    valid_to = greatest(change.occurred_at, change.valid_from)
               FROM change
              WHERE history.token_id  = change.token_id
                AND history.from_leaf = change.from_leaf
                AND history.to_leaf IS NULL)
      INSERT INTO token_history
        (token_id, from_leaf, valid_from, event_type, actor_name, actor_token_id, token_name,
         kind, permissions, secret_hash_prefix, grace_hash_prefix, grace_ends_at, created_at,
         expires_at, suspended_at, revoked_at)
      SELECT token_id, leaf, greatest(occurred_at, valid_from), event_type, actor_name,
             actor_token_id, token_name, kind, coalesce(new_permissions, permissions),
             coalesce(new_hash_prefix, secret_hash_prefix),
             CASE WHEN new_hash_prefix IS NULL   THEN grace_hash_prefix
                  WHEN new_grace_ends_at IS NULL THEN NULL
                  ELSE secret_hash_prefix END,
             CASE WHEN new_hash_prefix IS NULL THEN grace_ends_at ELSE new_grace_ends_at END,
             created_at,
             CASE WHEN sets_expiry THEN new_expires_at ELSE expires_at END,
             CASE WHEN sets_suspension THEN new_suspended_at ELSE suspended_at END,
             coalesce(new_revoked_at, revoked_at)
        FROM change
          ON CONFLICT (token_id, from_leaf) DO NOTHING
      """;

  private static final String[] MADE = {
    "bigint", "bigint", "text", "text", "text", "bigint", "text", "text", "text", "text", "text",
    "text"
  };

  private static final String[] CHANGED = {
    "bigint", "bigint", "text", "text", "text", "bigint", "text", "text", "text", "boolean", "text",
    "boolean", "text", "text"
  };

  private static final String SIZE =
      """
      SELECT coalesce((SELECT next_leaf_index
                         FROM views.follower
                        WHERE name = 'token_history'), 0)
      """;

  private static final String OCCURRED =
      """
      SELECT event.occurred_at::timestamptz
        FROM audit.leaf   AS leaf
        JOIN ledger.event AS event ON event.global_index = leaf.global_index
       WHERE leaf.leaf_index = ?
      """;

  private static final String AS_OF =
      """
      SELECT history.token_id, history.from_leaf, history.to_leaf, history.valid_from,
             history.valid_to, history.event_type, history.actor_name, history.actor_token_id,
             history.token_name, history.kind, history.permissions, history.secret_hash_prefix,
             history.grace_hash_prefix, history.grace_ends_at, history.created_at,
             history.expires_at, history.suspended_at, history.revoked_at
        FROM views.token_history AS history
       CROSS JOIN (SELECT ?::bigint      AS size,
                          ?::timestamptz AS instant,
                          ?::boolean     AS with_revoked,
                          ?::bigint      AS after_id) AS wanted
       WHERE history.token_id > wanted.after_id
         AND history.from_leaf < wanted.size
         AND history.valid_from <= wanted.instant
         AND (history.to_leaf IS NULL
              OR history.to_leaf >= wanted.size
              OR history.valid_to > wanted.instant)
         AND (wanted.with_revoked OR history.revoked_at IS NULL)
       ORDER BY history.token_id
       LIMIT ?
      """;

  private static final String HISTORY =
      """
      SELECT history.token_id, history.from_leaf, history.to_leaf, history.valid_from,
             history.valid_to, history.event_type, history.actor_name, history.actor_token_id,
             history.token_name, history.kind, history.permissions, history.secret_hash_prefix,
             history.grace_hash_prefix, history.grace_ends_at, history.created_at,
             history.expires_at, history.suspended_at, history.revoked_at
        FROM views.token_history AS history
       WHERE history.token_id = ?
         AND history.from_leaf > ?
         AND history.from_leaf < ?
       ORDER BY history.from_leaf
       LIMIT ?
      """;

  /** Tokens whose row differs, and those that expired in between without a row for it. */
  private static final String DIFFERENT =
      """
      WITH earlier AS (
             SELECT history.token_id, history.from_leaf, history.expires_at
               FROM views.token_history AS history
              CROSS JOIN (SELECT ?::bigint AS size, ?::timestamptz AS instant) AS wanted
              WHERE history.token_id > ?
                AND history.from_leaf < wanted.size
                AND history.valid_from <= wanted.instant
                AND (history.to_leaf IS NULL
                     OR history.to_leaf >= wanted.size
                     OR history.valid_to > wanted.instant)),
           later AS (
             SELECT history.token_id, history.from_leaf
               FROM views.token_history AS history
              CROSS JOIN (SELECT ?::bigint AS size, ?::timestamptz AS instant) AS wanted
              WHERE history.token_id > ?
                AND history.from_leaf < wanted.size
                AND history.valid_from <= wanted.instant
                AND (history.to_leaf IS NULL
                     OR history.to_leaf >= wanted.size
                     OR history.valid_to > wanted.instant))
      SELECT coalesce(earlier.token_id, later.token_id) AS token_id,
             earlier.from_leaf                          AS earlier_leaf,
             later.from_leaf                            AS later_leaf
        FROM earlier
        FULL JOIN later ON later.token_id = earlier.token_id
       WHERE earlier.from_leaf IS DISTINCT FROM later.from_leaf
          OR (earlier.expires_at > ?::timestamptz) <> (earlier.expires_at > ?::timestamptz)
       ORDER BY 1
       LIMIT ?
      """;

  private static final String VERSIONS =
      """
      SELECT history.token_id, history.from_leaf, history.to_leaf, history.valid_from,
             history.valid_to, history.event_type, history.actor_name, history.actor_token_id,
             history.token_name, history.kind, history.permissions, history.secret_hash_prefix,
             history.grace_hash_prefix, history.grace_ends_at, history.created_at,
             history.expires_at, history.suspended_at, history.revoked_at
        FROM unnest(?::bigint[], ?::bigint[]) AS wanted (token_id, from_leaf)
        JOIN views.token_history              AS history
          ON history.token_id  = wanted.token_id
         AND history.from_leaf = wanted.from_leaf
      """;

  private static final String NEWEST =
      """
      SELECT history.token_id, history.from_leaf, history.to_leaf, history.valid_from,
             history.valid_to, history.event_type, history.actor_name, history.actor_token_id,
             history.token_name, history.kind, history.permissions, history.secret_hash_prefix,
             history.grace_hash_prefix, history.grace_ends_at, history.created_at,
             history.expires_at, history.suspended_at, history.revoked_at
        FROM views.token_history AS history
       WHERE history.token_id = ?
         AND history.from_leaf < ?
       ORDER BY history.from_leaf DESC
       LIMIT ?
      """;

  private static final String EVENT =
      """
      SELECT event.event_id, leaf.leaf_index, event.event_type,
             event.occurred_at::timestamptz AS occurred_at
        FROM audit.leaf   AS leaf
        JOIN ledger.event AS event ON event.global_index = leaf.global_index
       WHERE leaf.leaf_index = ?
      """;

  /** Of an event that cannot be read only the database's own column is certain to be a time. */
  private static final String QUARANTINED =
      """
      SELECT event.event_id, leaf.leaf_index, event.event_type, event.recorded_at AS occurred_at
        FROM state.quarantine AS quarantine
        JOIN ledger.event     AS event ON event.global_index = quarantine.global_index
        JOIN audit.leaf       AS leaf  ON leaf.global_index = event.global_index
       WHERE quarantine.aggregate_id = ?
         AND quarantine.state        = 'quarantined'
       ORDER BY quarantine.global_index
       LIMIT 1
      """;

  /** Which rows a token had at two moments; null where it had none. */
  record Different(long tokenId, @Nullable Long earlierLeaf, @Nullable Long laterLeaf) {}

  private final EventReader reader;

  public TokenHistoryTable(EventReader reader) {
    this.reader = reader;
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public long lock() {
    return Locks.HISTORY_FOLLOWER;
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
    List<Step> steps = new ArrayList<>();
    for (Leaf leaf : leaves) {
      List<TokenEvent> events = leaf.tokenEvents(reader);
      for (int first = 0, next; first < events.size(); first = next) {
        TokenEvent event = events.get(first);
        next = first + 1;
        Change change = Change.of(event);
        // Parts of a split that are about one token are one row: a leaf makes one.
        while (next < events.size() && events.get(next).id().equals(event.id())) {
          change = change.and(Change.of(events.get(next++)));
        }
        steps.add(new Step(leaf, event, change));
      }
    }
    for (List<Step> round : Rounds.of(steps, step -> step.event().name())) {
      ColumnArrays made = new ColumnArrays(MADE);
      ColumnArrays changed = new ColumnArrays(CHANGED);
      for (Step step : round) {
        if (!add(made, step.event(), step.leaf())) {
          add(changed, step.event().id(), step.leaf(), step.change());
        }
      }
      made.execute(connection, CREATE);
      changed.execute(connection, CHANGE);
    }
  }

  /**
   * A row to come.
   *
   * @param change what all parts of a split change together; of a creation nothing
   */
  private record Step(Leaf leaf, TokenEvent event, Change change) {}

  private static boolean add(ColumnArrays made, TokenEvent event, Leaf leaf) {
    if (event instanceof OperatorTokenCreated created) {
      add(
          made,
          created,
          leaf,
          TokenKind.OPERATOR,
          Permissions.admin(),
          created.hash(),
          created.createdAt(),
          Expiry.NEVER);
    } else if (event instanceof NamedAdminCreated created) {
      add(
          made,
          created,
          leaf,
          TokenKind.ADMIN,
          Permissions.admin(),
          created.hash(),
          created.createdAt(),
          created.expiry());
    } else if (event instanceof ResourceTokenCreated created) {
      add(
          made,
          created,
          leaf,
          TokenKind.RESOURCE,
          created.permissions(),
          created.hash(),
          created.createdAt(),
          created.expiry());
    } else {
      return false;
    }
    return true;
  }

  private static void add(
      ColumnArrays made,
      TokenEvent event,
      Leaf leaf,
      TokenKind kind,
      Permissions permissions,
      SecretHash hash,
      Instant createdAt,
      Expiry expiry) {
    made.add(
        event.id().value(),
        leaf.leafIndex(),
        leaf.occurredAt(),
        leaf.eventType(),
        leaf.header().actorName(),
        leaf.header().actorTokenId(),
        event.name().value(),
        kind.wireName(),
        String.join("\n", permissions.texts()),
        prefix(hash),
        createdAt.toString(),
        text(expiry));
  }

  /** What an event changes of a token; what it leaves alone is null, or false in the flag. */
  private record Change(
      @Nullable String permissions,
      @Nullable String hashPrefix,
      @Nullable Instant graceEndsAt,
      boolean setsExpiry,
      @Nullable String expiry,
      boolean setsSuspension,
      @Nullable Instant suspendedAt,
      @Nullable Instant revokedAt) {

    private static final Change NOTHING =
        new Change(null, null, null, false, null, false, null, null);

    static Change of(TokenEvent event) {
      if (event instanceof OperatorTokenRegenerated changed) {
        return new Change(null, prefix(changed.hash()), null, false, null, false, null, null);
      }
      if (event instanceof TokenRotated changed) {
        Instant graceEndsAt =
            changed.graceEnd().isAfter(changed.rotatedAt()) ? changed.graceEnd() : null;
        return new Change(
            null, prefix(changed.hash()), graceEndsAt, false, null, false, null, null);
      }
      if (event instanceof TokenSuspended changed) {
        return new Change(null, null, null, false, null, true, changed.suspendedAt(), null);
      }
      if (event instanceof TokenResumed) {
        return new Change(null, null, null, false, null, true, null, null);
      }
      if (event instanceof TokenExpiryChanged changed) {
        return new Change(null, null, null, true, text(changed.expiry()), false, null, null);
      }
      if (event instanceof TokenPermissionsChanged changed) {
        String permissions = String.join("\n", changed.permissions().texts());
        return new Change(permissions, null, null, false, null, false, null, null);
      }
      if (event instanceof TokenRevoked changed) {
        return new Change(null, null, null, false, null, false, null, changed.revokedAt());
      }
      return NOTHING;
    }

    Change and(Change next) {
      return new Change(
          next.permissions == null ? permissions : next.permissions,
          next.hashPrefix == null ? hashPrefix : next.hashPrefix,
          next.hashPrefix == null ? graceEndsAt : next.graceEndsAt,
          setsExpiry || next.setsExpiry,
          next.setsExpiry ? next.expiry : expiry,
          setsSuspension || next.setsSuspension,
          next.setsSuspension ? next.suspendedAt : suspendedAt,
          next.revokedAt == null ? revokedAt : next.revokedAt);
    }
  }

  private static void add(ColumnArrays changed, TokenId id, Leaf leaf, Change change) {
    changed.add(
        id.value(),
        leaf.leafIndex(),
        leaf.occurredAt(),
        leaf.eventType(),
        leaf.header().actorName(),
        leaf.header().actorTokenId(),
        change.permissions(),
        change.hashPrefix(),
        text(change.graceEndsAt()),
        change.setsExpiry(),
        change.expiry(),
        change.setsSuspension(),
        text(change.suspendedAt()),
        text(change.revokedAt()));
  }

  private static String prefix(SecretHash hash) {
    return hash.hex().substring(0, PREFIX_DIGITS);
  }

  private static @Nullable String text(Expiry expiry) {
    return expiry.isNever() ? null : expiry.instant().toString();
  }

  private static @Nullable String text(@Nullable Instant instant) {
    return instant == null ? null : instant.toString();
  }

  /** How many leaves the history knows. */
  static long size(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(SIZE);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getLong(1);
    }
  }

  /** When the event of that leaf occurred. */
  static Instant occurredAt(Connection connection, long leafIndex) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(OCCURRED)) {
      statement.setLong(1, leafIndex);
      try (ResultSet row = statement.executeQuery()) {
        if (!row.next()) {
          throw new SQLException("leaf " + leafIndex + " is missing");
        }
        return row.getObject(1, OffsetDateTime.class).toInstant();
      }
    }
  }

  /**
   * What tokens were, by ascending id.
   *
   * @param afterId only ids above this one; -1 for all
   */
  static List<TokenVersion> asOf(
      Connection connection, ResolvedMoment moment, boolean withRevoked, long afterId, int limit)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(AS_OF)) {
      statement.setLong(1, moment.treeSize());
      statement.setString(2, fold(moment));
      statement.setBoolean(3, withRevoked);
      statement.setLong(4, afterId);
      statement.setInt(5, limit);
      return versions(statement);
    }
  }

  /** Where the fold of a stream stops. */
  private static String fold(ResolvedMoment moment) {
    return moment.exact() ? "infinity" : moment.time().toString();
  }

  /** The versions of one token, the oldest first. */
  static List<TokenVersion> history(
      Connection connection, TokenId id, long afterLeaf, long treeSize, int limit)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(HISTORY)) {
      statement.setLong(1, id.value());
      statement.setLong(2, afterLeaf);
      statement.setLong(3, treeSize);
      statement.setInt(4, limit);
      return versions(statement);
    }
  }

  /**
   * The versions of one token, the newest first.
   *
   * @param beforeLeaf only those that begin below this leaf
   */
  static List<TokenVersion> newest(Connection connection, TokenId id, long beforeLeaf, int limit)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(NEWEST)) {
      statement.setLong(1, id.value());
      statement.setLong(2, beforeLeaf);
      statement.setInt(3, limit);
      return versions(statement);
    }
  }

  /** The event that made it that version. */
  static Optional<DecidingEvent> event(Connection connection, TokenVersion version)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(EVENT)) {
      statement.setLong(1, version.fromLeaf());
      return event(statement, version);
    }
  }

  /** The first event of a name that is quarantined. */
  static Optional<DecidingEvent> quarantined(Connection connection, TokenName name)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(QUARANTINED)) {
      statement.setString(1, "token:" + name.value());
      return event(statement, null);
    }
  }

  private static Optional<DecidingEvent> event(
      PreparedStatement statement, @Nullable TokenVersion version) throws SQLException {
    try (ResultSet row = statement.executeQuery()) {
      return row.next()
          ? Optional.of(
              new DecidingEvent(
                  row.getString("event_id"),
                  row.getLong("leaf_index"),
                  row.getString("event_type"),
                  row.getObject("occurred_at", OffsetDateTime.class).toInstant(),
                  version == null ? null : version.actorName(),
                  version == null ? null : version.actorTokenId()))
          : Optional.empty();
    }
  }

  /** Tokens that may not be the same at two moments, by ascending id. */
  static List<Different> different(
      Connection connection, ResolvedMoment earlier, ResolvedMoment later, long afterId, int limit)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(DIFFERENT)) {
      statement.setLong(1, earlier.treeSize());
      statement.setString(2, fold(earlier));
      statement.setLong(3, afterId);
      statement.setLong(4, later.treeSize());
      statement.setString(5, fold(later));
      statement.setLong(6, afterId);
      statement.setString(7, earlier.time().toString());
      statement.setString(8, later.time().toString());
      statement.setInt(9, limit);
      List<Different> found = new ArrayList<>();
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          found.add(
              new Different(
                  row.getLong("token_id"),
                  row.getObject("earlier_leaf", Long.class),
                  row.getObject("later_leaf", Long.class)));
        }
      }
      return found;
    }
  }

  /** The versions of these tokens that begin at these leaves, in no order. */
  static List<TokenVersion> versions(
      Connection connection, List<Long> tokenIds, List<Long> fromLeaves) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(VERSIONS)) {
      statement.setArray(1, connection.createArrayOf("bigint", tokenIds.toArray()));
      statement.setArray(2, connection.createArrayOf("bigint", fromLeaves.toArray()));
      return versions(statement);
    }
  }

  private static List<TokenVersion> versions(PreparedStatement statement) throws SQLException {
    List<TokenVersion> versions = new ArrayList<>();
    try (ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        versions.add(version(row));
      }
    }
    return versions;
  }

  private static TokenVersion version(ResultSet row) throws SQLException {
    return new TokenVersion(
        new TokenId(row.getLong("token_id")),
        row.getLong("from_leaf"),
        row.getObject("to_leaf", Long.class),
        row.getObject("valid_from", OffsetDateTime.class).toInstant(),
        instant(row, "valid_to"),
        row.getString("event_type"),
        row.getString("actor_name"),
        row.getObject("actor_token_id", Long.class),
        new TokenName(row.getString("token_name")),
        TokenKind.valueOf(row.getString("kind").toUpperCase(Locale.ROOT)),
        List.of((String[]) row.getArray("permissions").getArray()),
        row.getString("secret_hash_prefix"),
        row.getString("grace_hash_prefix"),
        instant(row, "grace_ends_at"),
        row.getObject("created_at", OffsetDateTime.class).toInstant(),
        instant(row, "expires_at"),
        instant(row, "suspended_at"),
        instant(row, "revoked_at"));
  }

  private static @Nullable Instant instant(ResultSet row, String column) throws SQLException {
    OffsetDateTime time = row.getObject(column, OffsetDateTime.class);
    return time == null ? null : time.toInstant();
  }
}

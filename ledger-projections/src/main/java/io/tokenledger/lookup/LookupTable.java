package io.tokenledger.lookup;

import io.tokenledger.permission.Permissions;
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
import java.sql.Types;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * All SQL on {@code token_lookup}. The table's name is not qualified: the connection's {@code
 * search_path} says whether it is the live one in {@code views} or a copy in {@code rebuild}, so
 * that a rebuild runs the very statements that keep the live one.
 */
public final class LookupTable {

  /** Name of the constraint that a secret registered twice violates. */
  public static final String SECRET_CONSTRAINT = "token_lookup_secret_hash_key";

  private static final String INSERT =
      """
      INSERT INTO token_lookup
        (secret_hash, token_id, token_name, kind, permissions, created_at_ms, expires_at_ms,
         last_sequence)
      SELECT hash, id, name, kind, string_to_array(permissions, E'\\n'), created, expires, sequence
        FROM unnest(?::bytea[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::bigint[],
                    ?::bigint[], ?::bigint[])
          AS new (hash, id, name, kind, permissions, created, expires, sequence)
      """;

  private static final String REVOKE =
      """
      UPDATE token_lookup
         SET revoked_at_ms = ?,
             last_sequence = ?,
             changed_xid   = pg_current_xact_id()
       WHERE token_id      = ?
         AND last_sequence < ?
      """;

  /** The current secret ends with the grace; one that was in its grace already ends at once. */
  private static final String SUPERSEDE =
      """
      UPDATE token_lookup
         SET superseded_at_ms = CASE WHEN superseded_at_ms IS NULL THEN ?
                                     ELSE least(superseded_at_ms, ?) END,
             last_sequence    = ?,
             changed_xid      = pg_current_xact_id()
       WHERE token_id         = ?
         AND last_sequence    < ?
      """;

  private static final String INSERT_SUCCESSOR =
      """
      INSERT INTO token_lookup
        (secret_hash, token_id, token_name, kind, permissions, created_at_ms, expires_at_ms,
         suspended_at_ms, last_sequence)
      SELECT ?, token_id, token_name, kind, permissions, created_at_ms, expires_at_ms,
             suspended_at_ms, last_sequence
        FROM token_lookup
       WHERE token_id      = ?
         AND last_sequence = ?
       LIMIT 1
      """;

  private static final String SUSPEND =
      """
      UPDATE token_lookup
         SET suspended_at_ms = ?,
             last_sequence   = ?,
             changed_xid     = pg_current_xact_id()
       WHERE token_id        = ?
         AND last_sequence   < ?
      """;

  private static final String CHANGE_EXPIRY =
      """
      UPDATE token_lookup
         SET expires_at_ms = ?,
             last_sequence = ?,
             changed_xid   = pg_current_xact_id()
       WHERE token_id      = ?
         AND last_sequence < ?
      """;

  private static final String CHANGE_PERMISSIONS =
      """
      UPDATE token_lookup
         SET permissions   = string_to_array(?, E'\\n'),
             last_sequence = ?,
             changed_xid   = pg_current_xact_id()
       WHERE token_id      = ?
         AND last_sequence < ?
      """;

  private static final String TOUCH =
      """
      UPDATE token_lookup
         SET changed_xid = pg_current_xact_id()
       WHERE token_name  = ?
      """;

  private static final String LAST_SEEN =
      """
      SELECT token_id, max(last_sequence)
        FROM token_lookup
       WHERE token_id = ANY (?::bigint[])
       GROUP BY token_id
      """;

  private static final String FIND =
      """
      SELECT token_id, token_name, kind, permissions, created_at_ms, expires_at_ms, revoked_at_ms,
             superseded_at_ms, suspended_at_ms,
             EXISTS (SELECT 1
                       FROM state.quarantine
                      WHERE aggregate_id = 'token:' || token_name
                        AND state        = 'quarantined') AS quarantined
        FROM token_lookup
       WHERE secret_hash = ?
      """;

  private static final String FIND_ALL =
      """
      SELECT secret_hash, token_id, token_name, kind, permissions, created_at_ms, expires_at_ms,
             revoked_at_ms, superseded_at_ms, suspended_at_ms,
             EXISTS (SELECT 1
                       FROM state.quarantine
                      WHERE aggregate_id = 'token:' || token_name
                        AND state        = 'quarantined') AS quarantined
        FROM token_lookup
       WHERE secret_hash = ANY (?)
      """;

  private static final String ALL =
      """
      SELECT secret_hash, token_id, token_name, kind, array_to_string(permissions, E'\\n'),
             created_at_ms, expires_at_ms, revoked_at_ms, superseded_at_ms, suspended_at_ms
        FROM token_lookup
      """;

  /**
   * What this transaction sees, and every row that another, earlier snapshot did not see: whatever
   * became visible between the two, however long its transaction took.
   */
  private static final String CHANGES =
      """
      SELECT head.snapshot::text, head.timeline, head.generation, head.quarantined,
             secret_hash, token_id, token_name, kind, array_to_string(permissions, E'\\n'),
             created_at_ms, expires_at_ms, revoked_at_ms, superseded_at_ms, suspended_at_ms
        FROM (SELECT pg_current_snapshot() AS snapshot,
                     pg_walfile_name(pg_current_wal_insert_lsn()) AS timeline,
                     concat_ws(' ', (SELECT generation FROM state.lookup_generation),
                               pg_postmaster_start_time(),
                               (SELECT oid
                                  FROM pg_database
                                 WHERE datname = current_database())) AS generation,
                     ARRAY (SELECT substr(aggregate_id, 7)
                              FROM state.quarantine
                             WHERE state = 'quarantined'
                               AND aggregate_id LIKE 'token:%') AS quarantined) AS head
        LEFT JOIN token_lookup
               ON changed_xid >= pg_snapshot_xmax(?::pg_snapshot)
               OR changed_xid = ANY (ARRAY (SELECT pg_snapshot_xip(?::pg_snapshot)))
       LIMIT ?
      """;

  /** The same rows, to tell others of them. */
  private static final String CHANGED =
      """
      SELECT secret_hash, token_id, token_name, kind, array_to_string(permissions, E'\\n'),
             created_at_ms, expires_at_ms, revoked_at_ms, superseded_at_ms, suspended_at_ms
        FROM token_lookup
       WHERE (changed_xid >= pg_snapshot_xmax(?::pg_snapshot)
              OR changed_xid = ANY (ARRAY (SELECT pg_snapshot_xip(?::pg_snapshot))))
         AND pg_visible_in_snapshot(changed_xid, ?::pg_snapshot)
       LIMIT ?
      """;

  private static final String KEEP =
      """
      LOCK TABLE token_lookup IN ACCESS SHARE MODE
      """;

  private static final String HEAD =
      """
      SELECT pg_current_snapshot()::text, pg_walfile_name(pg_current_wal_insert_lsn()),
             concat_ws(' ', (SELECT generation FROM state.lookup_generation),
                       pg_postmaster_start_time(),
                       (SELECT oid
                          FROM pg_database
                         WHERE datname = current_database())),
             ARRAY (SELECT substr(aggregate_id, 7)
                      FROM state.quarantine
                     WHERE state = 'quarantined'
                       AND aggregate_id LIKE 'token:%')
      """;

  private static final String BEGIN_GENERATION =
      """
      UPDATE state.lookup_generation
         SET generation = generation + 1
      """;

  private static final String COUNT =
      """
      SELECT count(*)
        FROM (SELECT FROM token_lookup LIMIT ?) AS part
      """;

  private static final String REMOVE =
      """
      DELETE FROM token_lookup
       WHERE token_name = ?
      """;

  private static final String ANY_ADMIN =
      """
      SELECT EXISTS (
        SELECT 1
          FROM token_lookup
         WHERE kind IN ('operator', 'admin')
           AND revoked_at_ms IS NULL
           AND superseded_at_ms IS NULL)
      """;

  /** Rows read at a time. */
  private static final int PAGE = 5_000;

  private LookupTable() {}

  /**
   * A token's event and its place in its stream.
   *
   * @param sequence sequence number in the stream, from 0
   * @param part 0, or which of several that one stored event of a split type came to
   */
  public record Step(TokenEvent event, long sequence, int part) {

    public Step(TokenEvent event, long sequence) {
      this(event, sequence, 0);
    }

    /** A row that has seen this or a later one has seen the step. */
    long seenFrom() {
      return part == 0 ? sequence : sequence + 1;
    }
  }

  private record NewRow(
      TokenEvent event,
      SecretHash hash,
      TokenKind kind,
      Permissions permissions,
      Instant createdAt,
      Expiry expiry,
      long sequence) {}

  /**
   * Writes what these events did to the lookup, in their order. A step that a row has seen already
   * does nothing to it, except that a creation must be new.
   *
   * @throws SQLException with {@link #SECRET_CONSTRAINT} when a secret is registered already
   */
  public static void apply(Connection connection, List<Step> steps) throws SQLException {
    List<NewRow> created = new ArrayList<>();
    for (Step step : steps) {
      NewRow row = newRow(step);
      if (row != null) {
        created.add(row);
        continue;
      }
      // A token of this very batch may be meant.
      insert(connection, created);
      created.clear();
      change(connection, step);
    }
    insert(connection, created);
  }

  /**
   * The same for a copy that may have seen some of the events, also creations.
   *
   * @throws SQLException as {@link #apply}
   */
  public static void catchUp(Connection connection, List<Step> steps) throws SQLException {
    if (steps.isEmpty()) {
      return;
    }
    Map<Long, Long> seen = new HashMap<>();
    try (PreparedStatement statement = connection.prepareStatement(LAST_SEEN)) {
      statement.setArray(
          1,
          connection.createArrayOf(
              "bigint",
              steps.stream().map(step -> step.event().id().value()).distinct().toArray()));
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          seen.put(row.getLong(1), row.getLong(2));
        }
      }
    }
    apply(
        connection,
        steps.stream()
            .filter(step -> seen.getOrDefault(step.event().id().value(), -1L) < step.sequence())
            .toList());
  }

  private static @Nullable NewRow newRow(Step step) {
    if (step.event() instanceof OperatorTokenCreated event) {
      return new NewRow(
          event,
          event.hash(),
          TokenKind.OPERATOR,
          Permissions.admin(),
          event.createdAt(),
          Expiry.NEVER,
          step.sequence());
    }
    if (step.event() instanceof NamedAdminCreated event) {
      return new NewRow(
          event,
          event.hash(),
          TokenKind.ADMIN,
          Permissions.admin(),
          event.createdAt(),
          event.expiry(),
          step.sequence());
    }
    if (step.event() instanceof ResourceTokenCreated event) {
      return new NewRow(
          event,
          event.hash(),
          TokenKind.RESOURCE,
          event.permissions(),
          event.createdAt(),
          event.expiry(),
          step.sequence());
    }
    return null;
  }

  private static void insert(Connection connection, List<NewRow> rows) throws SQLException {
    if (rows.isEmpty()) {
      return;
    }
    int count = rows.size();
    byte[][] hashes = new byte[count][];
    Long[] ids = new Long[count];
    String[] names = new String[count];
    String[] kinds = new String[count];
    String[] permissions = new String[count];
    Long[] created = new Long[count];
    @Nullable Long[] expires = new Long[count];
    Long[] sequences = new Long[count];
    for (int i = 0; i < count; i++) {
      NewRow row = rows.get(i);
      hashes[i] = row.hash().bytes();
      ids[i] = row.event().id().value();
      names[i] = row.event().name().value();
      kinds[i] = row.kind().wireName();
      permissions[i] = String.join("\n", row.permissions().texts());
      created[i] = row.createdAt().toEpochMilli();
      expires[i] = row.expiry().isNever() ? null : row.expiry().epochMillis();
      sequences[i] = row.sequence();
    }
    try (PreparedStatement statement = connection.prepareStatement(INSERT)) {
      statement.setArray(1, connection.createArrayOf("bytea", hashes));
      statement.setArray(2, connection.createArrayOf("bigint", ids));
      statement.setArray(3, connection.createArrayOf("text", names));
      statement.setArray(4, connection.createArrayOf("text", kinds));
      statement.setArray(5, connection.createArrayOf("text", permissions));
      statement.setArray(6, connection.createArrayOf("bigint", created));
      statement.setArray(7, connection.createArrayOf("bigint", expires));
      statement.setArray(8, connection.createArrayOf("bigint", sequences));
      statement.executeUpdate();
    }
  }

  private static void change(Connection connection, Step step) throws SQLException {
    TokenEvent event = step.event();
    if (event instanceof TokenRevoked revoked) {
      set(connection, REVOKE, revoked.revokedAt().toEpochMilli(), step);
    } else if (event instanceof OperatorTokenRegenerated regenerated) {
      Instant now = regenerated.regeneratedAt();
      succeed(connection, step, regenerated.hash(), now, now);
    } else if (event instanceof TokenRotated rotated) {
      succeed(connection, step, rotated.hash(), rotated.rotatedAt(), rotated.graceEnd());
    } else if (event instanceof TokenSuspended suspended) {
      set(connection, SUSPEND, suspended.suspendedAt().toEpochMilli(), step);
    } else if (event instanceof TokenResumed) {
      set(connection, SUSPEND, null, step);
    } else if (event instanceof TokenExpiryChanged changed) {
      Long expires = changed.expiry().isNever() ? null : changed.expiry().epochMillis();
      set(connection, CHANGE_EXPIRY, expires, step);
    } else if (event instanceof TokenPermissionsChanged changed) {
      String permissions = String.join("\n", changed.permissions().texts());
      set(connection, CHANGE_PERMISSIONS, permissions, step);
    }
    // A description, a notice and the record of an expiry change nothing that is decided here.
  }

  private static void set(Connection connection, String sql, @Nullable Object value, Step step)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.setObject(1, value, value instanceof String ? Types.VARCHAR : Types.BIGINT);
      statement.setLong(2, step.sequence());
      statement.setLong(3, step.event().id().value());
      statement.setLong(4, step.seenFrom());
      statement.executeUpdate();
    }
  }

  private static void succeed(
      Connection connection, Step step, SecretHash successor, Instant now, Instant graceEnd)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(SUPERSEDE)) {
      statement.setLong(1, graceEnd.toEpochMilli());
      statement.setLong(2, now.toEpochMilli());
      statement.setLong(3, step.sequence());
      statement.setLong(4, step.event().id().value());
      statement.setLong(5, step.seenFrom());
      statement.executeUpdate();
    }
    try (PreparedStatement statement = connection.prepareStatement(INSERT_SUCCESSOR)) {
      statement.setBytes(1, successor.bytes());
      statement.setLong(2, step.event().id().value());
      statement.setLong(3, step.sequence());
      statement.executeUpdate();
    }
  }

  /** Lets the rows of a name count as changed: what decides about them lies elsewhere. */
  public static void touch(Connection connection, String name) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(TOUCH)) {
      statement.setString(1, name);
      statement.executeUpdate();
    }
  }

  /** Removes the rows of a name, for {@link #apply} of all its events in the same transaction. */
  public static void remove(Connection connection, TokenName name) throws SQLException {
    beginGeneration(connection);
    try (PreparedStatement statement = connection.prepareStatement(REMOVE)) {
      statement.setString(1, name.value());
      statement.executeUpdate();
    }
  }

  static Optional<FoundToken> find(Connection connection, SecretHash hash) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(FIND)) {
      statement.setBytes(1, hash.bytes());
      try (ResultSet row = statement.executeQuery()) {
        return row.next() ? Optional.of(found(row)) : Optional.empty();
      }
    }
  }

  static Map<SecretHash, FoundToken> findAll(Connection connection, Collection<SecretHash> hashes)
      throws SQLException {
    Map<SecretHash, FoundToken> found = new HashMap<>();
    byte[][] asked = hashes.stream().map(SecretHash::bytes).toArray(byte[][]::new);
    try (PreparedStatement statement = connection.prepareStatement(FIND_ALL)) {
      statement.setArray(1, connection.createArrayOf("bytea", asked));
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          found.put(SecretHash.ofBytes(row.getBytes("secret_hash")), found(row));
        }
      }
    }
    return found;
  }

  static boolean anyAdmin(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ANY_ADMIN);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getBoolean(1);
    }
  }

  /** What the lookup was in one snapshot, less its rows. */
  public static LookupChanges head(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(HEAD);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return changes(row, List.of());
    }
  }

  /**
   * All that changed since that snapshot was taken, with the snapshot in which it was read.
   *
   * @return null when more rows than the limit did: then all of them should be read
   */
  public static @Nullable LookupChanges changes(Connection connection, Snapshot since, int limit)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(CHANGES)) {
      statement.setString(1, since.text());
      statement.setString(2, since.text());
      statement.setInt(3, limit + 1);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        List<LookupRow> rows = new ArrayList<>();
        LookupChanges changes = changes(row, rows);
        do {
          if (row.getBytes("secret_hash") != null) {
            rows.add(lookupRow(row, 5));
          }
        } while (row.next());
        return rows.size() > limit ? null : changes;
      }
    }
  }

  /**
   * The rows that one snapshot sees as changed since the other, with what has become of them.
   *
   * @param limit how many at most
   */
  public static List<LookupRow> changed(
      Connection connection, Snapshot since, Snapshot until, int limit) throws SQLException {
    List<LookupRow> rows = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(CHANGED)) {
      statement.setString(1, since.text());
      statement.setString(2, since.text());
      statement.setString(3, until.text());
      statement.setInt(4, limit);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          rows.add(lookupRow(row, 1));
        }
      }
    }
    return rows;
  }

  private static LookupChanges changes(ResultSet row, List<LookupRow> rows) throws SQLException {
    return new LookupChanges(
        Snapshot.parse(row.getString(1)),
        // The first eight digits of a segment's name are the timeline's.
        Integer.parseUnsignedInt(row.getString(2).substring(0, 8), 16),
        row.getString(3),
        // A name can have several quarantined events.
        Set.copyOf(Arrays.asList((String[]) row.getArray(4).getArray())),
        rows);
  }

  /**
   * Tells every node to read all of the lookup again, once this transaction commits: rows were
   * deleted, or came from elsewhere with the transaction that wrote them there.
   */
  public static void beginGeneration(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(BEGIN_GENERATION)) {
      statement.executeUpdate();
    }
  }

  /** How many rows there are; no more than the limit are counted. */
  public static long count(Connection connection, long limit) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(COUNT)) {
      statement.setLong(1, limit);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getLong(1);
      }
    }
  }

  /**
   * Reads every row, a part of them at a time.
   *
   * @param connection in a transaction, without which all of them came at once
   * @param taker says whether it wants more
   */
  public static void all(Connection connection, Predicate<List<LookupRow>> taker)
      throws SQLException {
    List<LookupRow> page = new ArrayList<>(PAGE);
    try (PreparedStatement statement = connection.prepareStatement(ALL)) {
      statement.setFetchSize(PAGE);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          page.add(lookupRow(row, 1));
          if (page.size() == PAGE) {
            if (!taker.test(page)) {
              return;
            }
            page.clear();
          }
        }
      }
    }
    taker.test(page);
  }

  /**
   * Keeps the generation as it is until the end of the transaction. To be called before anything is
   * read in it: a snapshot from before a swap would be one of tables that are gone.
   */
  public static void keep(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(KEEP)) {
      statement.execute();
    }
  }

  /** The row whose columns are those of {@link #ALL}, from this one on. */
  private static LookupRow lookupRow(ResultSet row, int first) throws SQLException {
    return new LookupRow(
        row.getBytes(first),
        row.getLong(first + 1),
        row.getString(first + 2),
        TokenKind.valueOf(row.getString(first + 3).toUpperCase(Locale.ROOT)),
        row.getString(first + 4),
        row.getLong(first + 5),
        millis(row, first + 6),
        millis(row, first + 7),
        millis(row, first + 8),
        millis(row, first + 9));
  }

  private static long millis(ResultSet row, int column) throws SQLException {
    long value = row.getLong(column);
    return row.wasNull() ? FoundToken.NEVER : value;
  }

  private static FoundToken found(ResultSet row) throws SQLException {
    Long expires = row.getObject("expires_at_ms", Long.class);
    return new FoundToken(
        new TokenId(row.getLong("token_id")),
        new TokenName(row.getString("token_name")),
        TokenKind.valueOf(row.getString("kind").toUpperCase(Locale.ROOT)),
        FoundToken.permissions(Arrays.asList((String[]) row.getArray("permissions").getArray())),
        Instant.ofEpochMilli(row.getLong("created_at_ms")),
        expires == null ? Expiry.NEVER : new Expiry(expires),
        instant(row.getObject("revoked_at_ms", Long.class)),
        instant(row.getObject("superseded_at_ms", Long.class)),
        instant(row.getObject("suspended_at_ms", Long.class)),
        row.getBoolean("quarantined"));
  }

  private static @Nullable Instant instant(@Nullable Long epochMillis) {
    return epochMillis == null ? null : Instant.ofEpochMilli(epochMillis);
  }
}

package io.tokenledger.lookup;

import io.tokenledger.permission.Permissions;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenEvent;
import io.tokenledger.token.TokenEvent.NamedAdminCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenRegenerated;
import io.tokenledger.token.TokenEvent.ResourceTokenCreated;
import io.tokenledger.token.TokenEvent.TokenRevoked;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenKind;
import io.tokenledger.token.TokenName;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
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

  private static final String SUPERSEDE =
      """
      UPDATE token_lookup
         SET superseded_at_ms = ?,
             last_sequence    = ?,
             changed_xid      = pg_current_xact_id()
       WHERE token_id         = ?
         AND superseded_at_ms IS NULL
         AND last_sequence    < ?
      """;

  private static final String INSERT_SUCCESSOR =
      """
      INSERT INTO token_lookup
        (secret_hash, token_id, token_name, kind, permissions, created_at_ms, expires_at_ms,
         last_sequence)
      SELECT ?, token_id, token_name, kind, permissions, created_at_ms, expires_at_ms,
             last_sequence
        FROM token_lookup
       WHERE token_id      = ?
         AND last_sequence = ?
      """;

  private static final String FIND =
      """
      SELECT token_id, token_name, kind, permissions, created_at_ms, expires_at_ms, revoked_at_ms,
             superseded_at_ms
        FROM token_lookup
       WHERE secret_hash = ?
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

  private LookupTable() {}

  /**
   * A token's event and its place in its stream.
   *
   * @param sequence sequence number in the stream, from 0
   */
  public record Step(TokenEvent event, long sequence) {}

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
      if (step.event() instanceof TokenRevoked revoked) {
        revoke(connection, revoked, step.sequence());
      } else if (step.event() instanceof OperatorTokenRegenerated regenerated) {
        regenerate(connection, regenerated, step.sequence());
      }
    }
    insert(connection, created);
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

  private static void revoke(Connection connection, TokenRevoked event, long sequence)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(REVOKE)) {
      statement.setLong(1, event.revokedAt().toEpochMilli());
      statement.setLong(2, sequence);
      statement.setLong(3, event.id().value());
      statement.setLong(4, sequence);
      statement.executeUpdate();
    }
  }

  private static void regenerate(
      Connection connection, OperatorTokenRegenerated event, long sequence) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(SUPERSEDE)) {
      statement.setLong(1, event.regeneratedAt().toEpochMilli());
      statement.setLong(2, sequence);
      statement.setLong(3, event.id().value());
      statement.setLong(4, sequence);
      statement.executeUpdate();
    }
    try (PreparedStatement statement = connection.prepareStatement(INSERT_SUCCESSOR)) {
      statement.setBytes(1, event.hash().bytes());
      statement.setLong(2, event.id().value());
      statement.setLong(3, sequence);
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

  static boolean anyAdmin(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ANY_ADMIN);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getBoolean(1);
    }
  }

  private static FoundToken found(ResultSet row) throws SQLException {
    Long expires = row.getObject("expires_at_ms", Long.class);
    return new FoundToken(
        new TokenId(row.getLong("token_id")),
        new TokenName(row.getString("token_name")),
        TokenKind.valueOf(row.getString("kind").toUpperCase(Locale.ROOT)),
        Permissions.parse(Arrays.asList((String[]) row.getArray("permissions").getArray())),
        Instant.ofEpochMilli(row.getLong("created_at_ms")),
        expires == null ? Expiry.NEVER : new Expiry(expires),
        instant(row.getObject("revoked_at_ms", Long.class)),
        instant(row.getObject("superseded_at_ms", Long.class)));
  }

  private static @Nullable Instant instant(@Nullable Long epochMillis) {
    return epochMillis == null ? null : Instant.ofEpochMilli(epochMillis);
  }
}

package io.tokenledger.store;

import io.tokenledger.audit.EventType;
import io.tokenledger.permission.Permissions;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenEvent;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenKind;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenSnapshot;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** All SQL on {@code state.snapshot} that writes, and what is believed of a row of it. */
public final class SnapshotTable {

  /**
   * What a snapshot is made of and how. A further type of token events, a higher revision of one,
   * or another form of the snapshot itself makes those before it worthless.
   */
  public static final String REVISION = revision(1);

  private static final JsonMapper JSON = JsonMapper.shared();

  private static final String SAVE =
      """
      INSERT INTO state.snapshot
        (aggregate_id, sequence_number, event_id, revision, snapshot, mac)
      VALUES (?, ?, ?, ?, ?, ?)
          ON CONFLICT (aggregate_id) DO UPDATE
         SET sequence_number = excluded.sequence_number,
             event_id        = excluded.event_id,
             revision        = excluded.revision,
             snapshot        = excluded.snapshot,
             mac             = excluded.mac,
             taken_at        = excluded.taken_at,
             checked_at      = excluded.checked_at
      """;

  private static final String DELETE =
      """
      DELETE FROM state.snapshot
       WHERE aggregate_id    = ?
         AND sequence_number = ?
      """;

  private static final String CHECKED =
      """
      UPDATE state.snapshot
         SET checked_at   = clock_timestamp()
       WHERE aggregate_id = ?
      """;

  private static final String LONGEST_UNCHECKED =
      """
      SELECT aggregate_id
        FROM state.snapshot
       ORDER BY checked_at
       LIMIT ?
      """;

  private final LedgerKey ledgerKey;

  /** A row as it stands, believed or not. */
  public record Row(
      String aggregateId,
      long sequenceNumber,
      String eventId,
      String revision,
      String snapshot,
      byte[] mac) {}

  public SnapshotTable(LedgerKey ledgerKey) {
    this.ledgerKey = ledgerKey;
  }

  private static String revision(int form) {
    String types =
        Arrays.stream(EventType.values())
            .filter(type -> TokenEvent.class.isAssignableFrom(type.eventClass()))
            .map(type -> type.storedName() + '-' + type.revision())
            .collect(Collectors.joining(" "));
    return form + "-" + Integer.toHexString(types.hashCode());
  }

  /** The row that holds this snapshot, up to that event. */
  public Row row(String aggregateId, long sequenceNumber, String eventId, TokenSnapshot snapshot) {
    String text = write(snapshot);
    return new Row(
        aggregateId,
        sequenceNumber,
        eventId,
        REVISION,
        text,
        mac(aggregateId, sequenceNumber, eventId, REVISION, text));
  }

  /** Puts the row in the place of the stream's one before. */
  public static void save(Connection connection, Row row) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(SAVE)) {
      statement.setString(1, row.aggregateId());
      statement.setLong(2, row.sequenceNumber());
      statement.setString(3, row.eventId());
      statement.setString(4, row.revision());
      statement.setString(5, row.snapshot());
      statement.setBytes(6, row.mac());
      statement.executeUpdate();
    }
  }

  /** Removes a row that is not what its events say. */
  public static void delete(Connection connection, String aggregateId, long sequenceNumber)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(DELETE)) {
      statement.setString(1, aggregateId);
      statement.setLong(2, sequenceNumber);
      statement.executeUpdate();
    }
  }

  /** Notes that the stream's row was compared with its events. */
  public static void checked(Connection connection, String aggregateId) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(CHECKED)) {
      statement.setString(1, aggregateId);
      statement.executeUpdate();
    }
  }

  /** The streams whose rows were not compared for the longest time. */
  public static List<String> longestUnchecked(Connection connection, int limit)
      throws SQLException {
    List<String> streams = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(LONGEST_UNCHECKED)) {
      statement.setInt(1, limit);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          streams.add(row.getString(1));
        }
      }
    }
    return streams;
  }

  /**
   * What a row says, if it may be believed: a node wrote it, by this version's rules, and it can be
   * read. Whether the event that it goes up to is there, its reader must see.
   */
  public Optional<TokenSnapshot> believed(Row row) {
    byte[] expected =
        mac(row.aggregateId(), row.sequenceNumber(), row.eventId(), row.revision(), row.snapshot());
    if (!row.revision().equals(REVISION) || !MessageDigest.isEqual(expected, row.mac())) {
      return Optional.empty();
    }
    try {
      return Optional.of(read(row.snapshot()));
    } catch (JacksonException | IllegalArgumentException | DateTimeException e) {
      return Optional.empty();
    }
  }

  private byte[] mac(
      String aggregateId, long sequenceNumber, String eventId, String revision, String snapshot) {
    return ledgerKey.mac(
        "snapshot", aggregateId, Long.toString(sequenceNumber), eventId, revision, snapshot);
  }

  static String write(TokenSnapshot snapshot) {
    ObjectNode json = JSON.createObjectNode();
    json.put("name", snapshot.name().value());
    json.put("kind", snapshot.kind().name());
    json.put("id", snapshot.id().value());
    json.put("hash", snapshot.hash().hex());
    json.put("created_at", snapshot.createdAt().toString());
    json.put(
        "expiry_ms", snapshot.expiry().isNever() ? null : (Long) snapshot.expiry().epochMillis());
    snapshot.permissions().texts().forEach(json.putArray("permissions")::add);
    json.put("taken", snapshot.taken());
    json.put("suspended", snapshot.suspended());
    json.put("expiry_recorded", snapshot.expiryRecorded());
    json.put("announced_days", snapshot.announcedDays());
    return json.toString();
  }

  /**
   * What {@link #write} wrote.
   *
   * @throws JacksonException when it is no JSON or lacks something
   * @throws IllegalArgumentException when a value breaks a rule of its type
   * @throws DateTimeException when a time is none
   */
  public static TokenSnapshot read(String text) {
    JsonNode json = JSON.readTree(text);
    List<String> permissions = new ArrayList<>();
    json.required("permissions").forEach(entry -> permissions.add(entry.stringValue()));
    JsonNode expiry = json.required("expiry_ms");
    TokenKind kind = TokenKind.valueOf(json.required("kind").stringValue());
    return new TokenSnapshot(
        new TokenName(json.required("name").stringValue()),
        kind,
        new TokenId(json.required("id").longValue()),
        SecretHash.parseHex(json.required("hash").stringValue()),
        Instant.parse(json.required("created_at").stringValue()),
        expiry.isNull() ? Expiry.NEVER : new Expiry(expiry.longValue()),
        kind == TokenKind.RESOURCE ? Permissions.parse(permissions) : Permissions.admin(),
        json.required("taken").booleanValue(),
        json.required("suspended").booleanValue(),
        json.required("expiry_recorded").booleanValue(),
        json.required("announced_days").intValue());
  }
}

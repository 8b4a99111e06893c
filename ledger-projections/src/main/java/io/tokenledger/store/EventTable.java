package io.tokenledger.store;

import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.token.Token;
import io.tokenledger.token.TokenName;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** All SQL on {@code ledger.event} that writes, and the read by stream. */
public final class EventTable {

  /** Name of the constraint that two commands for one stream violate when they race. */
  public static final String STREAM_CONSTRAINT = "event_stream_sequence_key";

  /** Rows of a stream that are read at once: a load needs constant memory however long it is. */
  public static final int PAGE = 1_000;

  private static final int SALT_BYTES = 32;

  private static final String APPEND_LOCK =
      """
      SELECT pg_advisory_xact_lock_shared(?), pg_current_xact_id()::text::bigint,
             pg_walfile_name(pg_current_wal_insert_lsn())
      """;

  private static final String NEXT_TOKEN_IDS =
      """
      SELECT nextval('ledger.token_id')
        FROM generate_series(1, ?)
      """;

  private static final String INSERT =
      """
      INSERT INTO ledger.event
        (event_id, aggregate_id, sequence_number, aggregate_type, event_type, revision,
         occurred_at, payload, metadata, mac)
      SELECT *
        FROM unnest(?::text[], ?::text[], ?::bigint[], ?::text[], ?::text[], ?::text[],
                    ?::text[], ?::text[], ?::text[], ?::bytea[])
      """;

  private static final String INSERT_SALTS =
      """
      INSERT INTO state.event_salt (event_id, payload_salt, metadata_salt)
      SELECT *
        FROM unnest(?::text[], ?::bytea[], ?::bytea[])
      """;

  /** From the snapshot's own event on, which must be there for the snapshot to be believed. */
  private static final String READ_STREAMS =
      """
      SELECT wanted.aggregate_id,
             snapshot.sequence_number AS snapshot_sequence,
             snapshot.event_id        AS snapshot_event_id,
             snapshot.revision        AS snapshot_revision,
             snapshot.mac             AS snapshot_mac,
             CASE WHEN event.sequence_number = snapshot.sequence_number
                  THEN snapshot.snapshot END AS snapshot,
             event.event_id, event.sequence_number, event.aggregate_type, event.event_type,
             event.revision, event.occurred_at, event.payload
        FROM unnest(?::text[])   AS wanted (aggregate_id)
        LEFT JOIN state.snapshot AS snapshot
          ON snapshot.aggregate_id = wanted.aggregate_id
         AND snapshot.revision     = ?
        LEFT JOIN LATERAL (
             SELECT event_id, sequence_number, aggregate_type, event_type, revision, occurred_at,
                    payload
               FROM ledger.event AS one
              WHERE one.aggregate_id     = wanted.aggregate_id
                AND one.sequence_number >= coalesce(snapshot.sequence_number, 0)
              ORDER BY one.sequence_number
              LIMIT ?) AS event
          ON true
       ORDER BY wanted.aggregate_id, event.sequence_number
      """;

  private static final String READ_PAGE =
      """
      SELECT event_id, sequence_number, aggregate_type, event_type, revision, occurred_at, payload
        FROM ledger.event
       WHERE aggregate_id     = ?
         AND sequence_number >= ?
       ORDER BY sequence_number
       LIMIT ?
      """;

  private static final String REMAINS =
      """
      SELECT (SELECT count(*) FROM ledger.event WHERE aggregate_id = ?),
             (SELECT count(*) FROM token_lookup WHERE token_name = ?)
      """;

  private static final String RESTORE =
      """
      INSERT INTO ledger.event AS known
        (global_index, event_id, aggregate_id, sequence_number, aggregate_type, event_type,
         revision, occurred_at, payload, metadata, mac, recorded_at)
      OVERRIDING SYSTEM VALUE
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?::timestamptz)
          ON CONFLICT (global_index) DO UPDATE
         SET event_id        = excluded.event_id,
             aggregate_id    = excluded.aggregate_id,
             sequence_number = excluded.sequence_number,
             aggregate_type  = excluded.aggregate_type,
             event_type      = excluded.event_type,
             revision        = excluded.revision,
             occurred_at     = excluded.occurred_at,
             payload         = excluded.payload,
             metadata        = excluded.metadata,
             mac             = excluded.mac,
             recorded_at     = excluded.recorded_at
      """;

  private static final String RESTORE_SALTS =
      """
      INSERT INTO state.event_salt AS known (event_id, payload_salt, metadata_salt)
      VALUES (?, ?, ?)
          ON CONFLICT (event_id) DO UPDATE
         SET payload_salt  = excluded.payload_salt,
             metadata_salt = excluded.metadata_salt
      """;

  private static final String PRUNE =
      """
      UPDATE ledger.event AS event
         SET payload  = pruned.payload,
             metadata = pruned.metadata,
             mac      = pruned.mac
        FROM unnest(?::text[], ?::text[], ?::text[], ?::bytea[])
               AS pruned (event_id, payload, metadata, mac)
       WHERE event.event_id = pruned.event_id
      """;

  private static final String DELETE_SALTS =
      """
      DELETE FROM state.event_salt
       WHERE event_id = ANY (?::text[])
      """;

  private static final String LOG_ORIGIN =
      """
      SELECT metadata::jsonb ->> 'log_origin'
        FROM ledger.event
       ORDER BY global_index DESC
       LIMIT 1
      """;

  private static final String STORED =
      """
      SELECT event_id
        FROM ledger.event
       WHERE event_id = ANY (?::text[])
      """;

  private static final String LAST_TOKEN_ID =
      """
      SELECT last_value
        FROM ledger.token_id
      """;

  private static final String RAISE_TOKEN_ID =
      """
      SELECT setval('ledger.token_id', greatest(last_value, ?))
        FROM ledger.token_id
      """;

  private final LedgerKey ledgerKey;
  private final SecureRandom random = new SecureRandom();

  /**
   * One event as it is stored.
   *
   * @param aggregateId the stream
   * @param sequenceNumber position in the stream
   * @param occurredAt ISO 8601 in UTC with milliseconds, the text that Axon compares
   */
  public record Row(
      String eventId,
      String aggregateId,
      long sequenceNumber,
      String aggregateType,
      String eventType,
      String revision,
      String occurredAt,
      String payload,
      String metadata) {}

  /**
   * A stream as it is loaded.
   *
   * @param snapshot what stands for the events before the first row; null for none
   * @param rows from the snapshot's own event on, else from the first; without their envelopes,
   *     which no aggregate looks at
   */
  public record Stream(SnapshotTable.@Nullable Row snapshot, List<Row> rows) {}

  /** How many rows of a token there are: events of its stream, rows of the lookup. */
  public record Remains(long events, long lookupRows) {}

  public EventTable(LedgerKey ledgerKey) {
    this.ledgerKey = ledgerKey;
  }

  /** The log's name in the newest event; empty before the first. */
  public static Optional<String> logOrigin(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(LOG_ORIGIN);
        ResultSet row = statement.executeQuery()) {
      return row.next() ? Optional.ofNullable(row.getString(1)) : Optional.empty();
    }
  }

  /** Which of these ids there are events of. */
  public static Set<String> stored(Connection connection, Set<String> eventIds)
      throws SQLException {
    Set<String> stored = new HashSet<>();
    try (PreparedStatement statement = connection.prepareStatement(STORED)) {
      statement.setArray(1, connection.createArrayOf("text", eventIds.toArray()));
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          stored.add(row.getString(1));
        }
      }
    }
    return stored;
  }

  /**
   * The highest id that was drawn.
   *
   * @param owner the owner's connection: nodes may only draw
   */
  public static long lastTokenId(Connection owner) throws SQLException {
    try (PreparedStatement statement = owner.prepareStatement(LAST_TOKEN_ID);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getLong(1);
    }
  }

  /**
   * Lets every id that is drawn from now on be greater than that one.
   *
   * @param owner the owner's connection, which commits by itself
   */
  public static void raiseTokenId(Connection owner, long id) throws SQLException {
    try (PreparedStatement statement = owner.prepareStatement(RAISE_TOKEN_ID)) {
      statement.setLong(1, id);
      statement.execute();
    }
  }

  /** Waits while a swap of projections is under way, and lets none begin before the commit. */
  public Position lockAppends(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(APPEND_LOCK)) {
      statement.setLong(1, Locks.APPEND);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        // The first eight digits of a segment's name are the timeline's.
        return new Position(
            Integer.parseUnsignedInt(row.getString(3).substring(0, 8), 16), row.getLong(2));
      }
    }
  }

  /** Draws that many ids, ascending, never given before. */
  public List<Long> nextTokenIds(Connection connection, int count) throws SQLException {
    List<Long> ids = new ArrayList<>(count);
    if (count > 0) {
      try (PreparedStatement statement = connection.prepareStatement(NEXT_TOKEN_IDS)) {
        statement.setInt(1, count);
        try (ResultSet rows = statement.executeQuery()) {
          while (rows.next()) {
            ids.add(rows.getLong(1));
          }
        }
      }
    }
    return ids;
  }

  /**
   * Inserts the rows in their order, each with its MAC and two fresh salts.
   *
   * @throws SQLException with {@link #STREAM_CONSTRAINT} when another transaction was first at a
   *     place in a stream
   */
  public void append(Connection connection, List<Row> rows) throws SQLException {
    int count = rows.size();
    String[][] texts = new String[8][count];
    Long[] sequences = new Long[count];
    byte[][] macs = new byte[count][];
    byte[][] payloadSalts = new byte[count][];
    byte[][] metadataSalts = new byte[count][];
    for (int i = 0; i < count; i++) {
      Row row = rows.get(i);
      texts[0][i] = row.eventId();
      texts[1][i] = row.aggregateId();
      sequences[i] = row.sequenceNumber();
      texts[2][i] = row.aggregateType();
      texts[3][i] = row.eventType();
      texts[4][i] = row.revision();
      texts[5][i] = row.occurredAt();
      texts[6][i] = row.payload();
      texts[7][i] = row.metadata();
      macs[i] = mac(row);
      payloadSalts[i] = salt();
      metadataSalts[i] = salt();
    }
    try (PreparedStatement statement = connection.prepareStatement(INSERT)) {
      statement.setArray(1, connection.createArrayOf("text", texts[0]));
      statement.setArray(2, connection.createArrayOf("text", texts[1]));
      statement.setArray(3, connection.createArrayOf("bigint", sequences));
      for (int column = 2; column < texts.length; column++) {
        statement.setArray(column + 2, connection.createArrayOf("text", texts[column]));
      }
      statement.setArray(10, connection.createArrayOf("bytea", macs));
      statement.executeUpdate();
    }
    try (PreparedStatement statement = connection.prepareStatement(INSERT_SALTS)) {
      statement.setArray(1, connection.createArrayOf("text", texts[0]));
      statement.setArray(2, connection.createArrayOf("bytea", payloadSalts));
      statement.setArray(3, connection.createArrayOf("bytea", metadataSalts));
      statement.executeUpdate();
    }
  }

  /**
   * Makes the row of that place, with its salts, what a copy says that the log itself vouches for.
   *
   * @param connection of the tables' owner: nobody else may change a row
   * @throws SQLException also when another row has the event's id or its place in its stream
   */
  public static void restore(
      Connection connection,
      long globalIndex,
      Row event,
      byte[] mac,
      String recordedAt,
      byte[] payloadSalt,
      byte[] metadataSalt)
      throws SQLException {
    restore(connection, globalIndex, event, mac, recordedAt);
    try (PreparedStatement statement = connection.prepareStatement(RESTORE_SALTS)) {
      statement.setString(1, event.eventId());
      statement.setBytes(2, payloadSalt);
      statement.setBytes(3, metadataSalt);
      statement.executeUpdate();
    }
  }

  /**
   * The same for an event at the end of its retention: with a MAC of its own and without salts.
   *
   * @param left what is left of it
   */
  public void restorePruned(Connection connection, long globalIndex, Row left, String recordedAt)
      throws SQLException {
    restore(connection, globalIndex, left, mac(left), recordedAt);
    try (PreparedStatement statement = connection.prepareStatement(DELETE_SALTS)) {
      statement.setArray(1, connection.createArrayOf("text", new String[] {left.eventId()}));
      statement.executeUpdate();
    }
  }

  private static void restore(
      Connection connection, long globalIndex, Row event, byte[] mac, String recordedAt)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(RESTORE)) {
      statement.setLong(1, globalIndex);
      statement.setString(2, event.eventId());
      statement.setString(3, event.aggregateId());
      statement.setLong(4, event.sequenceNumber());
      statement.setString(5, event.aggregateType());
      statement.setString(6, event.eventType());
      statement.setString(7, event.revision());
      statement.setString(8, event.occurredAt());
      statement.setString(9, event.payload());
      statement.setString(10, event.metadata());
      statement.setBytes(11, mac);
      statement.setString(12, recordedAt);
      statement.executeUpdate();
    }
  }

  /**
   * Leaves of these events what is given, under a MAC of its own, and takes their salts away:
   * nothing opens the commitments in their entries any more.
   *
   * @param connection of the tables' owner: nobody else may change a row
   * @param rows with what is left as payload and metadata
   */
  public void prune(Connection connection, List<Row> rows) throws SQLException {
    String[] ids = rows.stream().map(Row::eventId).toArray(String[]::new);
    try (PreparedStatement statement = connection.prepareStatement(PRUNE)) {
      statement.setArray(1, connection.createArrayOf("text", ids));
      statement.setArray(
          2, connection.createArrayOf("text", rows.stream().map(Row::payload).toArray()));
      statement.setArray(
          3, connection.createArrayOf("text", rows.stream().map(Row::metadata).toArray()));
      statement.setArray(
          4,
          connection.createArrayOf("bytea", rows.stream().map(this::mac).toArray(byte[][]::new)));
      statement.executeUpdate();
    }
    try (PreparedStatement statement = connection.prepareStatement(DELETE_SALTS)) {
      statement.setArray(1, connection.createArrayOf("text", ids));
      statement.executeUpdate();
    }
  }

  /** HMAC over every column that a node writes, in the order of the table. */
  byte[] mac(Row row) {
    return ledgerKey.mac(
        row.eventId(),
        row.aggregateId(),
        Long.toString(row.sequenceNumber()),
        row.aggregateType(),
        row.eventType(),
        row.revision(),
        row.occurredAt(),
        row.payload(),
        row.metadata());
  }

  /** Whether a node wrote this row as it stands: its MAC is the one that it must have. */
  public boolean isOurs(Row row, byte[] mac) {
    return MessageDigest.isEqual(mac(row), mac);
  }

  private byte[] salt() {
    byte[] salt = new byte[SALT_BYTES];
    random.nextBytes(salt);
    return salt;
  }

  /**
   * These streams from their snapshots of that revision on, or from the first event where there is
   * none; the first {@link #PAGE} rows of each and one more.
   *
   * @param revision of the snapshots; an empty one for none
   */
  public static Map<String, Stream> readStreams(
      Connection connection, List<String> aggregateIds, String revision) throws SQLException {
    Map<String, Stream> streams = new HashMap<>();
    try (PreparedStatement statement = connection.prepareStatement(READ_STREAMS)) {
      statement.setArray(1, connection.createArrayOf("text", aggregateIds.toArray()));
      statement.setString(2, revision);
      statement.setInt(3, PAGE + 1);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          String aggregateId = row.getString("aggregate_id");
          Stream stream = streams.get(aggregateId);
          if (stream == null) {
            stream = new Stream(snapshot(row, aggregateId), new ArrayList<>());
            streams.put(aggregateId, stream);
          }
          if (row.getString("event_id") != null) {
            stream.rows().add(row(row, aggregateId));
          }
        }
      }
    }
    return streams;
  }

  /** The next rows of a stream, {@link #PAGE} at most. */
  public static List<Row> readPage(Connection connection, String aggregateId, long firstSequence)
      throws SQLException {
    List<Row> page = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(READ_PAGE)) {
      statement.setString(1, aggregateId);
      statement.setLong(2, firstSequence);
      statement.setInt(3, PAGE);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          page.add(row(row, aggregateId));
        }
      }
    }
    return page;
  }

  private static SnapshotTable.@Nullable Row snapshot(ResultSet row, String aggregateId)
      throws SQLException {
    Long sequence = row.getObject("snapshot_sequence", Long.class);
    if (sequence == null) {
      return null;
    }
    // Without its event, the row of it that comes first here has no text: nothing to believe.
    String text = row.getString("snapshot");
    return new SnapshotTable.Row(
        aggregateId,
        sequence,
        row.getString("snapshot_event_id"),
        row.getString("snapshot_revision"),
        text == null ? "" : text,
        row.getBytes("snapshot_mac"));
  }

  private static Row row(ResultSet row, String aggregateId) throws SQLException {
    return new Row(
        row.getString("event_id"),
        aggregateId,
        row.getLong("sequence_number"),
        row.getString("aggregate_type"),
        row.getString("event_type"),
        row.getString("revision"),
        row.getString("occurred_at"),
        row.getString("payload"),
        "{}");
  }

  /** How many rows there are of a token of that name. */
  public Remains remains(Connection connection, TokenName name) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(REMAINS)) {
      statement.setString(1, Token.aggregateId(name));
      statement.setString(2, name.value());
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return new Remains(row.getLong(1), row.getLong(2));
      }
    }
  }

  /** The name of the constraint that made the statement fail, or null. */
  public static @Nullable String violatedConstraint(Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof org.postgresql.util.PSQLException sql
          && "23505".equals(sql.getSQLState())
          && sql.getServerErrorMessage() != null) {
        return sql.getServerErrorMessage().getConstraint();
      }
    }
    return null;
  }
}

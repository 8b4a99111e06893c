package io.tokenledger.sequence;

import io.tokenledger.store.EventTable;
import io.tokenledger.tlog.Frontier;
import io.tokenledger.tlog.TreeHash;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.postgresql.PGStatement;

/**
 * All SQL on {@code audit.leaf}, {@code audit.node} and {@code audit.tree_head} that grows them.
 */
public final class LogTable {

  private static final String HEAD =
      """
      SELECT generation, size, edge, root
        FROM audit.tree_head
       WHERE log_id = 1
      """;

  /**
   * Above the floor is little as a rule: each event's leaf is looked up by its key. As a subquery
   * of one row that cannot become a join, which a planner without fresh statistics would make of
   * whole tables, 25 times a second.
   */
  private static final String UNSEQUENCED_ABOVE =
      """
      SELECT event.global_index
        FROM ledger.event AS event
       WHERE event.global_index > ?
         AND (SELECT leaf.leaf_index
                FROM audit.leaf AS leaf
               WHERE leaf.global_index = event.global_index) IS NULL
       ORDER BY event.global_index
       LIMIT ?
      """;

  /** Over everything a join of both tables costs least. */
  private static final String UNSEQUENCED =
      """
      SELECT event.global_index
        FROM ledger.event AS event
       WHERE NOT EXISTS (SELECT 1
                           FROM audit.leaf AS leaf
                          WHERE leaf.global_index = event.global_index)
       ORDER BY event.global_index
       LIMIT ?
      """;

  private static final String ROWS =
      """
      SELECT event.global_index, event.event_id, event.aggregate_id, event.sequence_number,
             event.aggregate_type, event.event_type, event.revision, event.occurred_at,
             event.payload, event.metadata, event.mac,
             to_char(event.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
               AS recorded_at,
             salt.payload_salt, salt.metadata_salt
        FROM ledger.event          AS event
        LEFT JOIN state.event_salt AS salt ON salt.event_id = event.event_id
       WHERE event.global_index = ANY (?)
       ORDER BY event.global_index
      """;

  private static final String ADD_LEAVES =
      """
      INSERT INTO audit.leaf (leaf_index, global_index, event_id, entry, leaf_hash, mac_valid)
      SELECT *
        FROM unnest(?::bigint[], ?::bigint[], ?::text[], ?::bytea[], ?::bytea[], ?::boolean[])
      """;

  private static final String ADD_NODES =
      """
      INSERT INTO audit.node (level, node_index, hash)
      SELECT *
        FROM unnest(?::smallint[], ?::bigint[], ?::bytea[])
      """;

  private static final String GROW =
      """
      UPDATE audit.tree_head
         SET size       = ?,
             edge       = ?,
             root       = ?
       WHERE log_id     = 1
         AND generation = ?
         AND size       = ?
         AND root       = ?
      """;

  private static final String BEGIN_GENERATION =
      """
      UPDATE audit.tree_head
         SET generation = ?
       WHERE log_id     = 1
         AND generation = ?
      """;

  private static final String HORIZON =
      """
      SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
             pg_snapshot_xmax(pg_current_snapshot())::text::bigint
      """;

  private static final String HIGHEST_LEAFED =
      """
      SELECT coalesce(max(global_index), 0)
        FROM audit.leaf
      """;

  /** Levels of the tree that are kept for tiles and proofs: every eighth. */
  private static final int KEPT_LEVELS = 8;

  private LogTable() {}

  /** The tree as the database knows it. */
  public record Head(int generation, long size, byte[] edge, TreeHash root) {}

  /**
   * A leaf to be added.
   *
   * @param macValid whether a node wrote the event's row
   */
  public record NewLeaf(
      long globalIndex, String eventId, byte[] entry, TreeHash hash, boolean macValid) {}

  /** The tree's size, edge and root, and which log it is. */
  public static Head head(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(HEAD);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return new Head(
          row.getInt("generation"),
          row.getLong("size"),
          row.getBytes("edge"),
          TreeHash.of(row.getBytes("root")));
    }
  }

  /**
   * Events above the floor that have no leaf, in the order of their rows.
   *
   * @param floor 0 for everything
   */
  static List<LogRow> unsequenced(Connection connection, long floor, int limit)
      throws SQLException {
    Long[] indexes = indexes(connection, floor, limit);
    List<LogRow> rows = new ArrayList<>(indexes.length);
    if (indexes.length == 0) {
      return rows;
    }
    try (PreparedStatement statement = connection.prepareStatement(ROWS)) {
      planAnew(statement);
      statement.setArray(1, connection.createArrayOf("bigint", indexes));
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          rows.add(read(row));
        }
      }
    }
    return rows;
  }

  private static Long[] indexes(Connection connection, long floor, int limit) throws SQLException {
    List<Long> found = new ArrayList<>();
    try (PreparedStatement statement =
        connection.prepareStatement(floor == 0 ? UNSEQUENCED : UNSEQUENCED_ABOVE)) {
      planAnew(statement);
      int next = 1;
      if (floor != 0) {
        statement.setLong(next++, floor);
      }
      statement.setInt(next, limit);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          found.add(row.getLong(1));
        }
      }
    }
    return found.toArray(Long[]::new);
  }

  /** A plan that was made while the tables were small is no good once they have grown. */
  private static void planAnew(PreparedStatement statement) throws SQLException {
    statement.unwrap(PGStatement.class).setPrepareThreshold(0);
  }

  /** Reads the columns that {@link LogRow} has, by their names. */
  public static LogRow read(ResultSet row) throws SQLException {
    return new LogRow(
        row.getLong("global_index"),
        new EventTable.Row(
            row.getString("event_id"),
            row.getString("aggregate_id"),
            row.getLong("sequence_number"),
            row.getString("aggregate_type"),
            row.getString("event_type"),
            row.getString("revision"),
            row.getString("occurred_at"),
            row.getString("payload"),
            row.getString("metadata")),
        row.getBytes("mac"),
        row.getString("recorded_at"),
        row.getBytes("payload_salt"),
        row.getBytes("metadata_salt"));
  }

  /**
   * Adds the leaves to the tree of which {@code edge} is the right edge, and to {@code edge}.
   *
   * @return whether the tree in the database was as {@code generation} and {@code edge} say; when
   *     not, the transaction must be rolled back
   */
  public static boolean append(
      Connection connection, int generation, Frontier edge, List<NewLeaf> leaves)
      throws SQLException {
    long size = edge.size();
    TreeHash root = edge.root();
    int count = leaves.size();
    Long[] leafIndexes = new Long[count];
    Long[] globalIndexes = new Long[count];
    String[] eventIds = new String[count];
    byte[][] entries = new byte[count][];
    byte[][] hashes = new byte[count][];
    Boolean[] macsValid = new Boolean[count];
    List<Integer> nodeLevels = new ArrayList<>();
    List<Long> nodeIndexes = new ArrayList<>();
    List<byte[]> nodeHashes = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      NewLeaf leaf = leaves.get(i);
      leafIndexes[i] = size + i;
      globalIndexes[i] = leaf.globalIndex();
      eventIds[i] = leaf.eventId();
      entries[i] = leaf.entry();
      hashes[i] = leaf.hash().bytes();
      macsValid[i] = leaf.macValid();
      edge.add(
          leaf.hash(),
          (level, index, hash) -> {
            if (level % KEPT_LEVELS == 0) {
              nodeLevels.add(level);
              nodeIndexes.add(index);
              nodeHashes.add(hash.bytes());
            }
          });
    }
    try (PreparedStatement statement = connection.prepareStatement(ADD_LEAVES)) {
      statement.setArray(1, connection.createArrayOf("bigint", leafIndexes));
      statement.setArray(2, connection.createArrayOf("bigint", globalIndexes));
      statement.setArray(3, connection.createArrayOf("text", eventIds));
      statement.setArray(4, connection.createArrayOf("bytea", entries));
      statement.setArray(5, connection.createArrayOf("bytea", hashes));
      statement.setArray(6, connection.createArrayOf("boolean", macsValid));
      statement.executeUpdate();
    }
    if (!nodeHashes.isEmpty()) {
      try (PreparedStatement statement = connection.prepareStatement(ADD_NODES)) {
        statement.setArray(1, connection.createArrayOf("smallint", nodeLevels.toArray()));
        statement.setArray(2, connection.createArrayOf("bigint", nodeIndexes.toArray()));
        statement.setArray(3, connection.createArrayOf("bytea", nodeHashes.toArray(new byte[0][])));
        statement.executeUpdate();
      }
    }
    try (PreparedStatement statement = connection.prepareStatement(GROW)) {
      statement.setLong(1, edge.size());
      statement.setBytes(2, edge.bytes());
      statement.setBytes(3, edge.root().bytes());
      statement.setInt(4, generation);
      statement.setLong(5, size);
      statement.setBytes(6, root.bytes());
      return statement.executeUpdate() == 1;
    }
  }

  /**
   * Lets another log go on from the tree as it is.
   *
   * @return whether {@code previous} was the one that grew
   */
  public static boolean beginGeneration(Connection connection, int previous, int next)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(BEGIN_GENERATION)) {
      statement.setInt(1, next);
      statement.setInt(2, previous);
      return statement.executeUpdate() == 1;
    }
  }

  /**
   * @return below the first every transaction has ended, at or above the second none had begun
   */
  static long[] horizon(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(HORIZON);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return new long[] {row.getLong(1), row.getLong(2)};
    }
  }

  static long highestLeafed(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(HIGHEST_LEAFED);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getLong(1);
    }
  }
}

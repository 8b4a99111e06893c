package io.tokenledger.verify;

import io.tokenledger.sequence.LogRow;
import io.tokenledger.sequence.LogTable;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import org.jspecify.annotations.Nullable;

/** Reads leaves with the events that they are of, a chunk a statement, in constant memory. */
public final class LeafRows {

  /** How many leaves a statement reads. */
  static final int CHUNK = 2_000;

  private static final String LEAVES =
      """
      SELECT leaf.leaf_index, leaf.event_id AS leaf_event_id, leaf.entry, leaf.leaf_hash,
             event.global_index, event.event_id, event.aggregate_id, event.sequence_number,
             event.aggregate_type, event.event_type, event.revision, event.occurred_at,
             event.payload, event.metadata, event.mac,
             to_char(event.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
               AS recorded_at,
             salt.payload_salt, salt.metadata_salt
        FROM audit.leaf            AS leaf
        LEFT JOIN ledger.event     AS event ON event.global_index = leaf.global_index
        LEFT JOIN state.event_salt AS salt  ON salt.event_id = event.event_id
       WHERE leaf.leaf_index >= ?
         AND leaf.leaf_index <  ?
       ORDER BY leaf.leaf_index
      """;

  private LeafRows() {}

  /**
   * One leaf as it is stored; whoever can write the rows can also make them lack something.
   *
   * @param entry empty when it was removed
   * @param leafHash empty when it was removed
   * @param event null when its row is gone
   */
  public record LeafRow(
      long leafIndex, String eventId, byte[] entry, byte[] leafHash, @Nullable LogRow event) {}

  /** Takes leaf after leaf. */
  public interface Reader {
    /**
     * @throws SQLException to stop reading
     */
    void take(LeafRow leaf) throws SQLException;
  }

  /** Hands over the leaves in {@code [from, to)} that there are, in their order. */
  public static void read(Connection connection, long from, long to, Reader reader)
      throws SQLException {
    for (long start = from; start < to; start += CHUNK) {
      try (PreparedStatement statement = connection.prepareStatement(LEAVES)) {
        statement.setLong(1, start);
        statement.setLong(2, Math.min(to, start + CHUNK));
        try (ResultSet row = statement.executeQuery()) {
          while (row.next()) {
            reader.take(leaf(row));
          }
        }
      }
    }
  }

  private static LeafRow leaf(ResultSet row) throws SQLException {
    byte[] entry = row.getBytes("entry");
    byte[] hash = row.getBytes("leaf_hash");
    return new LeafRow(
        row.getLong("leaf_index"),
        row.getString("leaf_event_id"),
        entry == null ? new byte[0] : entry,
        hash == null ? new byte[0] : hash,
        row.getString("event_id") == null ? null : LogTable.read(row));
  }
}

package io.tokenledger.attest;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** All SQL on {@code audit.anchor}. */
public final class AnchorTable {

  private static final int MAX_LISTED = 1_000;

  private static final String ADD =
      """
      INSERT INTO audit.anchor (generation, size, kind, receipt, reference)
      VALUES (?, ?, ?, ?, ?)
      """;

  private static final String LIST =
      """
      SELECT anchor.generation, anchor.size, checkpoint.note, anchor.kind, anchor.receipt,
             anchor.reference, anchor.at
        FROM audit.anchor AS anchor
        JOIN audit.checkpoint AS checkpoint
          ON checkpoint.generation = anchor.generation
         AND checkpoint.size       = anchor.size
       WHERE anchor.size = ?
       ORDER BY anchor.generation DESC, anchor.id
       LIMIT ?
      """;

  private static final String NEWEST =
      """
      SELECT anchor.generation, anchor.size, checkpoint.note, anchor.kind, anchor.receipt,
             anchor.reference, anchor.at
        FROM audit.anchor AS anchor
        JOIN audit.checkpoint AS checkpoint
          ON checkpoint.generation = anchor.generation
         AND checkpoint.size       = anchor.size
       WHERE anchor.kind      = ?
         AND anchor.reference = ?
       ORDER BY anchor.id DESC
       LIMIT 1
      """;

  private static final String HAS_OTHERS =
      """
      SELECT EXISTS (SELECT 1
                       FROM audit.leaf   AS leaf
                       JOIN ledger.event AS event ON event.global_index = leaf.global_index
                      WHERE leaf.leaf_index >= ?
                        AND leaf.leaf_index <  ?
                        AND event.event_type <> 'CheckpointAnchored')
      """;

  private AnchorTable() {}

  /**
   * What someone attested of a checkpoint.
   *
   * @param size of the checkpoint
   * @param note what was attested, byte for byte in UTF-8: the note without witnesses' lines
   * @param kind {@code rfc3161}
   * @param receipt what the authority gave: for {@code rfc3161} the whole answer, in DER
   * @param reference which authority
   * @param at when it came, by the database's clock; the receipt has the authority's own
   */
  public record Anchor(
      int generation,
      long size,
      String note,
      String kind,
      byte[] receipt,
      String reference,
      Instant at) {}

  static void add(
      Connection connection,
      int generation,
      long size,
      String kind,
      byte[] receipt,
      String reference)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADD)) {
      statement.setInt(1, generation);
      statement.setLong(2, size);
      statement.setString(3, kind);
      statement.setBytes(4, receipt);
      statement.setString(5, reference);
      statement.executeUpdate();
    }
  }

  /** What was attested of the checkpoint of that size, the newest log first; 1,000 at most. */
  public static List<Anchor> of(Connection connection, long size) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(LIST)) {
      statement.setLong(1, size);
      statement.setInt(2, MAX_LISTED);
      return read(statement);
    }
  }

  /** The last of that kind from that authority. */
  static Optional<Anchor> newest(Connection connection, String kind, String reference)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(NEWEST)) {
      statement.setString(1, kind);
      statement.setString(2, reference);
      return read(statement).stream().findFirst();
    }
  }

  /** Whether these leaves are more than the events of anchors themselves. */
  static boolean hasOthers(Connection connection, long fromLeaf, long toLeaf) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(HAS_OTHERS)) {
      statement.setLong(1, fromLeaf);
      statement.setLong(2, toLeaf);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getBoolean(1);
      }
    }
  }

  private static List<Anchor> read(PreparedStatement statement) throws SQLException {
    List<Anchor> found = new ArrayList<>();
    try (ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        found.add(
            new Anchor(
                row.getInt("generation"),
                row.getLong("size"),
                row.getString("note"),
                row.getString("kind"),
                row.getBytes("receipt"),
                row.getString("reference"),
                row.getObject("at", OffsetDateTime.class).toInstant()));
      }
    }
    return found;
  }
}

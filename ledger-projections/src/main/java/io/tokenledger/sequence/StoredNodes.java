package io.tokenledger.sequence;

import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.NodeReader;
import io.tokenledger.tlog.TreeHash;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/**
 * Hashes of the tree as the database holds them. Every eighth level is stored, those between are
 * computed from at most 128 stored ones. Nothing here is believed: what is read ends in a root that
 * someone remembers, or it is refused there.
 */
public final class StoredNodes implements NodeReader {

  private static final int KEPT_LEVELS = 8;

  private static final String LEAVES =
      """
      SELECT leaf_hash
        FROM audit.leaf
       WHERE leaf_index >= ?
         AND leaf_index <  ?
       ORDER BY leaf_index
      """;

  private static final String NODES =
      """
      SELECT hash
        FROM audit.node
       WHERE level = ?
         AND node_index >= ?
         AND node_index <  ?
       ORDER BY node_index
      """;

  private final Connection connection;

  public StoredNodes(Connection connection) {
    this.connection = connection;
  }

  /**
   * @throws InvalidTlogFormat when the subtree is not stored whole
   * @throws LedgerUnavailable when the database does not answer
   */
  @Override
  public TreeHash node(int level, long index) {
    int kept = level / KEPT_LEVELS * KEPT_LEVELS;
    int up = level - kept;
    List<TreeHash> hashes = read(kept, index << up, 1 << up);
    while (hashes.size() > 1) {
      List<TreeHash> above = new ArrayList<>(hashes.size() / 2);
      for (int i = 0; i < hashes.size(); i += 2) {
        above.add(TreeHash.node(hashes.get(i), hashes.get(i + 1)));
      }
      hashes = above;
    }
    return hashes.get(0);
  }

  /**
   * Hashes of one kept level, one after the other.
   *
   * @param level 0 for leaves, else a multiple of 8
   * @throws InvalidTlogFormat when not all are there
   * @throws LedgerUnavailable when the database does not answer
   */
  public List<TreeHash> read(int level, long from, int count) {
    List<TreeHash> hashes = new ArrayList<>(count);
    try (PreparedStatement statement = connection.prepareStatement(level == 0 ? LEAVES : NODES)) {
      int next = 1;
      if (level > 0) {
        statement.setInt(next++, level);
      }
      statement.setLong(next++, from);
      statement.setLong(next, from + count);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          hashes.add(TreeHash.of(row.getBytes(1)));
        }
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("the tree cannot be read", e);
    }
    if (hashes.size() != count) {
      throw new InvalidTlogFormat(
          "of "
              + count
              + " hashes of level "
              + level
              + " from "
              + from
              + " on, "
              + hashes.size()
              + " are stored");
    }
    return hashes;
  }
}

package io.tokenledger.index;

import io.tokenledger.lookup.Snapshot;
import io.tokenledger.store.Position;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;

/** All SQL on {@code state.node}. */
final class NodeTable {

  private static final String RENEW =
      """
      INSERT INTO state.node (run_id, node_id, lease_until, timeline, applied)
      VALUES (?, ?, clock_timestamp() + make_interval(secs => ?), ?, ?::pg_snapshot)
          ON CONFLICT (run_id) DO UPDATE
         SET lease_until = excluded.lease_until,
             timeline    = excluded.timeline,
             applied     = excluded.applied
      """;

  private static final String REMOVE =
      """
      DELETE FROM state.node
       WHERE run_id = ?
      """;

  /** Those that ended without a word; nobody counts them any more. */
  private static final String REMOVE_OLD =
      """
      DELETE FROM state.node
       WHERE lease_until < clock_timestamp() - interval '1 hour'
      """;

  private static final String LIVE =
      """
      SELECT run_id, node_id,
             timeline >= ?
             AND pg_visible_in_snapshot(?::text::xid8, applied)
             AND lease_until > ?::timestamptz + make_interval(secs => ?) AS has
        FROM state.node
       WHERE lease_until > clock_timestamp()
       ORDER BY node_id, run_id
      """;

  private NodeTable() {}

  /**
   * A node that may decide from memory.
   *
   * @param has whether its memory holds what was asked about
   */
  record Node(String runId, String nodeId, boolean has) {}

  static void renew(
      Connection connection,
      String runId,
      String nodeId,
      Duration lease,
      int timeline,
      Snapshot applied)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(RENEW)) {
      statement.setString(1, runId);
      statement.setString(2, nodeId);
      statement.setLong(3, lease.toSeconds());
      statement.setInt(4, timeline);
      statement.setString(5, applied.text());
      statement.executeUpdate();
    }
  }

  static void remove(Connection connection, String runId) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(REMOVE)) {
      statement.setString(1, runId);
      statement.executeUpdate();
    }
  }

  static void removeOld(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(REMOVE_OLD)) {
      statement.executeUpdate();
    }
  }

  /**
   * The live nodes, and which of them hold what was written at that position.
   *
   * @param since by the database's clock: what a node said of itself before does not count
   * @param lease how long each lease is
   */
  static List<Node> live(
      Connection connection, Position position, OffsetDateTime since, Duration lease)
      throws SQLException {
    List<Node> nodes = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(LIVE)) {
      statement.setInt(1, position.timeline());
      statement.setLong(2, position.xid());
      statement.setObject(3, since);
      statement.setLong(4, lease.toSeconds());
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          nodes.add(
              new Node(row.getString("run_id"), row.getString("node_id"), row.getBoolean("has")));
        }
      }
    }
    return nodes;
  }
}

package io.tokenledger.replay;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** All SQL on {@code state.drift} and {@code state.drift_check}. */
final class DriftTable {

  private static final String AFTER =
      """
      SELECT after
        FROM state.drift_check
       WHERE slice_kind = ?
      """;

  private static final String ADVANCE =
      """
      UPDATE state.drift_check
         SET after      = ?
       WHERE slice_kind = ?
      """;

  private static final String END_ROUND =
      """
      WITH ended AS (
             SELECT rounded_at
               FROM state.drift_check
              WHERE slice_kind = ?),
           gone AS (
             UPDATE state.drift
                SET gone_at    = clock_timestamp()
              WHERE slice_kind = ?
                AND gone_at IS NULL
                AND seen_at < (SELECT rounded_at FROM ended))
      UPDATE state.drift_check
         SET after      = ?,
             round      = round + 1,
             rounded_at = clock_timestamp()
       WHERE slice_kind = ?
      """;

  private static final String IS_KNOWN =
      """
      UPDATE state.drift
         SET seen_at = clock_timestamp()
       WHERE finding = ?
         AND gone_at IS NULL
      """;

  private static final String ADD =
      """
      INSERT INTO state.drift (finding, slice_kind, projection, slice, row_count)
      VALUES (?, ?, ?, ?, ?)
          ON CONFLICT (finding) DO UPDATE
         SET seen_at = clock_timestamp(),
             gone_at = NULL
      """;

  private static final String REPLACED =
      """
      UPDATE state.drift
         SET gone_at    = clock_timestamp()
       WHERE gone_at IS NULL
         AND projection IN (SELECT rebuild.tables_of(?))
      """;

  private static final String OPEN =
      """
      SELECT projection, sum(row_count)::bigint
        FROM state.drift
       WHERE gone_at IS NULL
       GROUP BY projection
      """;

  private DriftTable() {}

  static String after(Connection connection, String kind) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(AFTER)) {
      statement.setString(1, kind);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getString(1);
      }
    }
  }

  static void advance(Connection connection, String kind, String after) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADVANCE)) {
      statement.setString(1, after);
      statement.setString(2, kind);
      statement.executeUpdate();
    }
  }

  /** Everything was compared: what was found the round before and not in this one is gone. */
  static void endRound(Connection connection, String kind, String first) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(END_ROUND)) {
      statement.setString(1, kind);
      statement.setString(2, kind);
      statement.setString(3, first);
      statement.setString(4, kind);
      statement.executeUpdate();
    }
  }

  static boolean isKnown(Connection connection, String finding) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(IS_KNOWN)) {
      statement.setString(1, finding);
      return statement.executeUpdate() == 1;
    }
  }

  static void add(
      Connection connection, String finding, String kind, String table, String slice, long rows)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADD)) {
      statement.setString(1, finding);
      statement.setString(2, kind);
      statement.setString(3, table);
      statement.setString(4, slice);
      statement.setLong(5, rows);
      statement.executeUpdate();
    }
  }

  /** The live tables of these projections are others now. */
  static void replaced(Connection connection, List<String> projections) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(REPLACED)) {
      statement.setArray(1, connection.createArrayOf("text", projections.toArray()));
      statement.executeUpdate();
    }
  }

  /** How many rows of which tables differ, as far as is known. */
  static Map<String, Long> open(Connection connection) throws SQLException {
    Map<String, Long> rows = new TreeMap<>();
    try (PreparedStatement statement = connection.prepareStatement(OPEN);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        rows.put(row.getString(1), row.getLong(2));
      }
    }
    return rows;
  }
}

package io.tokenledger.replay;

import io.tokenledger.lookup.LookupTable;
import io.tokenledger.replay.ReplayReport.Difference;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The functions that make, compare and exchange generations of projections; the application's role
 * owns no table and can do it by these only.
 */
final class Generations {

  /** How many differing rows are shown, at most; all of them are counted and in the digest. */
  static final int MAX_SHOWN = 1_000;

  private static final int FETCH = 1_000;

  private static final String LOOKUP = "token_lookup";

  private static final String PREPARE =
      """
      SELECT rebuild.prepare(?, ?)
      """;

  private static final String INDEX =
      """
      SELECT rebuild.index(?, ?)
      """;

  private static final String REMOVE =
      """
      SELECT rebuild.remove(?, ?)
      """;

  private static final String EXCHANGE =
      """
      SELECT rebuild.exchange(?, ?)
      """;

  private static final String DIFFERENCES =
      """
      SELECT table_name, kind, row_key, token_id, token_name, detail
        FROM rebuild.differences(?, ?, ?::text::xid8, ?::text[], ?, ?)
       ORDER BY table_name, row_key, kind
      """;

  private static final String DIGESTS =
      """
      SELECT table_name, row_count, digest
        FROM rebuild.digests(?, ?)
       ORDER BY table_name
      """;

  private static final String USE =
      """
      SELECT set_config('search_path', ?, true)
      """;

  private Generations() {}

  /** Unqualified names mean the tables of that schema until the end of the transaction. */
  static void use(Connection connection, String schema) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(USE)) {
      statement.setString(1, schema);
      statement.execute();
    }
  }

  static void prepare(Connection connection, String schema, List<String> projections)
      throws SQLException {
    call(connection, PREPARE, schema, projections);
  }

  static void index(Connection connection, String schema, List<String> projections)
      throws SQLException {
    call(connection, INDEX, schema, projections);
  }

  static void remove(Connection connection, String schema, List<String> projections)
      throws SQLException {
    call(connection, REMOVE, schema, projections);
  }

  /** Makes what lies in that schema the live generation. */
  static void exchange(Connection connection, String schema, List<String> projections)
      throws SQLException {
    call(connection, EXCHANGE, schema, projections);
    if (projections.contains(LOOKUP)) {
      LookupTable.beginGeneration(connection);
    }
  }

  private static void call(
      Connection connection, String sql, String schema, List<String> projections)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.setString(1, schema);
      statement.setArray(2, connection.createArrayOf("text", projections.toArray()));
      statement.execute();
    }
  }

  /**
   * What is compared.
   *
   * @param since only rows written from this transaction on; null for all
   * @param names only rows of these tokens, in the tables that have names; null for all
   * @param firstLeaf only rows from this leaf on, in the tables that have leaves; null for all
   * @param endLeaf and below this one
   */
  record Extent(
      @Nullable Long since,
      @Nullable List<String> names,
      @Nullable Long firstLeaf,
      @Nullable Long endLeaf) {

    static final Extent ALL = new Extent(null, null, null, null);

    static Extent since(long xid) {
      return new Extent(xid, null, null, null);
    }
  }

  /**
   * Where two generations differ.
   *
   * @param shown the first thousand
   * @param digest SHA-256 over all
   */
  record Differences(long count, List<Difference> shown, String digest) {}

  static Differences differences(
      Connection connection, String schema, List<String> projections, Extent extent)
      throws SQLException {
    long count = 0;
    List<Difference> shown = new ArrayList<>();
    MessageDigest digest = sha256();
    try (PreparedStatement statement = connection.prepareStatement(DIFFERENCES)) {
      statement.setFetchSize(FETCH);
      statement.setString(1, schema);
      statement.setArray(2, connection.createArrayOf("text", projections.toArray()));
      statement.setString(3, extent.since() == null ? null : extent.since().toString());
      statement.setArray(
          4,
          extent.names() == null
              ? null
              : connection.createArrayOf("text", extent.names().toArray()));
      statement.setObject(5, extent.firstLeaf(), Types.BIGINT);
      statement.setObject(6, extent.endLeaf(), Types.BIGINT);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          Difference difference =
              new Difference(
                  row.getString("table_name"),
                  row.getString("kind"),
                  row.getString("row_key"),
                  row.getObject("token_id", Long.class),
                  row.getString("token_name"),
                  row.getString("detail"));
          count++;
          digest.update((difference + "\n").getBytes(StandardCharsets.UTF_8));
          if (shown.size() < MAX_SHOWN) {
            shown.add(difference);
          }
        }
      }
    }
    return new Differences(count, List.copyOf(shown), HexFormat.of().formatHex(digest.digest()));
  }

  /** Of each table its number of rows and the digest over them. */
  static Map<String, ReplayReport.Digest> digests(
      Connection connection, String schema, List<String> projections) throws SQLException {
    Map<String, ReplayReport.Digest> digests = new TreeMap<>();
    try (PreparedStatement statement = connection.prepareStatement(DIGESTS)) {
      statement.setString(1, schema);
      statement.setArray(2, connection.createArrayOf("text", projections.toArray()));
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          digests.put(
              row.getString("table_name"),
              new ReplayReport.Digest(row.getLong("row_count"), row.getString("digest")));
        }
      }
    }
    return digests;
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }
}

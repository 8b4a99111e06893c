package io.tokenledger.signing;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Optional;

/** All SQL on {@code state.restore}. */
public final class RestoreTable {

  private static final String OPEN =
      """
      SELECT reason
        FROM state.restore
       WHERE accepted_at IS NULL
      """;

  private static final String ADD =
      """
      INSERT INTO state.restore (found_by, reason)
      VALUES (?, ?)
          ON CONFLICT DO NOTHING
      """;

  private static final String ACCEPT =
      """
      UPDATE state.restore
         SET accepted_at = clock_timestamp()
       WHERE accepted_at IS NULL
      """;

  private RestoreTable() {}

  /** What was seen or done; empty when there is no restore that waits to be accepted. */
  public static Optional<String> open(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(OPEN);
        ResultSet row = statement.executeQuery()) {
      return row.next() ? Optional.of(row.getString(1)) : Optional.empty();
    }
  }

  /** Says that the database was restored, unless that is said already. */
  public static void add(Connection connection, String foundBy, String reason) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADD)) {
      statement.setString(1, foundBy);
      statement.setString(2, reason);
      statement.executeUpdate();
    }
  }

  /** Says that it was accepted. */
  public static void accept(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ACCEPT)) {
      statement.executeUpdate();
    }
  }
}

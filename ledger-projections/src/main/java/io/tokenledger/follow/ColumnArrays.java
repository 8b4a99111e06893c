package io.tokenledger.follow;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Rows for one statement that takes each column as an array and puts them together with {@code
 * unnest}. However many rows there are, it is planned once and sent once: a list of {@code VALUES}
 * is another statement for each length, and its plan costs as much as the rows.
 */
public final class ColumnArrays {

  private static final String BYTES = "bytea";

  private final String[] types;
  private final List<List<@Nullable Object>> columns = new ArrayList<>();
  private int rows;

  /**
   * @param types of the columns, as PostgreSQL names them; times are given as text and cast
   */
  public ColumnArrays(String... types) {
    this.types = types.clone();
    for (int i = 0; i < types.length; i++) {
      columns.add(new ArrayList<>());
    }
  }

  /** One more row. */
  public void add(@Nullable Object... row) {
    if (row.length != types.length) {
      throw new IllegalArgumentException(row.length + " values for " + types.length + " columns");
    }
    for (int i = 0; i < row.length; i++) {
      columns.get(i).add(row[i]);
    }
    rows++;
  }

  /**
   * Runs the statement with these rows; not when there are none.
   *
   * @param sql with a parameter for each column, in their order
   */
  public void execute(Connection connection, String sql) throws SQLException {
    if (rows == 0) {
      return;
    }
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (int i = 0; i < types.length; i++) {
        List<@Nullable Object> column = columns.get(i);
        Object[] values = types[i].equals(BYTES) ? column.toArray(new byte[0][]) : column.toArray();
        statement.setArray(i + 1, connection.createArrayOf(types[i], values));
      }
      statement.executeUpdate();
    }
  }
}

package io.tokenledger.follow;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGConnection;

/**
 * Rows for one table, collected as PostgreSQL's COPY reads them in its text format. The table's
 * name is not qualified: the {@code search_path} of the connection that takes them says which it
 * is.
 */
public final class CopyRows {

  private final String copy;
  private final StringBuilder text = new StringBuilder();
  private boolean inRow;

  /**
   * @param copy the statement, {@code COPY ... FROM STDIN}
   */
  public CopyRows(String copy) {
    this.copy = copy;
  }

  /** The next column of the row. */
  public CopyRows add(@Nullable String value) {
    separate();
    if (value == null) {
      text.append("\\N");
    } else {
      escape(value);
    }
    return this;
  }

  /** The next column of the row: a number, a truth value or null. */
  public CopyRows add(@Nullable Object value) {
    separate();
    text.append(value == null ? "\\N" : value);
    return this;
  }

  /** The next column of the row: bytes, given as hexadecimal digits. */
  public CopyRows addHex(String digits) {
    separate();
    text.append("\\\\x").append(digits);
    return this;
  }

  /** The next column of the row: an array of text. */
  public CopyRows add(List<String> values) {
    separate();
    char before = '{';
    for (String value : values) {
      text.append(before).append('"');
      escape(value.replace("\\", "\\\\").replace("\"", "\\\""));
      text.append('"');
      before = ',';
    }
    text.append(values.isEmpty() ? "{}" : "}");
    return this;
  }

  /** Ends the row. */
  public void end() {
    text.append('\n');
    inRow = false;
  }

  private void separate() {
    if (inRow) {
      text.append('\t');
    }
    inRow = true;
  }

  private void escape(String value) {
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      switch (c) {
        case '\\' -> text.append("\\\\");
        case '\t' -> text.append("\\t");
        case '\n' -> text.append("\\n");
        case '\r' -> text.append("\\r");
        default -> text.append(c);
      }
    }
  }

  /** Takes the rows out: what is written in another thread while this goes on collecting. */
  public Batch drain() {
    byte[] rows = text.toString().getBytes(StandardCharsets.UTF_8);
    text.setLength(0);
    return new Batch(copy, rows);
  }

  /** Rows that wait to be written. */
  public record Batch(String copy, byte[] rows) {

    /** Writes them in the transaction of that connection. */
    public void write(Connection connection) throws SQLException {
      if (rows.length > 0) {
        try {
          connection
              .unwrap(PGConnection.class)
              .getCopyAPI()
              .copyIn(copy, new ByteArrayInputStream(rows), 1 << 16);
        } catch (IOException e) {
          throw new SQLException("rows could not be copied", e);
        }
      }
    }
  }
}

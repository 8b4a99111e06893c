package io.tokenledger.backup;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGConnection;

/**
 * The rows of tables as PostgreSQL's own {@code COPY} writes them, in the order of their keys: the
 * same rows give the same bytes on every server, whatever its locale and time zone.
 */
final class TableCopy {

  /** The tables of which a ledger is made again; see the page on what is truth. */
  static final List<String> TRUTH =
      List.of(
          "ledger.event",
          "state.event_salt",
          "state.key_check",
          "state.token_usage",
          "state.cursor",
          "state.sink",
          "state.dead_letter",
          "state.erasure",
          "state.legal_hold",
          "state.prune",
          "audit.leaf",
          "audit.node",
          "audit.tree_head",
          "audit.generation",
          "audit.signing_key",
          "audit.checkpoint",
          "audit.cosignature",
          "audit.anchor");

  /**
   * Not of the state: a transaction's number is another after each rebuild, and the words about a
   * token are opened with its subject key, which may be gone.
   */
  private static final String[] LEFT_OUT = {"changed_xid", "description"};

  private static final String ONE_FORM =
      """
      SET LOCAL TimeZone = 'UTC';
      SET LOCAL DateStyle = 'ISO, YMD';
      SET LOCAL IntervalStyle = 'postgres';
      SET LOCAL bytea_output = 'hex';
      SET LOCAL statement_timeout = 0
      """;

  private static final String REBUILDABLE =
      """
      SELECT format('%s.%s', schemaname, tablename)
        FROM pg_tables
       WHERE schemaname = 'views'
         AND tablename <> 'follower'
       ORDER BY tablename COLLATE "C"
      """;

  private static final String COLUMNS =
      """
      SELECT attribute.attname
        FROM pg_attribute AS attribute
       WHERE attribute.attrelid = ?::regclass
         AND attribute.attnum > 0
         AND NOT attribute.attisdropped
         AND attribute.attname <> ALL (?::text[])
       ORDER BY attribute.attname COLLATE "C"
      """;

  /** PostgreSQL takes no parameters here; {@code format} quotes what is put in. */
  private static final String COPY_OUT =
      """
      SELECT format('COPY (SELECT %s FROM %s ORDER BY %s) TO STDOUT',
                    (SELECT string_agg(quote_ident(name), ', ' ORDER BY place)
                       FROM unnest(?::text[]) WITH ORDINALITY AS wanted (name, place)),
                    ?::regclass,
                    (SELECT string_agg(quote_ident(attribute.attname)
                                       || CASE WHEN attribute.atttypid = 'text'::regtype
                                               THEN ' COLLATE "C"' ELSE '' END,
                                       ', ' ORDER BY part.place)
                       FROM pg_index AS key
                      CROSS JOIN unnest(key.indkey) WITH ORDINALITY AS part (attnum, place)
                       JOIN pg_attribute AS attribute ON attribute.attrelid = key.indrelid
                                                     AND attribute.attnum = part.attnum
                      WHERE key.indrelid = ?::regclass
                        AND key.indisprimary))
      """;

  private static final String COPY_IN =
      """
      SELECT format('COPY %s (%s) FROM STDIN', ?::regclass,
                    (SELECT string_agg(quote_ident(name), ', ' ORDER BY place)
                       FROM unnest(?::text[]) WITH ORDINALITY AS wanted (name, place)))
      """;

  private final Connection connection;

  /**
   * @param connection of a role that may read the tables; does not commit by itself
   */
  TableCopy(Connection connection) throws SQLException {
    this.connection = connection;
    try (Statement statement = connection.createStatement()) {
      statement.execute(ONE_FORM);
    }
  }

  /** The tables of schema {@code views} that hold state, not positions. */
  List<String> rebuildable() throws SQLException {
    return strings(REBUILDABLE);
  }

  /** All columns of a table of truth, in an order that does not depend on its history. */
  List<String> columns(String table) throws SQLException {
    boolean isView = table.startsWith("views.");
    return strings(
        COLUMNS, table, connection.createArrayOf("text", isView ? LEFT_OUT : new String[0]));
  }

  /**
   * Writes the rows, a line each.
   *
   * @return the SHA-256 of what was written, lower-case hexadecimal
   */
  Written out(String table, List<String> columns, OutputStream out)
      throws SQLException, IOException {
    DigestOutputStream digested = new DigestOutputStream(new Unclosed(out), sha256());
    String sql =
        strings(COPY_OUT, connection.createArrayOf("text", columns.toArray()), table, table).get(0);
    long rows = connection.unwrap(PGConnection.class).getCopyAPI().copyOut(sql, digested);
    return new Written(
        table, columns, rows, HexFormat.of().formatHex(digested.getMessageDigest().digest()));
  }

  /** Reads such lines into the table. */
  long in(String table, List<String> columns, InputStream rows) throws SQLException, IOException {
    String sql =
        strings(COPY_IN, table, connection.createArrayOf("text", columns.toArray())).get(0);
    return connection.unwrap(PGConnection.class).getCopyAPI().copyIn(sql, rows);
  }

  /**
   * A table's rows.
   *
   * @param sha256 lower-case hexadecimal
   */
  record Written(String table, List<String> columns, long rows, String sha256) {}

  private List<String> strings(String sql, Object... values) throws SQLException {
    List<String> strings = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      for (int i = 0; i < values.length; i++) {
        statement.setObject(i + 1, values[i]);
      }
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          strings.add(row.getString(1));
        }
      }
    }
    return strings;
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  /**
   * The columns of a line that {@link #out} wrote, {@code null} for SQL's.
   *
   * @throws IllegalArgumentException when it is none
   */
  static List<@Nullable String> split(String line) {
    return Arrays.stream(line.split("\t", -1)).map(TableCopy::unescaped).toList();
  }

  private static @Nullable String unescaped(String field) {
    if (field.equals("\\N")) {
      return null;
    }
    if (field.indexOf('\\') < 0) {
      return field;
    }
    StringBuilder text = new StringBuilder(field.length());
    for (int i = 0; i < field.length(); i++) {
      char c = field.charAt(i);
      if (c != '\\') {
        text.append(c);
        continue;
      }
      if (++i == field.length()) {
        throw new IllegalArgumentException("a line that COPY did not write");
      }
      char escaped = field.charAt(i);
      text.append(
          switch (escaped) {
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'v' -> '\u000b';
            default -> escaped;
          });
    }
    return text.toString();
  }

  /** The stream is the caller's. */
  private static final class Unclosed extends FilterOutputStream {
    Unclosed(OutputStream out) {
      super(out);
    }

    @Override
    public void write(byte[] bytes, int from, int count) throws IOException {
      out.write(bytes, from, count);
    }

    @Override
    public void close() throws IOException {
      flush();
    }
  }
}

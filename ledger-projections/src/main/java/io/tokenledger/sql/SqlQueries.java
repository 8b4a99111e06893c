package io.tokenledger.sql;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.store.LedgerUnavailable;
import java.io.IOException;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/**
 * Runs callers' queries over the views of schema {@code system}, as a login that can read them and
 * nothing else, over a pool of its own, in a read-only transaction that is always rolled back, each
 * within a time, a number of rows and a number of bytes. No answer is whole in memory: rows are
 * read a few at a time and handed on cell by cell. What one query leaves in its session is taken
 * away before the next.
 */
public final class SqlQueries implements AutoCloseable {

  /** How many rows an answer may have. */
  public static final int MAX_ROWS = 100_000;

  /** How long a parameter may be. */
  static final int MAX_PARAMETER_CHARS = 65_536;

  /** How long all parameters may be together, each as often as it stands in the query. */
  static final int MAX_PARAMETERS_CHARS = 1_048_576;

  /** Reading and writing a number takes time by the square of its digits. */
  private static final int MAX_DIGITS = 1_000;

  private static final int FETCH_ROWS = 50;

  /** What the driver may hold of an answer at a time: {@link #FETCH_ROWS} of its rows. */
  private static final int MAX_FETCHED_BYTES = 8 * 1024 * 1024;

  private static final int POOL_SIZE = 2;
  private static final Duration CONNECTION_LIMIT = Duration.ofSeconds(5);
  private static final String CANCELLED = "57014";

  private static final String SET_LIMIT =
      """
      SELECT set_config('statement_timeout', ?, true),
             set_config('TimeZone', 'UTC', true)
      """;

  private static final String UNLOCK =
      """
      SELECT pg_advisory_unlock_all()
      """;

  private static final String RESET =
      """
      RESET ALL
      """;

  private final HikariDataSource logins;
  private final Duration timeLimit;
  private final ExecutorService parsers =
      Executors.newFixedThreadPool(
          2,
          work -> {
            Thread thread = new Thread(work, "ledger-sql-parser");
            thread.setDaemon(true);
            return thread;
          });

  /**
   * @param login the restricted login
   * @param timeLimit how long a query may run
   */
  public SqlQueries(DatabaseUrl login, Duration timeLimit, MeterRegistry meters) {
    HikariConfig config = new HikariConfig();
    config.setPoolName("ledger-sql");
    config.setJdbcUrl(
        login
            .with("currentSchema", "system")
            .with("maxResultBuffer", Integer.toString(MAX_FETCHED_BYTES))
            // In binary a number of a few bytes is one of 131,000 digits.
            .with("binaryTransfer", "false")
            .jdbcUrl());
    config.setUsername(login.user());
    config.setPassword(login.password());
    config.setAutoCommit(false);
    config.setReadOnly(true);
    config.setMaximumPoolSize(POOL_SIZE);
    // Made when first asked for: most nodes never are.
    config.setMinimumIdle(0);
    config.setInitializationFailTimeout(-1);
    config.setConnectionTimeout(CONNECTION_LIMIT.toMillis());
    config.setMetricRegistry(meters);
    this.logins = new HikariDataSource(config);
    this.timeLimit = timeLimit;
  }

  /**
   * Runs a query.
   *
   * @param sql one SELECT, with {@code $name} for parameters
   * @param parameters their values: null, {@link Boolean}, a number or {@link String}
   * @param relations the views it may read, without their schema, and the columns shown of each
   * @param taker takes the answer
   * @return what the audit keeps of it
   * @throws SqlRefused when it is not admitted, wrong, or beyond a limit
   * @throws LedgerUnavailable when the database does not answer, or too many queries run
   * @throws IOException when the taker fails
   */
  public SqlResult run(
      String sql,
      Map<String, @Nullable Object> parameters,
      Map<String, List<String>> relations,
      SqlRows taker)
      throws IOException {
    SelectGate.Admitted admitted = SelectGate.admit(sql, relations, parsers);
    requireParameters(admitted.parameters(), parameters);
    try (Connection connection = logins.getConnection()) {
      try {
        return run(connection, admitted, parameters, taker);
      } catch (SQLException e) {
        throw explained(e);
      } finally {
        clean(connection);
      }
    } catch (SQLTransientConnectionException e) {
      throw new LedgerUnavailable("too many queries run, or the database does not answer", e);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the query was not answered", e);
    }
  }

  /** Takes away what the query left. A session where that fails serves no other query. */
  private void clean(Connection connection) {
    try {
      connection.rollback();
      execute(connection, UNLOCK);
      execute(connection, RESET);
      connection.rollback();
    } catch (SQLException e) {
      logins.evictConnection(connection);
    }
  }

  private static void requireParameters(
      List<String> names, Map<String, @Nullable Object> parameters) {
    long chars = 0;
    for (String name : names) {
      if (!parameters.containsKey(name)) {
        throw new SqlRefused("no value is given for parameter $" + name);
      }
      Object value = parameters.get(name);
      int itsChars =
          value instanceof String text
              ? text.length()
              : value instanceof BigDecimal number ? digits(number) : 0;
      if (itsChars > MAX_PARAMETER_CHARS) {
        throw new SqlRefused(
            "parameter $" + name + " is longer than " + MAX_PARAMETER_CHARS + " characters");
      }
      chars += itsChars;
    }
    if (chars > MAX_PARAMETERS_CHARS) {
      throw new SqlRefused(
          "the parameters, each as often as it is used, are longer than "
              + MAX_PARAMETERS_CHARS
              + " characters");
    }
  }

  /** As many as it has when it is written out: {@code 1e9} is a billion and one. */
  private static int digits(BigDecimal number) {
    long written = Math.addExact(number.precision(), Math.abs((long) number.scale()));
    return (int) Math.min(written, Integer.MAX_VALUE);
  }

  private SqlRefused tookTooLong() {
    return new SqlRefused(
        "the query ran longer than " + timeLimit.toSeconds() + " seconds and was ended");
  }

  private RuntimeException explained(SQLException failure) {
    String state = failure.getSQLState() == null ? "" : failure.getSQLState();
    if (state.equals(CANCELLED)) {
      return tookTooLong();
    }
    String message = failure.getMessage() == null ? state : failure.getMessage();
    // The driver ends the session then, for it reads no further.
    if (message.contains("maxResultBuffer")) {
      return new SqlRefused(
          "the answer has rows of more than "
              + MAX_FETCHED_BYTES
              + " bytes in "
              + FETCH_ROWS
              + " of them: select less");
    }
    // Class 21 rows where one was due, 22 data, 42 syntax or access, 25 transaction state, 53
    // resources of this query, 54 limits.
    if (state.matches("(21|22|25|42|53|54|0A).*")) {
      return new SqlRefused(message.lines().findFirst().orElse(state).replace("ERROR: ", ""));
    }
    return new LedgerUnavailable("the query was not answered", failure);
  }

  private SqlResult run(
      Connection connection,
      SelectGate.Admitted admitted,
      Map<String, @Nullable Object> parameters,
      SqlRows taker)
      throws SQLException, IOException {
    Instant end = Instant.now().plus(timeLimit);
    try (PreparedStatement statement = connection.prepareStatement(SET_LIMIT)) {
      statement.setString(1, Long.toString(timeLimit.toMillis()));
      statement.execute();
    }
    try (PreparedStatement statement = connection.prepareStatement(admitted.sql())) {
      // The server ends it; when that one does not listen, the driver asks it to.
      statement.setQueryTimeout(Math.toIntExact(timeLimit.toSeconds()) + 2);
      statement.setFetchSize(FETCH_ROWS);
      int index = 1;
      for (String name : admitted.parameters()) {
        Object value = parameters.get(name);
        statement.setObject(index++, value, value == null ? Types.NULL : typeOf(value));
      }
      try (ResultSet rows = statement.executeQuery()) {
        return read(rows, taker, admitted, end);
      }
    }
  }

  /** Text without a type: the database takes it for what stands beside it. */
  private static int typeOf(Object value) {
    return value instanceof Boolean
        ? Types.BOOLEAN
        : value instanceof Long
            ? Types.BIGINT
            : value instanceof BigDecimal ? Types.NUMERIC : Types.OTHER;
  }

  private SqlResult read(ResultSet rows, SqlRows taker, SelectGate.Admitted admitted, Instant end)
      throws SQLException, IOException {
    ResultSetMetaData meta = rows.getMetaData();
    List<String> columns = new ArrayList<>();
    for (int i = 1; i <= meta.getColumnCount(); i++) {
      columns.add(meta.getColumnLabel(i));
    }
    taker.columns(List.copyOf(columns));
    int leafColumn = columns.indexOf("leaf_index") + 1;
    Long first = null;
    Long last = null;
    long count = 0;
    for (; rows.next(); count++) {
      // The database's limit and the driver's are for each fetch, and there can be 2,000.
      if (Instant.now().isAfter(end)) {
        throw tookTooLong();
      }
      if (count == MAX_ROWS) {
        throw new SqlRefused("the answer has more than " + MAX_ROWS + " rows: add a LIMIT");
      }
      for (int i = 1; i <= columns.size(); i++) {
        Object value = value(rows, i);
        if (i == leafColumn && value instanceof Long leaf) {
          first = first == null || leaf < first ? leaf : first;
          last = last == null || leaf > last ? leaf : last;
        }
        taker.cell(value);
      }
      taker.endRow();
    }
    taker.end();
    return new SqlResult(admitted.relations(), admitted.withoutTexts(), count, first, last);
  }

  private static @Nullable Object value(ResultSet rows, int index) throws SQLException {
    if (rows.getMetaData().getColumnType(index) == Types.NUMERIC) {
      return number(rows.getString(index));
    }
    Object value = rows.getObject(index);
    if (value == null || value instanceof Boolean || value instanceof Long) {
      return value;
    }
    if (value instanceof Integer number) {
      return number.longValue();
    }
    if (value instanceof Float || value instanceof Double) {
      String text = value.toString();
      return text.matches(".*[a-zA-Z]{3}.*") ? text : new BigDecimal(text);
    }
    if (value instanceof Timestamp) {
      return rows.getMetaData().getColumnTypeName(index).equals("timestamptz")
          ? rows.getObject(index, OffsetDateTime.class)
              .withOffsetSameInstant(ZoneOffset.UTC)
              .toLocalDateTime()
          : rows.getObject(index, LocalDateTime.class);
    }
    return rows.getString(index);
  }

  private static @Nullable Object number(@Nullable String text) {
    if (text == null || !text.matches("[-0-9.]+")) {
      // Neither NaN nor infinity is a number of JSON.
      return text;
    }
    if (text.length() > MAX_DIGITS) {
      throw new SqlRefused(
          "the answer has a number of more than " + MAX_DIGITS + " digits: round it");
    }
    return new BigDecimal(text);
  }

  private static void execute(Connection connection, String sql) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.execute();
    }
  }

  @Override
  public void close() {
    parsers.shutdownNow();
    logins.close();
  }
}

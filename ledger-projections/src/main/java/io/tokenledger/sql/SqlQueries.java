package io.tokenledger.sql;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.store.LedgerUnavailable;
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
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;

/**
 * Runs callers' queries over the views of schema {@code system}, as a login that can read them and
 * nothing else, over a pool of its own, in a read-only transaction that is always rolled back, each
 * within a time, a number of rows and a number of bytes. What one query leaves in its session is
 * taken away before the next.
 */
public final class SqlQueries implements AutoCloseable {

  /** How many rows an answer may have. */
  public static final int MAX_ROWS = 100_000;

  private static final long MAX_CHARS = 16L * 1024 * 1024;
  private static final int FETCH_ROWS = 1_000;
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
    config.setJdbcUrl(login.with("currentSchema", "system").jdbcUrl());
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
   * @param relations the views it may read, without their schema
   * @throws SqlRefused when it is not admitted, wrong, or beyond a limit
   * @throws LedgerUnavailable when the database does not answer, or too many queries run
   */
  public SqlResult run(
      String sql, Map<String, @Nullable Object> parameters, Set<String> relations) {
    SelectGate.Admitted admitted = SelectGate.admit(sql, relations, parsers);
    for (String name : admitted.parameters()) {
      if (!parameters.containsKey(name)) {
        throw new SqlRefused("no value is given for parameter $" + name);
      }
    }
    try (Connection connection = logins.getConnection()) {
      try {
        return run(connection, admitted, parameters);
      } finally {
        connection.rollback();
        execute(connection, UNLOCK);
        execute(connection, RESET);
        connection.rollback();
      }
    } catch (SQLTransientConnectionException e) {
      throw new LedgerUnavailable("too many queries run, or the database does not answer", e);
    } catch (SQLException e) {
      throw explained(e);
    }
  }

  private RuntimeException explained(SQLException failure) {
    String state = failure.getSQLState() == null ? "" : failure.getSQLState();
    if (state.equals(CANCELLED)) {
      return new SqlRefused(
          "the query ran longer than " + timeLimit.toSeconds() + " seconds and was ended");
    }
    // Class 22 data, 42 syntax or access, 25 transaction state, 53 resources of this query, 54
    // limits.
    if (state.matches("(22|25|42|53|54|0A).*")) {
      String message = failure.getMessage() == null ? state : failure.getMessage();
      return new SqlRefused(message.lines().findFirst().orElse(state).replace("ERROR: ", ""));
    }
    return new LedgerUnavailable("the query was not answered", failure);
  }

  private SqlResult run(
      Connection connection, SelectGate.Admitted admitted, Map<String, @Nullable Object> parameters)
      throws SQLException {
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
        return read(rows, admitted);
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

  private static SqlResult read(ResultSet rows, SelectGate.Admitted admitted) throws SQLException {
    ResultSetMetaData meta = rows.getMetaData();
    List<String> columns = new ArrayList<>();
    for (int i = 1; i <= meta.getColumnCount(); i++) {
      columns.add(meta.getColumnLabel(i));
    }
    List<List<@Nullable Object>> values = new ArrayList<>();
    long chars = 0;
    while (rows.next()) {
      if (values.size() == MAX_ROWS) {
        throw new SqlRefused("the answer has more than " + MAX_ROWS + " rows: add a LIMIT");
      }
      List<@Nullable Object> row = new ArrayList<>(columns.size());
      for (int i = 1; i <= columns.size(); i++) {
        Object value = value(rows, i);
        chars += value instanceof String text ? text.length() : 8;
        row.add(value);
      }
      if (chars > MAX_CHARS) {
        throw new SqlRefused("the answer is longer than " + MAX_CHARS + " characters: select less");
      }
      values.add(Collections.unmodifiableList(row));
    }
    return new SqlResult(
        List.copyOf(columns), values, admitted.relations(), admitted.withoutTexts());
  }

  private static @Nullable Object value(ResultSet rows, int index) throws SQLException {
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
    if (value instanceof BigDecimal) {
      return value;
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

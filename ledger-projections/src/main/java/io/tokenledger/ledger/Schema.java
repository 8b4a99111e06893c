package io.tokenledger.ledger;

import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.Roles;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.Locks;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.Map;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.flywaydb.core.api.MigrationInfo;

/** Brings the schema to this version, once, however many nodes start at the same time. */
final class Schema {

  private static final String LOCK =
      """
      SELECT pg_advisory_lock(?)
      """;

  private static final String VERSION =
      """
      SELECT current_setting('server_version_num')::int
      """;

  private static final int OLDEST = 150_000;

  private Schema() {}

  /**
   * How to log in as the lesser roles.
   *
   * @param app what nodes work as
   * @param sql what callers' queries run as
   */
  record Logins(DatabaseUrl app, DatabaseUrl sql) {}

  /**
   * Makes the lesser roles and the schema, or what they lack.
   *
   * @return how to log in as the lesser roles
   * @throws IllegalStateException when the server is older than PostgreSQL 15, the schema is newer
   *     than this program, or the owner lacks a right; one sentence says which
   */
  static Logins migrate(DatabaseUrl owner) {
    try (Connection connection =
        DriverManager.getConnection(owner.jdbcUrl(), owner.user(), owner.password())) {
      requireKnownServer(connection);
      // Session-level: ends with the connection, also when this process is killed.
      try (PreparedStatement statement = connection.prepareStatement(LOCK)) {
        statement.setLong(1, Locks.MIGRATION);
        statement.execute();
      }
      Logins logins = new Logins(Roles.ensureApp(owner), Roles.ensureSql(owner));
      migrateSchema(owner);
      return logins;
    } catch (SQLException e) {
      throw new LedgerUnavailable("the database " + owner + " cannot be reached", e);
    }
  }

  private static void requireKnownServer(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(VERSION);
        ResultSet row = statement.executeQuery()) {
      row.next();
      if (row.getInt(1) < OLDEST) {
        throw new IllegalStateException(
            "the ledger needs PostgreSQL 15 or newer, the server is " + row.getInt(1) / 10_000);
      }
    }
  }

  private static void migrateSchema(DatabaseUrl owner) {
    Flyway flyway =
        Flyway.configure()
            .dataSource(owner.jdbcUrl(), owner.user(), owner.password())
            .locations("classpath:io/tokenledger/store/migration")
            .defaultSchema("migrations")
            .placeholders(
                Map.of(
                    "app", '"' + Roles.appRole(owner) + '"',
                    "sql", '"' + Roles.sqlRole(owner) + '"'))
            .load();
    MigrationInfo[] all = flyway.info().all();
    boolean newer =
        Arrays.stream(all).anyMatch(migration -> migration.getState().name().startsWith("FUTURE"));
    if (newer) {
      throw new IllegalStateException(
          "the schema was made by a newer version of the ledger: run that version");
    }
    try {
      flyway.migrate();
    } catch (FlywayException e) {
      throw new IllegalStateException("the schema cannot be migrated: " + e.getMessage(), e);
    }
  }
}

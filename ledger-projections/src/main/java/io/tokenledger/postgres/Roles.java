package io.tokenledger.postgres;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * The lesser roles, named after the database: one that nodes work as, which may append events and
 * never change one, and one for queries in SQL, which may read the views of one schema. Their
 * passwords are derived from the owner's, so that nodes need no shared file for them.
 */
public final class Roles {

  private static final String EXISTS =
      """
      SELECT 1
        FROM pg_roles
       WHERE rolname = ?
      """;

  /** PostgreSQL takes no parameters here; {@code format} quotes what is put in. */
  private static final String STATEMENT =
      """
      SELECT format(?, ?::text, ?::text)
      """;

  private static final String INSUFFICIENT_PRIVILEGE = "42501";
  private static final String DUPLICATE = "42710";
  private static final String DUPLICATE_KEY = "23505";

  private Roles() {}

  /** The name of the role that nodes work as. */
  public static String appRole(DatabaseUrl owner) {
    return owner.database() + "_app";
  }

  /** The name of the role that callers' queries run as. */
  public static String sqlRole(DatabaseUrl owner) {
    return owner.database() + "_sql";
  }

  /**
   * Makes the role that nodes work as when it is missing and gives it its password.
   *
   * @return how to log in as it
   * @throws IllegalStateException when the owner may not make roles, saying which SQL to run
   */
  public static DatabaseUrl ensureApp(DatabaseUrl owner) {
    return ensure(owner, appRole(owner));
  }

  /**
   * The same for the role that callers' queries run as.
   *
   * @return how to log in as it
   * @throws IllegalStateException as above
   */
  public static DatabaseUrl ensureSql(DatabaseUrl owner) {
    return ensure(owner, sqlRole(owner));
  }

  private static DatabaseUrl ensure(DatabaseUrl owner, String role) {
    DatabaseUrl app = owner.as(role, derivedPassword(owner, role));
    if (canLogIn(app)) {
      return app;
    }
    try (Connection connection = connect(owner)) {
      boolean exists = exists(connection, role);
      execute(
          connection,
          exists
              ? "ALTER ROLE %I LOGIN PASSWORD %L"
              : "CREATE ROLE %I LOGIN PASSWORD %L NOSUPERUSER NOCREATEDB NOCREATEROLE",
          role,
          app.password());
    } catch (SQLException e) {
      if (INSUFFICIENT_PRIVILEGE.equals(e.getSQLState())) {
        throw new IllegalStateException(
            "the user "
                + owner.user()
                + " may not make roles: as a superuser run ALTER ROLE \""
                + owner.user()
                + "\" CREATEROLE;",
            e);
      }
      boolean otherNodeWasFaster =
          DUPLICATE.equals(e.getSQLState()) || DUPLICATE_KEY.equals(e.getSQLState());
      if (!otherNodeWasFaster) {
        throw new IllegalStateException("the role " + role + " cannot be made", e);
      }
    }
    return app;
  }

  private static boolean canLogIn(DatabaseUrl url) {
    try (Connection connection = connect(url)) {
      return connection.isValid(2);
    } catch (SQLException e) {
      return false;
    }
  }

  private static boolean exists(Connection connection, String role) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(EXISTS)) {
      statement.setString(1, role);
      try (ResultSet row = statement.executeQuery()) {
        return row.next();
      }
    }
  }

  private static void execute(
      Connection connection, String format, String identifier, String literal) throws SQLException {
    String sql;
    try (PreparedStatement statement = connection.prepareStatement(STATEMENT)) {
      statement.setString(1, format);
      statement.setString(2, identifier);
      statement.setString(3, literal);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        sql = row.getString(1);
      }
    }
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.execute();
    }
  }

  private static Connection connect(DatabaseUrl url) throws SQLException {
    return DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
  }

  private static String derivedPassword(DatabaseUrl owner, String role) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(owner.password().getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
      return HexFormat.of()
          .formatHex(mac.doFinal(("token-ledger role " + role).getBytes(StandardCharsets.UTF_8)));
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform has HmacSHA256", e);
    }
  }
}

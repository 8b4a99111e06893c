package io.tokenledger.postgres;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.concurrent.atomic.AtomicInteger;

/** One real PostgreSQL for all tests of a process, and a new database for each that asks. */
public final class TestPostgres {

  private static final AtomicInteger DATABASES = new AtomicInteger();
  private static final EmbeddedPostgres SERVER = start();

  private TestPostgres() {}

  private static EmbeddedPostgres start() {
    try {
      Path base = Path.of("target").toAbsolutePath();
      Files.createDirectories(base);
      Path directory = Files.createTempDirectory(base, "postgres-");
      EmbeddedPostgres server = EmbeddedPostgres.start(directory, binaries());
      Runtime.getRuntime().addShutdownHook(new Thread(server::close));
      return server;
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Unpacked once a build, not once a test. */
  public static Path binaries() throws IOException {
    return PostgresBinaries.unpack(Path.of("target/postgres-binaries"));
  }

  /** The superuser's access to a database that nobody has used. */
  public static DatabaseUrl freshDatabase() {
    String name = "test" + DATABASES.incrementAndGet();
    try (Connection connection = connect(SERVER.url());
        Statement statement = connection.createStatement()) {
      statement.execute("CREATE DATABASE " + name);
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
    return SERVER.url().on(name);
  }

  /** The superuser's access to a copy of a database to which nobody is connected. */
  public static DatabaseUrl copyOf(DatabaseUrl original) {
    String name = "test" + DATABASES.incrementAndGet();
    try (Connection connection = connect(SERVER.url());
        Statement statement = connection.createStatement()) {
      statement.execute("CREATE DATABASE " + name + " TEMPLATE " + original.database());
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
    return SERVER.url().on(name);
  }

  /** Puts a copy in the place of a database, as who restores a backup does. */
  public static void restore(DatabaseUrl damaged, DatabaseUrl backup) {
    try (Connection connection = connect(SERVER.url());
        Statement statement = connection.createStatement()) {
      statement.execute("DROP DATABASE " + damaged.database() + " WITH (FORCE)");
      statement.execute("CREATE DATABASE " + damaged.database() + " TEMPLATE " + backup.database());
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  public static Connection connect(DatabaseUrl url) throws SQLException {
    return DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
  }
}

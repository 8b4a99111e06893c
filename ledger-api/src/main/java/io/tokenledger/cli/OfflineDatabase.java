package io.tokenledger.cli;

import io.tokenledger.postgres.DataDirectoryInUse;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The database that a command works on itself, without a server: an embedded one or your own. */
final class OfflineDatabase {

  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description = "Works on this embedded database; no server may run on it")
  private @Nullable Path dataDir;

  @Option(
      names = "--database-url",
      paramLabel = "URL",
      description = "Works on this database itself, without a server")
  private @Nullable String databaseUrl;

  /** A database that can be logged in to until this is closed. */
  record Opened(@Nullable EmbeddedPostgres postgres, DatabaseUrl url) implements AutoCloseable {
    @Override
    public void close() {
      if (postgres != null) {
        postgres.close();
      }
    }
  }

  /** The one in that directory. */
  static OfflineDatabase in(Path directory) {
    OfflineDatabase database = new OfflineDatabase();
    database.dataDir = directory;
    return database;
  }

  /**
   * @throws CommandFailed with {@link LedgerCli#USAGE} when none was given
   */
  void requireGiven() {
    if (!isGiven()) {
      throw new CommandFailed(LedgerCli.USAGE, "give --data-dir or --database-url");
    }
  }

  /** Whether one was given. */
  boolean isGiven() {
    return dataDir != null || databaseUrl != null;
  }

  /** Where keys and state lie beside an embedded database; null for one of the user's own. */
  @Nullable Path dataDir() {
    return dataDir;
  }

  /** The PostgreSQL that the build unpacked; null for the one in the jars. */
  static @Nullable Path binaries() {
    String preset = System.getenv("LEDGER_POSTGRES_BINARIES");
    return preset == null || preset.isEmpty() ? null : Path.of(preset);
  }

  /**
   * For who only reads: also while a server runs.
   *
   * @throws CommandFailed with {@link LedgerCli#UNKNOWN} when it cannot be had
   */
  Opened openBeside() {
    if (databaseUrl == null && dataDir != null) {
      try {
        Optional<DatabaseUrl> running = EmbeddedPostgres.running(dataDir);
        if (running.isPresent()) {
          return new Opened(null, running.get());
        }
      } catch (IllegalStateException e) {
        throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
      }
    }
    return open();
  }

  /**
   * For who fills a database: a data directory that holds none gets one.
   *
   * @throws CommandFailed with {@link LedgerCli#UNKNOWN} when it cannot be had, or is there already
   */
  Opened openNew() {
    Path directory = dataDir;
    if (databaseUrl != null || directory == null) {
      return open();
    }
    if (Files.exists(directory.resolve("postgres"))) {
      throw new CommandFailed(
          LedgerCli.UNKNOWN,
          "--data-dir " + directory + " holds a database: give a directory without one");
    }
    try {
      EmbeddedPostgres postgres = EmbeddedPostgres.start(directory, binaries());
      return new Opened(postgres, postgres.url());
    } catch (DataDirectoryInUse | IllegalStateException e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
    }
  }

  /**
   * @throws CommandFailed with {@link LedgerCli#UNKNOWN} when it cannot be had
   */
  Opened open() {
    return open("the server is running: drop --data-dir");
  }

  /**
   * @param whenRunning what to say when a server runs on it
   * @throws CommandFailed with {@link LedgerCli#UNKNOWN} when it cannot be had
   */
  Opened open(String whenRunning) {
    try {
      if (databaseUrl != null) {
        return new Opened(null, DatabaseUrl.parse(databaseUrl));
      }
      Path directory = Objects.requireNonNull(dataDir);
      if (!Files.isDirectory(directory.resolve("postgres"))) {
        throw new IllegalArgumentException("--data-dir " + directory + " holds no ledger");
      }
      EmbeddedPostgres postgres = EmbeddedPostgres.start(directory, binaries());
      return new Opened(postgres, postgres.url());
    } catch (DataDirectoryInUse e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, whenRunning);
    } catch (IllegalStateException | IllegalArgumentException e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
    }
  }
}

package io.tokenledger.cli;

import io.tokenledger.postgres.DataDirectoryInUse;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
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

  /** Whether one was given. */
  boolean isGiven() {
    return dataDir != null || databaseUrl != null;
  }

  /** Where keys and state lie beside an embedded database; null for one of the user's own. */
  @Nullable Path dataDir() {
    return dataDir;
  }

  /**
   * @throws CommandFailed with {@link LedgerCli#UNKNOWN} when it cannot be had
   */
  Opened open() {
    try {
      if (databaseUrl != null) {
        return new Opened(null, DatabaseUrl.parse(databaseUrl));
      }
      Path directory = Objects.requireNonNull(dataDir);
      if (!Files.isDirectory(directory.resolve("postgres"))) {
        throw new IllegalArgumentException("--data-dir " + directory + " holds no ledger");
      }
      String preset = System.getenv("LEDGER_POSTGRES_BINARIES");
      EmbeddedPostgres postgres =
          EmbeddedPostgres.start(
              directory, preset == null || preset.isEmpty() ? null : Path.of(preset));
      return new Opened(postgres, postgres.url());
    } catch (DataDirectoryInUse e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, "the server is running: drop --data-dir");
    } catch (IllegalStateException | IllegalArgumentException e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
    }
  }
}

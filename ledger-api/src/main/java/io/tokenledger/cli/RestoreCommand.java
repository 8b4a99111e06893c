package io.tokenledger.cli;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.backup.EventBackup;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.RestoreAcceptance;
import io.tokenledger.postgres.BaseBackup;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.UnreadableEvent;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code restore}: a database of a backup, which decides nothing until that is accepted. */
@Command(
    name = "restore",
    description = "Makes a database of a backup. It denies all until ledger replay restore accept.",
    mixinStandardHelpOptions = true,
    subcommands = {RestoreCommand.Base.class, RestoreCommand.Events.class})
final class RestoreCommand {

  private static final String NEXT =
      "restored: it denies every decision until ledger replay restore accept";

  /** {@code restore base}. */
  @Command(
      name = "base",
      description = "Makes an embedded database of what backup base copied.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Examples:",
        "  ledger restore base --from backups/2026-11-24 --data-dir new",
        "  ledger restore base --from backups/2026-11-24 --data-dir new \\",
        "      --wal-archive /backup/wal --until 2026-11-24T12:00:00Z",
        "",
        "Put the ledger's keys beside it afterwards. Exit codes: 0 done, 3 not done."
      })
  static final class Base implements Callable<Integer> {

    @Option(
        names = "--from",
        paramLabel = "DIR",
        required = true,
        description = "What backup base made")
    private @Nullable Path from;

    @Option(
        names = "--data-dir",
        paramLabel = "DIR",
        required = true,
        description = "Where to; must hold no database")
    private @Nullable Path dataDir;

    @Option(
        names = "--wal-archive",
        paramLabel = "DIR",
        description = "What serve --wal-archive wrote; without, the moment of the backup")
    private @Nullable Path walArchive;

    @Option(
        names = "--until",
        paramLabel = "TIME",
        description = "Last instant that counts, 2026-11-24T12:00:00Z. Default the newest there is")
    private @Nullable String until;

    @Override
    public Integer call() {
      Path directory = Objects.requireNonNull(dataDir);
      Instant moment = moment();
      try {
        BaseBackup.restore(
            Objects.requireNonNull(from),
            directory,
            OfflineDatabase.binaries(),
            walArchive,
            moment,
            url ->
                RestoreAcceptance.markRestored(
                    url,
                    "ledger restore base",
                    "the database was restored from a base backup"
                        + (moment == null ? "" : " to the moment " + moment)));
      } catch (IllegalStateException | IllegalArgumentException | LedgerUnavailable e) {
        throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
      }
      System.out.println(NEXT);
      return 0;
    }

    private @Nullable Instant moment() {
      try {
        return until == null ? null : Instant.parse(until);
      } catch (DateTimeException e) {
        throw new CommandFailed(
            LedgerCli.USAGE, "--until must be an instant such as 2026-11-24T12:00:00Z");
      }
    }
  }

  /** {@code restore events}. */
  @Command(
      name = "events",
      description = "Fills an empty database with what backup events wrote.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Examples:",
        "  ledger restore events --from events.zip --data-dir new",
        "  ledger restore events --from events.zip --database-url postgresql://...",
        "",
        "Put the ledger's keys beside it afterwards. Exit codes: 0 done, 3 not done."
      })
  static final class Events implements Callable<Integer> {

    @Mixin private OfflineDatabase database = new OfflineDatabase();

    @Option(
        names = "--from",
        paramLabel = "FILE",
        required = true,
        description = "What backup events wrote")
    private @Nullable Path from;

    @Override
    public Integer call() {
      database.requireGiven();
      try (OfflineDatabase.Opened opened = database.openNew()) {
        // Before the first event is there: nothing must be decided by half of them.
        RestoreAcceptance.markRestored(
            opened.url(),
            "ledger restore events",
            "the database was restored from a backup of its events");
        EventBackup.Summary read = EventBackup.read(Objects.requireNonNull(from), opened.url());
        try (Ledger.Offline ledger = Ledger.openOffline(opened.url(), new SimpleMeterRegistry())) {
          ledger.replay().replaceLookup("ledger restore events");
        }
        System.out.printf("%d events%ndigest %s%n%s%n", read.events(), read.digest(), NEXT);
        return 0;
      } catch (IllegalStateException
          | IllegalArgumentException
          | LedgerUnavailable
          | UnreadableEvent e) {
        throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
      }
    }
  }
}

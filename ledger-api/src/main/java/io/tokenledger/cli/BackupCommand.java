package io.tokenledger.cli;

import io.tokenledger.backup.Digests;
import io.tokenledger.backup.EventBackup;
import io.tokenledger.postgres.BaseBackup;
import io.tokenledger.store.LedgerUnavailable;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code backup}: what no rebuild gives back. */
@Command(
    name = "backup",
    description = "Copies what no rebuild gives back, also while a server runs.",
    mixinStandardHelpOptions = true,
    subcommands = {
      BackupCommand.Base.class,
      BackupCommand.Events.class,
      BackupCommand.Digest.class
    },
    footer = {"", "No key is in any backup: see ops/runbooks/backup.md for what else to keep."})
final class BackupCommand {

  /** {@code backup base}. */
  @Command(
      name = "base",
      description = "Copies the embedded database; from your own server take pg_basebackup.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Examples:",
        "  ledger backup base --data-dir .ledger/data --to backups/2026-11-24",
        "",
        "Exit codes: 0 done, 3 not done."
      })
  static final class Base implements Callable<Integer> {

    @Option(
        names = "--data-dir",
        paramLabel = "DIR",
        required = true,
        description = "The embedded database; a server may run on it")
    private @Nullable Path dataDir;

    @Option(
        names = "--to",
        paramLabel = "DIR",
        required = true,
        description = "Where to; must not exist, appears when it is whole")
    private @Nullable Path to;

    @Override
    public Integer call() {
      OfflineDatabase database = OfflineDatabase.in(Objects.requireNonNull(dataDir));
      try (OfflineDatabase.Opened opened = database.openBeside()) {
        BaseBackup.Taken taken = BaseBackup.take(opened.url(), dataDir, Objects.requireNonNull(to));
        System.out.printf("%d files, %d bytes in %s%n", taken.files(), taken.bytes(), to);
        return 0;
      } catch (IllegalStateException e) {
        throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
      }
    }
  }

  /** {@code backup events}. */
  @Command(
      name = "events",
      description = "Writes events, salts and log into one file that any PostgreSQL takes back.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Examples:",
        "  ledger backup events --data-dir .ledger/data --to events.zip",
        "  ledger backup events --database-url postgresql://... --to events.zip",
        "",
        "Ends with the digest over all of it. Exit codes: 0 done, 3 not done."
      })
  static final class Events implements Callable<Integer> {

    @Mixin private OfflineDatabase database = new OfflineDatabase();

    @Option(
        names = "--to",
        paramLabel = "FILE",
        required = true,
        description = "Where to; must not exist, appears when it is whole")
    private @Nullable Path to;

    @Override
    public Integer call() {
      database.requireGiven();
      try (OfflineDatabase.Opened opened = database.openBeside()) {
        EventBackup.Summary written = EventBackup.write(opened.url(), Objects.requireNonNull(to));
        System.out.printf("%d events in %s%ndigest %s%n", written.events(), to, written.digest());
        return 0;
      } catch (IllegalStateException | LedgerUnavailable e) {
        throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
      }
    }
  }

  /** {@code backup digest}. */
  @Command(
      name = "digest",
      description = "Prints digests of all tables, to compare a restored ledger by.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Over the bytes as they are stored: no key is needed. The first total is of what no rebuild",
        "gives back, the second of the projections. Exit codes: 0 done, 3 not done."
      })
  static final class Digest implements Callable<Integer> {

    @Mixin private OfflineDatabase database = new OfflineDatabase();

    @Override
    public Integer call() {
      database.requireGiven();
      try (OfflineDatabase.Opened opened = database.openBeside()) {
        Digests.Snapshot digests = Digests.of(opened.url());
        List<List<String>> rows = new ArrayList<>();
        rows.add(List.of("TABLE", "ROWS", "SHA256"));
        digests
            .tables()
            .forEach(
                each -> rows.add(List.of(each.table(), Long.toString(each.rows()), each.sha256())));
        Terminal.printTable(rows);
        System.out.printf(
            "truth       %s%nrebuildable %s%n", digests.truth(), digests.rebuildable());
        return 0;
      } catch (LedgerUnavailable e) {
        throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
      }
    }
  }
}

package io.tokenledger.cli;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.RestoreAcceptance;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.TokenCommand;
import io.tokenledger.token.TokenCommand.ChangeExpiry;
import io.tokenledger.token.TokenCommand.ChangePermissions;
import io.tokenledger.token.TokenCommand.RegenerateOperatorToken;
import io.tokenledger.token.TokenCommand.RevokeToken;
import io.tokenledger.token.TokenCommand.RotateToken;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * {@code replay restore}: on the database itself. No token may do this: whose tokens were revoked
 * since is just what a restored database does not know.
 */
@Command(
    name = "restore",
    description = "Takes a restored database for the ledger from now on.",
    mixinStandardHelpOptions = true,
    subcommands = {ReplayRestoreCommand.Accept.class, ReplayRestoreCommand.Mark.class})
final class ReplayRestoreCommand {

  private static final int MAX_SHOWN = 50;

  /** {@code replay restore accept}. */
  @Command(
      name = "accept",
      description = "Shows what is known and absent, takes it from tokens again, and goes on.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Examples:",
        "  ledger replay restore accept --data-dir new --known events.zip --known checkpoint",
        "  ledger replay restore accept --database-url postgresql://... \\",
        "      --ledger-key-file ledger.key --signing-key-file signing.key \\",
        "      --subject-key-store subject-keys --state-dir state --known bundle.zip",
        "",
        "Exit codes: 0 accepted, 1 not confirmed, 3 not done: all is still denied."
      })
  static final class Accept implements Callable<Integer> {

    @Mixin private OfflineDatabase database = new OfflineDatabase();

    @Option(
        names = "--known",
        paramLabel = "FILE",
        description =
            "What is known of the time since: a backup of events, a bundle of the audit or a"
                + " checkpoint; may be repeated")
    private List<Path> known = new ArrayList<>();

    @Option(
        names = "--ledger-key-file",
        paramLabel = "FILE",
        description = "Default DIR/ledger.key [LEDGER_KEY_FILE]")
    private @Nullable String ledgerKeyFile;

    @Option(
        names = "--subject-key-store",
        paramLabel = "DIR",
        description = "Default DIR/subject-keys [LEDGER_SUBJECT_KEY_STORE]")
    private @Nullable String subjectKeyStore;

    @Option(
        names = "--signing-key-file",
        paramLabel = "FILES",
        description = "Default DIR/signing.key [LEDGER_SIGNING_KEY_FILE]")
    private @Nullable String signingKeyFile;

    @Option(
        names = "--state-dir",
        paramLabel = "DIR",
        description = "What this node remembers. Default DIR/state [LEDGER_STATE_DIR]")
    private @Nullable String stateDir;

    @Option(names = "--reason", paramLabel = "TEXT", description = "Why, for the audit")
    private @Nullable String reason;

    @Option(names = "--ticket", paramLabel = "ID", description = "Change or incident")
    private @Nullable String ticket;

    @Option(names = "--on-behalf-of", paramLabel = "PERSON", description = "For whom")
    private @Nullable String onBehalfOf;

    @Option(names = "--dry-run", description = "Only shows")
    private boolean dryRun;

    @Option(
        names = {"-y", "--yes"},
        description = "Asks nothing")
    private boolean yes;

    @Override
    public Integer call() {
      database.requireGiven();
      RestoreAcceptance.Keys keys =
          new RestoreAcceptance.Keys(
              file(ledgerKeyFile, "--ledger-key-file", "LEDGER_KEY_FILE", "ledger.key"),
              file(
                  subjectKeyStore,
                  "--subject-key-store",
                  "LEDGER_SUBJECT_KEY_STORE",
                  "subject-keys"),
              Arrays.stream(
                      file(
                              signingKeyFile,
                              "--signing-key-file",
                              "LEDGER_SIGNING_KEY_FILE",
                              "signing.key")
                          .toString()
                          .split(",", -1))
                  .map(Path::of)
                  .toList(),
              file(stateDir, "--state-dir", "LEDGER_STATE_DIR", "state"));
      try (OfflineDatabase.Opened opened =
              database.open("the server is running: stop it first, it denies everything");
          RestoreAcceptance acceptance =
              RestoreAcceptance.open(opened.url(), keys, new SimpleMeterRegistry())) {
        RestoreAcceptance.Shown shown = acceptance.show(known);
        if (!acceptance.isRestored() && shown.absentEvents() == 0) {
          throw new CommandFailed(LedgerCli.UNKNOWN, "nothing says that it was restored");
        }
        print(shown);
        if (dryRun) {
          return 0;
        }
        if (!yes) {
          Terminal.confirm(
              "What is absent and not shown is lost. Take this database for the ledger?",
              "Replay restore accept");
        }
        System.out.printf("the log goes on as %s%n", acceptance.accept(shown, context()));
        return 0;
      } catch (IllegalStateException | IllegalArgumentException | LedgerUnavailable e) {
        throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
      }
    }

    private RequestContext context() {
      return RequestContext.ofOffline(
          onBehalfOf, reason, ticket, "cli/" + LedgerCli.version(), UUID.randomUUID().toString());
    }

    private Path file(@Nullable String flag, String name, String variable, String beside) {
      String given = Remote.firstOf(flag, variable);
      if (given != null) {
        return Path.of(given);
      }
      Path dataDir = database.dataDir();
      if (dataDir == null) {
        throw new CommandFailed(LedgerCli.USAGE, "give " + name);
      }
      return dataDir.resolve(beside);
    }

    private static void print(RestoreAcceptance.Shown shown) {
      System.out.printf("the database holds %d leaves%n", shown.size());
      if (shown.known() == null) {
        System.out.println("no checkpoint is known: nobody can say how much is absent");
      } else {
        System.out.printf(
            "the newest checkpoint known is %s of %d leaves: %d are absent%n",
            shown.known().origin(), shown.known().size(), shown.absentLeaves());
      }
      System.out.printf(
          "%d events are known and absent, %d of them of tokens%n",
          shown.absentEvents(), shown.absent().size());
      shown.absent().stream()
          .limit(MAX_SHOWN)
          .forEach(
              event ->
                  System.out.printf(
                      "  %s %s %s%n",
                      event.occurredAt(), event.eventType(), Terminal.shown(event.stream())));
      if (shown.absent().size() > MAX_SHOWN) {
        System.out.printf("  and %d more%n", shown.absent().size() - MAX_SHOWN);
      }
      System.out.printf("%d are taken from tokens again%n", shown.commands().size());
      shown.commands().forEach(command -> System.out.println("  " + said(command)));
      System.out.printf("the next token id is above %d%n", shown.highestTokenId());
    }

    private static String said(TokenCommand command) {
      String name = Terminal.shown(command.name().value());
      if (command instanceof RevokeToken) {
        return "revoke " + name;
      }
      if (command instanceof RotateToken || command instanceof RegenerateOperatorToken) {
        return "end the older secret of " + name;
      }
      if (command instanceof ChangePermissions changed) {
        return "let " + name + " do no more than " + changed.permissions();
      }
      if (command instanceof ChangeExpiry changed) {
        return "let " + name + " expire at " + changed.expiry();
      }
      return "suspend " + name;
    }
  }

  /** {@code replay restore mark}. */
  @Command(
      name = "mark",
      description = "Says that a database was restored by other means: then it denies everything.",
      mixinStandardHelpOptions = true,
      footer = {"", "Exit codes: 0 done, 3 not done."})
  static final class Mark implements Callable<Integer> {

    @Mixin private OfflineDatabase database = new OfflineDatabase();

    @Override
    public Integer call() {
      database.requireGiven();
      try (OfflineDatabase.Opened opened = database.openBeside()) {
        RestoreAcceptance.markRestored(
            opened.url(),
            "ledger replay restore mark",
            "an operator says that the database was restored");
        System.out.println("marked: every decision is denied until ledger replay restore accept");
        return 0;
      } catch (IllegalStateException | LedgerUnavailable e) {
        throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
      }
    }
  }
}

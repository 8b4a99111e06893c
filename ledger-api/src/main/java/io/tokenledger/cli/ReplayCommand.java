package io.tokenledger.cli;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.replay.ReplayReport;
import io.tokenledger.replay.ReplayReport.Difference;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.UnreadableEvent;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code replay}: the authorization lookup against the events. */
@Command(
    name = "replay",
    description = "Rebuilds the authorization lookup from the events.",
    mixinStandardHelpOptions = true,
    subcommands = {
      ReplayCommand.Verify.class,
      ReplayCommand.Swap.class,
      ReplayCommand.Unreadable.class,
      ReplayCommand.Quarantine.class,
      ReplayCommand.Release.class,
      ReplayRestoreCommand.class
    })
final class ReplayCommand {

  private static final JsonMapper JSON = JsonMapper.shared();
  private static final int BAR = 30;
  private static final int MAX_SHOWN = 50;

  /** {@code replay verify}: exit 0 when equal, 2 when not, 3 when it could not be found out. */
  @Command(
      name = "verify",
      description = "Rebuilds beside the live lookup and compares row by row.",
      mixinStandardHelpOptions = true,
      footer = {"", "Exit codes: 0 equal, 2 different, 3 could not be found out."})
  static final class Verify extends Run {
    @Override
    public Integer call() {
      return run("/api/v1/replay/verify", false);
    }
  }

  /** {@code replay swap}: the same, and the live lookup becomes what the events say. */
  @Command(
      name = "swap",
      description = "Rebuilds, compares and puts the rebuilt lookup in place.",
      mixinStandardHelpOptions = true,
      footer = {"", "Exit codes: 0 done, 3 could not be done; the live lookup is then untouched."})
  static final class Swap extends Run {
    @Override
    public Integer call() {
      int code = run("/api/v1/replay/swap", true);
      return code == LedgerCli.DIFFERENT ? 0 : code;
    }
  }

  /** {@code replay unreadable}: what was found, and what stands still. */
  @Command(
      name = "unreadable",
      description = "Lists the events that cannot be read, and the projections that wait for one.",
      mixinStandardHelpOptions = true)
  static final class Unreadable implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Override
    public Integer call() {
      Remote.Answer answer = remote.get("/api/v1/replay/quarantine");
      if (answer.status() != 200) {
        throw Remote.refused("replay unreadable", answer);
      }
      JsonNode json = JSON.readTree(answer.body());
      json.path("standing").forEach(line -> System.out.println(line.asString()));
      System.out.printf("%-36s %-11s %-30s %s%n", "EVENT", "STATE", "STREAM", "WHY");
      for (JsonNode event : json.path("events")) {
        System.out.printf(
            "%-36s %-11s %-30s %s%n",
            event.path("event_id").asString(),
            event.path("state").asString(),
            event.path("stream").asString(),
            event.path("reason").asString());
      }
      return 0;
    }
  }

  /** {@code replay quarantine}: projections pass an event that cannot be read. */
  @Command(
      name = "quarantine",
      description = {
        "Lets projections and replays pass one event that cannot be read, after a review.",
        "As long no token of its name is valid and the name obeys no command."
      },
      mixinStandardHelpOptions = true,
      footer = {"", "--reason is required: it goes into the audit."})
  static final class Quarantine extends Change {
    @Override
    public Integer call() {
      return change("/api/v1/replay/quarantine", "quarantined");
    }
  }

  /** {@code replay release}: it is read again. */
  @Command(
      name = "release",
      description = "Takes a quarantined event again that this version can read.",
      mixinStandardHelpOptions = true,
      footer = {"", "--reason is required: it goes into the audit."})
  static final class Release extends Change {
    @Override
    public Integer call() {
      return change("/api/v1/replay/release", "released");
    }
  }

  /** What these two have in common. */
  abstract static class Change implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Parameters(paramLabel = "EVENT_ID", description = "As `replay unreadable` lists it")
    private String eventId = "";

    int change(String route, String done) {
      Remote.Answer answer =
          remote.post(route, JSON.createObjectNode().put("event_id", eventId).toString());
      if (answer.status() != 200) {
        throw Remote.refused("replay", answer);
      }
      System.out.println("event " + eventId + " is " + done);
      return 0;
    }
  }

  /** What both have in common: through the server, or on the database itself. */
  abstract static class Run implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Mixin private OfflineDatabase database = new OfflineDatabase();

    @Option(
        names = "--ledger-key-file",
        paramLabel = "FILE",
        description =
            "Without a server, to record a swap. Default DIR/ledger.key [LEDGER_KEY_FILE]")
    private @Nullable String ledgerKeyFile;

    @Option(
        names = "--subject-key-store",
        paramLabel = "DIR",
        description =
            "Without a server, to record a swap. Default DIR/subject-keys"
                + " [LEDGER_SUBJECT_KEY_STORE]")
    private @Nullable String subjectKeyStore;

    private @Nullable ReplayReport report;
    private @Nullable String error;

    int run(String route, boolean swap) {
      if (database.isGiven()) {
        runHere(swap);
      } else {
        runThere(route);
      }
      if (report == null) {
        throw new CommandFailed(LedgerCli.UNKNOWN, error == null ? "the server broke off" : error);
      }
      print(report);
      return report.differenceCount() == 0 ? 0 : LedgerCli.DIFFERENT;
    }

    private void runThere(String route) {
      int status;
      try {
        status = remote.stream(route, this::line);
      } catch (CommandFailed e) {
        throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
      }
      if (status != 200) {
        throw new CommandFailed(
            LedgerCli.UNKNOWN,
            String.valueOf(
                Remote.refused("replay", new Remote.Answer(status, String.valueOf(error)))
                    .getMessage()));
      }
    }

    private void line(String text) {
      if (!text.startsWith("{")) {
        error = text;
        return;
      }
      JsonNode json = JSON.readTree(text);
      switch (json.path("type").asString("")) {
        case "progress" -> progress(json.path("done").asLong(), json.path("total").asLong());
        case "report" -> report = report(json);
        default -> error = json.path("error").asString(text);
      }
    }

    private static ReplayReport report(JsonNode json) {
      List<Difference> differences = new ArrayList<>();
      for (JsonNode row : json.path("differences")) {
        differences.add(
            new Difference(
                row.path("kind").asString(),
                row.path("token_id").asLong(),
                row.path("token_name").asString(),
                row.path("hash_prefix").asString(),
                row.path("detail").asString("")));
      }
      return new ReplayReport(
          json.path("events").asLong(),
          json.path("rows").asLong(),
          differences,
          json.path("difference_count").asLong(),
          json.path("swapped").asBoolean(),
          json.path("millis").asLong());
    }

    private void runHere(boolean swap) {
      try (OfflineDatabase.Opened opened = database.open();
          Ledger.Offline ledger = Ledger.openOffline(opened.url(), new SimpleMeterRegistry())) {
        Instant started = Instant.now();
        report = swap ? ledger.replay().swap(Run::progress) : ledger.replay().verify(Run::progress);
        if (swap) {
          record(ledger, report.differenceCount() == 0, started);
        }
      } catch (IllegalStateException
          | IllegalArgumentException
          | LedgerUnavailable
          | UnreadableEvent e) {
        throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
      }
    }

    /** The swap is done by then: what keeps it out of the history is said, and no failure. */
    private void record(Ledger.Offline ledger, boolean equal, Instant started) {
      Path key = file(ledgerKeyFile, "LEDGER_KEY_FILE", "ledger.key");
      Path subjects = file(subjectKeyStore, "LEDGER_SUBJECT_KEY_STORE", "subject-keys");
      try {
        if (key == null || subjects == null) {
          throw new IllegalStateException("give --ledger-key-file and --subject-key-store");
        }
        ledger.recordSwap(new Ledger.OfflineKeys(key, subjects), remote.offline(), equal, started);
      } catch (IllegalStateException | LedgerUnavailable e) {
        System.err.println("ledger: no event records this swap: " + e.getMessage());
      }
    }

    private @Nullable Path file(@Nullable String flag, String variable, String beside) {
      String given = Remote.firstOf(flag, variable);
      Path dataDir = database.dataDir();
      return given != null ? Path.of(given) : dataDir == null ? null : dataDir.resolve(beside);
    }

    private static void progress(long done, long total) {
      if (!Terminal.isPerson() || total == 0) {
        return;
      }
      int filled = (int) (BAR * Math.min(done, total) / total);
      System.err.printf(
          "\r[%s%s] %d/%d events", "#".repeat(filled), "-".repeat(BAR - filled), done, total);
      if (done >= total) {
        System.err.println();
      }
    }

    private static void print(ReplayReport report) {
      System.out.printf(
          "%d events make %d lookup rows (%d ms)%n",
          report.events(), report.rows(), report.millis());
      if (report.differenceCount() == 0) {
        System.out.println("equal: the live lookup is what the events say");
      } else {
        System.out.printf("%d differences%n", report.differenceCount());
        System.out.printf("%-8s %-9s %-10s %-30s %s%n", "KIND", "TOKEN", "HASH", "NAME", "DETAIL");
        report.differences().stream()
            .limit(MAX_SHOWN)
            .forEach(
                row ->
                    System.out.printf(
                        "%-8s %-9d %-10s %-30s %s%n",
                        row.kind(),
                        row.tokenId(),
                        row.hashPrefix(),
                        row.tokenName(),
                        row.detail()));
      }
      if (report.swapped()) {
        System.out.println("swapped: the rebuilt lookup is in place");
      }
    }
  }
}

package io.tokenledger.cli;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.replay.Replay;
import io.tokenledger.replay.ReplayJob;
import io.tokenledger.replay.ReplayReport;
import io.tokenledger.replay.ReplayReport.Difference;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.token.HumanDuration;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code replay}: projections built again from the events, compared, and put in place. */
@Command(
    name = "replay",
    description = "Rebuilds projections from the events beside the live ones.",
    mixinStandardHelpOptions = true,
    subcommands = {
      ReplayCommand.Start.class,
      ReplayCommand.Status.class,
      ReplayCommand.Verify.class,
      ReplayCommand.Swap.class,
      ReplayCommand.Rollback.class,
      ReplayCommand.History.class,
      ReplayCommand.Pause.class,
      ReplayCommand.Resume.class,
      ReplayCommand.Drop.class,
      ReplayQuarantine.Unreadable.class,
      ReplayQuarantine.Quarantine.class,
      ReplayQuarantine.Release.class,
      ReplayRestoreCommand.class
    })
final class ReplayCommand {

  private static final JsonMapper JSON = JsonMapper.shared();
  private static final String ROUTES = "/api/v1/replay/";
  private static final int MAX_SHOWN = 50;
  private static final String CODES = "Exit codes: 0 done, 2 different, 3 could not be done.";

  /** How a command asks and answers. */
  abstract static class Asking implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Option(
        names = "--format",
        paramLabel = "FORMAT",
        description = "pretty or jsonl, an object a line with progress. Default pretty")
    private String format = "pretty";

    Remote remote() {
      return remote;
    }

    boolean isJson() {
      if (!format.equals("pretty") && !format.equals("jsonl")) {
        throw new CommandFailed(LedgerCli.USAGE, "--format must be pretty or jsonl");
      }
      return format.equals("jsonl");
    }

    /** The answer, or what was refused: exit 3. */
    JsonNode asked(UnaryOperator<String> path, boolean post) {
      try {
        String route = path.apply(ROUTES);
        Remote.Answer answer = post ? remote.post(route, null) : remote.get(route);
        if (answer.status() / 100 == 2) {
          return JSON.readTree(answer.body());
        }
        throw Remote.refused("replay", answer);
      } catch (CommandFailed e) {
        throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
      }
    }

    void show(JsonNode job) {
      System.out.println(isJson() ? job.toString() : line(job));
    }

    static String line(JsonNode job) {
      StringBuilder line = new StringBuilder();
      line.append("replay ").append(job.path("replay_id").asLong());
      line.append(' ').append(job.path("moment").asString());
      line.append(' ').append(job.path("state").asString());
      line.append(job.path("paused").asBoolean() ? " (paused)" : "");
      List<String> projections = new ArrayList<>();
      job.path("projections").forEach(each -> projections.add(each.asString()));
      line.append(": ").append(String.join(", ", projections));
      line.append("; ").append(job.path("events_done").asLong());
      line.append(" of about ").append(job.path("events_total").asLong()).append(" events, ");
      line.append(job.path("events_per_second").asLong()).append("/s");
      if (job.path("remaining_millis").isNumber()) {
        line.append(", ").append(job.path("remaining_millis").asLong() / 1_000).append(" s left");
      }
      line.append("; leaf ").append(job.path("position").asLong());
      line.append(" of ").append(job.path("tree_size").asLong());
      if (job.path("difference_count").isNumber()) {
        line.append("; ").append(job.path("difference_count").asLong()).append(" differences");
        if (job.path("difference_count").asLong() > 0) {
          line.append(' ').append(job.path("digest").asString());
        }
      }
      if (job.path("error").isString()) {
        line.append("; ").append(job.path("error").asString());
      }
      if (!job.path("moment").asString().equals(Replay.LIVE)) {
        line.append("; schema ").append(job.path("schema").asString());
        line.append(" until ").append(job.path("drop_after").asString(""));
      }
      line.append("; by ").append(job.path("started_by").asString());
      line.append(" at ").append(job.path("started_at").asString());
      return Terminal.shown(line.toString());
    }

    static void progress(long done, long total, long perSecond) {
      Terminal.progress(done, total, "events", perSecond);
    }
  }

  /** One replay, or the newest. */
  abstract static class One extends Asking {

    @Option(
        names = "--replay",
        paramLabel = "ID",
        description = "Which. Default: the newest whose tables are there")
    private @Nullable Long id;

    /** The route with the replay and what else is asked. */
    String path(String routes, String verb, @Nullable String more) {
      List<String> asked = new ArrayList<>();
      if (id != null) {
        asked.add("id=" + id);
      }
      if (more != null) {
        asked.add(more);
      }
      return routes + verb + (asked.isEmpty() ? "" : "?" + String.join("&", asked));
    }

    int direct(String verb) {
      show(asked(routes -> path(routes, verb, null), true));
      return 0;
    }
  }

  /** {@code replay start}. */
  @Command(
      name = "start",
      description = "Begins a rebuild while the live projections serve and writes go on.",
      mixinStandardHelpOptions = true,
      footer = {"", CODES})
  static final class Start extends Asking {

    @Parameters(
        arity = "0..*",
        paramLabel = "PROJECTION",
        description = "token_lookup, token, token_history, audit_log. Default all")
    private List<String> projections = new ArrayList<>();

    @Option(names = "--wait", description = "Until it is ready, with progress")
    private boolean wait;

    @Option(
        names = "--to",
        paramLabel = "MOMENT",
        description =
            "leaf:N or time:INSTANT: what they held then, in a schema of its own for a look")
    private @Nullable String to;

    @Option(
        names = "--lease",
        paramLabel = "DURATION",
        description = "With --to: when that is dropped by itself. Default 24h")
    private @Nullable String lease;

    @Override
    public Integer call() {
      List<String> asked = new ArrayList<>();
      if (!projections.isEmpty()) {
        asked.add("projections=" + Remote.encode(String.join(",", projections)));
      }
      if (to != null) {
        asked.add("to=" + Remote.encode(to));
      }
      if (lease != null) {
        asked.add("lease_seconds=" + seconds(lease));
      }
      JsonNode job =
          asked(
              routes -> routes + "start" + (asked.isEmpty() ? "" : "?" + String.join("&", asked)),
              true);
      show(job);
      return wait ? await(job.path("replay_id").asLong()) : 0;
    }

    private static long seconds(String lease) {
      try {
        return HumanDuration.parseSeconds(lease);
      } catch (IllegalArgumentException e) {
        throw new CommandFailed(LedgerCli.USAGE, "--lease " + e.getMessage());
      }
    }

    private int await(long id) {
      while (true) {
        JsonNode job = asked(routes -> routes + "status?id=" + id, false);
        String state = job.path("state").asString();
        if (isJson()) {
          System.out.println(job);
        } else {
          progress(
              job.path("events_done").asLong(),
              job.path("events_total").asLong(),
              job.path("events_per_second").asLong());
        }
        boolean working =
            List.of("building", "indexing", "catching_up").contains(state)
                && !job.path("paused").asBoolean();
        if (!working) {
          if (!isJson()) {
            Terminal.endProgress();
            show(job);
          }
          return state.equals("ready") ? 0 : LedgerCli.UNKNOWN;
        }
        try {
          Thread.sleep(500);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          return LedgerCli.UNKNOWN;
        }
      }
    }
  }

  /** {@code replay status}. */
  @Command(
      name = "status",
      description = "How far a replay is: position, rate, remaining time.",
      mixinStandardHelpOptions = true)
  static final class Status extends One {
    @Override
    public Integer call() {
      show(asked(routes -> path(routes, "status", null), false));
      return 0;
    }
  }

  /** {@code replay history}. */
  @Command(
      name = "history",
      description = "The newest replays, and what became of them.",
      mixinStandardHelpOptions = true)
  static final class History extends Asking {
    @Override
    public Integer call() {
      asked(routes -> routes + "history", false).path("replays").forEach(this::show);
      return 0;
    }
  }

  /** {@code replay pause}. */
  @Command(
      name = "pause",
      description = "Nobody works on a replay until it is resumed.",
      mixinStandardHelpOptions = true)
  static final class Pause extends One {
    @Override
    public Integer call() {
      return direct("pause");
    }
  }

  /** {@code replay resume}. */
  @Command(
      name = "resume",
      description = "A replay goes on where it was, also one that failed.",
      mixinStandardHelpOptions = true)
  static final class Resume extends One {
    @Override
    public Integer call() {
      return direct("resume");
    }
  }

  /** {@code replay drop}. */
  @Command(
      name = "drop",
      description = "Drops the tables that lie aside: those built, or once swapped those replaced.",
      mixinStandardHelpOptions = true)
  static final class Drop extends One {
    @Override
    public Integer call() {
      return direct("drop");
    }
  }

  /** {@code replay verify}: exit 0 when equal, 2 when not, 3 when it could not be found out. */
  @Command(
      name = "verify",
      description =
          "Compares what is rebuilt with the live rows; without a rebuild, makes one of the"
              + " lookup.",
      mixinStandardHelpOptions = true,
      footer = {"", "Exit codes: 0 equal, 2 different, 3 could not be found out."})
  static final class Verify extends Offline {
    @Override
    public Integer call() {
      return database().isGiven() ? here() : stream("verify", null);
    }

    private int here() {
      return offline(
          ledger -> {
            ReplayReport report = compared(ledger);
            print(report);
            if (report.differenceCount() == 0) {
              ledger.replay().drop(report.replayId());
            }
            return report.differenceCount() == 0 ? 0 : LedgerCli.DIFFERENT;
          });
    }
  }

  /** {@code replay swap}: what is rebuilt becomes the live generation. */
  @Command(
      name = "swap",
      description = "Puts what is rebuilt in place, equal or with the differences accepted.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Exit codes: 0 done, 2 different and not accepted, 3 could not be done.",
        "Unless it is 0 the live projections are untouched."
      })
  static final class Swap extends Offline {

    @Option(
        names = "--accept-differences",
        paramLabel = "DIGEST",
        description = "The digest that verify shows")
    private @Nullable String accept;

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

    @Override
    public Integer call() {
      return database().isGiven() ? here() : stream("swap", accepted(accept));
    }

    private int here() {
      Instant started = Instant.now();
      return offline(
          ledger -> {
            ReplayReport report = compared(ledger);
            print(report);
            Replay.Exchange done = ledger.replay().swap(report.replayId(), accept);
            print(done.swapped(), done.digest());
            if (!done.swapped()) {
              return LedgerCli.DIFFERENT;
            }
            record(ledger, done.differenceCount() == 0, started);
            return 0;
          });
    }

    /** The swap is done by then: what keeps it out of the history is said, and no failure. */
    private void record(Ledger.Offline ledger, boolean equal, Instant started) {
      Path key = file(ledgerKeyFile, "LEDGER_KEY_FILE", "ledger.key");
      Path subjects = file(subjectKeyStore, "LEDGER_SUBJECT_KEY_STORE", "subject-keys");
      try {
        if (key == null || subjects == null) {
          throw new IllegalStateException("give --ledger-key-file and --subject-key-store");
        }
        ledger.recordSwap(
            new Ledger.OfflineKeys(key, subjects), remote().offline(), equal, started);
      } catch (IllegalStateException | LedgerUnavailable e) {
        System.err.println("ledger: no event records this swap: " + e.getMessage());
      }
    }

    private @Nullable Path file(@Nullable String flag, String variable, String beside) {
      String given = Remote.firstOf(flag, variable);
      Path dataDir = database().dataDir();
      return given != null ? Path.of(given) : dataDir == null ? null : dataDir.resolve(beside);
    }
  }

  /** {@code replay rollback}. */
  @Command(
      name = "rollback",
      description = "Puts what a swap replaced back in place, under the same conditions.",
      mixinStandardHelpOptions = true,
      footer = {"", CODES})
  static final class Rollback extends Streaming {

    @Option(
        names = "--accept-differences",
        paramLabel = "DIGEST",
        description = "The digest that verify shows")
    private @Nullable String accept;

    @Override
    public Integer call() {
      return stream("rollback", accepted(accept));
    }
  }

  static @Nullable String accepted(@Nullable String digest) {
    return digest == null ? null : "accept_differences=" + Remote.encode(digest);
  }

  /** Commands whose answer comes line by line. */
  abstract static class Streaming extends One {

    private @Nullable JsonNode last;
    private @Nullable String error;

    int stream(String verb, @Nullable String more) {
      int status;
      try {
        status = remote().stream(path(ROUTES, verb, more), this::line);
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
      JsonNode end = last;
      if (end == null) {
        throw new CommandFailed(LedgerCli.UNKNOWN, error == null ? "the server broke off" : error);
      }
      if (!isJson()) {
        if (end.path("type").asString().equals("report")) {
          print(report(end));
        } else {
          print(end.path("swapped").asBoolean(), end.path("digest").asString());
        }
      }
      boolean done =
          end.path("type").asString().equals("report")
              ? end.path("equal").asBoolean()
              : end.path("swapped").asBoolean();
      return done ? 0 : LedgerCli.DIFFERENT;
    }

    private void line(String text) {
      if (!text.startsWith("{")) {
        error = text;
        return;
      }
      JsonNode json = JSON.readTree(text);
      String type = json.path("type").asString("");
      if (isJson() && !type.isEmpty()) {
        System.out.println(text);
      }
      switch (type) {
        case "progress" -> {
          if (!isJson()) {
            progress(
                json.path("done").asLong(),
                json.path("total").asLong(),
                json.path("per_second").asLong());
          }
        }
        case "report", "exchange" -> {
          Terminal.endProgress();
          last = json;
        }
        default -> error = json.path("error").asString(text);
      }
    }

    private static ReplayReport report(JsonNode json) {
      List<Difference> differences = new ArrayList<>();
      for (JsonNode row : json.path("differences")) {
        differences.add(
            new Difference(
                row.path("table").asString(),
                row.path("kind").asString(),
                row.path("key").asString(),
                row.path("token_id").isNumber() ? row.path("token_id").asLong() : null,
                row.path("token_name").isString() ? row.path("token_name").asString() : null,
                row.path("detail").asString("")));
      }
      return new ReplayReport(
          json.path("replay_id").asLong(),
          json.path("events").asLong(),
          digests(json.path("live")),
          digests(json.path("rebuilt")),
          differences,
          json.path("difference_count").asLong(),
          json.path("digest").asString(),
          json.path("millis").asLong());
    }

    private static Map<String, ReplayReport.Digest> digests(JsonNode json) {
      Map<String, ReplayReport.Digest> digests = new TreeMap<>();
      json.properties()
          .forEach(
              each ->
                  digests.put(
                      each.getKey(),
                      new ReplayReport.Digest(
                          each.getValue().path("rows").asLong(),
                          each.getValue().path("sha256").asString())));
      return digests;
    }

    static void print(ReplayReport report) {
      System.out.printf(
          "replay %d: %d events make %d rows (compared in %d ms)%n",
          report.replayId(), report.events(), report.rows(), report.millis());
      report
          .rebuilt()
          .forEach(
              (table, digest) -> {
                ReplayReport.Digest live = report.live().get(table);
                System.out.printf("  %-15s %9d rows  %s%n", table, digest.rows(), digest.hex());
                if (!digest.equals(live) && live != null) {
                  System.out.printf("  %-15s %9d rows  %s%n", "  live", live.rows(), live.hex());
                }
              });
      if (report.differenceCount() == 0) {
        System.out.println("equal: the live rows are what the events say");
        return;
      }
      System.out.printf("%d differences%n", report.differenceCount());
      List<List<String>> rows = new ArrayList<>();
      rows.add(List.of("KIND", "TABLE", "TOKEN", "NAME", "KEY", "DETAIL"));
      report.differences().stream()
          .limit(MAX_SHOWN)
          .forEach(
              row ->
                  rows.add(
                      List.of(
                          row.kind(),
                          row.table(),
                          row.tokenId() == null ? "-" : row.tokenId().toString(),
                          row.tokenName() == null ? "-" : Terminal.shown(row.tokenName()),
                          Terminal.shown(row.key()),
                          Terminal.shown(row.detail()))));
      Terminal.printTable(rows);
      System.out.println("digest: " + report.digest());
    }

    static void print(boolean swapped, String digest) {
      System.out.println(
          swapped
              ? "swapped: the other generation is in place"
              : "not swapped: they differ; to do it nevertheless give --accept-differences "
                  + digest);
    }
  }

  /** Through the server, or on the database itself. */
  abstract static class Offline extends Streaming {

    @Mixin private OfflineDatabase database = new OfflineDatabase();

    OfflineDatabase database() {
      return database;
    }

    /** What is done on the database itself. */
    interface Work {
      int with(Ledger.Offline ledger);
    }

    int offline(Work work) {
      try (OfflineDatabase.Opened opened = database.open();
          Ledger.Offline ledger = Ledger.openOffline(opened.url(), new SimpleMeterRegistry())) {
        return work.with(ledger);
      } catch (IllegalStateException
          | IllegalArgumentException
          | LedgerUnavailable
          | Replay.ReplayRefused
          | UnreadableEvent e) {
        throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
      }
    }

    ReplayReport compared(Ledger.Offline ledger) {
      ReplayJob ready = ledger.replay().ready("offline", this::heard);
      if (!isJson()) {
        Terminal.endProgress();
      }
      return ledger.replay().compare(ready.id());
    }

    private void heard(ReplayJob job) {
      if (isJson()) {
        ObjectNode json = JSON.createObjectNode();
        json.put("type", "progress");
        json.put("state", job.state().name().toLowerCase(Locale.ROOT));
        json.put("done", job.eventsDone());
        json.put("total", job.eventsTotal());
        json.put("per_second", job.eventsPerSecond());
        System.out.println(json);
      } else {
        progress(job.eventsDone(), job.eventsTotal(), job.eventsPerSecond());
      }
    }
  }
}

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.LedgerOptions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import io.tokenledger.replay.Replay;
import io.tokenledger.replay.ReplayJob;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryPoolMXBean;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.List;
import java.util.Locale;

/**
 * How long a rebuild takes over how many events, and how much memory: for each twentieth of the
 * events the seconds so far, the rate within it, and what the heap held after its last full
 * collection. Before it, how fast the sequencer drains those events. The live projections are told
 * that they have followed everything, so that they do not take the cores.
 *
 * <p>Run it with ops/bench/replay-curve, on what ops/bench/generate made.
 */
public class ReplayCurve {

  private static final int PARTS = 20;

  private static long part;
  private static long lastEvents;
  private static long lastMillis;

  public static void main(String[] args) throws Exception {
    Path root = Path.of(args[0]).toAbsolutePath();
    Path data = Path.of(args[1]).toAbsolutePath();
    try (EmbeddedPostgres postgres =
        EmbeddedPostgres.start(data, root.resolve("ledger-api/target/app/postgres"))) {
      DatabaseUrl url = postgres.url();
      long events = number(url, "SELECT count(*) FROM ledger.event");
      execute(
          url,
          "UPDATE views.follower SET next_leaf_index = "
              + events
              + " WHERE name IN ('token', 'audit_log', 'token_history')");
      try (Ledger ledger = open(url, data)) {
        drained(url, events);
        rebuilt(ledger.replay(), List.of(Replay.LOOKUP));
        rebuilt(ledger.replay(), List.of());
      }
    }
  }

  private static Ledger open(DatabaseUrl url, Path data) {
    return Ledger.open(
        new LedgerOptions(
            url,
            data.resolve("ledger.key"),
            data.resolve("subject-keys"),
            "token-ledger",
            "bench",
            8,
            List.of(data.resolve("signing.key")),
            data.resolve("state"),
            null,
            null,
            List.of(),
            null,
            List.of()),
        new SimpleMeterRegistry());
  }

  private static Connection connect(DatabaseUrl url) throws Exception {
    return DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
  }

  private static void execute(DatabaseUrl url, String sql) throws Exception {
    try (Connection connection = connect(url);
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  private static long number(DatabaseUrl url, String sql) throws Exception {
    try (Connection connection = connect(url);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(sql)) {
      row.next();
      return row.getLong(1);
    }
  }

  private static long millis(long since) {
    return (System.nanoTime() - since) / 1_000_000;
  }

  private static void drained(DatabaseUrl url, long events) throws Exception {
    long begun = System.nanoTime();
    long first = number(url, "SELECT size FROM audit.tree_head");
    long size = first;
    for (long next = first + events / 10; size < events; ) {
      Thread.sleep(200);
      size = number(url, "SELECT size FROM audit.tree_head");
      if (size >= next) {
        System.out.printf(
            Locale.ROOT, "sequencer: %,d leaves after %d s, %,d/s%n",
            size, millis(begun) / 1_000, (size - first) * 1_000 / millis(begun));
        next += events / 10;
      }
    }
  }

  private static void rebuilt(Replay replay, List<String> projections) {
    part = 1;
    lastEvents = 0;
    lastMillis = 0;
    long begun = System.nanoTime();
    ReplayJob job = replay.start(projections, "bench");
    ReplayJob ready = replay.await(job.id(), now -> show(now, millis(begun)));
    System.out.printf(
        Locale.ROOT, "%s: %,d events in %,d ms, %,d/s, with indexes and catching up %,d ms%n",
        job.projections(), ready.eventsDone(), ready.workMillis(), ready.eventsPerSecond(),
        millis(begun));
    replay.drop(job.id());
  }

  private static void show(ReplayJob job, long millis) {
    if (job.eventsDone() * PARTS < part * job.eventsTotal()) {
      return;
    }
    part = job.eventsDone() * PARTS / job.eventsTotal() + 1;
    long kept =
        ManagementFactory.getMemoryPoolMXBeans().stream()
            .filter(pool -> pool.getCollectionUsage() != null)
            .mapToLong(pool -> pool.getCollectionUsage().getUsed())
            .sum();
    System.out.printf(
        Locale.ROOT, "  %,d events after %,d ms, %,d/s since the line before, heap %d MB of %d%n",
        job.eventsDone(), millis, (job.eventsDone() - lastEvents) * 1_000 / (millis - lastMillis),
        kept >> 20, Runtime.getRuntime().maxMemory() >> 20);
    lastEvents = job.eventsDone();
    lastMillis = millis;
  }
}

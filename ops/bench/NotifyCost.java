import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * What telling other nodes of a commit costs the commits: by {@code NOTIFY} in each transaction, by
 * one after some of them on a connection of its own, or by nodes that poll. Commits a second of 16
 * connections that insert one small row each, in turn, on one PostgreSQL.
 *
 * <p>Run it with ops/bench/notify-cost.
 */
public class NotifyCost {

  private static final int WRITERS = 16;
  private static final int NODES = 3;
  private static final int SECONDS = 4;
  private static final int ROUNDS = 5;

  interface Way {
    void run(Connection connection) throws Exception;
  }

  public static void main(String[] args) throws Exception {
    Path home = Path.of(args[0]).toAbsolutePath();
    Path work = Files.createTempDirectory("ledger-bench");
    try (EmbeddedPostgres postgres =
        EmbeddedPostgres.start(
            work.resolve("data"), home.resolve("ledger-api/target/app/postgres"))) {
      DatabaseUrl url = postgres.url();
      try (Connection connection = connect(url);
          Statement statement = connection.createStatement()) {
        statement.execute(
            "CREATE TABLE change (id bigserial PRIMARY KEY, xid xid8 NOT NULL DEFAULT"
                + " pg_current_xact_id())");
        statement.execute("CREATE INDEX ON change (xid)");
      }
      System.out.println(
          "commits a second of " + WRITERS + " connections, and as a part of those with nothing");
      for (int round = 0; round < ROUNDS; round++) {
        double bare = commits(url, false, List.of());
        double inside = commits(url, true, List.of());
        double after = commits(url, false, List.of(NotifyCost::notifyOften));
        List<Way> polls = new ArrayList<>();
        for (int node = 0; node < NODES; node++) {
          polls.add(new Poll());
        }
        double polled = commits(url, false, polls);
        System.out.printf(
            Locale.ROOT,
            "nothing %6.0f | NOTIFY inside %6.0f (%.2f) | NOTIFY after, at most each 5 ms %6.0f"
                + " (%.2f) | %d nodes poll each 10 ms %6.0f (%.2f)%n",
            bare, inside, inside / bare, after, after / bare, NODES, polled, polled / bare);
      }
    } finally {
      try (Stream<Path> files = Files.walk(work)) {
        files.sorted((a, b) -> b.compareTo(a)).forEach(file -> file.toFile().delete());
      }
    }
  }

  private static double commits(DatabaseUrl url, boolean notify, List<Way> beside)
      throws Exception {
    AtomicLong commits = new AtomicLong();
    List<Thread> threads = new ArrayList<>();
    long end = System.nanoTime() + SECONDS * 1_000_000_000L;
    for (int i = 0; i < WRITERS; i++) {
      threads.add(
          running(
              url,
              connection -> {
                connection.setAutoCommit(false);
                try (PreparedStatement insert =
                        connection.prepareStatement("INSERT INTO change DEFAULT VALUES");
                    PreparedStatement tell =
                        connection.prepareStatement("SELECT pg_notify('change', '')")) {
                  while (System.nanoTime() < end) {
                    insert.executeUpdate();
                    if (notify) {
                      tell.execute();
                    }
                    connection.commit();
                    commits.incrementAndGet();
                  }
                }
              }));
    }
    for (Way way : beside) {
      threads.add(
          running(
              url,
              connection -> {
                while (System.nanoTime() < end) {
                  way.run(connection);
                }
              }));
    }
    for (Thread thread : threads) {
      thread.join();
    }
    return (double) commits.get() / SECONDS;
  }

  private static void notifyOften(Connection connection) throws Exception {
    try (Statement statement = connection.createStatement()) {
      statement.execute("NOTIFY change");
    }
    LockSupport.parkNanos(5_000_000);
  }

  /** As a node does: whatever the snapshot before did not see. */
  private static final class Poll implements Way {

    private String since = "1:1:";

    @Override
    public void run(Connection connection) throws Exception {
      try (PreparedStatement statement =
          connection.prepareStatement(
              """
              SELECT head.snapshot::text, id
                FROM (SELECT pg_current_snapshot() AS snapshot) AS head
                LEFT JOIN change
                       ON xid >= pg_snapshot_xmax(?::pg_snapshot)
                       OR xid = ANY (ARRAY (SELECT pg_snapshot_xip(?::pg_snapshot)))
              """)) {
        String before =
            since.equals("1:1:") ? text(connection, "SELECT pg_current_snapshot()::text") : since;
        statement.setString(1, before);
        statement.setString(2, before);
        try (ResultSet row = statement.executeQuery()) {
          row.next();
          since = row.getString(1);
        }
      }
      LockSupport.parkNanos(10_000_000);
    }

    private static String text(Connection connection, String sql) throws Exception {
      try (Statement statement = connection.createStatement()) {
        statement.execute("SET plan_cache_mode = force_custom_plan");
        statement.execute("SET enable_seqscan = off");
        try (ResultSet row = statement.executeQuery(sql)) {
          row.next();
          return row.getString(1);
        }
      }
    }
  }

  private static Thread running(DatabaseUrl url, Way way) {
    Thread thread =
        new Thread(
            () -> {
              try (Connection connection = connect(url)) {
                way.run(connection);
              } catch (Exception e) {
                throw new IllegalStateException(e);
              }
            });
    thread.start();
    return thread;
  }

  private static Connection connect(DatabaseUrl url) throws Exception {
    return DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
  }
}

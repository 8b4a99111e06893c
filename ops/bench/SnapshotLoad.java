import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.LedgerOptions;
import io.tokenledger.ledger.Proposal;
import io.tokenledger.permission.Permissions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import io.tokenledger.token.Actor;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.TokenCommand;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenCommand.ResumeToken;
import io.tokenledger.token.TokenCommand.SuspendToken;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenSecret;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.List;

/**
 * A command for a name that was suspended and resumed 100,000 times: its time from the call to the
 * commit, once with all events to read and once from the snapshot. No sequencer runs beside it.
 *
 * <p>Run it with ops/bench/snapshot-load.
 */
public class SnapshotLoad {

  private static final int EVENTS = 100_000;
  private static final int ROUNDS = 11;
  private static final TokenName NAME = new TokenName("long");

  public static void main(String[] args) throws Exception {
    Path home = Path.of(args[0]).toAbsolutePath();
    Path work = Files.createTempDirectory("ledger-bench");
    try (EmbeddedPostgres postgres =
        EmbeddedPostgres.start(work.resolve("data"), home.resolve("ledger-api/target/app/postgres"))) {
      DatabaseUrl database = postgres.url().on("postgres");
      LedgerOptions options =
          new LedgerOptions(
              database, work.resolve("key"), work.resolve("subjects"), "bench", "n1", 4, List.of(),
              work.resolve("state"), null, null, List.of(), null, List.of());
      try (Ledger ledger = Ledger.open(options, new SimpleMeterRegistry());
          Connection connection =
              DriverManager.getConnection(database.jdbcUrl(), database.user(), database.password());
          Statement statement = connection.createStatement()) {
        measure(ledger, statement);
      }
    }
  }

  private static void measure(Ledger ledger, Statement statement) throws Exception {
    TokenId id =
        ledger
            .execute(
                Proposal.withNewId(
                    NAME,
                    newId ->
                        new CreateResourceToken(
                            NAME, newId, TokenSecret.generate(new SecureRandom()).hash(),
                            Permissions.parse(List.of("db:a:read")), now(), Expiry.NEVER,
                            Actor.SYSTEM)),
                context())
            .join()
            .id();
    run(ledger, new SuspendToken(NAME, id, now(), Actor.SYSTEM));
    run(ledger, new ResumeToken(NAME, id, now(), Actor.SYSTEM));
    statement.execute(
        "INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,"
            + " event_type, revision, occurred_at, payload, metadata, mac)"
            + " SELECT 'copy-' || n, aggregate_id, n, aggregate_type, event_type, revision,"
            + " occurred_at, payload, metadata, mac FROM generate_series(3, " + (EVENTS - 1) + ") AS n"
            + " JOIN ledger.event ON aggregate_id = 'token:long'"
            + " AND sequence_number = CASE WHEN n % 2 = 1 THEN 1 ELSE 2 END");
    statement.execute("ANALYZE ledger.event");
    double[] without = new double[ROUNDS];
    double[] with = new double[ROUNDS];
    boolean suspend = true; // As the last copied event leaves it.
    for (int i = 0; i < ROUNDS; i++) {
      statement.execute("DELETE FROM state.snapshot");
      without[i] = time(ledger, id, suspend = !suspend);
      awaitSnapshot(statement);
      with[i] = time(ledger, id, suspend = !suspend);
    }
    Arrays.sort(without);
    Arrays.sort(with);
    double slow = without[ROUNDS / 2];
    double fast = with[ROUNDS / 2];
    System.out.printf(
        "%d events: %.1f ms without, %.1f ms with a snapshot (medians of %d), ratio %.0f%n",
        EVENTS, slow, fast, ROUNDS, slow / fast);
  }

  private static double time(Ledger ledger, TokenId id, boolean suspend) {
    long start = System.nanoTime();
    run(
        ledger,
        suspend
            ? new SuspendToken(NAME, id, now(), Actor.SYSTEM)
            : new ResumeToken(NAME, id, now(), Actor.SYSTEM));
    return (System.nanoTime() - start) / 1e6;
  }

  private static void awaitSnapshot(Statement statement) throws Exception {
    for (int i = 0; i < 600; i++) {
      try (ResultSet row = statement.executeQuery("SELECT count(*) FROM state.snapshot")) {
        row.next();
        if (row.getLong(1) == 1) {
          return;
        }
      }
      Thread.sleep(50);
    }
    throw new AssertionError("no snapshot was taken");
  }

  private static void run(Ledger ledger, TokenCommand command) {
    ledger.execute(Proposal.of(command), context()).join();
  }

  private static Instant now() {
    return Instant.now().truncatedTo(ChronoUnit.MILLIS);
  }

  private static RequestContext context() {
    return RequestContext.ofNode("bench", "snapshots", "bench");
  }
}

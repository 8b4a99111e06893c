package io.tokenledger.ledger;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.signing.SigningKeys;
import io.tokenledger.store.EventTable;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.verify.DatabaseVerification;
import io.tokenledger.verify.Verdict;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code kill -9} of a node, a hundred times at random moments while it creates tokens: events wait
 * for their leaves then, leaves for their checkpoint, and checkpoints for their row. Each node is a
 * process of its own that has a ledger and nothing above it.
 */
class KilledIT {

  private static final int KILLS = 100;
  private static final int MAX_MILLIS = 600;
  private static final int IN_FLIGHT = 8;

  @TempDir Path keys;
  private final DatabaseUrl database = TestPostgres.freshDatabase();

  /** Creates tokens until it is killed, and prints the name of each when it is acknowledged. */
  public static void main(String[] args) throws Exception {
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    // The machine starts while another node still works; its turn comes with this line.
    DatabaseUrl url = DatabaseUrl.parse(in.readLine());
    Ledger ledger = TestLedger.open(url, Path.of(args[0]));
    Semaphore inFlight = new Semaphore(IN_FLIGHT);
    for (int i = 0; true; i++) {
      inFlight.acquire();
      String name = args[1] + "-" + i;
      TestLedger.create(ledger, name, TestLedger.newHash(), "db:a:read")
          .whenComplete(
              (made, failure) -> {
                if (failure == null) {
                  System.out.println(name);
                }
                inFlight.release();
              });
    }
  }

  private Process start(int round) throws IOException {
    return new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-Daxoniq.update-checker.disabled=true",
            "-cp",
            System.getProperty("java.class.path"),
            KilledIT.class.getName(),
            keys.toString(),
            "k" + round)
        .redirectError(ProcessBuilder.Redirect.DISCARD)
        .start();
  }

  private void go(Process node) throws IOException {
    try (OutputStream in = node.getOutputStream()) {
      in.write(
          (database.jdbcUrl()
                  + "&user="
                  + database.user()
                  + "&password="
                  + database.password()
                  + "\n")
              .getBytes(StandardCharsets.UTF_8));
    }
  }

  private long number(String query) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(query)) {
      row.next();
      return row.getLong(1);
    }
  }

  private List<SignedNote> newest() throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row =
            statement.executeQuery(
                "SELECT note FROM audit.checkpoint ORDER BY size DESC LIMIT 1")) {
      return row.next() ? List.of(SignedNote.parse(row.getString(1))) : List.of();
    }
  }

  @Test
  @Tag("long")
  @Timeout(value = 8, unit = TimeUnit.MINUTES)
  void aHundredKillsBetweenInsertAndSignatureLoseNoEventAndForkNoLog() throws Exception {
    Random random = new Random(100);
    Set<String> acknowledged = new HashSet<>();
    List<SignedNote> seen = new ArrayList<>();
    int unsigned = 0;
    int unsequenced = 0;
    Process next = start(0);
    try {
      for (int round = 1; round <= KILLS; round++) {
        Process node = next;
        go(node);
        next = start(round);
        try (BufferedReader names =
            new BufferedReader(
                new InputStreamReader(node.getInputStream(), StandardCharsets.UTF_8))) {
          String first = names.readLine();
          assertTrue(first != null, "node " + round + " works");
          acknowledged.add(first);
          long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(random.nextInt(MAX_MILLIS));
          while (System.nanoTime() < end) {
            acknowledged.add(Objects.requireNonNull(names.readLine(), "it lives"));
          }
          // The process's own method would close what it said last.
          node.toHandle().destroyForcibly();
          names.lines().forEach(acknowledged::add);
        }
        assertTrue(node.waitFor(10, TimeUnit.SECONDS));
        assertEquals(137, node.exitValue(), "by SIGKILL");
        long events = number("SELECT count(*) FROM ledger.event");
        long leaves = number("SELECT size FROM audit.tree_head");
        unsequenced += events > leaves ? 1 : 0;
        unsigned += events > number("SELECT coalesce(max(size), 0) FROM audit.checkpoint") ? 1 : 0;
        seen.addAll(newest());
      }
    } finally {
      next.destroyForcibly();
    }
    System.out.println(
        acknowledged.size()
            + " acknowledged; unsequenced at "
            + unsequenced
            + ", unsigned at "
            + unsigned
            + " of "
            + KILLS
            + " kills");
    assertTrue(unsigned > KILLS / 2, "killed before the signature: " + unsigned);
    assertTrue(unsequenced > KILLS / 4, "killed before the leaf: " + unsequenced);
    try (Ledger ledger = TestLedger.open(database, keys)) {
      long events = number("SELECT count(*) FROM ledger.event");
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
      while (ledger.log().newest().map(newest -> newest.size()).orElse(0L) < events) {
        assertTrue(System.nanoTime() < end, () -> "signed: " + ledger.signingRefused());
        TimeUnit.MILLISECONDS.sleep(20);
      }
      assertEquals(0, TestLedger.differences(ledger));
    }
    Set<String> stored = new HashSet<>();
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery("SELECT token_name FROM views.token_lookup")) {
      while (row.next()) {
        stored.add(row.getString(1));
      }
    }
    acknowledged.removeAll(stored);
    assertEquals(Set.of(), acknowledged, "acknowledged and not there");
    try (Connection connection = TestPostgres.connect(database)) {
      connection.setAutoCommit(false);
      Verdict verdict =
          new DatabaseVerification(
                  Policy.of(
                      SigningKeys.loadOrCreate(List.of(keys.resolve("signing.key")))
                          .verifierKeys("test/log/1")),
                  seen,
                  new EventTable(LedgerKey.loadOrCreate(keys.resolve("ledger.key"))),
                  true)
              .run(connection, (done, total) -> {});
      assertEquals(List.of(), verdict.findings(), "each checkpoint that was ever seen continues");
      assertEquals(verdict.leaves(), verdict.checkpoint());
      assertEquals(0, verdict.pending());
    }
  }
}

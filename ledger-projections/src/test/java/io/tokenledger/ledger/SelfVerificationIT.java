package io.tokenledger.ledger;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditFilter;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.verify.Finding;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A node that reads its own log again, and what it does with what it finds. */
class SelfVerificationIT {

  @TempDir Path keys;
  private DatabaseUrl database;
  private Ledger ledger;

  @BeforeEach
  void open() throws Exception {
    database = TestPostgres.freshDatabase();
    ledger = TestLedger.open(database, keys);
    for (int i = 0; i < 5; i++) {
      TestLedger.create(ledger, "t" + i, TestLedger.newHash(), "db:a:read").join();
    }
    await(5);
  }

  @AfterEach
  void close() {
    ledger.close();
  }

  private void await(long signed) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (ledger.log().newest().map(newest -> newest.size() < signed).orElse(true)) {
      assertTrue(System.nanoTime() < end, "it is signed in time");
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  private void change(String sql) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      statement.execute("SET session_replication_role = replica");
      statement.execute(sql);
    }
  }

  private List<AuditEntry> entries(String action) {
    return ledger
        .audit()
        .search(new AuditQuery(null, action, null, null, null, null, null, null, 100))
        .entries();
  }

  @Test
  void aSoundLogIsRecordedAsVerified() throws Exception {
    assertTrue(ledger.verifySelf().isClean());
    assertEquals(1, entries("audit.verify").size());
    assertTrue(entries("audit.verify").get(0).payload().toString().contains("\"result\":\"ok\""));
    assertNull(ledger.signingRefused());
  }

  @Test
  void aChangedEventStopsTheSigningUntilItIsRight() throws Exception {
    change("UPDATE ledger.event SET revision = revision || ' ' WHERE global_index = 3");
    assertFalse(ledger.verifySelf().isClean());
    assertNotNull(ledger.signingRefused());
    TestLedger.create(ledger, "unsigned", TestLedger.newHash(), "db:a:read").join();
    long size = ledger.log().newest().orElseThrow().size();
    change("UPDATE ledger.event SET revision = rtrim(revision) WHERE global_index = 3");
    assertTrue(ledger.verifySelf().isClean());
    await(size + 1);
    assertNull(ledger.signingRefused());
    assertEquals(1, entries("log.sign").size());
    assertEquals(2, entries("audit.verify").size());
  }

  /** What was hashed is sealed: that nobody can read it any more changes no digest. */
  @Test
  void aLogWhoseSubjectsKeysWereDestroyedIsSoundAndReadsNothingPersonal() throws Exception {
    assertTrue(entries("token.create").get(0).envelope().toString().contains("Alice Example"));
    ledger.close();
    try (var files = Files.list(keys.resolve("subjects"))) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    ledger = TestLedger.open(database, keys);
    assertTrue(ledger.verifySelf().isClean());
    List<AuditEntry> found = entries("token.create");
    assertEquals(5, found.size());
    for (AuditEntry entry : found) {
      assertFalse(
          entry.envelope().toString().contains("Alice Example"), entry.envelope().toString());
      assertTrue(
          entry.envelope().toString().contains("\"on_behalf_of\":null"),
          entry.envelope().toString());
    }
    List<String> exported = new ArrayList<>();
    ledger
        .audit()
        .export(
            AuditFilter.parse("action:token.create"),
            ledger.auditSize(),
            entry -> exported.add(entry.envelope().toString()));
    assertEquals(5, exported.size());
    assertFalse(exported.toString().contains("Alice Example"));
  }

  @Test
  void aForgedRowIsReportedAndTheLogGoesOn() throws Exception {
    change(
        "INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,"
            + " event_type, revision, occurred_at, payload, metadata, mac) SELECT 'forged',"
            + " 'request:forged', 0, 'Request', event_type, revision, occurred_at, payload,"
            + " metadata, mac FROM ledger.event ORDER BY global_index LIMIT 1");
    change(
        "INSERT INTO state.event_salt (event_id, payload_salt, metadata_salt)"
            + " VALUES ('forged', sha256('a'), sha256('b'))");
    change(
        "INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,"
            + " event_type, revision, occurred_at, payload, metadata, mac) SELECT 'saltless',"
            + " 'request:saltless', 0, 'Request', event_type, revision, occurred_at, payload,"
            + " metadata, mac FROM ledger.event ORDER BY global_index LIMIT 1");
    TestLedger.create(ledger, "after", TestLedger.newHash(), "db:a:read").join();
    await(8);
    assertEquals(
        List.of("forged_event", "forged_event", "uncommitted"),
        ledger.verifySelf().findings().stream().map(Finding::kind).sorted().toList());
    assertNull(ledger.signingRefused());
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (entries("log.check_origin").isEmpty()) {
      assertTrue(System.nanoTime() < end, "the forged row has its event");
      TimeUnit.MILLISECONDS.sleep(20);
    }
    assertTrue(
        entries("log.check_origin").stream()
            .anyMatch(entry -> entry.payload().toString().contains("\"forged\"")));
  }
}

package io.tokenledger.requests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.audit.ControlEvent;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.TestLedger;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.store.LedgerUnavailable;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Statement;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class RequestLogIT {

  private static final RequestContext BY_ADMIN = TestLedger.context(TestLedger.ADMIN);

  @TempDir Path keys;
  private final DatabaseUrl database = TestPostgres.freshDatabase();
  private Ledger ledger;

  @BeforeEach
  void open() {
    ledger = TestLedger.open(database, keys);
  }

  @AfterEach
  void close() {
    ledger.close();
  }

  private List<AuditEntry> entries() {
    return ledger.audit().search(AuditQuery.newest(null, 1_000)).entries();
  }

  private static AuditRead read(String exactQuery, long rows, long treeSize) {
    return new AuditRead(
        "GET /api/v1/audit/events", "actor=*", exactQuery, rows, 0L, rows - 1, treeSize);
  }

  @Test
  void repeatsOfAReadBecomeOneSummaryThatTellsTheExtentOfTheLast() {
    for (int i = 1; i <= 4; i++) {
      ledger.requests().auditRead(BY_ADMIN, "admin_default", read("actor=alice", i, 10 + i));
    }
    assertEquals(1, entries().size(), "the first at once");
    ledger.close();
    open();
    List<AuditEntry> entries = entries();
    assertEquals(2, entries.size());
    assertEquals(List.of(3L, 1L), entries.stream().map(AuditEntry::count).toList());
    JsonNode summary = entries.get(0).payload();
    assertEquals(4, summary.path("rows").asLong());
    assertEquals(3, summary.path("last_leaf_index").asLong());
    assertEquals(14, summary.path("tree_size").asLong());
    assertFalse(entries.toString().contains("actor=alice"), "the exact query is never stored");
  }

  @Test
  void aLongQueryIsCutAndATokenInItTakenOut() {
    ledger
        .requests()
        .auditExported(
            BY_ADMIN,
            "granted",
            "csv",
            "token=apiv3_secretsecretsecret&" + "x".repeat(100_000),
            0,
            null,
            null,
            7,
            "ab".repeat(32));
    String query = entries().get(0).payload().path("query").asString();
    assertTrue(query.startsWith("token=apiv3_***&x"), query.substring(0, 40));
    assertEquals(8_192 + "...".length(), query.length());
  }

  @Test
  void usesOfTheAuditGiveTheIdOfTheirEventWhichIsStored() {
    String exported =
        ledger
            .requests()
            .auditExported(BY_ADMIN, "granted", "csv", "", 2, 0L, 1L, 7, "ab".repeat(32));
    String verified = ledger.requests().auditVerified(BY_ADMIN, "granted", "full", "ok", 7);
    String tampered = ledger.requests().auditVerified(BY_ADMIN, "granted", "full", "tampered", 7);
    String proof = ledger.requests().auditProofIssued(BY_ADMIN, "granted", 3, 7);
    String again = ledger.requests().auditProofIssued(BY_ADMIN, "granted", 3, 7);
    List<AuditEntry> entries = entries();
    assertEquals(
        List.of(again, proof, tampered, verified, exported),
        entries.stream().map(AuditEntry::eventId).toList());
    assertEquals(
        List.of("success", "success", "failed", "success", "success"),
        entries.stream().map(AuditEntry::outcome).toList());
    assertEquals("alice", entries.get(0).actorName());
  }

  @Test
  void whatTheServiceFoundIsStoredWithItsReasonTargetAndOutcome() {
    RequestContext node = RequestContext.ofNode("signer", "test", "r");
    String anchored =
        ledger
            .requests()
            .append(new ControlEvent.CheckpointAnchored("file", 7, "ab".repeat(32), "f"), node);
    String refused =
        ledger.requests().append(new ControlEvent.SigningRefused("smaller_than_signed", 6), node);
    String forged = ledger.requests().append(new ControlEvent.ForgedEventFound(3, "e3"), node);
    List<AuditEntry> entries = entries();
    assertEquals(
        List.of(forged, refused, anchored), entries.stream().map(AuditEntry::eventId).toList());
    assertEquals(
        List.of("event:e3", "checkpoint:6", "checkpoint:7"),
        entries.stream().map(AuditEntry::targetId).toList());
    assertEquals(
        List.of("failed", "failed", "success"), entries.stream().map(AuditEntry::outcome).toList());
    assertEquals("forged_event", entries.get(0).outcomeReason());
    assertEquals("smaller_than_signed", entries.get(1).outcomeReason());
    assertEquals("system", entries.get(2).actorName());
  }

  @Test
  void aFirstThatCannotBeStoredStandsForNoRepeat() throws Exception {
    AuditRead read = read("", 1, 1);
    try (Connection owner = TestPostgres.connect(database);
        Statement statement = owner.createStatement()) {
      String app = '"' + database.database() + "_app\"";
      statement.execute("REVOKE INSERT ON ledger.event FROM " + app);
      for (int i = 0; i < 3; i++) {
        assertThrows(
            LedgerUnavailable.class, () -> ledger.requests().auditRead(BY_ADMIN, "granted", read));
        assertThrows(
            LedgerUnavailable.class,
            () -> ledger.requests().append(new ControlEvent.ServiceStopped(), BY_ADMIN));
      }
      statement.execute("GRANT INSERT ON ledger.event TO " + app);
    }
    ledger.requests().auditRead(BY_ADMIN, "granted", read);
    ledger.close();
    open();
    assertEquals(List.of(1L), entries().stream().map(AuditEntry::count).toList());
  }
}

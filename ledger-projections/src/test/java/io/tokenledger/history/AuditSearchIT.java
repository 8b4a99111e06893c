package io.tokenledger.history;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.Proposal;
import io.tokenledger.ledger.TestLedger;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.timeline.Moment;
import io.tokenledger.timeline.MomentUnknown;
import io.tokenledger.token.TokenCommand.RevokeToken;
import io.tokenledger.token.TokenName;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Searches on a real PostgreSQL, while others write. */
class AuditSearchIT {

  @TempDir static Path keys;
  private static DatabaseUrl database;
  private static Ledger ledger;

  @BeforeAll
  static void open() {
    database = TestPostgres.freshDatabase();
    ledger = TestLedger.open(database, keys);
    for (String name : List.of("ingest", "grafana", "in_est", "backup")) {
      TestLedger.create(ledger, name, TestLedger.newHash(), "db:a:read").join();
    }
    TestLedger.revoke(ledger, "backup").join();
    ledger
        .execute(
            Proposal.of(
                new RevokeToken(
                    new TokenName("grafana"), null, TestLedger.now(), TestLedger.ADMIN)),
            elsewhere())
        .join();
    assertThrows(
        java.util.concurrent.CompletionException.class,
        () -> TestLedger.revoke(ledger, "nothing").join());
  }

  @AfterAll
  static void close() {
    ledger.close();
  }

  /** Another address and reason, and something that ties it to other requests. */
  private static RequestContext elsewhere() {
    return new RequestContext(
        TestLedger.ADMIN,
        "bearer",
        "Bob Example",
        "leaked in a chat",
        "INC-7",
        "198.51.100.4",
        4711,
        null,
        false,
        "agent/2",
        "rest",
        "request-2",
        "incident-7",
        null,
        null);
  }

  private static AuditPage search(String query, @Nullable Long before, int limit) {
    return ledger
        .audit()
        .search(AuditFilter.parse(query), ledger.audit().size(null), before, limit);
  }

  private static String found(String query) {
    List<String> found = new ArrayList<>();
    for (AuditEntry entry : search(query, null, 100).entries()) {
      found.add(entry.eventType() + "/" + entry.targetName());
    }
    return String.join(" ", found);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      nullValues = "-",
      value = {
        "action:token.revoke outcome:success|TokenRevoked/grafana TokenRevoked/backup",
        "action:token.* token:backup|TokenRevoked/backup ResourceTokenCreated/backup",
        "type:TokenRevoked -target:backup|TokenRevoked/grafana",
        "token:in*est type:Resource*|ResourceTokenCreated/in_est ResourceTokenCreated/ingest",
        "token:in_est|ResourceTokenCreated/in_est",
        "outcome:failed|CommandRejected/nothing",
        "-outcome:success actor:alice|CommandRejected/nothing",
        "actor:token:1 type:TokenRevoked|TokenRevoked/grafana TokenRevoked/backup",
        "-actor:token:1 type:Token*|-",
        "correlation:incident-7|TokenRevoked/grafana",
        "request:request-2|TokenRevoked/grafana",
        "ip:198.51.100.0/24|TokenRevoked/grafana",
        "leaked|TokenRevoked/grafana",
        "\"BOB example\" action:token.revoke|TokenRevoked/grafana",
        "-leaked type:TokenRevoked|TokenRevoked/backup",
        "type:TokenRevoked from:2026-01-01 to:<=9999-12-31"
            + "|TokenRevoked/grafana TokenRevoked/backup",
        "type:TokenRevoked to:2026-01-01|-",
        "type:TokenRevoked from:9999-01-01|-",
        "target:ingest|ResourceTokenCreated/ingest",
        "token:'%'|-"
      })
  void aQueryFindsWhatItSays(String query, @Nullable String expected) {
    assertEquals(expected == null ? "" : expected, found(query.replace('\'', '"')));
  }

  @Test
  void everythingIsFoundByThePlaceWhereItStands() {
    AuditEntry entry = search("correlation:incident-7", null, 1).entries().get(0);
    AuditEvent event = ledger.audit().event(entry.eventId()).orElseThrow();
    assertEquals(entry, event.entry());
    assertTrue(
        event.entryText().contains("\"eid\":\"" + entry.eventId() + "\""), event.entryText());
    assertTrue(ledger.audit().event("nothing").isEmpty());
  }

  @Test
  void whatIsSealedIsSoughtInBoundedStepsThatSayHowFarTheyCame() {
    AuditPage first = search("agent type:Resource* -token:load-*", null, 3);
    assertEquals(3, first.entries().size());
    assertEquals(3L, first.scanned());
    AuditPage rest = search("agent type:Resource* -token:load-*", first.nextCursor(), 3);
    assertEquals(1, rest.entries().size());
    assertNull(rest.nextCursor());
    assertNull(search("type:ResourceTokenCreated", null, 3).scanned(), "an index found them");
  }

  /** Without what another test writes at the same time. */
  private static final String BY_ALICE = "actor:alice -token:load-*";

  @Test
  void facetsCountWhatTheSearchFinds() {
    AuditFacets facets =
        ledger.audit().facets(AuditFilter.parse(BY_ALICE), ledger.audit().size(null));
    assertEquals(search(BY_ALICE, null, 1_000).entries().size(), facets.events());
    assertEquals(3, facets.counts().get("action").get("token.revoke"), "one was refused");
    assertEquals(1, facets.counts().get("outcome").get("failed"));
    assertEquals(Map.of("alice", facets.events()), facets.counts().get("actor"));
    assertTrue(facets.complete());
    AuditFacets opened =
        ledger.audit().facets(AuditFilter.parse("ip:198.51.100.4"), ledger.audit().size(null));
    assertEquals(Map.of("TokenRevoked", 1L), opened.counts().get("type"));
    assertEquals(1, opened.events());
  }

  @Test
  void thePopulationOfAPeriodIsEveryEventOfIt() throws Exception {
    long size = ledger.audit().size(null);
    AuditPopulation all =
        ledger.audit().population(Instant.EPOCH, Instant.parse("9999-01-01T00:00:00Z"), size);
    assertEquals(size, all.events());
    assertEquals(0L, all.firstLeafIndex());
    assertEquals(size - 1, all.lastLeafIndex());
    assertEquals(size, all.counts().stream().mapToLong(AuditPopulation.Count::events).sum());
    AuditPopulation none = ledger.audit().population(Instant.EPOCH, Instant.EPOCH, size);
    assertEquals(new AuditPopulation(List.of(), 0, null, null), none);
  }

  @Test
  void theSameQueryAtTheSameSizeGivesTheSameUnderLoad() throws Exception {
    AtomicBoolean enough = new AtomicBoolean();
    CompletableFuture<Integer> writer =
        CompletableFuture.supplyAsync(
            () -> {
              int written = 0;
              while (!enough.get()) {
                TestLedger.create(ledger, "load-" + written++, TestLedger.newHash(), "db:a:read")
                    .join();
              }
              return written;
            });
    try {
      for (String query : List.of("", "type:ResourceTokenCreated", "agent -type:TokenRevoked")) {
        AuditFilter filter = AuditFilter.parse(query);
        long size = ledger.audit().size(null);
        List<AuditEntry> first = pages(filter, size);
        long later = ledger.audit().size(null);
        while (later < size + 5) {
          later = ledger.audit().size(null);
        }
        assertEquals(first, pages(filter, size), query);
        assertEquals(first, pages(filter, ledger.audit().size(new Moment.AfterLeaf(size - 1))));
        assertEquals(
            ledger.audit().facets(filter, size), ledger.audit().facets(filter, size), query);
        assertFalse(first.isEmpty());
      }
    } finally {
      enough.set(true);
    }
    assertTrue(writer.join() > 15);
  }

  private static List<AuditEntry> pages(AuditFilter filter, long size) {
    List<AuditEntry> entries = new ArrayList<>();
    Long cursor = null;
    do {
      AuditPage page = ledger.audit().search(filter, size, cursor, 7);
      assertEquals(size, page.treeSize());
      entries.addAll(page.entries());
      cursor = page.nextCursor();
    } while (cursor != null);
    return entries;
  }

  @Test
  void anExportIsTheSearchTheOtherWayRound() throws IOException {
    for (String query : List.of("", "type:ResourceTokenCreated", "agent")) {
      AuditFilter filter = AuditFilter.parse(query);
      long size = ledger.audit().size(null);
      List<AuditEntry> exported = new ArrayList<>();
      ledger.audit().export(filter, size, entry -> exported.add(0, entry));
      assertEquals(pages(filter, size), exported);
    }
    IOException gone = new IOException("gone");
    assertEquals(
        gone,
        assertThrows(
            IOException.class,
            () ->
                ledger
                    .audit()
                    .export(
                        AuditFilter.ALL,
                        3,
                        entry -> {
                          throw gone;
                        })));
  }

  @Test
  void aPlaceThatTheLogDoesNotHaveIsRefused() {
    long size = ledger.audit().size(null);
    Moment beyond = new Moment.AfterLeaf(size + 1_000_000);
    assertThrows(MomentUnknown.class, () -> ledger.audit().size(beyond));
  }

  @Test
  void nothingThatIsSealedStandsInTheViews() throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row =
            statement.executeQuery(
                "SELECT string_agg(log::text, '') || (SELECT string_agg(history::text, '')"
                    + " FROM views.token_history AS history) FROM views.audit_log AS log")) {
      row.next();
      for (String sealed : List.of("198.51", "leaked", "INC-7", "Bob", "agent")) {
        assertFalse(row.getString(1).contains(sealed), sealed);
      }
    }
  }

  @Test
  void aSpanKnowsItsEarliestAndLatest() throws SQLException {
    ledger.audit().size(null);
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row =
            statement.executeQuery(
                "SELECT count(*) FROM views.audit_log AS log"
                    + " LEFT JOIN views.audit_log_span AS span"
                    + "   ON span.span = log.leaf_index / 1024"
                    + "  AND log.occurred_at BETWEEN span.first_at AND span.last_at"
                    + " WHERE span.span IS NULL")) {
      row.next();
      assertEquals(0, row.getLong(1));
    }
  }
}

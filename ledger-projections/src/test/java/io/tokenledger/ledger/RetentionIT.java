package io.tokenledger.ledger;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.archive.ArchiveRefused;
import io.tokenledger.archive.ArchiveRestore;
import io.tokenledger.audit.ControlEvent.LegalHoldPlaced;
import io.tokenledger.audit.ControlEvent.ServiceStarted;
import io.tokenledger.audit.RetentionClass;
import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditFilter;
import io.tokenledger.permission.Permissions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.privacy.PrivacyRefused;
import io.tokenledger.privacy.Prune;
import io.tokenledger.privacy.Pruning;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.store.EventTable;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.token.Actor;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import io.tokenledger.verify.BundleVerification;
import io.tokenledger.verify.BundleWriter;
import io.tokenledger.verify.DatabaseVerification;
import io.tokenledger.verify.Finding;
import io.tokenledger.verify.Verdict;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Bodies end as their class says, nothing is less proven, and nobody else can end one. */
class RetentionIT {

  private static final int DENIED = 6;

  @TempDir Path keys;
  private final List<Actor> officers = new ArrayList<>();
  private DatabaseUrl database;
  private Ledger ledger;

  /** Two days from now: what happens here is older than a day then. */
  private Instant later;

  @BeforeEach
  void open() throws Exception {
    database = TestPostgres.freshDatabase();
    ledger = TestLedger.openWithArchive(database, keys, keys.resolve("archive"));
    TestLedger.create(ledger, "ingest", TestLedger.newHash(), "db:a:read").join();
    for (String name : List.of("officer1", "officer2")) {
      officers.add(
          Actor.token(
              TestLedger.create(ledger, name, TestLedger.newHash(), "ledger:retention:read,write")
                  .join()
                  .id(),
              new TokenName(name),
              Permissions.parse(List.of("ledger:retention:read,write"))));
    }
    for (int i = 0; i < DENIED; i++) {
      deny(i % 2 == 0 ? "ingest" : "other", i);
      TestLedger.create(ledger, "t" + i, TestLedger.newHash(), "db:a:read").join();
    }
    ledger.requests().append(new ServiceStarted("1", Map.of()), TestLedger.context(Actor.SYSTEM));
    archived("more");
    later = Instant.now().plus(Duration.ofDays(2));
  }

  /** Adds so much that all before it is in a segment of the archive. */
  private void archived(String names) throws Exception {
    List<CompletableFuture<?>> made = new ArrayList<>();
    for (int i = 0; i < 256; i++) {
      made.add(TestLedger.create(ledger, names + i, TestLedger.newHash(), "db:a:read"));
    }
    made.forEach(CompletableFuture::join);
    signed();
    archive();
  }

  @AfterEach
  void close() {
    ledger.close();
  }

  private void deny(String name, int i) {
    Actor actor =
        Actor.token(
            new TokenId(500 + i), new TokenName(name), Permissions.parse(List.of("db:a:read")));
    ledger
        .requests()
        .accessDenied(TestLedger.context(actor), "token.create", "no_grant", 403, "wanted" + i);
  }

  private void archive() {
    Objects.requireNonNull(ledger.archive()).run(TestLedger.context(officer(1)), false);
  }

  private Actor officer(int number) {
    return officers.get(number - 1);
  }

  private Pruning pruning() {
    return Objects.requireNonNull(ledger.pruning());
  }

  private String one(String sql) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(sql)) {
      row.next();
      return String.valueOf(row.getString(1));
    }
  }

  private static void change(DatabaseUrl url, String... statements) throws SQLException {
    try (Connection connection = TestPostgres.connect(url);
        Statement statement = connection.createStatement()) {
      for (String sql : statements) {
        assertTrue(statement.executeUpdate(sql) > 0, sql);
      }
    }
  }

  private void signed() throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!one("SELECT (SELECT max(size) FROM audit.checkpoint) = count(*) FROM ledger.event")
            .equals("t")
        || !one("SELECT min(next_leaf_index) = (SELECT count(*) FROM ledger.event) FROM"
                + " views.follower")
            .equals("t")) {
      assertTrue(System.nanoTime() < end, "signed and followed in time");
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  private void keepADay(RetentionClass retentionClass) {
    ledger.retention().keep(retentionClass, 1, TestLedger.context(officer(1)));
    ledger.retention().keep(retentionClass, 1, TestLedger.context(officer(2)));
  }

  private List<Prune> decide(boolean dryRun) throws SQLException {
    return pruning().decide(TestLedger.context(officer(1)), dryRun, false, later);
  }

  private Prune pruned() throws Exception {
    keepADay(RetentionClass.REQUESTS);
    List<Prune> decided = decide(false);
    assertEquals(1, decided.size());
    signed();
    pruning().complete(later);
    Prune done = pruning().list().get(0);
    assertNotNull(done.completedAt(), String.valueOf(done.trouble()));
    return done;
  }

  private static List<String> kinds(Verdict verdict) {
    return verdict.findings().stream().map(Finding::kind).distinct().toList();
  }

  private Verdict verify(DatabaseUrl url) throws SQLException {
    return verify(url, new EventTable(LedgerKey.loadOrCreate(keys.resolve("ledger.key"))));
  }

  private static Verdict verify(DatabaseUrl url, @Nullable EventTable macs) throws SQLException {
    try (Connection connection = TestPostgres.connect(url)) {
      connection.setAutoCommit(false);
      return new DatabaseVerification(null, List.of(), macs, false)
          .run(connection, (done, total) -> {});
    }
  }

  private List<AuditEntry> denials() throws IOException {
    List<AuditEntry> found = new ArrayList<>();
    ledger.audit().export(AuditFilter.parse("type:AccessDenied"), ledger.auditSize(), found::add);
    return found;
  }

  private static long bodies(List<AuditEntry> entries) {
    return entries.stream().filter(entry -> entry.payload().has("reason")).count();
  }

  /** The rows that searches read, but for those that came after the first so many. */
  private String searched(long leaves) throws SQLException {
    return one(
        "SELECT md5(string_agg(log::text, ',' ORDER BY leaf_index)) FROM views.audit_log AS log"
            + " WHERE leaf_index < "
            + leaves);
  }

  @Test
  void whatIsAtTheEndOfItsRetentionGoesAndEveryProofStays() throws Exception {
    long leaves = Long.parseLong(one("SELECT count(*) FROM audit.leaf"));
    String before = searched(leaves);
    String entries =
        one(
            "SELECT md5(string_agg(entry, '' ORDER BY leaf_index)) FROM audit.leaf"
                + " WHERE leaf_index < "
                + leaves);
    SignedNote remembered = ledger.log().newest().orElseThrow().note();
    assertEquals(DENIED, bodies(denials()));
    assertEquals(List.of(), decide(true), "nothing ends unless someone says so");
    keepADay(RetentionClass.REQUESTS);
    Prune preview = decide(true).get(0);
    assertEquals(DENIED, preview.event().eventCount());
    assertNull(preview.eventId());
    assertEquals(List.of(), pruning().list(), "looking decides nothing");

    Prune decided = decide(false).get(0);
    assertEquals(List.of(), decide(false), "while one waits there is no other of that class");
    signed();
    pruning().complete(Instant.now());
    assertEquals(DENIED, bodies(denials()), "a minute must pass in which everyone can see it");
    pruning().complete(later);

    List<AuditEntry> after = denials();
    assertEquals(DENIED, after.size());
    assertEquals(0, bodies(after));
    assertEquals("{\"count\":1,\"pruned\":true}", after.get(0).payload().toString());
    assertEquals("denied", after.get(0).envelope().path("outcome").asString());
    assertTrue(after.get(0).envelope().path("source").isMissingNode());
    assertEquals(before, searched(leaves));
    assertEquals(
        "0",
        one(
            "SELECT count(*) FROM state.event_salt JOIN ledger.event USING (event_id) WHERE"
                + " event_type = 'AccessDenied'"));
    assertEquals(
        entries,
        one(
            "SELECT md5(string_agg(entry, '' ORDER BY leaf_index)) FROM audit.leaf WHERE"
                + " leaf_index < "
                + leaves));

    Verdict verdict = verify(database);
    assertEquals(List.of(), verdict.findings());
    String leaf =
        one("SELECT leaf_index FROM audit.leaf WHERE event_id = '" + decided.eventId() + "'");
    String note =
        "6 events of the class requests reached the end of their retention, by leaf " + leaf;
    assertTrue(verdict.notes().contains(note), verdict.notes().toString());
    Verdict offline = bundle(remembered);
    assertEquals(List.of(), offline.findings());
    assertTrue(offline.notes().contains(note), offline.notes().toString());

    ledger.drift().round();
    assertEquals(Map.of(), ledger.drift().found());
    long replay = ledger.replay().ready("test", job -> {}).id();
    assertEquals(0, ledger.replay().compare(replay).differenceCount());
    ledger.replay().drop(replay);
    assertEquals(List.of(), decide(false), "what is gone is not due again");
  }

  /** Of a bundle that ends before the leaf that explains what is missing in it. */
  private Verdict bundle(SignedNote remembered) throws IOException {
    Path bundle = keys.resolve("bundle.zip");
    long since = Checkpoint.parse(remembered.text()).size();
    try (OutputStream out = Files.newOutputStream(bundle)) {
      ledger.writeBundle(
          ledger.log().newest().orElseThrow(), new BundleWriter.Range(0, 256, since), out);
    }
    return new BundleVerification(null, List.of(remembered)).run(bundle);
  }

  private static final String DENIAL =
      "(SELECT event_id FROM ledger.event WHERE event_type = 'AccessDenied' ORDER BY global_index"
          + " OFFSET 2 LIMIT 1)";

  private static final List<String> ATTACKS =
      List.of(
          // Of another class than the one that went.
          "salt_missing|DELETE FROM state.event_salt WHERE event_id = (SELECT event_id FROM"
              + " ledger.event WHERE event_type = 'ServiceStarted')",
          // Later than the leaf that explains the others.
          "salt_missing|DELETE FROM state.event_salt WHERE event_id = (SELECT event_id FROM"
              + " ledger.event WHERE event_type = 'AccessDenied' ORDER BY global_index DESC LIMIT 1)",
          "entry_differs|UPDATE ledger.event SET metadata = replace(metadata, 'denied', 'success')"
              + " WHERE event_id = "
              + DENIAL,
          "entry_differs|UPDATE ledger.event SET event_type = 'CommandRejected' WHERE event_id = "
              + DENIAL,
          "body_unproven|UPDATE ledger.event SET payload ="
              + " '{\"count\":1,\"pruned\":true,\"reason\":\"none\"}' WHERE event_id = "
              + DENIAL,
          "body_unproven|UPDATE ledger.event SET metadata = replace(metadata, '\"outcome\"',"
              + " '\"reason\":\"none\",\"outcome\"') WHERE event_id = "
              + DENIAL,
          "forged_event|UPDATE ledger.event SET payload = '{\"count\":2,\"pruned\":true}' WHERE"
              + " event_id = "
              + DENIAL,
          "event_missing|DELETE FROM ledger.event WHERE event_id = " + DENIAL,
          "salt_missing|DELETE FROM ledger.event WHERE event_type = 'EventsPruned'",
          "salt_missing|UPDATE ledger.event SET payload = replace(payload, '\"AccessDenied\",', '')"
              + " WHERE event_type = 'EventsPruned'",
          "entry_differs|UPDATE ledger.event SET payload = replace(payload, '\"AccessDenied\"',"
              + " '\"AccessDenied\",\"ServiceStarted\"') WHERE event_type = 'EventsPruned'");

  @Test
  void aBodyThatNoLeafExplainsIsEvidence() throws Exception {
    pruned();
    deny("ingest", 99);
    signed();
    ledger.close();
    assertEquals(List.of(), verify(database).findings());
    for (String attack : ATTACKS) {
      String[] parts = attack.split("\\|", 2);
      DatabaseUrl copy = TestPostgres.copyOf(database);
      change(copy, parts[1]);
      Verdict verdict = verify(copy);
      assertTrue(
          verdict.findings().stream().map(Finding::kind).toList().contains(parts[0]),
          attack + ": " + verdict.findings());
    }
  }

  @Test
  void aLeafThatNobodySignedExplainsNothing() throws Exception {
    pruned();
    ledger.close();
    String leaf =
        one(
            "SELECT leaf_index FROM audit.leaf JOIN ledger.event USING (event_id) WHERE"
                + " event_type = 'EventsPruned'");
    change(database, "DELETE FROM audit.checkpoint WHERE size > " + leaf);
    assertTrue(
        verify(database).findings().stream().map(Finding::kind).toList().contains("salt_missing"));
  }

  @Test
  void whatIsHeldStaysUntilTheHoldIsLifted() throws Exception {
    keepADay(RetentionClass.REQUESTS);
    hold("case-1", "ingest");
    Prune decided = decide(false).get(0);
    assertEquals(DENIED / 2, decided.event().eventCount(), decided.toString());
    assertEquals(2, decided.event().kept().size(), decided.toString());
    hold("case-2", "other");
    signed();
    pruning().complete(later);
    assertEquals(DENIED, bodies(denials()), "the second hold came in time");
    lift("case-2");
    assertEquals(DENIED / 2, decide(false).get(0).event().eventCount());
    signed();
    pruning().complete(later);
    assertEquals(DENIED / 2, bodies(denials()));
    assertEquals(List.of(), verify(database).findings());
    lift("case-1");
    decide(false);
    signed();
    pruning().complete(later);
    assertEquals(0, bodies(denials()));
    assertEquals(List.of(), verify(database).findings());
  }

  /** A decision was made when nothing was held: what is held since is not explained by it. */
  @Test
  void whatAHoldKeptAfterTheDecisionIsEvidenceWhenItGoes() throws Exception {
    SignedNote remembered = ledger.log().newest().orElseThrow().note();
    keepADay(RetentionClass.REQUESTS);
    decide(false);
    hold("case-1", "other");
    signed();
    pruning().complete(later);
    signed();
    assertEquals(DENIED / 2, bodies(denials()));
    assertEquals(List.of(), kinds(verify(database)));
    assertEquals(List.of(), kinds(bundle(remembered)));
    change(
        database,
        "DELETE FROM ledger.event WHERE event_type = 'AccessDenied' AND metadata LIKE"
            + " '%\"name\":\"other\"%'");
    assertTrue(kinds(verify(database)).contains("event_missing"));
    assertEquals(List.of("event_missing"), kinds(bundle(remembered)));
  }

  /** Of a name that was asked for in vain an event may have the id alone. */
  @Test
  void aHoldByNameHoldsWhatHasOnlyTheIdOfTheToken() throws Exception {
    Actor gateway =
        Actor.token(
            new TokenId(700), new TokenName("gateway"), Permissions.parse(List.of("db:a:read")));
    String id = one("SELECT token_id FROM views.token_lookup WHERE token_name = 't3'");
    ledger.requests().answerRepeated(TestLedger.context(gateway), "token.create", "token:" + id);
    ledger
        .requests()
        .answerRepeated(TestLedger.context(gateway), "token.create", "token:" + id + "0");
    archived("further");
    keepADay(RetentionClass.REQUESTS);
    assertEquals(DENIED + 2, decide(true).get(0).event().eventCount());
    hold("case-1", "t3");
    assertEquals(DENIED + 1, decide(true).get(0).event().eventCount());
  }

  /** Nodes write these tables, and so can whoever takes over the login of one. */
  @Test
  void whatATableSaysEndsAndLiftsNothing() throws Exception {
    keepADay(RetentionClass.REQUESTS);
    decide(false);
    hold("case-1", "ingest");
    signed();
    change(
        database,
        "UPDATE state.legal_hold SET lifted_at = now(), placed_by_token_id = NULL",
        "INSERT INTO state.prune (event_id, class, event_count) VALUES ('none', 'requests', 1)");
    pruning().complete(later);
    assertEquals(DENIED / 2, bodies(denials()));
    assertEquals(
        "second_person",
        assertThrows(
                PrivacyRefused.class,
                () -> ledger.holds().lift("case-1", TestLedger.context(officer(1))))
            .code());
    change(database, "UPDATE state.prune SET completed_at = NULL");
    lift("case-1");
    pruning().complete(later);
    assertEquals(DENIED / 2, bodies(denials()), "what was withheld is of no decision any more");
    assertEquals(List.of(), kinds(verify(database)));
    assertEquals(DENIED / 2, decide(false).get(0).event().eventCount());
    signed();
    pruning().complete(later);
    assertEquals(0, bodies(denials()));
    signed();
    assertEquals(List.of(), kinds(verify(database)));
  }

  @Test
  void aHoldIsNotReplacedByAnotherOfItsName() throws Exception {
    hold("case-1", "ingest");
    change(database, "UPDATE state.legal_hold SET hold = 'gone'");
    assertEquals(
        "hold_exists", assertThrows(PrivacyRefused.class, () -> hold("case-1", "none")).code());
  }

  /** Whoever can change events is found out; until then nothing must go that they held. */
  @Test
  void aLostOrDamagedHoldStillHolds() throws Exception {
    keepADay(RetentionClass.REQUESTS);
    hold("case-1", "ingest");
    signed();
    change(
        database,
        "UPDATE ledger.event SET payload = replace(payload, 'ingest', 'nobody') WHERE event_type ="
            + " 'LegalHoldPlaced'");
    assertEquals("damaged", assertThrows(PrivacyRefused.class, () -> decide(true)).code());
    change(database, "DELETE FROM ledger.event WHERE event_type = 'LegalHoldPlaced'");
    assertEquals(DENIED / 2, decide(true).get(0).event().eventCount());
  }

  @Test
  void whatIsKeptForLongerSinceDoesNotGo() throws Exception {
    keepADay(RetentionClass.REQUESTS);
    decide(false);
    ledger.retention().keep(RetentionClass.REQUESTS, null, TestLedger.context(officer(1)));
    signed();
    pruning().complete(later);
    assertEquals(DENIED, bodies(denials()));
    assertNotNull(pruning().list().get(0).completedAt());
    keepADay(RetentionClass.REQUESTS);
    change(database, "UPDATE state.prune SET completed_at = NULL");
    signed();
    pruning().complete(later);
    assertEquals(DENIED, bodies(denials()), "a lapsed decision is not carried out later");
    assertEquals(List.of(), kinds(verify(database)));
    assertEquals(DENIED, decide(false).get(0).event().eventCount());
  }

  @Test
  void saltsThatComeLaterSayNothing() throws Exception {
    SignedNote remembered = ledger.log().newest().orElseThrow().note();
    pruned();
    change(
        database,
        "INSERT INTO state.event_salt SELECT event_id, sha256('a'), sha256('b') FROM ledger.event"
            + " WHERE event_type = 'AccessDenied'");
    assertEquals(List.of(), kinds(verify(database)));
    assertEquals(List.of(), kinds(bundle(remembered)));
    deny("ingest", 88);
    archived("further");
    assertEquals(DENIED + 1, decide(false).get(0).event().eventCount());
    signed();
    pruning().complete(later);
    assertEquals(0, bodies(denials()));
    assertNull(pruning().list().get(0).trouble());
    assertEquals(
        "0",
        one(
            "SELECT count(*) FROM state.event_salt JOIN ledger.event USING (event_id) WHERE"
                + " event_type = 'AccessDenied'"));
  }

  /** Nobody takes a genuine decision its meaning by saying that it is forged. */
  @Test
  void aForgedFindingDoesNotUnexplainADecision() throws Exception {
    Prune done = pruned();
    forge(
        "found",
        "ForgedEventFound",
        "{\"global_index\":1,\"event_id\":\"" + done.eventId() + "\"}",
        true);
    signed();
    assertEquals(List.of("forged_event"), kinds(verify(database)));
    assertEquals(List.of(), kinds(verify(database, null)));
  }

  /** It looks like what is left of an event, and its salts came when it had its place. */
  @Test
  void aForgedRowThatLooksPrunedStopsNoArchive() throws Exception {
    forge("forged", "AccessDenied", "{\"pruned\":true}", false);
    change(
        database,
        "INSERT INTO state.event_salt VALUES ('salted', sha256('a'), sha256('b'))",
        "INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,"
            + " event_type, revision, occurred_at, payload, metadata, mac) SELECT 'salted',"
            + " 'salted', 0, aggregate_type, event_type, '1', occurred_at, '{\"pruned\":true}',"
            + " '{}', sha256('m') FROM ledger.event WHERE event_id = 'forged'");
    change(
        database,
        "INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,"
            + " event_type, revision, occurred_at, payload, metadata, mac) SELECT 'bare', 'bare',"
            + " 0, aggregate_type, event_type, '1', occurred_at, '{\"pruned\":true}', '{}',"
            + " sha256('m') FROM ledger.event WHERE event_id = 'forged'");
    signed();
    change(database, "INSERT INTO state.event_salt VALUES ('forged', sha256('a'), sha256('b'))");
    archived("further");
    assertEquals(
        512,
        pruning().waiting().stream()
            .filter(each -> each.what().equals("the archive"))
            .findFirst()
            .orElseThrow()
            .nextLeaf());
    assertEquals(List.of("forged_event", "uncommitted"), kinds(verify(database)));
  }

  /** By whoever can only add rows. */
  private void forge(String eventId, String type, String payload, boolean salted) throws Exception {
    change(
        database,
        "INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,"
            + " event_type, revision, occurred_at, payload, metadata, mac) SELECT '"
            + eventId
            + "', '"
            + eventId
            + "', 0, aggregate_type, '"
            + type
            + "', '1', '2026-01-01T00:00:00.000Z', '"
            + payload
            + "', metadata, sha256('m') FROM ledger.event WHERE event_type = 'AccessDenied' LIMIT 1");
    if (salted) {
      change(
          database,
          "INSERT INTO state.event_salt VALUES ('" + eventId + "', sha256('a'), sha256('b'))");
    }
  }

  @Test
  void aDecisionThatNoNodeMadeIsNotCarriedOutAndExplainsNothing() throws Exception {
    SignedNote remembered = ledger.log().newest().orElseThrow().note();
    long size = Long.parseLong(one("SELECT count(*) FROM audit.leaf"));
    forge(
        "forged",
        "EventsPruned",
        "{\"retention_class\":\"requests\",\"types\":[\"AccessDenied\"],\"before\":"
            + "\"2100-01-01T00:00:00Z\",\"from\":0,\"to\":"
            + size
            + ",\"event_count\":6,\"kept\":[]}",
        true);
    change(
        database,
        "INSERT INTO state.prune (event_id, class, event_count) VALUES ('forged', 'requests', 6)",
        "INSERT INTO state.prune (event_id, class, event_count) SELECT event_id, 'reads', 6 FROM"
            + " ledger.event WHERE event_type = 'ServiceStarted'");
    signed();
    pruning().complete(later);
    assertEquals(DENIED, bodies(denials()));
    assertEquals(List.of(), pruning().list());
    assertEquals(List.of("forged_event"), kinds(verify(database)));
    assertEquals(
        List.of(), kinds(verify(database, null)), "the row is in the log, and said forged");
    change(database, "DELETE FROM ledger.event WHERE event_type = 'AccessDenied'");
    assertTrue(kinds(verify(database)).contains("event_missing"));
    assertTrue(kinds(verify(database, null)).contains("event_missing"));
    assertEquals(List.of("event_missing"), kinds(bundle(remembered)));
  }

  @Test
  void aRowThatNoNodeWroteDoesNotStopItsClass() throws Exception {
    forge("forged", "AccessDenied", "{}", false);
    signed();
    archived("further");
    keepADay(RetentionClass.REQUESTS);
    deny("ingest", 88);
    signed();
    archived("last");
    Prune decided = decide(false).get(0);
    assertEquals(DENIED + 1, decided.event().eventCount());
    assertEquals(1, decided.event().kept().size());
    signed();
    pruning().complete(later);
    assertNull(pruning().list().get(0).trouble());
    assertEquals(0, bodies(denials()));
    assertEquals(List.of("forged_event", "uncommitted"), kinds(verify(database)));
  }

  private void hold(String name, String token) {
    ledger
        .holds()
        .place(new LegalHoldPlaced(name, null, token, null, null), TestLedger.context(officer(1)));
  }

  private void lift(String name) {
    ledger.holds().lift(name, TestLedger.context(officer(2)));
  }

  @Test
  void whatIsStillOwedToSomeoneStays() throws Exception {
    keepADay(RetentionClass.REQUESTS);
    Map<String, String> owed =
        Map.of(
            "the sink siem",
            "state.sink (name, next_leaf_index, node) VALUES ('siem', 0, 'n')",
            "the sender notices",
            "state.cursor (name, next_leaf_index) VALUES ('notices', 0)",
            "a dead letter of siem",
            "state.dead_letter (sink, leaf_index, reason) VALUES ('siem', 0, 'r')",
            "the projection late",
            "views.follower (name, next_leaf_index) VALUES ('late', 0)");
    for (Map.Entry<String, String> each : owed.entrySet()) {
      change(database, "INSERT INTO " + each.getValue());
      assertEquals(List.of(), decide(false), each.getKey());
      assertEquals(new Pruning.Waiting(each.getKey(), 0), pruning().waiting().get(0));
      String table = each.getValue().split(" ", 2)[0];
      change(
          database,
          "DELETE FROM %s WHERE %s = 0"
              .formatted(
                  table, table.equals("state.dead_letter") ? "leaf_index" : "next_leaf_index"));
    }
    assertEquals(1, decide(true).size());
  }

  @Test
  void whatIsNotArchivedStays() throws Exception {
    keepADay(RetentionClass.REQUESTS);
    deny("ingest", 77);
    signed();
    assertEquals(DENIED, decide(true).get(0).event().eventCount(), "the last one is in no segment");
    assertEquals(new Pruning.Waiting("the archive", 256), pruning().waiting().get(0));
  }

  @Test
  void theArchiveKeepsWhatWentAndDoesNotBringItBack() throws Exception {
    pruned();
    change(
        database,
        "DELETE FROM state.event_salt WHERE event_id = (SELECT event_id FROM ledger.event WHERE"
            + " aggregate_id = 'token:ingest')");
    ArchiveRestore restore = Objects.requireNonNull(ledger.archiveRestore());
    assertEquals(
        new ArchiveRestore.Result(1, 0, 1, 0, DENIED),
        restore.restore(0, 256, false, TestLedger.context(officer(1))));
    signed();
    assertEquals(0, bodies(denials()));
    assertEquals(List.of(), verify(database).findings());
  }

  @Test
  void aLostRowWhoseBodyHadGoneComesBackWithoutIt() throws Exception {
    pruned();
    change(
        database,
        "DELETE FROM ledger.event WHERE event_id = " + DENIAL,
        "UPDATE ledger.event SET metadata = replace(metadata, 'denied', 'success') WHERE event_id"
            + " = "
            + DENIAL);
    ArchiveRestore restore = Objects.requireNonNull(ledger.archiveRestore());
    assertEquals(
        new ArchiveRestore.Result(1, 1, 1, 0, DENIED - 2),
        restore.restore(0, 256, false, TestLedger.context(officer(1))));
    signed();
    assertEquals(DENIED, denials().size());
    assertEquals(0, bodies(denials()));
    assertEquals(List.of(), kinds(verify(database)));
  }

  @Test
  void whatNoSegmentHasIsSaidAndNothingIsBroughtBack() throws Exception {
    pruned();
    ledger.close();
    ledger = TestLedger.openWithArchive(database, keys, keys.resolve("another"));
    archive();
    change(database, "DELETE FROM ledger.event WHERE event_id = " + DENIAL);
    ArchiveRestore restore = Objects.requireNonNull(ledger.archiveRestore());
    ArchiveRefused refused =
        assertThrows(
            ArchiveRefused.class,
            () -> restore.restore(0, 256, false, TestLedger.context(officer(1))));
    assertEquals("not_in_archive", refused.code());
  }

  /** Someone else's segments do not make it archived. */
  @Test
  void anArchiveOfAnotherLogHoldsNothingOfThisOne() throws Exception {
    keepADay(RetentionClass.REQUESTS);
    ledger.close();
    DatabaseUrl other = TestPostgres.freshDatabase();
    Path otherKeys = Files.createDirectories(keys.resolve("other"));
    try (Ledger another = TestLedger.openWithArchive(other, otherKeys, keys.resolve("foreign"))) {
      List<CompletableFuture<?>> made = new ArrayList<>();
      for (int i = 0; i < 256; i++) {
        made.add(TestLedger.create(another, "x" + i, TestLedger.newHash(), "db:a:read"));
      }
      made.forEach(CompletableFuture::join);
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      while (Objects.requireNonNull(another.archive())
              .run(TestLedger.context(Actor.SYSTEM), false)
              .segments()
          == 0) {
        assertTrue(System.nanoTime() < end, "signed in time");
        TimeUnit.MILLISECONDS.sleep(50);
      }
    }
    ledger = TestLedger.openWithArchive(database, keys, keys.resolve("foreign"));
    assertEquals(new Pruning.Waiting("the archive", 0), pruning().waiting().get(0));
    assertEquals(List.of(), decide(true));
  }

  @Test
  void aRowThatIsNotWhatItsLeafSaysIsLeftAsEvidence() throws Exception {
    keepADay(RetentionClass.REQUESTS);
    decide(false);
    signed();
    change(
        database,
        "UPDATE ledger.event SET payload = replace(payload, 'no_grant', 'no_great') WHERE"
            + " event_id = "
            + DENIAL);
    pruning().complete(later);
    Prune hindered = pruning().list().get(0);
    assertNull(hindered.completedAt());
    assertTrue(
        String.valueOf(hindered.trouble()).contains("is not what the log says"),
        String.valueOf(hindered.trouble()));
    assertEquals(DENIED, bodies(denials()));
    change(
        database,
        "UPDATE ledger.event SET payload = replace(payload, 'no_great', 'no_grant') WHERE"
            + " event_id = "
            + DENIAL);
    pruning().complete(later);
    assertEquals(0, bodies(denials()));
    assertNull(pruning().list().get(0).trouble());
  }

  @Test
  void toKeepLessTakesTwo() throws Exception {
    assertFalse(keep(400, 1));
    assertThrows(PrivacyRefused.class, () -> keep(400, 1));
    assertFalse(keep(300, 2), "another proposal in its place");
    assertFalse(keep(400, 1));
    assertTrue(keep(400, 2));
    assertTrue(keep(500, 2), "one is enough to keep more");
    assertFalse(keep(499, 2));
    assertTrue(keep(null, 2));
    assertFalse(keep(499, 1), "what was proposed before does not count any more");
    Instant now = Instant.now();
    assertEquals(499, proposed(now));
    assertNull(proposed(now.plus(Duration.ofDays(8))), "a proposal does not stand for ever");
    TestLedger.revoke(ledger, "officer1").join();
    assertNull(proposed(now), "nor longer than who made it");
    assertFalse(keep(499, 2));
    signed();
    assertEquals(
        "f f f t t f t f f",
        one(
            "SELECT string_agg(substr(payload::json ->> 'in_force', 1, 1), ' ' ORDER BY"
                + " global_index) FROM ledger.event WHERE event_type = 'RetentionChanged'"));
  }

  private @Nullable Integer proposed(Instant now) {
    return ledger.retention().policies(now).stream()
        .filter(policy -> policy.retentionClass() == RetentionClass.READS)
        .findFirst()
        .orElseThrow()
        .proposedDays();
  }

  private boolean keep(@Nullable Integer days, int officer) {
    return ledger
        .retention()
        .keep(RetentionClass.READS, days, TestLedger.context(officer(officer)));
  }
}

package io.tokenledger.ledger;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.audit.ControlEvent.LegalHoldPlaced;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.backup.EventBackup;
import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditFilter;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.permission.Permissions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.privacy.Erasure;
import io.tokenledger.privacy.PrivacyRefused;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.sealing.SubjectKeys;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.token.Actor;
import io.tokenledger.token.TokenCommand.DescribeToken;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenSummary;
import io.tokenledger.verify.BundleVerification;
import io.tokenledger.verify.BundleWriter;
import io.tokenledger.verify.Verdict;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A subject that is erased is unreadable everywhere, and nothing is less proven. */
class ErasureIT {

  private static final String NAME = "Alice Example";
  private static final String WORDS = "the dashboard of Bob Planted";

  @TempDir Path keys;
  private DatabaseUrl database;
  private Ledger ledger;
  private TokenSummary token;

  @BeforeEach
  void open() throws Exception {
    database = TestPostgres.freshDatabase();
    ledger = TestLedger.open(database, keys);
    token = TestLedger.create(ledger, "ingest", TestLedger.newHash(), "db:a:read").join();
    describe(WORDS);
    await(2);
  }

  @AfterEach
  void close() {
    ledger.close();
  }

  private void describe(String words) {
    TestLedger.execute(
            ledger,
            new DescribeToken(
                new TokenName("ingest"), token.id(), words, TestLedger.now(), TestLedger.ADMIN))
        .join();
  }

  private void await(long signed) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (ledger.log().newest().map(newest -> newest.size() < signed).orElse(true)) {
      assertTrue(System.nanoTime() < end, "it is signed in time");
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  private @Nullable String description() {
    return ledger.tokens().find(token.id()).map(entry -> entry.description()).orElse(null);
  }

  private String person() {
    return ledger.person(NAME);
  }

  private static Actor officer(long id) {
    return Actor.token(
        new TokenId(id),
        new TokenName("officer" + id),
        Permissions.parse(List.of("ledger:retention:read,write")));
  }

  private Erasure erase(String subject) {
    return ledger.erasures().erase(subject, forNobody(officer(90)));
  }

  /** Acts for no human: nobody erases the one for whom they act. */
  private static RequestContext forNobody(Actor actor) {
    return new RequestContext(
        actor,
        "bearer",
        null,
        "asked to",
        null,
        null,
        0,
        null,
        false,
        null,
        "test",
        "request-1",
        null,
        null,
        null);
  }

  /** Columns of text, JSON or bytes of whatever table that hold the value in clear. */
  private List<String> columnsWith(String value) throws SQLException {
    List<String> columns = new ArrayList<>();
    List<String> found = new ArrayList<>();
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      try (ResultSet row =
          statement.executeQuery(
              """
              SELECT format('%I.%I', table_schema, table_name), format('%I', column_name),
                     data_type
                FROM information_schema.columns
               WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
                 AND data_type IN ('text', 'jsonb', 'json', 'bytea', 'ARRAY', 'character varying')
               ORDER BY 1, 2
              """)) {
        while (row.next()) {
          columns.add(row.getString(1) + " " + row.getString(2) + " " + row.getString(3));
        }
      }
      assertTrue(columns.size() > 80, columns.toString());
      String hex = HexFormat.of().formatHex(value.getBytes(StandardCharsets.UTF_8));
      for (String column : columns) {
        String[] parts = column.split(" ", 3);
        String sql =
            parts[2].equals("bytea")
                ? "SELECT count(*) FROM %s WHERE position('%s' IN encode(%s, 'hex')) > 0"
                    .formatted(parts[0], hex, parts[1])
                : "SELECT count(*) FROM %s WHERE position('%s' IN %s::text) > 0"
                    .formatted(parts[0], value, parts[1]);
        try (ResultSet row = statement.executeQuery(sql)) {
          row.next();
          if (row.getLong(1) > 0) {
            found.add(parts[0] + "." + parts[1]);
          }
        }
      }
    }
    return found;
  }

  /** Whether the words lie in the file of the table of tokens, also of rows that were removed. */
  private boolean isInTheFile() throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      statement.execute("CHECKPOINT");
      try (ResultSet row =
          statement.executeQuery(
              """
              SELECT position(convert_to('%s', 'UTF8')
                              IN pg_read_binary_file(pg_relation_filepath('views.token'))) > 0
              """
                  .formatted(WORDS))) {
        row.next();
        return row.getBoolean(1);
      }
    }
  }

  private String exported() throws IOException {
    StringBuilder text = new StringBuilder();
    ledger
        .audit()
        .export(
            AuditFilter.parse(""),
            ledger.auditSize(),
            entry -> text.append(entry.payload()).append(entry.envelope()));
    return text.toString();
  }

  private List<AuditEntry> entries(String action) {
    return ledger
        .audit()
        .search(new AuditQuery(null, action, null, null, null, null, null, null, 100))
        .entries();
  }

  @Test
  void whatWasWrittenOfAPersonIsReadableNowhereAndEveryProofHolds() throws Exception {
    assertEquals(List.of(), columnsWith(NAME), "it is sealed from the beginning");
    assertTrue(exported().contains(NAME));
    SignedNote before = ledger.log().newest().orElseThrow().note();
    Erasure preview = ledger.erasures().preview(person());
    assertEquals(2, preview.eventCount());
    assertEquals(1, preview.keyIds().size());
    Erasure erased = erase(person());
    assertEquals(preview.keyIds(), erased.keyIds());
    assertFalse(exported().contains(NAME), "an export opens nothing of it");
    assertEquals(List.of(), columnsWith(NAME));
    AuditEntry said = entries("privacy.erase").get(0);
    assertEquals(erased.eventId(), said.eventId());
    assertTrue(said.payload().toString().contains(person()), said.payload().toString());
    await(3);
    Verdict verdict = ledger.verifySelf();
    assertTrue(verdict.isClean(), verdict.findings().toString());
    assertTrue(
        verdict
            .notes()
            .contains(
                "of 2 events personal fields were erased: %s by leaf %d"
                    .formatted(person(), said.leafIndex())),
        verdict.notes().toString());
    Path bundle = keys.resolve("bundle.zip");
    var newest = ledger.log().newest().orElseThrow();
    try (OutputStream out = Files.newOutputStream(bundle)) {
      ledger.writeBundle(newest, new BundleWriter.Range(0, newest.size(), 2L), out);
    }
    Verdict offline = new BundleVerification(null, List.of(before)).run(bundle);
    assertTrue(offline.isClean(), offline.findings().toString());
  }

  @Test
  void theWordsAboutATokenGoFromEveryCopyAndFromTheFileOfTheTable() throws Exception {
    assertEquals(WORDS, description());
    assertEquals(
        List.of(
            "system.token_history.description",
            "system.tokens.description",
            "views.token.description"),
        columnsWith("Bob Planted"));
    assertTrue(isInTheFile());
    for (String other : List.of("other-1", "other-2")) {
      TokenSummary made =
          TestLedger.create(ledger, other, TestLedger.newHash(), "db:a:read").join();
      TestLedger.execute(
              ledger,
              new DescribeToken(
                  new TokenName(other), made.id(), other, TestLedger.now(), TestLedger.ADMIN))
          .join();
    }
    await(6);
    assertEquals(
        "other-2",
        ledger
            .tokens()
            .find(new TokenId(token.id().value() + 2))
            .map(entry -> entry.description())
            .orElse(null));
    execute("ANALYZE views.token");
    assertTrue(isInTheStatistics());
    erase("token:" + token.id());
    assertFalse(isInTheStatistics(), "a planner remembers common values");
    assertEquals(List.of(), columnsWith("Bob Planted"));
    assertFalse(isInTheFile(), "also rows that were removed are gone");
    assertFalse(exported().contains("Bob Planted"));
    await(7);
    assertEquals(0, TestLedger.differences(ledger));
    describe("new words");
    await(8);
    assertEquals("new words", description(), "what is written from now on has another key");
    assertTrue(ledger.verifySelf().isClean());
  }

  private void execute(String sql) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  private boolean isInTheStatistics() throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row =
            statement.executeQuery(
                """
                SELECT count(*) > 0
                  FROM pg_stats
                 WHERE most_common_vals::text LIKE '%Bob Planted%'
                    OR histogram_bounds::text LIKE '%Bob Planted%'
                """)) {
      row.next();
      return row.getBoolean(1);
    }
  }

  @Test
  void anErasureIsNotCompleteWhileAReaderFromBeforeMaySeeTheWords() throws Exception {
    execute("INSERT INTO state.token_usage (token_id, last_used_at) VALUES (4711, now())");
    try (Connection reader = TestPostgres.connect(database);
        Statement statement = reader.createStatement()) {
      reader.setAutoCommit(false);
      reader.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
      statement.execute("SELECT count(*) FROM state.token_usage");
      erase("token:" + token.id());
      assertEquals(List.of(), columnsWith("Bob Planted"), "for everyone else they are gone");
      assertEquals("1", one("SELECT count(*) FROM state.erasure WHERE completed_at IS NULL"));
      reader.rollback();
    }
    ledger.erasures().complete();
    assertFalse(isInTheFile());
    assertEquals("0", one("SELECT count(*) FROM state.erasure WHERE completed_at IS NULL"));
  }

  private String one(String sql) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(sql)) {
      row.next();
      return String.valueOf(row.getString(1));
    }
  }

  @Test
  void whatIsSealedAfterTheLookHasAnotherKey() {
    String subject = "token:" + token.id();
    Erasure erased = erase(subject);
    describe("again");
    List<String> later = ledger.erasures().preview(subject).keyIds();
    assertEquals(1, later.size());
    assertFalse(erased.keyIds().contains(later.get(0)));
  }

  @Test
  void aRetiredKeyOpensAndSealsNothingMoreAndGoesWithTheOthers() {
    SubjectKeys store = new SubjectKeys(keys.resolve("apart"));
    Envelopes envelopes =
        new Envelopes(store, LedgerKey.loadOrCreate(keys.resolve("ledger.key")), "a-log", "a-node");
    String before = envelopes.sealText(new TokenId(7), "event", "description", "words");
    store.retire("token:7");
    String after = envelopes.sealText(new TokenId(7), "event", "description", "words");
    assertEquals("words", envelopes.openText("event", "description", before));
    assertEquals("words", envelopes.openText("event", "description", after));
    assertEquals(2, store.ids("token:7").size());
    store.ids("token:7").forEach(store::destroy);
    assertEquals(List.of(), store.ids("token:7"));
    assertNull(envelopes.openText("event", "description", before));
    assertNull(envelopes.openText("event", "description", after));
  }

  @Test
  void aKeyThatCameBackFromABackupIsDestroyedAgain() throws Exception {
    Path subjects = keys.resolve("subjects");
    String id = ledger.erasures().preview(person()).keyIds().get(0);
    byte[] kept = Files.readAllBytes(subjects.resolve(id + ".key"));
    erase(person());
    assertFalse(Files.exists(subjects.resolve(id + ".key")));
    Files.write(subjects.resolve(id + ".key"), kept);
    ledger.erasures().complete();
    assertFalse(Files.exists(subjects.resolve(id + ".key")));
    assertNotEquals(List.of(id), ledger.erasures().preview(person()).keyIds());
  }

  /** Nodes write the table of erasures, and so can whoever takes over the login of one. */
  @Test
  void aRowOfTheTableDestroysNoKey() throws Exception {
    List<String> keyIds = ledger.erasures().preview(person()).keyIds();
    execute(
        "INSERT INTO state.erasure (event_id, subject, key_ids) VALUES ('none', 'system', ARRAY['"
            + keyIds.get(0)
            + "'])");
    ledger.erasures().complete();
    assertTrue(exported().contains(NAME));
  }

  @Test
  void aBackupMadeAfterwardsOpensNothingEvenWithTheKeysOfBefore() throws Exception {
    Path old = Files.createDirectory(keys.resolve("old"));
    Files.copy(keys.resolve("ledger.key"), old.resolve("ledger.key"));
    Files.copy(keys.resolve("signing.key"), old.resolve("signing.key"));
    Path subjects = Files.createDirectory(old.resolve("subjects"));
    try (var files = Files.list(keys.resolve("subjects"))) {
      for (Path file : files.toList()) {
        Files.copy(file, subjects.resolve(file.getFileName()));
      }
    }
    Erasure erased = erase(person());
    assertTrue(Files.exists(subjects.resolve(erased.keyIds().get(0) + ".key")));
    Path backup = keys.resolve("events.zip");
    EventBackup.write(database, backup);
    DatabaseUrl restored = TestPostgres.freshDatabase();
    Schema.migrate(restored);
    EventBackup.read(backup, restored);
    try (Ledger again = TestLedger.open(restored, old)) {
      assertEquals(List.of(), again.erasures().preview(person()).keyIds());
      assertFalse(Files.exists(subjects.resolve(erased.keyIds().get(0) + ".key")));
    }
    Verdict verdict = Ledger.verifyOffline(restored, null, List.of(), null, true, (done, of) -> {});
    assertTrue(verdict.isClean(), verdict.findings().toString());
  }

  @Test
  void aHoldBeatsAnErasureUntilASecondOneLiftsIt() {
    Instant past = Instant.parse("2000-01-01T00:00:00Z");
    Instant ahead = Instant.parse("2100-01-01T00:00:00Z");
    place(new LegalHoldPlaced("of-person", person(), null, null, null));
    place(new LegalHoldPlaced("of-token", null, "ingest", past, ahead));
    place(new LegalHoldPlaced("of-another", null, "no such token", null, null));
    place(new LegalHoldPlaced("of-the-past", null, null, null, past));
    PrivacyRefused held = assertThrows(PrivacyRefused.class, () -> erase(person()));
    assertEquals("held", held.code());
    assertEquals(List.of("of-person", "of-token"), ledger.erasures().preview(person()).holds());
    PrivacyRefused same = assertThrows(PrivacyRefused.class, () -> lift("of-person", 91));
    assertEquals("second_person", same.code());
    lift("of-person", 92);
    assertThrows(PrivacyRefused.class, () -> lift("of-person", 92));
    assertThrows(PrivacyRefused.class, () -> erase(person()));
    lift("of-token", 92);
    PrivacyRefused again =
        assertThrows(
            PrivacyRefused.class,
            () -> place(new LegalHoldPlaced("of-token", person(), null, null, null)));
    assertEquals("hold_exists", again.code());
    assertTrue(erase(person()).eventCount() > 2);
    assertEquals(4, entries("privacy.hold").size());
    assertEquals(2, entries("privacy.lift").size());
    assertEquals(
        List.of("of-the-past", "of-another"),
        ledger.holds().list().stream()
            .filter(hold -> hold.liftedAt() == null)
            .map(hold -> hold.hold())
            .toList());
  }

  private void place(LegalHoldPlaced hold) {
    ledger.holds().place(hold, TestLedger.context(officer(91)));
  }

  private void lift(String hold, long by) {
    ledger.holds().lift(hold, TestLedger.context(officer(by)));
  }

  @Test
  void aSubjectDoesNotEraseItself() {
    for (RequestContext context :
        List.of(forNobody(officer(90)), TestLedger.context(officer(90)))) {
      String own = context.onBehalfOf() == null ? "token:90" : person();
      PrivacyRefused refused =
          assertThrows(PrivacyRefused.class, () -> ledger.erasures().erase(own, context));
      assertEquals("own_subject", refused.code());
    }
  }

  @Test
  void whoseNothingIsSealedIsNotErased() {
    PrivacyRefused refused = assertThrows(PrivacyRefused.class, () -> erase("token:4711"));
    assertEquals("nothing_sealed", refused.code());
    assertEquals(0, entries("privacy.erase").size());
  }
}

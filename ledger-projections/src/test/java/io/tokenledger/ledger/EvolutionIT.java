package io.tokenledger.ledger;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.permission.Permissions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.quarantine.QuarantineRefused;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.SnapshotTable;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.store.Upcasters;
import io.tokenledger.store.Upcasters.Form;
import io.tokenledger.store.Upcasters.Payload;
import io.tokenledger.store.Upcasters.Step;
import io.tokenledger.token.Actor;
import io.tokenledger.token.Refusal;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenCommand.ResumeToken;
import io.tokenledger.token.TokenCommand.SuspendToken;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenRefused;
import io.tokenledger.token.TokenSnapshot;
import io.tokenledger.tokens.TokenEntry;
import io.tokenledger.tokens.TokenQuery;
import io.tokenledger.tokens.TokenState;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

/** Events of other versions: older ones that are upcast, and unknown ones that are not. */
class EvolutionIT {

  private static final TokenName NAME = new TokenName("old");
  private static final TokenId ID = new TokenId(900);
  private static final String STREAM = "token:old";
  private static final Instant T0 = Instant.parse("2026-01-01T00:00:00Z");

  /** What a later version would register beside today's: a changed, a split and a retired type. */
  private static final EventReader LATER =
      new EventReader(
          new Upcasters(
              List.of(
                  new Step(
                      new Form("ResourceTokenCreated", "-1"),
                      older -> {
                        older.set("name", older.remove("token"));
                        return List.of(new Payload(new Form("ResourceTokenCreated", "0"), older));
                      }),
                  new Step(
                      new Form("ResourceTokenCreated", "0"),
                      older -> {
                        String[] texts = older.remove("grants").stringValue().split(";");
                        var permissions = older.putArray("permissions");
                        List.of(texts).forEach(permissions::add);
                        older.putNull("expiry");
                        return List.of(new Payload(new Form("ResourceTokenCreated", "1"), older));
                      }),
                  new Step(new Form("TokenChanged", "1"), EvolutionIT::split),
                  new Step(new Form("TokenPinged", "1"), older -> List.of()),
                  new Step(
                      new Form("TokenEaten", "1"),
                      older -> {
                        older.set("revoked_at", older.remove("eaten_at"));
                        return List.of(new Payload(new Form("TokenRevoked", "1"), older));
                      }))));

  private static final String ENVELOPE =
      "{\"actor\":{\"type\":\"system\"},\"action\":\"token.other\",\"outcome\":\"success\","
          + "\"request_id\":\"r\"}";

  @TempDir Path keys;
  private DatabaseUrl database = TestPostgres.freshDatabase();

  private static List<Payload> split(ObjectNode older) {
    ObjectNode expiry = older.deepCopy();
    expiry.putNull("before");
    expiry.remove("permissions");
    ObjectNode permissions = older.deepCopy();
    permissions.putArray("before").add("db:a:read");
    permissions.remove("expiry");
    return List.of(
        new Payload(new Form("TokenExpiryChanged", "1"), expiry),
        new Payload(new Form("TokenPermissionsChanged", "1"), permissions));
  }

  private Ledger open(EventReader reader) {
    return Ledger.open(
        new LedgerOptions(
            database,
            keys.resolve("ledger.key"),
            keys.resolve("subjects"),
            "test/log",
            "n1",
            6,
            List.of(keys.resolve("signing.key")),
            keys.resolve("state"),
            null,
            null,
            List.of(),
            null,
            List.of()),
        reader,
        new SimpleMeterRegistry());
  }

  /** Writes a row as the node of another version would have, with its MAC. */
  private void append(
      String id, String stream, long sequence, String type, String revision, String payload)
      throws SQLException {
    try (Connection connection = TestPostgres.connect(database)) {
      connection.setAutoCommit(false);
      new EventTable(LedgerKey.loadOrCreate(keys.resolve("ledger.key")))
          .append(
              connection,
              List.of(
                  new EventTable.Row(
                      id,
                      stream,
                      sequence,
                      "Token",
                      type,
                      revision,
                      T0.toString(),
                      payload,
                      ENVELOPE)));
      connection.commit();
    }
  }

  private void execute(String sql) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  private void update(String sql) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      statement.executeUpdate(sql);
    }
  }

  private long number(String sql) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(sql)) {
      row.next();
      return row.getLong(1);
    }
  }

  private static void await(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + Duration.ofSeconds(30).toNanos();
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() < end, what);
      Thread.onSpinWait();
    }
  }

  private static TokenEntry entry(Ledger ledger, String name) {
    return ledger.tokens().search(TokenQuery.ofName(name)).get(0);
  }

  private static FoundToken.State state(Ledger ledger, SecretHash hash) {
    return ledger.lookup().find(hash).orElseThrow().state(System.currentTimeMillis());
  }

  private static Refusal refusal(Ledger ledger, SuspendToken command) {
    CompletionException failure =
        assertThrows(CompletionException.class, () -> TestLedger.execute(ledger, command).join());
    return assertInstanceOf(TokenRefused.class, failure.getCause()).refusal();
  }

  private static SuspendToken suspend(TokenName name, TokenId id) {
    return new SuspendToken(name, id, TestLedger.now(), TestLedger.ADMIN);
  }

  @Test
  void aHistoryOfEveryEarlierFormReplaysIntoTodaysStateAndGoesOn() throws Exception {
    SecretHash hash = TestLedger.newHash();
    try (Ledger ledger = open(LATER)) {
      TestLedger.create(ledger, "other", TestLedger.newHash(), "db:a:read").join();
      append(
          "old-0",
          STREAM,
          0,
          "ResourceTokenCreated",
          "-1",
          "{\"token\":\"old\",\"id\":900,\"hash\":\""
              + hash.hex()
              + "\",\"grants\":\"db:a:read;system:ping:read\",\"created_at\":\""
              + T0
              + "\"}");
      append(
          "old-1",
          STREAM,
          1,
          "TokenChanged",
          "1",
          "{\"name\":\"old\",\"id\":900,\"expiry\":\"2099-01-01T00:00:00Z\","
              + "\"permissions\":[\"db:b:read\"],\"changed_at\":\""
              + T0
              + "\"}");
      append("old-2", STREAM, 2, "TokenPinged", "1", "{\"name\":\"old\",\"id\":900}");
      assertEquals(1, ledger.replay().replaceLookup("test"));

      FoundToken found = ledger.lookup().find(hash).orElseThrow();
      assertEquals(Permissions.parse(List.of("db:b:read")), found.permissions());
      assertEquals(Instant.parse("2099-01-01T00:00:00Z"), found.expiry().instant());
      await("the retired event is passed", () -> ledger.tokens().find(ID).isPresent());
      assertEquals(found.permissions().texts(), entry(ledger, "old").permissions());
      assertEquals(2, number("SELECT count(*) FROM views.token_history WHERE token_id = 900"));
      assertEquals(
          1,
          number(
              "SELECT count(*) FROM views.token_history WHERE token_id = 900 AND to_leaf IS NULL"
                  + " AND permissions = ARRAY['db:b:read'] AND expires_at = '2099-01-01Z'"));

      TestLedger.execute(ledger, suspend(NAME, ID)).join();
      assertEquals(
          3,
          number("SELECT max(sequence_number) FROM ledger.event WHERE aggregate_id = 'token:old'"));
      assertEquals(FoundToken.State.SUSPENDED, state(ledger, hash));
      assertEquals(0, TestLedger.differences(ledger));
      assertEquals(List.of(), ledger.standing());
    }
    assertEquals(
        1,
        number("SELECT count(*) FROM ledger.event WHERE payload LIKE '{\"token\":\"old\"%'"),
        "what is stored stays as it was");
  }

  /** The table takes no such row; its owner can make one of any. */
  @Test
  void aTimeThatIsNoneIsNamedAndCanBeQuarantined() throws Exception {
    String timeless =
        "INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,"
            + " event_type, revision, occurred_at, payload, metadata, mac) SELECT 'timeless',"
            + " 'timeless', 0, 'Service', 'ServiceStopped', '1', '2026-13-01T00:00:00Z', '{}',"
            + " metadata, mac FROM ledger.event WHERE aggregate_id = 'token:old'";
    try (Ledger ledger = open(EventReader.CURRENT)) {
      TestLedger.create(ledger, "old", TestLedger.newHash(), "db:a:read").join();
      assertThrows(SQLException.class, () -> execute(timeless));
      execute("ALTER TABLE ledger.event DROP CONSTRAINT event_time_check");
      execute(timeless);
      TestLedger.create(ledger, "other", TestLedger.newHash(), "db:a:read").join();
      await("it stands", () -> !ledger.standing().isEmpty());
      assertTrue(
          ledger.standing().get(0).contains("event timeless at leaf"),
          ledger.standing().toString());
      assertTrue(ledger.standing().get(0).endsWith("broken time"), ledger.standing().toString());
      ledger.quarantine().quarantine("timeless", TestLedger.context(TestLedger.ADMIN));
      await("nothing stands any more", () -> ledger.standing().isEmpty());
      await(
          "what came after it is listed",
          () -> ledger.audit().search(AuditQuery.newest("token.create", 2)).entries().size() == 2);
      long replay = ledger.replay().ready("test", job -> {}).id();
      assertEquals(0, ledger.replay().compare(replay).differenceCount());
    }
  }

  @Test
  void anUnreadableEventStopsAllUntilItIsQuarantinedAndIsTakenOnceItCanBeRead() throws Exception {
    SecretHash hash = TestLedger.newHash();
    SecretHash otherHash = TestLedger.newHash();
    TokenId id;
    try (Ledger ledger = open(EventReader.CURRENT)) {
      id = TestLedger.create(ledger, "old", hash, "db:a:read").join().id();
      append(
          "eaten",
          STREAM,
          1,
          "TokenEaten",
          "1",
          "{\"name\":\"old\",\"id\":" + id + ",\"eaten_at\":\"" + T0 + "\"}");
      TestLedger.create(ledger, "other", otherHash, "db:a:read").join();
      await("both projections of tokens stand", () -> ledger.standing().size() == 2);
      assertTrue(
          ledger
              .standing()
              .get(0)
              .matches(
                  "token.* stands still: event eaten at leaf \\d+: unknown event type TokenEaten"),
          ledger.standing().toString());
      assertEquals(
          1,
          entry(ledger, "old").id().value() == id.value() ? 1 : 0,
          "what was before it is taken");
      assertEquals(FoundToken.State.LIVE, state(ledger, hash), "its writer kept the lookup");
      UnreadableEvent stopped =
          assertThrows(UnreadableEvent.class, () -> ledger.replay().ready("test", job -> {}));
      assertTrue(stopped.getMessage().contains("event eaten at global index"));
      assertEquals(Refusal.UNREADABLE, refusal(ledger, suspend(NAME, id)));
      String finding =
          "SELECT count(*) FROM ledger.event WHERE event_type = 'UnreadableEventFound'";
      await("the finding is an event", () -> count(finding) == 1);

      var context = TestLedger.context(TestLedger.ADMIN);
      assertThrows(QuarantineRefused.class, () -> ledger.quarantine().quarantine("none", context));
      assertThrows(QuarantineRefused.class, () -> ledger.quarantine().release("eaten", context));
      assertThrows(
          QuarantineRefused.class,
          () ->
              ledger
                  .quarantine()
                  .quarantine(
                      "eaten", TestLedger.context(Actor.token(id, NAME, Permissions.admin()))));
      String readable =
          ledger.audit().search(AuditQuery.newest("token.create", 1)).entries().get(0).eventId();
      assertThrows(
          QuarantineRefused.class, () -> ledger.quarantine().quarantine(readable, context));
      String changed = "SELECT max(changed_xid) FROM views.token_lookup WHERE token_name = 'old'";
      long before = number(changed);
      ledger.quarantine().quarantine("eaten", context);
      assertTrue(number(changed) > before, "who was away from the feed hears of it");
      ledger.replay().resume(ledger.replay().current().id());
      assertThrows(QuarantineRefused.class, () -> ledger.quarantine().quarantine("eaten", context));

      await("nothing stands any more", () -> ledger.standing().isEmpty());
      assertEquals(FoundToken.State.QUARANTINED, state(ledger, hash), "it may be a revocation");
      assertEquals("eaten", ledger.timeline().quarantined(NAME).orElseThrow().eventId());
      assertEquals(FoundToken.State.LIVE, state(ledger, otherHash));
      assertEquals(Refusal.UNREADABLE, refusal(ledger, suspend(NAME, id)));
      await(
          "the other is taken",
          () -> !ledger.tokens().search(TokenQuery.ofName("other")).isEmpty());
      assertEquals(0, TestLedger.differences(ledger));
      List<AuditEntry> listed =
          ledger.audit().search(AuditQuery.newest(null, 100)).entries().stream()
              .filter(AuditEntry::quarantined)
              .toList();
      assertEquals(List.of("eaten"), listed.stream().map(AuditEntry::eventId).toList());
      assertEquals("quarantined", ledger.quarantine().list().get(0).state());
      assertThrows(QuarantineRefused.class, () -> ledger.quarantine().release("eaten", context));
      assertEquals(1, number(finding));
    }
    try (Ledger ledger = open(LATER)) {
      ledger.quarantine().release("eaten", TestLedger.context(TestLedger.ADMIN));
      assertEquals(FoundToken.State.REVOKED, state(ledger, hash));
      assertEquals(TokenState.REVOKED, entry(ledger, "old").state(Instant.now()));
      assertEquals(0, TestLedger.differences(ledger));
      assertEquals(
          1,
          number(
              "SELECT count(*) FROM views.token_history WHERE revoked_at IS NOT NULL AND to_leaf IS NULL"));
      assertEquals("released", ledger.quarantine().list().get(0).state());
      TestLedger.create(ledger, "old", TestLedger.newHash(), "db:a:read").join();
      assertTrue(ledger.verifySelf().isClean(), "the tree is as it was");
    }
    assertEquals(
        1, number("SELECT count(*) FROM ledger.event WHERE event_type = 'EventQuarantined'"));
    assertEquals(1, number("SELECT count(*) FROM ledger.event WHERE event_type = 'EventReleased'"));
  }

  private long count(String sql) {
    try {
      return number(sql);
    } catch (SQLException e) {
      throw new AssertionError(e);
    }
  }

  private TokenId longStream(Ledger ledger, SecretHash hash) {
    TokenId id = TestLedger.create(ledger, "old", hash, "db:a:read").join().id();
    for (int i = 0; i < Snapshots.EVERY / 2; i++) {
      TestLedger.execute(ledger, suspend(NAME, id)).join();
      TestLedger.execute(ledger, new ResumeToken(NAME, id, TestLedger.now(), TestLedger.ADMIN))
          .join();
    }
    assertEquals(0, count("SELECT count(*) FROM state.snapshot"), "not before it is worth it");
    TestLedger.execute(ledger, suspend(NAME, id)).join();
    await("a snapshot", () -> count("SELECT count(*) FROM state.snapshot") == 1);
    return id;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "revision = '1-other'",
        "mac = sha256('x')",
        "sequence_number = 5000",
        "event_id = 'of another history'",
        "snapshot = 'no json'",
        "snapshot = replace(snapshot, 'true', 'false')"
      })
  void aSnapshotThatIsNotBelievedIsPassedOverForTheEvents(String damage) throws Exception {
    try (Ledger ledger = open(EventReader.CURRENT)) {
      TokenId id = longStream(ledger, TestLedger.newHash());
      update("UPDATE state.snapshot SET taken_at = '-infinity', " + damage);
      assertEquals(Refusal.UNCHANGED, refusal(ledger, suspend(NAME, id)));
      TestLedger.execute(ledger, new ResumeToken(NAME, id, TestLedger.now(), TestLedger.ADMIN))
          .join();
      await(
          "it is replaced",
          () -> count("SELECT count(*) FROM state.snapshot WHERE taken_at > '-infinity'") == 1);
      assertEquals(0, ledger.snapshots().check(10));
    }
  }

  @Test
  void aSnapshotThatLiesUnderAValidMacIsFoundByItsEvents() throws Exception {
    SecretHash hash = TestLedger.newHash();
    try (Ledger ledger = open(EventReader.CURRENT)) {
      TokenId id = longStream(ledger, hash);
      assertEquals(0, ledger.snapshots().check(10));
      SnapshotTable table = new SnapshotTable(LedgerKey.loadOrCreate(keys.resolve("ledger.key")));
      try (Connection connection = TestPostgres.connect(database);
          Statement statement = connection.createStatement();
          ResultSet row =
              statement.executeQuery(
                  "SELECT sequence_number, event_id, snapshot FROM state.snapshot")) {
        row.next();
        TokenSnapshot kept = SnapshotTable.read(row.getString(3));
        TokenSnapshot lie =
            new TokenSnapshot(
                kept.name(),
                kept.kind(),
                kept.id(),
                kept.hash(),
                kept.createdAt(),
                kept.expiry(),
                kept.permissions(),
                false,
                kept.suspended(),
                kept.expiryRecorded(),
                kept.announcedDays());
        SnapshotTable.save(connection, table.row(STREAM, row.getLong(1), row.getString(2), lie));
      }
      assertEquals(
          Refusal.NOT_FOUND, refusal(ledger, suspend(NAME, id)), "a load does begin with it");
      assertEquals(1, ledger.snapshots().check(10));
      assertEquals(Refusal.UNCHANGED, refusal(ledger, suspend(NAME, id)));
      await("the true one again", () -> count("SELECT count(*) FROM state.snapshot") == 1);
      assertEquals(0, ledger.snapshots().check(10));
      assertFalse(ledger.lookup().find(hash).isEmpty());
    }
  }
}

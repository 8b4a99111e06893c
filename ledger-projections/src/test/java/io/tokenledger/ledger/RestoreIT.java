package io.tokenledger.ledger;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.audit.EventType;
import io.tokenledger.backup.Digests;
import io.tokenledger.backup.EventBackup;
import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.lookup.FoundToken.State;
import io.tokenledger.permission.Permissions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.Actor;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenCommand.ChangePermissions;
import io.tokenledger.token.TokenCommand.SuspendToken;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenSummary;
import io.tokenledger.verify.BundleWriter;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One history, restored to before its revocations in several ways. */
class RestoreIT {

  private static final SecretHash REVOKED = TestLedger.newHash();
  private static final SecretHash SUSPENDED = TestLedger.newHash();
  private static final SecretHash NARROWED = TestLedger.newHash();
  private static final SecretHash KEPT = TestLedger.newHash();
  private static final SecretHash LATER = TestLedger.newHash();

  @TempDir static Path directory;
  private static Path keys;
  private static Path events;
  private static Path bundle;
  private static Path checkpoint;
  private static DatabaseUrl database;
  private static DatabaseUrl whole;
  private static DatabaseUrl older;
  private static long highestId;

  @BeforeAll
  static void aHistoryAndItsBackups() throws Exception {
    keys = directory.resolve("keys");
    events = directory.resolve("events.zip");
    bundle = directory.resolve("bundle.zip");
    checkpoint = directory.resolve("checkpoint");
    database = TestPostgres.freshDatabase();
    try (Ledger ledger = TestLedger.open(database, keys)) {
      TestLedger.create(ledger, "revoked", REVOKED, "db:a:read").join();
      TestLedger.create(ledger, "suspended", SUSPENDED, "db:a:read").join();
      TestLedger.create(ledger, "narrowed", NARROWED, "db:a:read,write").join();
      TestLedger.create(ledger, "kept", KEPT, "db:a:read").join();
      await("signed", () -> signedSize(ledger) == 4);
    }
    older = TestPostgres.copyOf(database);
    try (Ledger ledger = TestLedger.open(database, keys)) {
      FoundToken suspended = ledger.lookup().find(SUSPENDED).orElseThrow();
      FoundToken narrowed = ledger.lookup().find(NARROWED).orElseThrow();
      TestLedger.revoke(ledger, "revoked").join();
      TestLedger.execute(
              ledger,
              new SuspendToken(
                  suspended.name(), suspended.id(), TestLedger.now(), TestLedger.ADMIN))
          .join();
      TestLedger.execute(
              ledger,
              new ChangePermissions(
                  narrowed.name(),
                  narrowed.id(),
                  Permissions.parse(List.of("db:a:read")),
                  TestLedger.now(),
                  TestLedger.ADMIN))
          .join();
      TokenSummary later = TestLedger.create(ledger, "later", LATER, "db:a:read").join();
      highestId = later.id().value();
      await("signed", () -> signedSize(ledger) == 8);
      CheckpointTable.Signed newest = ledger.log().newest().orElseThrow();
      Files.writeString(checkpoint, newest.note().toString());
      try (OutputStream out = Files.newOutputStream(bundle)) {
        ledger.writeBundle(newest, new BundleWriter.Range(0, newest.size(), null), out);
      }
    }
    whole = TestPostgres.copyOf(database);
    EventBackup.write(whole, events);
  }

  private static long signedSize(Ledger ledger) {
    return ledger.log().newest().map(CheckpointTable.Signed::size).orElse(0L);
  }

  private static void await(String what, BooleanSupplier condition) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (!condition.getAsBoolean()) {
      assertTrue(System.nanoTime() < end, what + " in time");
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  private static State state(Ledger ledger, SecretHash hash) {
    return ledger.lookup().find(hash).orElseThrow().state(System.currentTimeMillis());
  }

  /** A node's directory as it was when all was signed, so that tests do not share a memory. */
  private static Path memory(String name) throws Exception {
    Path state = Files.createDirectories(directory.resolve(name));
    Files.copy(keys.resolve("state").resolve("checkpoint-1"), state.resolve("checkpoint-1"));
    return state;
  }

  private static Ledger open(DatabaseUrl database, Path state) {
    return TestLedger.openNode(database, keys, state, null);
  }

  @Test
  void aLedgerOlderThanWhatWasSignedDecidesAndChangesNothingUntilItIsAccepted() throws Exception {
    TestPostgres.restore(database, older);
    Path state = memory("accepting");
    try (Ledger ledger = open(database, state)) {
      assertTrue(ledger.restored().contains("holds 4 leaves"), ledger.restored());
      CompletionException refused =
          assertThrows(
              CompletionException.class,
              () -> TestLedger.create(ledger, "new", TestLedger.newHash(), "db:a:read").join());
      assertInstanceOf(LedgerUnavailable.class, refused.getCause());
      await("refusing to sign", () -> ledger.signingRefused() != null);
    }
    try (Ledger ledger = open(database, directory.resolve("no-memory"))) {
      assertNotNull(ledger.restored(), "a node without memory is told by the database");
    }
    try (RestoreAcceptance acceptance = TestLedger.acceptance(database, keys, state)) {
      assertTrue(acceptance.isRestored());
      RestoreAcceptance.Shown shown = acceptance.show(List.of(events));
      assertEquals(4, shown.absentLeaves());
      assertEquals(
          List.of(
              "TokenRevoked", "TokenSuspended", "TokenPermissionsChanged", "ResourceTokenCreated"),
          shown.absent().stream().map(RestoreAcceptance.Absent::eventType).toList());
      assertEquals(4, shown.absentEvents());
      assertEquals(3, shown.commands().size());
      assertEquals("test/log/2", acceptance.accept(shown, TestLedger.context(Actor.SYSTEM)));
      assertFalse(acceptance.isRestored());
    }
    try (Ledger ledger = open(database, state)) {
      assertNull(ledger.restored());
      assertEquals(State.REVOKED, state(ledger, REVOKED));
      assertEquals(State.SUSPENDED, state(ledger, SUSPENDED));
      assertEquals(State.LIVE, state(ledger, KEPT));
      assertEquals(
          List.of("db:a:read"), ledger.lookup().find(NARROWED).orElseThrow().permissions().texts());
      assertTrue(ledger.lookup().find(LATER).isEmpty(), "what was made since is not made again");
      TokenSummary next =
          TestLedger.create(ledger, "next", TestLedger.newHash(), "db:a:read").join();
      assertTrue(next.id().value() > highestId, next.id() + " after " + highestId);
      await("signing again", () -> signedSize(ledger) > 8 && ledger.signingRefused() == null);
      AuditEntry accepted =
          ledger
              .audit()
              .search(AuditQuery.newest(EventType.RESTORE_ACCEPTED.action(), 10))
              .entries()
              .get(0);
      assertTrue(accepted.payload().toString().contains("\"absent_events\":4,\"reapplied\":3"));
      AuditEntry again =
          ledger
              .audit()
              .search(AuditQuery.newest(EventType.TOKEN_REVOKED.action(), 10))
              .entries()
              .get(0);
      assertEquals("system", again.actorName());
      assertTrue(
          again.envelope().toString().contains("taken again after a restore"),
          again.envelope().toString());
      assertEquals(0, TestLedger.differences(ledger));
    }
  }

  @Test
  void aNodeThatRunsWhileItsDatabaseIsReplacedNoticesByItself() throws Exception {
    TestPostgres.restore(database, whole);
    try (Ledger ledger = open(database, memory("running"))) {
      assertNull(ledger.restored());
      TestPostgres.restore(database, older);
      await("noticed", () -> ledger.restored() != null);
      assertTrue(ledger.restored().contains("holds 4 leaves"), ledger.restored());
    }
  }

  @Test
  void aBundleShowsWhatIsAbsentAndACheckpointHowMuch() throws Exception {
    TestPostgres.restore(database, older);
    RestoreAcceptance.markRestored(database, "test", "restored by a test");
    Path state = Files.createDirectories(directory.resolve("new-machine"));
    try (RestoreAcceptance acceptance = TestLedger.acceptance(database, keys, state)) {
      RestoreAcceptance.Shown alone = acceptance.show(List.of());
      assertNull(alone.known());
      assertTrue(alone.highestTokenId() > 1_000_000, "nobody knows which ids there were");
      RestoreAcceptance.Shown bySize = acceptance.show(List.of(checkpoint));
      assertEquals(4, bySize.absentLeaves());
      assertEquals(List.of(), bySize.commands());
      RestoreAcceptance.Shown byContent = acceptance.show(List.of(bundle));
      assertEquals(4, byContent.absentEvents());
      assertEquals(3, byContent.commands().size());
      assertEquals(highestId + 1_000, byContent.highestTokenId());
      assertEquals(
          byContent.commands().size(), acceptance.show(List.of(bundle, events)).commands().size());
    }
  }

  @Test
  void aFileWithAnEventThatNoNodeWroteIsRefusedWhole() throws Exception {
    Path otherKeys = directory.resolve("others");
    DatabaseUrl other = TestPostgres.freshDatabase();
    try (Ledger ledger = TestLedger.open(other, otherKeys)) {
      TestLedger.create(ledger, "kept", KEPT, "db:a:read").join();
      TestLedger.revoke(ledger, "kept").join();
    }
    Path forged = directory.resolve("forged.zip");
    EventBackup.write(other, forged);
    TestPostgres.restore(database, older);
    try (RestoreAcceptance acceptance =
        TestLedger.acceptance(database, keys, memory("for-the-forged"))) {
      IllegalStateException refused =
          assertThrows(IllegalStateException.class, () -> acceptance.show(List.of(forged)));
      assertTrue(refused.getMessage().contains("was written by no node"), refused.getMessage());
    }
  }

  @Test
  void theEventsAloneMakeTheSameLedgerElsewhere() throws Exception {
    DatabaseUrl fresh = TestPostgres.freshDatabase();
    RestoreAcceptance.markRestored(fresh, "test", "filled from a backup");
    EventBackup.Summary read = EventBackup.read(events, fresh);
    Digests.Snapshot there = Digests.of(whole);
    assertEquals(there.truth(), read.digest());
    assertEquals(there.truth(), Digests.of(fresh).truth());
    assertEquals(highestId, read.highestTokenId());
    assertThrows(IllegalStateException.class, () -> EventBackup.read(events, fresh));
    Path state = Files.createDirectories(directory.resolve("elsewhere"));
    try (Ledger ledger = open(fresh, state)) {
      assertEquals("filled from a backup", ledger.restored());
      await(
          "rebuilt though it decides nothing",
          () -> withoutLookup(there).equals(withoutLookup(Digests.of(fresh))));
    }
    try (Ledger.Offline offline = Ledger.openOffline(fresh, new SimpleMeterRegistry())) {
      offline.replay().replaceLookup("test");
    }
    assertEquals(there.rebuildable(), Digests.of(fresh).rebuildable());
    try (RestoreAcceptance acceptance = TestLedger.acceptance(fresh, keys, state)) {
      RestoreAcceptance.Shown shown = acceptance.show(List.of(events));
      assertEquals(0, shown.absentLeaves());
      assertEquals(List.of(), shown.commands());
      acceptance.accept(shown, TestLedger.context(Actor.SYSTEM));
    }
    try (Ledger ledger = open(fresh, state)) {
      assertEquals(State.REVOKED, state(ledger, REVOKED));
      assertEquals(State.LIVE, state(ledger, KEPT));
      assertTrue(
          TestLedger.create(ledger, "next", TestLedger.newHash(), "db:a:read").join().id().value()
              > highestId);
    }
  }

  private static List<Digests.Digest> withoutLookup(Digests.Snapshot snapshot) {
    return snapshot.tables().stream()
        .filter(each -> each.table().startsWith("views."))
        .filter(each -> !each.table().equals("views.token_lookup"))
        .toList();
  }

  @Test
  void aFileThatWasChangedFillsNothing() throws Exception {
    Path changed = directory.resolve("changed.zip");
    Files.copy(events, changed);
    try (java.nio.file.FileSystem zip = java.nio.file.FileSystems.newFileSystem(changed)) {
      Path rows = zip.getPath("tables/ledger.event");
      Files.writeString(rows, Files.readString(rows).replace("db:a:read", "db:b:read"));
    }
    DatabaseUrl fresh = TestPostgres.freshDatabase();
    RestoreAcceptance.markRestored(fresh, "test", "filled from a backup");
    IllegalStateException refused =
        assertThrows(IllegalStateException.class, () -> EventBackup.read(changed, fresh));
    assertTrue(refused.getMessage().contains("ledger.event"), refused.getMessage());
    try (Connection connection = TestPostgres.connect(fresh);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery("SELECT count(*) FROM ledger.event")) {
      row.next();
      assertEquals(0, row.getLong(1));
    }
  }

  @Test
  void allOfTheViewsIsRebuiltFromTheEvents() throws Exception {
    TestPostgres.restore(database, whole);
    Digests.Snapshot before = Digests.of(database);
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      statement.execute(
          """
          DO $$
          DECLARE each record;
          BEGIN
            FOR each IN SELECT tablename FROM pg_tables WHERE schemaname = 'views' LOOP
              EXECUTE format('TRUNCATE views.%I', each.tablename);
            END LOOP;
          END $$
          """);
    }
    assertFalse(before.rebuildable().equals(Digests.of(database).rebuildable()), "all is gone");
    try (Ledger.Offline offline = Ledger.openOffline(database, new SimpleMeterRegistry())) {
      assertTrue(offline.replay().replaceLookup("test") > 0);
    }
    try (Ledger ledger = open(database, memory("rebuilding"))) {
      await("rebuilt", () -> before.rebuildable().equals(Digests.of(database).rebuildable()));
      assertEquals(State.REVOKED, state(ledger, REVOKED));
      assertEquals(before.truth(), Digests.of(database).truth(), "nothing else changed");
      assertEquals(new TokenName("kept"), ledger.lookup().find(KEPT).orElseThrow().name());
    }
  }
}

package io.tokenledger.archive;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.TestLedger;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.signing.SigningKeys;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.verify.Verdict;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The log in segments: what is written once, and what is found out about it without the ledger. */
class ArchiveIT {

  private static final int HALF = 300;

  @TempDir static Path directory;
  private static Path archived;
  private static DatabaseUrl database;
  private static List<Archive.Run> runs;
  private static List<AuditEntry> events;
  private static int next;

  private static SignedNote newest;

  @BeforeAll
  static void archive() throws Exception {
    database = TestPostgres.freshDatabase();
    archived = directory.resolve("archive");
    try (Ledger ledger = TestLedger.openWithArchive(database, directory, archived)) {
      runs = new ArrayList<>();
      runs.add(run(ledger));
      create(ledger);
      runs.add(run(ledger));
      create(ledger);
      newest = ledger.log().newest().orElseThrow().note();
      runs.add(run(ledger));
      runs.add(run(ledger));
      events =
          ledger
              .audit()
              .search(
                  new AuditQuery(null, "archive.write", null, null, null, null, null, null, 100))
              .entries();
    }
  }

  private static void create(Ledger ledger) throws InterruptedException {
    List<CompletableFuture<?>> made = new ArrayList<>();
    long before = size(ledger);
    for (int i = 0; i < HALF; i++) {
      made.add(TestLedger.create(ledger, "t" + next++, TestLedger.newHash(), "db:a:read"));
    }
    made.forEach(CompletableFuture::join);
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (size(ledger) < before + HALF) {
      assertTrue(System.nanoTime() < end, "signed in time");
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  private static long size(Ledger ledger) {
    return ledger.log().newest().map(CheckpointTable.Signed::size).orElse(0L);
  }

  private static Archive.Run run(Ledger ledger) {
    return Objects.requireNonNull(ledger.archive()).run(TestLedger.context(TestLedger.ADMIN), true);
  }

  private static Policy policy() {
    return Policy.of(
        SigningKeys.loadOrCreate(List.of(directory.resolve("signing.key")))
            .verifierKeys("test/log/1"));
  }

  private static ArchiveReader.Result verify(Path archive) throws IOException {
    return verify(archive, List.of());
  }

  private static ArchiveReader.Result verify(Path archive, List<SignedNote> remembered)
      throws IOException {
    return new ArchiveReader(new DirectoryStore(archive)).verify(policy(), remembered);
  }

  /** A copy that may be changed. */
  private static Path copy(String name) throws IOException {
    Path copy = Files.createDirectory(directory.resolve(name));
    for (String segment : new DirectoryStore(archived).list()) {
      Files.write(copy.resolve(segment), Files.readAllBytes(archived.resolve(segment)));
    }
    return copy;
  }

  @Test
  void wholeTilesThatAreSignedGoIntoSegmentsAndEachRunIsAnEvent() throws IOException {
    assertEquals(new Archive.Run(0, 0, 0, null), runs.get(0));
    assertEquals(
        List.of(1L, 1L, 0L), runs.subList(1, 4).stream().map(Archive.Run::segments).toList());
    assertEquals(
        List.of(256L, 512L, 512L), runs.subList(1, 4).stream().map(Archive.Run::to).toList());
    List<Segment> segments = new ArchiveReader(new DirectoryStore(archived)).segments();
    assertEquals(
        List.of("segment-000000000000000.zip", "segment-000000000000256.zip"),
        segments.stream().map(Segment::name).toList());
    assertEquals(runs.get(1).sha256(), segments.get(0).head().sha256());
    assertEquals("0 " + runs.get(1).sha256(), segments.get(1).head().previous());
    assertEquals(4, events.size());
    assertTrue(
        events.get(1).payload().toString().contains(String.valueOf(runs.get(2).sha256())),
        events.get(1).payload().toString());
  }

  @Test
  void anArchiveIsVerifiedWithNothingButTheKeys() throws IOException {
    ArchiveReader.Result result = verify(archived);
    assertEquals(List.of(), result.findings());
    assertEquals(List.of(), result.notes());
    assertEquals(2, result.segments());
    assertEquals(512, result.next());
    // One of today says nothing of where the segments of before end.
    assertEquals(List.of(), verify(archived, List.of(newest)).findings());
    SignedNote other =
        SigningKeys.loadOrCreate(List.of(directory.resolve("signing.key")))
            .sign(new Checkpoint("test/log/1", 300, TreeHash.EMPTY).text(), "test/log/1");
    assertTrue(
        verify(archived, List.of(other)).findings().get(0).contains("root_differs"),
        verify(archived, List.of(other)).findings().toString());
  }

  @Test
  void whatIsKeptIsNeverReplaced() throws IOException {
    Path file = Files.writeString(directory.resolve("file"), "first");
    DirectoryStore store = new DirectoryStore(directory.resolve("store"));
    store.put("a.zip", file);
    Files.writeString(file, "second");
    assertThrows(FileAlreadyExistsException.class, () -> store.put("a.zip", file));
    Path back = directory.resolve("back");
    store.get("a.zip", back);
    assertEquals("first", Files.readString(back));
    assertEquals(List.of("a.zip"), store.list());
    try (var files = Files.list(directory.resolve("store"))) {
      assertEquals(1, files.count(), "nothing unfinished stays");
    }
    assertThrows(NoSuchFileException.class, () -> store.get("b.zip", back));
    assertThrows(NoSuchFileException.class, () -> store.get("../file", back));
  }

  @Test
  void aSegmentThatIsMissingOrChangedIsFound() throws IOException {
    Path missing = copy("missing");
    Files.delete(missing.resolve(Segment.name(0)));
    assertEquals(
        List.of(Segment.name(256) + ": the segments before leaf 256 are missing"),
        verify(missing).findings());
    Path changed = copy("changed");
    byte[] bytes = Files.readAllBytes(changed.resolve(Segment.name(256)));
    bytes[bytes.length / 2] ^= 1;
    Files.write(changed.resolve(Segment.name(256)), bytes);
    assertTrue(
        verify(changed).findings().get(0).startsWith(Segment.name(256)),
        verify(changed).findings().toString());
    Path renamed = copy("renamed");
    Files.move(renamed.resolve(Segment.name(256)), renamed.resolve(Segment.name(512)));
    assertTrue(
        verify(renamed).findings().get(0).contains("its name is that of another segment"),
        verify(renamed).findings().toString());
    Path none = copy("none");
    Files.write(none.resolve(Segment.name(512)), "no zip".getBytes(StandardCharsets.UTF_8));
    assertTrue(
        verify(none).findings().get(0).contains("it is no segment"),
        verify(none).findings().toString());
  }

  private static long rows(Connection connection, String table) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet row =
            statement.executeQuery(
                "SELECT hashtextextended(string_agg(t::text, ',' ORDER BY t::text), 0) FROM "
                    + "%s AS t WHERE event_id IN (SELECT event_id FROM audit.leaf".formatted(table)
                    + " WHERE leaf_index < 512)")) {
      row.next();
      return row.getLong(1);
    }
  }

  @Test
  void whatIsLostOrChangedIsBroughtBackAsItWasAndOnlyFromSegmentsOfThisTree() throws Exception {
    Path changed = copy("changed-too");
    byte[] bytes = Files.readAllBytes(changed.resolve(Segment.name(256)));
    bytes[bytes.length / 2] ^= 1;
    Files.write(changed.resolve(Segment.name(256)), bytes);
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      long events = rows(connection, "ledger.event");
      long salts = rows(connection, "state.event_salt");
      statement.executeUpdate("DELETE FROM ledger.event WHERE global_index IN (20, 300)");
      statement.executeUpdate(
          "DELETE FROM state.event_salt USING audit.leaf"
              + " WHERE leaf.event_id = event_salt.event_id AND leaf_index IN (30, 31)");
      statement.executeUpdate(
          "UPDATE ledger.event SET payload = '{}', mac = sha256('x') WHERE global_index = 40");
      Verdict broken = Ledger.verifyOffline(database, null, List.of(), null, false, (a, b) -> {});
      assertEquals(5, broken.findingCount(), broken.findings().toString());
      try (Ledger ledger = TestLedger.openWithArchive(database, directory, changed)) {
        ArchiveRefused refused = assertThrows(ArchiveRefused.class, () -> restore(ledger, false));
        assertTrue(List.of("not_clean", "archive_broken").contains(refused.code()), refused.code());
      }
      assertNotEquals(events, rows(connection, "ledger.event"), "nothing was written");
      try (Ledger ledger = TestLedger.openWithArchive(database, directory, archived)) {
        assertEquals(new ArchiveRestore.Result(2, 2, 2, 1, 0), restore(ledger, true));
        assertNotEquals(events, rows(connection, "ledger.event"), "it only counted");
        assertEquals(new ArchiveRestore.Result(2, 2, 2, 1, 0), restore(ledger, false));
        assertEquals(new ArchiveRestore.Result(2, 0, 0, 0, 0), restore(ledger, false));
      }
      assertEquals(events, rows(connection, "ledger.event"));
      assertEquals(salts, rows(connection, "state.event_salt"));
    }
    Verdict clean = Ledger.verifyOffline(database, null, List.of(), null, true, (a, b) -> {});
    assertEquals(List.of(), clean.findings());
  }

  private static ArchiveRestore.Result restore(Ledger ledger, boolean dryRun) {
    return Objects.requireNonNull(ledger.archiveRestore())
        .restore(0, 512, dryRun, TestLedger.context(TestLedger.ADMIN));
  }

  @Test
  void noSegmentFollowsThoseOfAnotherHistory() throws Exception {
    Path keys = Files.createDirectory(directory.resolve("other-keys"));
    Path archive = copy("taken");
    try (Ledger other = TestLedger.openWithArchive(TestPostgres.freshDatabase(), keys, archive)) {
      assertEquals("archive_ahead", assertThrows(ArchiveRefused.class, () -> run(other)).code());
      create(other);
      create(other);
      create(other);
      assertEquals("another_history", assertThrows(ArchiveRefused.class, () -> run(other)).code());
    }
    assertEquals(2, new DirectoryStore(archive).list().size());
  }

  @Test
  void theLeaderArchivesByItselfAndWhatDoesNotVerifyIsNot() throws Exception {
    DatabaseUrl forged = TestPostgres.freshDatabase();
    Path keys = Files.createDirectory(directory.resolve("forged-keys"));
    Path archive = directory.resolve("forged");
    ArchiveTarget often = new ArchiveTarget(archive.toString(), Duration.ofSeconds(1));
    SimpleMeterRegistry meters = new SimpleMeterRegistry();
    try (Ledger ledger = TestLedger.openWithArchive(forged, keys, often, meters)) {
      create(ledger);
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
      while (new DirectoryStore(archive).list().isEmpty()) {
        assertTrue(System.nanoTime() < end, "the leader archives by itself in time");
        TimeUnit.MILLISECONDS.sleep(20);
      }
      while (!(meters.get("ledger.archive.lag").gauge().value() < 256)) {
        assertTrue(System.nanoTime() < end, "only what is no whole tile waits");
        TimeUnit.MILLISECONDS.sleep(20);
      }
    }
    try (Ledger ledger = TestLedger.openWithArchive(forged, keys, archive)) {
      try (Connection connection = TestPostgres.connect(forged);
          Statement statement = connection.createStatement()) {
        statement.executeUpdate(
            "UPDATE ledger.event SET payload = replace(payload, 'db', 'ba') WHERE global_index = 300");
      }
      create(ledger);
      ArchiveRefused refused = assertThrows(ArchiveRefused.class, () -> run(ledger));
      assertEquals("not_clean", refused.code());
      assertTrue(String.valueOf(refused.getMessage()).contains("payload"), refused.getMessage());
      assertEquals(List.of(Segment.name(0)), new DirectoryStore(archive).list());
    }
  }
}

package io.tokenledger.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.audit.EventType;
import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.RestoreAcceptance;
import io.tokenledger.ledger.TestLedger;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.sequence.LogEntries;
import io.tokenledger.sequence.LogRow;
import io.tokenledger.sequence.LogTable;
import io.tokenledger.signing.CheckpointMemory;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.signing.SigningKeys;
import io.tokenledger.store.EventTable;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.Frontier;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.tlog.VerifierKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What a superuser of the database can do to the history, and who notices. The auditor of these
 * tests holds the log's public key and one older checkpoint, and nothing else.
 */
class TamperIT {

  private static final int TOKENS = 300;

  @TempDir static Path keys;
  private static DatabaseUrl original;
  private static SignedNote older;
  private static SignedNote newest;

  @BeforeAll
  static void makeHistory() throws Exception {
    original = TestPostgres.freshDatabase();
    try (Ledger ledger = TestLedger.open(original, keys)) {
      create(ledger, 0, TOKENS / 2);
      older = signed(ledger, TOKENS / 2);
      create(ledger, TOKENS / 2, TOKENS);
      for (int i = 0; i < TOKENS; i += 10) {
        TestLedger.revoke(ledger, "t" + i).join();
      }
      newest = signed(ledger, TOKENS + TOKENS / 10);
    }
  }

  private static void create(Ledger ledger, int from, int to) {
    List<CompletableFuture<?>> made = new ArrayList<>();
    for (int i = from; i < to; i++) {
      made.add(TestLedger.create(ledger, "t" + i, TestLedger.newHash(), "db:a:read"));
    }
    made.forEach(CompletableFuture::join);
  }

  /** The first checkpoint that covers so many leaves. */
  private static SignedNote signed(Ledger ledger, long leaves) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (true) {
      Optional<CheckpointTable.Signed> found = ledger.log().newest();
      if (found.isPresent() && found.get().size() >= leaves) {
        return found.get().note();
      }
      assertTrue(System.nanoTime() < end, "signed in time");
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  private static Policy policy(int... generations) {
    SigningKeys signing = SigningKeys.loadOrCreate(List.of(keys.resolve("signing.key")));
    List<VerifierKey> trusted = new ArrayList<>();
    for (int generation : generations) {
      trusted.addAll(signing.verifierKeys("test/log/" + generation));
    }
    return Policy.of(trusted);
  }

  /** The auditor, with the key and the older checkpoint. */
  private static Verdict verify(DatabaseUrl database, boolean withLedgerKey) throws SQLException {
    EventTable macs =
        withLedgerKey ? new EventTable(LedgerKey.loadOrCreate(keys.resolve("ledger.key"))) : null;
    try (Connection connection = TestPostgres.connect(database)) {
      connection.setAutoCommit(false);
      return new DatabaseVerification(policy(1), List.of(older), macs, true)
          .run(connection, (done, total) -> {});
    }
  }

  private static void change(DatabaseUrl database, String... statements) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      // A superuser needs no trigger, constraint or grant to agree.
      statement.execute("SET session_replication_role = replica");
      for (String sql : statements) {
        assertTrue(statement.executeUpdate(sql) >= 0, sql);
      }
    }
  }

  private static void assertFound(String kind, Verdict verdict) {
    assertFalse(verdict.isClean(), "nothing was found");
    assertTrue(
        verdict.findings().stream().anyMatch(finding -> finding.kind().equals(kind)),
        () -> kind + " is not among " + verdict.findings());
  }

  @Test
  void anUntouchedHistoryIsClean() throws SQLException {
    Verdict verdict = verify(original, true);
    assertEquals(List.of(), verdict.findings());
    assertEquals(TOKENS + TOKENS / 10, verdict.leaves());
    assertEquals(verdict.leaves(), verdict.bodies());
    assertEquals(verdict.leaves(), verdict.checkpoint());
    assertEquals(0, verdict.pending());
    assertEquals(List.of(), verdict.notes());
  }

  /** Every column there is, of any row, by any one byte: what a test would forget to list. */
  @Test
  void oneFlippedByteInAnyColumnOfAnyEventIsFoundAndNamed() throws SQLException {
    Random random = new Random(4);
    DatabaseUrl copy = TestPostgres.copyOf(original);
    try (Connection connection = TestPostgres.connect(copy);
        Statement statement = connection.createStatement()) {
      statement.execute("SET session_replication_role = replica");
      statement.execute("ALTER TABLE ledger.event ALTER global_index DROP IDENTITY");
      List<String> columns = new ArrayList<>();
      try (ResultSet row =
          statement.executeQuery(
              "SELECT column_name FROM information_schema.columns"
                  + " WHERE table_schema = 'ledger' AND table_name = 'event'")) {
        while (row.next()) {
          columns.add(row.getString(1));
        }
      }
      assertEquals(12, columns.size(), columns.toString());
      for (String column : columns) {
        for (int round = 0; round < 3; round++) {
          long leaf = random.nextInt(TOKENS);
          assertEquals(1, statement.executeUpdate(flip(column, leaf, random)));
          Verdict verdict = verify(copy, false);
          assertFalse(verdict.isClean(), column + " of leaf " + leaf);
          Finding finding = verdict.findings().get(0);
          assertEquals(leaf, finding.leafIndex(), finding.toString());
          if (column.equals("global_index")) {
            assertEquals("event_missing", finding.kind(), finding.toString());
          } else if (!column.equals("event_id")) {
            assertEquals("entry_differs", finding.kind(), finding.toString());
            assertTrue(finding.detail().contains(column), finding.toString());
          }
          statement.execute("TRUNCATE ledger.event");
          copyEventsTo(connection);
        }
      }
    }
  }

  private static String flip(String column, long leaf, Random random) {
    int at = random.nextInt(32);
    String middle = "1 + length(" + column + ") / 2";
    String value =
        switch (column) {
          case "global_index", "sequence_number" -> column + " + 100000";
          case "recorded_at" -> "recorded_at + interval '1 microsecond'";
          case "mac" -> "set_byte(mac, " + at + ", get_byte(mac, " + at + ") # 1)";
          default ->
              "overlay("
                  + column
                  + " placing chr(ascii(substr("
                  + column
                  + ", "
                  + middle
                  + ", 1)) # 1) from "
                  + middle
                  + " for 1)";
        };
    return "UPDATE ledger.event SET "
        + column
        + " = "
        + value
        + " WHERE global_index = (SELECT global_index FROM audit.leaf WHERE leaf_index = "
        + leaf
        + ")";
  }

  private static void copyEventsTo(Connection connection) throws SQLException {
    List<List<Object>> rows = new ArrayList<>();
    try (Connection from = TestPostgres.connect(original);
        Statement statement = from.createStatement();
        ResultSet row =
            statement.executeQuery(
                "SELECT global_index, event_id, aggregate_id, sequence_number, aggregate_type,"
                    + " event_type, revision, occurred_at, payload, metadata, mac, recorded_at"
                    + " FROM ledger.event")) {
      while (row.next()) {
        List<Object> values = new ArrayList<>();
        for (int i = 1; i <= 12; i++) {
          values.add(row.getObject(i));
        }
        rows.add(values);
      }
    }
    try (PreparedStatement insert =
        connection.prepareStatement(
            "INSERT INTO ledger.event (global_index, event_id, aggregate_id, sequence_number,"
                + " aggregate_type, event_type, revision, occurred_at, payload, metadata, mac,"
                + " recorded_at)"
                + " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")) {
      for (List<Object> values : rows) {
        for (int i = 0; i < 12; i++) {
          insert.setObject(i + 1, values.get(i));
        }
        insert.addBatch();
      }
      insert.executeBatch();
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "entry_differs|UPDATE audit.leaf SET entry = set_byte(entry, 9, get_byte(entry, 9) # 1)"
            + " WHERE leaf_index = 40",
        "root_differs|UPDATE audit.leaf SET entry = set_byte(entry, 9, get_byte(entry, 9) # 1)"
            + " WHERE leaf_index = 40",
        "leaf_hash_differs|UPDATE audit.leaf SET leaf_hash = sha256('x') WHERE leaf_index = 40",
        "leaf_event_differs|UPDATE audit.leaf SET event_id = 'other' WHERE leaf_index = 40",
        "entry_differs|UPDATE audit.leaf AS one SET global_index = -other.global_index FROM"
            + " audit.leaf AS other WHERE one.leaf_index IN (40, 41) AND other.leaf_index = 81 -"
            + " one.leaf_index; UPDATE audit.leaf SET global_index = -global_index WHERE"
            + " global_index < 0",
        "node_differs|UPDATE audit.node SET hash = sha256('x')",
        "node_missing|DELETE FROM audit.node",
        "head_differs|UPDATE audit.tree_head SET root = sha256('x')",
        "head_differs|UPDATE audit.tree_head SET size = size - 1",
        "checkpoint_differs|UPDATE audit.checkpoint SET root = sha256('x')",
        "checkpoint_broken|UPDATE audit.checkpoint SET note = 'nothing'",
        "checkpoint_not_believed|UPDATE audit.checkpoint SET note = replace(note, 'test', 'best')",
        "salt_missing|DELETE FROM state.event_salt WHERE event_id ="
            + " (SELECT event_id FROM audit.leaf WHERE leaf_index = 7)",
        "entry_differs|UPDATE state.event_salt SET payload_salt = sha256('x') WHERE event_id ="
            + " (SELECT event_id FROM audit.leaf WHERE leaf_index = 7)",
        "event_missing|DELETE FROM ledger.event WHERE event_id ="
            + " (SELECT event_id FROM audit.leaf WHERE leaf_index = 7)",
        "stream_broken|DELETE FROM ledger.event WHERE aggregate_id = 'token:t10' AND"
            + " sequence_number = 0",
        "leaf_missing|DELETE FROM audit.leaf WHERE leaf_index = 7",
        "root_differs|DELETE FROM audit.leaf WHERE leaf_index = 7; UPDATE audit.leaf SET"
            + " leaf_index = -leaf_index WHERE leaf_index > 7; UPDATE audit.leaf SET leaf_index ="
            + " -leaf_index - 1 WHERE leaf_index < 0",
        "root_differs|ALTER TABLE audit.leaf DROP CONSTRAINT leaf_global_index_key; ALTER TABLE"
            + " audit.leaf DROP CONSTRAINT leaf_event_id_key; UPDATE audit.leaf SET leaf_index ="
            + " -leaf_index WHERE leaf_index > 7; UPDATE audit.leaf SET leaf_index = -leaf_index +"
            + " 1 WHERE leaf_index < 0; INSERT INTO audit.leaf SELECT 8, global_index, event_id,"
            + " sequenced_at, entry, leaf_hash, mac_valid FROM audit.leaf WHERE leaf_index = 7",
        "end_cut_off|TRUNCATE ledger.event, state.event_salt, audit.leaf, audit.node,"
            + " audit.checkpoint, audit.generation, audit.signing_key; UPDATE audit.tree_head SET"
            + " size = 0, edge = '', root = sha256('')",
      })
  void whateverElseIsChangedIsFound(String attack) throws SQLException {
    String[] parts = attack.split("\\|", 2);
    DatabaseUrl copy = TestPostgres.copyOf(original);
    change(copy, "ALTER TABLE audit.leaf DROP CONSTRAINT leaf_leaf_index_check");
    change(copy, parts[1].split("; "));
    assertFound(parts[0], verify(copy, false));
  }

  @Test
  void anEventThatNoNodeWroteIsFoundByItsMac() throws SQLException {
    DatabaseUrl copy = TestPostgres.copyOf(original);
    change(
        copy,
        "INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,"
            + " event_type, revision, occurred_at, payload, metadata, mac) SELECT 'forged',"
            + " 'token:forged', 0, aggregate_type, event_type, revision, occurred_at, payload,"
            + " metadata, mac FROM ledger.event ORDER BY global_index LIMIT 1");
    Verdict without = verify(copy, false);
    assertTrue(without.isClean(), "without the key it is only one that waits for its leaf");
    assertEquals(1, without.pending());
    assertFound("forged_event", verify(copy, true));
  }

  @Test
  void aForgedEventIsRecordedAsForgedWhenItGetsItsPlace() throws Exception {
    DatabaseUrl database = TestPostgres.freshDatabase();
    try (Ledger ledger = TestLedger.open(database, freshKeys("forged"))) {
      TestLedger.create(ledger, "t", TestLedger.newHash(), "db:a:read").join();
      change(
          database,
          "INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,"
              + " event_type, revision, occurred_at, payload, metadata, mac) SELECT 'forged',"
              + " 'token:forged', 0, aggregate_type, event_type, revision, occurred_at,"
              + " 'no json', 'no json', mac FROM ledger.event ORDER BY global_index LIMIT 1");
      signed(ledger, 2);
      long index =
          number(database, "SELECT global_index FROM audit.leaf WHERE event_id = 'forged'");
      awaitAlert(
          database, "ForgedEventFound", "{\"global_index\":" + index + ",\"event_id\":\"forged\"}");
      signed(ledger, 3);
    }
    assertEquals(1, number(database, alerts("ForgedEventFound")), "the finding is itself no find");
    assertOneCommit(database, "ForgedEventFound", "audit.leaf WHERE NOT mac_valid");
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row =
            statement.executeQuery(
                "SELECT event_id FROM audit.leaf WHERE NOT mac_valid ORDER BY leaf_index")) {
      assertTrue(row.next());
      assertEquals("forged", row.getString(1));
      assertFalse(row.next());
    }
  }

  /** A node that cannot say it gives no place either, and says it when it can. */
  @Test
  void aForgedEventGetsNoPlaceWithoutTheEventThatSaysSo() throws Exception {
    DatabaseUrl database = TestPostgres.freshDatabase();
    Path own = freshKeys("forged-unsaid");
    try (Ledger ledger = TestLedger.open(database, own)) {
      TestLedger.create(ledger, "t", TestLedger.newHash(), "db:a:read").join();
      signed(ledger, 1);
      change(
          database,
          "ALTER TABLE ledger.event ADD CONSTRAINT unsaid CHECK (event_type <>"
              + " 'ForgedEventFound')",
          "INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,"
              + " event_type, revision, occurred_at, payload, metadata, mac) SELECT 'forged',"
              + " 'token:forged', 0, aggregate_type, event_type, revision, occurred_at,"
              + " payload, metadata, mac FROM ledger.event ORDER BY global_index LIMIT 1");
      TestLedger.create(ledger, "after", TestLedger.newHash(), "db:a:read").join();
    }
    assertEquals(1, number(database, "SELECT count(*) FROM audit.leaf"), "no leaf was given");
    change(database, "ALTER TABLE ledger.event DROP CONSTRAINT unsaid");
    try (Ledger ledger = TestLedger.open(database, own)) {
      signed(ledger, 4);
    }
    assertOneCommit(database, "ForgedEventFound", "audit.leaf WHERE NOT mac_valid");
  }

  private static String alerts(String type) {
    return "SELECT count(*) FROM ledger.event WHERE event_type = '" + type + "'";
  }

  private static long number(DatabaseUrl database, String query) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(query)) {
      assertTrue(row.next(), query);
      return row.getLong(1);
    }
  }

  /** The event of that type and payload, which the node itself wrote; one, however often asked. */
  private static void awaitAlert(DatabaseUrl database, String type, String payload)
      throws Exception {
    String found =
        alerts(type)
            + " AND aggregate_type = 'Service' AND payload = '"
            + payload
            + "' AND metadata::jsonb -> 'actor' ->> 'type' = 'system'";
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (number(database, found) == 0) {
      assertTrue(System.nanoTime() < end, type + " is recorded");
      TimeUnit.MILLISECONDS.sleep(20);
    }
    assertEquals(1, number(database, alerts(type)), type);
  }

  /** Neither is there without the other, wherever the node dies. */
  private static void assertOneCommit(DatabaseUrl database, String type, String row)
      throws SQLException {
    assertEquals(
        number(database, "SELECT xmin::text::bigint FROM " + row),
        number(
            database,
            "SELECT xmin::text::bigint FROM ledger.event WHERE event_type = '" + type + "'"),
        type);
  }

  private static Path freshKeys(String name) throws IOException {
    return Files.createDirectories(keys.resolve(name));
  }

  /** All of it consistent in itself: only who remembers the old root can know. */
  @Test
  void aConsistentRewriteWithoutTheKeyIsFoundByAnOlderCheckpointAndNotSigned() throws Exception {
    DatabaseUrl copy = TestPostgres.copyOf(original);
    rewrite(copy);
    Verdict found = verify(copy, false);
    assertFound("root_differs", found);
    assertEquals(
        List.of("root_differs"),
        found.findings().stream().map(Finding::kind).distinct().toList(),
        "it is consistent in itself");
  }

  /** Changes the first event and makes entries, leaves, nodes and head anew; drops checkpoints. */
  private static void rewrite(DatabaseUrl database) throws SQLException {
    change(
        database,
        "UPDATE ledger.event SET payload = replace(payload, 'db:a:read', 'db:b:read')"
            + " WHERE global_index = (SELECT min(global_index) FROM ledger.event)",
        "CREATE TABLE leaf_order AS SELECT leaf_index, global_index FROM audit.leaf",
        "TRUNCATE audit.leaf, audit.node, audit.checkpoint",
        "UPDATE audit.tree_head SET size = 0, edge = '', root = sha256('')");
    try (Connection connection = TestPostgres.connect(database)) {
      connection.setAutoCommit(false);
      LogEntries entries = new LogEntries();
      List<LogTable.NewLeaf> leaves = new ArrayList<>();
      for (LogRow row : events(connection)) {
        byte[] entry = entries.write(row);
        leaves.add(
            new LogTable.NewLeaf(
                row.globalIndex(), row.row().eventId(), entry, TreeHash.leaf(entry), true));
      }
      assertTrue(LogTable.append(connection, 1, new Frontier(), leaves));
      connection.commit();
    }
  }

  private static List<LogRow> events(Connection connection) throws SQLException {
    List<LogRow> rows = new ArrayList<>();
    try (Statement statement = connection.createStatement();
        ResultSet row =
            statement.executeQuery(
                "SELECT event.*, to_char(recorded_at AT TIME ZONE 'UTC',"
                    + " 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS recorded_text, payload_salt,"
                    + " metadata_salt FROM leaf_order JOIN ledger.event USING (global_index)"
                    + " JOIN state.event_salt USING (event_id) ORDER BY leaf_index")) {
      while (row.next()) {
        LogRow read = LogTable.read(row);
        rows.add(
            new LogRow(
                read.globalIndex(),
                read.row(),
                read.mac(),
                row.getString("recorded_text"),
                read.payloadSalt(),
                read.metadataSalt()));
      }
    }
    return rows;
  }

  private static void awaitRefusal(Ledger ledger) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (ledger.signingRefused() == null) {
      assertTrue(System.nanoTime() < end, "the signer refuses");
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  @Test
  void theSignerSignsNothingOverARewrittenHistory() throws Exception {
    DatabaseUrl database = TestPostgres.freshDatabase();
    Path own = freshKeys("rewritten");
    try (Ledger ledger = TestLedger.open(database, own)) {
      create(ledger, 0, 20);
      signed(ledger, 20);
    }
    rewrite(database);
    try (Ledger ledger = TestLedger.open(database, own)) {
      awaitRefusal(ledger);
      assertTrue(Objects.requireNonNull(ledger.signingRefused()).contains("history was rewritten"));
      TestLedger.create(ledger, "after", TestLedger.newHash(), "db:a:read").join();
      assertEquals(Optional.empty(), ledger.log().newest());
      awaitAlert(database, "SigningRefused", "{\"reason\":\"history_rewritten\",\"size\":20}");
    }
  }

  @Test
  void aTailThatWasCutOffIsFoundByAnOlderCheckpointAndNotSigned() throws Exception {
    DatabaseUrl database = TestPostgres.freshDatabase();
    Path own = freshKeys("cut");
    SignedNote known;
    try (Ledger ledger = TestLedger.open(database, own)) {
      create(ledger, 0, 20);
      known = signed(ledger, 20);
    }
    cutTo(database, 12);
    SigningKeys signing = SigningKeys.loadOrCreate(List.of(own.resolve("signing.key")));
    try (Connection connection = TestPostgres.connect(database)) {
      connection.setAutoCommit(false);
      Verdict verdict =
          new DatabaseVerification(
                  Policy.of(signing.verifierKeys("test/log/1")), List.of(known), null, true)
              .run(connection, (done, total) -> {});
      assertFound("end_cut_off", verdict);
    }
    try (Ledger ledger = TestLedger.open(database, own)) {
      awaitRefusal(ledger);
      assertTrue(Objects.requireNonNull(ledger.signingRefused()).contains("the end was cut off"));
    }
  }

  /** Events, leaves, nodes, checkpoints and head, as they were when there were so many. */
  private static void cutTo(DatabaseUrl database, int size) throws SQLException {
    change(
        database,
        "DELETE FROM ledger.event WHERE global_index IN (SELECT global_index FROM audit.leaf WHERE"
            + " leaf_index >= "
            + size
            + ")",
        "DELETE FROM audit.leaf WHERE leaf_index >= " + size,
        "DELETE FROM audit.checkpoint WHERE size > " + size);
    Frontier edge = new Frontier();
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      try (ResultSet row =
          statement.executeQuery("SELECT leaf_hash FROM audit.leaf ORDER BY leaf_index")) {
        while (row.next()) {
          edge.add(TreeHash.of(row.getBytes(1)), (level, index, hash) -> {});
        }
      }
      try (PreparedStatement update =
          connection.prepareStatement("UPDATE audit.tree_head SET size = ?, edge = ?, root = ?")) {
        update.setLong(1, edge.size());
        update.setBytes(2, edge.bytes());
        update.setBytes(3, edge.root().bytes());
        update.executeUpdate();
      }
    }
  }

  @Test
  void aRunningLeaderRefusesAtOnceWhenTheTailIsCut() throws Exception {
    DatabaseUrl database = TestPostgres.freshDatabase();
    try (Ledger ledger = TestLedger.open(database, freshKeys("running"))) {
      create(ledger, 0, 20);
      signed(ledger, 20);
      cutTo(database, 12);
      awaitRefusal(ledger);
      awaitAlert(database, "SigningRefused", "{\"reason\":\"smaller_than_signed\",\"size\":12}");
    }
  }

  @Test
  void aRestoredBackupIsRefusedUntilAFurtherLogIsBegun() throws Exception {
    DatabaseUrl database = TestPostgres.freshDatabase();
    Path own = freshKeys("restored");
    SignedNote kept;
    SignedNote lost;
    DatabaseUrl backup;
    try (Ledger ledger = TestLedger.open(database, own)) {
      create(ledger, 0, 10);
      kept = signed(ledger, 10);
    }
    backup = TestPostgres.copyOf(database);
    try (Ledger ledger = TestLedger.open(database, own)) {
      create(ledger, 10, 20);
      lost = signed(ledger, 20);
    }
    TestPostgres.restore(database, backup);
    try (Ledger ledger = TestLedger.open(database, own)) {
      awaitRefusal(ledger);
      assertTrue(ledger.restored().contains("remembers " + Checkpoint.parse(lost.text()).size()));
      assertThrows(
          IllegalStateException.class,
          () -> ledger.beginGeneration("over HTTP", TestLedger.context(TestLedger.ADMIN)));
      try (RestoreAcceptance acceptance = TestLedger.acceptance(database, own)) {
        assertEquals(
            "test/log/2",
            acceptance.accept(acceptance.show(List.of()), TestLedger.context(TestLedger.ADMIN)));
      }
      awaitDeciding(ledger);
      create(ledger, 30, 40);
      SignedNote next = awaitOrigin(ledger, "test/log/2", 20);
      assertNull(ledger.signingRefused());
      List<AuditEntry> begun =
          ledger
              .audit()
              .search(AuditQuery.newest(EventType.LOG_GENERATION_STARTED.action(), 10))
              .entries();
      assertEquals(1, begun.size());
      assertEquals("alice", begun.get(0).actorName(), "who asked for it");
      assertOneCommit(database, "LogGenerationStarted", "audit.generation WHERE generation = 2");
      assertTrue(begun.get(0).payload().toString().contains("a restored database was accepted"));
      assertEquals(
          List.of("smaller_than_signed"),
          ledger
              .audit()
              .search(AuditQuery.newest(EventType.SIGNING_REFUSED.action(), 10))
              .entries()
              .stream()
              .map(AuditEntry::outcomeReason)
              .toList(),
          "what was refused before stands in the new log");
      assertEquals(2, ledger.log().generations().size());
      assertEquals(
          lost.toString(),
          ledger.log().generations().get(1).previousNote(),
          "what was lost stands in the new log");
      assertTrue(Checkpoint.parse(next.text()).size() >= 20);
    }
    SigningKeys signing = SigningKeys.loadOrCreate(List.of(own.resolve("signing.key")));
    List<VerifierKey> trusted = new ArrayList<>(signing.verifierKeys("test/log/1"));
    trusted.addAll(signing.verifierKeys("test/log/2"));
    for (SignedNote held : List.of(kept, lost)) {
      try (Connection connection = TestPostgres.connect(database)) {
        connection.setAutoCommit(false);
        Verdict verdict =
            new DatabaseVerification(Policy.of(trusted), List.of(held), null, true)
                .run(connection, (done, total) -> {});
        if (held == kept) {
          assertEquals(List.of(), verdict.findings(), "what was kept continues");
        } else {
          assertFound("root_differs", verdict);
        }
      }
    }
  }

  private static void awaitDeciding(Ledger ledger) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (ledger.restored() != null) {
      assertTrue(System.nanoTime() < end, "decides in time");
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  private static SignedNote awaitOrigin(Ledger ledger, String origin, long size)
      throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (true) {
      SignedNote note = ledger.log().newest().map(CheckpointTable.Signed::note).orElse(null);
      if (note != null
          && Checkpoint.parse(note.text()).origin().equals(origin)
          && Checkpoint.parse(note.text()).size() >= size) {
        return note;
      }
      assertTrue(System.nanoTime() < end, () -> "signed in time: " + note);
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  @Test
  void aNodeWhoseDiskWasLostSignsOnlyWhatItIsToldToTrust() throws Exception {
    DatabaseUrl database = TestPostgres.freshDatabase();
    Path own = freshKeys("first");
    SignedNote known;
    try (Ledger ledger = TestLedger.open(database, own)) {
      create(ledger, 0, 5);
      known = signed(ledger, 5);
    }
    deleteState(own);
    try (Ledger ledger = TestLedger.open(database, own)) {
      awaitRefusal(ledger);
      assertTrue(Objects.requireNonNull(ledger.signingRefused()).contains("--trust-checkpoint"));
    }
    Path brought = Files.writeString(own.resolve("brought"), known.toString());
    try (Ledger ledger = TestLedger.openTrusting(database, own, brought)) {
      create(ledger, 5, 6);
      assertNotNull(signed(ledger, 6));
    }
  }

  /** The database itself cannot say that nothing was signed: who rewrote it says so too. */
  @Test
  void aNodeWithoutMemoryBeginsNoLogWhoseCheckpointsAreGone() throws Exception {
    DatabaseUrl database = TestPostgres.freshDatabase();
    Path own = freshKeys("emptied");
    try (Ledger ledger = TestLedger.open(database, own)) {
      create(ledger, 0, 5);
      signed(ledger, 5);
    }
    deleteState(own);
    rewrite(database);
    change(database, "TRUNCATE audit.checkpoint CASCADE");
    try (Ledger ledger = TestLedger.open(database, own)) {
      awaitRefusal(ledger);
      assertTrue(Objects.requireNonNull(ledger.signingRefused()).contains("--trust-checkpoint"));
    }
    try (Ledger ledger = TestLedger.openTrusting(database, own, Path.of("none"))) {
      assertNotNull(signed(ledger, 5), "unless its operator says so");
    }
  }

  private static void deleteState(Path own) throws IOException {
    try (var files = Files.list(own.resolve("state"))) {
      for (Path file : files.collect(Collectors.toList())) {
        Files.delete(file);
      }
    }
  }

  @Test
  void everyNodeRemembersWhatItVerifiedAndGoesOnWhenTheLeadersDiskIsGone() throws Exception {
    DatabaseUrl database = TestPostgres.freshDatabase();
    Path shared = freshKeys("shared");
    Path otherState = freshKeys("other-state");
    try (Ledger leader = TestLedger.open(database, shared)) {
      create(leader, 0, 3);
      Path brought = Files.writeString(shared.resolve("brought"), signed(leader, 3).toString());
      try (Ledger other = TestLedger.openNode(database, shared, otherState, brought)) {
        create(leader, 3, 6);
        SignedNote followed = signed(leader, 6);
        awaitMemory(otherState, 6);
        assertNull(other.signingRefused());
        assertTrue(Checkpoint.parse(followed.text()).size() >= 6);
      }
    }
    deleteState(shared);
    try (Ledger again = TestLedger.openNode(database, shared, otherState, null)) {
      create(again, 6, 9);
      assertNotNull(signed(again, 9));
    }
    rewrite(database);
    try (Ledger again = TestLedger.openNode(database, shared, otherState, null)) {
      awaitRefusal(again);
    }
  }

  private static void awaitMemory(Path state, long size) throws InterruptedException {
    CheckpointMemory memory = new CheckpointMemory(state);
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (memory.newest(1).map(note -> Checkpoint.parse(note.text()).size()).orElse(0L) < size) {
      assertTrue(System.nanoTime() < end, "it is remembered in time");
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  @Test
  void aFurtherKeySignsBesideTheFirstAndThenAlone() throws Exception {
    DatabaseUrl database = TestPostgres.freshDatabase();
    Path own = freshKeys("rotation");
    try (Ledger ledger = TestLedger.open(database, own)) {
      create(ledger, 0, 3);
      signed(ledger, 3);
    }
    Path next = own.resolve("next.key");
    SigningKeys.loadOrCreate(List.of(next));
    SigningKeys both = SigningKeys.loadOrCreate(List.of(own.resolve("signing.key"), next));
    try (Ledger ledger =
        TestLedger.openWithKeys(database, own, List.of(own.resolve("signing.key"), next))) {
      create(ledger, 3, 6);
      SignedNote note = signed(ledger, 6);
      for (VerifierKey key : both.verifierKeys("test/log/1")) {
        assertTrue(note.isSignedBy(key), key.toString());
      }
      awaitAlert(
          database,
          "SigningKeyRotated",
          "{\"old_vkey\":\""
              + both.verifierKeys("test/log/1").get(0)
              + "\",\"new_vkey\":\""
              + both.verifierKeys("test/log/1").get(1)
              + "\"}");
      assertOneCommit(
          database,
          "SigningKeyRotated",
          "audit.signing_key WHERE verifier_key = '"
              + both.verifierKeys("test/log/1").get(1)
              + "'");
    }
    try (Ledger ledger = TestLedger.openWithKeys(database, own, List.of(next))) {
      create(ledger, 6, 9);
      SignedNote note = signed(ledger, 9);
      assertTrue(note.isSignedBy(both.verifierKeys("test/log/1").get(1)));
      assertFalse(note.isSignedBy(both.verifierKeys("test/log/1").get(0)));
      assertEquals(2, ledger.log().keys().size());
    }
    Path stranger = own.resolve("stranger.key");
    SigningKeys.loadOrCreate(List.of(stranger));
    try (Ledger ledger = TestLedger.openWithKeys(database, own, List.of(stranger))) {
      awaitRefusal(ledger);
      assertTrue(Objects.requireNonNull(ledger.signingRefused()).contains("--signing-key-file"));
    }
  }
}

package io.tokenledger.index;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.ledger.Committed;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.Proposal;
import io.tokenledger.ledger.TestLedger;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.lookup.FoundToken.State;
import io.tokenledger.lookup.Snapshot;
import io.tokenledger.lookup.TokenLookup;
import io.tokenledger.permission.Permissions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenCommand.ResumeToken;
import io.tokenledger.token.TokenCommand.RevokeToken;
import io.tokenledger.token.TokenCommand.SuspendToken;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AuthorizationIT {

  private static final Duration LIMIT = Duration.ofSeconds(10);

  private static final String INSERT =
      """
      INSERT INTO views.token_lookup
        (secret_hash, token_id, token_name, kind, permissions, created_at_ms, last_sequence)
      VALUES (?, ?, ?, 'resource', '{db:a:read}', 1, 0)
      """;

  @TempDir private static Path keys;
  private static DatabaseUrl database;
  private static Ledger ledger;

  @BeforeAll
  static void open() {
    database = TestPostgres.freshDatabase();
    ledger = TestLedger.open(database, keys);
  }

  @AfterAll
  static void close() {
    ledger.close();
  }

  private SecretHash created(String name) {
    SecretHash hash = TestLedger.newHash();
    TestLedger.create(ledger, name, hash, "db:a:read").join();
    return hash;
  }

  private Committed revoked(String name) {
    return ledger
        .carryOut(
            Proposal.of(
                new RevokeToken(new TokenName(name), null, TestLedger.now(), TestLedger.ADMIN)),
            TestLedger.context(TestLedger.ADMIN))
        .join();
  }

  private static State state(Ledger node, SecretHash hash) {
    return state(node.authorization().find(hash).seen());
  }

  private static State state(Optional<FoundToken> found) {
    return found.orElseThrow().state(System.currentTimeMillis());
  }

  /** A feed that looks only when told. */
  private IndexFeed feed() {
    return new IndexFeed(database, Long.MAX_VALUE, (now, rows) -> {});
  }

  private Connection session() throws SQLException {
    Connection session = TestPostgres.connect(database.with("currentSchema", "views"));
    IndexFeed.prepare(session);
    return session;
  }

  private static State known(IndexFeed feed, SecretHash hash) {
    return state(Optional.ofNullable(requireNonNull(feed.state()).index().find(hash)));
  }

  /** Awaits that this node decides from memory. */
  private static void awaitMemory(Ledger node) throws InterruptedException {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (node.authorization().degraded() != null) {
      assertTrue(System.nanoTime() < end, node.authorization().degraded());
      Thread.onSpinWait();
    }
  }

  @Test
  void whatThisNodeRevokedItNeverLetsInAgain() throws InterruptedException {
    awaitMemory(ledger);
    for (int i = 0; i < 100; i++) {
      SecretHash hash = created("t1-" + i);
      assertEquals(State.LIVE, state(ledger, hash));
      revoked("t1-" + i);
      assertEquals(State.REVOKED, state(ledger, hash));
    }
    SecretHash hash = created("paused");
    TestLedger.execute(
            ledger,
            new SuspendToken(
                new TokenName("paused"),
                ledger.authorization().find(hash).seen().orElseThrow().id(),
                TestLedger.now(),
                TestLedger.ADMIN))
        .join();
    assertEquals(State.SUSPENDED, state(ledger, hash));
  }

  @Test
  void whatOneNodeCreatesAllKnowAtOnceAndWhatItRevokesWithinTheBound() throws Exception {
    try (Ledger other = TestLedger.openNode(database, keys, "n2", new SimpleMeterRegistry())) {
      awaitMemory(ledger);
      awaitMemory(other);
      for (int i = 0; i < 30; i++) {
        SecretHash hash = created("t2-" + i);
        assertEquals(State.LIVE, state(other, hash));
        Committed revocation = revoked("t2-" + i);
        NodeReceipt receipt =
            ledger.authorization().awaitNodes(revocation.position(), Duration.ofSeconds(5));
        assertEquals(List.of(), receipt.missing());
        assertEquals(
            Set.of("n1", "n2"),
            new HashSet<>(receipt.applied().stream().map(NodeReceipt.Applied::node).toList()));
        assertEquals(State.REVOKED, state(other, hash));
      }
    }
    Committed last = revokedAfterwards();
    // The other one has ended: nobody waits for it.
    assertEquals(
        List.of("n1"),
        ledger.authorization().awaitNodes(last.position(), Duration.ofSeconds(5)).applied().stream()
            .map(NodeReceipt.Applied::node)
            .toList());
  }

  private Committed revokedAfterwards() {
    created("last");
    return revoked("last");
  }

  @Test
  void aLookThatBeganBeforeARevocationNeverPutsTheTokenBack() throws Exception {
    SecretHash hash = created("t3");
    try (IndexFeed feed = feed();
        Connection one = session();
        Connection two = session()) {
      feed.publish(null, requireNonNull(feed.load()));
      IndexFeed.State before = requireNonNull(feed.state());
      // Each of these has read what was true before.
      IndexFeed.Look late = IndexFeed.look(one, before);
      IndexFeed.State reload = requireNonNull(feed.load());
      revoked("t3");
      assertTrue(feed.takeIn(IndexFeed.look(two, before)));
      assertEquals(State.REVOKED, known(feed, hash));
      assertTrue(feed.takeIn(late));
      assertEquals(State.REVOKED, known(feed, hash));
      feed.publish(before, reload);
      assertEquals(State.REVOKED, known(feed, hash));
    }
  }

  @Test
  void aReloadThatBeganBeforeARevocationIsFollowedByIt() throws Exception {
    SecretHash hash = created("t4");
    try (IndexFeed feed = feed();
        Connection session = session()) {
      feed.publish(null, requireNonNull(feed.load()));
      IndexFeed.State before = requireNonNull(feed.state());
      IndexFeed.State reload = requireNonNull(feed.load());
      Committed revocation = revoked("t4");
      feed.publish(before, reload);
      assertFalse(requireNonNull(feed.state()).has(revocation.position()));
      assertFalse(feed.applied(revocation.position(), Duration.ofMillis(1)).join());
      assertTrue(feed.takeIn(IndexFeed.look(session, requireNonNull(feed.state()))));
      assertEquals(State.REVOKED, known(feed, hash));
    }
  }

  @Test
  void nobodyIsToldThatAPositionIsKnownByWhatWasKnownBefore() throws Exception {
    created("t15");
    Committed revocation = revoked("t15");
    try (IndexFeed feed = feed();
        Connection session = session()) {
      feed.publish(null, requireNonNull(feed.load()));
      IndexFeed.State before = requireNonNull(feed.state());
      // The server may have ended since, and given the same number to another transaction.
      assertTrue(before.has(revocation.position()));
      CompletableFuture<Boolean> applied = feed.applied(revocation.position(), LIMIT);
      assertFalse(applied.isDone());
      assertTrue(feed.takeIn(IndexFeed.look(session, before)));
      assertTrue(applied.join());
    }
  }

  @Test
  void whenItsSessionEndsANodeLooksAgainAtWhatMayHaveBeenLost() throws Exception {
    SecretHash hash = created("t16");
    try (IndexFeed feed = feed();
        Connection session = session()) {
      feed.start();
      Snapshot known = requireNonNull(feed.state()).snapshot();
      try (Connection owner = TestPostgres.connect(database);
          Statement statement = owner.createStatement()) {
        // As a crash would: all sessions end, and numbers that were seen are given again.
        statement.execute(
            "UPDATE views.token_lookup SET revoked_at_ms = 1, changed_xid = '"
                + (number(known) - 1)
                + "'::xid8 WHERE token_name = 't16'");
        assertEquals(State.LIVE, known(feed, hash));
        assertTrue(feed.takeIn(IndexFeed.look(session, requireNonNull(feed.state()))));
        assertEquals(State.LIVE, known(feed, hash), "a number that was seen is not looked at");
        terminateFeeds(statement, 2);
      }
      long end = System.nanoTime() + LIMIT.toNanos();
      while (state(Optional.ofNullable(requireNonNull(feed.state()).index().find(hash)))
          != State.REVOKED) {
        assertTrue(System.nanoTime() < end, "it never looked");
        Thread.onSpinWait();
      }
    }
  }

  /** Ends the sessions of so many feeds, once they follow. */
  private static void terminateFeeds(Statement statement, int count) throws SQLException {
    long end = System.nanoTime() + LIMIT.toNanos();
    String feeds =
        " FROM pg_stat_activity WHERE query LIKE '%changed_xid%' AND pid <> pg_backend_pid()"
            + " AND datname = current_database()";
    while (true) {
      try (ResultSet row = statement.executeQuery("SELECT count(*)" + feeds)) {
        row.next();
        if (row.getInt(1) >= count) {
          break;
        }
      }
      assertTrue(System.nanoTime() < end, "they do not follow");
    }
    statement.execute("SELECT pg_terminate_backend(pid)" + feeds);
  }

  /** The first number that it does not see. */
  private static long number(Snapshot snapshot) {
    return Long.parseLong(snapshot.text().split(":")[1]);
  }

  @Test
  void aNameWithTwoQuarantinedEventsIsOneName() throws Exception {
    SecretHash hash = created("t17");
    try (IndexFeed feed = feed();
        Connection session = session();
        Connection owner = TestPostgres.connect(database);
        Statement statement = owner.createStatement()) {
      feed.publish(null, requireNonNull(feed.load()));
      statement.execute(
          "INSERT INTO state.quarantine (event_id, global_index, aggregate_id, reason, state)"
              + " VALUES ('q1', 1, 'token:t17', 'r', 'quarantined'),"
              + " ('q2', 2, 'token:t17', 'r', 'quarantined'),"
              + " ('q3', 3, 'request:2026', 'r', 'quarantined')");
      try {
        assertTrue(feed.takeIn(IndexFeed.look(session, requireNonNull(feed.state()))));
        assertEquals(State.QUARANTINED, known(feed, hash));
        feed.publish(feed.state(), requireNonNull(feed.load()));
        assertEquals(State.QUARANTINED, known(feed, hash), "after a start too");
      } finally {
        statement.execute("DELETE FROM state.quarantine WHERE event_id IN ('q1', 'q2', 'q3')");
      }
    }
  }

  @Test
  void whoeverCommitsLateIsNotLost() throws Exception {
    SecretHash slow = TestLedger.newHash();
    try (IndexFeed feed = feed();
        Connection session = session();
        Connection writer = TestPostgres.connect(database)) {
      writer.setAutoCommit(false);
      try (PreparedStatement statement = writer.prepareStatement(INSERT)) {
        statement.setBytes(1, slow.bytes());
        statement.setLong(2, 900_001);
        statement.setString(3, "slow");
        statement.executeUpdate();
      }
      feed.publish(null, requireNonNull(feed.load()));
      for (int i = 0; i < 3; i++) {
        SecretHash quick = created("quick " + i);
        assertTrue(feed.takeIn(IndexFeed.look(session, requireNonNull(feed.state()))));
        assertEquals(State.LIVE, known(feed, quick));
        assertNull(requireNonNull(feed.state()).index().find(slow));
      }
      writer.commit();
      assertTrue(feed.takeIn(IndexFeed.look(session, requireNonNull(feed.state()))));
      assertEquals(State.LIVE, known(feed, slow));
    }
  }

  @Test
  void aSwapAndARollbackMakeEveryNodeReadTheLookupAgain() throws Exception {
    SecretHash hash = created("t6");
    awaitMemory(ledger);
    // A row that no event made, and that the swap therefore takes away.
    SecretHash forged = TestLedger.newHash();
    try (Connection owner = TestPostgres.connect(database);
        PreparedStatement statement = owner.prepareStatement(INSERT)) {
      statement.setBytes(1, forged.bytes());
      statement.setLong(2, 900_002);
      statement.setString(3, "forged");
      statement.executeUpdate();
    }
    assertEquals(State.LIVE, state(ledger, forged));
    long id = ledger.replay().ready("test", job -> {}).id();
    String digest = ledger.replay().compare(id).digest();
    assertTrue(ledger.replay().swap(id, digest).swapped());
    awaitGone(forged);
    assertEquals(State.LIVE, state(ledger, hash));
    assertTrue(ledger.replay().rollback(id, ledger.replay().compare(id).digest()).swapped());
    assertEquals(State.LIVE, state(ledger, hash));
  }

  private void awaitGone(SecretHash hash) {
    long end = System.nanoTime() + Authorization.BOUND.toNanos();
    while (ledger.authorization().find(hash).seen().isPresent()) {
      assertTrue(System.nanoTime() < end, "within the bound");
    }
  }

  @Test
  void aNodeThatHearsNothingAsksTheDatabaseWithinTheBound() throws Exception {
    SecretHash hash = created("t7");
    awaitMemory(ledger);
    // Nobody may look while the table is locked, nor may anyone be let in by what was before.
    try (Connection owner = TestPostgres.connect(database)) {
      owner.setAutoCommit(false);
      try (Statement statement = owner.createStatement()) {
        statement.execute("LOCK TABLE state.lookup_generation IN ACCESS EXCLUSIVE MODE");
      }
      long end = System.nanoTime() + LIMIT.toNanos();
      while (ledger.authorization().degraded() == null) {
        assertTrue(System.nanoTime() < end);
        Thread.onSpinWait();
      }
      assertEquals(State.LIVE, state(ledger, hash));
      assertTrue(ledger.authorization().find(hash).isCurrent());
      revoked("t7");
      assertEquals(State.REVOKED, state(ledger, hash));
      owner.rollback();
    }
    awaitMemory(ledger);
    assertEquals(State.REVOKED, state(ledger, hash));
  }

  @Test
  void whoKeepsAnswersIsToldWhichToForgetAndGoesOnWhereItWas() throws Exception {
    awaitMemory(ledger);
    SecretHash hash = created("told");
    assertTrue(ledger.authorization().since(null).everything());
    assertTrue(ledger.authorization().since("1-2-3:3:").everything());
    String before = ledger.authorization().since(null).id();
    assertEquals(List.of(), ledger.authorization().since(before).tokens());
    BlockingQueue<FeedEvent> heard = new LinkedBlockingQueue<>();
    try (Authorization.Subscription subscription = ledger.authorization().subscribe(heard::add)) {
      assertNotNull(subscription);
      revoked("told");
      FeedEvent event = requireNonNull(heard.poll(LIMIT.toSeconds(), TimeUnit.SECONDS));
      assertEquals(hash.toString(), event.tokens().get(0).hashPrefix());
      assertEquals("told", event.tokens().get(0).name());
    }
    try (Ledger other = TestLedger.openNode(database, keys, "n2", new SimpleMeterRegistry())) {
      FeedEvent missed = other.authorization().since(before);
      assertFalse(missed.everything());
      assertEquals(List.of("told"), missed.tokens().stream().map(FeedEvent.Changed::name).toList());
      assertEquals(List.of(), other.authorization().since(missed.id()).tokens());
    }
  }

  @Test
  void aLookupThatIsLargerThanTheHeapIsLeftInTheDatabase() throws Exception {
    created("much");
    try (IndexFeed feed = new IndexFeed(database, 1_000, (now, rows) -> {})) {
      feed.start();
      assertNull(feed.state());
      assertTrue(requireNonNull(feed.tooLarge()).contains("each decision asks the database"));
      Committed revocation = revoked("much");
      // Nobody waits for a memory that is not there.
      assertFalse(
          feed.applied(revocation.position(), LIMIT)
              .get(LIMIT.toMillis() / 2, TimeUnit.MILLISECONDS));
    }
  }

  @Test
  void whatAFewRowsTakeByTheirPermissionsCountsWhileTheyAreRead() throws Exception {
    String many =
        IntStream.range(0, 900)
            .mapToObj(i -> "db:a-long-name-" + i + ":read")
            .collect(Collectors.joining("\",\""));
    try (Connection owner = TestPostgres.connect(database);
        Statement statement = owner.createStatement()) {
      statement.execute(
          "INSERT INTO views.token_lookup (secret_hash, token_id, token_name, kind, permissions,"
              + " created_at_ms, last_sequence) VALUES (sha512('large'), 900001, 'large',"
              + " 'resource', '{\""
              + many
              + "\"}', 1, 0)");
      try (IndexFeed feed = new IndexFeed(database, 200_000, (now, rows) -> {})) {
        feed.start();
        assertNull(feed.state());
        assertNotNull(feed.tooLarge());
      } finally {
        statement.execute("DELETE FROM views.token_lookup WHERE token_id = 900001");
      }
    }
  }

  @Test
  void aRowThatAHandHasEditedGrantsNothingAndHoldsNothingUp() throws Exception {
    SecretHash hash = created("t18");
    try (IndexFeed feed = feed();
        Connection session = session();
        Connection owner = TestPostgres.connect(database);
        Statement statement = owner.createStatement()) {
      feed.publish(null, requireNonNull(feed.load()));
      statement.execute(
          "UPDATE views.token_lookup SET permissions = '{everything}',"
              + " changed_xid = pg_current_xact_id() WHERE token_name = 't18'");
      assertTrue(feed.takeIn(IndexFeed.look(session, requireNonNull(feed.state()))));
      FoundToken inMemory = requireNonNull(requireNonNull(feed.state()).index().find(hash));
      assertEquals(Permissions.none(), inMemory.permissions());
      assertEquals(Permissions.none(), ledger.lookup().find(hash).orElseThrow().permissions());
    }
  }

  @Test
  void manyAreSeenAtOnceAndUnknownOnesAreLeftOut() throws InterruptedException {
    SecretHash live = created("live");
    SecretHash dead = created("dead");
    awaitMemory(ledger);
    revoked("dead");
    Map<SecretHash, FoundToken> found =
        ledger.authorization().findAll(Set.of(live, dead, TestLedger.newHash())).seen();
    assertEquals(Set.of(live, dead), found.keySet());
    assertEquals(State.REVOKED, state(Optional.ofNullable(found.get(dead))));
  }

  @Test
  void aLookReadsTheIndexAndNotTheTable() throws Exception {
    created("t10");
    try (Connection session = session();
        Statement statement = session.createStatement();
        ResultSet row =
            statement.executeQuery(
                """
                EXPLAIN SELECT secret_hash
                  FROM token_lookup
                 WHERE changed_xid >= pg_snapshot_xmax('10:10:'::pg_snapshot)
                    OR changed_xid = ANY (ARRAY (SELECT pg_snapshot_xip('10:10:'::pg_snapshot)))
                """)) {
      StringBuilder plan = new StringBuilder();
      while (row.next()) {
        plan.append(row.getString(1)).append('\n');
      }
      assertTrue(plan.toString().contains("token_lookup_changed_idx"), plan.toString());
      assertFalse(plan.toString().contains("Seq Scan on token_lookup"), plan.toString());
    }
    assertNotNull(ledger);
  }

  @Test
  void fromMemoryAnUnknownSecretWaitsForTheSameLookAsARevokedOne() throws InterruptedException {
    SimpleMeterRegistry meters = new SimpleMeterRegistry();
    List<SecretHash> gone = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      gone.add(created("t11-" + i));
      revoked("t11-" + i);
    }
    try (Ledger node = TestLedger.openNode(database, keys, "n3", meters)) {
      awaitMemory(node);
      double passed = meters.counter("ledger.index.passed").count();
      for (int i = 0; i < gone.size(); i += 2) {
        for (SecretHash hash : List.of(gone.get(i), TestLedger.newHash())) {
          Begun asked = Begun.now();
          assertTrue(node.authorization().find(hash).asOf().isAfter(asked), "a later look");
        }
        for (SecretHash hash : List.of(gone.get(i + 1), TestLedger.newHash())) {
          Begun asked = Begun.now();
          assertTrue(node.authorization().findAll(Set.of(hash)).asOf().isAfter(asked));
        }
      }
      assertEquals(passed, meters.counter("ledger.index.passed").count(), "the database is spared");
    }
  }

  @Test
  void whoWasRefusedAMomentAgoIsRefusedWithoutWaitingWhetherItWasEverLiveOrNot()
      throws InterruptedException {
    SecretHash gone = created("t13");
    revoked("t13");
    try (Ledger node = TestLedger.openNode(database, keys, "n4", new SimpleMeterRegistry())) {
      awaitMemory(node);
      for (SecretHash hash : List.of(gone, TestLedger.newHash())) {
        long end = System.nanoTime() + LIMIT.toNanos();
        // A busy machine may look more seldom than is near enough; then the next one counts.
        for (boolean atOnce = false; !atOnce; ) {
          assertTrue(System.nanoTime() < end, "every refusal waited");
          node.authorization().find(hash);
          Begun asked = Begun.now();
          Begun seen = node.authorization().find(hash).asOf();
          atOnce = !seen.isAfter(asked);
          assertTrue(seen.agoMillis() < 1_000, "and never by what is old");
        }
      }
    }
  }

  @Test
  void whatThisNodeResumesItLetsInAtOnceThoughItRefusedItAMomentAgo() throws InterruptedException {
    awaitMemory(ledger);
    SecretHash hash = created("t14");
    TokenName name = new TokenName("t14");
    TokenId id = ledger.authorization().find(hash).seen().orElseThrow().id();
    for (int i = 0; i < 50; i++) {
      TestLedger.execute(ledger, new SuspendToken(name, id, TestLedger.now(), TestLedger.ADMIN))
          .join();
      assertEquals(State.SUSPENDED, state(ledger, hash));
      TestLedger.execute(ledger, new ResumeToken(name, id, TestLedger.now(), TestLedger.ADMIN))
          .join();
      assertEquals(State.LIVE, state(ledger, hash));
    }
  }

  @Test
  void aRefusalIsRememberedForASecondAndOfThatSecretOnly() {
    RefusedLately refused = new RefusedLately();
    SecretHash one = TestLedger.newHash();
    Begun then = Begun.now();
    assertFalse(refused.contains(one, then));
    refused.add(one, then);
    assertTrue(refused.contains(one, later(then, 1_000)));
    assertFalse(refused.contains(one, later(then, 1_001)));
    for (int i = 0; i < 10_000; i++) {
      assertFalse(refused.contains(TestLedger.newHash(), then));
    }
  }

  private static Begun later(Begun then, long millis) {
    return new Begun(then.nanos() + millis * 1_000_000, then.epochMillis() + millis);
  }

  @Test
  void fromTheDatabaseAnUnknownSecretTakesTheSameStatementAsARevokedOne() throws SQLException {
    SecretHash gone = created("t12");
    revoked("t12");
    List<String> statements = new ArrayList<>();
    List<List<String>> taken = new ArrayList<>();
    try (Connection session = session()) {
      TokenLookup lookup = new TokenLookup(recording(session, statements));
      for (SecretHash hash : List.of(gone, TestLedger.newHash())) {
        statements.clear();
        lookup.find(hash);
        lookup.findAll(Set.of(hash));
        taken.add(List.copyOf(statements));
      }
    }
    assertEquals(2, taken.get(0).size(), taken.toString());
    assertEquals(taken.get(0), taken.get(1));
  }

  /** One connection, never closed, whose statements are written down. */
  private static DataSource recording(Connection session, List<String> statements) {
    ClassLoader loader = AuthorizationIT.class.getClassLoader();
    Object connection =
        Proxy.newProxyInstance(
            loader,
            new Class<?>[] {Connection.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("close")) {
                return null;
              }
              if (method.getName().equals("prepareStatement")) {
                statements.add((String) arguments[0]);
              }
              return method.invoke(session, arguments);
            });
    return (DataSource)
        Proxy.newProxyInstance(
            loader, new Class<?>[] {DataSource.class}, (proxy, method, arguments) -> connection);
  }
}

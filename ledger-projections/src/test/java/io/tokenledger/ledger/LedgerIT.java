package io.tokenledger.ledger;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditPage;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.permission.Permissions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.Roles;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.Actor;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.Refusal;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenCommand.ChangeExpiry;
import io.tokenledger.token.TokenCommand.ChangePermissions;
import io.tokenledger.token.TokenCommand.CreateNamedAdmin;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenCommand.DescribeToken;
import io.tokenledger.token.TokenCommand.RegenerateOperatorToken;
import io.tokenledger.token.TokenCommand.ResumeToken;
import io.tokenledger.token.TokenCommand.RevokeToken;
import io.tokenledger.token.TokenCommand.RotateToken;
import io.tokenledger.token.TokenCommand.SuspendToken;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenRefused;
import io.tokenledger.token.TokenSummary;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class LedgerIT {

  private static final AuditQuery ALL =
      new AuditQuery(null, null, null, null, null, null, null, null, 1_000);

  private static final String TOKEN_EVENTS =
      """
      SELECT event_type, payload
        FROM ledger.event
       WHERE aggregate_type = 'Token'
       ORDER BY aggregate_id, sequence_number
      """;

  private static final String LIVE_ROWS =
      """
      SELECT encode(secret_hash, 'hex'),
             token_id                          AS id,
             token_name                        AS name,
             kind,
             array_to_string(permissions, ' ') AS permissions,
             created_at_ms                     AS created,
             expires_at_ms                     AS expires,
             revoked_at_ms                     AS revoked,
             superseded_at_ms                  AS superseded,
             suspended_at_ms                   AS suspended
        FROM views.token_lookup
      """;

  private static final String REBUILT_ROWS =
      """
      SELECT encode(secret_hash, 'hex'),
             token_id                          AS id,
             token_name                        AS name,
             kind,
             array_to_string(permissions, ' ') AS permissions,
             created_at_ms                     AS created,
             expires_at_ms                     AS expires,
             revoked_at_ms                     AS revoked,
             superseded_at_ms                  AS superseded,
             suspended_at_ms                   AS suspended
        FROM rebuild.token_lookup
      """;

  @TempDir Path keys;
  private DatabaseUrl database;
  private Ledger ledger;

  @BeforeEach
  void open() {
    database = TestPostgres.freshDatabase();
    ledger = TestLedger.open(database, keys);
  }

  @AfterEach
  void close() {
    ledger.close();
  }

  @Test
  void aTokenIsFoundAsSoonAsItsCreationIsAnswered() {
    SecretHash hash = TestLedger.newHash();
    TestLedger.create(ledger, "ingest", hash, "db:metrics:write").join();

    FoundToken found = ledger.lookup().find(hash).orElseThrow();

    assertEquals("ingest", found.name().value());
    assertEquals(FoundToken.State.LIVE, found.state(System.currentTimeMillis()));
    assertEquals(List.of("db:metrics:write"), found.permissions().texts());
  }

  @Test
  void aRevokedTokenIsFoundRevokedAndItsNameIsFreeWithANewId() {
    SecretHash first = TestLedger.newHash();
    long firstId = TestLedger.create(ledger, "ingest", first, "db:a:read").join().id().value();
    TestLedger.revoke(ledger, "ingest").join();
    long secondId =
        TestLedger.create(ledger, "ingest", TestLedger.newHash(), "db:a:read").join().id().value();

    assertEquals(
        FoundToken.State.REVOKED,
        ledger.lookup().find(first).orElseThrow().state(System.currentTimeMillis()));
    assertTrue(secondId > firstId);
  }

  @Test
  void aRegeneratedOperatorKeepsItsIdAndLosesItsOldSecret() {
    SecretHash old = TestLedger.newHash();
    SecretHash fresh = TestLedger.newHash();
    TestLedger.createOperator(ledger, old).join();
    var summary =
        TestLedger.execute(
                ledger, new RegenerateOperatorToken(fresh, TestLedger.now(), Actor.SYSTEM))
            .join();

    assertEquals(0, summary.id().value());
    assertEquals(
        FoundToken.State.SUPERSEDED,
        ledger.lookup().find(old).orElseThrow().state(System.currentTimeMillis()));
    assertEquals(
        FoundToken.State.LIVE,
        ledger.lookup().find(fresh).orElseThrow().state(System.currentTimeMillis()));
    assertTrue(ledger.lookup().anyAdmin());
  }

  @Test
  void aSecretIsNeverRegisteredTwiceNotEvenAfterItsRevocation() {
    SecretHash hash = TestLedger.newHash();
    TestLedger.create(ledger, "one", hash, "db:a:read").join();
    TestLedger.revoke(ledger, "one").join();

    assertEquals(
        Refusal.SECRET_TAKEN, refusal(TestLedger.create(ledger, "two", hash, "db:a:read")));
  }

  @Test
  void aRefusalIsAuditedAndRepeatsAreCounted() {
    TestLedger.create(ledger, "taken", TestLedger.newHash(), "db:a:read").join();
    for (int i = 0; i < 5; i++) {
      assertEquals(
          Refusal.NAME_TAKEN,
          refusal(TestLedger.create(ledger, "taken", TestLedger.newHash(), "db:a:read")));
    }
    ledger.close();
    ledger = TestLedger.open(database, keys);

    List<AuditEntry> rejected =
        ledger.audit().search(ALL).entries().stream()
            .filter(entry -> entry.eventType().equals("CommandRejected"))
            .toList();
    assertEquals(List.of(4L, 1L), rejected.stream().map(AuditEntry::count).toList());
    assertEquals("name_taken", rejected.get(0).outcomeReason());
  }

  @Test
  void theAuditTrailSaysWhoFromWhereAndWhyAndStoresNoneOfItInClear() throws SQLException {
    TestLedger.create(ledger, "ingest", TestLedger.newHash(), "db:a:read").join();

    AuditPage page = ledger.audit().search(ALL);

    AuditEntry entry = page.entries().get(0);
    assertEquals("alice", entry.actorName());
    assertEquals("token.create", entry.action());
    assertEquals("ingest", entry.targetName());
    assertTrue(entry.envelope().toString().contains("203.0.113.7"), entry.envelope().toString());
    assertTrue(entry.envelope().toString().contains("Alice Example"));
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        var row = statement.executeQuery("SELECT metadata FROM ledger.event")) {
      assertTrue(row.next());
      String stored = row.getString(1);
      for (String personal : List.of("203.0.113.7", "Alice", "a reason", "CHG-1", "agent/1")) {
        assertFalse(stored.contains(personal), stored);
      }
    }
  }

  @Test
  void theApplicationRoleCannotChangeAnEvent() throws SQLException {
    TestLedger.create(ledger, "ingest", TestLedger.newHash(), "db:a:read").join();
    DatabaseUrl app = Roles.ensureApp(database);
    for (String sql :
        List.of(
            "UPDATE ledger.event SET payload = '{}'",
            "DELETE FROM ledger.event",
            "TRUNCATE ledger.event",
            "UPDATE audit.leaf SET leaf_index = 7",
            "DELETE FROM state.event_salt",
            "CREATE TABLE ledger.more (a int)")) {
      try (Connection connection = TestPostgres.connect(app);
          Statement statement = connection.createStatement()) {
        SQLException refused = assertThrows(SQLException.class, () -> statement.execute(sql), sql);
        assertEquals("42501", refused.getSQLState(), sql);
      }
    }
  }

  @Test
  void everyTableAndColumnSaysWhatItIsFor() throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        var row =
            statement.executeQuery(
                """
                SELECT c.table_schema || '.' || c.table_name || '.' || c.column_name
                  FROM information_schema.columns c
                 WHERE c.table_schema IN ('ledger', 'views', 'audit', 'state')
                   AND (col_description((c.table_schema || '.' || c.table_name)::regclass,
                                        c.ordinal_position) IS NULL
                     OR obj_description((c.table_schema || '.' || c.table_name)::regclass) IS NULL)
                """)) {
      List<String> silent = new ArrayList<>();
      while (row.next()) {
        silent.add(row.getString(1));
      }
      assertEquals(List.of(), silent);
    }
  }

  @Test
  void theLookupIsWhatANaiveFoldOfTheEventsGives() throws Exception {
    Random random = new Random(5);
    Map<String, TokenId> ids = new HashMap<>();
    TestLedger.createOperator(ledger, TestLedger.newHash()).join();
    for (int i = 0; i < 400; i++) {
      TokenName name = new TokenName("n" + random.nextInt(8));
      CompletableFuture<TokenSummary> answer =
          ledger.execute(
              randomProposal(random, name, ids.getOrDefault(name.value(), TokenId.OPERATOR)),
              TestLedger.context(TestLedger.ADMIN));
      answer
          .handle(
              (done, refused) ->
                  done == null || done.id().equals(TokenId.OPERATOR)
                      ? null
                      : ids.put(name.value(), done.id()))
          .get(20, TimeUnit.SECONDS);
    }
    long rebuilt = ledger.replay().ready("test", job -> {}).id();
    assertEquals(0, ledger.replay().compare(rebuilt).differenceCount());

    Map<String, Map<String, String>> folded = new TreeMap<>();
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      try (var row = statement.executeQuery(TOKEN_EVENTS)) {
        while (row.next()) {
          fold(folded, row.getString(1), JsonMapper.shared().readTree(row.getString(2)));
        }
      }
      assertEquals(folded, rows(statement, LIVE_ROWS));
      assertEquals(folded, rows(statement, REBUILT_ROWS));
    }
    // What never came up was not tried.
    for (String column : List.of("expires", "revoked", "superseded", "suspended")) {
      Set<Boolean> seen = new HashSet<>();
      folded.values().forEach(row -> seen.add(row.get(column).equals("null")));
      assertEquals(Set.of(true, false), seen, column);
    }
    Set<String> kinds = new HashSet<>();
    folded.values().forEach(row -> kinds.add(row.get("kind")));
    assertEquals(Set.of("operator", "admin", "resource"), kinds);
  }

  private static Proposal randomProposal(Random random, TokenName name, TokenId id) {
    Instant now = TestLedger.now();
    SecretHash hash = TestLedger.newHash();
    Expiry expiry =
        random.nextInt(3) == 0 ? Expiry.NEVER : Expiry.after(now, 3_600 + random.nextInt(86_400));
    Permissions permissions =
        Permissions.parse(
            List.of(
                    List.of("db:a:read"),
                    List.of("db:*:read,write", "db:a:read"),
                    List.of("system:ping,health:read"),
                    List.of("ledger:audit:read", "db:b,c:write"))
                .get(random.nextInt(4)));
    Actor actor = TestLedger.ADMIN;
    return switch (random.nextInt(12)) {
      case 0 -> Proposal.of(new RevokeToken(name, null, now, actor));
      case 1 -> Proposal.of(new RegenerateOperatorToken(hash, now, Actor.SYSTEM));
      case 2 ->
          Proposal.withNewId(
              name, fresh -> new CreateNamedAdmin(name, fresh, hash, now, expiry, actor));
      case 3, 4 -> {
        Duration grace = random.nextBoolean() ? Duration.ZERO : Duration.ofMinutes(30);
        yield Proposal.of(new RotateToken(name, id, hash, now, grace, actor));
      }
      case 5 -> Proposal.of(new SuspendToken(name, id, now, actor));
      case 6 -> Proposal.of(new ResumeToken(name, id, now, actor));
      case 7 -> Proposal.of(new DescribeToken(name, id, "words " + now, now, actor));
      case 8 -> Proposal.of(new ChangeExpiry(name, id, expiry, now, actor));
      case 9 -> Proposal.of(new ChangePermissions(name, id, permissions, now, actor));
      default ->
          Proposal.withNewId(
              name,
              fresh -> new CreateResourceToken(name, fresh, hash, permissions, now, expiry, actor));
    };
  }

  private static Map<String, Map<String, String>> rows(Statement statement, String sql)
      throws SQLException {
    Map<String, Map<String, String>> rows = new TreeMap<>();
    try (var row = statement.executeQuery(sql)) {
      while (row.next()) {
        Map<String, String> columns = new TreeMap<>();
        for (int i = 2; i <= row.getMetaData().getColumnCount(); i++) {
          columns.put(row.getMetaData().getColumnLabel(i), String.valueOf(row.getString(i)));
        }
        rows.put(row.getString(1), columns);
      }
    }
    return rows;
  }

  /** A row a secret, by what the events' documentation says and nothing else. */
  private static void fold(Map<String, Map<String, String>> secrets, String type, JsonNode event) {
    String id = event.path("id").asString();
    List<Map<String, String>> own =
        secrets.values().stream().filter(row -> id.equals(row.get("id"))).toList();
    switch (type) {
      case "OperatorTokenCreated" -> secrets.put(hash(event), created(event, "operator"));
      case "NamedAdminCreated" -> secrets.put(hash(event), created(event, "admin"));
      case "ResourceTokenCreated" -> secrets.put(hash(event), created(event, "resource"));
      case "TokenRevoked" -> own.forEach(row -> row.put("revoked", millis(event, "revoked_at")));
      case "OperatorTokenRegenerated" -> succeed(secrets, own, event, "regenerated_at");
      case "TokenRotated" -> succeed(secrets, own, event, "grace_end");
      case "TokenSuspended" ->
          own.forEach(row -> row.put("suspended", millis(event, "suspended_at")));
      case "TokenResumed" -> own.forEach(row -> row.put("suspended", "null"));
      case "TokenExpiryChanged" -> own.forEach(row -> row.put("expires", millis(event, "expiry")));
      case "TokenPermissionsChanged" ->
          own.forEach(row -> row.put("permissions", permissions(event)));
      default -> {}
    }
  }

  private static Map<String, String> created(JsonNode event, String kind) {
    Map<String, String> row = new TreeMap<>();
    row.put("id", event.path("id").asString());
    row.put("name", event.path("name").asString());
    row.put("kind", kind);
    row.put("permissions", kind.equals("resource") ? permissions(event) : "*:*:*");
    row.put("created", millis(event, "created_at"));
    row.put("expires", millis(event, "expiry"));
    row.put("revoked", "null");
    row.put("superseded", "null");
    row.put("suspended", "null");
    return row;
  }

  /** The secret before it ends when its grace does, one in its grace already with the event. */
  private static void succeed(
      Map<String, Map<String, String>> secrets,
      List<Map<String, String>> own,
      JsonNode event,
      String end) {
    Map<String, String> successor = new TreeMap<>(own.get(0));
    successor.put("superseded", "null");
    String now = millis(event, event.has("rotated_at") ? "rotated_at" : "regenerated_at");
    for (Map<String, String> row : own) {
      String ends = row.get("superseded");
      row.put(
          "superseded",
          ends.equals("null")
              ? millis(event, end)
              : String.valueOf(Math.min(Long.parseLong(ends), Long.parseLong(now))));
    }
    secrets.put(hash(event), successor);
  }

  private static String hash(JsonNode event) {
    return event.path("hash").asString();
  }

  private static String millis(JsonNode event, String field) {
    JsonNode value = event.path(field);
    return value.isString()
        ? String.valueOf(Instant.parse(value.asString()).toEpochMilli())
        : "null";
  }

  private static String permissions(JsonNode event) {
    List<String> texts = new ArrayList<>();
    event.path("permissions").forEach(text -> texts.add(text.asString()));
    return String.join(" ", texts);
  }

  @Test
  void twoNodesThatCreateTheSameNamesAtOnceMakeEachOnce() throws Exception {
    int names = 200;
    try (Ledger other = TestLedger.open(database, keys)) {
      ExecutorService clients = Executors.newFixedThreadPool(32);
      AtomicInteger created = new AtomicInteger();
      AtomicInteger conflicts = new AtomicInteger();
      List<CompletableFuture<Void>> answers = new ArrayList<>();
      for (int i = 0; i < names; i++) {
        String name = "n" + i;
        for (Ledger node : List.of(ledger, other)) {
          answers.add(
              CompletableFuture.runAsync(
                  () -> {
                    try {
                      TestLedger.create(node, name, TestLedger.newHash(), "db:a:read").join();
                      created.incrementAndGet();
                    } catch (CompletionException e) {
                      assertEquals(Refusal.NAME_TAKEN, ((TokenRefused) e.getCause()).refusal());
                      conflicts.incrementAndGet();
                    }
                  },
                  clients));
        }
      }
      for (CompletableFuture<Void> answer : answers) {
        answer.get(60, TimeUnit.SECONDS);
      }
      clients.shutdown();
      assertEquals(names, created.get());
      assertEquals(names, conflicts.get());
      assertEquals(0, TestLedger.differences(ledger));
    }
  }

  @Test
  void whoGetsNoConnectionInTimeHearsThatTheLedgerIsUnavailableAndNotNo() throws Exception {
    SecretHash hash = TestLedger.newHash();
    TestLedger.create(ledger, "ingest", hash, "db:a:read").join();
    ExecutorService askers = Executors.newFixedThreadPool(12);
    try (Connection hog = TestPostgres.connect(database);
        Statement statement = hog.createStatement()) {
      hog.setAutoCommit(false);
      statement.execute("LOCK TABLE views.token_lookup IN ACCESS EXCLUSIVE MODE");
      List<Future<?>> asked = new ArrayList<>();
      for (int i = 0; i < 12; i++) {
        asked.add(askers.submit(() -> ledger.lookup().find(hash)));
      }
      for (Future<?> answer : asked) {
        ExecutionException failed =
            assertThrows(ExecutionException.class, () -> answer.get(30, TimeUnit.SECONDS));
        assertInstanceOf(LedgerUnavailable.class, failed.getCause());
      }
      hog.rollback();
    }
    askers.shutdown();
    assertTrue(ledger.lookup().find(hash).isPresent());
  }

  @Test
  void decisionsThatWereNoAreCountedAndBecomeOneEvent() {
    for (int i = 0; i < 5; i++) {
      ledger
          .requests()
          .decisionDenied(TestLedger.context(TestLedger.ADMIN), "not_granted", "token:7");
    }
    assertEquals(List.of(), ledger.audit().search(ALL).entries(), "nothing before the window ends");
    ledger.close();
    ledger = TestLedger.open(database, keys);
    List<AuditEntry> entries = ledger.audit().search(ALL).entries();
    assertEquals(1, entries.size());
    assertEquals("DecisionsDenied", entries.get(0).eventType());
    assertEquals(5, entries.get(0).count());
    assertEquals("denied", entries.get(0).outcome());
  }

  @Test
  void everyFilterOfTheAuditRestricts() {
    TestLedger.create(ledger, "one", TestLedger.newHash(), "db:a:read").join();
    TestLedger.create(ledger, "two", TestLedger.newHash(), "db:a:read").join();
    TestLedger.revoke(ledger, "one").join();
    refusal(TestLedger.revoke(ledger, "one"));
    TestLedger.createOperator(ledger, TestLedger.newHash()).join();
    assertEquals(5, count(null, null, null, null, null, null));
    assertEquals(4, count("alice", null, null, null, null, null));
    assertEquals(1, count("anonymous", null, null, null, null, null));
    assertEquals(2, count(null, "token.revoke", null, null, null, null));
    assertEquals(3, count(null, null, "one", null, null, null));
    assertEquals(1, count(null, null, null, "failed", null, null));
    assertEquals(1, count("alice", "token.revoke", "one", "success", null, null));
    Instant soon = Instant.now().plusSeconds(60);
    assertEquals(0, count(null, null, null, null, soon, null));
    assertEquals(5, count(null, null, null, null, null, soon));
    assertEquals(0, count(null, null, null, null, null, soon.minusSeconds(3_600)));
    AuditEntry middle = ledger.audit().search(ALL).entries().get(2);
    AuditPage older =
        ledger
            .audit()
            .search(
                new AuditQuery(
                    null, null, null, null, null, null, null, middle.leafIndex(), 1_000));
    assertEquals(2, older.entries().size());
  }

  private int count(
      @Nullable String actor,
      @Nullable String action,
      @Nullable String token,
      @Nullable String outcome,
      @Nullable Instant since,
      @Nullable Instant until) {
    return ledger
        .audit()
        .search(new AuditQuery(actor, action, token, null, outcome, since, until, null, 1_000))
        .entries()
        .size();
  }

  @Test
  void anotherLedgerKeyIsRefused(@TempDir Path otherKeys) {
    IllegalStateException refused =
        assertThrows(IllegalStateException.class, () -> TestLedger.open(database, otherKeys));
    assertTrue(refused.getMessage().contains("--ledger-key-file"), refused.getMessage());
  }

  private static Refusal refusal(CompletableFuture<?> answer) {
    ExecutionException failed =
        assertThrows(ExecutionException.class, () -> answer.get(20, TimeUnit.SECONDS));
    return assertInstanceOf(TokenRefused.class, failed.getCause()).refusal();
  }
}

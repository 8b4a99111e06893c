package io.tokenledger.ledger;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.idempotency.AnswerExists;
import io.tokenledger.idempotency.RequestKey;
import io.tokenledger.notices.NoticeTarget;
import io.tokenledger.permission.Permissions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.Roles;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.sql.SqlRefused;
import io.tokenledger.sql.SystemViews;
import io.tokenledger.token.Actor;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenCommand.AnnounceExpiry;
import io.tokenledger.token.TokenCommand.ChangeExpiry;
import io.tokenledger.token.TokenCommand.ChangePermissions;
import io.tokenledger.token.TokenCommand.CreateNamedAdmin;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenCommand.DescribeToken;
import io.tokenledger.token.TokenCommand.RecordExpiry;
import io.tokenledger.token.TokenCommand.ResumeToken;
import io.tokenledger.token.TokenCommand.RevokeToken;
import io.tokenledger.token.TokenCommand.RotateToken;
import io.tokenledger.token.TokenCommand.SuspendToken;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenSummary;
import io.tokenledger.tokens.TokenEntry;
import io.tokenledger.tokens.TokenQuery;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** All that can happen to a token, on a real PostgreSQL: lookup, list, clock, and SQL. */
class TokenLifeIT {

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

  private TokenSummary createExpiring(String name, Duration life) {
    TokenName tokenName = new TokenName(name);
    Instant now = TestLedger.now();
    return ledger
        .execute(
            Proposal.withNewId(
                tokenName,
                id ->
                    new CreateResourceToken(
                        tokenName,
                        id,
                        TestLedger.newHash(),
                        Permissions.parse(List.of("db:a:read")),
                        now,
                        Expiry.after(now, life.toSeconds()),
                        TestLedger.ADMIN)),
            TestLedger.context(TestLedger.ADMIN))
        .join();
  }

  private List<String> events(String name) {
    List<String> types =
        new ArrayList<>(
            ledger
                .audit()
                .search(new AuditQuery(null, null, name, null, null, null, null, null, 1_000))
                .entries()
                .stream()
                .map(AuditEntry::eventType)
                .toList());
    Collections.reverse(types);
    return types;
  }

  @Test
  void aDescriptionLiesSealedInItsEventAndIsReadByWhoMay() throws Exception {
    TokenSummary token = createExpiring("described", Duration.ofDays(40));
    TestLedger.execute(
            ledger,
            new DescribeToken(
                token.name(),
                token.id(),
                "belongs to Bob Example",
                TestLedger.now(),
                TestLedger.ADMIN))
        .join();
    AuditEntry entry =
        ledger
            .audit()
            .search(new AuditQuery(null, null, "described", null, null, null, null, null, 1))
            .entries()
            .get(0);
    assertTrue(
        entry.payload().toString().contains("\"belongs to Bob Example\""),
        entry.payload().toString());
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        var row =
            statement.executeQuery(
                "SELECT payload || metadata FROM ledger.event"
                    + " WHERE event_type = 'TokenDescribed'")) {
      assertTrue(row.next());
      assertFalse(row.getString(1).contains("Bob"), row.getString(1));
    }
    List<TokenEntry> listed = ledger.tokens().search(TokenQuery.ofName("described"));
    assertEquals("belongs to Bob Example", listed.get(0).description());
  }

  @Test
  void noticesComeAtTheirDaysOnceAndTheExpiryOnce() throws Exception {
    createExpiring("long", Duration.ofDays(40));
    createExpiring("week", Duration.ofDays(7));
    Instant start = TestLedger.now();
    List<String> perDay = new ArrayList<>();
    for (int day = 0; day <= 42; day++) {
      Instant now = start.plus(Duration.ofDays(day)).plusSeconds(60);
      int done = ledger.housekeeping().run(now);
      assertEquals(0, ledger.housekeeping().run(now), "nothing twice on day " + day);
      if (done > 0) {
        perDay.add(day + ":" + done);
      }
    }
    // The week's own 7 days are no news when it is made; the long one's days are 40 minus them.
    assertEquals(List.of("6:1", "7:1", "10:1", "26:1", "33:1", "39:1", "40:1"), perDay);
    assertEquals(
        List.of("ResourceTokenCreated", "TokenExpiryAnnounced", "TokenExpired"), events("week"));
    assertEquals(
        List.of(
            "ResourceTokenCreated",
            "TokenExpiryAnnounced",
            "TokenExpiryAnnounced",
            "TokenExpiryAnnounced",
            "TokenExpiryAnnounced",
            "TokenExpired"),
        events("long"));
  }

  @Test
  void aRenewalBeginsTheNoticesAnew() throws Exception {
    TokenSummary token = createExpiring("renewed", Duration.ofDays(40));
    Instant start = TestLedger.now();
    assertEquals(1, ledger.housekeeping().run(start.plus(Duration.ofDays(41))));
    Instant renewedAt = start.plus(Duration.ofDays(41));
    TestLedger.execute(
            ledger,
            new ChangeExpiry(
                token.name(),
                token.id(),
                Expiry.after(renewedAt, Duration.ofDays(40).toSeconds()),
                renewedAt,
                TestLedger.ADMIN))
        .join();
    assertEquals(0, ledger.housekeeping().run(renewedAt));
    assertEquals(1, ledger.housekeeping().run(renewedAt.plus(Duration.ofDays(11))));
    assertEquals(1, ledger.housekeeping().run(renewedAt.plus(Duration.ofDays(41))));
  }

  @Test
  void whatTheClockDoesIsTheNodesOwnAndNothingIsDueForTheRevoked() throws Exception {
    createExpiring("gone", Duration.ofHours(1));
    createExpiring("stays", Duration.ofHours(1));
    TestLedger.revoke(ledger, "gone").join();
    assertEquals(1, ledger.housekeeping().run(TestLedger.now().plus(Duration.ofHours(2))));
    assertEquals(List.of("ResourceTokenCreated", "TokenRevoked"), events("gone"));
    AuditEntry expired =
        ledger
            .audit()
            .search(new AuditQuery(null, "token.expire", null, null, null, null, null, null, 10))
            .entries()
            .get(0);
    assertEquals("system", expired.actorType());
  }

  @Test
  void noticesArePostedSignedInTheirOrderUntilTheReceiverTakesThem() throws Exception {
    createExpiring("before the receiver", Duration.ofDays(40));
    Instant start = TestLedger.now();
    assertEquals(1, ledger.housekeeping().run(start.plus(Duration.ofDays(11))));
    ledger.close();
    byte[] secret = new byte[32];
    new Random(3).nextBytes(secret);
    List<String> taken = Collections.synchronizedList(new ArrayList<>());
    AtomicInteger failures = new AtomicInteger(3);
    HttpServer receiver = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    receiver.createContext(
        "/",
        exchange -> {
          String body =
              new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
          boolean refuse = failures.getAndDecrement() > 0;
          if (!refuse) {
            var headers = exchange.getRequestHeaders();
            taken.add(
                signed(
                            secret,
                            headers.getFirst("webhook-id"),
                            headers.getFirst("webhook-timestamp"),
                            body)
                        .equals(headers.getFirst("webhook-signature"))
                    + " "
                    + body);
          }
          exchange.sendResponseHeaders(refuse ? 500 : 204, -1);
          exchange.close();
        });
    receiver.start();
    try {
      String url = "http://127.0.0.1:" + receiver.getAddress().getPort() + "/notices";
      ledger =
          TestLedger.open(
              database,
              keys,
              NoticeTarget.parse(url, "whsec_" + Base64.getEncoder().encodeToString(secret)));
      // The receiver's first sight of the history is its end as it is now.
      Instant begun = Instant.now().plusSeconds(20);
      while (!hasPosition() && Instant.now().isBefore(begun)) {
        Thread.sleep(20);
      }
      assertTrue(hasPosition(), "the receiver's position is kept");
      assertEquals(1, ledger.housekeeping().run(start.plus(Duration.ofDays(27))));
      assertEquals(1, ledger.housekeeping().run(start.plus(Duration.ofDays(41))));
      Instant end = Instant.now().plusSeconds(30);
      while (taken.size() < 2 && Instant.now().isBefore(end)) {
        Thread.sleep(50);
      }
    } finally {
      receiver.stop(0);
    }
    assertEquals(2, taken.size(), taken.toString());
    assertTrue(taken.get(0).startsWith("true "), taken.get(0));
    assertTrue(taken.get(0).contains("\"days_ahead\":14"), taken.get(0));
    assertTrue(taken.get(1).contains("\"event_type\":\"TokenExpired\""), taken.get(1));
  }

  private boolean hasPosition() throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        var row =
            statement.executeQuery("SELECT 1 FROM state.cursor WHERE name = 'notice_webhook'")) {
      return row.next();
    }
  }

  private static String signed(byte[] secret, String id, String seconds, String body) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(secret, "HmacSHA256"));
      return "v1,"
          + Base64.getEncoder()
              .encodeToString(
                  mac.doFinal((id + "." + seconds + "." + body).getBytes(StandardCharsets.UTF_8)));
    } catch (java.security.GeneralSecurityException e) {
      throw new AssertionError(e);
    }
  }

  /** What a secret is, told by an independent reading of the events. */
  private static final class Folded {
    private final String hash;
    private final String who;
    private final String kind;
    private String permissions;
    private @Nullable Long expires;
    private @Nullable Long revoked;
    private @Nullable Long superseded;
    private @Nullable Long suspended;

    private Folded(String hash, String who, String kind, String permissions) {
      this.hash = hash;
      this.who = who;
      this.kind = kind;
      this.permissions = permissions;
    }

    private Folded successor(String newHash) {
      Folded next = new Folded(newHash, who, kind, permissions);
      next.expires = expires;
      next.suspended = suspended;
      return next;
    }

    @Override
    public String toString() {
      return String.join(
          " ",
          who,
          kind,
          permissions,
          "expires " + expires,
          "revoked " + revoked,
          "superseded " + superseded,
          "suspended " + suspended);
    }
  }

  private static @Nullable Long millis(JsonNode payload, String field) {
    JsonNode value = payload.path(field);
    return value.isString() ? (Long) Instant.parse(value.stringValue()).toEpochMilli() : null;
  }

  private static String joined(JsonNode texts) {
    List<String> all = new ArrayList<>();
    texts.forEach(text -> all.add(text.asString()));
    return String.join(";", all);
  }

  private static void fold(List<Folded> secrets, String type, JsonNode payload) {
    String who = payload.path("id").asLong() + " " + payload.path("name").asString();
    List<Folded> mine = secrets.stream().filter(secret -> secret.who.equals(who)).toList();
    switch (type) {
      case "ResourceTokenCreated", "NamedAdminCreated" -> {
        boolean admin = type.equals("NamedAdminCreated");
        Folded made =
            new Folded(
                payload.path("hash").asString(),
                who,
                admin ? "admin" : "resource",
                admin ? "*:*:*" : joined(payload.path("permissions")));
        made.expires = millis(payload, "expiry");
        secrets.add(made);
      }
      case "TokenRevoked" -> mine.forEach(s -> s.revoked = millis(payload, "revoked_at"));
      case "TokenSuspended" -> mine.forEach(s -> s.suspended = millis(payload, "suspended_at"));
      case "TokenResumed" -> mine.forEach(s -> s.suspended = null);
      case "TokenExpiryChanged" -> mine.forEach(s -> s.expires = millis(payload, "expiry"));
      case "TokenPermissionsChanged" ->
          mine.forEach(s -> s.permissions = joined(payload.path("permissions")));
      case "TokenRotated" -> {
        long now = Instant.parse(payload.path("rotated_at").asString()).toEpochMilli();
        for (Folded secret : mine) {
          secret.superseded =
              secret.superseded == null
                  ? millis(payload, "grace_end")
                  : (Long) Math.min(secret.superseded, now);
        }
        secrets.add(mine.get(mine.size() - 1).successor(payload.path("hash").asString()));
      }
      default -> {
        // A description and what the clock records change nothing that is decided.
      }
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void lookupAndListAreWhatAnIndependentReadingOfTheEventsGives(long seed) throws Exception {
    Random random = new Random(seed);
    Map<String, TokenId> ids = new TreeMap<>();
    for (int i = 0; i < 150; i++) {
      TokenName name = new TokenName("n" + random.nextInt(6));
      TokenId id = ids.getOrDefault(name.value(), new TokenId(0));
      Instant now = TestLedger.now();
      Proposal proposal = proposal(random, name, id, now);
      TokenSummary done =
          ledger
              .execute(proposal, TestLedger.context(TestLedger.ADMIN))
              .handle((summary, refused) -> summary)
              .get(20, TimeUnit.SECONDS);
      if (done != null) {
        ids.put(name.value(), done.id());
      }
    }
    List<Folded> secrets = new ArrayList<>();
    Map<String, String> live = new TreeMap<>();
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      try (var row =
          statement.executeQuery(
              "SELECT event_type, payload FROM ledger.event WHERE aggregate_type = 'Token'"
                  + " ORDER BY aggregate_id, sequence_number")) {
        while (row.next()) {
          fold(secrets, row.getString(1), JsonMapper.shared().readTree(row.getString(2)));
        }
      }
      try (var row =
          statement.executeQuery(
              "SELECT encode(secret_hash, 'hex'), token_id, token_name, kind,"
                  + " array_to_string(permissions, ';'), expires_at_ms, revoked_at_ms,"
                  + " superseded_at_ms, suspended_at_ms FROM views.token_lookup")) {
        while (row.next()) {
          Folded read =
              new Folded(
                  row.getString(1),
                  row.getLong(2) + " " + row.getString(3),
                  row.getString(4),
                  row.getString(5));
          read.expires = row.getObject(6, Long.class);
          read.revoked = row.getObject(7, Long.class);
          read.superseded = row.getObject(8, Long.class);
          read.suspended = row.getObject(9, Long.class);
          live.put(read.hash, read.toString());
        }
      }
    }
    Map<String, String> folded = new TreeMap<>();
    secrets.forEach(secret -> folded.put(secret.hash, secret.toString()));
    assertTrue(folded.size() > 30, "enough happened: " + folded.size());
    assertEquals(folded, live);
    assertEquals(0, TestLedger.differences(ledger));
    assertList(secrets);
  }

  private void assertList(List<Folded> secrets) {
    Map<String, Folded> current = new TreeMap<>();
    secrets.stream()
        .filter(secret -> secret.superseded == null)
        .forEach(secret -> current.put(secret.who, secret));
    List<TokenEntry> listed =
        ledger
            .tokens()
            .search(
                new TokenQuery(
                    Instant.now(),
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    null,
                    1_000));
    assertEquals(current.size(), listed.size());
    for (TokenEntry entry : listed) {
      Folded secret = current.get(entry.id() + " " + entry.name());
      assertEquals(secret.hash, entry.hash());
      assertEquals(secret.kind, entry.kind().wireName());
      assertEquals(secret.permissions, String.join(";", entry.permissions()));
      assertEquals(secret.expires, millis(entry.expiry()));
      assertEquals(secret.revoked, millis(entry.revokedAt()));
      assertEquals(secret.suspended, millis(entry.suspendedAt()));
      assertEquals("alice", entry.createdBy());
    }
  }

  private static @Nullable Long millis(@Nullable Instant instant) {
    return instant == null ? null : (Long) instant.toEpochMilli();
  }

  private static Proposal proposal(Random random, TokenName name, TokenId id, Instant now) {
    Actor actor = TestLedger.ADMIN;
    SecretHash hash = TestLedger.newHash();
    Expiry expiry =
        random.nextBoolean() ? Expiry.NEVER : Expiry.after(now, 1 + random.nextInt(1_000));
    return switch (random.nextInt(12)) {
      case 0, 1 ->
          Proposal.withNewId(
              name,
              newId ->
                  new CreateResourceToken(
                      name, newId, hash, permissions(random), now, expiry, actor));
      case 2 ->
          Proposal.withNewId(
              name, newId -> new CreateNamedAdmin(name, newId, hash, now, expiry, actor));
      case 3 -> Proposal.of(new RevokeToken(name, id, now, actor));
      case 4, 5, 6 ->
          Proposal.of(
              new RotateToken(name, id, hash, now, Duration.ofSeconds(random.nextInt(100)), actor));
      case 7 -> Proposal.of(new SuspendToken(name, id, now, actor));
      case 8 -> Proposal.of(new ResumeToken(name, id, now, actor));
      case 9 -> Proposal.of(new ChangeExpiry(name, id, expiry, now, actor));
      case 10 -> Proposal.of(new ChangePermissions(name, id, permissions(random), now, actor));
      default ->
          random.nextBoolean()
              ? Proposal.of(new DescribeToken(name, id, "d" + random.nextInt(9), now, actor))
              : random.nextBoolean()
                  ? Proposal.of(new RecordExpiry(name, id, now, Actor.SYSTEM))
                  : Proposal.of(new AnnounceExpiry(name, id, 1, now, Actor.SYSTEM));
    };
  }

  private static Permissions permissions(Random random) {
    List<String> all = Arrays.asList("db:a:read", "db:b,c:read,write", "system:ping:read");
    return Permissions.parse(all.subList(0, 1 + random.nextInt(3)));
  }

  @Test
  void theLoginForQueriesReadsTheViewsAndNothingElse() throws Exception {
    TestLedger.create(ledger, "secretive", TestLedger.newHash(), "db:a:read").join();
    DatabaseUrl login = Roles.ensureSql(database);
    try (Connection connection = TestPostgres.connect(login);
        Statement statement = connection.createStatement()) {
      statement.executeQuery("SELECT * FROM system.tokens").close();
      for (String hostile :
          List.of(
              "SELECT * FROM ledger.event",
              "SELECT * FROM views.token_lookup",
              "SELECT * FROM state.event_salt",
              "SELECT * FROM audit.leaf",
              "INSERT INTO system.tokens (name) VALUES ('a')",
              "DELETE FROM system.audit_log",
              "CREATE TABLE system.mine (a int)",
              "CREATE SCHEMA mine",
              "SET ROLE " + Roles.appRole(database),
              "SELECT pg_read_file('/etc/passwd')",
              "COPY (SELECT 1) TO '/tmp/ledger-copy'",
              "ALTER ROLE " + login.user() + " SUPERUSER",
              "SELECT nextval('ledger.token_id')")) {
        assertThrows(SQLException.class, () -> statement.execute(hostile), hostile);
      }
    }
  }

  @Test
  void aSessionKeepsNothingOfTheQueryBefore() {
    assertEquals(List.of(List.of(1L)), TestLedger.query(ledger, "SELECT 1", "tokens"));
    assertThrows(
        SqlRefused.class,
        () -> TestLedger.query(ledger, "SELECT 1/0 FROM system.tokens", "audit_log"));
    SqlRefused division =
        assertThrows(SqlRefused.class, () -> TestLedger.query(ledger, "SELECT 1/0", "tokens"));
    assertEquals("division by zero", division.getMessage());
    SqlRefused column =
        assertThrows(
            SqlRefused.class,
            () -> TestLedger.query(ledger, "SELECT nope FROM system.tokens", "tokens"));
    assertTrue(column.getMessage().contains("nope does not exist"), column.getMessage());
    assertFalse(TestLedger.query(ledger, "SELECT now()", "tokens").isEmpty());
  }

  @Test
  void aKeyIsFreeAgainWhenItsDayIsOverThoughItsRowIsStillThere() throws Exception {
    RequestKey key = ledger.requestKey("token:0", "apiv3_caller", "k".repeat(22), "POST /", true);
    createUnder(key, "first");
    ExecutionException repeated =
        assertThrows(ExecutionException.class, () -> createUnder(key, "second"));
    assertInstanceOf(AnswerExists.class, repeated.getCause());
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      statement.execute(
          "UPDATE state.idempotent_answer SET stored_at = stored_at - interval '24 hours'");
    }
    assertTrue(ledger.answers().find(key).isEmpty());
    createUnder(key, "second");
    assertEquals("answer to second", ledger.answers().find(key).orElseThrow().body());
  }

  private void createUnder(RequestKey key, String name) throws Exception {
    TokenName tokenName = new TokenName(name);
    SecretHash hash = TestLedger.newHash();
    ledger
        .execute(
            Proposal.withNewId(
                    tokenName,
                    id ->
                        new CreateResourceToken(
                            tokenName,
                            id,
                            hash,
                            Permissions.parse(List.of("db:a:read")),
                            TestLedger.now(),
                            Expiry.NEVER,
                            TestLedger.ADMIN))
                .keeping(new Proposal.Keep(key, token -> "answer to " + name)),
            TestLedger.context(TestLedger.ADMIN))
        .get();
  }

  @Test
  void theGateKnowsTheColumnsOfEveryView() throws Exception {
    Map<String, List<String>> columns = new TreeMap<>();
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet rows =
            statement.executeQuery(
                "SELECT table_name, column_name FROM information_schema.columns"
                    + " WHERE table_schema = 'system' ORDER BY table_name, ordinal_position")) {
      while (rows.next()) {
        columns
            .computeIfAbsent(rows.getString(1), name -> new ArrayList<>())
            .add(rows.getString(2));
      }
    }
    assertEquals(new TreeMap<>(SystemViews.ALL), columns);
  }

  @Test
  void anAnswerTooLongIsRefusedBeforeItIsHeldAndTheNextOneIsAnswered() throws Exception {
    for (int i = 0; i < 8; i++) {
      TestLedger.create(ledger, "wide " + i, TestLedger.newHash(), "db:a:read").get();
    }
    ledger.tokens().awaitCaughtUp();
    String wide = "CAST(CAST('9e131000' AS numeric) AS text)";
    for (int i = 0; i < 6; i++) {
      SqlRefused refused =
          assertThrows(
              SqlRefused.class,
              () ->
                  TestLedger.query(
                      ledger,
                      "SELECT "
                          + String.join(", ", wide, wide, wide)
                          + " FROM system.tokens a, system.tokens b",
                      "tokens"));
      assertTrue(refused.getMessage().contains("8388608 bytes"), refused.getMessage());
    }
    assertEquals(List.of(List.of(1L)), TestLedger.query(ledger, "SELECT 1", "tokens"));
  }

  @Test
  void twoRowsWhereOneIsDueAreTheCallersMistake() throws Exception {
    TestLedger.create(ledger, "one", TestLedger.newHash(), "db:a:read").get();
    TestLedger.create(ledger, "two", TestLedger.newHash(), "db:a:read").get();
    ledger.tokens().awaitCaughtUp();
    SqlRefused refused =
        assertThrows(
            SqlRefused.class,
            () -> TestLedger.query(ledger, "SELECT (SELECT name FROM system.tokens)", "tokens"));
    assertTrue(refused.getMessage().contains("more than one row"), refused.getMessage());
  }
}

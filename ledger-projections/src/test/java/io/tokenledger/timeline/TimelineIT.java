package io.tokenledger.timeline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.audit.EventType;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.TestLedger;
import io.tokenledger.permission.Action;
import io.tokenledger.permission.Permissions;
import io.tokenledger.permission.ResourceType;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.store.EventJson;
import io.tokenledger.store.EventTable;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenEvent;
import io.tokenledger.token.TokenEvent.ResourceTokenCreated;
import io.tokenledger.token.TokenEvent.TokenDescribed;
import io.tokenledger.token.TokenEvent.TokenExpiryChanged;
import io.tokenledger.token.TokenEvent.TokenPermissionsChanged;
import io.tokenledger.token.TokenEvent.TokenResumed;
import io.tokenledger.token.TokenEvent.TokenRevoked;
import io.tokenledger.token.TokenEvent.TokenRotated;
import io.tokenledger.token.TokenEvent.TokenSuspended;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What tokens were at any moment, judged by a fold that knows no tables. */
class TimelineIT {

  private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");
  private static final List<String> NAMES = List.of("a", "b", "c", "d", "e");
  private static final List<String> GRANTS = List.of("db:m:read", "db:*:read,write", "db:n:write");

  @TempDir Path keys;
  private DatabaseUrl database;
  private Ledger ledger;
  private EventTable table;
  private final Map<String, Long> sequences = new HashMap<>();
  private final List<Happened> happened = new ArrayList<>();
  private long nextEvent;
  private long nextToken = 1;

  /** An event, when it says that it occurred, and its place once it has one. */
  private record Happened(String eventId, TokenEvent event, Instant at, long leaf) {}

  /** What the fold keeps of a token. */
  private record Folded(
      String name,
      String permissions,
      String hash,
      @Nullable Instant expiry,
      boolean suspended,
      boolean revoked) {}

  @BeforeEach
  void open() {
    database = TestPostgres.freshDatabase();
    ledger = TestLedger.open(database, keys);
    table = new EventTable(LedgerKey.loadOrCreate(keys.resolve("ledger.key")));
  }

  @AfterEach
  void close() {
    ledger.close();
  }

  private void append(Instant at, TokenEvent event) throws SQLException {
    try (Connection connection = TestPostgres.connect(database)) {
      append(connection, at, event);
    }
  }

  private void append(Connection connection, Instant at, TokenEvent event) throws SQLException {
    String stream = "token:" + event.name().value();
    long sequence = sequences.merge(stream, 1L, Long::sum) - 1;
    EventType type = EventType.of(event);
    String id = "event-" + nextEvent++;
    table.append(
        connection,
        List.of(
            new EventTable.Row(
                id,
                stream,
                sequence,
                "Token",
                type.storedName(),
                type.revision(),
                at.toString(),
                EventJson.write(event),
                "{\"actor\":{\"type\":\"system\"},\"action\":\"" + type.action() + "\"}")));
    happened.add(new Happened(id, event, at, -1));
  }

  private static SecretHash hash(long number) {
    return SecretHash.of("apiv3_" + number);
  }

  private static Permissions grant(int index) {
    return Permissions.parse(List.of(GRANTS.get(index)));
  }

  private TokenEvent created(String name, Instant at, Expiry expiry) {
    long id = nextToken++;
    return new ResourceTokenCreated(
        new TokenName(name), new TokenId(id), hash(id), grant(0), at, expiry);
  }

  /** Random lives of five names; the clock of each event is up to five seconds off. */
  private void live(Random random, int events) throws SQLException {
    Map<String, @Nullable TokenId> bearers = new HashMap<>();
    try (Connection connection = TestPostgres.connect(database)) {
      for (int i = 0; i < events; i++) {
        Instant at = START.plusMillis(i * 1_000L + random.nextInt(10_000) - 5_000);
        String name = NAMES.get(random.nextInt(NAMES.size()));
        TokenId id = bearers.get(name);
        if (id == null) {
          Expiry expiry =
              random.nextBoolean()
                  ? Expiry.NEVER
                  : Expiry.after(START, 1 + random.nextInt(events * 2));
          TokenEvent made = created(name, at, expiry);
          bearers.put(name, made.id());
          append(connection, at, made);
          continue;
        }
        TokenEvent event = change(random, new TokenName(name), id, at, i);
        if (event instanceof TokenRevoked) {
          bearers.remove(name);
        }
        append(connection, at, event);
      }
    }
  }

  private static TokenEvent change(
      Random random, TokenName name, TokenId id, Instant at, int number) {
    return switch (random.nextInt(8)) {
      case 0 -> new TokenRevoked(name, id, at);
      case 1 -> new TokenSuspended(name, id, at);
      case 2 -> new TokenResumed(name, id, at);
      case 3 -> new TokenRotated(name, id, hash(1_000 + number), at, at.plusSeconds(3));
      case 4 ->
          new TokenExpiryChanged(
              name, id, Expiry.NEVER, Expiry.after(START, 1 + random.nextInt(500)), at);
      case 5 -> new TokenPermissionsChanged(name, id, grant(0), grant(random.nextInt(3)), at);
      case 6 -> new TokenExpiryChanged(name, id, Expiry.NEVER, Expiry.NEVER, at);
      default -> new TokenDescribed(name, id, "", at);
    };
  }

  /** Waits for every event to have its place, and learns it. */
  private long settle() throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    long size = ledger.timeline().resolve(null).treeSize();
    while (size < happened.size()) {
      assertTrue(System.nanoTime() < end, "all have their place in time");
      TimeUnit.MILLISECONDS.sleep(20);
      size = ledger.timeline().resolve(null).treeSize();
    }
    Map<String, Long> leaves = new HashMap<>();
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery("SELECT event_id, leaf_index FROM audit.leaf")) {
      while (row.next()) {
        leaves.put(row.getString(1), row.getLong(2));
      }
    }
    happened.replaceAll(
        each -> new Happened(each.eventId(), each.event(), each.at(), leaves.get(each.eventId())));
    return size;
  }

  /** The naive one: each name's events one after the other until one is too late. */
  private Map<Long, Folded> fold(long treeSize, @Nullable Instant until) {
    Map<Long, Folded> tokens = new TreeMap<>();
    Map<String, Boolean> stopped = new HashMap<>();
    for (Happened each : happened) {
      String name = each.event().name().value();
      if (each.leaf() >= treeSize || stopped.containsKey(name)) {
        continue;
      }
      if (until != null && each.at().isAfter(until)) {
        stopped.put(name, true);
        continue;
      }
      long id = each.event().id().value();
      Folded before = tokens.get(id);
      tokens.put(id, before == null ? made(each.event()) : changed(before, each.event()));
    }
    return tokens;
  }

  private static Folded made(TokenEvent event) {
    ResourceTokenCreated made = (ResourceTokenCreated) event;
    return new Folded(
        made.name().value(),
        made.permissions().toString(),
        made.hash().hex().substring(0, 9),
        made.expiry().isNever() ? null : made.expiry().instant(),
        false,
        false);
  }

  private static Folded changed(Folded is, TokenEvent event) {
    String permissions = is.permissions();
    String hash = is.hash();
    Instant expiry = is.expiry();
    boolean suspended = is.suspended();
    boolean revoked = is.revoked();
    if (event instanceof TokenRevoked) {
      revoked = true;
    } else if (event instanceof TokenSuspended) {
      suspended = true;
    } else if (event instanceof TokenResumed) {
      suspended = false;
    } else if (event instanceof TokenRotated rotated) {
      hash = rotated.hash().hex().substring(0, 9);
    } else if (event instanceof TokenExpiryChanged changed) {
      expiry = changed.expiry().isNever() ? null : changed.expiry().instant();
    } else if (event instanceof TokenPermissionsChanged changed) {
      permissions = changed.permissions().toString();
    }
    return new Folded(is.name(), permissions, hash, expiry, suspended, revoked);
  }

  private Map<Long, Folded> asked(ResolvedMoment moment) {
    Map<Long, Folded> tokens = new TreeMap<>();
    Long after = null;
    do {
      // A small page, so that there are several.
      Timeline.Page<TokenVersion> page = ledger.timeline().state(moment, true, after, 3);
      for (TokenVersion token : page.rows()) {
        tokens.put(
            token.id().value(),
            new Folded(
                token.name().value(),
                String.join(" ", token.permissions()),
                token.hashPrefix(),
                token.expiry(),
                token.suspendedAt() != null,
                token.revokedAt() != null));
      }
      after = page.next();
    } while (after != null);
    return tokens;
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void theStateAtAnyMomentIsWhatAReplayGives(long seed) throws Exception {
    Random random = new Random(seed);
    live(random, 200);
    long size = settle();
    for (int i = 0; i < 60; i++) {
      Instant time = START.plusMillis(random.nextInt(220_000) - 10_000);
      ResolvedMoment at = ledger.timeline().resolve(new Moment.AtTime(time));
      assertEquals(fold(size, time), asked(at), "at " + time);
      long leaf = random.nextInt(200);
      ResolvedMoment after = ledger.timeline().resolve(new Moment.AfterLeaf(leaf));
      assertEquals(leaf + 1, after.treeSize());
      assertEquals(fold(leaf + 1, null), asked(after), "after leaf " + leaf);
      ResolvedMoment smaller = new ResolvedMoment(leaf + 1, time, false);
      assertEquals(fold(leaf + 1, time), asked(smaller), "at " + time + " in " + (leaf + 1));
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {11, 12})
  void whatChangedBetweenTwoMomentsIsWhereTheTwoStatesDiffer(long seed) throws Exception {
    Random random = new Random(seed);
    live(random, 150);
    settle();
    for (int i = 0; i < 20; i++) {
      ResolvedMoment from = ledger.timeline().resolve(randomMoment(random));
      ResolvedMoment to = ledger.timeline().resolve(randomMoment(random));
      Map<Long, Folded> before = asked(from);
      Map<Long, Folded> after = asked(to);
      Map<Long, TokenChange> changes = new TreeMap<>();
      Long next = null;
      do {
        Timeline.Page<TokenChange> page = ledger.timeline().changes(from, to, next, 4);
        page.rows().forEach(change -> changes.put(change.id().value(), change));
        next = page.next();
      } while (next != null);
      for (long id = 0; id < nextToken; id++) {
        TokenChange change = changes.get(id);
        if (change == null) {
          assertEquals(before.get(id), after.get(id), "token " + id);
        } else {
          assertEquals(before.containsKey(id), change.before() != null, "token " + id);
          assertEquals(after.containsKey(id), change.after() != null, "token " + id);
        }
      }
    }
  }

  private static Moment randomMoment(Random random) {
    return random.nextBoolean()
        ? new Moment.AfterLeaf(random.nextInt(150))
        : new Moment.AtTime(START.plusSeconds(random.nextInt(150)));
  }

  private String dump() throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row =
            statement.executeQuery(
                "SELECT string_agg(history::text, E'\\n' ORDER BY token_id, from_leaf)"
                    + " FROM views.token_history AS history")) {
      row.next();
      return row.getString(1);
    }
  }

  private void execute(String sql) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"SELECT 1", "DELETE FROM views.token_history"})
  void takingEveryLeafAgainGivesTheSameRows(String before) throws Exception {
    live(new Random(21), 200);
    settle();
    String first = dump();
    execute(before + "; DELETE FROM views.follower WHERE name = 'token_history'");
    settle();
    assertEquals(first, dump());
  }

  @Test
  void aClockThatRunsBackDoesNotBringALaterEventForward() throws Exception {
    TokenEvent made = created("late", START.plusSeconds(10), Expiry.NEVER);
    append(START.plusSeconds(10), made);
    append(START.plusSeconds(5), new TokenSuspended(made.name(), made.id(), START.plusSeconds(5)));
    settle();
    Timeline timeline = ledger.timeline();
    ResolvedMoment earlier = timeline.resolve(new Moment.AtTime(START.plusSeconds(7)));
    assertEquals(List.of(), timeline.state(earlier, true, null, 10).rows());
    ResolvedMoment later = timeline.resolve(new Moment.AtTime(START.plusSeconds(10)));
    List<TokenVersion> rows = timeline.state(later, true, null, 10).rows();
    assertEquals(1, rows.size());
    assertEquals("TokenSuspended", rows.get(0).eventType());
  }

  @Test
  void aTokenExpiresAtItsMillisecondWithoutAnEvent() throws Exception {
    TokenEvent made = created("short", START, Expiry.after(START, 10));
    append(START, made);
    settle();
    Timeline timeline = ledger.timeline();
    ResolvedMoment before = timeline.resolve(new Moment.AtTime(START.plusMillis(9_999)));
    ResolvedMoment at = timeline.resolve(new Moment.AtTime(START.plusMillis(10_000)));
    assertEquals(1, holders(before).size());
    assertEquals(0, holders(at).size());
    List<TokenChange> changes = timeline.changes(before, at, null, 10).rows();
    assertEquals(1, changes.size(), "it expired in between");
  }

  private List<Holder> holders(ResolvedMoment moment) {
    return ledger.timeline().holders(moment, ResourceType.DB, "m", Action.READ, null, 10).rows();
  }

  @Test
  void theExactGrantDecidesBeforeTheWildcard() throws Exception {
    TokenName name = new TokenName("both");
    append(
        START,
        new ResourceTokenCreated(
            name,
            new TokenId(1),
            hash(1),
            Permissions.parse(List.of("db:m:read", "db:*:write")),
            START,
            Expiry.NEVER));
    settle();
    ResolvedMoment now = ledger.timeline().resolve(null);
    assertEquals(
        "db:m:read",
        ledger
            .timeline()
            .holders(now, ResourceType.DB, "m", Action.READ, null, 10)
            .rows()
            .get(0)
            .entry());
    assertEquals(
        List.of(),
        ledger.timeline().holders(now, ResourceType.DB, "m", Action.WRITE, null, 10).rows());
    assertFalse(
        ledger
            .timeline()
            .holders(now, ResourceType.DB, "other", Action.WRITE, null, 10)
            .rows()
            .isEmpty());
  }

  @Test
  void aMomentThatTheHistoryDoesNotHaveIsRefused() throws Exception {
    append(START, created("one", START, Expiry.NEVER));
    long size = settle();
    Timeline timeline = ledger.timeline();
    assertThrows(MomentUnknown.class, () -> timeline.resolve(new Moment.AfterLeaf(size)));
    assertThrows(MomentUnknown.class, () -> timeline.resolve(new Moment.AtCheckpoint(size + 1)));
    Instant future = Instant.now().plusSeconds(60);
    assertThrows(MomentUnknown.class, () -> timeline.resolve(new Moment.AtTime(future)));
  }
}

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.audit.EventType;
import io.tokenledger.audit.Outcome;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.permission.Permissions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import io.tokenledger.replay.Replay;
import io.tokenledger.replay.ReplayJob;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.sealing.SubjectKeys;
import io.tokenledger.store.EventJson;
import io.tokenledger.store.EventTable;
import io.tokenledger.token.Actor;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenEvent;
import io.tokenledger.token.TokenEvent.ResourceTokenCreated;
import io.tokenledger.token.TokenEvent.TokenPermissionsChanged;
import io.tokenledger.token.TokenEvent.TokenResumed;
import io.tokenledger.token.TokenEvent.TokenRevoked;
import io.tokenledger.token.TokenEvent.TokenRotated;
import io.tokenledger.token.TokenEvent.TokenSuspended;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.UUID;

/**
 * Lives of tokens for an embedded ledger that was begun and is stopped: a year of them, as a node
 * would have stored them, each with its envelope, MAC and salts. A name is used about twelve times; of
 * the events 45 % are revocations, rotations and changes of permissions, 35 % creations, nearly all of
 * names used before. Repeatable: the same count gives the same lives. Nobody holds their secrets.
 *
 * <p>The lookup is filled by the ledger's own replay; the other projections follow once it serves.
 *
 * <p>Run it with ops/bench/generate.
 */
public class Generate {

  private static final int BATCH = 2_000;
  private static final Actor ACTOR =
      Actor.token(new TokenId(0), new TokenName("_admin"), Permissions.admin());

  private static final class Name {
    private final TokenName name;
    private long sequence = -1;
    private TokenId id;
    private Permissions permissions;
    private boolean live;
    private boolean suspended;

    Name(TokenName name) {
      this.name = name;
    }
  }

  private final Random random = new Random(5);
  private final Envelopes envelopes;
  private final EventTable table;

  Generate(Envelopes envelopes, EventTable table) {
    this.envelopes = envelopes;
    this.table = table;
  }

  public static void main(String[] args) throws Exception {
    Path root = Path.of(args[0]).toAbsolutePath();
    Path data = Path.of(args[1]).toAbsolutePath();
    long events = Long.parseLong(args[2]);
    if (!Files.isRegularFile(data.resolve("ledger.key"))) {
      System.err.println(data + " holds no ledger: begin one with ledger serve, and stop it");
      System.exit(1);
    }
    try (EmbeddedPostgres postgres =
        EmbeddedPostgres.start(data, root.resolve("ledger-api/target/app/postgres"))) {
      DatabaseUrl url = postgres.url();
      try (Connection connection =
          DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password())) {
        connection.setAutoCommit(false);
        LedgerKey key = LedgerKey.loadOrCreate(data.resolve("ledger.key"));
        String origin = EventTable.logOrigin(connection).orElse("token-ledger/generated");
        new Generate(
                new Envelopes(new SubjectKeys(data.resolve("subject-keys")), key, origin, "generator"),
                new EventTable(key))
            .run(connection, events);
      }
      try (Ledger.Offline ledger = Ledger.openOffline(url, new SimpleMeterRegistry())) {
        ReplayJob job =
            ledger
                .replay()
                .await(
                    ledger.replay().start(List.of(Replay.LOOKUP), "generator").id(), each -> {});
        // No swap: of millions of rows that are missing it would tell each one.
        try (Connection connection =
                DriverManager.getConnection(
                    url.with("socketTimeout", "0").jdbcUrl(), url.user(), url.password());
            Statement statement = connection.createStatement()) {
          int rows =
              statement.executeUpdate(
                  "INSERT INTO views.token_lookup SELECT * FROM "
                      + job.schema()
                      + ".token_lookup ON CONFLICT DO NOTHING");
          System.out.printf("%d lookup rows%n", rows);
        }
        ledger.replay().drop(job.id());
      }
    }
  }

  private void run(Connection connection, long events) throws Exception {
    int names = Math.toIntExact(Math.max(10, events / 35));
    Name[] all = new Name[names];
    String run = UUID.randomUUID().toString().substring(0, 8);
    for (int i = 0; i < names; i++) {
      all[i] = new Name(new TokenName("gen-" + run + "-" + i));
    }
    Instant begin = Instant.now().minus(Duration.ofDays(365)).truncatedTo(ChronoUnit.MILLIS);
    double step = Duration.ofDays(365).toMillis() / (double) events;
    long start = System.nanoTime();
    List<EventTable.Row> rows = new ArrayList<>(BATCH);
    List<Long> ids = new ArrayList<>();
    long[] kinds = new long[6];
    for (long i = 0; i < events; i++) {
      Name name = all[random.nextInt(names)];
      if (ids.isEmpty()) {
        ids.addAll(table.nextTokenIds(connection, BATCH));
      }
      rows.add(row(name, next(name, ids, kinds, begin.plusMillis((long) (i * step)))));
      if (rows.size() == BATCH || i == events - 1) {
        table.append(connection, rows);
        connection.commit();
        rows.clear();
        if ((i + 1) % 100_000 == 0) {
          System.out.printf("%d events, %d s%n", i + 1, (System.nanoTime() - start) / 1_000_000_000);
        }
      }
    }
    System.out.printf(
        "%d created (%d names), %d revoked, %d rotated, %d changed, %d suspended or resumed%n",
        kinds[0], names, kinds[1], kinds[2], kinds[3], kinds[4]);
  }

  private SecretHash hash() {
    byte[] bytes = new byte[64];
    random.nextBytes(bytes);
    return SecretHash.parseHex(HexFormat.of().formatHex(bytes));
  }

  private Permissions permissions() {
    return Permissions.parse(List.of("db:db-" + random.nextInt(500) + ":read,write"));
  }

  private TokenEvent next(Name name, List<Long> ids, long[] kinds, Instant at) {
    name.sequence++;
    if (!name.live) {
      kinds[0]++;
      name.live = true;
      name.suspended = false;
      name.id = new TokenId(ids.remove(ids.size() - 1));
      name.permissions = permissions();
      return new ResourceTokenCreated(
          name.name, name.id, hash(), name.permissions, at, Expiry.NEVER);
    }
    int kind = random.nextInt(100);
    if (kind < 52) {
      kinds[1]++;
      name.live = false;
      return new TokenRevoked(name.name, name.id, at);
    }
    if (kind < 72) {
      kinds[2]++;
      return new TokenRotated(
          name.name, name.id, hash(), at, at.plus(Duration.ofHours(random.nextInt(48))));
    }
    if (kind < 88) {
      kinds[3]++;
      Permissions before = name.permissions;
      name.permissions = permissions();
      return new TokenPermissionsChanged(name.name, name.id, before, name.permissions, at);
    }
    kinds[4]++;
    name.suspended = !name.suspended;
    return name.suspended
        ? new TokenSuspended(name.name, name.id, at)
        : new TokenResumed(name.name, name.id, at);
  }

  private EventTable.Row row(Name name, TokenEvent event) {
    EventType type = EventType.of(event);
    String id = UUID.randomUUID().toString();
    Instant at =
        event instanceof ResourceTokenCreated made
            ? made.createdAt()
            : event instanceof TokenRevoked made
                ? made.revokedAt()
                : event instanceof TokenRotated made
                    ? made.rotatedAt()
                    : event instanceof TokenPermissionsChanged made
                        ? made.changedAt()
                        : event instanceof TokenSuspended made
                            ? made.suspendedAt()
                            : ((TokenResumed) event).resumedAt();
    RequestContext context =
        new RequestContext(
            ACTOR, "bearer", null, null, null, null, 0, null, false, null, "generator", id, null,
            null, null);
    return new EventTable.Row(
        id,
        "token:" + name.name.value(),
        name.sequence,
        "Token",
        type.storedName(),
        type.revision(),
        org.axonframework.common.DateTimeUtils.formatInstant(at),
        EventJson.write(event),
        envelopes.write(
            id,
            at,
            context,
            new Envelopes.What(
                type.action(),
                Outcome.SUCCESS,
                null,
                200,
                "token",
                "token:" + event.id(),
                name.name.value(),
                name.sequence == 0 ? null : name.sequence - 1,
                name.sequence,
                List.of())));
  }
}

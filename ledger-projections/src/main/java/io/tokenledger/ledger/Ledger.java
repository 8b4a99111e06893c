package io.tokenledger.ledger;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.archive.Archive;
import io.tokenledger.archive.ArchiveRefused;
import io.tokenledger.archive.ArchiveRestore;
import io.tokenledger.attest.TimestampClient;
import io.tokenledger.attest.WitnessClient;
import io.tokenledger.audit.ControlEvent.LogGenerationStarted;
import io.tokenledger.audit.EventCatalogue;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.follow.Follower;
import io.tokenledger.follow.Projection;
import io.tokenledger.follow.RecentLeaves;
import io.tokenledger.history.AuditLog;
import io.tokenledger.history.AuditLogTable;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.idempotency.AnswerExists;
import io.tokenledger.idempotency.IdempotentAnswers;
import io.tokenledger.idempotency.RequestKey;
import io.tokenledger.index.Authorization;
import io.tokenledger.lookup.LookupChanges;
import io.tokenledger.lookup.LookupTable;
import io.tokenledger.lookup.TokenLookup;
import io.tokenledger.notices.NoticeWebhook;
import io.tokenledger.permission.Permissions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.Roles;
import io.tokenledger.privacy.Erasures;
import io.tokenledger.privacy.LegalHolds;
import io.tokenledger.privacy.PrivacyRefused;
import io.tokenledger.privacy.Pruning;
import io.tokenledger.privacy.Retention;
import io.tokenledger.proof.TransparencyLog;
import io.tokenledger.quarantine.Quarantine;
import io.tokenledger.replay.DriftCheck;
import io.tokenledger.replay.Replay;
import io.tokenledger.replay.ReplayWorker;
import io.tokenledger.report.Reports;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.sealing.SubjectKeys;
import io.tokenledger.sequence.LogRow;
import io.tokenledger.sequence.Sequencer;
import io.tokenledger.service.ServiceLife;
import io.tokenledger.signing.CheckpointMemory;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.signing.CheckpointWatch;
import io.tokenledger.signing.RestoreGuard;
import io.tokenledger.signing.Signer;
import io.tokenledger.signing.SigningKeys;
import io.tokenledger.sink.Sinks;
import io.tokenledger.sql.SqlQueries;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.Position;
import io.tokenledger.store.SnapshotTable;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.timeline.Timeline;
import io.tokenledger.timeline.TokenHistoryTable;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.token.Actor;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.Refusal;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenRefused;
import io.tokenledger.token.TokenSecret;
import io.tokenledger.token.TokenSummary;
import io.tokenledger.tokens.TokenDirectory;
import io.tokenledger.tokens.TokenTable;
import io.tokenledger.tokens.TokenUsage;
import io.tokenledger.verify.BundleWriter;
import io.tokenledger.verify.DatabaseVerification;
import io.tokenledger.verify.Verdict;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.axonframework.common.IdentifierFactory;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The ledger on one node: everything above the database and below HTTP, assembled. Opening it
 * migrates the schema, proves that events and lookup share a transaction, and begins to work;
 * closing it drains.
 */
public final class Ledger implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Ledger.class);

  /** Given as the checkpoint to trust: nothing was signed yet. */
  private static final Path NO_CHECKPOINT = Path.of("none");

  private static final Duration CONNECTION_LIMIT = Duration.ofSeconds(5);

  /** How long a decision waits for a connection, and half as long as it waits for an answer. */
  private static final Duration DECISION_LIMIT = Duration.ofSeconds(1);

  private static final int DECISION_CONNECTIONS = 4;
  private static final Duration DECISION_IDLE = Duration.ofMinutes(1);
  private static final Duration CHECKPOINT_INTERVAL = Duration.ofMillis(500);
  private static final Duration VERIFICATION_INTERVAL = Duration.ofDays(1);
  private static final Duration ALERT_RETRY_PAUSE = Duration.ofSeconds(2);
  private static final Duration WATCH_INTERVAL = Duration.ofSeconds(1);
  private static final Duration SEQUENCER_INTERVAL = Duration.ofMillis(200);
  private static final Duration FLOOR_PATIENCE = Duration.ofSeconds(60);
  private static final Duration RECONCILE_INTERVAL = Duration.ofSeconds(60);
  private static final Duration QUERY_LIMIT = Duration.ofSeconds(10);
  private static final Duration REFUSAL_WINDOW = Duration.ofMinutes(1);

  private static final String ADD_KEY_CHECK =
      """
      INSERT INTO state.key_check (key_name, check_value)
      VALUES ('ledger', ?)
          ON CONFLICT (key_name) DO NOTHING
      """;

  private static final String READ_KEY_CHECK =
      """
      SELECT check_value
        FROM state.key_check
       WHERE key_name = 'ledger'
      """;

  private final EventTable table;
  private final HikariDataSource writers;
  private final HikariDataSource readers;
  private final HikariDataSource decisions;
  private final CommandBatches commands;
  private final TokenLookup lookup;
  private final Authorization authorization;
  private final RequestLog requests;
  private final AuditLog audit;
  private final Envelopes envelopes;
  private final LegalHolds holds;
  private final Erasures erasures;
  private final Retention retention;
  private final Replay replay;
  private final Quarantine quarantine;
  private final ReplayWorker replays;
  private final DriftCheck drift;
  private final TransparencyLog log;
  private final RestoreGuard guard;
  private final @Nullable LogAlerts alerts;
  private final @Nullable Signer signer;
  private final @Nullable CheckpointWatch watch;
  private final @Nullable SelfVerification verification;
  private final @Nullable Sequencer sequencer;
  private final List<WitnessClient> witnesses;
  private final @Nullable TimestampClient timestamps;
  private final @Nullable Archive archive;
  private final @Nullable ArchiveRestore archiveRestore;
  private final @Nullable Pruning pruning;
  private final RecentLeaves recent = new RecentLeaves();
  private final List<Follower> followers;
  private final Sinks sinks;
  private final TokenDirectory tokens;
  private final Timeline timeline;
  private final Reports reports;
  private final TokenUsage usage;
  private final SqlQueries sql;
  private final IdempotentAnswers answers;
  private final Housekeeping housekeeping;
  private final ServiceLife service;
  private final LedgerKey key;
  private final ExecutorService refusals;

  private Ledger(
      LedgerOptions options,
      Schema.Logins logins,
      LedgerKey key,
      EventReader reader,
      MeterRegistry meters) {
    List<Sinks.Receiver> receivers = Sinks.open(options.sinks());
    DatabaseUrl app = logins.app();
    this.writers = pool(app, "ledger-write", options.poolSize(), false, meters);
    this.readers = pool(app, "ledger-read", options.poolSize(), true, meters);
    requireSameKey(writers, key);
    SubjectKeys subjectKeys = new SubjectKeys(options.subjectKeyStore());
    Envelopes envelopes = new Envelopes(subjectKeys, key, options.logOrigin(), options.nodeId());
    this.envelopes = envelopes;
    this.key = key;
    this.followers = followers(options, envelopes, reader);
    this.table = new EventTable(key);
    Transactions transactions = new Transactions(writers);
    EventStorage storage =
        EventStorage.create(table, new SnapshotTable(key), envelopes, transactions, reader);
    this.decisions = decisionPool(app, meters);
    this.lookup = new TokenLookup(decisions);
    Authorization ownAuthorization =
        new Authorization(app, options.nodeId(), lookup, readers, meters);
    this.authorization = ownAuthorization;
    this.commands =
        new CommandBatches(
            transactions,
            storage,
            table,
            this::wake,
            position -> ownAuthorization.applied(position, Authorization.BOUND),
            meters);
    this.requests =
        new RequestLog(
            writers, table, envelopes, this::wake, Clock.systemUTC(), REFUSAL_WINDOW, meters);
    this.holds = new LegalHolds(writers, table, requests, this::wake);
    this.erasures =
        new Erasures(
            writers,
            () -> owner(options.database()),
            table,
            requests,
            subjectKeys,
            envelopes,
            this::wake);
    this.retention = new Retention(writers, table, requests, this::wake);
    this.audit = new AuditLog(readers, envelopes, this::wake);
    this.service = new ServiceLife(requests, audit, readers, options.nodeId(), meters);
    this.sinks =
        new Sinks(
            receivers,
            new Sinks.Surroundings(
                readers, writers, () -> connectAlone(app), envelopes, requests, options.nodeId()),
            () -> restored() != null,
            this::wake,
            meters);
    this.replay = new Replay(() -> connect(app), projections(envelopes, reader), reader);
    this.quarantine =
        new Quarantine(
            writers,
            requests,
            reader,
            List.of(new TokenTable(envelopes, reader), new TokenHistoryTable(reader)),
            () -> followers.forEach(Follower::retry));
    Gauge.builder("ledger.follower.standing", followers, Ledger::standing)
        .description("Projections that stand still before an event that cannot be read")
        .register(meters);
    this.replays =
        new ReplayWorker(() -> connect(app), replay, envelopes, reader, this::unreadable);
    this.drift = new DriftCheck(() -> connect(app), requests, envelopes, reader);
    this.tokens = new TokenDirectory(readers, this::wake);
    this.timeline = new Timeline(readers, this::wake, Clock.systemUTC());
    this.reports = new Reports(readers, this::requireSigner);
    this.usage = new TokenUsage(writers);
    this.sql = new SqlQueries(logins.sql(), QUERY_LIMIT, meters);
    this.answers = new IdempotentAnswers(writers);
    this.housekeeping =
        new Housekeeping(
            writers, commands, answers, replay, erasures, this::wake, () -> restored() != null);
    this.refusals = Executors.newFixedThreadPool(4, Ledger::refusalThread);
    this.log =
        new TransparencyLog(
            readers,
            options.witnesses().stream().map(target -> target.key().name()).toList(),
            this::wake);
    if (options.signingKeyFiles().isEmpty()) {
      this.alerts = null;
      this.signer = null;
      this.watch = null;
      this.verification = null;
      this.sequencer = null;
      this.witnesses = List.of();
      this.timestamps = null;
      this.archive = null;
      this.archiveRestore = null;
      this.pruning = null;
      this.guard = new RestoreGuard(writers, options.nodeId(), null, null, meters);
    } else {
      CheckpointMemory memory = new CheckpointMemory(options.stateDir());
      LogAlerts ownAlerts = new LogAlerts(requests, ALERT_RETRY_PAUSE);
      this.alerts = ownAlerts;
      Signer ownSigner =
          new Signer(
              SigningKeys.loadOrCreate(options.signingKeyFiles()),
              options.logOrigin(),
              memory,
              ownAlerts,
              CHECKPOINT_INTERVAL,
              this::signed,
              meters);
      if (NO_CHECKPOINT.equals(options.trustCheckpoint())) {
        ownSigner.trustNothing();
      } else if (options.trustCheckpoint() != null) {
        ownSigner.trust(note(options.trustCheckpoint()));
      }
      this.signer = ownSigner;
      this.guard = new RestoreGuard(writers, options.nodeId(), ownSigner, memory, meters);
      this.verification = new SelfVerification(app, table, ownSigner, memory, requests);
      this.watch = new CheckpointWatch(readers, ownSigner, memory, ownAlerts);
      Sequencer ownSequencer =
          new Sequencer(
              app,
              options.nodeId(),
              table,
              ownSigner,
              SEQUENCER_INTERVAL,
              FLOOR_PATIENCE,
              RECONCILE_INTERVAL,
              this::sequenced,
              meters);
      this.sequencer = ownSequencer;
      this.witnesses =
          options.witnesses().stream()
              .map(
                  target ->
                      new WitnessClient(
                          target, writers, ownSequencer::isLeading, ownAlerts, meters))
              .toList();
      this.timestamps =
          options.timestampAuthority() == null
              ? null
              : new TimestampClient(
                  options.timestampAuthority(), writers, ownSequencer::isLeading, ownAlerts);
      this.archive =
          options.archive() == null
              ? null
              : new Archive(
                  options.archive(),
                  writers,
                  this::writeBundle,
                  requests,
                  () -> ownSequencer.isLeading() && restored() == null,
                  this::wake,
                  meters);
      this.archiveRestore =
          archive == null ? null : archive.restore(() -> owner(options.database()), table);
      this.pruning =
          new Pruning(
              writers,
              () -> owner(options.database()),
              table,
              requests,
              this::archived,
              () -> ownSequencer.isLeading() && restored() == null,
              this::wake,
              meters);
    }
  }

  private void sequenced(long firstLeafIndex, List<LogRow> rows) {
    recent.add(firstLeafIndex, rows);
    followers.forEach(Follower::wake);
  }

  private void signed() {
    witnesses.forEach(WitnessClient::wake);
    sinks.wake();
  }

  private static SignedNote note(Path file) {
    try {
      return SignedNote.parse(Files.readString(file));
    } catch (IOException | InvalidTlogFormat e) {
      throw new IllegalStateException("--trust-checkpoint " + file + ": " + e.getMessage(), e);
    }
  }

  /** Something was committed; on a node that never leads, the leader finds it by itself. */
  private void wake() {
    if (sequencer != null) {
      sequencer.wake();
    }
  }

  /** Those that can be built again from the first leaf on. */
  private static List<Projection> projections(Envelopes envelopes, EventReader reader) {
    return List.of(
        new AuditLogTable(), new TokenTable(envelopes, reader), new TokenHistoryTable(reader));
  }

  private static Connection owner(DatabaseUrl owner) throws SQLException {
    return DriverManager.getConnection(owner.jdbcUrl(), owner.user(), owner.password());
  }

  /**
   * A connection of its own, so that long work takes none from those that serve. An index over ten
   * million rows, or their comparison, is one statement of minutes: none is too slow.
   */
  private static Connection connect(DatabaseUrl app) throws SQLException {
    DatabaseUrl patient = app.with("socketTimeout", "0");
    Connection connection =
        DriverManager.getConnection(patient.jdbcUrl(), patient.user(), patient.password());
    connection.setAutoCommit(false);
    return connection;
  }

  /** The same for one that holds a lock in its session and no transaction. */
  private static Connection connectAlone(DatabaseUrl app) throws SQLException {
    Connection connection = DriverManager.getConnection(app.jdbcUrl(), app.user(), app.password());
    try (Statement statement = connection.createStatement()) {
      // The server's side: a machine that lost its power must not hold its lock for two hours.
      statement.execute(
          "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2;"
              + " SET tcp_keepalives_count = 3; SET tcp_user_timeout = 15000");
      return connection;
    } catch (SQLException e) {
      connection.close();
      throw e;
    }
  }

  private List<Follower> followers(LedgerOptions options, Envelopes envelopes, EventReader reader) {
    List<Follower> all = new ArrayList<>();
    projections(envelopes, reader)
        .forEach(
            projection -> all.add(new Follower(writers, projection, recent, this::unreadable)));
    if (options.noticeWebhook() != null) {
      all.add(
          new Follower(
              writers, new NoticeWebhook(options.noticeWebhook()), recent, this::unreadable));
    }
    return List.copyOf(all);
  }

  private static Thread refusalThread(Runnable work) {
    Thread thread = new Thread(work, "ledger-refusals");
    thread.setDaemon(true);
    return thread;
  }

  /**
   * Opens the ledger of that database.
   *
   * @throws IllegalStateException with one sentence when something is set wrongly
   * @throws LedgerUnavailable when the database does not answer
   */
  public static Ledger open(LedgerOptions options, MeterRegistry meters) {
    return open(options, EventReader.CURRENT, meters);
  }

  /** The same, of a version that reads stored events so. */
  static Ledger open(LedgerOptions options, EventReader reader, MeterRegistry meters) {
    LedgerKey key = LedgerKey.loadOrCreate(options.ledgerKeyFile());
    Schema.Logins logins = Schema.migrate(options.database());
    Ledger ledger = new Ledger(options, logins, key, reader, meters);
    try {
      ledger.guard.look();
      ledger.guard.start(WATCH_INTERVAL);
      ledger.probe();
      ledger.authorization.start();
      ledger.forgetAgain();
      if (ledger.sequencer != null && ledger.watch != null) {
        ledger.sequencer.start();
        ledger.watch.start(WATCH_INTERVAL);
        ledger.witnesses.forEach(WitnessClient::start);
        if (ledger.timestamps != null) {
          ledger.timestamps.start();
        }
        if (ledger.archive != null) {
          ledger.archive.start();
        }
        if (ledger.pruning != null) {
          ledger.pruning.start();
        }
      }
      ledger.followers.forEach(Follower::start);
      ledger.sinks.start();
      ledger.replays.start();
      ledger.housekeeping.start();
      return ledger;
    } catch (RuntimeException e) {
      ledger.close();
      throw e;
    }
  }

  /** Before anything is opened: a key that came back from a backup opens nothing. */
  private void forgetAgain() {
    try {
      erasures.complete();
    } catch (SQLException e) {
      throw new LedgerUnavailable("what was erased cannot be read", e);
    } catch (PrivacyRefused e) {
      // An event of a newer version: what it erased is done by the nodes of that.
      LOG.error("keys that came back may open something: {}", e.getMessage());
    }
  }

  /** The ledger without its workers: for replays while no server runs. Never migrates. */
  public static final class Offline implements AutoCloseable {

    private static final String NODE = "offline";

    private final HikariDataSource writers;
    private final MeterRegistry meters;
    private final Replay replay;
    private final ReplayWorker worker;

    private Offline(DatabaseUrl app, HikariDataSource writers, MeterRegistry meters) {
      this.writers = writers;
      this.meters = meters;
      this.replay = new Replay(() -> connect(app), List.of(), EventReader.CURRENT);
      // The next server reports again what it cannot read.
      this.worker =
          new ReplayWorker(() -> connect(app), replay, null, EventReader.CURRENT, event -> {});
      worker.start();
    }

    /** Of the authorization lookup only: the others need a server, which keeps them. */
    public Replay replay() {
      return replay;
    }

    /**
     * Leaves the event of a swap, which the next server gives its place in the log.
     *
     * @param equal whether the live lookup was what the events say
     * @throws IllegalStateException when the keys are not there, or another ledger's
     * @throws LedgerUnavailable when it cannot be stored
     */
    public void recordSwap(
        OfflineKeys keys, RequestContext context, boolean equal, Instant started) {
      // Made when missing they would be keys of nobody's: that is for a server to do.
      if (!Files.isRegularFile(keys.ledgerKeyFile())) {
        throw new IllegalStateException("there is no --ledger-key-file " + keys.ledgerKeyFile());
      }
      if (!Files.isDirectory(keys.subjectKeyStore())) {
        throw new IllegalStateException(
            "there is no --subject-key-store " + keys.subjectKeyStore());
      }
      LedgerKey key = LedgerKey.loadOrCreate(keys.ledgerKeyFile());
      requireSameKey(writers, key);
      Envelopes envelopes =
          new Envelopes(new SubjectKeys(keys.subjectKeyStore()), key, logOrigin(), NODE);
      try (RequestLog requests =
          new RequestLog(
              writers,
              new EventTable(key),
              envelopes,
              () -> {},
              Clock.systemUTC(),
              REFUSAL_WINDOW,
              meters)) {
        requests.replayFinished(context, "replay.swap", null, equal, started);
      }
    }

    private String logOrigin() {
      try (Connection connection = writers.getConnection()) {
        return EventTable.logOrigin(connection)
            .orElseThrow(() -> new IllegalStateException("there are no events yet"));
      } catch (SQLException e) {
        throw new LedgerUnavailable("the name of the log cannot be read", e);
      }
    }

    @Override
    public void close() {
      worker.close();
      writers.close();
    }
  }

  /** Where the keys lie with which an event is sealed and marked while no server runs. */
  public record OfflineKeys(Path ledgerKeyFile, Path subjectKeyStore) {}

  /**
   * Opens the database of a ledger that exists for replays only.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public static Offline openOffline(DatabaseUrl owner, MeterRegistry meters) {
    DatabaseUrl app = Roles.ensureApp(owner);
    return new Offline(app, pool(app, "ledger-replay", 2, false, meters), meters);
  }

  /**
   * Verifies the log where it lies, while no server runs or beside one.
   *
   * @param owner a login that may read every schema
   * @param policy whom to believe; null to take the keys that the database names
   * @param remembered checkpoints from elsewhere that the log must agree with
   * @param ledgerKeyFile to check that nodes wrote every row; null for not
   * @param deep whether to check the signature of every stored checkpoint
   * @throws LedgerUnavailable when the database does not answer or holds no ledger
   */
  public static Verdict verifyOffline(
      DatabaseUrl owner,
      @Nullable Policy policy,
      List<SignedNote> remembered,
      @Nullable Path ledgerKeyFile,
      boolean deep,
      DatabaseVerification.Progress progress) {
    EventTable macs =
        ledgerKeyFile == null ? null : new EventTable(LedgerKey.loadOrCreate(ledgerKeyFile));
    try (Connection connection =
        DriverManager.getConnection(owner.jdbcUrl(), owner.user(), owner.password())) {
      connection.setAutoCommit(false);
      return new DatabaseVerification(policy, remembered, macs, deep).run(connection, progress);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the database " + owner + " cannot be read", e);
    }
  }

  /** Of decisions that memory cannot make: they wait behind no search, and not for long. */
  private static HikariDataSource decisionPool(DatabaseUrl app, MeterRegistry meters) {
    HikariConfig config =
        config(
            app.with("socketTimeout", Long.toString(2 * DECISION_LIMIT.toSeconds())),
            "ledger-decide",
            DECISION_CONNECTIONS,
            meters);
    config.setAutoCommit(true);
    config.setReadOnly(true);
    config.setConnectionTimeout(DECISION_LIMIT.toMillis());
    // None is held while memory decides: a server has only so many for all nodes.
    config.setMinimumIdle(0);
    config.setIdleTimeout(DECISION_IDLE.toMillis());
    return new HikariDataSource(config);
  }

  static HikariDataSource pool(
      DatabaseUrl app, String name, int size, boolean autoCommit, MeterRegistry meters) {
    // A server that hangs must not hang who asks: readers hear it within this many seconds.
    // Writers' batches of inserts go as statements of many rows: what follows the log is made of
    // them.
    HikariConfig config =
        config(
            autoCommit
                ? app.with("socketTimeout", "10")
                : app.with("reWriteBatchedInserts", "true"),
            name,
            size,
            meters);
    config.setAutoCommit(autoCommit);
    config.setReadOnly(autoCommit);
    return new HikariDataSource(config);
  }

  private static HikariConfig config(DatabaseUrl app, String name, int size, MeterRegistry meters) {
    HikariConfig config = new HikariConfig();
    config.setPoolName(name);
    // At connect, not by a statement: a rollback would take a statement's effect back.
    config.setJdbcUrl(app.with("currentSchema", "views").jdbcUrl());
    config.setUsername(app.user());
    config.setPassword(app.password());
    config.setMaximumPoolSize(size);
    // All from the start: a pool that grows under the first load makes that load wait.
    config.setMinimumIdle(size);
    config.setConnectionTimeout(CONNECTION_LIMIT.toMillis());
    // A server that is away at the start is an error there; later the pool waits for it.
    config.setInitializationFailTimeout(CONNECTION_LIMIT.toMillis());
    config.setMetricRegistry(meters);
    return config;
  }

  static void requireSameKey(HikariDataSource writers, LedgerKey key) {
    try (Connection connection = writers.getConnection()) {
      try (PreparedStatement statement = connection.prepareStatement(ADD_KEY_CHECK)) {
        statement.setBytes(1, key.checkValue());
        statement.executeUpdate();
      }
      try (PreparedStatement statement = connection.prepareStatement(READ_KEY_CHECK);
          ResultSet row = statement.executeQuery()) {
        row.next();
        if (!MessageDigest.isEqual(row.getBytes(1), key.checkValue())) {
          throw new IllegalStateException(
              "--ledger-key-file holds another key than the one this ledger was begun with");
        }
      }
      connection.commit();
    } catch (SQLException e) {
      throw new LedgerUnavailable("the key check cannot be read", e);
    }
  }

  private void probe() {
    SecureRandom random = new SecureRandom();
    TokenName name =
        new TokenName("start probe " + IdentifierFactory.getInstance().generateIdentifier());
    Instant now = Instant.now();
    commands.probe(
        Proposal.withNewId(
            name,
            id ->
                new CreateResourceToken(
                    name,
                    id,
                    TokenSecret.generate(random).hash(),
                    Permissions.parse(List.of("system:ping:read")),
                    now,
                    Expiry.NEVER,
                    Actor.SYSTEM)),
        RequestContext.ofNode("start", "probe, rolled back", "probe"));
  }

  /**
   * Carries a command out. A refusal is audited before its future completes.
   *
   * @return completes after the commit with the token; exceptionally with {@link TokenRefused},
   *     {@link AnswerExists} when a command under the same {@link RequestKey} was there first, or
   *     {@link LedgerUnavailable} when nothing is known to have been stored, or nothing was because
   *     the database was {@link #restored}
   */
  public CompletableFuture<TokenSummary> execute(Proposal proposal, RequestContext context) {
    return carryOut(proposal, context).thenApply(Committed::token);
  }

  /**
   * The same, with where it was written. What a command takes from a token this node no longer lets
   * in when the future completes.
   */
  public CompletableFuture<Committed> carryOut(Proposal proposal, RequestContext context) {
    String restored = restored();
    if (restored != null) {
      return CompletableFuture.failedFuture(
          new LedgerUnavailable(
              "the restore was not accepted", new IllegalStateException(restored)));
    }
    return commands
        .submit(proposal, context)
        .exceptionallyCompose(failure -> audited(proposal, context, unwrapped(failure)));
  }

  private CompletableFuture<Committed> audited(
      Proposal proposal, RequestContext context, Throwable failure) {
    if (failure instanceof TokenRefused refused) {
      // Not in the thread that runs commands: others wait for that one.
      return CompletableFuture.supplyAsync(
          () -> {
            // The same request a moment ago may be why: then that one's answer is this one's.
            Proposal.Keep keep = proposal.keep();
            if (keep != null && answers.find(keep.key()).isPresent()) {
              throw new AnswerExists();
            }
            audit(proposal, context, refused.refusal());
            throw refused;
          },
          refusals);
    }
    return CompletableFuture.failedFuture(failure);
  }

  private void audit(Proposal proposal, RequestContext context, Refusal refusal) {
    String reason = refusal.name().toLowerCase(Locale.ROOT);
    String target = proposal.name().value();
    String action =
        EventCatalogue.askedFor(proposal.command().apply(TokenId.OPERATOR).getClass()).action();
    if (refusal == Refusal.NOT_PERMITTED) {
      requests.accessDenied(context, action, reason, refusal.status(), target);
    } else {
      requests.commandRejected(context, action, reason, refusal.status(), target);
    }
  }

  private static Throwable unwrapped(Throwable failure) {
    Throwable cause = failure;
    while (cause instanceof CompletionException && cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause;
  }

  /**
   * Why nobody may be let in by what this database says: it is older than what was once signed, or
   * was restored, and nobody accepted that yet. Null when it may decide.
   */
  public @Nullable String restored() {
    return guard.restored();
  }

  /** What a presented secret is, from memory where that can be believed. */
  public Authorization authorization() {
    return authorization;
  }

  /** The same as the database has it at this moment, and what only that knows. */
  public TokenLookup lookup() {
    return lookup;
  }

  public RequestLog requests() {
    return requests;
  }

  public AuditLog audit() {
    return audit;
  }

  public TransparencyLog log() {
    return log;
  }

  /**
   * Begins a further log with the events that are there, because what was signed before cannot be
   * continued.
   *
   * @param reason why, in words that are about no person
   * @return its name
   * @throws IllegalStateException when this node has no key to sign with, or the database was
   *     {@link #restored}: accepting that begins one
   * @throws LedgerUnavailable when the database does not answer
   */
  public String beginGeneration(String reason, RequestContext context) {
    if (restored() != null) {
      throw new IllegalStateException("the restore must be accepted: ledger replay restore accept");
    }
    Signer ownSigner = requireSigner();
    try (Connection connection = writers.getConnection()) {
      Signer.Begun begun =
          ownSigner.beginGeneration(
              connection,
              (transaction, each) ->
                  requests.append(
                      transaction,
                      List.of(
                          new LogGenerationStarted(
                              each.generation(),
                              each.origin(),
                              each.previousOrigin(),
                              each.previousSize(),
                              each.previousNote(),
                              reason)),
                      context));
      wake();
      return begun.origin();
    } catch (SQLException e) {
      throw new LedgerUnavailable("no further log was begun", e);
    }
  }

  /**
   * Writes a part of the log so that it can be checked without the ledger.
   *
   * @param checkpoint what it is to be joined to
   * @throws LedgerUnavailable when the database does not answer
   */
  public BundleWriter.Written writeBundle(
      CheckpointTable.Signed checkpoint, BundleWriter.Range range, OutputStream out)
      throws IOException {
    Signer ownSigner = requireSigner();
    try (Connection connection = writers.getConnection()) {
      connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
      try {
        return new BundleWriter(
                connection, table, text -> ownSigner.sign(text, checkpoint.generation()).toString())
            .write(checkpoint.note(), ownSigner.verifierKeys(checkpoint.generation()), range, out);
      } finally {
        connection.rollback();
        connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("the bundle could not be written", e);
    }
  }

  private Signer requireSigner() {
    if (signer == null) {
      throw new IllegalStateException("this node has no --signing-key-file to sign with");
    }
    return signer;
  }

  /** Why this node signs no checkpoints though it should; null when nothing is wrong. */
  public @Nullable String signingRefused() {
    return signer == null ? null : signer.refused();
  }

  /**
   * Records that this node serves from now on, until {@link #close}, and lives.
   *
   * @see ServiceLife#start
   */
  public void serving(
      String version, Map<String, String> configuration, Duration heartbeatInterval) {
    service.start(version, configuration, heartbeatInterval);
    drift.start();
    if (verification != null) {
      verification.start(VERIFICATION_INTERVAL);
    }
  }

  /**
   * The number of leaves that the audit log shows.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public long auditSize() {
    return audit.search(AuditQuery.newest(null, 1)).treeSize();
  }

  public Replay replay() {
    return replay;
  }

  /** The receivers of the log. */
  public Sinks sinks() {
    return sinks;
  }

  /** Where the log is archived; null when it is not, or this node has no keys to sign with. */
  public @Nullable Archive archive() {
    return archive;
  }

  /** What brings lost rows back; null where {@link #archive} is. */
  public @Nullable ArchiveRestore archiveRestore() {
    return archiveRestore;
  }

  private OptionalLong archived() {
    if (archive == null) {
      return OptionalLong.empty();
    }
    try {
      return OptionalLong.of(archive.next());
    } catch (ArchiveRefused e) {
      LOG.warn("nothing counts as archived: {}", e.getMessage());
      return OptionalLong.of(0);
    }
  }

  /** For how long bodies are kept. */
  public Retention retention() {
    return retention;
  }

  /** What ends them; null when this node has no keys to sign with. */
  public @Nullable Pruning pruning() {
    return pruning;
  }

  /** What nobody may destroy. */
  public LegalHolds holds() {
    return holds;
  }

  /** What is forgotten of persons. */
  public Erasures erasures() {
    return erasures;
  }

  /**
   * The subject of who is acted for under that name.
   *
   * @param name as {@code Ledger-On-Behalf-Of} says it
   */
  public String person(String name) {
    return envelopes.person(name);
  }

  public Quarantine quarantine() {
    return quarantine;
  }

  /** The running comparison of the live projections with the events. */
  public DriftCheck drift() {
    return drift;
  }

  private void unreadable(UnreadableEvent event) {
    quarantine.found(event);
  }

  /**
   * A position at which everything stands that was committed before the call: whoever waits for it
   * looks later than this. When this returns, decisions of this node hold it too.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public Position position() {
    try (Connection connection = readers.getConnection()) {
      LookupChanges head = LookupTable.head(connection);
      Position position = new Position(head.timeline(), head.snapshot().lastEnded());
      authorization.applied(position, Authorization.BOUND).join();
      return position;
    } catch (SQLException e) {
      throw new LedgerUnavailable("what was written stands, and its position is not known", e);
    }
  }

  private static double standing(List<Follower> followers) {
    return followers.stream().filter(follower -> follower.standing() != null).count();
  }

  /** What stands still on this node because an event cannot be read, a sentence each. */
  public List<String> standing() {
    List<String> sentences = new ArrayList<>();
    for (Follower follower : followers) {
      UnreadableEvent event = follower.standing();
      if (event != null) {
        sentences.add(follower.projection().name() + " stands still: " + event.getMessage());
      }
    }
    return sentences;
  }

  public TokenDirectory tokens() {
    return tokens;
  }

  public Timeline timeline() {
    return timeline;
  }

  public Reports reports() {
    return reports;
  }

  public SqlQueries sql() {
    return sql;
  }

  public TokenUsage usage() {
    return usage;
  }

  public IdempotentAnswers answers() {
    return answers;
  }

  /**
   * What a caller's {@code Idempotency-Key} becomes here.
   *
   * @see RequestKey
   */
  public RequestKey requestKey(
      String actor, String secret, String idempotencyKey, String request, boolean keepsSecrets) {
    return new RequestKey(key, actor, secret, idempotencyKey, request, keepsSecrets);
  }

  /**
   * Asks the database for a sign of life.
   *
   * @throws LedgerUnavailable when it gives none
   */
  public void checkHealthy() {
    try (Connection connection = readers.getConnection()) {
      if (!connection.isValid(2)) {
        throw new SQLException("the connection is not valid");
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("the database does not answer", e);
    }
  }

  @Override
  public void close() {
    LOG.debug("closing");
    witnesses.forEach(WitnessClient::close);
    if (timestamps != null) {
      timestamps.close();
    }
    if (archive != null) {
      archive.close();
    }
    if (pruning != null) {
      pruning.close();
    }
    sinks.close();
    guard.close();
    housekeeping.close();
    replays.close();
    drift.close();
    commands.close();
    authorization.close();
    refusals.shutdown();
    if (alerts != null) {
      alerts.close();
    }
    service.close();
    requests.close();
    usage.close();
    if (verification != null) {
      verification.close();
    }
    if (watch != null) {
      watch.close();
    }
    if (sequencer != null) {
      sequencer.close();
    }
    followers.forEach(Follower::close);
    sql.close();
    decisions.close();
    readers.close();
    writers.close();
  }

  /** For tests: what the clock does once a day. */
  Verdict verifySelf() throws SQLException {
    return Objects.requireNonNull(verification).run();
  }

  /** For tests: what stands for the first events of long streams. */
  Snapshots snapshots() {
    return commands.snapshots();
  }

  /** For tests: what the clock would do every few seconds. */
  Housekeeping housekeeping() {
    return housekeeping;
  }
}

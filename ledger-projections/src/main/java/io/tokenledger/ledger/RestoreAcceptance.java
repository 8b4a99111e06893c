package io.tokenledger.ledger;

import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.audit.ControlEvent;
import io.tokenledger.audit.ControlEvent.LogGenerationStarted;
import io.tokenledger.audit.ControlEvent.RestoreAccepted;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.backup.KnownHistory;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.sealing.SubjectKeys;
import io.tokenledger.sequence.LogTable;
import io.tokenledger.signing.Alerts;
import io.tokenledger.signing.CheckpointMemory;
import io.tokenledger.signing.RestoreTable;
import io.tokenledger.signing.Signer;
import io.tokenledger.signing.SigningKeys;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.SnapshotTable;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.tlog.VerifierKey;
import io.tokenledger.token.Token;
import io.tokenledger.token.TokenCommand;
import io.tokenledger.token.TokenEvent;
import io.tokenledger.token.TokenRefused;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes a restored database for the ledger from now on. Works on the database itself, beside nodes
 * that deny or without any: whoever holds the keys and the owner's login decides this, and no
 * token, for whose tokens were revoked since is just what the database no longer knows.
 */
public final class RestoreAcceptance implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(RestoreAcceptance.class);

  private static final String NODE = "offline";
  private static final int CHUNK = 1_000;
  private static final Duration NO_WINDOW = Duration.ofMinutes(1);

  /**
   * How many ids are left out beyond the highest known one. A refused creation draws an id too, and
   * the newest events of all may be in no file.
   */
  private static final long MARGIN = 1_000;

  /** The same when not every absent leaf's event was shown. */
  private static final long WIDE_MARGIN = 1_000_000;

  private static final Comparator<EventTable.Row> IN_ORDER =
      Comparator.comparingLong(EventTable.Row::sequenceNumber)
          .thenComparing(EventTable.Row::eventId);

  private final DatabaseUrl owner;
  private final HikariDataSource writers;
  private final EventTable table;
  private final CheckpointMemory memory;
  private final Signer signer;
  private final CommandBatches commands;
  private final RequestLog requests;

  /**
   * Where lies what no database holds.
   *
   * @param stateDir what this node remembers; may be empty on a new machine
   */
  public record Keys(
      Path ledgerKeyFile, Path subjectKeyStore, List<Path> signingKeyFiles, Path stateDir) {
    public Keys {
      signingKeyFiles = List.copyOf(signingKeyFiles);
    }
  }

  /** An event that is known and absent. */
  public record Absent(String occurredAt, String eventType, String stream) {}

  /**
   * What is known and what would be done.
   *
   * @param size leaves in the database
   * @param known the newest checkpoint known; null when none is
   * @param absentLeaves how many fewer the database holds than that one covers
   * @param absent events of tokens that the files showed and the database lacks
   * @param absentEvents how many events in all those are among
   * @param commands what would be taken from tokens again
   * @param highestTokenId every later token would get a greater id
   */
  public record Shown(
      long size,
      @Nullable Checkpoint known,
      long absentLeaves,
      List<Absent> absent,
      long absentEvents,
      List<TokenCommand> commands,
      long highestTokenId) {}

  private RestoreAcceptance(
      DatabaseUrl owner, HikariDataSource writers, LedgerKey key, Keys keys, MeterRegistry meters) {
    this.owner = owner;
    this.writers = writers;
    this.table = new EventTable(key);
    this.memory = new CheckpointMemory(keys.stateDir());
    String logOrigin = logOrigin();
    Envelopes envelopes =
        new Envelopes(new SubjectKeys(keys.subjectKeyStore()), key, logOrigin, NODE);
    this.signer =
        new Signer(
            SigningKeys.loadOrCreate(keys.signingKeyFiles()),
            logOrigin,
            memory,
            new NoAlerts(),
            Duration.ZERO,
            () -> {},
            meters);
    Transactions transactions = new Transactions(writers);
    this.commands =
        new CommandBatches(
            transactions,
            EventStorage.create(
                table, new SnapshotTable(key), envelopes, transactions, EventReader.CURRENT),
            table,
            () -> {},
            // Nothing is decided here.
            position -> CompletableFuture.completedFuture(false),
            meters);
    this.requests =
        new RequestLog(writers, table, envelopes, () -> {}, Clock.systemUTC(), NO_WINDOW, meters);
  }

  /**
   * Opens a restored database.
   *
   * @throws IllegalStateException with one sentence when a key is missing or another ledger's
   * @throws LedgerUnavailable when the database does not answer
   */
  public static RestoreAcceptance open(DatabaseUrl owner, Keys keys, MeterRegistry meters) {
    // Made when missing they would be keys of nobody's.
    require("--ledger-key-file", keys.ledgerKeyFile());
    require("--subject-key-store", keys.subjectKeyStore());
    keys.signingKeyFiles().forEach(file -> require("--signing-key-file", file));
    LedgerKey key = LedgerKey.loadOrCreate(keys.ledgerKeyFile());
    HikariDataSource writers =
        Ledger.pool(Schema.migrate(owner).app(), "ledger-restore", 4, false, meters);
    try {
      Ledger.requireSameKey(writers, key);
      return new RestoreAcceptance(owner, writers, key, keys, meters);
    } catch (RuntimeException e) {
      writers.close();
      throw e;
    }
  }

  private static void require(String flag, Path file) {
    if (!Files.exists(file)) {
      throw new IllegalStateException("there is no " + flag + " " + file);
    }
  }

  private String logOrigin() {
    try (Connection connection = writers.getConnection()) {
      return EventTable.logOrigin(connection)
          .orElseThrow(
              () ->
                  new IllegalStateException(
                      "the database holds no event at all: nothing is there to accept"));
    } catch (SQLException e) {
      throw new LedgerUnavailable("the name of the log cannot be read", e);
    }
  }

  /** Whether a restore waits to be accepted, or this node's memory says that there is one. */
  public boolean isRestored() {
    try (Connection connection = writers.getConnection()) {
      if (RestoreTable.open(connection).isPresent()) {
        return true;
      }
      LogTable.Head head = LogTable.head(connection);
      Checkpoint known = known();
      return known != null
          && (memory.newestGeneration() > head.generation()
              || (memory.newestGeneration() == head.generation() && known.size() > head.size()));
    } catch (SQLException e) {
      throw new LedgerUnavailable("the database cannot be read", e);
    }
  }

  private @Nullable Checkpoint known() {
    int newest = memory.newestGeneration();
    return newest == 0
        ? null
        : memory.newest(newest).map(note -> Checkpoint.parse(note.text())).orElse(null);
  }

  /**
   * Compares the database with what is known elsewhere. Changes nothing but this node's memory of
   * checkpoints, into which those of the files go that its keys signed.
   *
   * @param files backups of events, bundles and checkpoints
   * @throws IllegalStateException with one sentence when a file is none of those, or holds an event
   *     that no node wrote
   * @throws LedgerUnavailable when the database does not answer
   */
  public Shown show(List<Path> files) {
    try (Connection connection = writers.getConnection()) {
      Missing missing = new Missing(connection);
      long highest = 0;
      for (Path file : files) {
        KnownHistory.Known known =
            KnownHistory.read(file, (row, mac) -> missing.take(file, row, mac));
        missing.look();
        for (SignedNote note : known.notes()) {
          signer.trust(note);
        }
        highest = Math.max(highest, known.highestTokenId());
      }
      LogTable.Head head = LogTable.head(connection);
      Checkpoint known = known();
      long absentLeaves = known == null ? 0 : Math.max(0, known.size() - head.size());
      List<TokenCommand> again =
          commands(connection, missing.streams, Instant.now().truncatedTo(ChronoUnit.MILLIS));
      highest = Math.max(highest, missing.highestTokenId);
      boolean allShown = known != null && missing.ids.size() >= absentLeaves;
      long margin = allShown ? MARGIN : Math.addExact(WIDE_MARGIN, absentLeaves);
      long highestTokenId = Math.addExact(Math.max(highest, lastTokenId()), margin);
      connection.rollback();
      return new Shown(
          head.size(),
          known,
          absentLeaves,
          missing.absent(),
          missing.ids.size(),
          again,
          highestTokenId);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the database cannot be read", e);
    }
  }

  private long lastTokenId() throws SQLException {
    try (Connection connection = owned()) {
      return EventTable.lastTokenId(connection);
    }
  }

  /** The events that a database lacks, of those that are handed over. */
  private final class Missing {

    private final Connection connection;
    private final Map<String, TreeSet<EventTable.Row>> streams = new LinkedHashMap<>();
    private final Set<String> ids = new HashSet<>();
    private final Map<String, EventTable.Row> waiting = new LinkedHashMap<>();
    private long highestTokenId;

    Missing(Connection connection) {
      this.connection = connection;
    }

    private void take(Path file, EventTable.Row row, byte[] mac) {
      // Who could add to the file could otherwise have any token revoked.
      if (!table.isOurs(row, mac)) {
        throw new IllegalStateException(
            "--known " + file + ": event " + row.eventId() + " was written by no node");
      }
      waiting.put(row.eventId(), row);
      if (waiting.size() == CHUNK) {
        look();
      }
    }

    private void look() {
      try {
        Set<String> stored = EventTable.stored(connection, waiting.keySet());
        waiting.values().stream().filter(row -> !stored.contains(row.eventId())).forEach(this::add);
        waiting.clear();
      } catch (SQLException e) {
        throw new LedgerUnavailable("the database cannot be read", e);
      }
    }

    private void add(EventTable.Row row) {
      // The same event may stand in several files.
      if (!ids.add(row.eventId()) || !row.aggregateId().startsWith(Token.STREAM_PREFIX)) {
        return;
      }
      // Two lost histories may have gone on from one place: both are heard, in the order of time.
      streams.computeIfAbsent(row.aggregateId(), id -> new TreeSet<>(IN_ORDER)).add(row);
      events(row).forEach(event -> highestTokenId = Math.max(highestTokenId, event.id().value()));
    }

    private List<Absent> absent() {
      return streams.values().stream()
          .flatMap(Set::stream)
          .sorted(Comparator.comparing(EventTable.Row::occurredAt))
          .map(row -> new Absent(row.occurredAt(), row.eventType(), row.aggregateId()))
          .toList();
    }
  }

  private static Stream<TokenEvent> events(EventTable.Row row) {
    return EventReader.CURRENT.read(row.eventType(), row.revision(), row.payload()).stream()
        .map(TokenEvent.class::cast);
  }

  private static List<TokenEvent> stored(Connection connection, String stream) throws SQLException {
    List<TokenEvent> events = new ArrayList<>();
    List<EventTable.Row> page = EventTable.readPage(connection, stream, 0);
    while (!page.isEmpty()) {
      page.stream().flatMap(RestoreAcceptance::events).forEach(events::add);
      page =
          EventTable.readPage(connection, stream, page.get(page.size() - 1).sequenceNumber() + 1);
    }
    return events;
  }

  private List<TokenCommand> commands(
      Connection connection, Map<String, TreeSet<EventTable.Row>> absent, Instant now)
      throws SQLException {
    List<TokenCommand> all = new ArrayList<>();
    for (Map.Entry<String, TreeSet<EventTable.Row>> each : absent.entrySet()) {
      all.addAll(
          LostChanges.commands(
              stored(connection, each.getKey()),
              each.getValue().stream().flatMap(RestoreAcceptance::events).toList(),
              now));
    }
    return all;
  }

  /**
   * Takes from the tokens what they had lost, moves the ids on, and in one commit begins a further
   * log, records it and lets the nodes decide again, in this order: when it is broken off anywhere
   * everything is still denied, and it can be done again.
   *
   * @param shown what was agreed to
   * @param context who and why
   * @return the name of the log that begins
   * @throws IllegalStateException with one sentence when a token cannot be taken from
   * @throws LedgerUnavailable when the database does not answer
   */
  public String accept(Shown shown, RequestContext context) {
    RequestContext again =
        RequestContext.ofOffline(
            context.onBehalfOf(),
            "taken again after a restore"
                + (context.reason() == null ? "" : ": " + context.reason()),
            context.ticket(),
            context.client(),
            context.requestId());
    try {
      markRestored(owner, NODE, "a restore is being accepted");
      shown.commands().forEach(command -> carryOut(command, again));
      try (Connection connection = owned()) {
        EventTable.raiseTokenId(connection, shown.highestTokenId());
      }
      try (Connection connection = writers.getConnection()) {
        return signer
            .beginGeneration(
                connection,
                (transaction, begun) -> {
                  requests.append(transaction, events(shown, begun), context);
                  RestoreTable.accept(transaction);
                })
            .origin();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("the restore was not accepted", e);
    }
  }

  private static List<ControlEvent> events(Shown shown, Signer.Begun begun) {
    return List.of(
        new LogGenerationStarted(
            begun.generation(),
            begun.origin(),
            begun.previousOrigin(),
            begun.previousSize(),
            begun.previousNote(),
            "a restored database was accepted"),
        new RestoreAccepted(
            shown.size(),
            shown.known() == null ? 0 : shown.known().size(),
            shown.absentEvents(),
            shown.commands().size(),
            shown.highestTokenId()));
  }

  private void carryOut(TokenCommand command, RequestContext context) {
    try {
      commands.submit(Proposal.of(command), context).join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof TokenRefused refused) {
        throw new IllegalStateException(
            "the token " + command.name() + " cannot be taken from: " + refused.getMessage(), e);
      }
      throw e.getCause() instanceof LedgerUnavailable away ? away : e;
    }
  }

  /** Only the owner may set what no node may. */
  private Connection owned() throws SQLException {
    return DriverManager.getConnection(owner.jdbcUrl(), owner.user(), owner.password());
  }

  /**
   * Says that a database was restored: from now on it decides nothing until that is accepted.
   * Brings the schema to this version.
   *
   * @param by who did it
   * @param reason what was done, in words
   * @throws LedgerUnavailable when the database does not answer
   */
  public static void markRestored(DatabaseUrl owner, String by, String reason) {
    Schema.migrate(owner);
    try (Connection connection =
        DriverManager.getConnection(owner.jdbcUrl(), owner.user(), owner.password())) {
      RestoreTable.add(connection, by, reason);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the database " + owner + " cannot be marked as restored", e);
    }
  }

  @Override
  public void close() {
    commands.close();
    requests.close();
    writers.close();
  }

  /** Nothing is signed here that could be refused. */
  private static final class NoAlerts implements Alerts {
    @Override
    public void forgedEvents(Connection connection, List<LogTable.NewLeaf> leaves) {
      LOG.error("{} events were written by no node", leaves.size());
    }

    @Override
    public void signingRefused(String code, String reason, long size) {
      LOG.error("no checkpoint is signed: {}", reason);
    }

    @Override
    public void keyRotated(Connection connection, VerifierKey before, VerifierKey now) {
      LOG.info("{} signs beside {}", now, before);
    }

    @Override
    public void witnessRefused(String witness, long size, int status, String detail) {
      LOG.error("{} refused the checkpoint of {}", witness, size);
    }

    @Override
    public void checkpointAnchored(
        Connection connection, String kind, long size, TreeHash root, String reference) {
      LOG.info("{} of the checkpoint of {}", kind, size);
    }
  }
}

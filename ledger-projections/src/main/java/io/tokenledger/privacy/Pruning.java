package io.tokenledger.privacy;

import static java.util.Objects.requireNonNull;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.audit.ControlEvent.EventsPruned;
import io.tokenledger.audit.ControlEvent.EventsWithheld;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.audit.RetentionClass;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.sequence.LogEntries;
import io.tokenledger.sequence.LogRow;
import io.tokenledger.sequence.LogTable;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.Locks;
import io.tokenledger.store.PrunedBody;
import io.tokenledger.verify.LeafRows;
import io.tokenledger.verify.PrunedLeaves;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends the bodies of events whose class is kept for so long and no longer: payload, addresses and
 * words go, and with the salts nothing can tell any more what their entries in the log commit to.
 * The entries stay, so that every proof is as before. All SQL on {@code state.prune}.
 *
 * <p>An event says first what will go. Only when a checkpoint that covers it is {@link #SETTLED}
 * old, so that witnesses and auditors have seen it, the rows follow: a body that is missing without
 * such a leaf is evidence of tampering. What is held, or still owed to a follower, a receiver or
 * the archive, does not go.
 */
public final class Pruning implements AutoCloseable {

  /** For so long the decision is public before it is carried out. */
  static final Duration SETTLED = Duration.ofMinutes(1);

  private static final Logger LOG = LoggerFactory.getLogger(Pruning.class);
  private static final Duration ROUND = Duration.ofSeconds(15);

  /** A decision is an event for good, and bundles carry it. */
  private static final Duration INTERVAL = Duration.ofDays(1);

  private static final Duration CLOSE_LIMIT = Duration.ofSeconds(30);

  /** Rows that one transaction changes: holds wait no longer than for these. */
  private static final int CHUNK = 2_000;

  /** A decision with more gaps ends before the next one; the next decision goes on. */
  private static final int MAX_KEPT = 1_000;

  private static final int MAX_LISTED = 100;

  /** Whatever still has to see an event, and up to where it has. */
  private static final String WAITING =
      """
      SELECT 'the checkpoints' AS what, coalesce(max(size), 0) AS next_leaf
        FROM audit.checkpoint
       WHERE generation = (SELECT max(generation) FROM audit.generation)
       UNION ALL
      SELECT 'the projection ' || name, next_leaf_index
        FROM views.follower
       UNION ALL
      SELECT 'the sender ' || name, next_leaf_index
        FROM state.cursor
       UNION ALL
      SELECT 'the sink ' || name, next_leaf_index
        FROM state.sink
       UNION ALL
      SELECT 'a dead letter of ' || sink, min(leaf_index)
        FROM state.dead_letter
       GROUP BY sink
       ORDER BY next_leaf, what
      """;

  /**
   * Old by the node's clock and by the database's. What no node wrote is kept as evidence; nothing
   * in such a row is believed, not even that its time is one.
   */
  private static final String DUE =
      """
      SELECT leaf.leaf_index,
             CASE WHEN NOT leaf.mac_valid THEN true
                  ELSE EXISTS (SELECT 1
                                 FROM\s"""
          + Recorded.HOLDS
          + """
                                WHERE\s"""
          + LegalHolds.COVERS
          + """
                       ) END AS held
        FROM ledger.event          AS event
        JOIN audit.leaf            AS leaf ON leaf.global_index = event.global_index
        LEFT JOIN state.event_salt AS salt ON salt.event_id     = event.event_id
       WHERE event.event_type = ANY (?::text[])
         AND event.recorded_at < ?
         AND leaf.leaf_index   < ?
         AND CASE WHEN NOT leaf.mac_valid THEN true
                  ELSE salt.event_id IS NOT NULL AND event.occurred_at::timestamptz < ? END
       ORDER BY leaf.leaf_index
      """;

  private static final String HELD =
      """
      SELECT leaf.leaf_index
        FROM audit.leaf   AS leaf
        JOIN ledger.event AS event ON event.global_index = leaf.global_index
       WHERE leaf.leaf_index >= ?
         AND leaf.leaf_index <  ?
         AND CASE WHEN NOT leaf.mac_valid THEN true
                  ELSE EXISTS (SELECT 1
                                 FROM\s"""
          + Recorded.HOLDS
          + """
                                WHERE\s"""
          + LegalHolds.COVERS
          + """
                       ) END
      """;

  private static final String ADD =
      """
      INSERT INTO state.prune (event_id, class, event_count)
      VALUES (?, ?, ?)
      """;

  private static final String OPEN =
      """
      SELECT event_id
        FROM state.prune
       WHERE class = ?
         AND completed_at IS NULL
      """;

  private static final String SETTLED_ONES =
      """
      SELECT leaf.leaf_index, leaf.entry,
             event.global_index, event.event_id, event.aggregate_id, event.sequence_number,
             event.aggregate_type, event.event_type, event.revision, event.occurred_at,
             event.payload, event.metadata, event.mac,
             to_char(event.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
               AS recorded_at,
             salt.payload_salt, salt.metadata_salt
        FROM state.prune           AS prune
        JOIN audit.leaf            AS leaf  ON leaf.event_id = prune.event_id
        JOIN ledger.event          AS event ON event.global_index = leaf.global_index
        LEFT JOIN state.event_salt AS salt  ON salt.event_id = event.event_id
       WHERE prune.completed_at IS NULL
         AND EXISTS (SELECT 1
                       FROM audit.checkpoint AS checkpoint
                      WHERE checkpoint.generation = (SELECT max(generation) FROM audit.generation)
                        AND checkpoint.size       > leaf.leaf_index
                        AND checkpoint.signed_at <= ?)
       ORDER BY leaf.leaf_index
      """;

  private static final String LIST =
      """
      SELECT event_id, decided_at, trouble, completed_at
        FROM state.prune
       ORDER BY decided_at DESC, event_id DESC
       LIMIT ?
      """;

  private static final String TROUBLE =
      """
      UPDATE state.prune
         SET trouble  = ?
       WHERE event_id = ?
      """;

  private static final String COMPLETE =
      """
      UPDATE state.prune
         SET completed_at  = clock_timestamp(),
             trouble       = NULL
       WHERE event_id      = ?
         AND completed_at IS NULL
      """;

  private static final String IS_ANY_OPEN =
      """
      SELECT EXISTS (SELECT 1
                       FROM state.prune
                      WHERE completed_at IS NULL)
      """;

  private static final String ONE_AT_A_TIME =
      """
      SELECT pg_try_advisory_xact_lock(?)
      """;

  /** The database's: what is old is not for the clock of one node to say. */
  private static final String CLOCK =
      """
      SELECT clock_timestamp()
      """;

  private final DataSource writers;
  private final Erasures.Owner owner;
  private final EventTable table;
  private final RequestLog requests;
  private final Supplier<OptionalLong> archived;
  private final BooleanSupplier due;
  private final Runnable wake;
  private final Counter pruned;
  private final Map<String, Long> hinderedAt = new ConcurrentHashMap<>();
  private Instant nextLook = Instant.EPOCH;
  private @Nullable ScheduledFuture<?> rounds;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          work -> {
            Thread thread = new Thread(work, "ledger-retention");
            thread.setDaemon(true);
            return thread;
          });

  /**
   * What still has to see events.
   *
   * @param what in words
   * @param nextLeaf the first leaf it has not seen
   */
  public record Waiting(String what, long nextLeaf) {}

  private record Settled(String eventId, long leafIndex, EventsPruned event) {}

  /** What a hold keeps of what was decided, as runs of leaves. */
  private static final class Kept {
    private final List<String> ranges = new ArrayList<>();
    private long first = -1;
    private long last;

    private void add(long leaf) {
      first = first < 0 ? leaf : first;
      last = leaf;
    }

    /** Something between is not kept. */
    private void end() {
      if (first >= 0) {
        ranges.add(first + "-" + last);
        first = -1;
      }
    }

    private List<String> ranges() {
      end();
      return ranges;
    }
  }

  /** What cannot be carried out, for this reason. */
  private static final class Hindered extends Exception {
    private static final long serialVersionUID = 1L;

    private Hindered(String message) {
      super(message);
    }
  }

  /**
   * @param writers connections that do not commit by themselves
   * @param owner may change rows
   * @param archived first leaf that is in no segment of the archive; empty when nothing is archived
   * @param due whether this node prunes by itself at present
   * @param wake called when an event was committed
   */
  public Pruning(
      DataSource writers,
      Erasures.Owner owner,
      EventTable table,
      RequestLog requests,
      Supplier<OptionalLong> archived,
      BooleanSupplier due,
      Runnable wake,
      MeterRegistry meters) {
    this.writers = writers;
    this.owner = owner;
    this.table = table;
    this.requests = requests;
    this.archived = archived;
    this.due = due;
    this.wake = wake;
    this.pruned =
        Counter.builder("ledger.retention.pruned")
            .baseUnit("events")
            .description("Events whose bodies this node ended")
            .register(meters);
  }

  /** Begins to look. */
  public void start() {
    rounds =
        timer.scheduleWithFixedDelay(
            this::runSafely, ROUND.toSeconds(), ROUND.toSeconds(), TimeUnit.SECONDS);
  }

  private void runSafely() {
    if (!due.getAsBoolean()) {
      return;
    }
    try {
      Instant now = clock();
      complete(now);
      if (!now.isBefore(nextLook)) {
        nextLook = now.plus(INTERVAL);
        decide(
            RequestContext.ofNode("clock", "retention", UUID.randomUUID().toString()),
            false,
            false,
            now);
      }
    } catch (SQLException | RuntimeException e) {
      // The outermost boundary of this thread: the next round tries again.
      LOG.warn("what is at the end of its retention stays: {}", e.getMessage());
    }
  }

  /**
   * Decides what goes now, or shows what would. An event tells of it even when that is nothing.
   *
   * @param dryRun whether it only looks
   * @return a decision for each class of which something is due
   * @throws PrivacyRefused when no class has an end, or this node may not change rows
   * @throws LedgerUnavailable when the database does not answer
   */
  public List<Prune> run(RequestContext context, boolean dryRun) {
    try {
      return decide(context, dryRun, true, clock());
    } catch (SQLException e) {
      throw new LedgerUnavailable("nothing was decided", e);
    }
  }

  private Instant clock() throws SQLException {
    try (Connection connection = writers.getConnection();
        PreparedStatement statement = connection.prepareStatement(CLOCK)) {
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getObject(1, OffsetDateTime.class).toInstant();
      } finally {
        connection.rollback();
      }
    }
  }

  /** The same as if it were that late. */
  public List<Prune> decide(RequestContext context, boolean dryRun, boolean asked, Instant now)
      throws SQLException {
    if (!isAnyEnding()) {
      if (asked) {
        throw new PrivacyRefused("no_retention", "every class is kept without end");
      }
      return List.of();
    }
    if (!dryRun) {
      requireOwner();
    }
    long end = waiting().stream().mapToLong(Waiting::nextLeaf).min().orElse(0);
    try (Connection connection = writers.getConnection()) {
      try {
        // May read all that a class has, and so without the lock: a hold that comes meanwhile is
        // seen when the bodies go.
        Recorded recorded = sound(connection);
        Map<String, Integer> ending = ending(recorded);
        List<EventsPruned> events = new ArrayList<>();
        for (Map.Entry<String, Integer> each : ending.entrySet()) {
          RetentionClass named = RetentionClass.named(each.getKey()).orElseThrow();
          Instant before =
              now.minus(each.getValue(), ChronoUnit.DAYS).truncatedTo(ChronoUnit.MILLIS);
          if (!isOpen(connection, recorded, each.getKey())) {
            events.add(look(connection, recorded, named, before, end));
          }
        }
        List<EventsPruned> due = events.stream().filter(each -> each.eventCount() > 0).toList();
        if (dryRun) {
          return due.stream().map(each -> new Prune(each, null, null, null, null)).toList();
        }
        LegalHolds.lock(connection);
        Recorded since = sound(connection);
        List<Prune> decided = new ArrayList<>();
        for (EventsPruned each : asked && due.isEmpty() ? events : due) {
          Integer days = ending.get(each.retentionClass());
          if (isOpen(connection, since, each.retentionClass())
              || !requireNonNull(days).equals(ending(since).get(each.retentionClass()))) {
            continue; // Someone was quicker: decided, or said something else.
          }
          String eventId = requests.append(connection, List.of(each), context).get(0);
          if (each.eventCount() > 0) {
            add(connection, eventId, each);
            decided.add(new Prune(each, eventId, now, null, null));
          }
        }
        connection.commit();
        wake.run();
        return decided;
      } finally {
        connection.rollback();
      }
    }
  }

  private Recorded sound(Connection connection) throws SQLException {
    return Recorded.read(connection, table, Recorded.PRUNING).requireSound();
  }

  private boolean isAnyEnding() throws SQLException {
    try (Connection connection = writers.getConnection()) {
      try {
        return !ending(Recorded.read(connection, table, Recorded.PRUNING)).isEmpty();
      } finally {
        connection.rollback();
      }
    }
  }

  /** Classes that end, and after how many days. */
  private static Map<String, Integer> ending(Recorded recorded) {
    Map<String, Integer> ending = new LinkedHashMap<>();
    for (RetentionClass each : RetentionClass.values()) {
      Recorded.Said said = recorded.retention(each.wireName());
      if (each != RetentionClass.PERMANENT && said != null && said.days() != null) {
        ending.put(each.wireName(), said.days());
      }
    }
    return ending;
  }

  private void requireOwner() throws SQLException {
    try (Connection connection = owner.connect();
        PreparedStatement statement =
            connection.prepareStatement(
                """
                SELECT has_table_privilege('ledger.event', 'UPDATE')
                   AND has_table_privilege('state.event_salt', 'DELETE')
                """);
        ResultSet row = statement.executeQuery()) {
      row.next();
      if (!row.getBoolean(1)) {
        throw new PrivacyRefused(
            "not_owner", "the database's URL must be the tables' owner's for bodies to go");
      }
    }
  }

  /** Whether a decision of that class waits; a row that is of none does not count. */
  private static boolean isOpen(Connection connection, Recorded recorded, String retentionClass)
      throws SQLException {
    boolean open = false;
    try (PreparedStatement statement = connection.prepareStatement(OPEN)) {
      statement.setString(1, retentionClass);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          open |= recorded.decision(row.getString("event_id")) != null;
        }
      }
    }
    return open;
  }

  /** What of a class is due before that leaf. */
  private static EventsPruned look(
      Connection connection,
      Recorded recorded,
      RetentionClass retentionClass,
      Instant before,
      long end)
      throws SQLException {
    List<String> types = retentionClass.types();
    List<String> kept = new ArrayList<>();
    long count = 0;
    long first = -1;
    long last = -1;
    long heldFrom = -1;
    long heldTo = -1;
    try (PreparedStatement statement = connection.prepareStatement(DUE)) {
      statement.setFetchSize(CHUNK);
      int next = recorded.setHolds(statement, 1);
      statement.setArray(next, connection.createArrayOf("text", types.toArray()));
      statement.setObject(next + 1, before.atOffset(ZoneOffset.UTC));
      statement.setLong(next + 2, end);
      statement.setObject(next + 3, before.atOffset(ZoneOffset.UTC));
      try (ResultSet row = statement.executeQuery()) {
        while (row.next() && kept.size() < MAX_KEPT) {
          long leaf = row.getLong("leaf_index");
          if (row.getBoolean("held")) {
            heldFrom = heldFrom < 0 ? leaf : heldFrom;
            heldTo = leaf;
          } else {
            if (heldFrom >= 0 && first >= 0) {
              kept.add(heldFrom + "-" + heldTo);
            }
            heldFrom = -1;
            first = first < 0 ? leaf : first;
            last = leaf;
            count++;
          }
        }
      }
    }
    return new EventsPruned(
        retentionClass.wireName(),
        types,
        before,
        Math.max(0, first),
        last + 1,
        count,
        count == 0 ? List.of() : kept);
  }

  private static void add(Connection connection, String eventId, EventsPruned event)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADD)) {
      statement.setString(1, eventId);
      statement.setString(2, event.retentionClass());
      statement.setLong(3, event.eventCount());
      statement.executeUpdate();
    }
  }

  /**
   * What still has to see events, the one that is furthest back first: no body goes that is owed.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public List<Waiting> waiting() {
    List<Waiting> all = new ArrayList<>();
    archived.get().ifPresent(next -> all.add(new Waiting("the archive", next)));
    try (Connection connection = writers.getConnection();
        PreparedStatement statement = connection.prepareStatement(WAITING)) {
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          all.add(new Waiting(row.getString("what"), row.getLong("next_leaf")));
        }
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("it is not known what waits for events", e);
    }
    all.sort(Comparator.comparingLong(Waiting::nextLeaf));
    return all;
  }

  /**
   * The newest decisions, a hundred at most.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public List<Prune> list() {
    List<Prune> prunes = new ArrayList<>();
    try (Connection connection = writers.getConnection()) {
      try (PreparedStatement statement = connection.prepareStatement(LIST)) {
        Recorded recorded = Recorded.read(connection, table, Recorded.PRUNING);
        statement.setInt(1, MAX_LISTED);
        try (ResultSet row = statement.executeQuery()) {
          while (row.next()) {
            EventsPruned decision = recorded.decision(row.getString("event_id"));
            if (decision == null) {
              continue;
            }
            OffsetDateTime completedAt = row.getObject("completed_at", OffsetDateTime.class);
            prunes.add(
                new Prune(
                    decision,
                    row.getString("event_id"),
                    row.getObject("decided_at", OffsetDateTime.class).toInstant(),
                    row.getString("trouble"),
                    completedAt == null ? null : completedAt.toInstant()));
          }
        }
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("what was pruned cannot be read", e);
    }
    return prunes;
  }

  /**
   * Carries out what was decided and has settled, where no other node does.
   *
   * @throws SQLException when the database does not answer: the next round goes on
   */
  public void complete(Instant now) throws SQLException {
    try (Connection alone = writers.getConnection()) {
      try {
        if (!isAlone(alone)) {
          return;
        }
        if (!isAnyOpen(alone)) {
          return;
        }
        for (Settled each : settled(now.minus(SETTLED))) {
          try {
            complete(each, alone, now);
          } catch (Hindered | PrivacyRefused e) {
            LOG.warn("what leaf {} says is not done: {}", each.leafIndex(), e.getMessage());
            trouble(each.eventId(), String.valueOf(e.getMessage()));
          }
        }
      } finally {
        alone.rollback();
      }
    }
  }

  private static boolean isAnyOpen(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(IS_ANY_OPEN);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getBoolean(1);
    }
  }

  /** Asked again on the way: an idle session may have been ended, and its lock with it. */
  private static boolean isAlone(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ONE_AT_A_TIME)) {
      statement.setLong(1, Locks.PRUNING);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getBoolean(1);
      }
    }
  }

  private void complete(Settled settled, Connection alone, Instant now)
      throws SQLException, Hindered {
    long from = settled.event().from();
    long to = settled.event().to();
    Long before = hinderedAt.get(settled.eventId());
    if (before != null) {
      // Where it stood the last time: as long as that is so, nothing else is worth reading.
      prune(settled, before, Math.min(before + CHUNK, to), now, new Kept());
      hinderedAt.remove(settled.eventId());
    }
    long done = 0;
    Kept kept = new Kept();
    for (long next = from; next < to; next += CHUNK) {
      isAlone(alone);
      try {
        done += prune(settled, next, Math.min(next + CHUNK, to), now, kept);
      } catch (Hindered e) {
        hinderedAt.put(settled.eventId(), next);
        throw e;
      }
    }
    isAlone(alone);
    completed(settled, kept.ranges());
    pruned.increment(done);
    LOG.info("the bodies of {} events are gone, as leaf {} says", done, settled.leafIndex());
  }

  /** What a hold kept is said before anything else can explain that it is gone. */
  private void completed(Settled settled, List<String> kept) throws SQLException {
    try (Connection connection = writers.getConnection()) {
      try {
        if (!kept.isEmpty()) {
          requests.append(
              connection,
              List.of(
                  new EventsWithheld(
                      settled.event().retentionClass(),
                      settled.eventId(),
                      settled.leafIndex(),
                      kept)),
              RequestContext.ofNode("clock", "retention", UUID.randomUUID().toString()));
        }
        try (PreparedStatement statement = connection.prepareStatement(COMPLETE)) {
          statement.setString(1, settled.eventId());
          if (statement.executeUpdate() == 1) {
            connection.commit();
          }
        }
      } finally {
        connection.rollback();
      }
    }
    wake.run();
  }

  /** A decision that no node made, or that is not what its leaf says, is not carried out. */
  private List<Settled> settled(Instant signedBefore) throws SQLException {
    List<Settled> settled = new ArrayList<>();
    List<String> forged = new ArrayList<>();
    LogEntries entries = new LogEntries();
    try (Connection connection = writers.getConnection()) {
      try (PreparedStatement statement = connection.prepareStatement(SETTLED_ONES)) {
        Recorded recorded = Recorded.read(connection, table, Recorded.PRUNING);
        statement.setObject(1, signedBefore.atOffset(ZoneOffset.UTC));
        try (ResultSet row = statement.executeQuery()) {
          while (row.next()) {
            LogRow event = LogTable.read(row);
            EventsPruned decision = recorded.decision(event.row().eventId());
            if (decision != null && Arrays.equals(entries.write(event), row.getBytes("entry"))) {
              settled.add(new Settled(event.row().eventId(), row.getLong("leaf_index"), decision));
            } else {
              forged.add(event.row().eventId());
            }
          }
        }
      } finally {
        connection.rollback();
      }
    }
    for (String eventId : forged) {
      LOG.warn("the event {} is no decision of a node: see verify", eventId);
      trouble(eventId, "it is no decision of a node: see verify");
    }
    return settled;
  }

  /** A row that is not what its leaf says is left as it is: it is evidence. */
  private int prune(Settled settled, long from, long to, Instant now, Kept kept)
      throws SQLException, Hindered {
    PrunedLeaves covered = new PrunedLeaves();
    covered.add(settled.leafIndex(), settled.event());
    LogEntries entries = new LogEntries();
    List<EventTable.Row> left = new ArrayList<>();
    List<Long> broken = new ArrayList<>();
    try (Connection connection = owner.connect()) {
      connection.setAutoCommit(false);
      try {
        LegalHolds.lock(connection);
        Recorded recorded = sound(connection);
        recorded.withheld(settled.eventId()).forEach(covered::withhold);
        Set<Long> held = held(connection, recorded, from, to);
        boolean lapsed = isLapsed(recorded, settled.event(), now);
        LeafRows.read(
            connection,
            from,
            to,
            leaf -> {
              LogRow event = leaf.event();
              if (!covered.cover(leaf.leafIndex(), leaf.entry())) {
                return;
              }
              boolean isLeft = event != null && event.hasNoBody();
              if ((lapsed || held.contains(leaf.leafIndex())) && !isLeft) {
                kept.add(leaf.leafIndex());
                return;
              }
              kept.end();
              if (event == null
                  || !Arrays.equals(entry(entries, event, isLeft, leaf.entry()), leaf.entry())
                  || !table.isOurs(event.row(), event.mac())) {
                broken.add(leaf.leafIndex());
              } else if (!isLeft || event.payloadSalt() != null || event.metadataSalt() != null) {
                left.add(PrunedBody.leftOf(event.row()));
              }
            });
        if (!broken.isEmpty()) {
          throw new Hindered("leaf " + broken.get(0) + " is not what the log says: see verify");
        }
        table.prune(connection, left);
        connection.commit();
        return left.size();
      } finally {
        connection.rollback();
      }
    }
  }

  /** Whether since then it was said that such events are kept, or for longer: nothing more goes. */
  private static boolean isLapsed(Recorded recorded, EventsPruned decision, Instant now) {
    Integer days = ending(recorded).get(decision.retentionClass());
    return days == null || decision.before().isAfter(now.minus(days, ChronoUnit.DAYS));
  }

  /** Of what is left already only the fields that its entry shows can be compared with it. */
  private static byte[] entry(LogEntries entries, LogRow event, boolean isLeft, byte[] said) {
    return isLeft ? entries.write(event, LogEntries.Commitments.in(said)) : entries.write(event);
  }

  private static Set<Long> held(Connection connection, Recorded recorded, long from, long to)
      throws SQLException {
    Set<Long> held = new HashSet<>();
    try (PreparedStatement statement = connection.prepareStatement(HELD)) {
      statement.setLong(1, from);
      statement.setLong(2, to);
      recorded.setHolds(statement, 3);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          held.add(row.getLong(1));
        }
      }
    }
    return held;
  }

  private void trouble(String eventId, String what) throws SQLException {
    try (Connection connection = writers.getConnection();
        PreparedStatement statement = connection.prepareStatement(TROUBLE)) {
      statement.setString(1, what);
      statement.setString(2, eventId);
      statement.executeUpdate();
      connection.commit();
    }
  }

  @Override
  public void close() {
    if (rounds != null) {
      rounds.cancel(false);
    }
    timer.shutdown();
    try {
      if (!timer.awaitTermination(CLOSE_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
        LOG.warn("bodies are still going");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

package io.tokenledger.replay;

import io.tokenledger.follow.Follower;
import io.tokenledger.follow.Leaf;
import io.tokenledger.follow.Projection;
import io.tokenledger.lookup.LookupTable;
import io.tokenledger.replay.ReplayJob.State;
import io.tokenledger.sequence.WakeUp;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.Locks;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.token.TokenEvent;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.postgresql.util.PSQLException;

/**
 * Builds projections again from the events, beside the live ones, while those serve and writes go
 * on; compares both; and lets them change places. What is asked for here is kept in the database:
 * any node's {@link ReplayWorker} carries it out and goes on where another was killed.
 */
public final class Replay {

  /** The authorization lookup, written in the transaction of the event. */
  public static final String LOOKUP = "token_lookup";

  /** Everything that can be built. */
  public static final List<String> PROJECTIONS =
      List.of(LOOKUP, "token", "token_history", "audit_log");

  /** The moment of a replay that follows the log. */
  public static final String LIVE = "live";

  /** How long what was built for a look stays, when nobody says. */
  public static final Duration LEASE = Duration.ofHours(24);

  private static final String PREVIOUS = "previous";
  private static final String VIEWS = "views";
  private static final int SEGMENTS = 2;

  /** Shorter than a caller waits for its answer. */
  private static final Duration LEAVES_LIMIT = Duration.ofSeconds(110);

  /** Fewer than these are followed as fast. */
  private static final long FEW_LEAVES = 10_000;

  private static final Duration LEAVES_PAUSE = Duration.ofSeconds(1);
  private static final int SAMPLE = 20_000;
  private static final int MAX_TRIES = 40;
  private static final Duration RETRY_PAUSE = Duration.ofMillis(250);
  private static final String LOCK_NOT_AVAILABLE = "55P03";
  private static final String DEADLOCK = "40P01";
  private static final String ONE_LIVE = "replay_one_live_key";

  /** Whoever reads a table that is to move must not stop everyone behind this for long. */
  private static final String LOCK_LIMIT =
      """
      SET LOCAL lock_timeout = '1s'
      """;

  private static final String LOCK_UNTIL_COMMIT =
      """
      SELECT pg_advisory_xact_lock(?)
      """;

  /** For as long as the session lives. */
  private static final String HOLD =
      """
      SELECT pg_advisory_lock(?)
      """;

  private static final String TRY_STEP =
      """
      SELECT pg_try_advisory_xact_lock(?)
      """;

  private static final String HIGHEST_LEAFED =
      """
      SELECT coalesce(max(global_index), 0)
        FROM audit.leaf
      """;

  private static final String SIZE =
      """
      SELECT size
        FROM audit.tree_head
       WHERE log_id = 1
      """;

  private static final String HORIZON =
      """
      SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint
      """;

  private static final String ROWS =
      """
      SELECT count(*)
        FROM token_lookup
      """;

  /**
   * Where to cut the streams into parts of the same length, and how much of the log they are, by a
   * sample.
   */
  private static final String CUTS =
      """
      SELECT percentile_disc(?::float8[]) WITHIN GROUP (ORDER BY aggregate_id)
               FILTER (WHERE aggregate_type = 'Token'),
             count(*) FILTER (WHERE aggregate_type = 'Token')::float8 / greatest(count(*), 1)
        FROM ledger.event TABLESAMPLE SYSTEM (?) REPEATABLE (1)
      """;

  /**
   * Events that are in no leaf of those taken. An append is over soon: none of them lies further
   * below the newest that is.
   */
  private static final String UNTAKEN =
      """
      SELECT event.global_index, event.event_id, event.sequence_number, event.event_type,
             event.revision, event.payload
        FROM ledger.event AS event
       WHERE event.global_index > greatest(?, (SELECT coalesce(max(global_index), 0) - 10000
                                                 FROM audit.leaf
                                                WHERE leaf_index BETWEEN ? - 1000 AND ? - 1))
         AND event.aggregate_type = 'Token'
         AND NOT EXISTS (SELECT 1
                           FROM audit.leaf AS leaf
                          WHERE leaf.global_index = event.global_index
                            AND leaf.leaf_index < ?)
         AND NOT EXISTS (SELECT 1
                           FROM state.quarantine AS kept
                          WHERE kept.event_id = event.event_id
                            AND kept.state    = 'quarantined')
       ORDER BY event.global_index
       LIMIT 1000
      """;

  private final EventReader reader;
  private final Connections connections;
  private final List<Projection> followed;
  private final WakeUp wakeUp = new WakeUp();

  /** Hears how far a replay is. */
  public interface Progress {
    void at(ReplayJob job);
  }

  /** What was asked for cannot be, as things are; the message says why and what to do. */
  public static final class ReplayRefused extends RuntimeException {

    private static final long serialVersionUID = 1L;

    ReplayRefused(String message) {
      super(message);
    }
  }

  /**
   * @param connections connections of the nodes' role that do not commit by themselves, apart from
   *     those that serve
   * @param followed the live projections that follow the log
   * @param reader reads the events
   */
  public Replay(Connections connections, List<Projection> followed, EventReader reader) {
    this.reader = reader;
    this.connections = connections;
    this.followed = List.copyOf(followed);
  }

  /** What the worker of this node sleeps on. */
  WakeUp wakeUp() {
    return wakeUp;
  }

  private interface Work<T> {
    T with(Connection connection) throws SQLException;
  }

  private <T> T transaction(Work<T> work) {
    try (Connection connection = connections.open()) {
      T result = work.with(connection);
      connection.commit();
      return result;
    } catch (SQLException e) {
      throw new LedgerUnavailable("the replay was broken off", e);
    }
  }

  /**
   * Asks for a generation that follows the log, to be swapped in.
   *
   * @param projections of {@link #PROJECTIONS}; empty for all
   * @param startedBy who asks
   * @throws IllegalArgumentException when one is unknown
   * @throws ReplayRefused while there is another
   */
  public ReplayJob start(List<String> projections, String startedBy) {
    return start(projections, LIVE, null, null, startedBy, null);
  }

  /**
   * Asks for what the projections held at a moment, in a schema of its own.
   *
   * @param moment in words
   * @param toSize only leaves below this one count
   * @param toTime only what had occurred by then counts; null for all
   * @param lease after which it is dropped
   * @throws IllegalArgumentException when a projection is unknown
   */
  public ReplayJob startAt(
      List<String> projections,
      String moment,
      long toSize,
      @Nullable Instant toTime,
      String startedBy,
      Duration lease) {
    return start(projections, moment, toSize, toTime, startedBy, lease);
  }

  private ReplayJob start(
      List<String> projections,
      String moment,
      @Nullable Long toSize,
      @Nullable Instant toTime,
      String startedBy,
      @Nullable Duration lease) {
    for (String projection : projections) {
      if (!PROJECTIONS.contains(projection)) {
        throw new IllegalArgumentException(
            "projection must be one of " + String.join(", ", PROJECTIONS) + ", got " + projection);
      }
    }
    List<String> wanted =
        projections.isEmpty()
            ? PROJECTIONS
            : PROJECTIONS.stream().filter(projections::contains).toList();
    try {
      // The lookup alone is made of the events, whether they have leaves or not.
      if (toSize == null && !wanted.equals(List.of(LOOKUP))) {
        awaitLeaves();
      }
      ReplayJob started =
          transaction(
              connection -> {
                long size = toSize == null ? number(connection, SIZE) : toSize;
                // Events that have no leaf yet are read as well.
                long events = Math.max(size, toSize == null ? ReplayTable.newest(connection) : 0);
                Cuts cuts = cuts(connection, events);
                boolean streams = !wanted.equals(List.of("audit_log"));
                long total =
                    (streams ? Math.round(events * cuts.tokenShare()) : 0)
                        + (wanted.contains("audit_log") ? size : 0);
                long id =
                    ReplayTable.add(
                        connection,
                        wanted,
                        moment,
                        toSize,
                        toTime,
                        startedBy,
                        size,
                        total,
                        lease == null ? null : lease.toSeconds());
                int number = 0;
                if (streams) {
                  String after = "";
                  for (String until : cuts.streams()) {
                    ReplayTable.addSegment(
                        connection, id, new ReplayTable.Segment(number++, true, after, until));
                    after = until;
                  }
                  ReplayTable.addSegment(
                      connection, id, new ReplayTable.Segment(number++, true, after, null));
                }
                if (wanted.contains("audit_log")) {
                  ReplayTable.addSegment(
                      connection, id, new ReplayTable.Segment(number, false, "-1", null));
                }
                ReplayJob job = ReplayTable.job(connection, id).orElseThrow();
                Generations.prepare(connection, job.schema(), wanted);
                return job;
              });
      wakeUp.call();
      return started;
    } catch (LedgerUnavailable e) {
      if (e.getCause() instanceof PSQLException sql
          && sql.getServerErrorMessage() != null
          && ONE_LIVE.equals(sql.getServerErrorMessage().getConstraint())) {
        throw new ReplayRefused("another rebuild is there: swap or drop it first");
      }
      throw e;
    }
  }

  /**
   * What has no leaf at the start is not read in bulk but followed, ten times slower: after an
   * import of many events it is worth waiting for the sequencer, as long as it gets on.
   */
  private void awaitLeaves() {
    long end = System.nanoTime() + LEAVES_LIMIT.toNanos();
    try (Connection connection = connections.open()) {
      long enough = ReplayTable.newest(connection) - FEW_LEAVES;
      long before = -1;
      long size = number(connection, SIZE);
      while (number(connection, HIGHEST_LEAFED) < enough
          && size > before
          && System.nanoTime() < end) {
        connection.commit();
        pause(LEAVES_PAUSE);
        before = size;
        size = number(connection, SIZE);
      }
      connection.commit();
    } catch (SQLException e) {
      throw new LedgerUnavailable("how far the log is cannot be read", e);
    }
  }

  private record Cuts(List<String> streams, double tokenShare) {}

  private static Cuts cuts(Connection connection, long size) throws SQLException {
    Double[] parts = new Double[SEGMENTS - 1];
    for (int i = 0; i < parts.length; i++) {
      parts[i] = (i + 1.0) / SEGMENTS;
    }
    try (PreparedStatement statement = connection.prepareStatement(CUTS)) {
      statement.setArray(1, connection.createArrayOf("float8", parts));
      statement.setDouble(2, Math.min(100, 100.0 * SAMPLE / Math.max(1, size)));
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        List<String> streams =
            row.getArray(1) == null
                ? List.of()
                : List.of((String[]) row.getArray(1).getArray()).stream().distinct().toList();
        return new Cuts(streams, row.getDouble(2));
      }
    }
  }

  /** The newest replays, the newest first. */
  public List<ReplayJob> history(int limit) {
    return transaction(connection -> ReplayTable.jobs(connection, limit));
  }

  /**
   * That replay.
   *
   * @throws ReplayRefused when there is none
   */
  public ReplayJob job(long id) {
    return transaction(
        connection ->
            ReplayTable.job(connection, id)
                .orElseThrow(() -> new ReplayRefused("there is no replay " + id)));
  }

  /** The newest replay whose tables are there; null when there is none. */
  public @Nullable ReplayJob current() {
    return history(100).stream()
        .filter(job -> job.isLive() && job.state() != State.DROPPED)
        .findFirst()
        .orElse(null);
  }

  /**
   * Waits until it is ready, and the live projections are near the end of the log as well.
   *
   * @throws ReplayRefused when it is not going to be: paused or dropped
   * @throws UnreadableEvent when it failed; the message says at which event
   */
  public ReplayJob await(long id, Progress progress) {
    while (true) {
      ReplayJob job = job(id);
      progress.at(job);
      if (job.state() == State.FAILED) {
        throw new UnreadableEvent(String.valueOf(job.error()));
      }
      if (!job.isUnfinished() && !followersAreBehind(job)) {
        return job;
      }
      if (job.paused()) {
        throw new ReplayRefused("replay " + id + " is paused");
      }
      pause(Duration.ofMillis(100));
    }
  }

  /** What they lack would be taken while appends wait. */
  private boolean followersAreBehind(ReplayJob job) {
    if (!job.isLive()) {
      return false;
    }
    return transaction(
        connection -> {
          for (Projection projection : followed(job)) {
            if (Follower.behind(connection, projection) > Follower.MAX_BATCH) {
              return true;
            }
          }
          return false;
        });
  }

  private static void pause(Duration duration) {
    try {
      TimeUnit.MILLISECONDS.sleep(duration.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new ReplayRefused("interrupted");
    }
  }

  /**
   * Compares that generation with the live one, row by row, as both are at one instant.
   *
   * @throws ReplayRefused when it is not ready
   */
  public ReplayReport compare(long id) {
    long start = System.nanoTime();
    ReplayJob job = requireComparable(id);
    try (Connection snapshot = connections.open()) {
      snapshot.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
      long[] xid = new long[1];
      aligned(job, connection -> xid[0] = number(snapshot, HORIZON));
      String aside = aside(job);
      Generations.Differences found =
          Generations.differences(snapshot, aside, job.projections(), Generations.Extent.ALL);
      Map<String, ReplayReport.Digest> live =
          Generations.digests(snapshot, VIEWS, job.projections());
      Map<String, ReplayReport.Digest> rebuilt =
          Generations.digests(snapshot, aside, job.projections());
      snapshot.rollback();
      transaction(
          connection -> {
            ReplayTable.setComparison(connection, id, xid[0], found.count(), found.digest());
            return id;
          });
      return new ReplayReport(
          id,
          job.eventsDone(),
          live,
          rebuilt,
          found.shown(),
          found.count(),
          found.digest(),
          (System.nanoTime() - start) / 1_000_000);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the comparison was broken off", e);
    }
  }

  private ReplayJob requireComparable(long id) {
    ReplayJob job = job(id);
    if (followersAreBehind(job)) {
      throw new ReplayRefused("the live projections are behind the log; try again later");
    }
    boolean comparable =
        job.isLive()
            && (job.state() == State.READY
                || job.state() == State.SWAPPED
                || job.state() == State.ROLLED_BACK);
    if (!comparable) {
      throw new ReplayRefused("replay " + id + " is " + said(job) + ", not ready");
    }
    return job;
  }

  private static String said(ReplayJob job) {
    return job.state().name().toLowerCase(Locale.ROOT);
  }

  private static String aside(ReplayJob job) {
    return job.state() == State.SWAPPED || job.state() == State.ROLLED_BACK
        ? PREVIOUS
        : job.schema();
  }

  /**
   * Brings both generations to the same point and does something while neither can move. Appends
   * wait for as long as that takes. The locks are the session's: the rows must be committed for
   * others to see.
   */
  private void aligned(ReplayJob job, Work<Long> work) {
    catchUp(job);
    retried(
        connection -> {
          execute(connection, LOCK_LIMIT.replace("LOCAL ", ""));
          lock(connection, HOLD, Locks.REPLAY_STEP);
          for (Projection projection : followed(job)) {
            lock(connection, HOLD, projection.lock());
          }
          if (job.projections().contains(LOOKUP)) {
            lock(connection, HOLD, Locks.APPEND);
          }
          drain(connection, job);
          connection.commit();
          return work.with(connection);
        });
  }

  private List<Projection> followed(ReplayJob job) {
    return followed.stream()
        .filter(projection -> job.projections().contains(projection.name()))
        .toList();
  }

  /** Takes most of what is missing before anything is locked. */
  private void catchUp(ReplayJob job) {
    while (transaction(connection -> follow(connection, job.id())) == Follower.MAX_BATCH) {
      // The next batch.
    }
  }

  /**
   * Takes the next leaves into the tables aside.
   *
   * @return how many
   */
  int follow(Connection connection, long id) throws SQLException {
    if (!lock(connection, TRY_STEP, Locks.REPLAY_STEP)
        || !ReplayTable.lock(
            connection, id, State.CATCHING_UP, State.READY, State.SWAPPED, State.ROLLED_BACK)) {
      return 0;
    }
    ReplayJob job = ReplayTable.job(connection, id).orElseThrow();
    int taken = take(connection, job, job.position(), Long.MAX_VALUE);
    if (taken > 0) {
      ReplayTable.setPosition(connection, id, job.position() + taken);
    }
    return taken;
  }

  private int take(Connection connection, ReplayJob job, long position, long end)
      throws SQLException {
    Generations.use(connection, aside(job));
    List<Leaf> leaves = Follower.next(connection, position);
    if (leaves.size() > end - position) {
      leaves = leaves.subList(0, Math.toIntExact(Math.max(0, end - position)));
    }
    if (leaves.isEmpty()) {
      return 0;
    }
    if (job.projections().contains(LOOKUP)) {
      List<LookupTable.Step> steps = new ArrayList<>();
      for (Leaf leaf : leaves) {
        if (leaf.aggregateType().equals("Token") && !leaf.quarantined()) {
          steps.addAll(
              steps(
                  leaf.globalIndex(),
                  leaf.eventId(),
                  leaf.sequence(),
                  leaf.eventType(),
                  leaf.revision(),
                  leaf.payload()));
        }
      }
      LookupTable.catchUp(connection, steps);
    }
    for (Projection projection : followed(job)) {
      projection.take(connection, leaves);
    }
    return leaves.size();
  }

  private List<LookupTable.Step> steps(
      long globalIndex,
      String eventId,
      long sequence,
      String type,
      String revision,
      String payload) {
    List<LookupTable.Step> steps = new ArrayList<>();
    try {
      List<Object> events = reader.read(type, revision, payload);
      for (int part = 0; part < events.size(); part++) {
        steps.add(new LookupTable.Step((TokenEvent) events.get(part), sequence, part));
      }
    } catch (UnreadableEvent e) {
      throw e.atGlobalIndex(globalIndex, eventId);
    }
    return steps;
  }

  /** Both generations take all there is; the followers of the live one stand still from here. */
  private void drain(Connection connection, ReplayJob job) throws SQLException {
    lock(connection, LOCK_UNTIL_COMMIT, Locks.REPLAY_STEP);
    if (!ReplayTable.lock(connection, job.id(), job.state())) {
      throw new ReplayRefused("replay " + job.id() + " became another meanwhile; ask again");
    }
    for (Projection projection : followed(job)) {
      Follower.hold(connection, projection);
    }
    long end = number(connection, SIZE);
    Generations.use(connection, VIEWS);
    for (Projection projection : followed(job)) {
      Follower.takeUntil(connection, projection, end);
    }
    long position = ReplayTable.job(connection, job.id()).orElseThrow().position();
    for (int taken = take(connection, job, position, end);
        taken > 0;
        taken = take(connection, job, position, end)) {
      position += taken;
    }
    ReplayTable.setPosition(connection, job.id(), position);
    if (job.projections().contains(LOOKUP)) {
      long last = 0;
      while (last >= 0) {
        last = takeUntaken(connection, last, end);
      }
    }
  }

  /**
   * @return where to go on; -1 when there are no more
   */
  private long takeUntaken(Connection connection, long after, long end) throws SQLException {
    List<LookupTable.Step> steps = new ArrayList<>();
    long last = -1;
    try (PreparedStatement statement = connection.prepareStatement(UNTAKEN)) {
      statement.setLong(1, after);
      statement.setLong(2, end);
      statement.setLong(3, end);
      statement.setLong(4, end);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          last = row.getLong("global_index");
          steps.addAll(
              steps(
                  last,
                  row.getString("event_id"),
                  row.getLong("sequence_number"),
                  row.getString("event_type"),
                  row.getString("revision"),
                  row.getString("payload")));
        }
      }
    }
    LookupTable.catchUp(connection, steps);
    return last;
  }

  /**
   * The generation to compare: the one that is there, or one of the lookup that is made for it.
   *
   * @return ready
   * @throws UnreadableEvent when an event cannot be read; the message says which
   */
  public ReplayJob ready(String startedBy, Progress progress) {
    ReplayJob there = current();
    boolean usable =
        there != null
            && (there.isUnfinished()
                || there.state() == State.READY
                || there.state() == State.FAILED);
    return await(
        usable && there != null ? there.id() : start(List.of(LOOKUP), startedBy).id(), progress);
  }

  /**
   * What a change of places came to.
   *
   * @param swapped whether it took place
   * @param digest what differed when it did not; a swap may accept it
   * @param differenceCount how many rows
   * @param pauseMillis how long appends waited
   */
  public record Exchange(
      ReplayJob job, boolean swapped, long differenceCount, String digest, long pauseMillis) {}

  /**
   * Makes that generation the live one, when both are equal at that moment or differ in exactly
   * what is accepted.
   *
   * @param acceptDigest the digest of the differences that a comparison showed; null for none
   * @throws ReplayRefused when it is not ready, or readers hold its tables for too long
   */
  public Exchange swap(long id, @Nullable String acceptDigest) {
    ReplayJob job = job(id);
    if (!job.isLive() || job.state() != State.READY) {
      throw new ReplayRefused("replay " + id + " is " + said(job) + ", not ready");
    }
    return exchange(job, State.SWAPPED, acceptDigest);
  }

  /**
   * Builds the lookup and puts it in place, whatever the live one holds: for a database that serves
   * nobody.
   *
   * @return in how many rows the two differed
   * @throws ReplayRefused when something was written meanwhile
   * @throws UnreadableEvent when an event cannot be read; the message says which
   */
  public long replaceLookup(String startedBy) {
    long id = ready(startedBy, job -> {}).id();
    ReplayReport compared = compare(id);
    if (!swap(id, compared.digest()).swapped()) {
      throw new ReplayRefused("the lookup was written meanwhile; try again");
    }
    drop(id);
    return compared.differenceCount();
  }

  /**
   * Makes the generation that was swapped out the live one again, under the same conditions.
   *
   * @throws ReplayRefused when nothing was swapped, or as {@link #swap}
   */
  public Exchange rollback(long id, @Nullable String acceptDigest) {
    ReplayJob job = job(id);
    if (job.state() != State.SWAPPED && job.state() != State.ROLLED_BACK) {
      throw new ReplayRefused("replay " + id + " is " + said(job) + ", not swapped");
    }
    return exchange(
        job, job.state() == State.SWAPPED ? State.ROLLED_BACK : State.SWAPPED, acceptDigest);
  }

  private Exchange exchange(ReplayJob job, State next, @Nullable String acceptDigest) {
    ReplayReport before = compare(job.id());
    if (before.differenceCount() > 0 && !before.digest().equals(acceptDigest)) {
      return new Exchange(job, false, before.differenceCount(), before.digest(), 0);
    }
    ReplayJob compared = job(job.id());
    Long seen = compared.comparedXid();
    // What was equal and has not been written since is equal: only the rest is compared again.
    Generations.Extent extent =
        seen == null || before.differenceCount() > 0
            ? Generations.Extent.ALL
            : Generations.Extent.since(seen);
    return retried(
        connection -> {
          execute(connection, LOCK_LIMIT);
          long start = System.nanoTime();
          if (job.projections().contains(LOOKUP)) {
            lock(connection, LOCK_UNTIL_COMMIT, Locks.APPEND);
          }
          drain(connection, compared);
          Generations.Differences found =
              Generations.differences(connection, aside(compared), job.projections(), extent);
          boolean equal =
              found.count() == 0
                  && (!job.projections().contains(LOOKUP) || sameRows(connection, compared));
          if (!equal && !found.digest().equals(acceptDigest)) {
            connection.rollback();
            return new Exchange(job, false, found.count(), found.digest(), millis(start));
          }
          if (compared.state() == State.READY) {
            Generations.remove(connection, PREVIOUS, PROJECTIONS);
            ReplayTable.replaced(connection, job.id());
          }
          Generations.exchange(connection, aside(compared), job.projections());
          ReplayTable.setState(connection, job.id(), next, null, job.state());
          DriftTable.replaced(connection, job.projections());
          connection.commit();
          return new Exchange(job(job.id()), true, found.count(), found.digest(), millis(start));
        });
  }

  /** A row that was deleted is in nothing that was written since. */
  private static boolean sameRows(Connection connection, ReplayJob job) throws SQLException {
    Generations.use(connection, aside(job));
    long rebuilt = number(connection, ROWS);
    Generations.use(connection, VIEWS);
    return rebuilt == number(connection, ROWS);
  }

  private static long millis(long start) {
    return (System.nanoTime() - start) / 1_000_000;
  }

  private <T> T retried(Work<T> work) {
    for (int tries = 1; ; tries++) {
      try (Connection connection = connections.open()) {
        return work.with(connection);
      } catch (SQLException e) {
        boolean busy =
            LOCK_NOT_AVAILABLE.equals(e.getSQLState()) || DEADLOCK.equals(e.getSQLState());
        if (!busy) {
          throw new LedgerUnavailable("the generations stay as they were", e);
        }
        if (tries == MAX_TRIES) {
          throw new ReplayRefused("others hold the tables for too long; try again later");
        }
        pause(RETRY_PAUSE);
      }
    }
  }

  /**
   * Nobody works on it until it is resumed.
   *
   * @throws ReplayRefused when it is over
   */
  public ReplayJob pause(long id) {
    return paused(id, true);
  }

  /**
   * It goes on from where it was; one that failed tries again there.
   *
   * @throws ReplayRefused when it is over
   */
  public ReplayJob resume(long id) {
    return paused(id, false);
  }

  private ReplayJob paused(long id, boolean paused) {
    boolean done =
        transaction(
            connection -> {
              boolean changed = ReplayTable.setPaused(connection, id, paused);
              return changed && (paused || ReplayTable.retry(connection, id) || changed);
            });
    ReplayJob job = job(id);
    if (!done) {
      throw new ReplayRefused("replay " + id + " is " + said(job));
    }
    wakeUp.call();
    return job;
  }

  /**
   * Drops the tables that lie aside: those built, or once swapped those replaced.
   *
   * @throws ReplayRefused when they are gone
   */
  public ReplayJob drop(long id) {
    ReplayJob job = job(id);
    if (job.state() == State.DROPPED) {
      throw new ReplayRefused("replay " + id + " is dropped");
    }
    boolean swapped = job.state() == State.SWAPPED || job.state() == State.ROLLED_BACK;
    transaction(
        connection -> {
          // First, so that whoever works on it commits nothing more.
          ReplayTable.setState(connection, id, State.DROPPED, null, State.values());
          Generations.remove(connection, swapped ? PREVIOUS : job.schema(), job.projections());
          return id;
        });
    return job(id);
  }

  /** Drops what nobody prolonged. */
  public int dropExpired() {
    List<Long> expired = transaction(ReplayTable::expired);
    expired.forEach(this::drop);
    return expired.size();
  }

  private static boolean lock(Connection connection, String sql, long key) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.setLong(1, key);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return !"f".equals(row.getString(1));
      }
    }
  }

  private static void execute(Connection connection, String sql) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      statement.execute();
    }
  }

  private static long number(Connection connection, String sql) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getLong(1);
    }
  }
}

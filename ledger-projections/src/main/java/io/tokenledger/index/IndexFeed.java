package io.tokenledger.index;

import io.tokenledger.lookup.LookupChanges;
import io.tokenledger.lookup.LookupRow;
import io.tokenledger.lookup.LookupTable;
import io.tokenledger.lookup.Snapshot;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.sequence.WakeUp;
import io.tokenledger.store.Position;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps an {@link AuthorizationIndex} as the lookup is. Each look asks for every row that the
 * snapshot of the look before did not see, so that a transaction that commits late is not lost
 * whatever its number; one thread looks and takes in what it saw, one look after the other.
 *
 * <p>The polls are the truth. Who has committed here, or waits for something, only makes the next
 * one come sooner.
 */
final class IndexFeed implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(IndexFeed.class);

  /** Between two looks, however many ask for one. */
  private static final Duration REST = Duration.ofMillis(2);

  /** How long a change elsewhere stays unseen while decisions are asked for. */
  private static final Duration POLL = Duration.ofMillis(5);

  /** The same while nobody asks; far enough below the bound. */
  private static final Duration IDLE_POLL = Duration.ofMillis(200);

  private static final Duration IDLE_AFTER = Duration.ofSeconds(5);
  private static final Duration RETRY = Duration.ofMillis(100);
  private static final Duration PROGRESS = Duration.ofSeconds(2);

  /** How long nobody looks whether a lookup that was too large is smaller, or the heap larger. */
  private static final Duration TOO_LARGE_RETRY = Duration.ofMinutes(1);

  /** Of more changes at once all rows are read again, a part at a time. */
  private static final int MAX_CHANGES = 20_000;

  /**
   * More transactions than begin before their log is on the disk, for those that do not wait for
   * it: three times {@code wal_writer_delay}.
   */
  private static final long LOST_TRANSACTIONS = 10_000;

  /** About what a row takes, before it is known. */
  private static final long BYTES_A_ROW = 160;

  /** A server that is silent for longer is asked on a new connection. */
  private static final String SILENCE_SECONDS = "2";

  private static final String LOAD_SILENCE_SECONDS = "60";

  /** Rows come as bytes from the first one on: 64 of a hash, and not 128 digits to be read. */
  private static final String BINARY = "-1";

  /**
   * Every look has other parameters, and the index on {@code changed_xid} is right for all of them:
   * a plan for any would read the whole table.
   */
  private static final String PLAN =
      """
      SELECT set_config('plan_cache_mode', 'force_custom_plan', false),
             set_config('enable_seqscan', 'off', false),
             set_config('jit', 'off', false)
      """;

  private static final String CLOCK =
      """
      SELECT clock_timestamp()
      """;

  private final DatabaseUrl app;
  private final long maxBytes;
  private final Listener listener;
  private final WakeUp wakeUp = new WakeUp();
  private final Set<Waiter> waiters = ConcurrentHashMap.newKeySet();
  private final Thread thread;
  private volatile @Nullable State state;
  private volatile @Nullable String tooLarge;
  private volatile OffsetDateTime sessionSince = OffsetDateTime.MIN;
  private volatile long lastAskedNanos = System.nanoTime();
  private volatile boolean closing;
  private boolean silent;

  /**
   * What is known.
   *
   * @param snapshot the index holds all that it sees
   * @param began before that snapshot was taken
   */
  record State(
      AuthorizationIndex index, Snapshot snapshot, int timeline, String generation, Begun began) {

    boolean has(Position position) {
      return position.timeline() <= timeline && snapshot.sees(position.xid());
    }
  }

  /**
   * A look that was not taken in yet.
   *
   * @param base what was known when it began
   * @param changes null when there are too many
   */
  record Look(State base, Begun began, @Nullable LookupChanges changes) {}

  /**
   * Someone who waits.
   *
   * @param since what was known before does not count: its numbers may have been given again
   */
  private record Waiter(Position position, Begun since, CompletableFuture<Boolean> applied) {

    boolean isSatisfiedBy(State now) {
      return now.began().isAfter(since) && now.has(position);
    }
  }

  /** Hears what changed, after it was taken in, in the thread that must look on. */
  interface Listener {

    /**
     * @param rows those that changed; null when all of them may have
     */
    void changed(State now, @Nullable List<LookupRow> rows);
  }

  /**
   * @param maxBytes a lookup that would take more memory is not held: better slow than ended
   */
  IndexFeed(DatabaseUrl app, long maxBytes, Listener listener) {
    this.app = app.with("currentSchema", "views").with("connectTimeout", SILENCE_SECONDS);
    this.maxBytes = maxBytes;
    this.listener = listener;
    this.thread = new Thread(this::work, "ledger-index");
    thread.setDaemon(true);
  }

  /**
   * Reads the whole lookup, and begins to follow it.
   *
   * @throws SQLException when the database does not answer
   */
  void start() throws SQLException {
    reload();
    thread.start();
  }

  private void work() {
    while (!closing) {
      try (Connection session = connect(app, SILENCE_SECONDS)) {
        prepare(session);
        sessionSince = clock(session);
        while (!closing) {
          step(session);
          if (tooLarge != null) {
            pause(TOO_LARGE_RETRY);
          } else {
            pause(isIdle() ? IDLE_POLL : POLL);
          }
        }
      } catch (SQLException e) {
        if (!silent) {
          LOG.warn("the lookup cannot be followed, decisions ask it: {}", e.getMessage());
        }
        silent = true;
        rewind();
        pause(RETRY);
      } catch (RuntimeException e) {
        // The outermost boundary of this thread: whoever asks is answered by the database.
        LOG.error("the lookup cannot be followed", e);
        rewind();
        pause(RETRY);
      }
    }
  }

  /** With the session the server may have ended, and numbers that were seen be given again. */
  private synchronized void rewind() {
    State now = state;
    if (now != null) {
      state =
          new State(
              now.index(),
              now.snapshot().before(LOST_TRANSACTIONS),
              now.timeline(),
              now.generation(),
              now.began());
    }
  }

  private void step(Connection session) throws SQLException {
    State base = state;
    if (base == null || !takeIn(look(session, base))) {
      LOG.info("the lookup is read again: it was replaced, or its server was");
      reload();
    } else if (base.index().approximateBytes() > maxBytes) {
      forget(base.index().size());
    }
    if (silent) {
      LOG.info("the lookup is followed again");
    }
    silent = false;
  }

  /** The old one is given up first: the heap need not hold two, and none is believed meanwhile. */
  private void reload() throws SQLException {
    synchronized (this) {
      state = null;
    }
    // Before the rows are counted: who asks from here on waits for what is read now.
    tooLarge = null;
    State loaded = load();
    if (loaded != null) {
      publish(null, loaded);
    }
  }

  private void forget(long rows) {
    synchronized (this) {
      state = null;
    }
    tooLarge =
        "the lookup of "
            + rows
            + " secrets or more takes more than "
            + (maxBytes >> 20)
            + " MiB of memory: each decision asks the database; give LEDGER_JAVA_OPTS a larger -Xmx";
    LOG.warn("{}", tooLarge);
    // Whoever began to wait while it was read waits for nothing.
    waiters.forEach(waiter -> waiter.applied().complete(false));
    synchronized (this) {
      notifyAll();
    }
  }

  /** Why nothing is held in memory; null when that is not why. */
  @Nullable String tooLarge() {
    return tooLarge;
  }

  private void pause(Duration limit) {
    if (!closing && !wakeUp.sleep(REST, limit)) {
      closing = true;
    }
  }

  private boolean isIdle() {
    return System.nanoTime() - lastAskedNanos > IDLE_AFTER.toNanos();
  }

  private static Connection connect(DatabaseUrl url, String silenceSeconds) throws SQLException {
    return DriverManager.getConnection(
        url.with("socketTimeout", silenceSeconds).jdbcUrl(), url.user(), url.password());
  }

  /** Of a session that only looks. */
  static void prepare(Connection session) throws SQLException {
    session.setReadOnly(true);
    try (PreparedStatement statement = session.prepareStatement(PLAN)) {
      statement.execute();
    }
  }

  private static OffsetDateTime clock(Connection session) throws SQLException {
    try (PreparedStatement statement = session.prepareStatement(CLOCK);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getObject(1, OffsetDateTime.class);
    }
  }

  /** Since when the server is certain not to have ended, by its own clock. */
  OffsetDateTime sessionSince() {
    return sessionSince;
  }

  /** Reads what has changed since; takes nothing in. */
  static Look look(Connection session, State base) throws SQLException {
    Begun began = Begun.now();
    return new Look(base, began, LookupTable.changes(session, base.snapshot(), MAX_CHANGES));
  }

  /**
   * Takes in what was seen, unless something was since the look began: an older one would put back
   * what a newer one has taken away.
   *
   * @return false when that does not continue what is known, which must be read again
   */
  boolean takeIn(Look look) {
    State base = look.base();
    LookupChanges changes = look.changes();
    if (changes == null
        || changes.timeline() != base.timeline()
        || !changes.generation().equals(base.generation())
        || changes.snapshot().isBehind(base.snapshot())) {
      return false;
    }
    State now =
        new State(
            base.index(),
            changes.snapshot(),
            changes.timeline(),
            changes.generation(),
            look.began());
    boolean quarantines;
    synchronized (this) {
      if (!Objects.equals(state, base)) {
        return true;
      }
      base.index().put(changes.rows());
      quarantines = base.index().quarantine(changes.quarantined());
      state = now;
      notifyAll();
    }
    tell();
    if (quarantines) {
      listener.changed(now, null);
    } else if (!changes.rows().isEmpty()) {
      listener.changed(now, changes.rows());
    }
    return true;
  }

  /** Reads all of it, in one snapshot; null when that is too large. */
  @Nullable State load() throws SQLException {
    Begun began = Begun.now();
    AuthorizationIndex index = new AuthorizationIndex();
    try (Connection connection =
        connect(app.with("prepareThreshold", BINARY), LOAD_SILENCE_SECONDS)) {
      connection.setReadOnly(true);
      connection.setAutoCommit(false);
      connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
      LookupTable.keep(connection);
      LookupChanges head = LookupTable.head(connection);
      long[] told = {System.nanoTime()};
      long limit = maxBytes / BYTES_A_ROW;
      long rows = LookupTable.count(connection, limit + 1);
      if (rows > limit) {
        forget(rows);
        return null;
      }
      LookupTable.all(
          connection,
          page -> {
            index.put(page);
            if (index.approximateBytes() > maxBytes) {
              return false;
            }
            if (System.nanoTime() - told[0] > PROGRESS.toNanos()) {
              told[0] = System.nanoTime();
              LOG.info("authorization index: {} of {} secrets read", index.size(), rows);
            }
            return true;
          });
      if (index.approximateBytes() > maxBytes) {
        forget(rows);
        return null;
      }
      index.quarantine(head.quarantined());
      connection.rollback();
      LOG.info(
          "authorization index: {} secrets in {} ms, {} MiB",
          index.size(),
          began.agoMillis(),
          index.approximateBytes() >> 20);
      return new State(index, head.snapshot(), head.timeline(), head.generation(), began);
    }
  }

  /** Puts what was read in place of what was known when that began; else it is thrown away. */
  void publish(@Nullable State base, State loaded) {
    synchronized (this) {
      if (!Objects.equals(state, base)) {
        return;
      }
      state = loaded;
      notifyAll();
    }
    tell();
    listener.changed(loaded, null);
  }

  private void tell() {
    State now = state;
    for (Waiter waiter : waiters) {
      if (now != null && waiter.isSatisfiedBy(now)) {
        waiter.applied().complete(true);
      }
    }
  }

  /** What is known now; null before {@link #start}. */
  @Nullable State state() {
    return state;
  }

  /** Says that someone asks, so that changes are looked for more often. */
  void asked(Begun when) {
    // Not each time: every thread would write to one place.
    if (when.nanos() - lastAskedNanos > IDLE_AFTER.toNanos() / 10) {
      lastAskedNanos = when.nanos();
    }
  }

  /**
   * Waits for a look that began after that moment.
   *
   * @return what is known then; null when the time was over first
   */
  @Nullable State begunAfter(Begun moment, Duration limit) {
    long end = System.nanoTime() + limit.toNanos();
    synchronized (this) {
      while (!closing && tooLarge == null) {
        State now = state;
        if (now != null && now.began().isAfter(moment)) {
          return now;
        }
        long left = (end - System.nanoTime()) / 1_000_000;
        if (left <= 0) {
          return null;
        }
        wakeUp.call();
        try {
          wait(left);
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          return null;
        }
      }
    }
    return null;
  }

  /**
   * Waits, without a thread, until what was written there is known here.
   *
   * @return whether it is; false when the time was over first
   */
  CompletableFuture<Boolean> applied(Position position, Duration limit) {
    Waiter waiter = new Waiter(position, Begun.now(), new CompletableFuture<>());
    waiters.add(waiter);
    CompletableFuture<Boolean> applied =
        waiter
            .applied()
            .completeOnTimeout(false, limit.toMillis(), TimeUnit.MILLISECONDS)
            .whenComplete((done, failure) -> waiters.remove(waiter));
    // After it is among them: what is taken in from here on tells it.
    State now = state;
    if (closing || tooLarge != null) {
      // Nothing in memory says yes, nor will before it is read again.
      waiter.applied().complete(false);
    } else if (now != null && waiter.isSatisfiedBy(now)) {
      waiter.applied().complete(true);
    } else {
      wakeUp.call();
    }
    return applied;
  }

  @Override
  public void close() {
    closing = true;
    wakeUp.call();
    try {
      thread.join(TimeUnit.SECONDS.toMillis(Long.parseLong(SILENCE_SECONDS)));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    waiters.forEach(waiter -> waiter.applied().complete(false));
    synchronized (this) {
      notifyAll();
    }
  }
}

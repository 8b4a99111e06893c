package io.tokenledger.replay;

import io.tokenledger.follow.Follower;
import io.tokenledger.replay.ReplayJob.State;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sequence.WakeUp;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.Locks;
import io.tokenledger.store.UnreadableEvent;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Carries out the replays that were asked for, on one node at a time: a session's lock says which,
 * so that another goes on from what is committed when this one is killed.
 */
public final class ReplayWorker implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(ReplayWorker.class);

  private static final Duration INTERVAL = Duration.ofMillis(500);
  private static final Duration FOLLOW_INTERVAL = Duration.ofMillis(50);
  private static final int MAX_JOBS = 100;

  private static final String LEAD =
      """
      SELECT pg_try_advisory_lock(?)
      """;

  private final Connections connections;
  private final Replay replay;
  private final @Nullable Envelopes envelopes;
  private final EventReader reader;
  private final Consumer<UnreadableEvent> unreadable;
  private final WakeUp wakeUp;
  private final Thread thread;
  private @Nullable Connection session;
  private volatile boolean closing;

  /**
   * @param envelopes opens what events hold sealed; null where no table of tokens is built
   * @param reader reads the events
   * @param unreadable hears of an event that stops a replay
   */
  public ReplayWorker(
      Connections connections,
      Replay replay,
      @Nullable Envelopes envelopes,
      EventReader reader,
      Consumer<UnreadableEvent> unreadable) {
    this.reader = reader;
    this.unreadable = unreadable;
    this.connections = connections;
    this.replay = replay;
    this.envelopes = envelopes;
    this.wakeUp = replay.wakeUp();
    this.thread = new Thread(this::work, "ledger-replay");
    thread.setDaemon(true);
  }

  /** Begins to work in a thread of its own. */
  public void start() {
    thread.start();
  }

  private void work() {
    while (!closing) {
      Duration rest = INTERVAL;
      try {
        if (leads()) {
          rest = step() ? FOLLOW_INTERVAL : INTERVAL;
        }
      } catch (SQLException | LedgerUnavailable e) {
        LOG.warn("replays wait for the database: {}", e.getMessage());
        resign();
      } catch (RuntimeException e) {
        // The outermost boundary of this thread: the next round tries again.
        LOG.error("a replay stands still", e);
      }
      if (!closing && !wakeUp.sleep(Duration.ZERO, rest)) {
        closing = true;
      }
    }
    resign();
  }

  private boolean leads() throws SQLException {
    Connection own = session;
    if (own != null && own.isValid(2)) {
      return true;
    }
    resign();
    own = connections.open();
    own.setAutoCommit(true);
    try (PreparedStatement statement = own.prepareStatement(LEAD)) {
      statement.setLong(1, Locks.REPLAY);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        if (row.getBoolean(1)) {
          session = own;
          return true;
        }
      }
    }
    own.close();
    return false;
  }

  private void resign() {
    Connection own = session;
    session = null;
    if (own != null) {
      try {
        own.close();
      } catch (SQLException e) {
        LOG.debug("the session was lost: {}", e.getMessage());
      }
    }
  }

  /**
   * Works on what there is, once.
   *
   * @return whether there is a generation that follows the log
   */
  private boolean step() throws SQLException {
    List<ReplayJob> jobs =
        replay.history(MAX_JOBS).stream()
            .filter(job -> !job.paused())
            .filter(job -> job.isUnfinished() || job.isLive() && job.state() == State.READY)
            .sorted(Comparator.comparing(ReplayJob::id))
            .toList();
    for (ReplayJob job : jobs) {
      try {
        step(job);
      } catch (UnreadableEvent e) {
        fail(job, e);
        unreadable.accept(e);
      } catch (IllegalStateException e) {
        fail(job, e);
      } catch (SQLException e) {
        if (isOfTheConnection(e)) {
          throw e;
        }
        fail(job, e);
      }
    }
    return !jobs.isEmpty();
  }

  /** The server is away, ends, or has no room: that passes. Anything else is of the rows. */
  private static boolean isOfTheConnection(SQLException e) {
    String state = e.getSQLState();
    return state == null
        || state.startsWith("08")
        || state.startsWith("53")
        || state.startsWith("57")
        || state.startsWith("40")
        || state.startsWith("55");
  }

  private void fail(ReplayJob job, Exception failure) throws SQLException {
    LOG.error("replay {} stopped: {}", job.id(), failure.getMessage());
    try (Connection connection = connections.open()) {
      ReplayTable.workEnds(connection, job.id());
      ReplayTable.setState(
          connection,
          job.id(),
          State.FAILED,
          failure.getMessage(),
          State.BUILDING,
          State.INDEXING,
          State.CATCHING_UP,
          State.READY);
      connection.commit();
    }
  }

  private void step(ReplayJob job) throws SQLException {
    switch (job.state()) {
      case BUILDING -> build(job);
      case INDEXING -> index(job);
      default -> follow(job);
    }
  }

  private void build(ReplayJob job) throws SQLException {
    List<ReplayTable.Segment> segments;
    try (Connection connection = connections.open()) {
      ReplayTable.workBegins(connection, job.id());
      segments = ReplayTable.segments(connection, job.id());
      connection.commit();
    }
    List<Task> tasks = new ArrayList<>();
    for (ReplayTable.Segment segment : segments) {
      BulkLoad load = new BulkLoad(connections, job, envelopes, reader);
      tasks.add(() -> load.run(segment));
    }
    inParallel(job, tasks);
    try (Connection connection = connections.open()) {
      ReplayTable.workEnds(connection, job.id());
      if (ReplayTable.segments(connection, job.id()).isEmpty()) {
        ReplayTable.setState(connection, job.id(), State.INDEXING, null, State.BUILDING);
      }
      connection.commit();
    }
    wakeUp.call();
  }

  private void index(ReplayJob job) throws SQLException {
    List<Task> tasks = new ArrayList<>();
    for (String projection : job.projections()) {
      tasks.add(
          () -> {
            try (Connection connection = connections.open()) {
              Generations.index(connection, job.schema(), List.of(projection));
              connection.commit();
            }
          });
    }
    inParallel(job, tasks);
    try (Connection connection = connections.open()) {
      ReplayTable.setState(
          connection,
          job.id(),
          job.isLive() ? State.CATCHING_UP : State.READY,
          null,
          State.INDEXING);
      connection.commit();
    }
    wakeUp.call();
  }

  private void follow(ReplayJob job) throws SQLException {
    int taken;
    do {
      try (Connection connection = connections.open()) {
        taken = replay.follow(connection, job.id());
        boolean behind = taken == Follower.MAX_BATCH;
        if (!behind && job.state() == State.CATCHING_UP) {
          ReplayTable.setState(connection, job.id(), State.READY, null, State.CATCHING_UP);
        }
        connection.commit();
      }
    } while (taken == Follower.MAX_BATCH && !closing);
  }

  private interface Task {
    void run() throws SQLException;
  }

  /** The first failure is thrown once all have ended. */
  private void inParallel(ReplayJob job, List<Task> tasks) throws SQLException {
    ExecutorService executor =
        Executors.newFixedThreadPool(
            Math.max(1, tasks.size()),
            work -> {
              Thread each = new Thread(work, "ledger-replay-part");
              each.setDaemon(true);
              return each;
            });
    try {
      List<Future<?>> running = new ArrayList<>();
      for (Task task : tasks) {
        running.add(
            executor.submit(
                () -> {
                  task.run();
                  return null;
                }));
      }
      executor.shutdown();
      @Nullable Throwable failure = null;
      for (Future<?> each : running) {
        try {
          each.get();
        } catch (ExecutionException e) {
          failure = failure == null ? e.getCause() : failure;
        }
      }
      if (failure instanceof SQLException sql) {
        throw sql;
      }
      if (failure instanceof RuntimeException other) {
        throw other;
      }
      if (failure != null) {
        throw new IllegalStateException("replay " + job.id() + " broke off", failure);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      closing = true;
    } finally {
      executor.shutdownNow();
    }
  }

  /** Leaves off; what is committed stays, and the next worker goes on. */
  @Override
  public void close() {
    closing = true;
    wakeUp.call();
    thread.interrupt();
    try {
      thread.join(Duration.ofSeconds(5).toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

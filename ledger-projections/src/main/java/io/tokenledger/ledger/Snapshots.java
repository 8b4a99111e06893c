package io.tokenledger.ledger;

import static java.util.Objects.requireNonNull;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.SnapshotTable;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.token.Token;
import io.tokenledger.token.TokenSnapshot;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.axonframework.messaging.unitofwork.DefaultUnitOfWork;
import org.axonframework.messaging.unitofwork.UnitOfWork;
import org.axonframework.modelling.command.Aggregate;
import org.axonframework.modelling.command.AggregateNotFoundException;
import org.axonframework.modelling.command.Repository;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes down what long streams have come to, beside the threads that run commands: who had to read
 * many events asks for it, after its commit. Every hour some of what was written is made again from
 * all its events; what is not equal is thrown away.
 */
final class Snapshots implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Snapshots.class);

  /** Events after the last snapshot, from which on a load asks for a new one. */
  static final int EVERY = 100;

  private static final Duration CHECK_INTERVAL = Duration.ofHours(1);
  private static final int CHECKED_AT_ONCE = 20;

  /** What is asked for beyond these is asked for again by the next load. */
  private static final int MAX_WAITING = 1_000;

  private final Transactions transactions;
  private final EventStorage storage;
  private final Repository<Token> repository;
  private final Counter taken;
  private final Counter discarded;
  private final Set<String> waiting = ConcurrentHashMap.newKeySet();
  private final ScheduledExecutorService worker =
      Executors.newSingleThreadScheduledExecutor(
          work -> {
            Thread thread = new Thread(work, "ledger-snapshots");
            thread.setDaemon(true);
            return thread;
          });

  @SuppressWarnings("FutureReturnValueIgnored") // Ends with the worker.
  Snapshots(
      Transactions transactions,
      EventStorage storage,
      Repository<Token> repository,
      MeterRegistry meters) {
    this.transactions = transactions;
    this.storage = storage;
    this.repository = repository;
    this.taken = Counter.builder("ledger.snapshot.taken").register(meters);
    this.discarded = Counter.builder("ledger.snapshot.discarded").register(meters);
    worker.scheduleWithFixedDelay(
        this::checkSafely,
        CHECK_INTERVAL.toMillis(),
        CHECK_INTERVAL.toMillis(),
        TimeUnit.MILLISECONDS);
  }

  /** Asks for snapshots of these streams; never waits. */
  void want(List<String> aggregateIds) {
    for (String aggregateId : aggregateIds) {
      if (waiting.size() < MAX_WAITING && waiting.add(aggregateId)) {
        try {
          worker.execute(() -> takeSafely(aggregateId));
        } catch (RejectedExecutionException e) {
          LOG.debug("no snapshot of {}: the node drains", aggregateId);
        }
      }
    }
  }

  private void takeSafely(String aggregateId) {
    waiting.remove(aggregateId);
    try {
      take(aggregateId);
    } catch (SQLException | RuntimeException e) {
      // The outermost boundary of this thread: without a snapshot a load is slower, never wrong.
      LOG.warn("no snapshot was taken of a stream: {}", e.getMessage());
    }
  }

  /** Writes down what the stream has come to by now. */
  void take(String aggregateId) throws SQLException {
    UnitOfWork<?> root = DefaultUnitOfWork.startAndGet(null);
    try {
      root.attachTransaction(transactions);
      storage.prefetch(List.of(aggregateId));
      Aggregate<Token> token = repository.load(aggregateId);
      TokenSnapshot snapshot = token.invoke(Token::snapshot);
      SnapshotTable.save(
          transactions.connection(),
          storage.snapshotRow(aggregateId, requireNonNull(token.version()), snapshot));
      root.commit();
      taken.increment();
    } finally {
      end(root);
    }
  }

  private void end(UnitOfWork<?> root) {
    storage.forget();
    if (root.isActive()) {
      root.rollback();
    }
  }

  private void checkSafely() {
    try {
      check(CHECKED_AT_ONCE);
    } catch (SQLException | RuntimeException e) {
      // The outermost boundary of this thread: the next hour tries again.
      LOG.warn("snapshots were not checked: {}", e.getMessage());
    }
  }

  /**
   * Makes those that were not checked for the longest time again from their events, and deletes
   * what is not equal, or would not be believed by a load.
   *
   * @return how many it deleted
   */
  int check(int limit) throws SQLException {
    List<String> streams =
        transactions.fetchInTransaction(
            () -> {
              try {
                return SnapshotTable.longestUnchecked(transactions.connection(), limit);
              } catch (SQLException e) {
                throw new LedgerUnavailable("the snapshots cannot be read", e);
              }
            });
    int deleted = 0;
    for (String aggregateId : streams) {
      if (!checkOne(aggregateId)) {
        LOG.error("the snapshot of {} is not what its events say: it is deleted", aggregateId);
        discarded.increment();
        deleted++;
      }
    }
    return deleted;
  }

  private boolean checkOne(String aggregateId) throws SQLException {
    UnitOfWork<?> root = DefaultUnitOfWork.startAndGet(null);
    try {
      root.attachTransaction(transactions);
      EventStorage.Kept kept = storage.prefetchForCheck(aggregateId);
      boolean equal = kept.snapshot() != null && kept.snapshot().equals(loadForCheck(aggregateId));
      if (equal) {
        SnapshotTable.checked(transactions.connection(), aggregateId);
      } else {
        SnapshotTable.delete(transactions.connection(), aggregateId, kept.sequenceNumber());
      }
      root.commit();
      return equal;
    } finally {
      end(root);
    }
  }

  private TokenSnapshot loadForCheck(String aggregateId) {
    try {
      return repository.load(aggregateId).invoke(Token::snapshot);
    } catch (AggregateNotFoundException e) {
      throw new UnreadableEvent("there are no events of " + aggregateId, e);
    }
  }

  @Override
  public void close() {
    worker.shutdownNow();
  }
}

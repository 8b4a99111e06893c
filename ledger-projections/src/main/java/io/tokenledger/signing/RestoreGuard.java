package io.tokenledger.signing;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.sequence.LogTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.SignedNote;
import java.io.UncheckedIOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Knows whether the database is older than what was once signed: then tokens that were revoked
 * since work again in it, and nobody may be let in by it. A node sees it by its own {@link
 * CheckpointMemory} and tells the others by {@code state.restore}, so that one without memory
 * denies too. It looks at the start, before anything is decided, and each second: whoever restores
 * a database stops the nodes first, and this is for who forgot.
 */
public final class RestoreGuard implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(RestoreGuard.class);

  private final DataSource writers;
  private final String node;
  private final @Nullable Signer signer;
  private final @Nullable CheckpointMemory memory;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          work -> {
            Thread thread = new Thread(work, "ledger-restore-guard");
            thread.setDaemon(true);
            return thread;
          });
  private volatile @Nullable String restored;

  /**
   * @param writers connections that do not commit by themselves
   * @param node name of this node
   * @param signer null, with {@code memory}, on a node that never signs and so remembers nothing
   */
  public RestoreGuard(
      DataSource writers,
      String node,
      @Nullable Signer signer,
      @Nullable CheckpointMemory memory,
      MeterRegistry meters) {
    this.writers = writers;
    this.node = node;
    this.signer = signer;
    this.memory = memory;
    Gauge.builder("ledger.restored", this, guard -> guard.restored == null ? 0 : 1)
        .register(meters);
  }

  /** Why nothing may be decided by this database; null when it may. */
  public @Nullable String restored() {
    return restored;
  }

  /** Looks again, at that interval. */
  @SuppressWarnings("FutureReturnValueIgnored") // Ends with the timer.
  public void start(Duration interval) {
    timer.scheduleWithFixedDelay(
        this::lookSafely, interval.toMillis(), interval.toMillis(), TimeUnit.MILLISECONDS);
  }

  private void lookSafely() {
    try {
      look();
    } catch (LedgerUnavailable e) {
      LOG.debug("the guard waits for the database: {}", e.getMessage());
    } catch (InvalidTlogFormat | UncheckedIOException e) {
      // What this node remembers cannot be read: the signer stops and says so.
      LOG.debug("the guard cannot read its memory: {}", e.getMessage());
    }
  }

  /**
   * Looks once.
   *
   * @throws LedgerUnavailable when the database does not answer; what was known stays
   * @throws InvalidTlogFormat when what this node remembers cannot be read
   */
  public void look() {
    try (Connection connection = writers.getConnection()) {
      try {
        Optional<String> open = RestoreTable.open(connection);
        String found = open.isPresent() ? open.get() : contradiction(connection);
        if (found != null && open.isEmpty()) {
          RestoreTable.add(connection, node, found);
          connection.commit();
        }
        if (found != null && restored == null) {
          LOG.error("every decision is denied: {}", found);
        } else if (found == null && restored != null) {
          LOG.warn("the restore was accepted: decisions are made again");
        }
        restored = found;
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("whether the database was restored cannot be read", e);
    }
  }

  private @Nullable String contradiction(Connection connection) throws SQLException {
    if (memory == null || signer == null) {
      return null;
    }
    // Remembered first: a tree that is read later holds all that was signed before.
    int newest = memory.newestGeneration();
    if (newest == 0) {
      return null;
    }
    Checkpoint known = Checkpoint.parse(memory.newest(newest).orElseThrow().text());
    LogTable.Head head = LogTable.head(connection);
    if (head.generation() < newest || (head.generation() == newest && head.size() < known.size())) {
      return "the database holds "
          + head.size()
          + " leaves of "
          + signer.origin(head.generation())
          + ", and node "
          + node
          + " remembers "
          + known.size()
          + " of "
          + known.origin()
          + ": it was restored from a backup that is older";
    }
    // Only a holder of the key can have begun a further log; a row that says so is not enough.
    return head.generation() == newest || isBegun(connection, signer, head.generation())
        ? null
        : "no checkpoint shows that " + signer.origin(head.generation()) + " began";
  }

  private static boolean isBegun(Connection connection, Signer signer, int generation)
      throws SQLException {
    Optional<SignedNote> note =
        CheckpointTable.newest(connection)
            .filter(each -> each.generation() == generation)
            .map(CheckpointTable.Signed::note);
    if (note.isEmpty()) {
      return false;
    }
    try {
      signer.policy(generation).open(note.get());
      return true;
    } catch (InvalidTlogFormat e) {
      return false;
    }
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }
}

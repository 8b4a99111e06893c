package io.tokenledger.signing;

import io.tokenledger.sequence.LogTable;
import io.tokenledger.sequence.StoredNodes;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Proofs;
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
 * Lets every node remember what the leader signs, each in its own {@link CheckpointMemory}: should
 * the leader's disk be gone with it, the next leader still knows what must be continued. A node
 * that remembers nothing learns nothing here: it could be taught a lie.
 */
public final class CheckpointWatch implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(CheckpointWatch.class);

  private final DataSource readers;
  private final Signer signer;
  private final CheckpointMemory memory;
  private final Alerts alerts;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          work -> {
            Thread thread = new Thread(work, "ledger-checkpoint-watch");
            thread.setDaemon(true);
            return thread;
          });
  private @Nullable String said;

  public CheckpointWatch(
      DataSource readers, Signer signer, CheckpointMemory memory, Alerts alerts) {
    this.readers = readers;
    this.signer = signer;
    this.memory = memory;
    this.alerts = alerts;
  }

  /** Begins to look, at that interval. */
  @SuppressWarnings("FutureReturnValueIgnored") // Ends with the timer.
  public void start(Duration interval) {
    timer.scheduleWithFixedDelay(
        this::lookSafely, interval.toMillis(), interval.toMillis(), TimeUnit.MILLISECONDS);
  }

  private void lookSafely() {
    try {
      look();
    } catch (SQLException | LedgerUnavailable e) {
      LOG.debug("checkpoints wait for the database: {}", e.getMessage());
    } catch (InvalidTlogFormat | UncheckedIOException e) {
      if (!String.valueOf(e.getMessage()).equals(said)) {
        said = e.getMessage();
        LOG.error("the newest checkpoint is not believed: {}", said);
        alerts.signingRefused("checkpoint_not_believed", String.valueOf(said), 0);
      }
    }
  }

  /** Takes the newest checkpoint into memory when it continues what is there. */
  void look() throws SQLException {
    try (Connection connection = readers.getConnection()) {
      Optional<CheckpointTable.Signed> found = CheckpointTable.newest(connection);
      if (found.isEmpty() || memory.newestGeneration() == 0) {
        return;
      }
      int generation = found.get().generation();
      Optional<SignedNote> remembered = memory.newest(generation);
      long size = found.get().size();
      if (remembered.isPresent() && Checkpoint.parse(remembered.get().text()).size() >= size) {
        return;
      }
      Checkpoint newest = signer.policy(generation).open(found.get().note());
      if (remembered.isPresent()) {
        requireContinued(connection, Checkpoint.parse(remembered.get().text()), newest);
      }
      memory.remember(generation, found.get().note());
      said = null;
    }
  }

  private static void requireContinued(Connection connection, Checkpoint known, Checkpoint newest)
      throws SQLException {
    if (LogTable.head(connection).size() < newest.size()) {
      throw new InvalidTlogFormat(
          "the checkpoint of " + newest.size() + " covers leaves that the database does not hold");
    }
    boolean continued =
        known.size() == 0
            || Proofs.isConsistent(
                known.size(),
                known.root(),
                newest.size(),
                newest.root(),
                Proofs.consistency(known.size(), newest.size(), new StoredNodes(connection)));
    if (!continued) {
      throw new InvalidTlogFormat(
          "the checkpoint of "
              + newest.size()
              + " does not continue that of "
              + known.size()
              + " which this node remembers");
    }
  }

  @Override
  public void close() {
    timer.shutdownNow();
  }
}

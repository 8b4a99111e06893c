package io.tokenledger.archive;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.audit.ControlEvent.ArchiveWritten;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.sequence.StoredNodes;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.Locks;
import io.tokenledger.tlog.Frontier;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.verify.BundleHead;
import io.tokenledger.verify.BundleVerification;
import io.tokenledger.verify.BundleWriter;
import io.tokenledger.verify.Verdict;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes the log into a store, segment after segment. A segment is a bundle over whole tiles of 256
 * leaves; its signed manifest names the segment before it by the hash of that one's manifest.
 * Nothing is kept of it in the database: the store itself tells how far it is.
 *
 * <p>What does not verify is not archived, and no segment follows one that another history wrote.
 */
public final class Archive implements AutoCloseable {

  /** Segments end with a whole tile. */
  static final int TILE = 256;

  /** More leaves than these become several segments. */
  static final int MAX_LEAVES = 256 * TILE;

  private static final Logger LOG = LoggerFactory.getLogger(Archive.class);
  private static final Duration CLOSE_LIMIT = Duration.ofSeconds(30);

  private static final String TRY_LOCK =
      """
      SELECT pg_try_advisory_xact_lock(?)
      """;

  private final ArchiveStore store;
  private final ArchiveReader reader;
  private final Duration interval;
  private final DataSource writers;
  private final Bundles bundles;
  private final RequestLog requests;
  private final BooleanSupplier due;
  private final Runnable wake;
  private final Counter failures;
  private @Nullable ScheduledFuture<?> rounds;
  private volatile double lag = Double.NaN;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          work -> {
            Thread thread = new Thread(work, "ledger-archive");
            thread.setDaemon(true);
            return thread;
          });

  /** Writes bundles. */
  public interface Bundles {
    /** Writes that range, joined to that checkpoint. */
    BundleWriter.Written write(
        CheckpointTable.Signed checkpoint, BundleWriter.Range range, OutputStream out)
        throws IOException;
  }

  /**
   * What a run has written.
   *
   * @param segments how many; 0 when less than a tile has been signed since
   * @param from first leaf of the first of them
   * @param to first leaf that is in no segment now
   * @param sha256 of the last manifest there is now; null while there is none
   */
  public record Run(long segments, long from, long to, @Nullable String sha256) {}

  /**
   * @param writers connections that do not commit by themselves
   * @param due whether this node archives by itself at present
   * @param wake called when an event was committed
   */
  public Archive(
      ArchiveTarget target,
      DataSource writers,
      Bundles bundles,
      RequestLog requests,
      BooleanSupplier due,
      Runnable wake,
      MeterRegistry meters) {
    this.store = ArchiveStore.open(target.location());
    this.reader = new ArchiveReader(store);
    this.interval = target.interval();
    this.writers = writers;
    this.bundles = bundles;
    this.requests = requests;
    this.due = due;
    this.wake = wake;
    this.failures =
        Counter.builder("ledger.archive.failures")
            .description("Rounds in which this node could not archive what was due")
            .register(meters);
    Gauge.builder("ledger.archive.lag", this, archive -> archive.lag)
        .baseUnit("leaves")
        .description("Signed leaves in no segment after this node's last round; up to 255 wait")
        .register(meters);
  }

  /** Begins to look every interval. */
  public void start() {
    rounds =
        timer.scheduleWithFixedDelay(
            this::runSafely, interval.toMillis(), interval.toMillis(), TimeUnit.MILLISECONDS);
  }

  private void runSafely() {
    if (!due.getAsBoolean()) {
      return;
    }
    try {
      Run run = run(RequestContext.ofNode("clock", "archive", UUID.randomUUID().toString()), false);
      if (run.segments() > 0) {
        LOG.info("{} segments are archived, up to leaf {}", run.segments(), run.to());
      }
    } catch (RuntimeException e) {
      // The outermost boundary of this thread: the next round tries again.
      failures.increment();
      LOG.warn("nothing is archived: {}", e.getMessage());
    }
  }

  /** What brings rows back from here. */
  public ArchiveRestore restore(ArchiveRestore.Owner owner, EventTable table) {
    return new ArchiveRestore(store, owner, table, requests, wake);
  }

  /**
   * First leaf that is in no segment, where the newest one verifies and is of this log.
   *
   * @throws ArchiveRefused when it is of another history, or the archive cannot be read
   * @throws LedgerUnavailable when the database does not answer
   */
  public long next() {
    try (Connection connection = writers.getConnection()) {
      try {
        @Nullable Segment last = reader.newest().orElse(null);
        if (last == null) {
          return 0;
        }
        long signed =
            CheckpointTable.newest(connection).map(CheckpointTable.Signed::size).orElse(0L);
        requireNotAhead(last.head().to(), signed);
        store.requireKept(last.name());
        requireContinued(last, Frontier.read(last.head().to(), new StoredNodes(connection)).root());
        return last.head().to();
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("it is not known how far the log is", e);
    } catch (IOException | InvalidTlogFormat e) {
      throw broken(e);
    }
  }

  private static void requireNotAhead(long archived, long signed) {
    if (archived > signed) {
      throw new ArchiveRefused(
          "archive_ahead",
          "the archive holds " + archived + " leaves, and of this log " + signed + " are signed");
    }
  }

  private static ArchiveRefused broken(Exception e) {
    return new ArchiveRefused("archive_broken", "the archive cannot be read: " + e.getMessage());
  }

  /** What is kept, unverified. */
  public List<Segment> list() {
    try {
      return reader.segments();
    } catch (IOException | InvalidTlogFormat e) {
      throw broken(e);
    }
  }

  /**
   * Writes what is signed and in no segment.
   *
   * @param always whether an event tells of it even when that is nothing
   * @throws ArchiveRefused when it does not verify, does not continue what is in the store, another
   *     node is writing, or the store does not take it
   * @throws LedgerUnavailable when the database does not answer
   */
  public Run run(RequestContext context, boolean always) {
    try (Connection connection = writers.getConnection()) {
      try {
        if (!locked(connection)) {
          throw new ArchiveRefused("busy", "another node or request is archiving");
        }
        Written written = new Written();
        try {
          write(connection, written);
        } catch (RuntimeException | IOException e) {
          recordBegun(connection, written, context, e);
          throw e;
        }
        Run run = written.run();
        if (run.segments() > 0 || always) {
          record(connection, run, context);
        }
        return run;
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("it is not known how far the log is", e);
    } catch (FileAlreadyExistsException e) {
      throw new ArchiveRefused("busy", "there is a segment of that name: " + e.getMessage());
    } catch (IOException | InvalidTlogFormat e) {
      throw new ArchiveRefused("archive_broken", "the archive does not work: " + e.getMessage());
    }
  }

  /** What a run has written so far. */
  private static final class Written {
    private boolean begun;
    private long segments;
    private long from;
    private long to;
    private @Nullable Segment last;

    private Run run() {
      return new Run(segments, from, to, last == null ? null : last.head().sha256());
    }
  }

  /** What is in the store by now stays there: it is said as well. */
  private void recordBegun(
      Connection connection, Written written, RequestContext context, Exception failure)
      throws SQLException {
    try {
      Segment newest = written.begun ? reader.newest().orElse(null) : null;
      if (newest != null && newest.head().to() > written.to) {
        // It was written, and then something else of it failed.
        written.last = newest;
        written.to = newest.head().to();
        written.segments++;
      }
    } catch (IOException | InvalidTlogFormat e) {
      failure.addSuppressed(e);
    }
    if (written.segments > 0) {
      try {
        record(connection, written.run(), context);
      } catch (LedgerUnavailable e) {
        failure.addSuppressed(e);
      }
    }
  }

  private void record(Connection connection, Run run, RequestContext context) throws SQLException {
    requests.append(
        connection,
        List.of(new ArchiveWritten(run.segments(), run.from(), run.to(), run.sha256())),
        context);
    connection.commit();
    wake.run();
  }

  private static boolean locked(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(TRY_LOCK)) {
      statement.setLong(1, Locks.ARCHIVE);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getBoolean(1);
      }
    }
  }

  private void write(Connection connection, Written written) throws SQLException, IOException {
    @Nullable Segment last = reader.newest().orElse(null);
    long from = last == null ? 0 : last.head().to();
    written.from = from;
    written.to = from;
    written.last = last;
    written.begun = true;
    Optional<CheckpointTable.Signed> newest = CheckpointTable.newest(connection);
    long signed = newest.map(CheckpointTable.Signed::size).orElse(0L);
    requireNotAhead(from, signed);
    if (last != null) {
      store.requireKept(last.name());
    }
    long end = signed - signed % TILE;
    if (newest.isPresent() && last != null && end > from) {
      requireContinued(last, Frontier.read(from, new StoredNodes(connection)).root());
    }
    while (newest.isPresent() && written.to < end) {
      long to = Math.min(written.to + MAX_LEAVES, end);
      String before = written.last == null ? Segment.NOTHING : written.last.reference();
      written.last = put(newest.get(), written.to, to, before);
      written.to = to;
      written.segments++;
    }
    lag = signed - written.to;
  }

  private void requireContinued(Segment last, TreeHash root) throws IOException {
    reader.read(
        last.name(),
        (segment, file) -> {
          Verdict verdict = new BundleVerification(null, List.of()).run(file);
          if (verdict.difference() != null || !verdict.root().equals(root)) {
            throw new ArchiveRefused(
                "another_history",
                last.name() + " does not verify, or is of another history than this log");
          }
        });
  }

  private Segment put(CheckpointTable.Signed checkpoint, long from, long to, String previous)
      throws IOException {
    Path file = Files.createTempFile("ledger-segment-", ".zip");
    try {
      try (OutputStream out = Files.newOutputStream(file)) {
        bundles.write(checkpoint, new BundleWriter.Range(from, to, null, previous), out);
      }
      Verdict verdict = new BundleVerification(null, List.of()).run(file);
      if (verdict.difference() != null) {
        throw new ArchiveRefused(
            "not_clean",
            "leaves "
                + from
                + " to "
                + (to - 1)
                + " do not verify, and nothing is archived: "
                + verdict.difference());
      }
      String name = Segment.name(from);
      store.put(name, file);
      return new Segment(name, BundleHead.read(file));
    } finally {
      Files.deleteIfExists(file);
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
        LOG.warn("a segment is still being written");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

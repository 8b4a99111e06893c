package io.tokenledger.archive;

import io.tokenledger.audit.ControlEvent.ArchiveRestored;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.sequence.LogEntries;
import io.tokenledger.sequence.LogRow;
import io.tokenledger.sequence.StoredNodes;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.PrunedBody;
import io.tokenledger.tlog.Frontier;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.verify.BundleVerification;
import io.tokenledger.verify.LeafRows;
import io.tokenledger.verify.PrunedLeaves;
import io.tokenledger.verify.Prunes;
import io.tokenledger.verify.Verdict;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Brings events and salts back that are lost or changed. The tree decides, not the segment: one
 * whose leaves do not have the roots that this log has is refused before anything is written, and
 * of what is written each row is exactly what its leaf committed to.
 */
public final class ArchiveRestore {

  private final ArchiveReader reader;
  private final Owner owner;
  private final EventTable table;
  private final RequestLog requests;
  private final Runnable wake;

  /** Gives a connection of who owns the tables. */
  public interface Owner {
    /** A new one. */
    Connection connect() throws SQLException;
  }

  /**
   * What was done or would be.
   *
   * @param segments how many hold such leaves
   * @param missing events that were not there
   * @param saltless events that had no salts
   * @param changed events that were not what their leaf says
   * @param pruned events whose bodies the log says are gone: they are left so
   */
  public record Result(long segments, long missing, long saltless, long changed, long pruned) {

    /** How many events are brought back. */
    public long events() {
      return missing + saltless + changed;
    }
  }

  /**
   * @param owner who may change rows
   * @param table knows which rows a node wrote
   * @param wake called when an event was committed
   */
  public ArchiveRestore(
      ArchiveStore store, Owner owner, EventTable table, RequestLog requests, Runnable wake) {
    this.reader = new ArchiveReader(store);
    this.owner = owner;
    this.table = table;
    this.requests = requests;
    this.wake = wake;
  }

  /** Counts while it works. */
  private static final class Counter {
    private long segments;
    private long missing;
    private long saltless;
    private long changed;
    private long pruned;
  }

  /**
   * Makes the events of these leaves what they were, all or none of them, with an event that says
   * so. Where the log says that a body is gone, only what is left of it comes back.
   *
   * @param from first leaf
   * @param to first leaf after them
   * @param dryRun whether it only counts
   * @throws ArchiveRefused when a segment does not verify, is of another history or does not have
   *     what is lost, or another row stands where a lost one was
   * @throws LedgerUnavailable when the database does not answer or the login does not own the
   *     tables
   */
  public Result restore(long from, long to, boolean dryRun, RequestContext context) {
    Counter counter = new Counter();
    try (Connection connection = owner.connect()) {
      connection.setAutoCommit(false);
      try {
        for (String name : reader.names()) {
          reader.read(
              name,
              (segment, file) -> {
                if (segment.head().from() < to && segment.head().to() > from) {
                  restore(connection, segment, file, from, to, dryRun, counter);
                }
              });
        }
        Result result =
            new Result(
                counter.segments,
                counter.missing,
                counter.saltless,
                counter.changed,
                counter.pruned);
        if (!dryRun) {
          requests.append(
              connection,
              List.of(
                  new ArchiveRestored(
                      from, to, result.missing(), result.saltless(), result.changed())),
              context);
          connection.commit();
        }
        return result;
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      if (EventTable.violatedConstraint(e) != null) {
        throw new ArchiveRefused(
            "occupied", "another row stands where a lost one was: " + e.getMessage());
      }
      throw new LedgerUnavailable("nothing was brought back", e);
    } catch (IOException | InvalidTlogFormat e) {
      throw new ArchiveRefused("archive_broken", "the archive cannot be read: " + e.getMessage());
    } finally {
      wake.run();
    }
  }

  private void restore(
      Connection connection,
      Segment segment,
      Path file,
      long from,
      long to,
      boolean dryRun,
      Counter counter)
      throws IOException {
    try {
      requireOurs(connection, segment, file);
      Map<Long, byte[]> entries = new HashMap<>();
      Map<Long, @Nullable LogRow> broken = new HashMap<>();
      LogEntries writer = new LogEntries();
      // Until a decision was carried out a body is still owed to who may come to hold it.
      PrunedLeaves said = Prunes.of(connection, table, false);
      PrunedLeaves gone = Prunes.of(connection, table, true);
      LeafRows.read(
          connection,
          Math.max(from, segment.head().from()),
          Math.min(to, segment.head().to()),
          leaf -> {
            LogRow event = leaf.event();
            if (event != null && isPruned(writer, event, leaf, said)) {
              counter.pruned++;
            } else if (event == null || !Arrays.equals(writer.write(event), leaf.entry())) {
              entries.put(leaf.leafIndex(), leaf.entry());
              broken.put(leaf.leafIndex(), event);
            }
          });
      BundleVerification.events(
          file,
          (leafIndex, event) -> {
            byte[] entry = entries.get(leafIndex);
            if (entry != null && broken.containsKey(leafIndex)) {
              if (!Arrays.equals(writer.write(event), entry)) {
                throw new ArchiveRefused(
                    "another_history", "leaf " + leafIndex + " is another one in the archive");
              }
              count(broken.remove(leafIndex), counter);
              if (dryRun) {
                return;
              }
              if (gone.cover(leafIndex, entry)) {
                table.restorePruned(
                    connection,
                    event.globalIndex(),
                    PrunedBody.leftOf(event.row()),
                    event.recordedAt());
              } else {
                write(connection, event);
              }
            }
          });
      if (!broken.isEmpty()) {
        throw new ArchiveRefused(
            "not_in_archive",
            segment.name()
                + " was written after the body of leaf "
                + Collections.min(broken.keySet())
                + " had gone, and nothing was brought back: leave it out by from and to");
      }
      counter.segments++;
    } catch (SQLException e) {
      if (EventTable.violatedConstraint(e) != null) {
        throw new ArchiveRefused(
            "occupied", "another row stands where a lost one was: " + e.getMessage());
      }
      throw new LedgerUnavailable("nothing was brought back", e);
    }
  }

  private static void requireOurs(Connection connection, Segment segment, Path file)
      throws IOException {
    Verdict verdict = new BundleVerification(null, List.of()).run(file);
    if (verdict.difference() != null) {
      throw new ArchiveRefused(
          "not_clean", segment.name() + " does not verify: " + verdict.difference());
    }
    StoredNodes nodes = new StoredNodes(connection);
    boolean ours =
        segment.head().left().equals(Frontier.read(segment.head().from(), nodes).root())
            && verdict.root().equals(Frontier.read(segment.head().to(), nodes).root());
    if (!ours) {
      throw new ArchiveRefused(
          "another_history", segment.name() + " is of another history than this log");
    }
  }

  private boolean isPruned(
      LogEntries writer, LogRow event, LeafRows.LeafRow leaf, PrunedLeaves said) {
    return event.hasNoBody()
        && said.cover(leaf.leafIndex(), leaf.entry())
        && table.isOurs(event.row(), event.mac())
        && Arrays.equals(
            writer.write(event, LogEntries.Commitments.in(leaf.entry())), leaf.entry());
  }

  private static void count(@Nullable LogRow before, Counter counter) {
    if (before == null) {
      counter.missing++;
    } else if (before.payloadSalt() == null || before.metadataSalt() == null) {
      counter.saltless++;
    } else {
      counter.changed++;
    }
  }

  private static void write(Connection connection, LogRow event) throws SQLException {
    byte[] payloadSalt = event.payloadSalt();
    byte[] metadataSalt = event.metadataSalt();
    if (payloadSalt == null || metadataSalt == null) {
      throw new ArchiveRefused("not_clean", event.row().eventId() + " has no salts in the archive");
    }
    EventTable.restore(
        connection,
        event.globalIndex(),
        event.row(),
        event.mac(),
        event.recordedAt(),
        payloadSalt,
        metadataSalt);
  }
}

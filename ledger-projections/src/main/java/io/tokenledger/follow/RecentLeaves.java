package io.tokenledger.follow;

import io.tokenledger.sequence.LogRow;
import java.util.ArrayList;
import java.util.List;

/**
 * The leaves that this node gave their places last, for its own followers: what the sequencer has
 * just read need not be read and parsed by each of them again. A follower that is not near the end,
 * or on a node that does not lead, finds nothing here and reads the tables.
 *
 * <p>For use by any number of threads.
 */
public final class RecentLeaves {

  /** A few megabytes at most, and as much as comes between two rounds of a follower under load. */
  private static final int KEPT = 2 * Follower.MAX_BATCH;

  private volatile List<Leaf> leaves = List.of();

  /**
   * Keeps leaves that are committed. None of them can be quarantined yet: that takes a follower
   * that could not read it.
   *
   * @param firstLeafIndex the place of the first; the others follow it
   */
  public synchronized void add(long firstLeafIndex, List<LogRow> rows) {
    List<Leaf> before = leaves;
    List<Leaf> kept = new ArrayList<>(before.size() + rows.size());
    // Another node may have led in between.
    if (!before.isEmpty() && before.get(before.size() - 1).leafIndex() == firstLeafIndex - 1) {
      kept.addAll(before);
    }
    for (int i = Math.max(0, rows.size() - KEPT); i < rows.size(); i++) {
      kept.add(leaf(firstLeafIndex + i, rows.get(i)));
    }
    leaves = List.copyOf(kept.subList(Math.max(0, kept.size() - KEPT), kept.size()));
  }

  private static Leaf leaf(long leafIndex, LogRow row) {
    return new Leaf(
        leafIndex,
        row.globalIndex(),
        row.row().eventId(),
        row.row().occurredAt(),
        row.row().aggregateType(),
        row.row().sequenceNumber(),
        row.row().eventType(),
        row.row().revision(),
        row.row().payload(),
        Header.orNone(row.row().metadata()),
        false);
  }

  /**
   * Forgets all: one of them cannot be read, and whether it is quarantined stands in the tables.
   */
  synchronized void clear() {
    leaves = List.of();
  }

  /** Those from that place on, so many at most; none where the first of them is not here. */
  List<Leaf> from(long position, int limit) {
    List<Leaf> now = leaves;
    long first = now.isEmpty() ? 0 : now.get(0).leafIndex();
    if (position < first || position >= first + now.size()) {
      return List.of();
    }
    int at = Math.toIntExact(position - first);
    return now.subList(at, Math.min(now.size(), at + limit));
  }
}

package io.tokenledger.lookup;

import java.util.Arrays;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Which transactions a reader saw, as PostgreSQL writes a {@code pg_snapshot}: all below the first
 * number, none from the second on, and of those in between all but the listed ones.
 */
public final class Snapshot {

  /** As many running transactions as no server has. */
  private static final Pattern TEXT =
      Pattern.compile("[0-9]{1,18}:[0-9]{1,18}:([0-9]{1,18}(,[0-9]{1,18}){0,9999})?");

  private final String text;
  private final long xmin;
  private final long xmax;
  private final long[] running;

  private Snapshot(String text) {
    String[] parts = text.split(":", -1);
    this.text = text;
    this.xmin = Long.parseLong(parts[0]);
    this.xmax = Long.parseLong(parts[1]);
    this.running =
        parts[2].isEmpty()
            ? new long[0]
            : Arrays.stream(parts[2].split(",")).mapToLong(Long::parseLong).toArray();
  }

  /** The snapshot that PostgreSQL wrote so. */
  static Snapshot parse(String text) {
    return new Snapshot(text);
  }

  /** The snapshot that someone else wrote so; empty when it is none. */
  public static Optional<Snapshot> parseGiven(String text) {
    if (!TEXT.matcher(text).matches()) {
      return Optional.empty();
    }
    Snapshot snapshot = new Snapshot(text);
    boolean whole = snapshot.xmin > 0 && snapshot.xmin <= snapshot.xmax;
    long last = snapshot.xmin - 1;
    for (long xid : snapshot.running) {
      whole &= xid > last && xid < snapshot.xmax;
      last = xid;
    }
    return whole ? Optional.of(snapshot) : Optional.empty();
  }

  /** Whether it sees what that transaction committed. */
  public boolean sees(long xid) {
    return xid < xmax && (xid < xmin || Arrays.binarySearch(running, xid) < 0);
  }

  /** The last transaction before which none was running. */
  public long lastEnded() {
    return xmin - 1;
  }

  /** Whether the server had begun more transactions in that one than in this. */
  public boolean isBehind(Snapshot other) {
    return xmax < other.xmax;
  }

  /**
   * This one as if the last so many transactions had not begun. A server that recovers from a crash
   * gives the numbers of those again whose log had not reached the disk.
   */
  public Snapshot before(long transactions) {
    long end = Math.max(1, xmax - transactions);
    String still =
        Arrays.stream(running)
            .filter(xid -> xid < end)
            .mapToObj(Long::toString)
            .collect(Collectors.joining(","));
    return new Snapshot(Math.min(xmin, end) + ":" + end + ":" + still);
  }

  /** As PostgreSQL reads it. */
  public String text() {
    return text;
  }

  @Override
  public String toString() {
    return text;
  }
}

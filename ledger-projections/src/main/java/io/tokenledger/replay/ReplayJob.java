package io.tokenledger.replay;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A replay as it is kept: how far it is, and what was found.
 *
 * @param projections what it builds, of {@link Replay#PROJECTIONS}
 * @param moment {@code live} for one that follows the log and may be swapped in; else the moment
 * @param toSize only leaves below this one count; null for live
 * @param toTime only what had occurred by then counts; null for all
 * @param paused whether nobody is to work on it
 * @param firstSize how many leaves there were when it began
 * @param position the first leaf that its tables have not taken
 * @param eventsDone events read in bulk so far
 * @param eventsTotal about how many are to be read in bulk
 * @param workMillis how long nodes have worked on the bulk
 * @param treeSize how many leaves there are now
 * @param differenceCount rows that differed when it was last compared; null before
 * @param differenceDigest what a swap may accept; null as above
 * @param error why it failed; null when it did not
 * @param dropAfter when its tables go by themselves; null for not
 */
public record ReplayJob(
    long id,
    List<String> projections,
    String moment,
    @Nullable Long toSize,
    @Nullable Instant toTime,
    State state,
    boolean paused,
    String startedBy,
    Instant startedAt,
    Instant updatedAt,
    long firstSize,
    long position,
    long eventsDone,
    long eventsTotal,
    long workMillis,
    long treeSize,
    @Nullable Instant comparedAt,
    @Nullable Long comparedXid,
    @Nullable Long differenceCount,
    @Nullable String differenceDigest,
    @Nullable String error,
    @Nullable Instant dropAfter) {

  /** How far a replay is. */
  public enum State {
    BUILDING,
    INDEXING,
    CATCHING_UP,
    READY,
    SWAPPED,
    ROLLED_BACK,
    FAILED,
    DROPPED
  }

  /** Whether it follows the log and may be swapped in. */
  public boolean isLive() {
    return moment.equals(Replay.LIVE);
  }

  /** Whether a node still has to work until it is ready. */
  public boolean isUnfinished() {
    return state == State.BUILDING || state == State.INDEXING || state == State.CATCHING_UP;
  }

  /** The schema its tables lie in while it is not swapped. */
  public String schema() {
    return isLive() ? "rebuild" : "replay_" + id;
  }

  /** Events read in bulk per second; 0 while that is not known. */
  public long eventsPerSecond() {
    return workMillis == 0 ? 0 : eventsDone * 1_000 / workMillis;
  }

  /** About how long the bulk takes from here; null while that is not known. */
  public @Nullable Long remainingMillis() {
    if (state != State.BUILDING || eventsDone == 0) {
      return null;
    }
    return workMillis * Math.max(0, eventsTotal - eventsDone) / eventsDone;
  }
}

package io.tokenledger.index;

import java.time.Duration;

/**
 * When something was begun, by two clocks: the one that only goes forward stands still while a
 * machine is suspended, the other may be set. Only what both call recent is recent.
 *
 * @param nanos of {@link System#nanoTime}
 * @param epochMillis milliseconds since 1970 UTC
 */
public record Begun(long nanos, long epochMillis) {

  public static Begun now() {
    return new Begun(System.nanoTime(), System.currentTimeMillis());
  }

  /** Whether it is not longer ago than that. */
  public boolean isWithin(Duration limit) {
    long agoMillis = System.currentTimeMillis() - epochMillis;
    return System.nanoTime() - nanos <= limit.toNanos()
        && agoMillis <= limit.toMillis()
        && agoMillis >= -limit.toMillis();
  }

  /** Whether it was begun no sooner than the other. */
  boolean isAfter(Begun other) {
    return nanos - other.nanos >= 0;
  }

  long agoMillis() {
    return (System.nanoTime() - nanos) / 1_000_000;
  }
}

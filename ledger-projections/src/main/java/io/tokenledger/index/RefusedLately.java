package io.tokenledger.index;

import io.tokenledger.token.SecretHash;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * Which secrets were refused a moment ago: a client with a dead token tries it over and over, and
 * need not wait for a look of its own each time. Bounded: of two secrets that share a place the
 * later one is remembered, and the other waits again.
 *
 * <p>For use by any number of threads.
 */
final class RefusedLately {

  /** How long a refusal is remembered. */
  private static final Duration MEMORY = Duration.ofSeconds(1);

  /** A power of two; 32 KiB. */
  private static final int PLACES = 4_096;

  /** In each the first four bytes of a hash, and the milliseconds of when it was refused. */
  private final AtomicLongArray places = new AtomicLongArray(PLACES);

  RefusedLately() {
    // Zeroes would be refusals of the hash 0 at the clock's beginning, whenever that is.
    int longAgo = millis(Begun.now()) - Math.toIntExact(MEMORY.toMillis()) - 1;
    for (int i = 0; i < PLACES; i++) {
      places.set(i, longAgo & 0xffff_ffffL);
    }
  }

  /** A look that began after it was presented did not find it live. */
  void add(SecretHash hash, Begun presented) {
    places.set(place(hash), (long) hash.hashCode() << 32 | millis(presented) & 0xffff_ffffL);
  }

  /**
   * Whether it was added within the last second. Another one with the same first four bytes is
   * taken for it, which is why no answer may rest on this alone.
   */
  boolean contains(SecretHash hash, Begun now) {
    long kept = places.getOpaque(place(hash));
    return (int) (kept >>> 32) == hash.hashCode() && millis(now) - (int) kept <= MEMORY.toMillis();
  }

  private static int place(SecretHash hash) {
    return hash.hashCode() & PLACES - 1;
  }

  /** Of which only differences mean something. */
  private static int millis(Begun when) {
    return (int) (when.nanos() / 1_000_000);
  }
}

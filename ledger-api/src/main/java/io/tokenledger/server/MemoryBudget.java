package io.tokenledger.server;

import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * Bounds the memory that requests take together for one purpose. A limit for each alone is none for
 * many at once, and a full heap ends the node for all.
 */
final class MemoryBudget {

  private static final int UNIT_BYTES = 1_024;
  private static final int WAIT_SECONDS = 2;

  private final Semaphore units;
  private final String purpose;

  /**
   * @param purpose what is limited, for the message
   */
  MemoryBudget(String purpose, int bytes) {
    this.purpose = purpose;
    this.units = new Semaphore(units(bytes), true);
  }

  /** A share of the budget, given back when it is closed. */
  final class Share implements AutoCloseable {

    private int taken;

    /**
     * Makes the share as large as that, if it is smaller.
     *
     * @throws Rejection 503 when there is not so much within two seconds
     */
    void grow(long bytes) {
      int more = units(bytes) - taken;
      if (more <= 0) {
        return;
      }
      try {
        if (!units.tryAcquire(more, WAIT_SECONDS, TimeUnit.SECONDS)) {
          throw Rejection.busy(purpose);
        }
        taken += more;
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw Rejection.busy(purpose);
      }
    }

    @Override
    public void close() {
      units.release(taken);
      taken = 0;
    }
  }

  /** A share of nothing yet. */
  Share share() {
    return new Share();
  }

  private static int units(long bytes) {
    return Math.toIntExact((bytes + UNIT_BYTES - 1) / UNIT_BYTES);
  }
}

package io.tokenledger.sequence;

import java.time.Duration;

/** Lets a worker sleep until someone has news for it; a call while it works is not lost. */
public final class WakeUp {

  private boolean called;

  /** Says that there is something to do; never waits. */
  public synchronized void call() {
    called = true;
    notifyAll();
  }

  /**
   * Sleeps until called, and for the rest at least, so that many calls make one awakening.
   *
   * @param limit how long to sleep when nobody calls
   * @return false when the thread was interrupted and should end
   */
  public synchronized boolean sleep(Duration rest, Duration limit) {
    long start = System.nanoTime();
    try {
      waitUntil(start + rest.toNanos(), false);
      waitUntil(start + limit.toNanos(), true);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    } finally {
      called = false;
    }
    return true;
  }

  private void waitUntil(long end, boolean callEndsIt) throws InterruptedException {
    for (long left = end - System.nanoTime();
        left >= 1_000_000 && !(callEndsIt && called);
        left = end - System.nanoTime()) {
      wait(left / 1_000_000);
    }
  }
}

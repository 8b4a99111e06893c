package io.tokenledger.server;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.tomcat.util.threads.TaskQueue;
import org.apache.tomcat.util.threads.TaskThreadFactory;
import org.apache.tomcat.util.threads.ThreadPoolExecutor;

/**
 * The threads that answer requests, and how long one may wait for them. Tomcat's own queue has no
 * limit in time: two thousand clients before a database that stands still would all wait, each for
 * as long as all before it. Here a request that has waited for two seconds is taken over by one of
 * a few threads that do nothing but say 503, so that it is told so while every other thread stands
 * still.
 */
final class Admission implements Executor, AutoCloseable {

  /** So many requests are worked on at once. */
  static final int MAX_THREADS = 64;

  private static final int MIN_THREADS = 4;

  /** Threads that only refuse: more than one, since a client may be slow to take even that. */
  private static final int REFUSING_THREADS = 8;

  private static final int IDLE_SECONDS = 60;

  /** With what is done after it, well below the 5 s at which clients begin to give up. */
  static final Duration MAX_WAIT = Duration.ofSeconds(2);

  private static final Duration LOOK_INTERVAL = Duration.ofMillis(100);

  private final ThreadPoolExecutor workers;
  private final java.util.concurrent.ThreadPoolExecutor refusers;
  private final ScheduledExecutorService watch;
  private final Queue<Waiting> waiting = new ConcurrentLinkedQueue<>();
  private final Counter refused;

  /** Says by its class that what it runs is to be refused. */
  private static final class Refuser extends Thread {
    Refuser(Runnable work) {
      super(work, "ledger-http-refusing");
      setDaemon(true);
    }
  }

  /** Work that is done once: by a worker, or by a refuser when none came in time. */
  private static final class Waiting implements Runnable {

    private final Runnable work;
    private final long since = System.nanoTime();
    private final AtomicBoolean taken = new AtomicBoolean();

    Waiting(Runnable work) {
      this.work = work;
    }

    boolean take() {
      return taken.compareAndSet(false, true);
    }

    boolean isOver() {
      return taken.get() || System.nanoTime() - since > MAX_WAIT.toNanos();
    }

    @Override
    public void run() {
      if (take()) {
        work.run();
      }
    }
  }

  Admission(MeterRegistry meters) {
    TaskQueue queue = new TaskQueue();
    this.workers =
        new ThreadPoolExecutor(
            MIN_THREADS,
            MAX_THREADS,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            queue,
            new TaskThreadFactory("ledger-http-", true, Thread.NORM_PRIORITY));
    queue.setParent(workers);
    this.refusers =
        new java.util.concurrent.ThreadPoolExecutor(
            REFUSING_THREADS,
            REFUSING_THREADS,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            Refuser::new);
    refusers.allowCoreThreadTimeOut(true);
    ThreadFactory watching =
        work -> {
          Thread thread = new Thread(work, "ledger-http-watch");
          thread.setDaemon(true);
          return thread;
        };
    this.watch = Executors.newSingleThreadScheduledExecutor(watching);
    this.refused =
        Counter.builder("ledger.http.refused")
            .description("Requests that waited too long for a thread and were told to come again")
            .register(meters);
    Gauge.builder("ledger.http.waiting", queue, Queue::size)
        .description("Requests that wait for a thread")
        .register(meters);
    long pause = LOOK_INTERVAL.toMillis();
    var unused =
        watch.scheduleWithFixedDelay(this::refuseLate, pause, pause, TimeUnit.MILLISECONDS);
  }

  /** Called by Tomcat for each connection on which there is something to read. */
  @Override
  public void execute(Runnable work) {
    Waiting one = new Waiting(work);
    waiting.add(one);
    workers.execute(one);
  }

  private void refuseLate() {
    for (Waiting first = waiting.peek(); first != null && first.isOver(); first = waiting.peek()) {
      waiting.remove();
      if (first.take()) {
        refusers.execute(first.work);
      }
    }
  }

  /**
   * Refuses a request for which no thread was free in time.
   *
   * @throws Rejection 503, before anything is read of a body or asked of the database
   */
  void requireInTime() {
    if (Thread.currentThread() instanceof Refuser) {
      refused.increment();
      throw Rejection.busy("requests");
    }
  }

  /** Takes no more; what is being answered is answered. */
  @Override
  public void close() {
    watch.shutdownNow();
    workers.shutdown();
    refusers.shutdown();
  }
}

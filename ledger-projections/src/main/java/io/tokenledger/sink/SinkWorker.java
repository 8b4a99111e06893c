package io.tokenledger.sink;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.sequence.WakeUp;
import io.tokenledger.store.LedgerUnavailable;
import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows the log for one receiver. Every node runs one for each sink that it knows; a lock lets
 * one deliver. The next pages are read while the receiver takes the one before.
 */
final class SinkWorker implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(SinkWorker.class);

  /** So many refused entries may wait; then the receiver is to be looked at, not passed. */
  static final int MAX_DEAD_LETTERS = 1_000;

  private static final int REQUEUED_AT_ONCE = 100;

  /** So many pages are read ahead, each by a thread: one waits for the database, one computes. */
  private static final int PAGES_AHEAD = 2;

  /** New entries are collected so long: a page of one costs nearly what one of a hundred does. */
  private static final Duration LINGER = Duration.ofMillis(200);

  /** From here on others' appends are worth giving way to. */
  private static final long APPENDS_PER_SECOND = 20;

  /** What a receiver that is behind gets while others append; more when they append more. */
  private static final long GIVING_WAY_PER_SECOND = 6_000;

  private static final Duration INTERVAL = Duration.ofSeconds(1);
  private static final Duration STANDBY = Duration.ofSeconds(2);
  private static final Duration END_LIMIT = Duration.ofSeconds(5);
  private static final long MAX_BACKOFF_SECONDS = 60;
  private static final int MAX_DOUBLINGS = 6;

  /** After so many failures another node may try whether it reaches the receiver. */
  private static final int FAILURES_A_TURN = 4;

  /** How often the cursor is written in the middle of a page. */
  private static final Duration ADVANCE = Duration.ofMillis(500);

  /** How often a node that delivers says that it lives. */
  private static final Duration RENEWAL = Duration.ofSeconds(5);

  /** How long a requeued entry that was not taken is left alone. */
  private static final Duration REQUEUED_REST = Duration.ofSeconds(10);

  private final SinkTarget target;
  private final Sink sink;
  private final SinkPages pages;
  private final Sinks.Sessions sessions;
  private final String node;
  private final BooleanSupplier resting;
  private final BiConsumer<Long, String> refused;
  private final Counter delivered;
  private final Counter failed;
  private final WakeUp wakeUp = new WakeUp();
  private final Thread thread;
  private final ExecutorService reader;
  private final Deque<Ahead> ahead = new ArrayDeque<>();
  private @Nullable String said;
  private int failures;
  private long requeuedRestNanos = System.nanoTime();

  /** Every entry before it is with the receiver. */
  private long durable;

  /** How much of that is written down. */
  private long written;

  /** Where it was at the last failure. */
  private long failedAt;

  private long writtenNanos = System.nanoTime();
  private long renewedNanos = System.nanoTime() - RENEWAL.toNanos();
  private long lastTreeSize;
  private long lastPageNanos;
  private volatile long lag;
  private volatile long waitingLetters;
  private volatile boolean closing;

  /** A page that is being read. */
  private record Ahead(long from, Future<SinkPages.Page> page) {}

  /**
   * @param resting whether nothing may be delivered at present
   * @param refused hears of an entry that was refused for good
   */
  SinkWorker(
      SinkTarget target,
      Sink sink,
      SinkPages pages,
      Sinks.Sessions sessions,
      String node,
      BooleanSupplier resting,
      BiConsumer<Long, String> refused,
      MeterRegistry meters) {
    this.target = target;
    this.sink = sink;
    this.pages = pages;
    this.sessions = sessions;
    this.node = node;
    this.resting = resting;
    this.refused = refused;
    this.delivered =
        Counter.builder("ledger.sink.delivered")
            .tag("sink", target.name())
            .description("Entries given to the receiver, repeats included")
            .register(meters);
    this.failed =
        Counter.builder("ledger.sink.failures")
            .tag("sink", target.name())
            .description("Tries that the receiver did not take")
            .register(meters);
    Gauge.builder("ledger.sink.lag", this, worker -> worker.lag)
        .tag("sink", target.name())
        .baseUnit("leaves")
        .description("Leaves that the receiver may not have; 0 on a node that does not deliver")
        .register(meters);
    Gauge.builder("ledger.sink.dead.letters", this, worker -> worker.waitingLetters)
        .tag("sink", target.name())
        .description("Entries that the receiver refused; 0 on a node that does not deliver")
        .register(meters);
    this.reader = Executors.newFixedThreadPool(PAGES_AHEAD, work -> daemon(work, "ledger-read-"));
    this.thread = daemon(this::work, "ledger-sink-");
  }

  private Thread daemon(Runnable work, String prefix) {
    Thread made = new Thread(work, prefix + target.name());
    made.setDaemon(true);
    return made;
  }

  void start() {
    thread.start();
  }

  /** Says that there is more to send; never waits. */
  void wake() {
    wakeUp.call();
  }

  private void work() {
    while (!closing) {
      try (Connection session = sessions.open()) {
        SinkTable table = new SinkTable(session);
        while (!closing && (resting.getAsBoolean() || !table.lock(target.name()))) {
          if (!resting.getAsBoolean() && table.endSilent(target.name())) {
            LOG.warn("who delivered to {} gave no sign; its session is ended", target.name());
          }
          sleep(STANDBY);
        }
        if (!closing) {
          deliver(table);
        }
      } catch (SQLException | LedgerUnavailable e) {
        LOG.warn("the sink {} waits for the database: {}", target.name(), e.getMessage());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        closing = true;
      } catch (RuntimeException e) {
        // The outermost boundary of this thread: one bad entry must not end it for good.
        LOG.error(
            "the sink {} stands still, and tries again: {}", target.name(), String.valueOf(e));
      } finally {
        lag = 0;
        waitingLetters = 0;
        ahead.clear();
        sink.reset();
      }
      sleep(STANDBY);
    }
  }

  private void sleep(Duration time) {
    if (!closing && !wakeUp.sleep(time, time)) {
      closing = true;
    }
  }

  private void deliver(SinkTable table) throws SQLException, InterruptedException {
    durable = table.begin(target.name(), target.fromNow(), node);
    written = durable;
    failedAt = durable;
    waitingLetters = table.deadLetters(target.name());
    long position = durable;
    while (!closing && !resting.getAsBoolean()) {
      try {
        // First what waits again: where letters fill up, only that makes room.
        if (!sendRequeued(table)) {
          ahead.clear();
          position = durable;
        }
        SinkPages.Page page = next(position);
        requireWithin(durable, page.treeSize());
        long before = durable;
        sendAll(table, page.messages());
        position = page.next();
        durable = Math.max(durable, Math.min(sink.confirmed(), position));
        advance(table);
        lag = page.treeSize() - durable;
        if (durable > before || durable == position) {
          // Not because something could be written: that alone is no sign of who reads it.
          recovered(table);
        }
        if (page.hasMore()) {
          giveWay(page);
        } else if (!wakeUp.sleep(LINGER, INTERVAL)) {
          closing = true;
        }
      } catch (LedgerUnavailable e) {
        throw e;
      } catch (IOException | RuntimeException e) {
        // An entry that cannot be written stands in the way like one that is not taken, and is
        // said.
        sink.reset();
        ahead.clear();
        position = durable;
        advance(table);
        if (durable > failedAt) {
          // It took some: it is slow, or wants rest, and is not gone.
          failures = 0;
        }
        failedAt = durable;
        report(table, String.valueOf(e.getMessage()));
        backOff(table);
        if (failures % FAILURES_A_TURN == 0) {
          return;
        }
      }
    }
  }

  /**
   * While others append, a receiver that is behind catches up at a pace that leaves them their
   * cores, and still faster than the log grows.
   */
  private void giveWay(SinkPages.Page page) throws InterruptedException {
    long now = System.nanoTime();
    long nanos = Math.max(1, now - lastPageNanos);
    double appendsPerSecond = (page.treeSize() - lastTreeSize) * 1e9 / nanos;
    if (lastTreeSize > 0 && appendsPerSecond > APPENDS_PER_SECOND) {
      double pace = Math.max(GIVING_WAY_PER_SECOND, appendsPerSecond * 1.5);
      long rest = (long) (page.messages().size() * 1e9 / pace) - nanos;
      if (rest > 0) {
        TimeUnit.NANOSECONDS.sleep(rest);
      }
    }
    lastTreeSize = page.treeSize();
    lastPageNanos = System.nanoTime();
  }

  /** A cursor beyond the end is of another history: what comes then is not what was sent. */
  private static void requireWithin(long durable, long treeSize) throws IOException {
    if (durable > treeSize) {
      throw new IOException(
          "its cursor is at leaf "
              + durable
              + " and the log has "
              + treeSize
              + " leaves: was an older database restored?");
    }
  }

  private SinkPages.Page next(long position) throws SQLException, InterruptedException {
    Ahead started = ahead.poll();
    SinkPages.Page page;
    if (started != null && started.from() == position) {
      page = taken(started.page());
    } else {
      // Nothing was ahead, or a page ended early for its bytes and those after it began too late.
      ahead.clear();
      page = pages.read(position, SinkPages.MAX_PAGE);
    }
    long following = ahead.isEmpty() ? page.next() : ahead.getLast().from() + SinkPages.MAX_PAGE;
    while (ahead.size() < PAGES_AHEAD && following + SinkPages.MAX_PAGE <= page.treeSize()) {
      long from = following;
      ahead.add(new Ahead(from, reader.submit(() -> pages.read(from, SinkPages.MAX_PAGE))));
      following += SinkPages.MAX_PAGE;
    }
    return page;
  }

  private static SinkPages.Page taken(Future<SinkPages.Page> page)
      throws SQLException, InterruptedException {
    try {
      return page.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof SQLException failure) {
        throw failure;
      }
      throw new IllegalStateException("a page could not be read", e.getCause());
    }
  }

  /**
   * What is with the receiver counts after each batch: a receiver that takes a few hundred posts a
   * minute would be sent the same ones for ever if only whole pages did.
   */
  private void sendAll(SinkTable table, List<Message> messages)
      throws IOException, InterruptedException, SQLException {
    for (int from = 0; from < messages.size(); from += sink.batchSize()) {
      send(table, messages.subList(from, Math.min(messages.size(), from + sink.batchSize())));
      if (System.nanoTime() - writtenNanos > ADVANCE.toNanos()) {
        advance(table);
      }
    }
  }

  /** Writes down how far the receiver is, and that this node lives. */
  private void advance(SinkTable table) throws SQLException {
    if (durable > written) {
      table.advance(target.name(), durable);
      written = durable;
      writtenNanos = System.nanoTime();
    }
    renew(table);
  }

  private void renew(SinkTable table) throws SQLException {
    if (System.nanoTime() - renewedNanos > RENEWAL.toNanos()) {
      table.renew(target.name());
      renewedNanos = System.nanoTime();
    }
  }

  /** Of a batch that is refused the halves are tried, down to the one that is at fault. */
  private void send(SinkTable table, List<Message> messages)
      throws IOException, InterruptedException, SQLException {
    renew(table);
    long sent = messages.get(messages.size() - 1).leafIndex() + 1;
    try {
      sink.send(messages);
      delivered.increment(messages.size());
      durable = Math.max(durable, Math.min(sink.confirmed(), sent));
    } catch (EntriesRefused e) {
      int half = messages.size() / 2;
      if (half == 0) {
        // What came before must be there before the cursor passes what was refused.
        sink.settle();
        durable = Math.max(durable, Math.min(sink.confirmed(), messages.get(0).leafIndex()));
        refuse(table, messages.get(0).leafIndex(), e.answer());
        durable = Math.max(durable, sent);
      } else {
        send(table, messages.subList(0, half));
        send(table, messages.subList(half, messages.size()));
      }
    }
  }

  private void refuse(SinkTable table, long leafIndex, String answer)
      throws IOException, SQLException {
    failed.increment();
    if (waitingLetters >= MAX_DEAD_LETTERS && !table.isLetter(target.name(), leafIndex)) {
      throw new IOException(
          answer + ", and " + waitingLetters + " dead letters wait: nothing more is passed over");
    }
    table.refuse(target.name(), leafIndex, answer);
    waitingLetters = table.deadLetters(target.name());
    LOG.warn("the sink {} refused leaf {}: {}", target.name(), leafIndex, answer);
    refused.accept(leafIndex, answer);
  }

  /**
   * A letter that is not taken now must not hold up the entries: it is tried again later. One at or
   * after the cursor comes with its page, and would confirm what is before it.
   *
   * @return false when what was sent before and not confirmed has to be sent again
   */
  private boolean sendRequeued(SinkTable table) throws InterruptedException, SQLException {
    if (System.nanoTime() - requeuedRestNanos < 0) {
      return true;
    }
    for (int i = 0; i < REQUEUED_AT_ONCE; i++) {
      Optional<Long> leaf = table.nextRequeued(target.name(), durable);
      if (leaf.isEmpty()) {
        return true;
      }
      renew(table);
      List<Message> messages = pages.read(leaf.get(), 1).messages();
      try {
        sink.send(messages);
        sink.settle();
        delivered.increment(messages.size());
        table.delivered(target.name(), leaf.get());
      } catch (IOException e) {
        failed.increment();
        sink.reset();
        requeuedRestNanos = System.nanoTime() + REQUEUED_REST.toNanos();
        return false;
      } catch (EntriesRefused e) {
        failed.increment();
        table.refuse(target.name(), leaf.get(), e.answer());
      }
      waitingLetters = table.deadLetters(target.name());
    }
    return true;
  }

  /** Once for each thing that is wrong, not at each try. */
  private void report(SinkTable table, String message) throws SQLException {
    failed.increment();
    failures++;
    String line = message.replaceAll("\\p{Cntrl}+", " ");
    String trouble = line.substring(0, Math.min(line.length(), 200));
    if (!trouble.equals(said)) {
      said = trouble;
      LOG.warn("the sink {} takes nothing: {}", target.name(), trouble);
    }
    table.trouble(target.name(), trouble);
  }

  private void recovered(SinkTable table) throws SQLException {
    if (failures > 0) {
      failures = 0;
      said = null;
      LOG.info("the sink {} takes entries again", target.name());
      table.trouble(target.name(), null);
    }
  }

  /** Longer after each failure, and not the same for all who wait for one receiver. */
  private void backOff(SinkTable table) throws SQLException {
    long seconds = Math.min(MAX_BACKOFF_SECONDS, 1L << Math.min(failures - 1, MAX_DOUBLINGS));
    double part = ThreadLocalRandom.current().nextDouble(0.75, 1);
    long end = System.nanoTime() + (long) (seconds * part * 1e9);
    while (!closing && System.nanoTime() < end) {
      lag = Math.max(0, table.treeSize() - durable);
      renew(table);
      long left = Math.max(1, (end - System.nanoTime()) / 1_000_000);
      sleep(Duration.ofMillis(Math.min(left, INTERVAL.toMillis())));
    }
  }

  @Override
  public void close() {
    closing = true;
    thread.interrupt();
    sink.close();
    reader.shutdownNow();
    try {
      thread.join(END_LIMIT.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

package io.tokenledger.requests;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.audit.EventType;
import io.tokenledger.audit.Outcome;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.audit.RequestEvent;
import io.tokenledger.audit.RequestEvent.AccessDenied;
import io.tokenledger.audit.RequestEvent.AnswerRepeated;
import io.tokenledger.audit.RequestEvent.AuthenticationFailed;
import io.tokenledger.audit.RequestEvent.CommandRejected;
import io.tokenledger.audit.RequestEvent.DecisionsDenied;
import io.tokenledger.audit.RequestEvent.ReplayFinished;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sealing.Envelopes.What;
import io.tokenledger.store.EventJson;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;
import javax.sql.DataSource;
import org.axonframework.common.DateTimeUtils;
import org.axonframework.common.IdentifierFactory;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Audit of requests that changed nothing, each in a transaction of its own. The first of a kind is
 * durable before any caller goes on; the others of the same actor or network, reason, resource and
 * minute are counted and become one event when the minute is over, so that an attacker cannot fill
 * the ledger by asking. A crash loses at most the counts of the running minute, never a first.
 * While the database is away no first can be stored, so each caller hears that, and what was
 * counted before is kept until it can be.
 */
public final class RequestLog implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(RequestLog.class);

  /** How many kinds are told apart at one time; what is beyond shares one window a type. */
  private static final int MAX_WINDOWS = 10_000;

  private static final int MAX_BATCH = 64;

  /** How long a caller waits for its refusal to be stored; a database that hangs says nothing. */
  private static final Duration STORE_LIMIT = Duration.ofSeconds(15);

  /** How long what could not be written waits for its next turn. */
  private static final Duration RETRY_PAUSE = Duration.ofSeconds(2);

  private static final int MAX_WAITING = 10_000;
  private static final String STREAM_PREFIX = "request:";
  private static final String AGGREGATE_TYPE = "Request";

  private final DataSource writers;
  private final EventTable table;
  private final Envelopes envelopes;
  private final Runnable committed;
  private final Clock clock;
  private final Duration window;
  private final Map<Kind, Window> windows = new HashMap<>();

  /** Windows that are over and could not be written. Guarded by {@code windows}. */
  private final Map<Kind, Window> unwritten = new HashMap<>();

  private Instant retryAt = Instant.MIN;
  private final LinkedBlockingQueue<Waiting> queue = new LinkedBlockingQueue<>(MAX_WAITING);
  private final Thread writer;
  private volatile boolean closing;

  private record Kind(
      EventType type,
      String who,
      String action,
      String reason,
      int status,
      @Nullable String target) {}

  /**
   * An event to write.
   *
   * @param summary where its counts go back to when it cannot be written; null for a first
   */
  private record Waiting(
      RequestEvent event,
      RequestContext context,
      CompletableFuture<@Nullable Void> durable,
      Map.@Nullable Entry<Kind, Window> summary) {}

  private static final class Window {
    private final RequestContext context;
    private final Instant opened;

    /** Completes when the first of its kind is stored; done from the start where none is. */
    private final CompletableFuture<@Nullable Void> firstStored;

    private Instant first;
    private Instant last;
    private long uncounted;

    private Window(
        RequestContext context, Instant opened, CompletableFuture<@Nullable Void> firstStored) {
      this.context = context;
      this.opened = opened;
      this.firstStored = firstStored;
      this.first = opened;
      this.last = opened;
    }

    private void add(long count, Instant from, Instant to) {
      first = uncounted == 0 || from.isBefore(first) ? from : first;
      last = uncounted == 0 || to.isAfter(last) ? to : last;
      uncounted += count;
    }
  }

  /**
   * @param writers connections that do not commit by themselves
   * @param committed called after each commit
   * @param window how long repeats are counted before they are written; a minute
   */
  public RequestLog(
      DataSource writers,
      EventTable table,
      Envelopes envelopes,
      Runnable committed,
      Clock clock,
      Duration window,
      MeterRegistry meters) {
    this.writers = writers;
    this.table = table;
    this.envelopes = envelopes;
    this.committed = committed;
    this.clock = clock;
    this.window = window;
    Gauge.builder("ledger.requests.windows", this, RequestLog::openWindows).register(meters);
    this.writer = new Thread(this::work, "ledger-requests");
    writer.setDaemon(true);
    writer.start();
  }

  /**
   * A caller presented no valid token.
   *
   * @param action the route asked for, without anything the caller chose
   * @param reason {@code missing_token}, {@code unknown_token}, {@code expired_token}, {@code
   *     revoked_token} or {@code malformed_header}
   * @throws LedgerUnavailable when the first of its kind cannot be stored
   */
  public void authenticationFailed(
      RequestContext context, String action, String reason, int status) {
    record(
        new Kind(EventType.AUTHENTICATION_FAILED, who(context), action, reason, status, null),
        context,
        true);
  }

  /**
   * A valid token does not allow what was asked.
   *
   * @throws LedgerUnavailable when the first of its kind cannot be stored
   */
  public void accessDenied(
      RequestContext context, String action, String reason, int status, @Nullable String target) {
    record(
        new Kind(EventType.ACCESS_DENIED, who(context), action, reason, status, target),
        context,
        true);
  }

  /**
   * A permitted request could not be carried out.
   *
   * @throws LedgerUnavailable when the first of its kind cannot be stored
   */
  public void commandRejected(
      RequestContext context, String action, String reason, int status, @Nullable String target) {
    record(
        new Kind(EventType.COMMAND_REJECTED, who(context), action, reason, status, target),
        context,
        true);
  }

  /** A decision was "no". Counted only: asking is not a failure, and gateways ask often. */
  public void decisionDenied(RequestContext context, String reason, @Nullable String target) {
    record(
        new Kind(EventType.DECISIONS_DENIED, who(context), "decision.check", reason, 200, target),
        context,
        false);
  }

  /**
   * A request came again and got the stored answer of the first, secret included.
   *
   * @param target the token as {@code token:ID}
   * @throws LedgerUnavailable when the first of its kind cannot be stored
   */
  public void answerRepeated(RequestContext context, String action, String target) {
    record(
        new Kind(EventType.ANSWER_REPEATED, who(context), action, "idempotent_repeat", 201, target),
        context,
        true);
  }

  /**
   * The authorization lookup was rebuilt. Each has its own event.
   *
   * @param action {@code replay.verify} or {@code replay.swap}
   * @param equal whether the live lookup was what the events say
   * @throws LedgerUnavailable when that cannot be stored
   */
  public void replayFinished(
      RequestContext context, String action, boolean equal, Instant started) {
    await(
        submit(
            new ReplayFinished(
                action, equal ? "equal" : "different", 200, null, 1, started, clock.instant()),
            context));
  }

  private void record(Kind kind, RequestContext context, boolean firstAtOnce) {
    Instant now = clock.instant();
    Kind bounded;
    Window open;
    synchronized (windows) {
      bounded = bounded(kind, windows);
      open = windows.get(bounded);
      if (open == null) {
        CompletableFuture<@Nullable Void> firstStored =
            firstAtOnce
                ? submit(event(kind, 1, now, now), context)
                : CompletableFuture.completedFuture(null);
        open = new Window(context, now, firstStored);
        windows.put(bounded, open);
        if (!firstAtOnce) {
          open.add(1, now, now);
        }
      } else {
        open.add(1, now, now);
      }
    }
    try {
      // Repeats wait too: a refusal that is answered before its first is stored may leave no trace.
      await(open.firstStored);
    } catch (LedgerUnavailable e) {
      synchronized (windows) {
        windows.remove(bounded, open);
      }
      throw e;
    }
  }

  private static Kind bounded(Kind kind, Map<Kind, Window> map) {
    return map.containsKey(kind) || map.size() < MAX_WINDOWS
        ? kind
        : new Kind(kind.type(), "others", "others", kind.reason(), kind.status(), null);
  }

  private static RequestEvent event(Kind kind, long count, Instant first, Instant last) {
    return switch (kind.type()) {
      case AUTHENTICATION_FAILED ->
          new AuthenticationFailed(kind.action(), kind.reason(), kind.status(), count, first, last);
      case ACCESS_DENIED ->
          new AccessDenied(
              kind.action(), kind.reason(), kind.status(), kind.target(), count, first, last);
      case COMMAND_REJECTED ->
          new CommandRejected(
              kind.action(), kind.reason(), kind.status(), kind.target(), count, first, last);
      case ANSWER_REPEATED ->
          new AnswerRepeated(
              kind.action(), kind.reason(), kind.status(), kind.target(), count, first, last);
      case DECISIONS_DENIED ->
          new DecisionsDenied(
              kind.action(), kind.reason(), kind.status(), kind.target(), count, first, last);
      default -> throw new IllegalArgumentException("not a request's event: " + kind.type());
    };
  }

  /** Token id, or the network: an address is one person's, a network is an attacker's. */
  private static String who(RequestContext context) {
    if (context.actor().tokenId() != null) {
      return "token:" + context.actor().tokenId();
    }
    String address = context.clientAddress();
    return address == null ? context.actor().type().wireName() : "net:" + Networks.prefix(address);
  }

  private CompletableFuture<@Nullable Void> submit(RequestEvent event, RequestContext context) {
    CompletableFuture<@Nullable Void> durable = new CompletableFuture<>();
    if (closing || !queue.offer(new Waiting(event, context, durable, null))) {
      durable.completeExceptionally(
          new LedgerUnavailable(
              "too many refusals wait to be recorded", new IllegalStateException("queue full")));
    }
    return durable;
  }

  private static void await(CompletableFuture<@Nullable Void> durable) {
    try {
      durable.get(STORE_LIMIT.toSeconds(), TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof LedgerUnavailable unavailable
          ? unavailable
          : new LedgerUnavailable("the refusal cannot be recorded", e);
    } catch (TimeoutException e) {
      throw new LedgerUnavailable("the refusal took too long to record", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new LedgerUnavailable("shutting down", e);
    }
  }

  private void work() {
    while (true) {
      try {
        List<Waiting> batch = new ArrayList<>();
        Waiting first = queue.poll(500, TimeUnit.MILLISECONDS);
        if (first != null) {
          batch.add(first);
          queue.drainTo(batch, MAX_BATCH - 1);
        }
        boolean last = closing && first == null;
        batch.addAll(closed(last));
        if (!batch.isEmpty()) {
          write(batch);
        } else if (last) {
          return;
        }
      } catch (InterruptedException e) {
        return;
      }
    }
  }

  /** Takes the windows that are over out of the table; all of them when everything ends. */
  private List<Waiting> closed(boolean all) {
    Instant now = clock.instant();
    List<Waiting> summaries = new ArrayList<>();
    synchronized (windows) {
      if (all || !now.isBefore(retryAt)) {
        take(unwritten, summaries, open -> true);
      }
      take(
          windows,
          summaries,
          open -> all || Duration.between(open.opened, now).compareTo(window) >= 0);
    }
    return summaries;
  }

  private static void take(
      Map<Kind, Window> from, List<Waiting> summaries, Predicate<Window> isOver) {
    Iterator<Map.Entry<Kind, Window>> each = from.entrySet().iterator();
    while (each.hasNext() && summaries.size() < MAX_BATCH) {
      Map.Entry<Kind, Window> entry = each.next();
      Window open = entry.getValue();
      if (!isOver.test(open)) {
        continue;
      }
      each.remove();
      if (open.uncounted > 0) {
        summaries.add(
            new Waiting(
                event(entry.getKey(), open.uncounted, open.first, open.last),
                open.context,
                new CompletableFuture<>(),
                Map.entry(entry.getKey(), open)));
      }
    }
  }

  /** Keeps the counts of summaries that could not be written, apart from the windows now open. */
  private void putBack(List<Waiting> batch) {
    synchronized (windows) {
      retryAt = clock.instant().plus(RETRY_PAUSE);
      for (Waiting waiting : batch) {
        if (waiting.summary() != null) {
          Window over = waiting.summary().getValue();
          unwritten.merge(
              bounded(waiting.summary().getKey(), unwritten),
              over,
              (kept, more) -> {
                kept.add(more.uncounted, more.first, more.last);
                return kept;
              });
        }
      }
    }
  }

  private void write(List<Waiting> batch) {
    try (Connection connection = writers.getConnection()) {
      List<EventTable.Row> rows = new ArrayList<>(batch.size());
      for (Waiting waiting : batch) {
        rows.add(row(waiting));
      }
      table.append(connection, rows);
      connection.commit();
      batch.forEach(waiting -> waiting.durable().complete(null));
      committed.run();
    } catch (SQLException | RuntimeException e) {
      // The outermost boundary of this thread. At the end there is no later: what is counted then
      // is lost, and said to be.
      LOG.warn(
          "{} refusals were not recorded{}: {}",
          batch.size(),
          closing ? "" : " yet",
          e.getMessage());
      if (!closing) {
        putBack(batch);
      }
      LedgerUnavailable failure = new LedgerUnavailable("the refusal cannot be recorded", e);
      batch.forEach(waiting -> waiting.durable().completeExceptionally(failure));
    }
  }

  private EventTable.Row row(Waiting waiting) {
    RequestEvent event = waiting.event();
    EventType type = EventType.of(event);
    String eventId = IdentifierFactory.getInstance().generateIdentifier();
    Outcome outcome =
        event instanceof AnswerRepeated || event instanceof ReplayFinished
            ? Outcome.SUCCESS
            : event instanceof CommandRejected ? Outcome.FAILED : Outcome.DENIED;
    String target = target(event);
    // The others know the name that was asked for, whether or not a token bears it.
    boolean byId = event instanceof AnswerRepeated || event instanceof DecisionsDenied;
    return new EventTable.Row(
        eventId,
        STREAM_PREFIX + eventId,
        0,
        AGGREGATE_TYPE,
        type.storedName(),
        type.revision(),
        DateTimeUtils.formatInstant(event.last()),
        EventJson.write(event),
        envelopes.write(
            eventId,
            event.last(),
            waiting.context(),
            new What(
                event.action(),
                outcome,
                event.reason(),
                event.statusCode(),
                target == null ? null : "token",
                byId ? target : null,
                byId ? null : target,
                null,
                null,
                List.of())));
  }

  private static @Nullable String target(RequestEvent event) {
    if (event instanceof AccessDenied denied) {
      return denied.target();
    }
    if (event instanceof CommandRejected rejected) {
      return rejected.target();
    }
    if (event instanceof AnswerRepeated repeated) {
      return repeated.target();
    }
    return event instanceof DecisionsDenied denied ? denied.target() : null;
  }

  private double openWindows() {
    synchronized (windows) {
      return windows.size();
    }
  }

  /** Writes what is counted and ends. */
  @Override
  public void close() {
    closing = true;
    try {
      writer.join(Duration.ofSeconds(10).toMillis());
      writer.interrupt();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

package io.tokenledger.requests;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.audit.ControlEvent;
import io.tokenledger.audit.EventType;
import io.tokenledger.audit.Outcome;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.audit.RequestEvent;
import io.tokenledger.audit.RequestEvent.AccessDenied;
import io.tokenledger.audit.RequestEvent.AnswerRepeated;
import io.tokenledger.audit.RequestEvent.AuditExported;
import io.tokenledger.audit.RequestEvent.AuditLogRead;
import io.tokenledger.audit.RequestEvent.AuditProofIssued;
import io.tokenledger.audit.RequestEvent.AuditVerified;
import io.tokenledger.audit.RequestEvent.AuthenticationFailed;
import io.tokenledger.audit.RequestEvent.CommandRejected;
import io.tokenledger.audit.RequestEvent.DecisionsDenied;
import io.tokenledger.audit.RequestEvent.ReplayFinished;
import io.tokenledger.audit.RequestEvent.ReplayRequested;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sealing.Envelopes.Change;
import io.tokenledger.sealing.Envelopes.What;
import io.tokenledger.store.EventJson;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import java.io.UncheckedIOException;
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
import java.util.Objects;
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
 * Audit of requests that changed nothing, and of what the service does by itself, each in a
 * transaction of its own. The first of a kind is durable before the caller goes on; the others of
 * the same actor or network, reason, resource and minute are counted and become one event when the
 * minute is over, so that an attacker cannot fill the ledger by asking. A crash loses at most the
 * counts of the running minute, never a first. While the database is away no first can be stored,
 * so each caller hears that, and what was counted before is kept until it can be.
 */
public final class RequestLog implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(RequestLog.class);

  /** How many kinds are told apart at one time; what is beyond shares one window a type. */
  private static final int MAX_WINDOWS = 10_000;

  private static final int MAX_BATCH = 64;

  /** How long a caller waits for its event to be stored; a database that hangs says nothing. */
  private static final Duration STORE_LIMIT = Duration.ofSeconds(15);

  /** How long what could not be written waits for its next turn. */
  private static final Duration RETRY_PAUSE = Duration.ofSeconds(2);

  private static final int MAX_WAITING = 10_000;

  /** A query is stored up to this length: it is the caller's, and may be as long as a body. */
  private static final int MAX_QUERY_CHARS = 8_192;

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

  /**
   * What is counted together.
   *
   * @param read for a read of the audit log: route and exact query; else null
   */
  private record Kind(
      EventType type,
      String who,
      String action,
      String reason,
      int status,
      @Nullable String target,
      @Nullable String read) {}

  /**
   * An event to write.
   *
   * @param summary where its counts go back to when it cannot be written; null for a first
   */
  private record Waiting(
      Object event,
      Instant occurredAt,
      RequestContext context,
      CompletableFuture<String> durable,
      Map.@Nullable Entry<Kind, Window> summary) {
    private Waiting(Object event, Instant occurredAt, RequestContext context) {
      this(event, occurredAt, context, new CompletableFuture<>(), null);
    }
  }

  private static final class Window {
    private final RequestContext context;
    private final Instant opened;

    /** The first of its kind on its way to the database; null where firsts are only counted. */
    private final @Nullable CompletableFuture<String> firstDurable;

    private @Nullable AuditRead lastRead;
    private Instant first;
    private Instant last;
    private long uncounted;

    private Window(
        RequestContext context,
        Instant opened,
        @Nullable CompletableFuture<String> firstDurable,
        @Nullable AuditRead lastRead) {
      this.context = context;
      this.opened = opened;
      this.firstDurable = firstDurable;
      this.lastRead = lastRead;
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
        kind(EventType.AUTHENTICATION_FAILED, context, action, reason, status, null),
        context,
        true,
        null);
  }

  /**
   * A valid token does not allow what was asked.
   *
   * @throws LedgerUnavailable when the first of its kind cannot be stored
   */
  public void accessDenied(
      RequestContext context, String action, String reason, int status, @Nullable String target) {
    record(
        kind(EventType.ACCESS_DENIED, context, action, reason, status, target),
        context,
        true,
        null);
  }

  /**
   * A permitted request could not be carried out.
   *
   * @throws LedgerUnavailable when the first of its kind cannot be stored
   */
  public void commandRejected(
      RequestContext context, String action, String reason, int status, @Nullable String target) {
    record(
        kind(EventType.COMMAND_REJECTED, context, action, reason, status, target),
        context,
        true,
        null);
  }

  /** A decision was "no". Counted only: asking is not a failure, and gateways ask often. */
  public void decisionDenied(RequestContext context, String reason, @Nullable String target) {
    record(
        kind(EventType.DECISIONS_DENIED, context, "decision.check", reason, 200, target),
        context,
        false,
        null);
  }

  /**
   * A request came again and got the stored answer of the first, secret included.
   *
   * @param target the token as {@code token:ID}
   * @throws LedgerUnavailable when the first of its kind cannot be stored
   */
  public void answerRepeated(RequestContext context, String action, String target) {
    record(
        kind(EventType.ANSWER_REPEATED, context, action, "idempotent_repeat", 201, target),
        context,
        true,
        null);
  }

  /**
   * The authorization lookup was rebuilt. Each has its own event.
   *
   * @param action {@code replay.verify} or {@code replay.swap}
   * @param equal whether the live lookup was what the events say
   * @throws LedgerUnavailable when that cannot be stored
   */
  public void replayFinished(
      RequestContext context,
      String action,
      @Nullable String target,
      boolean equal,
      Instant started) {
    submit(
        new ReplayFinished(
            action, equal ? "equal" : "different", 200, target, 1, started, clock.instant()),
        context);
  }

  /**
   * Someone directs a replay; stored before that is done. Each has its own event.
   *
   * @param target {@code replay:7}, or what is to be built
   * @throws LedgerUnavailable when it cannot be stored: then it must not be done
   */
  public void replayRequested(RequestContext context, String action, String target) {
    Instant now = clock.instant();
    submit(new ReplayRequested(action, "granted", 200, target, 1, now, now), context);
  }

  /**
   * The audit log is read, and this is called before the answer leaves. The first read is stored
   * before this returns; the same read by the same actor within the window is only counted.
   *
   * @param reason by which right, see {@link AuditLogRead}
   * @throws LedgerUnavailable when it cannot be stored: then the answer must not leave
   */
  public void auditRead(RequestContext context, String reason, AuditRead read) {
    record(
        new Kind(
            EventType.AUDIT_LOG_READ,
            who(context),
            EventType.AUDIT_LOG_READ.action(),
            reason,
            200,
            null,
            read.route() + "\n" + read.exactQuery()),
        context,
        true,
        read);
  }

  /**
   * A part of the audit log was exported. Each has its own event.
   *
   * @param reason by which right, see {@link AuditLogRead}
   * @param query what was asked for, values that may be personal as {@code *}
   * @param sha256Hex of the bytes handed out
   * @return the event's id
   * @throws LedgerUnavailable when that cannot be stored
   */
  public String auditExported(
      RequestContext context,
      String reason,
      String format,
      String query,
      long rows,
      @Nullable Long firstLeafIndex,
      @Nullable Long lastLeafIndex,
      long treeSize,
      String sha256Hex) {
    Instant now = clock.instant();
    return submit(
        new AuditExported(
            EventType.AUDIT_EXPORTED.action(),
            reason,
            200,
            format,
            storable(query),
            rows,
            firstLeafIndex,
            lastLeafIndex,
            treeSize,
            sha256Hex,
            1,
            now,
            now),
        context);
  }

  /**
   * The history was verified. Each has its own event.
   *
   * @param reason by which right, see {@link AuditLogRead}
   * @param result {@code ok}, {@code tampered} or {@code not_checked}
   * @return the event's id
   * @throws LedgerUnavailable when that cannot be stored
   */
  public String auditVerified(
      RequestContext context, String reason, String scope, String result, long treeSize) {
    Instant now = clock.instant();
    return submit(
        new AuditVerified(
            EventType.AUDIT_VERIFIED.action(), reason, 200, scope, result, treeSize, 1, now, now),
        context);
  }

  /**
   * A proof was handed out. Each has its own event.
   *
   * @param reason by which right, see {@link AuditLogRead}
   * @return the event's id
   * @throws LedgerUnavailable when that cannot be stored
   */
  public String auditProofIssued(
      RequestContext context, String reason, long leafIndex, long treeSize) {
    Instant now = clock.instant();
    return submit(
        new AuditProofIssued(
            EventType.AUDIT_PROOF_ISSUED.action(), reason, 200, leafIndex, treeSize, 1, now, now),
        context);
  }

  /**
   * The service did or found something by itself. Each has its own event, which is durable when
   * this returns.
   *
   * @param context {@link RequestContext#ofNode}, or of the request that made it do so
   * @return the event's id
   * @throws LedgerUnavailable when it cannot be stored
   */
  public String append(ControlEvent event, RequestContext context) {
    return await(submit(new Waiting(event, clock.instant(), context)));
  }

  /**
   * The same in the caller's transaction: who finds what the events are about finds the events, and
   * no death of the node comes between. The caller commits, and the events' places in the log are
   * its care.
   *
   * @return their ids
   * @throws SQLException when they cannot be inserted
   * @throws LedgerUnavailable when they cannot be sealed
   */
  public List<String> append(
      Connection connection, List<? extends ControlEvent> events, RequestContext context)
      throws SQLException {
    Instant now = clock.instant();
    List<EventTable.Row> rows = new ArrayList<>(events.size());
    try {
      for (ControlEvent event : events) {
        rows.add(row(new Waiting(event, now, context)));
      }
    } catch (IllegalStateException | UncheckedIOException e) {
      throw new LedgerUnavailable("an event of the log itself cannot be sealed", e);
    }
    table.append(connection, rows);
    return rows.stream().map(EventTable.Row::eventId).toList();
  }

  private static Kind kind(
      EventType type,
      RequestContext context,
      String action,
      String reason,
      int status,
      @Nullable String target) {
    return new Kind(type, who(context), action, reason, status, target, null);
  }

  private void record(
      Kind kind, RequestContext context, boolean firstAtOnce, @Nullable AuditRead read) {
    Instant now = clock.instant();
    Kind bounded;
    Window open;
    Waiting firstOfKind = null;
    synchronized (windows) {
      bounded = bounded(kind, windows);
      // What was read by whom must not drown in "others": beyond the limit each has its own event.
      boolean alone = read != null && !bounded.equals(kind);
      open = alone ? null : windows.get(bounded);
      if (open == null) {
        firstOfKind =
            firstAtOnce ? new Waiting(event(kind, 1, now, now, read), now, context) : null;
        open = new Window(context, now, firstOfKind == null ? null : firstOfKind.durable(), read);
        if (!alone) {
          windows.put(bounded, open);
        }
      }
      if (firstOfKind == null) {
        open.add(1, now, now);
        open.lastRead = read;
      }
    }
    if (firstOfKind != null) {
      enqueue(firstOfKind);
    }
    if (open.firstDurable != null) {
      try {
        await(open.firstDurable);
      } catch (LedgerUnavailable e) {
        // Nothing stands for the repeats: the next one is a first again.
        synchronized (windows) {
          windows.remove(bounded, open);
        }
        throw e;
      }
    }
  }

  private static Kind bounded(Kind kind, Map<Kind, Window> map) {
    return map.size() < MAX_WINDOWS || map.containsKey(kind)
        ? kind
        : new Kind(kind.type(), "others", "others", kind.reason(), kind.status(), null, null);
  }

  private static RequestEvent event(
      Kind kind, long count, Instant first, Instant last, @Nullable AuditRead read) {
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
      case AUDIT_LOG_READ -> auditLogRead(kind, Objects.requireNonNull(read), count, first, last);
      default -> throw new IllegalArgumentException("not counted: " + kind.type());
    };
  }

  private static AuditLogRead auditLogRead(
      Kind kind, AuditRead read, long count, Instant first, Instant last) {
    return new AuditLogRead(
        kind.action(),
        kind.reason(),
        kind.status(),
        read.route(),
        storable(read.query()),
        read.rows(),
        read.firstLeafIndex(),
        read.lastLeafIndex(),
        read.treeSize(),
        count,
        first,
        last);
  }

  /** A query as it may be stored: bounded, and without a token that someone pasted into it. */
  private static String storable(String query) {
    String text = Envelopes.withoutSecrets(query);
    return text.length() <= MAX_QUERY_CHARS ? text : text.substring(0, MAX_QUERY_CHARS) + "...";
  }

  /** Token id, or the network: an address is one person's, a network is an attacker's. */
  private static String who(RequestContext context) {
    if (context.actor().tokenId() != null) {
      return "token:" + context.actor().tokenId();
    }
    String address = context.clientAddress();
    return address == null ? context.actor().type().wireName() : "net:" + Networks.prefix(address);
  }

  private String submit(RequestEvent event, RequestContext context) {
    return await(submit(new Waiting(event, event.last(), context)));
  }

  private CompletableFuture<String> submit(Waiting waiting) {
    enqueue(waiting);
    return waiting.durable();
  }

  private void enqueue(Waiting waiting) {
    if (closing || !queue.offer(waiting)) {
      waiting
          .durable()
          .completeExceptionally(
              new LedgerUnavailable(
                  "too many events wait to be recorded", new IllegalStateException("queue full")));
    }
  }

  private static String await(CompletableFuture<String> durable) {
    try {
      return durable.get(STORE_LIMIT.toSeconds(), TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof LedgerUnavailable unavailable
          ? unavailable
          : new LedgerUnavailable("the request cannot be recorded", e);
    } catch (TimeoutException e) {
      throw new LedgerUnavailable("the request took too long to record", e);
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
                event(entry.getKey(), open.uncounted, open.first, open.last, open.lastRead),
                open.last,
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
          unwritten.merge(
              bounded(waiting.summary().getKey(), unwritten),
              waiting.summary().getValue(),
              (kept, more) -> {
                kept.add(more.uncounted, more.first, more.last);
                kept.lastRead = more.lastRead;
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
      for (int i = 0; i < rows.size(); i++) {
        batch.get(i).durable().complete(rows.get(i).eventId());
      }
      committed.run();
    } catch (SQLException | RuntimeException e) {
      // The outermost boundary of this thread. At the end there is no later: what is counted then
      // is lost, and said to be.
      LOG.warn(
          "{} events were not recorded{}: {}", batch.size(), closing ? "" : " yet", e.getMessage());
      if (!closing) {
        putBack(batch);
      }
      LedgerUnavailable failure = new LedgerUnavailable("the request cannot be recorded", e);
      batch.forEach(waiting -> waiting.durable().completeExceptionally(failure));
    }
  }

  private EventTable.Row row(Waiting waiting) {
    Object event = waiting.event();
    EventType type = EventType.of(event);
    String eventId = IdentifierFactory.getInstance().generateIdentifier();
    boolean ofRequest = event instanceof RequestEvent;
    return new EventTable.Row(
        eventId,
        (ofRequest ? "request:" : "service:") + eventId,
        0,
        ofRequest ? "Request" : "Service",
        type.storedName(),
        type.revision(),
        DateTimeUtils.formatInstant(waiting.occurredAt()),
        EventJson.write(event),
        envelopes.write(
            eventId,
            waiting.occurredAt(),
            waiting.context(),
            event instanceof RequestEvent request ? what(request) : what((ControlEvent) event)));
  }

  private static What what(RequestEvent event) {
    String target = target(event);
    // The others know the name that was asked for, whether or not a token bears it.
    boolean byId = event instanceof AnswerRepeated || event instanceof DecisionsDenied;
    return new What(
        event.action(),
        outcome(event),
        event.reason(),
        event.statusCode(),
        targetType(event, target),
        byId ? target : null,
        byId ? null : target,
        null,
        null,
        List.of());
  }

  private static Outcome outcome(RequestEvent event) {
    if (event instanceof CommandRejected) {
      return Outcome.FAILED;
    }
    if (event instanceof AuditVerified verified) {
      return verified.result().equals("ok") ? Outcome.SUCCESS : Outcome.FAILED;
    }
    boolean refused =
        event instanceof AuthenticationFailed
            || event instanceof AccessDenied
            || event instanceof DecisionsDenied;
    return refused ? Outcome.DENIED : Outcome.SUCCESS;
  }

  /** Reads of a token's history have no token as target: they would become part of that history. */
  private static @Nullable String targetType(RequestEvent event, @Nullable String target) {
    boolean ofAudit =
        event instanceof AuditLogRead
            || event instanceof AuditExported
            || event instanceof AuditVerified
            || event instanceof AuditProofIssued;
    return ofAudit ? "audit_log" : target == null ? null : "token";
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

  private static What what(ControlEvent event) {
    if (event instanceof ControlEvent.CheckpointAnchored anchored) {
      return done(event, "checkpoint", "checkpoint:" + anchored.size());
    }
    if (event instanceof ControlEvent.LogGenerationStarted started) {
      return done(event, "log", "log:" + started.origin());
    }
    if (event instanceof ControlEvent.RestoreAccepted accepted) {
      return done(event, "log", "log:" + accepted.size());
    }
    if (event instanceof ControlEvent.WitnessRefused refused) {
      return failed(
          event, "witness_refused", refused.status(), "checkpoint", "checkpoint:" + refused.size());
    }
    if (event instanceof ControlEvent.SigningRefused refused) {
      return failed(event, refused.reason(), 500, "checkpoint", "checkpoint:" + refused.size());
    }
    if (event instanceof ControlEvent.GrantDriftFound) {
      return failed(event, "grant_drift", 500, "table", "table:ledger.event");
    }
    if (event instanceof ControlEvent.ForgedEventFound forged) {
      return failed(event, "forged_event", 500, "event", "event:" + forged.eventId());
    }
    if (event instanceof ControlEvent.UnreadableEventFound found) {
      return failed(event, "unreadable_event", 500, "event", "event:" + found.eventId());
    }
    if (event instanceof ControlEvent.EventQuarantined quarantined) {
      return done(event, "event", "event:" + quarantined.eventId());
    }
    if (event instanceof ControlEvent.DeliveryRefused refused) {
      return failed(event, "delivery_refused", 422, "sink", "sink:" + refused.sink());
    }
    if (event instanceof ControlEvent.DeadLettersRequeued requeued) {
      return done(event, "sink", "sink:" + requeued.sink());
    }
    if (event instanceof ControlEvent.EventReleased released) {
      return done(event, "event", "event:" + released.eventId());
    }
    if (event instanceof ControlEvent.SubjectErased erased) {
      return done(event, "subject", erased.subject());
    }
    if (event instanceof ControlEvent.ArchiveWritten
        || event instanceof ControlEvent.ArchiveRestored) {
      return done(event, "archive", "archive");
    }
    if (event instanceof ControlEvent.RetentionChanged changed) {
      return done(event, "retention", "retention:" + changed.retentionClass());
    }
    if (event instanceof ControlEvent.EventsPruned pruned) {
      return done(event, "retention", "retention:" + pruned.retentionClass());
    }
    if (event instanceof ControlEvent.EventsWithheld withheld) {
      return done(event, "retention", "retention:" + withheld.retentionClass());
    }
    if (event instanceof ControlEvent.LegalHoldPlaced placed) {
      return done(event, "hold", "hold:" + placed.hold());
    }
    if (event instanceof ControlEvent.LegalHoldLifted lifted) {
      return done(event, "hold", "hold:" + lifted.hold());
    }
    if (event instanceof ControlEvent.ConfigurationChanged changed) {
      return new What(
          EventType.of(event).action(),
          Outcome.SUCCESS,
          null,
          200,
          null,
          null,
          null,
          null,
          null,
          changed.changes().stream()
              .map(change -> new Change(change.path(), change.before(), change.after()))
              .toList());
    }
    // The node itself: the envelope names it.
    return done(event, null, null);
  }

  private static What done(
      ControlEvent event, @Nullable String targetType, @Nullable String targetId) {
    return new What(
        EventType.of(event).action(),
        Outcome.SUCCESS,
        null,
        200,
        targetType,
        targetId,
        null,
        null,
        null,
        List.of());
  }

  private static What failed(
      ControlEvent event, String reason, int status, String targetType, String targetId) {
    return new What(
        EventType.of(event).action(),
        Outcome.FAILED,
        reason,
        status,
        targetType,
        targetId,
        null,
        null,
        null,
        List.of());
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

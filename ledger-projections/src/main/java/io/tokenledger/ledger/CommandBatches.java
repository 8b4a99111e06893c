package io.tokenledger.ledger;

import static java.util.Objects.requireNonNull;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.idempotency.AnswerExists;
import io.tokenledger.idempotency.IdempotentAnswers;
import io.tokenledger.lookup.LookupTable;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.Position;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.token.Refusal;
import io.tokenledger.token.Token;
import io.tokenledger.token.TokenCommand;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenRefused;
import io.tokenledger.token.TokenSummary;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingDeque;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.axonframework.commandhandling.CommandBus;
import org.axonframework.commandhandling.CommandMessage;
import org.axonframework.commandhandling.GenericCommandMessage;
import org.axonframework.commandhandling.SimpleCommandBus;
import org.axonframework.common.lock.NullLockFactory;
import org.axonframework.common.transaction.NoTransactionManager;
import org.axonframework.common.transaction.Transaction;
import org.axonframework.eventsourcing.EventSourcingRepository;
import org.axonframework.eventsourcing.eventstore.EmbeddedEventStore;
import org.axonframework.messaging.MetaData;
import org.axonframework.messaging.correlation.SimpleCorrelationDataProvider;
import org.axonframework.messaging.interceptors.CorrelationDataInterceptor;
import org.axonframework.messaging.unitofwork.DefaultUnitOfWork;
import org.axonframework.messaging.unitofwork.UnitOfWork;
import org.axonframework.modelling.command.AggregateAnnotationCommandHandler;
import org.axonframework.modelling.command.Repository;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs commands, several of them in one transaction when several wait. One commit for many is what
 * makes creation under load as fast as bare inserts. Each command has a nested unit of work, so one
 * that is refused takes nothing of the others with it; a batch that collides with another node's is
 * run again one by one. No answer leaves before its commit.
 */
final class CommandBatches implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(CommandBatches.class);

  private static final int WORKERS = 2;
  private static final int MAX_BATCH = 64;
  private static final int MAX_WAITING = 10_000;
  private static final int MAX_ATTEMPTS = 10;
  private static final Duration DRAIN = Duration.ofSeconds(20);

  private final Transactions transactions;
  private final EventStorage storage;
  private final EventTable table;
  private final Runnable committed;
  private final Function<Position, CompletableFuture<Boolean>> applied;
  private final CommandBus commands;
  private final Snapshots snapshots;
  private final LinkedBlockingDeque<Waiting> queue = new LinkedBlockingDeque<>(MAX_WAITING);
  private final List<Thread> workers = new ArrayList<>();
  private final DistributionSummary batchSizes;
  private final Counter conflicts;
  private volatile boolean closing;

  private record Waiting(
      Proposal proposal, RequestContext context, CompletableFuture<Committed> answer) {}

  /** What a command came to, to be told once the transaction is committed. */
  private record Result(
      Waiting waiting, @Nullable TokenSummary summary, @Nullable Throwable failure) {}

  private record Attempt(Position position, List<Result> results) {}

  private record Prepared(Position position, List<String> longStreams) {}

  /**
   * @param committed called after each commit that appended something
   * @param applied completes when this node can no longer decide by what was before that commit
   */
  CommandBatches(
      Transactions transactions,
      EventStorage storage,
      EventTable table,
      Runnable committed,
      Function<Position, CompletableFuture<Boolean>> applied,
      MeterRegistry meters) {
    this.transactions = transactions;
    this.storage = storage;
    this.table = table;
    this.committed = committed;
    this.applied = applied;
    this.batchSizes = DistributionSummary.builder("ledger.command.batch").register(meters);
    this.conflicts = Counter.builder("ledger.command.conflicts").register(meters);
    Repository<Token> repository = repository(storage);
    this.commands = commandBus(repository);
    this.snapshots = new Snapshots(transactions, storage, repository, meters);
    for (int i = 0; i < WORKERS; i++) {
      Thread worker = new Thread(this::work, "ledger-commands-" + i);
      worker.setDaemon(true);
      worker.start();
      workers.add(worker);
    }
  }

  private static Repository<Token> repository(EventStorage storage) {
    return EventSourcingRepository.builder(Token.class)
        .eventStore(EmbeddedEventStore.builder().storageEngine(storage).build())
        // The unique (stream, sequence) is the lock, across threads as across nodes.
        .lockFactory(NullLockFactory.INSTANCE)
        .build();
  }

  private static CommandBus commandBus(Repository<Token> repository) {
    // The transaction is the batch's: one begun for each command would end the others with it.
    SimpleCommandBus bus =
        SimpleCommandBus.builder().transactionManager(NoTransactionManager.INSTANCE).build();
    bus.registerHandlerInterceptor(
        new CorrelationDataInterceptor<>(new SimpleCorrelationDataProvider(EventStorage.CONTEXT)));
    AggregateAnnotationCommandHandler.<Token>builder()
        .aggregateType(Token.class)
        .repository(repository)
        .build()
        .subscribe(bus);
    return bus;
  }

  CompletableFuture<Committed> submit(Proposal proposal, RequestContext context) {
    CompletableFuture<Committed> answer = new CompletableFuture<>();
    if (closing || !queue.offer(new Waiting(proposal, context, answer))) {
      answer.completeExceptionally(
          new LedgerUnavailable("too many commands wait", new IllegalStateException("queue full")));
    }
    return answer;
  }

  private void work() {
    while (true) {
      List<Waiting> batch;
      try {
        batch = nextBatch();
      } catch (InterruptedException e) {
        return;
      }
      if (batch.isEmpty()) {
        if (closing) {
          return;
        }
        continue;
      }
      runSafely(batch);
    }
  }

  /** Those that wait, at most {@value #MAX_BATCH}, at most one a name; the rest keeps its place. */
  private List<Waiting> nextBatch() throws InterruptedException {
    Waiting first = queue.poll(100, TimeUnit.MILLISECONDS);
    if (first == null) {
      return List.of();
    }
    List<Waiting> batch = new ArrayList<>();
    Set<TokenName> names = new HashSet<>();
    List<Waiting> later = new ArrayList<>();
    for (Waiting next = first;
        next != null;
        next = batch.size() < MAX_BATCH ? queue.poll() : null) {
      if (names.add(next.proposal().name())) {
        batch.add(next);
      } else {
        later.add(next);
      }
    }
    for (int i = later.size() - 1; i >= 0; i--) {
      queue.addFirst(later.get(i));
    }
    return batch;
  }

  private void runSafely(List<Waiting> batch) {
    try {
      run(batch);
    } catch (RuntimeException e) {
      // The outermost boundary of this thread: whoever waits must hear, and the thread go on.
      LOG.error("a batch of commands failed", e);
      batch.forEach(waiting -> waiting.answer().completeExceptionally(e));
    }
  }

  private void run(List<Waiting> batch) {
    batchSizes.record(batch.size());
    try {
      tell(attempt(batch));
      return;
    } catch (RuntimeException e) {
      if (!isConflict(e)) {
        fail(batch, e);
        return;
      }
      conflicts.increment();
    }
    for (Waiting waiting : batch) {
      runAlone(waiting);
    }
  }

  private void runAlone(Waiting waiting) {
    for (int attempt = 1; ; attempt++) {
      try {
        tell(attempt(List.of(waiting)));
        return;
      } catch (RuntimeException e) {
        if (LookupTable.SECRET_CONSTRAINT.equals(EventTable.violatedConstraint(e))) {
          // Not a race that a second try could win: this secret is someone's already.
          waiting
              .answer()
              .completeExceptionally(
                  new TokenRefused(Refusal.SECRET_TAKEN, waiting.proposal().name().value()));
          return;
        }
        if (IdempotentAnswers.KEY_CONSTRAINT.equals(EventTable.violatedConstraint(e))) {
          waiting.answer().completeExceptionally(new AnswerExists());
          return;
        }
        if (!isConflict(e) || attempt == MAX_ATTEMPTS) {
          fail(List.of(waiting), e);
          return;
        }
        conflicts.increment();
      }
    }
  }

  private static void fail(List<Waiting> batch, RuntimeException failure) {
    LOG.warn("{} commands were not stored", batch.size(), failure);
    Throwable cause =
        failure instanceof LedgerUnavailable
            ? failure
            : new LedgerUnavailable("the commands were not stored", failure);
    batch.forEach(waiting -> waiting.answer().completeExceptionally(cause));
  }

  /** Another transaction was first at a place in a stream, or PostgreSQL asks to try again. */
  private static boolean isConflict(Throwable failure) {
    if (EventTable.violatedConstraint(failure) != null) {
      return true;
    }
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof SQLException sql
          && ("40P01".equals(sql.getSQLState()) || "40001".equals(sql.getSQLState()))) {
        return true;
      }
    }
    return false;
  }

  /** Runs the batch in one transaction. When this returns, it is committed. */
  private Attempt attempt(List<Waiting> batch) {
    UnitOfWork<?> root = DefaultUnitOfWork.startAndGet(null);
    List<Result> results = new ArrayList<>(batch.size());
    try {
      root.attachTransaction(transactions);
      Prepared prepared = prepare(batch);
      List<Long> ids = drawIds(batch);
      int nextId = 0;
      for (Waiting waiting : batch) {
        TokenId id =
            waiting.proposal().needsId() ? new TokenId(ids.get(nextId++)) : TokenId.OPERATOR;
        Result result = handle(waiting, id);
        keepAnswer(result);
        results.add(result);
      }
      root.commit();
      snapshots.want(prepared.longStreams());
      return new Attempt(prepared.position(), results);
    } catch (RuntimeException e) {
      if (root.isActive()) {
        root.rollback(e);
      }
      throw e;
    } finally {
      storage.forget();
    }
  }

  private void keepAnswer(Result result) {
    Proposal.Keep keep = result.waiting().proposal().keep();
    TokenSummary summary = result.summary();
    if (keep == null || summary == null) {
      return;
    }
    try {
      IdempotentAnswers.keep(
          transactions.connection(), keep.key(), summary.id(), keep.answer().apply(summary));
    } catch (SQLException e) {
      throw new EventStorage.AppendFailed(e);
    }
  }

  /** Reads what the batch is about, and says of which streams a snapshot is wanted. */
  private Prepared prepare(List<Waiting> batch) {
    try {
      Position position = table.lockAppends(transactions.connection());
      return new Prepared(
          position,
          storage.prefetch(
              batch.stream()
                  .map(waiting -> Token.aggregateId(waiting.proposal().name()))
                  .distinct()
                  .toList()));
    } catch (SQLException e) {
      throw new LedgerUnavailable("the streams cannot be read", e);
    }
  }

  private List<Long> drawIds(List<Waiting> batch) {
    long needed = batch.stream().filter(waiting -> waiting.proposal().needsId()).count();
    try {
      return table.nextTokenIds(transactions.connection(), Math.toIntExact(needed));
    } catch (SQLException e) {
      throw new LedgerUnavailable("no token id can be drawn", e);
    }
  }

  private Result handle(Waiting waiting, TokenId id) {
    TokenCommand command = waiting.proposal().command().apply(id);
    CommandMessage<TokenCommand> message =
        new GenericCommandMessage<>(
            command, MetaData.with(EventStorage.CONTEXT, waiting.context()));
    List<Result> result = new ArrayList<>(1);
    commands.dispatch(
        message,
        (sent, answer) -> {
          if (answer.isExceptional()) {
            result.add(new Result(waiting, null, failure(command, answer.exceptionResult())));
          } else {
            result.add(new Result(waiting, (TokenSummary) answer.getPayload(), null));
          }
        });
    return result.get(0);
  }

  /** A name whose history cannot be read obeys nobody: what it forbids is not known. */
  private static Throwable failure(TokenCommand command, Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof UnreadableEvent unreadable) {
        LOG.error("{} is refused: {}", command.getClass().getSimpleName(), unreadable.getMessage());
        return new TokenRefused(
            command.actor().mayManageTokens() ? Refusal.UNREADABLE : Refusal.NOT_PERMITTED,
            command.name().value());
      }
    }
    return failure;
  }

  private void tell(Attempt attempt) {
    boolean appended = false;
    for (Result result : attempt.results()) {
      TokenSummary summary = result.summary();
      if (summary == null) {
        result.waiting().answer().completeExceptionally(requireNonNull(result.failure()));
      } else {
        appended = true;
        tell(result.waiting(), new Committed(summary, attempt.position()));
      }
    }
    if (appended) {
      committed.run();
    }
  }

  /** A new token takes nothing from anyone; what may, is first obeyed here and then answered. */
  @SuppressWarnings("FutureReturnValueIgnored") // Completes the answer, whichever way it ends.
  private void tell(Waiting waiting, Committed done) {
    if (waiting.proposal().needsId()) {
      waiting.answer().complete(done);
    } else {
      applied.apply(done.position()).thenAccept(known -> waiting.answer().complete(done));
    }
  }

  /** For tests: what commands ask for and the clock does. */
  Snapshots snapshots() {
    return snapshots;
  }

  /**
   * Takes no more, runs what waits, and ends; what is left after 20 s hears that it was not run.
   */
  @Override
  public void close() {
    closing = true;
    try {
      for (Thread worker : workers) {
        worker.join(DRAIN.toMillis());
        worker.interrupt();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    for (Waiting left = queue.poll(); left != null; left = queue.poll()) {
      left.answer()
          .completeExceptionally(
              new LedgerUnavailable("shutting down", new IllegalStateException("closed")));
    }
    snapshots.close();
  }

  /**
   * Proves that an event and its lookup row are of one transaction, which a wrongly assembled
   * framework loses silently: creates a token, looks at both rows, rolls back, looks again.
   *
   * @throws IllegalStateException when they were not written together or did not go together
   */
  void probe(Proposal proposal, RequestContext context) {
    AtomicReference<EventTable.@Nullable Remains> inside = new AtomicReference<>();
    UnitOfWork<?> root = DefaultUnitOfWork.startAndGet(null);
    try {
      root.attachTransaction(
          () -> new Rehearsal(transactions.startTransaction(), proposal, inside));
      prepare(List.of(new Waiting(proposal, context, new CompletableFuture<>())));
      handle(new Waiting(proposal, context, new CompletableFuture<>()), TokenId.OPERATOR);
      root.commit();
    } finally {
      storage.forget();
    }
    EventTable.Remains after = transactions.fetchInTransaction(() -> remains(proposal));
    if (!new EventTable.Remains(1, 1).equals(inside.get())
        || !new EventTable.Remains(0, 0).equals(after)) {
      throw new IllegalStateException(
          "events and the authorization lookup do not share a transaction: "
              + inside
              + ", "
              + after);
    }
  }

  private EventTable.Remains remains(Proposal proposal) {
    try {
      return table.remains(transactions.connection(), proposal.name());
    } catch (SQLException e) {
      throw new LedgerUnavailable("the probe cannot be read", e);
    }
  }

  /** A transaction that looks at what it would commit and takes it back. */
  private final class Rehearsal implements Transaction {

    private final Transaction real;
    private final Proposal proposal;
    private final AtomicReference<EventTable.@Nullable Remains> seen;

    Rehearsal(
        Transaction real, Proposal proposal, AtomicReference<EventTable.@Nullable Remains> seen) {
      this.real = real;
      this.proposal = proposal;
      this.seen = seen;
    }

    @Override
    public void commit() {
      seen.set(remains(proposal));
      real.rollback();
    }

    @Override
    public void rollback() {
      real.rollback();
    }
  }
}

package io.tokenledger.ledger;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.follow.Follower;
import io.tokenledger.idempotency.IdempotentAnswers;
import io.tokenledger.privacy.Erasures;
import io.tokenledger.replay.Replay;
import io.tokenledger.store.Locks;
import io.tokenledger.token.Actor;
import io.tokenledger.token.TokenCommand.AnnounceExpiry;
import io.tokenledger.token.TokenCommand.RecordExpiry;
import io.tokenledger.tokens.TokenTable;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is due by the clock alone: notices that a token expires soon, the record that it has,
 * erasures that were begun, and the end of stored answers and of replays that were built for a
 * look. One node at a time does it, under a lock. The aggregate has the last word, so that a notice
 * is never given twice; what it refuses here is not worth an entry in the audit.
 */
final class Housekeeping implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Housekeeping.class);

  private static final Duration INTERVAL = Duration.ofSeconds(15);
  private static final Duration COMMAND_LIMIT = Duration.ofSeconds(30);

  private static final String TRY_LOCK =
      """
      SELECT pg_try_advisory_xact_lock(?)
      """;

  private final DataSource writers;
  private final CommandBatches commands;
  private final IdempotentAnswers answers;
  private final Replay replay;
  private final Erasures erasures;
  private final Runnable wake;
  private final BooleanSupplier resting;
  private @Nullable ScheduledFuture<?> rounds;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          work -> {
            Thread thread = new Thread(work, "ledger-housekeeping");
            thread.setDaemon(true);
            return thread;
          });

  /**
   * @param resting whether nothing may be done at present
   */
  Housekeeping(
      DataSource writers,
      CommandBatches commands,
      IdempotentAnswers answers,
      Replay replay,
      Erasures erasures,
      Runnable wake,
      BooleanSupplier resting) {
    this.writers = writers;
    this.commands = commands;
    this.answers = answers;
    this.replay = replay;
    this.erasures = erasures;
    this.wake = wake;
    this.resting = resting;
  }

  void start() {
    rounds =
        timer.scheduleWithFixedDelay(
            this::runSafely, INTERVAL.toSeconds(), INTERVAL.toSeconds(), TimeUnit.SECONDS);
  }

  private void runSafely() {
    if (resting.getAsBoolean()) {
      return;
    }
    try {
      run(Instant.now());
      erasures.complete();
      int deleted = answers.deleteOld();
      if (deleted > 0) {
        LOG.debug("{} stored answers are a day old and deleted", deleted);
      }
      int dropped = replay.dropExpired();
      if (dropped > 0) {
        LOG.info("{} replays reached the end of their lease and are dropped", dropped);
      }
    } catch (SQLException | RuntimeException e) {
      // The outermost boundary of this thread: the next round tries again.
      LOG.warn("housekeeping waits for the database: {}", e.getMessage());
    }
  }

  /**
   * Gives the notices and records the expiries that are due.
   *
   * @return how many events that made
   */
  int run(Instant now) throws SQLException {
    try (Connection connection = writers.getConnection()) {
      try {
        if (!locked(connection)) {
          return 0;
        }
        Follower.awaitCaughtUp(connection, TokenTable.NAME, wake);
        return carryOut(TokenTable.due(connection, now), now.truncatedTo(ChronoUnit.MILLIS));
      } finally {
        connection.rollback();
      }
    }
  }

  private static boolean locked(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(TRY_LOCK)) {
      statement.setLong(1, Locks.HOUSEKEEPING);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getBoolean(1);
      }
    }
  }

  private int carryOut(List<TokenTable.Due> due, Instant now) {
    List<CompletableFuture<Committed>> answers = new ArrayList<>();
    for (TokenTable.Due each : due) {
      RequestContext context =
          RequestContext.ofNode("clock", "expiry", UUID.randomUUID().toString());
      answers.add(
          commands.submit(
              Proposal.of(
                  each.daysAhead() == 0
                      ? new RecordExpiry(each.name(), each.id(), now, Actor.SYSTEM)
                      : new AnnounceExpiry(
                          each.name(), each.id(), each.daysAhead(), now, Actor.SYSTEM)),
              context));
    }
    int done = 0;
    for (CompletableFuture<Committed> answer : answers) {
      try {
        answer.get(COMMAND_LIMIT.toSeconds(), TimeUnit.SECONDS);
        done++;
      } catch (ExecutionException | TimeoutException e) {
        LOG.debug("an expiry was not recorded: {}", e.getMessage());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return done;
      }
    }
    return done;
  }

  @Override
  public void close() {
    if (rounds != null) {
      rounds.cancel(false);
    }
    timer.shutdown();
    try {
      // A round that is under way needs the commands, which are closed next.
      boolean ended = timer.awaitTermination(COMMAND_LIMIT.toSeconds(), TimeUnit.SECONDS);
      LOG.debug("housekeeping ended: {}", ended);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

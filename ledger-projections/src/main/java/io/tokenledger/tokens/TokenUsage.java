package io.tokenledger.tokens;

import io.tokenledger.token.TokenId;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * When each token was last used, to the minute. A use costs a write into a map; every half minute
 * one statement stores what is new. Never an event: as one, each use would contend for the token's
 * stream. What a crash loses is half a minute.
 */
public final class TokenUsage implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(TokenUsage.class);

  private static final long MINUTE_MILLIS = 60_000;
  private static final Duration INTERVAL = Duration.ofSeconds(30);

  private static final String STORE =
      """
      INSERT INTO state.token_usage AS known (token_id, last_used_at)
      SELECT id, to_timestamp(minute * 60)
        FROM unnest(?::bigint[], ?::bigint[]) AS used (id, minute)
       ORDER BY id
          ON CONFLICT (token_id) DO UPDATE
         SET last_used_at = greatest(known.last_used_at, excluded.last_used_at)
      """;

  private final DataSource writers;
  private final ConcurrentHashMap<Long, Long> minutes = new ConcurrentHashMap<>();
  private final ScheduledFuture<?> rounds;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          work -> {
            Thread thread = new Thread(work, "ledger-token-usage");
            thread.setDaemon(true);
            return thread;
          });

  /**
   * @param writers connections that do not commit by themselves
   */
  public TokenUsage(DataSource writers) {
    this.writers = writers;
    this.rounds =
        timer.scheduleWithFixedDelay(
            this::flush, INTERVAL.toSeconds(), INTERVAL.toSeconds(), TimeUnit.SECONDS);
  }

  /** A token was presented with success. */
  public void used(TokenId id, long epochMillis) {
    long minute = epochMillis / MINUTE_MILLIS;
    Long key = id.value();
    Long known = minutes.get(key);
    if (known == null || known < minute) {
      minutes.merge(key, minute, Math::max);
    }
  }

  /** Stores what is new. */
  public void flush() {
    Map<Long, Long> taken = Map.copyOf(minutes);
    if (taken.isEmpty()) {
      return;
    }
    Long[] ids = taken.keySet().toArray(new Long[0]);
    Long[] values = new Long[ids.length];
    for (int i = 0; i < ids.length; i++) {
      values[i] = taken.get(ids[i]);
    }
    try (Connection connection = writers.getConnection();
        PreparedStatement statement = connection.prepareStatement(STORE)) {
      statement.setArray(1, connection.createArrayOf("bigint", ids));
      statement.setArray(2, connection.createArrayOf("bigint", values));
      statement.executeUpdate();
      connection.commit();
      // What came meanwhile has a later minute and stays.
      taken.forEach(minutes::remove);
    } catch (SQLException e) {
      LOG.warn("the use of {} tokens was not stored yet: {}", ids.length, e.getMessage());
    }
  }

  @Override
  public void close() {
    rounds.cancel(false);
    timer.shutdown();
    flush();
  }
}

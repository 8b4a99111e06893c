package io.tokenledger.privacy;

import io.tokenledger.audit.ControlEvent.RetentionChanged;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.audit.RetentionClass;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/**
 * For how long the bodies of events are kept, by class, as the events say it. Without end until
 * someone says otherwise; to keep something for less time than before takes two tokens.
 */
public final class Retention {

  /** A century. */
  public static final int MAX_DAYS = 36_500;

  /** So long a second token has to ask for the same. */
  private static final Duration PROPOSAL_LIFE = Duration.ofDays(7);

  private static final String IS_LIVE =
      """
      SELECT EXISTS (SELECT 1
                       FROM views.token_lookup AS secret
                      CROSS JOIN (SELECT extract(epoch FROM clock_timestamp()) * 1000 AS now_ms)
                              AS clock
                      WHERE secret.token_id = ?
                        AND secret.revoked_at_ms   IS NULL
                        AND secret.suspended_at_ms IS NULL
                        AND coalesce(secret.superseded_at_ms, now_ms + 1) > now_ms
                        AND coalesce(secret.expires_at_ms, now_ms + 1)    > now_ms)
      """;

  private final DataSource writers;
  private final EventTable table;
  private final RequestLog requests;
  private final Runnable wake;

  /**
   * @param writers connections that do not commit by themselves
   * @param table knows which rows a node wrote
   * @param wake called when an event was committed
   */
  public Retention(DataSource writers, EventTable table, RequestLog requests, Runnable wake) {
    this.writers = writers;
    this.table = table;
    this.requests = requests;
    this.wake = wake;
  }

  /**
   * Keeps the bodies of that class for that long.
   *
   * @param days 1 to {@value #MAX_DAYS}; null for without end
   * @return whether it is in force; not when it is shorter than before and nobody else has asked
   *     for the same
   * @throws PrivacyRefused when the acting token has asked for the same: that takes a second one
   * @throws LedgerUnavailable when the database does not answer
   */
  public boolean keep(
      RetentionClass retentionClass, @Nullable Integer days, RequestContext context) {
    try (Connection connection = writers.getConnection()) {
      try {
        LegalHolds.lock(connection);
        RetentionPolicy before =
            policy(
                connection,
                Recorded.read(connection, table, Recorded.KEEPING),
                retentionClass,
                Instant.now());
        boolean inForce =
            !isShorter(before, days) || isSecond(before, days, LegalHolds.tokenId(context));
        requests.append(
            connection,
            List.of(new RetentionChanged(retentionClass.wireName(), before.days(), days, inForce)),
            context);
        connection.commit();
        wake.run();
        return inForce;
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("what is kept did not change", e);
    }
  }

  private static boolean isShorter(RetentionPolicy before, @Nullable Integer days) {
    return days != null && (before.days() == null || days < before.days());
  }

  private static boolean isSecond(
      RetentionPolicy before, @Nullable Integer days, @Nullable Long actor) {
    if (before.proposedDays() == null || !before.proposedDays().equals(days)) {
      return false;
    }
    if (Objects.equals(before.proposedByTokenId(), actor)) {
      throw new PrivacyRefused(
          "second_person", "who asked to keep less does not confirm it: another token must");
    }
    return true;
  }

  /**
   * What is kept for how long, of each class that can end.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public List<RetentionPolicy> policies() {
    return policies(Instant.now());
  }

  /** The same as if it were that late. */
  public List<RetentionPolicy> policies(Instant now) {
    try (Connection connection = writers.getConnection()) {
      try {
        Recorded recorded = Recorded.read(connection, table, Recorded.KEEPING);
        List<RetentionPolicy> all = new ArrayList<>();
        for (RetentionClass each : RetentionClass.values()) {
          if (each != RetentionClass.PERMANENT) {
            all.add(policy(connection, recorded, each, now));
          }
        }
        return all;
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("it is not known what is kept", e);
    }
  }

  private static RetentionPolicy policy(
      Connection connection, Recorded recorded, RetentionClass retentionClass, Instant now)
      throws SQLException {
    Recorded.Said said = recorded.retention(retentionClass.wireName());
    if (said == null) {
      return new RetentionPolicy(retentionClass, null, null, null, null, null);
    }
    Recorded.Proposal proposal = said.proposal();
    boolean stands =
        proposal != null
            && proposal.at().isAfter(now.minus(PROPOSAL_LIFE))
            && (proposal.tokenId() == null || isLive(connection, proposal.tokenId()));
    return new RetentionPolicy(
        retentionClass,
        said.days(),
        said.changedAt(),
        proposal == null || !stands ? null : proposal.days(),
        proposal == null || !stands ? null : proposal.tokenId(),
        proposal == null || !stands ? null : proposal.at());
  }

  private static boolean isLive(Connection connection, long tokenId) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(IS_LIVE)) {
      statement.setLong(1, tokenId);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getBoolean(1);
      }
    }
  }
}

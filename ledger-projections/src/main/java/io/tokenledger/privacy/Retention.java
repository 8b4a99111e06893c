package io.tokenledger.privacy;

import io.tokenledger.audit.ControlEvent.RetentionChanged;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.audit.RetentionClass;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.store.LedgerUnavailable;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/**
 * For how long the bodies of events are kept, by class: all SQL on {@code state.retention}. Without
 * end until someone says otherwise; to keep something for less time than before takes two tokens.
 */
public final class Retention {

  /** A century. */
  public static final int MAX_DAYS = 36_500;

  /** So long a second token has to ask for the same. */
  private static final int PROPOSAL_DAYS = 7;

  /** A proposal stands for some days, and while the token that made it is live. */
  private static final String POLICIES =
      """
      SELECT class, days, changed_at,
             CASE WHEN stands THEN proposed_days        END AS proposed_days,
             CASE WHEN stands THEN proposed_by_token_id END AS proposed_by_token_id,
             CASE WHEN stands THEN proposed_at          END AS proposed_at
        FROM (SELECT said.*,
                     said.proposed_at > clock_timestamp() - make_interval(days => ?)
                     AND (said.proposed_by_token_id IS NULL
                       OR EXISTS (SELECT 1
                                    FROM views.token_lookup AS proposer
                                   CROSS JOIN (SELECT extract(epoch FROM clock_timestamp()) * 1000
                                                        AS now_ms) AS clock
                                   WHERE proposer.token_id = said.proposed_by_token_id
                                     AND proposer.revoked_at_ms   IS NULL
                                     AND proposer.suspended_at_ms IS NULL
                                     AND coalesce(proposer.superseded_at_ms, now_ms + 1) > now_ms
                                     AND coalesce(proposer.expires_at_ms, now_ms + 1) > now_ms))
                       AS stands
                FROM state.retention AS said) AS known
      """;

  private static final String IN_FORCE =
      """
      INSERT INTO state.retention AS known (class, days)
      VALUES (?, ?)
          ON CONFLICT (class) DO UPDATE
         SET days                 = excluded.days,
             changed_at           = clock_timestamp(),
             proposed_days        = NULL,
             proposed_by_token_id = NULL,
             proposed_at          = NULL
      """;

  private static final String PROPOSE =
      """
      INSERT INTO state.retention AS known
        (class, proposed_days, proposed_by_token_id, proposed_at)
      VALUES (?, ?, ?, clock_timestamp())
          ON CONFLICT (class) DO UPDATE
         SET proposed_days        = excluded.proposed_days,
             proposed_by_token_id = excluded.proposed_by_token_id,
             proposed_at          = excluded.proposed_at
      """;

  private final DataSource writers;
  private final RequestLog requests;
  private final Runnable wake;

  /**
   * @param writers connections that do not commit by themselves
   * @param wake called when an event was committed
   */
  public Retention(DataSource writers, RequestLog requests, Runnable wake) {
    this.writers = writers;
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
        RetentionPolicy before = policies(connection).get(retentionClass);
        Long actor = LegalHolds.tokenId(context);
        boolean inForce = !isShorter(before, days) || isSecond(before, days, actor);
        if (inForce) {
          try (PreparedStatement statement = connection.prepareStatement(IN_FORCE)) {
            statement.setString(1, retentionClass.wireName());
            statement.setObject(2, days);
            statement.executeUpdate();
          }
        } else {
          try (PreparedStatement statement = connection.prepareStatement(PROPOSE)) {
            statement.setString(1, retentionClass.wireName());
            statement.setObject(2, days);
            statement.setObject(3, actor);
            statement.executeUpdate();
          }
        }
        requests.append(
            connection,
            List.of(
                new RetentionChanged(
                    retentionClass.wireName(),
                    before == null ? null : before.days(),
                    days,
                    inForce)),
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

  private static boolean isShorter(@Nullable RetentionPolicy before, @Nullable Integer days) {
    Integer known = before == null ? null : before.days();
    return days != null && (known == null || days < known);
  }

  private static boolean isSecond(
      @Nullable RetentionPolicy before, @Nullable Integer days, @Nullable Long actor) {
    if (before == null || before.proposedDays() == null || !before.proposedDays().equals(days)) {
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
    try (Connection connection = writers.getConnection()) {
      try {
        Map<RetentionClass, RetentionPolicy> said = policies(connection);
        List<RetentionPolicy> all = new ArrayList<>();
        for (RetentionClass each : RetentionClass.values()) {
          if (each != RetentionClass.PERMANENT) {
            RetentionPolicy policy = said.get(each);
            all.add(
                policy == null ? new RetentionPolicy(each, null, null, null, null, null) : policy);
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

  /** What was said of a class; of the others nothing. */
  static Map<RetentionClass, RetentionPolicy> policies(Connection connection) throws SQLException {
    Map<RetentionClass, RetentionPolicy> policies = new EnumMap<>(RetentionClass.class);
    try (PreparedStatement statement = connection.prepareStatement(POLICIES)) {
      statement.setInt(1, PROPOSAL_DAYS);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          RetentionClass named = RetentionClass.named(row.getString("class")).orElse(null);
          if (named != null) {
            OffsetDateTime proposedAt = row.getObject("proposed_at", OffsetDateTime.class);
            policies.put(
                named,
                new RetentionPolicy(
                    named,
                    row.getObject("days", Integer.class),
                    row.getObject("changed_at", OffsetDateTime.class).toInstant(),
                    row.getObject("proposed_days", Integer.class),
                    row.getObject("proposed_by_token_id", Long.class),
                    proposedAt == null ? null : proposedAt.toInstant()));
          }
        }
      }
    }
    return policies;
  }
}

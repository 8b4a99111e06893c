package io.tokenledger.timeline;

import io.tokenledger.follow.Follower;
import io.tokenledger.permission.Action;
import io.tokenledger.permission.Decision;
import io.tokenledger.permission.Permissions;
import io.tokenledger.permission.ResourceType;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import io.tokenledger.tokens.TokenState;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/**
 * Says what every token was at any moment.
 *
 * <p>Every method throws {@link LedgerUnavailable} when the database does not answer.
 */
public final class Timeline {

  /** Most tokens that one call judges; the rest is for the next one. */
  public static final int MAX_JUDGED = 50_000;

  private static final int PAGE = 1_000;

  private final DataSource readers;
  private final Runnable wake;
  private final Clock clock;

  /**
   * @param readers connections that commit each statement by themselves
   * @param wake asks for what is committed to be taken by the followers
   */
  public Timeline(DataSource readers, Runnable wake, Clock clock) {
    this.readers = readers;
    this.wake = wake;
    this.clock = clock;
  }

  /**
   * Some of what was asked for.
   *
   * @param next what to go on after; null when this is the last
   */
  public record Page<T>(List<T> rows, @Nullable Long next) {}

  /**
   * The moment with the log that it lies in. Waits, a second at most, until what was committed
   * before the call is known.
   *
   * @param moment null for now
   * @throws MomentUnknown when the log is shorter, no such checkpoint was signed, or the time has
   *     not come
   */
  public ResolvedMoment resolve(@Nullable Moment moment) {
    return read(
        connection -> {
          Follower.awaitCaughtUp(connection, TokenHistoryTable.NAME, wake);
          long size = TokenHistoryTable.size(connection);
          Instant now = clock.instant().truncatedTo(ChronoUnit.MILLIS);
          if (moment == null) {
            return new ResolvedMoment(size, now, false);
          }
          if (moment instanceof Moment.AtTime at) {
            if (at.instant().isAfter(now)) {
              throw new MomentUnknown("must not lie in the future, got " + at);
            }
            return new ResolvedMoment(size, at.instant(), false);
          }
          long wanted = moment.size();
          if (wanted > size) {
            throw new MomentUnknown("must lie in the log, which has " + size + " leaves");
          }
          if (moment instanceof Moment.AtCheckpoint
              && !CheckpointTable.isSigned(connection, wanted)) {
            throw new MomentUnknown("must be a signed size, and no checkpoint has " + wanted);
          }
          return new ResolvedMoment(
              wanted,
              wanted == 0 ? Instant.EPOCH : TokenHistoryTable.occurredAt(connection, wanted - 1),
              true);
        });
  }

  /**
   * All tokens as of that moment, by ascending id.
   *
   * @param withRevoked whether also those that were revoked by then
   * @param after only ids above this one; null for all
   */
  public Page<TokenVersion> state(
      ResolvedMoment moment, boolean withRevoked, @Nullable Long after, int limit) {
    return read(
        connection -> {
          List<TokenVersion> rows =
              TokenHistoryTable.asOf(
                  connection, moment, withRevoked, after == null ? -1 : after, limit);
          return new Page<>(
              rows, rows.size() == limit ? rows.get(rows.size() - 1).id().value() : null);
        });
  }

  /**
   * What that token was, the oldest first.
   *
   * @param after only versions from above this leaf; null for all
   */
  public Page<TokenVersion> history(
      TokenId id, ResolvedMoment moment, @Nullable Long after, int limit) {
    return read(
        connection -> {
          List<TokenVersion> rows =
              TokenHistoryTable.history(
                  connection, id, after == null ? -1 : after, moment.treeSize(), limit);
          return new Page<>(
              rows, rows.size() == limit ? rows.get(rows.size() - 1).fromLeaf() : null);
        });
  }

  /**
   * The tokens that had an event, or expired, between two moments, by ascending id. What the event
   * changed may be none of what is kept here.
   *
   * @param after only ids above this one; null for all
   */
  public Page<TokenChange> changes(
      ResolvedMoment earlier, ResolvedMoment later, @Nullable Long after, int limit) {
    return read(
        connection -> {
          List<TokenHistoryTable.Different> different =
              TokenHistoryTable.different(
                  connection, earlier, later, after == null ? -1 : after, limit);
          Map<List<Long>, TokenVersion> versions = versions(connection, different);
          List<TokenChange> changes = new ArrayList<>();
          for (TokenHistoryTable.Different each : different) {
            changes.add(
                new TokenChange(
                    new TokenId(each.tokenId()),
                    version(versions, each.tokenId(), each.earlierLeaf()),
                    version(versions, each.tokenId(), each.laterLeaf())));
          }
          return new Page<>(
              changes,
              different.size() == limit ? different.get(different.size() - 1).tokenId() : null);
        });
  }

  private static Map<List<Long>, TokenVersion> versions(
      Connection connection, List<TokenHistoryTable.Different> different) throws SQLException {
    List<Long> ids = new ArrayList<>();
    List<Long> leaves = new ArrayList<>();
    for (TokenHistoryTable.Different each : different) {
      if (each.earlierLeaf() != null) {
        ids.add(each.tokenId());
        leaves.add(each.earlierLeaf());
      }
      if (each.laterLeaf() != null) {
        ids.add(each.tokenId());
        leaves.add(each.laterLeaf());
      }
    }
    Map<List<Long>, TokenVersion> versions = new HashMap<>();
    for (TokenVersion version : TokenHistoryTable.versions(connection, ids, leaves)) {
      versions.put(List.of(version.id().value(), version.fromLeaf()), version);
    }
    return versions;
  }

  private static @Nullable TokenVersion version(
      Map<List<Long>, TokenVersion> versions, long id, @Nullable Long leaf) {
    return leaf == null ? null : versions.get(List.of(id, leaf));
  }

  /**
   * The tokens that could do that at that moment, by ascending id: live ones whose permissions
   * decide so. Judges 50,000 tokens a call at most.
   *
   * @param name as {@link Permissions#decide} takes it
   * @param after only ids above this one; null for all
   */
  public Page<Holder> holders(
      ResolvedMoment moment,
      ResourceType type,
      String name,
      Action action,
      @Nullable Long after,
      int limit) {
    return read(
        connection -> {
          List<Holder> holders = new ArrayList<>();
          long last = after == null ? -1 : after;
          for (int judged = 0; judged < MAX_JUDGED; ) {
            List<TokenVersion> page = TokenHistoryTable.asOf(connection, moment, false, last, PAGE);
            for (TokenVersion token : page) {
              last = token.id().value();
              Decision decision = token.granted().decide(type, name, action);
              if (decision.allowed() && token.state(moment.time()) == TokenState.LIVE) {
                holders.add(new Holder(token, String.valueOf(decision.entry())));
              }
              if (holders.size() == limit) {
                return new Page<>(holders, last);
              }
            }
            if (page.size() < PAGE) {
              return new Page<>(holders, null);
            }
            judged += page.size();
          }
          return new Page<>(holders, last);
        });
  }

  /**
   * The event since which that has been so of a token without a break, up to now. Waits, a second
   * at most, until what was committed before the call is known.
   *
   * @param holds whether it was so after the event at which a version begins
   * @return empty when it is not so, as far as is known here
   */
  public Optional<DecidingEvent> since(TokenId id, Predicate<TokenVersion> holds) {
    return read(
        connection -> {
          Follower.awaitCaughtUp(connection, TokenHistoryTable.NAME, wake);
          @Nullable TokenVersion first = null;
          long before = Long.MAX_VALUE;
          for (int judged = 0; judged < MAX_JUDGED; judged += PAGE) {
            List<TokenVersion> page = TokenHistoryTable.newest(connection, id, before, PAGE);
            for (TokenVersion version : page) {
              if (!holds.test(version)) {
                return event(connection, first);
              }
              first = version;
              before = version.fromLeaf();
            }
            if (page.size() < PAGE) {
              break;
            }
          }
          return event(connection, first);
        });
  }

  private static Optional<DecidingEvent> event(
      Connection connection, @Nullable TokenVersion version) throws SQLException {
    return version == null ? Optional.empty() : TokenHistoryTable.event(connection, version);
  }

  /** The event of that name that cannot be read and is quarantined, the first of them. */
  public Optional<DecidingEvent> quarantined(TokenName name) {
    return read(connection -> TokenHistoryTable.quarantined(connection, name));
  }

  private interface Query<T> {
    T run(Connection connection) throws SQLException;
  }

  private <T> T read(Query<T> query) {
    try (Connection connection = readers.getConnection()) {
      return query.run(connection);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the history of tokens does not answer", e);
    }
  }
}

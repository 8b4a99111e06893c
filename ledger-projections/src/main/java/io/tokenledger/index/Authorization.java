package io.tokenledger.index;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.index.IndexFeed.State;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.lookup.LookupRow;
import io.tokenledger.lookup.LookupTable;
import io.tokenledger.lookup.Snapshot;
import io.tokenledger.lookup.TokenLookup;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.Position;
import io.tokenledger.token.SecretHash;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/**
 * Answers what a presented secret is: from memory while this node hears of changes, else from the
 * database.
 *
 * <p>A yes is at most {@link #BOUND} old, and on the node that carried the change out never older
 * than its answer. That a secret is not live is not said from memory as it was before the question:
 * it waits for the next look, a few milliseconds, so that a token works everywhere once its
 * creation was answered. Only one that such a look refused within the last second is refused at
 * once, by what is known as of {@link #NEARLY_NOW}. Whether it was ever live makes no difference to
 * either, so that nobody learns that from the time.
 */
public final class Authorization implements AutoCloseable {

  /** No request that arrives later than this after a revocation's answer is allowed. */
  public static final Duration BOUND = Duration.ofSeconds(1);

  /** How far behind the next refusal of the same secret may be: a few looks. */
  static final Duration NEARLY_NOW = Duration.ofMillis(20);

  /** For a look; when there is none the database is asked. */
  private static final Duration LOOK_LIMIT = Duration.ofMillis(250);

  private static final long RECEIPT_PAUSE_MILLIS = 5;

  /** Of more changes than these a gateway is told that everything changed. */
  private static final int MAX_RESUMED = 10_000;

  private final TokenLookup lookup;
  private final DataSource readers;
  private final IndexFeed feed;
  private final NodeLease lease;
  private final RefusedLately refused = new RefusedLately();
  private final Counter asked;
  private final List<Consumer<FeedEvent>> listeners = new CopyOnWriteArrayList<>();

  /**
   * @param readers connections that commit each statement by itself
   */
  public Authorization(
      DatabaseUrl app,
      String nodeId,
      TokenLookup lookup,
      DataSource readers,
      MeterRegistry meters) {
    this.lookup = lookup;
    this.readers = readers;
    this.feed = new IndexFeed(app, Runtime.getRuntime().maxMemory() / 5 * 2, this::changed);
    this.lease = new NodeLease(app, nodeId, feed::state);
    this.asked =
        Counter.builder("ledger.index.passed")
            .description("Decisions for which the database was asked instead of memory")
            .register(meters);
    Gauge.builder("ledger.index.secrets", this, index -> index.of(AuthorizationIndex::size))
        .register(meters);
    Gauge.builder(
            "ledger.index.bytes", this, index -> index.of(AuthorizationIndex::approximateBytes))
        .register(meters);
    Gauge.builder("ledger.index.age.seconds", this, Authorization::ageSeconds)
        .description("How long ago the last look at the lookup began")
        .register(meters);
  }

  private interface Size {
    long of(AuthorizationIndex index);
  }

  private double of(Size size) {
    State state = feed.state();
    return state == null ? 0 : size.of(state.index());
  }

  private double ageSeconds() {
    State state = feed.state();
    return state == null ? Double.NaN : state.began().agoMillis() / 1_000.0;
  }

  private void changed(State now, @Nullable List<LookupRow> rows) {
    lease.wake();
    if (!listeners.isEmpty()) {
      FeedEvent event =
          rows == null
              ? new FeedEvent(id(now), true, List.of())
              : new FeedEvent(id(now), false, rows.stream().map(Authorization::changed).toList());
      listeners.forEach(listener -> listener.accept(event));
    }
  }

  private static FeedEvent.Changed changed(LookupRow row) {
    return new FeedEvent.Changed(
        row.tokenId(), row.name(), SecretHash.ofBytes(row.hash()).toString());
  }

  /** Timeline, a number for the generation of the rows, and the snapshot: the same on all nodes. */
  private static String id(State state) {
    return state.timeline()
        + "-"
        + Integer.toHexString(state.generation().hashCode())
        + "-"
        + state.snapshot();
  }

  /**
   * Tells that one of every change that this node takes in, until it is closed. It must not wait:
   * the node's own memory waits for it.
   */
  public Subscription subscribe(Consumer<FeedEvent> listener) {
    listeners.add(listener);
    return () -> listeners.remove(listener);
  }

  /** An end without a fault. */
  public interface Subscription extends AutoCloseable {
    @Override
    void close();
  }

  /**
   * What a gateway must no longer believe that last heard that id; everything, when it heard none,
   * or it is not known what has changed since.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public FeedEvent since(@Nullable String lastId) {
    State now = feed.state();
    if (now == null) {
      throw new LedgerUnavailable("no lookup is read yet", new IllegalStateException("starting"));
    }
    String beginning =
        now.timeline() + "-" + Integer.toHexString(now.generation().hashCode()) + "-";
    Optional<Snapshot> last =
        lastId != null && lastId.startsWith(beginning)
            ? Snapshot.parseGiven(lastId.substring(beginning.length()))
            : Optional.empty();
    // One of the future is of a server that was set back.
    if (last.isEmpty() || now.snapshot().isBehind(last.get())) {
      return new FeedEvent(id(now), true, List.of());
    }
    try (Connection connection = readers.getConnection()) {
      List<LookupRow> rows =
          LookupTable.changed(connection, last.get(), now.snapshot(), MAX_RESUMED + 1);
      return rows.size() > MAX_RESUMED
          ? new FeedEvent(id(now), true, List.of())
          : new FeedEvent(id(now), false, rows.stream().map(Authorization::changed).toList());
    } catch (SQLException e) {
      throw new LedgerUnavailable("what has changed cannot be read", e);
    }
  }

  /**
   * Reads the lookup into memory and begins to follow it.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public void start() {
    try {
      feed.start();
    } catch (SQLException e) {
      throw new LedgerUnavailable("the authorization lookup cannot be read", e);
    }
    lease.start();
  }

  private @Nullable State usable(@Nullable State state) {
    return state != null && state.began().isWithin(BOUND) && lease.covers(state.began())
        ? state
        : null;
  }

  /**
   * The token that this secret is or was a secret of.
   *
   * @throws LedgerUnavailable when memory cannot be believed and the database does not answer
   */
  public Sighting<Optional<FoundToken>> find(SecretHash hash) {
    Begun now = Begun.now();
    feed.asked(now);
    State state = usable(feed.state());
    if (state != null) {
      FoundToken token = state.index().find(hash);
      if (isLive(token, now) || isStillRefused(hash, state, now)) {
        return new Sighting<>(Optional.ofNullable(token), state.began());
      }
      State later = usable(feed.begunAfter(now, LOOK_LIMIT));
      if (later != null) {
        FoundToken then = later.index().find(hash);
        if (!isLive(then, now)) {
          refused.add(hash, now);
        }
        return new Sighting<>(Optional.ofNullable(then), later.began());
      }
    }
    asked.increment();
    return new Sighting<>(lookup.find(hash), now);
  }

  private boolean isStillRefused(SecretHash hash, State state, Begun now) {
    return refused.contains(hash, now) && state.began().isWithin(NEARLY_NOW);
  }

  private static boolean isLive(@Nullable FoundToken token, Begun now) {
    return token != null && token.state(now.epochMillis()) == FoundToken.State.LIVE;
  }

  /**
   * The same of many at once.
   *
   * @return a token for each hash that is known
   * @throws LedgerUnavailable when memory cannot be believed and the database does not answer
   */
  public Sighting<Map<SecretHash, FoundToken>> findAll(Collection<SecretHash> hashes) {
    Begun now = Begun.now();
    feed.asked(now);
    State state = usable(feed.state());
    if (state != null) {
      Map<SecretHash, FoundToken> found = all(state, hashes);
      if (hashes.stream()
          .allMatch(hash -> isLive(found.get(hash), now) || isStillRefused(hash, state, now))) {
        return new Sighting<>(found, state.began());
      }
      State later = usable(feed.begunAfter(now, LOOK_LIMIT));
      if (later != null) {
        Map<SecretHash, FoundToken> then = all(later, hashes);
        hashes.stream()
            .filter(hash -> !isLive(then.get(hash), now))
            .forEach(hash -> refused.add(hash, now));
        return new Sighting<>(then, later.began());
      }
    }
    asked.increment();
    return new Sighting<>(lookup.findAll(hashes), now);
  }

  private static Map<SecretHash, FoundToken> all(State state, Collection<SecretHash> hashes) {
    Map<SecretHash, FoundToken> found = new HashMap<>();
    for (SecretHash hash : hashes) {
      FoundToken token = state.index().find(hash);
      if (token != null) {
        found.put(hash, token);
      }
    }
    return found;
  }

  /** Why decisions ask the database, in a sentence; null while they are made from memory. */
  public @Nullable String degraded() {
    State state = feed.state();
    if (usable(state) != null) {
      return null;
    }
    String tooLarge = feed.tooLarge();
    if (tooLarge != null) {
      return tooLarge;
    }
    if (state == null) {
      return "the lookup is being read into memory: each decision asks the database";
    }
    return state.began().isWithin(BOUND)
        ? "the lease of this node has ended: each decision asks the database"
        : "the authorization index is "
            + state.began().agoMillis()
            + " ms old: each decision asks the database";
  }

  /**
   * Completes once memory holds what was written there, with true; with false when the time was
   * over first. After {@link #BOUND} no yes can rest on what was before.
   */
  public CompletableFuture<Boolean> applied(Position position, Duration limit) {
    return feed.applied(position, limit);
  }

  /**
   * Waits until every live node holds what was written there.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public NodeReceipt awaitNodes(Position position, Duration limit) {
    Begun began = Begun.now();
    Map<String, NodeReceipt.Applied> applied = new LinkedHashMap<>();
    while (true) {
      List<String> missing = new ArrayList<>();
      try (Connection connection = readers.getConnection()) {
        for (NodeTable.Node node :
            NodeTable.live(connection, position, feed.sessionSince(), NodeLease.LEASE)) {
          if (node.has()) {
            applied.putIfAbsent(
                node.runId(), new NodeReceipt.Applied(node.nodeId(), began.agoMillis()));
          } else {
            missing.add(node.nodeId());
          }
        }
      } catch (SQLException e) {
        throw new LedgerUnavailable("the nodes cannot be asked", e);
      }
      if (missing.isEmpty() || began.agoMillis() >= limit.toMillis()) {
        return new NodeReceipt(List.copyOf(applied.values()), missing);
      }
      try {
        Thread.sleep(RECEIPT_PAUSE_MILLIS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return new NodeReceipt(List.copyOf(applied.values()), missing);
      }
    }
  }

  @Override
  public void close() {
    lease.close();
    feed.close();
  }
}

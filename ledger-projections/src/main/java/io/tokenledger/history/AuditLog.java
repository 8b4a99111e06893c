package io.tokenledger.history;

import io.tokenledger.follow.Follower;
import io.tokenledger.history.AuditFilter.Field;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sealing.SubjectKeys;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.timeline.Moment;
import io.tokenledger.timeline.MomentUnknown;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.MissingNode;

/**
 * Searches the audit log. What is found is of the first so many leaves, and those never change: the
 * same question about the same size has the same answer, whatever is appended meanwhile.
 *
 * <p>Every method throws {@link LedgerUnavailable} when the database does not answer.
 */
public final class AuditLog {

  /** Most events that one search opens; the cursor goes on after them. */
  public static final int MAX_OPENED = 20_000;

  private static final int MAX_COUNTED = 1_000_000;
  private static final int MAX_VALUES = 50;
  private static final int FETCHED_TO_OPEN = 500;
  private static final int FETCHED_TO_EXPORT = 2_000;

  private static final int OPENED_AT_ONCE = 250;

  /** Threads that open what was read. */
  private static final int OPENERS = 2;

  private final DataSource readers;
  private final Envelopes envelopes;
  private final Runnable wake;

  /**
   * @param readers connections that commit each statement by themselves
   * @param wake asks for what is committed to be made searchable
   */
  public AuditLog(DataSource readers, Envelopes envelopes, Runnable wake) {
    this.readers = readers;
    this.envelopes = envelopes;
    this.wake = wake;
  }

  /** Takes the entries of an export, oldest first. */
  public interface Sink {
    void accept(AuditEntry entry) throws IOException;
  }

  /**
   * How many leaves are to be searched. Waits, a second at most, until what was committed before
   * the call can be found.
   *
   * @param at a place in the log, no time; null for all of it
   * @throws MomentUnknown when the log is shorter or no such checkpoint was signed
   */
  public long size(@Nullable Moment at) {
    return read(
        connection -> {
          if (at == null) {
            Follower.awaitCaughtUp(connection, AuditLogTable.NAME, wake);
            return AuditLogRows.size(connection);
          }
          long wanted = at.size();
          if (wanted > AuditLogRows.size(connection)) {
            Follower.awaitCaughtUp(connection, AuditLogTable.NAME, wake);
            long size = AuditLogRows.size(connection);
            if (wanted > size) {
              throw new MomentUnknown("must lie in the log, which has " + size + " leaves");
            }
          }
          if (at instanceof Moment.AtCheckpoint && !CheckpointTable.isSigned(connection, wanted)) {
            throw new MomentUnknown("must be a signed size, and no checkpoint has " + wanted);
          }
          return wanted;
        });
  }

  /**
   * The entries that match, newest first. Waits, a second at most, until what was committed before
   * the call can be found.
   */
  public AuditPage search(AuditQuery query) {
    long size = size(null);
    return search(filter(query), size, query.beforeLeafIndex(), query.limit());
  }

  private static AuditFilter filter(AuditQuery query) {
    AuditFilter filter = AuditFilter.ALL;
    Map<Field, @Nullable Object> values = new LinkedHashMap<>();
    values.put(Field.ACTOR, query.actor());
    values.put(Field.ACTION, query.action());
    values.put(Field.TOKEN, query.token());
    values.put(Field.TARGET, query.targetId());
    values.put(Field.OUTCOME, query.outcome());
    values.put(Field.FROM, fromEpoch(query.since()));
    values.put(Field.TO, fromEpoch(query.until()));
    for (Map.Entry<Field, @Nullable Object> each : values.entrySet()) {
      Object value = each.getValue();
      filter = value == null ? filter : filter.with(each.getKey(), value.toString());
    }
    return filter;
  }

  /** Before 1970 nothing occurred. */
  private static @Nullable Instant fromEpoch(@Nullable Instant instant) {
    return instant != null && instant.isBefore(Instant.EPOCH) ? Instant.EPOCH : instant;
  }

  /**
   * The entries that match, newest first. Where events must be opened to find them, the page holds
   * what {@link #MAX_OPENED} of them had, and may be empty though there is more.
   *
   * @param treeSize of {@link #size}
   * @param beforeLeaf only leaves below this one: the cursor; null for the first page
   * @param limit at most this many
   */
  public AuditPage search(AuditFilter filter, long treeSize, @Nullable Long beforeLeaf, int limit) {
    long before = beforeLeaf == null ? treeSize : Math.min(beforeLeaf, treeSize);
    if (filter.needsOpening()) {
      return opening(filter, treeSize, before, limit);
    }
    return read(
        connection -> {
          List<AuditEntry> entries = new ArrayList<>();
          try (PreparedStatement statement =
                  AuditLogRows.search(connection, filter, before, limit);
              ResultSet row = statement.executeQuery()) {
            while (row.next()) {
              entries.add(entry(row));
            }
          }
          boolean full = entries.size() == limit;
          return new AuditPage(
              entries, full ? entries.get(entries.size() - 1).leafIndex() : null, treeSize, null);
        });
  }

  private AuditPage opening(AuditFilter filter, long treeSize, long before, int limit) {
    List<AuditEntry> entries = new ArrayList<>();
    Opened opened =
        open(
            filter,
            before,
            entry -> {
              entries.add(entry);
              return entries.size() < limit;
            });
    return new AuditPage(entries, opened.next(), treeSize, opened.scanned());
  }

  /**
   * What was opened.
   *
   * @param next the last leaf of it; null when there are no more
   */
  private record Opened(long scanned, @Nullable Long next) {}

  /** Takes a matching entry. */
  private interface Match {
    /**
     * @return whether it takes another
     */
    boolean take(AuditEntry entry);
  }

  private Opened open(AuditFilter filter, long before, Match match) {
    return stream(
        connection -> {
          long[] scanned = {0};
          Long[] last = {null};
          try (PreparedStatement statement =
              AuditLogRows.search(connection, filter, before, MAX_OPENED)) {
            statement.setFetchSize(FETCHED_TO_OPEN);
            try (ResultSet row = statement.executeQuery()) {
              each(
                  filter,
                  row,
                  found -> {
                    scanned[0]++;
                    boolean more = found.entry() == null || match.take(found.entry());
                    if (!more || scanned[0] == MAX_OPENED) {
                      last[0] = found.leafIndex();
                      return false;
                    }
                    return true;
                  });
            }
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
          return new Opened(scanned[0], last[0]);
        });
  }

  /** How many events of each kind match. */
  public AuditFacets facets(AuditFilter filter, long treeSize) {
    if (filter.needsOpening()) {
      return openedFacets(filter, treeSize);
    }
    return read(
        connection -> {
          Map<String, Map<String, Long>> counts =
              AuditLogRows.facets(connection, filter, treeSize, MAX_COUNTED, MAX_VALUES);
          Map<String, Long> all = counts.remove("");
          long events = all == null ? 0 : all.getOrDefault("", 0L);
          return new AuditFacets(events, counts, events < MAX_COUNTED, treeSize, null);
        });
  }

  private AuditFacets openedFacets(AuditFilter filter, long treeSize) {
    Map<String, Map<String, Long>> counts = new HashMap<>();
    long[] events = {0};
    Opened opened =
        open(
            filter,
            treeSize,
            entry -> {
              events[0]++;
              String actor = entry.actorName();
              count(counts, "action", entry.action());
              count(counts, "outcome", entry.outcome());
              count(counts, "actor", actor == null ? entry.actorType() : actor);
              count(counts, "type", entry.eventType());
              return true;
            });
    Map<String, Map<String, Long>> most = new LinkedHashMap<>();
    counts.forEach((kind, values) -> most.put(kind, mostFrequent(values)));
    return new AuditFacets(events[0], most, opened.next() == null, treeSize, opened.scanned());
  }

  private static void count(Map<String, Map<String, Long>> counts, String kind, String value) {
    counts.computeIfAbsent(kind, key -> new HashMap<>()).merge(value, 1L, Long::sum);
  }

  private static Map<String, Long> mostFrequent(Map<String, Long> counts) {
    Map<String, Long> most = new LinkedHashMap<>();
    counts.entrySet().stream()
        .sorted(
            Map.Entry.<String, Long>comparingByValue(Comparator.reverseOrder())
                .thenComparing(Map.Entry.comparingByKey()))
        .limit(MAX_VALUES)
        .forEach(entry -> most.put(entry.getKey(), entry.getValue()));
    return most;
  }

  /**
   * Hands on all that matches, oldest first, without holding more than a few thousand entries at a
   * time.
   */
  public void export(AuditFilter filter, long treeSize, Sink sink) throws IOException {
    IOException[] failed = {null};
    stream(
        connection -> {
          try (PreparedStatement statement = AuditLogRows.export(connection, filter, treeSize)) {
            statement.setFetchSize(FETCHED_TO_EXPORT);
            try (ResultSet row = statement.executeQuery()) {
              each(
                  filter,
                  row,
                  found -> {
                    if (found.entry() != null) {
                      sink.accept(found.entry());
                    }
                    return true;
                  });
            }
          } catch (IOException e) {
            failed[0] = e;
          }
          return treeSize;
        });
    if (failed[0] != null) {
      throw failed[0];
    }
  }

  /**
   * A row that was opened.
   *
   * @param entry null when it does not match
   */
  private record Found(Sealed row, @Nullable AuditEntry entry) {
    long leafIndex() {
      return row.entry().leafIndex();
    }
  }

  /**
   * Rows that were opened together.
   *
   * @param nanos when that was begun, by {@link System#nanoTime}
   */
  private record Batch(List<Found> found, long nanos) {}

  /** Takes what was opened, in the order of the rows. */
  private interface Taker {
    /**
     * @return whether it takes another
     */
    boolean take(Found found) throws IOException;
  }

  /** Opening is most of the work: while rows are read and taken here, others are opened beside. */
  private void each(AuditFilter filter, ResultSet row, Taker taker)
      throws SQLException, IOException {
    ExecutorService openers =
        Executors.newFixedThreadPool(OPENERS, task -> new Thread(task, "ledger-open"));
    try {
      Deque<Future<Batch>> opening = new ArrayDeque<>();
      List<Sealed> read = new ArrayList<>();
      while (row.next()) {
        read.add(sealed(row));
        if (read.size() == OPENED_AT_ONCE) {
          List<Sealed> some = read;
          opening.add(openers.submit(() -> opened(filter, some)));
          read = new ArrayList<>();
          while (opening.size() > OPENERS || (!opening.isEmpty() && opening.getFirst().isDone())) {
            if (!take(filter, opening.remove(), taker)) {
              return;
            }
          }
        }
      }
      List<Sealed> rest = read;
      opening.add(openers.submit(() -> opened(filter, rest)));
      while (!opening.isEmpty()) {
        if (!take(filter, opening.remove(), taker)) {
          return;
        }
      }
    } finally {
      openers.shutdownNow();
    }
  }

  private boolean take(AuditFilter filter, Future<Batch> opened, Taker taker) throws IOException {
    try {
      Batch batch = opened.get();
      for (Found found : batch.found()) {
        // A slow reader must not be given what was opened before its key was destroyed.
        boolean old = System.nanoTime() - batch.nanos() > SubjectKeys.TRUST.toNanos();
        if (!taker.take(old ? opened(filter, found.row()) : found)) {
          return false;
        }
      }
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new LedgerUnavailable("interrupted while the audit log was read", e);
    } catch (ExecutionException e) {
      throw new IllegalStateException("an entry could not be opened", e.getCause());
    }
  }

  private Batch opened(AuditFilter filter, List<Sealed> read) {
    long nanos = System.nanoTime();
    List<Found> found = new ArrayList<>(read.size());
    for (Sealed each : read) {
      if (Thread.currentThread().isInterrupted()) {
        break; // Nobody takes it any more.
      }
      found.add(opened(filter, each));
    }
    return new Batch(found, nanos);
  }

  private Found opened(AuditFilter filter, Sealed row) {
    AuditEntry entry = opened(row);
    boolean matches = !filter.needsOpening() || filter.matches(entry.payload(), entry.envelope());
    return new Found(row, matches ? entry : null);
  }

  /** All events of a period among the first so many leaves, counted by type and outcome. */
  public AuditPopulation population(Instant from, Instant to, long treeSize) {
    return read(connection -> AuditLogRows.population(connection, from, to, treeSize));
  }

  /**
   * The event of that id. Waits, a second at most, until one that was committed before the call can
   * be found.
   */
  public Optional<AuditEvent> event(String eventId) {
    return read(
        connection -> {
          Follower.awaitCaughtUp(connection, AuditLogTable.NAME, wake);
          try (PreparedStatement statement = AuditLogRows.one(connection, eventId);
              ResultSet row = statement.executeQuery()) {
            return row.next()
                ? Optional.of(
                    new AuditEvent(
                        entry(row), new String(row.getBytes("entry"), StandardCharsets.UTF_8)))
                : Optional.empty();
          }
        });
  }

  private AuditEntry entry(ResultSet row) throws SQLException {
    return opened(sealed(row));
  }

  /**
   * What was read and not opened.
   *
   * @param entry without payload and envelope
   */
  private record Sealed(AuditEntry entry, String payload, String envelope) {}

  private AuditEntry opened(Sealed sealed) {
    String eventId = sealed.entry().eventId();
    return sealed
        .entry()
        .with(
            envelopes.openPayload(eventId, sealed.payload()),
            envelopes.open(eventId, sealed.envelope()));
  }

  private static Sealed sealed(ResultSet row) throws SQLException {
    AuditEntry entry =
        new AuditEntry(
            row.getLong("leaf_index"),
            row.getLong("global_index"),
            row.getString("event_id"),
            row.getString("event_type"),
            row.getString("revision"),
            instant(row, "occurred_at"),
            instant(row, "recorded_at"),
            instant(row, "sequenced_at"),
            row.getString("action"),
            row.getString("outcome"),
            row.getString("outcome_reason"),
            row.getString("actor_type"),
            row.getObject("actor_token_id", Long.class),
            row.getString("actor_name"),
            row.getString("target_id"),
            row.getString("target_name"),
            row.getString("request_id"),
            row.getLong("request_count"),
            MissingNode.getInstance(),
            MissingNode.getInstance(),
            row.getBoolean("quarantined"));
    return new Sealed(entry, row.getString("payload"), row.getString("metadata"));
  }

  private static Instant instant(ResultSet row, String column) throws SQLException {
    return row.getObject(column, OffsetDateTime.class).toInstant();
  }

  private interface Query<T> {
    T run(Connection connection) throws SQLException;
  }

  private <T> T read(Query<T> query) {
    try (Connection connection = readers.getConnection()) {
      return query.run(connection);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the audit log does not answer", e);
    }
  }

  /** In one transaction: only there the driver fetches rows as they are asked for. */
  private <T> T stream(Query<T> query) {
    return read(
        connection -> {
          connection.setAutoCommit(false);
          try {
            return query.run(connection);
          } finally {
            connection.rollback();
            connection.setAutoCommit(true);
          }
        });
  }
}

package io.tokenledger.replay;

import io.tokenledger.audit.ControlEvent.ProjectionDriftFound;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.follow.Fold;
import io.tokenledger.follow.Leaf;
import io.tokenledger.history.AuditLogTable;
import io.tokenledger.replay.ReplayReport.Difference;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.Locks;
import io.tokenledger.store.UnreadableEvent;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Compares the live projections with what the events make, slice by slice and without an end: a few
 * streams, a few rows, a few leaves at a time, each in one snapshot of both. One node at a time
 * does it. What differs is an event, once for each finding.
 */
public final class DriftCheck implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(DriftCheck.class);

  private static final Duration INTERVAL = Duration.ofSeconds(2);
  private static final int MAX_SHOWN = 100;
  private static final int MAX_CHARS = 300;
  private static final String SCHEMA = "drift";
  private static final String STREAM = "token:";
  private static final List<String> OF_STREAMS = List.of(Replay.LOOKUP, "token", "token_history");

  private static final String TRY_LOCK =
      """
      SELECT pg_try_advisory_xact_lock(?)
      """;

  private static final String NEXT_STREAM =
      """
      SELECT max(aggregate_id)
        FROM (SELECT aggregate_id
                FROM ledger.event
               WHERE aggregate_type = 'Token'
                 AND aggregate_id > ?
               ORDER BY aggregate_id
               LIMIT 1000) AS next
      """;

  private static final String EVENTS =
      """
      SELECT event.aggregate_id, event.sequence_number, event.global_index, event.event_id,
             event.occurred_at, event.event_type, event.revision, event.payload, event.metadata,
             coalesce(leaf.leaf_index, 9223372036854775807) AS leaf_index,
             kept.event_id IS NOT NULL AS quarantined
        FROM ledger.event    AS event
        LEFT JOIN audit.leaf AS leaf ON leaf.global_index = event.global_index
        LEFT JOIN state.quarantine AS kept
          ON kept.event_id = event.event_id
         AND kept.state    = 'quarantined'
       WHERE event.aggregate_type = 'Token'
         AND event.aggregate_id > ?
         AND event.aggregate_id <= ?
       ORDER BY event.aggregate_id, event.sequence_number
      """;

  private static final String POSITION =
      """
      SELECT coalesce((SELECT next_leaf_index FROM views.follower WHERE name = ?), 0)
      """;

  private static final String NEXT_TOKEN =
      """
      SELECT max(token_id)
        FROM (SELECT token_id
                FROM views.token_lookup
               WHERE token_id > ?
               ORDER BY token_id
               LIMIT 1000) AS next
      """;

  /** Rows of names that no event speaks of: no stream leads to them. */
  private static final String WITHOUT_STREAM =
      """
      SELECT table_name, token_id, token_name
        FROM (SELECT 'token_lookup' AS table_name, token_id, token_name
                FROM views.token_lookup
               UNION ALL
              SELECT 'token', token_id, token_name
                FROM views.token
               UNION ALL
              SELECT 'token_history', token_id, token_name
                FROM views.token_history) AS live
       WHERE token_id > ?
         AND token_id <= ?
         AND NOT EXISTS (SELECT 1
                           FROM ledger.event AS event
                          WHERE event.aggregate_id = 'token:' || live.token_name)
       ORDER BY table_name, token_id
      """;

  private final EventReader reader;
  private final Connections connections;
  private final RequestLog requests;
  private final Envelopes envelopes;
  private final List<String> kinds = List.of("streams", "rows", "leaves");
  private int nextKind;
  private @Nullable ScheduledFuture<?> steps;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          work -> {
            Thread thread = new Thread(work, "ledger-drift");
            thread.setDaemon(true);
            return thread;
          });

  /**
   * @param requests takes the event of a finding
   * @param envelopes opens what events hold sealed
   * @param reader reads the events
   */
  public DriftCheck(
      Connections connections, RequestLog requests, Envelopes envelopes, EventReader reader) {
    this.reader = reader;
    this.connections = connections;
    this.requests = requests;
    this.envelopes = envelopes;
  }

  /** Begins to compare in a thread of its own. */
  public void start() {
    steps =
        timer.scheduleWithFixedDelay(
            this::stepSafely, INTERVAL.toMillis(), INTERVAL.toMillis(), TimeUnit.MILLISECONDS);
  }

  private void stepSafely() {
    try {
      step(kinds.get(nextKind));
    } catch (SQLException | RuntimeException e) {
      // The outermost boundary of this thread: the next round tries again.
      LOG.warn("the comparison with the events waits: {}", e.getMessage());
    }
    nextKind = (nextKind + 1) % kinds.size();
  }

  /** How many rows of which tables differ, as far as is known. */
  public Map<String, Long> found() {
    try (Connection connection = connections.open()) {
      return DriftTable.open(connection);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the database does not answer", e);
    }
  }

  /**
   * Compares everything once, slice by slice.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public void round() {
    try {
      for (String kind : kinds) {
        while (!step(kind)) {
          // The next slice.
        }
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("the comparison was broken off", e);
    }
  }

  private record Slice(String until, List<Difference> differences) {}

  /**
   * @return whether that was the last slice
   */
  private synchronized boolean step(String kind) throws SQLException {
    try (Connection connection = connections.open()) {
      connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
      if (!isAlone(connection)) {
        return true;
      }
      String after = DriftTable.after(connection, kind);
      Slice slice =
          switch (kind) {
            case "streams" -> streams(connection, after);
            case "rows" -> rows(connection, Long.parseLong(after));
            default -> leaves(connection, Long.parseLong(after));
          };
      // What the events make was only there to be compared.
      connection.rollback();
      connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
      String name = kind + " after " + after + " until " + slice.until();
      tell(connection, kind, name, slice.differences());
      if (slice.until().isEmpty()) {
        DriftTable.endRound(connection, kind, kind.equals("streams") ? "" : "-1");
      } else {
        DriftTable.advance(connection, kind, slice.until());
      }
      connection.commit();
      return slice.until().isEmpty();
    }
  }

  private static boolean isAlone(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(TRY_LOCK)) {
      statement.setLong(1, Locks.DRIFT);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getBoolean(1);
      }
    }
  }

  private Slice streams(Connection connection, String after) throws SQLException {
    String until;
    try (PreparedStatement statement = connection.prepareStatement(NEXT_STREAM)) {
      statement.setString(1, after);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        until = row.getString(1);
      }
    }
    if (until == null) {
      return new Slice("", List.of());
    }
    Set<String> names = new LinkedHashSet<>();
    List<Fold> folds = BulkLoad.folds(OF_STREAMS, envelopes);
    long[] positions = {
      Long.MAX_VALUE, position(connection, "token"), position(connection, "token_history")
    };
    try (PreparedStatement statement = connection.prepareStatement(EVENTS)) {
      statement.setString(1, after);
      statement.setString(2, until);
      String stream = after;
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          if (!row.getString("aggregate_id").equals(stream)) {
            folds.forEach(Fold::endStream);
            stream = row.getString("aggregate_id");
            names.add(stream.substring(STREAM.length()));
          }
          take(BulkLoad.leaf(row, "Token"), folds, positions);
        }
      }
    }
    folds.forEach(Fold::endStream);
    Generations.use(connection, SCHEMA);
    for (Fold fold : folds) {
      fold.rows().drain().write(connection);
    }
    Generations.Extent extent = new Generations.Extent(null, List.copyOf(names), null, null);
    return new Slice(
        until, Generations.differences(connection, SCHEMA, OF_STREAMS, extent).shown());
  }

  /** The lookup has seen every event that is committed, the others those below their position. */
  private void take(Leaf leaf, List<Fold> folds, long[] positions) {
    List<Fold> seen = new ArrayList<>();
    for (int i = 0; i < positions.length; i++) {
      if (i == 0 || leaf.leafIndex() < positions[i]) {
        seen.add(folds.get(i));
      }
    }
    try {
      BulkLoad.take(leaf, reader, seen);
    } catch (UnreadableEvent e) {
      // The followers stand still before it, and say so.
      LOG.error("{}", e.getMessage());
    }
  }

  private static long position(Connection connection, String projection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(POSITION)) {
      statement.setString(1, projection);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getLong(1);
      }
    }
  }

  private static Slice rows(Connection connection, long after) throws SQLException {
    String until;
    try (PreparedStatement statement = connection.prepareStatement(NEXT_TOKEN)) {
      statement.setLong(1, after);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        until = row.getString(1);
      }
    }
    List<Difference> found = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(WITHOUT_STREAM)) {
      statement.setLong(1, after);
      statement.setLong(2, until == null ? Long.MAX_VALUE : Long.parseLong(until));
      statement.setMaxRows(Generations.MAX_SHOWN);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          long id = row.getLong("token_id");
          found.add(
              new Difference(
                  row.getString("table_name"),
                  "added",
                  "token_id=" + id,
                  id,
                  row.getString("token_name"),
                  ""));
        }
      }
    }
    return new Slice(until == null ? "" : until, found);
  }

  private static Slice leaves(Connection connection, long after) throws SQLException {
    long from = after + 1;
    long end = from + 2 * AuditLogTable.SPAN;
    long whole = position(connection, AuditLogTable.NAME) / AuditLogTable.SPAN * AuditLogTable.SPAN;
    if (end > whole) {
      end = whole;
    }
    if (end <= from) {
      return new Slice("", List.of());
    }
    BulkLoad.collect(connection, from, end, SCHEMA);
    Generations.Extent extent = new Generations.Extent(null, null, from, end);
    return new Slice(
        Long.toString(end - 1),
        Generations.differences(connection, SCHEMA, List.of(AuditLogTable.NAME), extent).shown());
  }

  private void tell(Connection connection, String kind, String slice, List<Difference> differences)
      throws SQLException {
    Map<String, List<Difference>> byTable = new TreeMap<>();
    for (Difference difference : differences) {
      byTable.computeIfAbsent(difference.table(), table -> new ArrayList<>()).add(difference);
    }
    for (Map.Entry<String, List<Difference>> each : byTable.entrySet()) {
      String table = each.getKey();
      List<Difference> rows = each.getValue();
      String finding = digest(rows);
      if (DriftTable.isKnown(connection, finding)) {
        continue;
      }
      LOG.error("{} rows of {} are not what the events make: {}", rows.size(), table, rows.get(0));
      requests.append(
          new ProjectionDriftFound(
              table,
              slice,
              rows.size(),
              finding,
              rows.stream().limit(MAX_SHOWN).map(DriftCheck::text).toList()),
          RequestContext.ofNode("clock", "drift", UUID.randomUUID().toString()));
      DriftTable.add(connection, finding, kind, table, slice, rows.size());
    }
  }

  /** Without values: a description may speak of people. */
  private static String text(Difference row) {
    String columns = row.detail().replaceAll("(^|; )(\\w+): .*?(?=; \\w+: |$)", "$1$2");
    String text = row.kind() + " " + row.key() + (columns.isEmpty() ? "" : " (" + columns + ")");
    return text.substring(0, Math.min(text.length(), MAX_CHARS));
  }

  private static String digest(List<Difference> rows) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (Difference row : rows) {
        digest.update((row + "\n").getBytes(StandardCharsets.UTF_8));
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  @Override
  public void close() {
    if (steps != null) {
      steps.cancel(false);
    }
    timer.shutdown();
    try {
      boolean ended = timer.awaitTermination(5, TimeUnit.SECONDS);
      LOG.debug("drift check ended: {}", ended);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

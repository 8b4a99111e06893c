package io.tokenledger.replay;

import io.tokenledger.follow.CopyRows;
import io.tokenledger.follow.Fold;
import io.tokenledger.follow.Header;
import io.tokenledger.follow.Leaf;
import io.tokenledger.history.AuditLogTable;
import io.tokenledger.lookup.LookupFold;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.timeline.HistoryFold;
import io.tokenledger.token.TokenEvent;
import io.tokenledger.tokens.TokenFold;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;

/**
 * Reads one part of the history and writes what it makes by COPY: each row once, whatever became of
 * it later, because a stream is read whole. While one batch is written the next is read; memory
 * holds two of them, whatever the length of the history.
 */
final class BulkLoad {

  private static final int BATCH_EVENTS = 20_000;
  private static final int FETCH = 2_000;

  /** A multiple of what shares a row of {@code audit_log_span}. */
  private static final int BATCH_LEAVES = 16 * AuditLogTable.SPAN;

  /** From here on others' appends are worth waiting for. */
  private static final long APPENDS_PER_SECOND = 20;

  /** For each so many a rebuild rests once as long as its last batch took. */
  private static final double APPENDS_A_SHARE = 400;

  private static final double MAX_SHARE = 5;

  private static final Duration MAX_REST = Duration.ofSeconds(5);

  /**
   * Streams are sorted beside the table, or read by their index: PostgreSQL knows which is less.
   */
  private static final String SORT_MEMORY =
      """
      SET LOCAL work_mem = '64MB'
      """;

  /**
   * What was committed by now: events that have no leaf yet are in it, and seen once more later.
   */
  private static final String STREAMS =
      """
      SELECT event.aggregate_id, event.sequence_number, event.global_index, event.event_id,
             event.occurred_at, event.event_type, event.revision, event.payload,
             NULL AS metadata, -1 AS leaf_index, kept.event_id IS NOT NULL AS quarantined
        FROM ledger.event AS event
        LEFT JOIN state.quarantine AS kept
          ON kept.event_id = event.event_id
         AND kept.state    = 'quarantined'
       WHERE event.aggregate_type = 'Token'
         AND event.aggregate_id > ?
         AND (?::text IS NULL OR event.aggregate_id <= ?)
         AND ?::bigint IS NOT NULL
       ORDER BY event.aggregate_id, event.sequence_number
      """;

  private static final String STREAMS_WITH_LEAVES =
      """
      SELECT event.aggregate_id, event.sequence_number, event.global_index, event.event_id,
             event.occurred_at, event.event_type, event.revision, event.payload,
             event.metadata, leaf.leaf_index, kept.event_id IS NOT NULL AS quarantined
        FROM ledger.event AS event
        JOIN audit.leaf   AS leaf ON leaf.global_index = event.global_index
        LEFT JOIN state.quarantine AS kept
          ON kept.event_id = event.event_id
         AND kept.state    = 'quarantined'
       WHERE event.aggregate_type = 'Token'
         AND event.aggregate_id > ?
         AND (?::text IS NULL OR event.aggregate_id <= ?)
         AND leaf.leaf_index < ?
       ORDER BY event.aggregate_id, event.sequence_number
      """;

  private static final String LEAVES =
      """
      SELECT event.aggregate_id, event.sequence_number, event.global_index, event.event_id,
             event.occurred_at, event.event_type, event.revision, event.payload,
             event.metadata, leaf.leaf_index, event.aggregate_type,
             kept.event_id IS NOT NULL AS quarantined
        FROM audit.leaf   AS leaf
        JOIN ledger.event AS event ON event.global_index = leaf.global_index
        LEFT JOIN state.quarantine AS kept
          ON kept.event_id = event.event_id
         AND kept.state    = 'quarantined'
       WHERE leaf.leaf_index >= ?
         AND leaf.leaf_index < ?
         AND (?::timestamptz IS NULL OR event.occurred_at::timestamptz <= ?::timestamptz)
       ORDER BY leaf.leaf_index
      """;

  private final EventReader reader;
  private final Connections connections;
  private final ReplayJob job;
  private final List<Fold> folds = new ArrayList<>();
  private final boolean withLeaves;
  private volatile boolean goesOn = true;

  /**
   * @param envelopes opens what events hold sealed; may be null where no table of tokens is built
   * @param reader reads the events
   */
  BulkLoad(
      Connections connections, ReplayJob job, @Nullable Envelopes envelopes, EventReader reader) {
    this.reader = reader;
    this.connections = connections;
    this.job = job;
    this.folds.addAll(folds(job.projections(), envelopes));
    this.withLeaves =
        !job.isLive()
            || job.projections().contains("token")
            || folds.size() > 1
            || job.projections().contains("token_history");
  }

  static List<Fold> folds(List<String> projections, @Nullable Envelopes envelopes) {
    List<Fold> folds = new ArrayList<>();
    if (projections.contains(Replay.LOOKUP)) {
      folds.add(new LookupFold());
    }
    if (projections.contains("token")) {
      if (envelopes == null) {
        throw new IllegalStateException("the table of tokens needs the subjects' keys");
      }
      folds.add(new TokenFold(envelopes));
    }
    if (projections.contains("token_history")) {
      folds.add(new HistoryFold());
    }
    return folds;
  }

  /**
   * Reads the part to its end, or until the replay is paused.
   *
   * @throws UnreadableEvent naming the event that cannot be read
   */
  void run(ReplayTable.Segment segment) throws SQLException {
    ExecutorService writing =
        Executors.newSingleThreadExecutor(
            work -> {
              Thread thread = new Thread(work, "ledger-replay-copy");
              thread.setDaemon(true);
              return thread;
            });
    try (Connection reader = connections.open();
        Connection writer = connections.open()) {
      Pipe pipe = new Pipe(writing, writer, segment);
      if (segment.streams()) {
        reader.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        streams(reader, segment, pipe);
      } else {
        leaves(reader, segment, pipe);
      }
      pipe.await();
    } finally {
      writing.shutdownNow();
    }
  }

  private void streams(Connection reader, ReplayTable.Segment segment, Pipe pipe)
      throws SQLException {
    try (PreparedStatement statement = reader.prepareStatement(SORT_MEMORY)) {
      statement.execute();
    }
    try (PreparedStatement statement =
        reader.prepareStatement(withLeaves ? STREAMS_WITH_LEAVES : STREAMS)) {
      statement.setFetchSize(FETCH);
      statement.setString(1, segment.after());
      statement.setString(2, segment.until());
      statement.setString(3, segment.until());
      statement.setLong(4, job.firstSize());
      try (ResultSet row = statement.executeQuery()) {
        String stream = segment.after();
        boolean any = false;
        boolean over = false;
        long events = 0;
        while (row.next()) {
          String next = row.getString("aggregate_id");
          if (!any || !next.equals(stream)) {
            if (any) {
              folds.forEach(Fold::endStream);
              if (events >= BATCH_EVENTS) {
                pipe.write(drain(), stream, events, false);
                events = 0;
                if (!goesOn) {
                  return;
                }
              }
            }
            any = true;
            over = false;
            stream = next;
          }
          events++;
          Leaf leaf = leaf(row, "Token");
          over |= isAfterMoment(leaf);
          if (!over) {
            take(leaf);
          }
        }
        folds.forEach(Fold::endStream);
        pipe.write(drain(), stream, events, true);
      }
    }
  }

  private boolean isAfterMoment(Leaf leaf) {
    Instant until = job.toTime();
    return until != null && Instant.parse(AuditLogTable.time(leaf)).isAfter(until);
  }

  private void take(Leaf leaf) {
    take(leaf, reader, folds);
  }

  /**
   * Folds what a leaf means; nothing of a quarantined one, as the live projections pass it.
   *
   * @throws UnreadableEvent naming the leaf
   */
  static void take(Leaf leaf, EventReader reader, List<Fold> folds) {
    if (leaf.quarantined()) {
      return;
    }
    try {
      EventReader.requireTime(leaf.occurredAt());
      for (Object event : reader.read(leaf.eventType(), leaf.revision(), leaf.payload())) {
        for (Fold fold : folds) {
          fold.take(leaf, (TokenEvent) event);
        }
      }
    } catch (UnreadableEvent e) {
      throw e.atGlobalIndex(leaf.globalIndex(), leaf.eventId());
    } catch (ClassCastException e) {
      throw stopped(leaf, e);
    }
  }

  private static UnreadableEvent stopped(Leaf leaf, RuntimeException cause) {
    return new UnreadableEvent("broken envelope or stream", cause)
        .atGlobalIndex(leaf.globalIndex(), leaf.eventId());
  }

  private List<CopyRows.Batch> drain() {
    return folds.stream().map(fold -> fold.rows().drain()).toList();
  }

  private void leaves(Connection reader, ReplayTable.Segment segment, Pipe pipe)
      throws SQLException {
    CopyRows rows = AuditLogTable.newRows();
    CopyRows spans = AuditLogTable.newSpans();
    long from = Long.parseLong(segment.after()) + 1;
    while (from < job.firstSize() && goesOn) {
      long end = Math.min(job.firstSize(), from + BATCH_LEAVES);
      long events = window(reader, from, end, job.toTime(), rows, spans);
      pipe.write(
          List.of(rows.drain(), spans.drain()),
          Long.toString(end - 1),
          events,
          end == job.firstSize());
      from = end;
    }
    if (from == 0) {
      pipe.write(List.of(), segment.after(), 0, true);
    }
  }

  /** Writes what some leaves make of the audit log into a schema. */
  static void collect(Connection connection, long from, long end, String schema)
      throws SQLException {
    CopyRows rows = AuditLogTable.newRows();
    CopyRows spans = AuditLogTable.newSpans();
    window(connection, from, end, null, rows, spans);
    Generations.use(connection, schema);
    rows.drain().write(connection);
    spans.drain().write(connection);
  }

  private static long window(
      Connection reader,
      long from,
      long end,
      @Nullable Instant toTime,
      CopyRows rows,
      CopyRows spans)
      throws SQLException {
    String until = toTime == null ? null : toTime.toString();
    long events = 0;
    long span = -1;
    Instant first = Instant.MAX;
    Instant last = Instant.MIN;
    try (PreparedStatement statement = reader.prepareStatement(LEAVES)) {
      statement.setFetchSize(FETCH);
      statement.setLong(1, from);
      statement.setLong(2, end);
      statement.setString(3, until);
      statement.setString(4, until);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          Leaf leaf = leaf(row, row.getString("aggregate_type"));
          try {
            AuditLogTable.collect(leaf, rows);
          } catch (JacksonException e) {
            throw stopped(leaf, e);
          }
          long its = leaf.leafIndex() / AuditLogTable.SPAN;
          if (its != span) {
            end(spans, span, first, last);
            span = its;
            first = Instant.MAX;
            last = Instant.MIN;
          }
          Instant at = Instant.parse(AuditLogTable.time(leaf));
          first = at.isBefore(first) ? at : first;
          last = at.isAfter(last) ? at : last;
          events++;
        }
      }
    }
    end(spans, span, first, last);
    return events;
  }

  private static void end(CopyRows spans, long span, Instant first, Instant last) {
    if (span >= 0) {
      spans.add(span).add(first).add(last).end();
    }
  }

  /** The event of a row of the statements above. */
  static Leaf leaf(ResultSet row, String aggregateType) throws SQLException {
    String metadata = row.getString("metadata");
    Header header;
    Leaf bare =
        new Leaf(
            row.getLong("leaf_index"),
            row.getLong("global_index"),
            row.getString("event_id"),
            row.getString("occurred_at"),
            aggregateType,
            row.getLong("sequence_number"),
            row.getString("event_type"),
            row.getString("revision"),
            row.getString("payload"),
            Header.NONE,
            row.getBoolean("quarantined"));
    if (metadata == null) {
      return bare;
    }
    try {
      header = Header.parse(metadata);
    } catch (JacksonException e) {
      if (bare.quarantined()) {
        return bare;
      }
      throw stopped(bare, e);
    }
    return new Leaf(
        bare.leafIndex(),
        bare.globalIndex(),
        bare.eventId(),
        bare.occurredAt(),
        bare.aggregateType(),
        bare.sequence(),
        bare.eventType(),
        bare.revision(),
        bare.payload(),
        header,
        bare.quarantined());
  }

  /** Writes batch after batch in a thread of its own, each with how far it brings the part. */
  private final class Pipe {
    private final ExecutorService executor;
    private final Connection writer;
    private final ReplayTable.Segment segment;
    private String after;
    private @Nullable Future<?> pending;
    private long lastNewest;
    private long lastBatch = System.nanoTime();

    Pipe(ExecutorService executor, Connection writer, ReplayTable.Segment segment) {
      this.executor = executor;
      this.writer = writer;
      this.segment = segment;
      this.after = segment.after();
    }

    void write(List<CopyRows.Batch> batches, String newAfter, long events, boolean done)
        throws SQLException {
      await();
      giveWay();
      String before = after;
      after = newAfter;
      pending =
          executor.submit(
              () -> {
                Generations.use(writer, job.schema());
                for (CopyRows.Batch batch : batches) {
                  batch.write(writer);
                }
                ReplayTable.advance(
                    writer, job.id(), segment.number(), before, newAfter, events, done);
                goesOn = ReplayTable.goesOn(writer, job.id());
                writer.commit();
                return null;
              });
    }

    /** While others append, the more they do so, up to five times what the last batch took. */
    private void giveWay() throws SQLException {
      long newest = ReplayTable.newest(writer);
      writer.commit();
      long nanos = Math.max(1, System.nanoTime() - lastBatch);
      double appendsPerSecond = (newest - lastNewest) * 1e9 / nanos;
      if (lastNewest > 0 && appendsPerSecond > APPENDS_PER_SECOND) {
        double share = Math.min(MAX_SHARE, appendsPerSecond / APPENDS_A_SHARE);
        try {
          TimeUnit.NANOSECONDS.sleep(Math.min((long) (share * nanos), MAX_REST.toNanos()));
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new SQLException("interrupted", e);
        }
        newest = ReplayTable.newest(writer);
        writer.commit();
      }
      lastNewest = newest;
      lastBatch = System.nanoTime();
    }

    void await() throws SQLException {
      if (pending == null) {
        return;
      }
      try {
        pending.get();
      } catch (ExecutionException e) {
        if (e.getCause() instanceof SQLException failure) {
          throw failure;
        }
        throw new IllegalStateException(e.getCause());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new SQLException("interrupted", e);
      }
    }
  }
}

package io.tokenledger.sink;

import io.tokenledger.sealing.Envelopes;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import javax.sql.DataSource;

/**
 * Reads the log page by page for a reader outside, personal fields in clear. Each event is parsed
 * once.
 */
final class SinkPages {

  /** Entries of a page, at most. */
  static final int MAX_PAGE = 1_000;

  /** A page ends with the entry that reaches this: several sinks hold several pages. */
  private static final int MAX_PAGE_BYTES = 4 * 1_024 * 1_024;

  private static final int FETCHED = 500;

  /** A leaf keeps the log's name that it was first sent under: a receiver knows it by both. */
  private static final String PAGE =
      """
      SELECT (SELECT log.origin
                FROM audit.generation AS log
               WHERE log.begun_at_size <= leaf.leaf_index
               ORDER BY log.generation DESC
               LIMIT 1) AS log_origin,
             leaf.leaf_index, leaf.leaf_hash, leaf.sequenced_at, event.event_id, event.event_type,
             event.revision, event.occurred_at, event.recorded_at, event.payload, event.metadata
        FROM audit.leaf   AS leaf
        JOIN ledger.event AS event ON event.global_index = leaf.global_index
       WHERE leaf.leaf_index >= ?
         AND leaf.leaf_index <  ?
       ORDER BY leaf.leaf_index
      """;

  private final DataSource readers;
  private final Envelopes envelopes;
  private final EventFormat format;

  /**
   * @param readers connections that commit each statement by themselves
   */
  SinkPages(DataSource readers, Envelopes envelopes, EventFormat format) {
    this.readers = readers;
    this.envelopes = envelopes;
    this.format = format;
  }

  /**
   * A part of the log.
   *
   * @param treeSize how many leaves the signed log had
   */
  record Page(long from, long treeSize, List<Message> messages) {

    /** The first leaf after it. */
    long next() {
      return from + messages.size();
    }

    /** Whether the log had more. */
    boolean hasMore() {
      return next() < treeSize;
    }
  }

  /**
   * The entries from that leaf on: one at least where there is any.
   *
   * @param limit at most this many
   * @throws SQLException also when one is missing
   */
  Page read(long from, int limit) throws SQLException {
    try (Connection connection = readers.getConnection()) {
      // In one transaction: only there the driver fetches rows as they are asked for.
      connection.setAutoCommit(false);
      try {
        long size = 0;
        try (PreparedStatement statement = connection.prepareStatement(SinkTable.SIGNED);
            ResultSet row = statement.executeQuery()) {
          if (row.next()) {
            size = row.getLong("size");
          }
        }
        long to = Math.min(size, from + limit);
        return new Page(from, size, from >= to ? List.of() : read(connection, from, to));
      } finally {
        connection.rollback();
        connection.setAutoCommit(true);
      }
    }
  }

  private List<Message> read(Connection connection, long from, long to) throws SQLException {
    List<Message> messages = new ArrayList<>(Math.toIntExact(to - from));
    try (PreparedStatement statement = connection.prepareStatement(PAGE)) {
      statement.setLong(1, from);
      statement.setLong(2, to);
      statement.setFetchSize(FETCHED);
      long bytes = 0;
      try (ResultSet row = statement.executeQuery()) {
        while (bytes < MAX_PAGE_BYTES && row.next()) {
          Entry entry = entry(row);
          if (entry.leafIndex() != from + messages.size()) {
            throw new SQLException("leaf " + (from + messages.size()) + " is missing");
          }
          Message message = Message.of(entry, format);
          messages.add(message);
          bytes += message.body().length;
        }
      }
      if (bytes < MAX_PAGE_BYTES && messages.size() != to - from) {
        throw new SQLException("leaf " + (from + messages.size()) + " is missing");
      }
    }
    return messages;
  }

  private Entry entry(ResultSet row) throws SQLException {
    String eventId = row.getString("event_id");
    return new Entry(
        row.getString("log_origin"),
        row.getLong("leaf_index"),
        Base64.getEncoder().encodeToString(row.getBytes("leaf_hash")),
        eventId,
        row.getString("event_type"),
        row.getString("revision"),
        row.getString("occurred_at"),
        row.getObject("recorded_at", OffsetDateTime.class).toInstant(),
        row.getObject("sequenced_at", OffsetDateTime.class).toInstant(),
        envelopes.openPayload(eventId, row.getString("payload")),
        envelopes.open(eventId, row.getString("metadata")));
  }
}

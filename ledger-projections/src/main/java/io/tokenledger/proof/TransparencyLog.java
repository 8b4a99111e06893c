package io.tokenledger.proof;

import io.tokenledger.attest.AnchorTable;
import io.tokenledger.sequence.StoredNodes;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.Proofs;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TilePath;
import io.tokenledger.tlog.TlogProof;
import io.tokenledger.tlog.TreeHash;
import java.io.ByteArrayOutputStream;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/**
 * Reads the log for those who check it. Shows only what a checkpoint covers: a tile beyond the
 * newest signed size does not exist yet.
 *
 * <p>Every method throws {@link LedgerUnavailable} when the database does not answer, and {@link
 * io.tokenledger.tlog.InvalidTlogFormat} when the stored tree has holes.
 */
public final class TransparencyLog {

  /** How long a checkpoint waits for its witnesses before it is shown without them. */
  public static final Duration WITNESS_PATIENCE = Duration.ofSeconds(10);

  private static final long POLL_MILLIS = 25;
  private static final int BYTE = 0xff;

  private static final String ENTRIES =
      """
      SELECT entry
        FROM audit.leaf
       WHERE leaf_index >= ?
         AND leaf_index <  ?
       ORDER BY leaf_index
      """;

  private static final String LEAF_OF_EVENT =
      """
      SELECT leaf_index
        FROM audit.leaf
       WHERE event_id = ?
      """;

  private static final String EVENT_OF_REQUEST =
      """
      SELECT event_id
        FROM (SELECT event_id, metadata
                FROM ledger.event
               WHERE aggregate_id = ?
               ORDER BY sequence_number DESC
               LIMIT 16) AS recent
       WHERE metadata::jsonb ->> 'request_id' = ?
       LIMIT 1
      """;

  private final DataSource readers;
  private final List<String> witnesses;
  private final Runnable wake;

  /**
   * @param readers connections that commit each statement by themselves
   * @param witnesses names of the keys of those who are sent each checkpoint
   * @param wake asks for what is committed to be sequenced and signed
   */
  public TransparencyLog(DataSource readers, List<String> witnesses, Runnable wake) {
    this.readers = readers;
    this.witnesses = witnesses.stream().distinct().toList();
    this.wake = wake;
  }

  /** The newest checkpoint of the newest log; empty before the first. */
  public Optional<CheckpointTable.Signed> newest() {
    return read(CheckpointTable::newest);
  }

  /**
   * The checkpoint for who follows the log: the newest that all witnesses signed, and no older than
   * what was newest {@link #WITNESS_PATIENCE} ago. Under load the newest of all never has their
   * lines, which come a moment later, and an auditor whose policy demands them could use none.
   *
   * <p>It never goes back, on no node: who follows the log takes a smaller tree for a cut one.
   */
  public Optional<CheckpointTable.Signed> shown() {
    return read(connection -> CheckpointTable.shown(connection, witnesses, WITNESS_PATIENCE));
  }

  /** The checkpoint of that size. */
  public Optional<CheckpointTable.Signed> checkpoint(int generation, long size) {
    return read(connection -> CheckpointTable.one(connection, generation, size));
  }

  /** Checkpoints before that one, newest first. */
  public List<CheckpointTable.Signed> checkpointsBefore(int generation, long size, int limit) {
    return read(connection -> CheckpointTable.before(connection, generation, size, limit));
  }

  /** What others attested of the checkpoint of that size, the newest log first. */
  public List<AnchorTable.Anchor> anchors(long size) {
    return read(connection -> AnchorTable.of(connection, size));
  }

  /** All logs, the first one first. */
  public List<CheckpointTable.Generation> generations() {
    return read(CheckpointTable::generations);
  }

  /** The keys that signed, oldest first. */
  public List<CheckpointTable.Key> keys() {
    return read(CheckpointTable::keys);
  }

  /** The bytes of that tile or bundle; empty when no checkpoint covers all of it. */
  public Optional<byte[]> tile(TilePath tile) {
    return read(
        connection -> {
          long size =
              CheckpointTable.newest(connection).map(CheckpointTable.Signed::size).orElse(0L);
          if (!tile.isIn(size)) {
            return Optional.empty();
          }
          return Optional.of(
              tile.level() == TilePath.ENTRIES
                  ? entries(connection, tile.first(), tile.width())
                  : hashes(connection, tile));
        });
  }

  private static byte[] hashes(Connection connection, TilePath tile) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    new StoredNodes(connection)
        .read(tile.level() * TilePath.HEIGHT, tile.first(), tile.width())
        .forEach(hash -> bytes.writeBytes(hash.bytes()));
    return bytes.toByteArray();
  }

  /** Entries one after the other, each with its length before it in two bytes. */
  private static byte[] entries(Connection connection, long from, int count) throws SQLException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (PreparedStatement statement = connection.prepareStatement(ENTRIES)) {
      statement.setLong(1, from);
      statement.setLong(2, from + count);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          byte[] entry = row.getBytes(1);
          bytes.write(entry.length >> Byte.SIZE);
          bytes.write(entry.length & BYTE);
          bytes.writeBytes(entry);
        }
      }
    }
    return bytes.toByteArray();
  }

  /** The entry at that place; empty when there is none. */
  public Optional<byte[]> entry(long leafIndex) {
    return read(
        connection -> {
          try (PreparedStatement statement = connection.prepareStatement(ENTRIES)) {
            statement.setLong(1, leafIndex);
            statement.setLong(2, leafIndex + 1);
            try (ResultSet row = statement.executeQuery()) {
              return row.next() ? Optional.of(row.getBytes(1)) : Optional.empty();
            }
          }
        });
  }

  /** The place of that event; empty when it has none yet. */
  public Optional<Long> leafOf(String eventId) {
    return read(connection -> leafOf(connection, eventId));
  }

  private static Optional<Long> leafOf(Connection connection, String eventId) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(LEAF_OF_EVENT)) {
      statement.setString(1, eventId);
      try (ResultSet row = statement.executeQuery()) {
        return row.next() ? Optional.of(row.getLong(1)) : Optional.empty();
      }
    }
  }

  /**
   * The proof that the leaf is in the log.
   *
   * @param size of the checkpoint to prove it against; null for the one that is {@link #shown}, or
   *     for the newest when only that covers the leaf
   * @return empty when no such checkpoint covers it
   */
  public Optional<TlogProof> proof(long leafIndex, @Nullable Long size) {
    return read(
        connection -> {
          Optional<CheckpointTable.Signed> newest = CheckpointTable.newest(connection);
          if (newest.isEmpty()) {
            return Optional.empty();
          }
          Optional<CheckpointTable.Signed> head =
              size == null
                  ? CheckpointTable.shown(connection, witnesses, WITNESS_PATIENCE)
                      .filter(signed -> leafIndex < signed.size())
                      .or(() -> newest)
                  : CheckpointTable.one(connection, newest.get().generation(), size);
          return head.filter(signed -> leafIndex >= 0 && leafIndex < signed.size())
              .map(signed -> proof(connection, leafIndex, signed.note()));
        });
  }

  private static TlogProof proof(Connection connection, long leafIndex, SignedNote note) {
    long size = Checkpoint.parse(note.text()).size();
    return new TlogProof(
        leafIndex, Proofs.inclusion(leafIndex, size, new StoredNodes(connection)), note);
  }

  /**
   * The proof that the tree of {@code newSize} begins with that of {@code oldSize}.
   *
   * @return empty when no checkpoint covers {@code newSize}
   * @throws IllegalArgumentException unless {@code 0 <= oldSize <= newSize}
   */
  public Optional<List<TreeHash>> consistency(long oldSize, long newSize) {
    return read(
        connection -> {
          long size =
              CheckpointTable.newest(connection).map(CheckpointTable.Signed::size).orElse(0L);
          return newSize > size
              ? Optional.empty()
              : Optional.of(Proofs.consistency(oldSize, newSize, new StoredNodes(connection)));
        });
  }

  /**
   * The proof that what a request did to a stream is in the log, as soon as a checkpoint covers it.
   *
   * @param aggregateId the stream
   * @param limit how long to wait for that
   * @return empty when the time was over first; what was committed stays committed
   */
  public Optional<TlogProof> receipt(String aggregateId, String requestId, Duration limit) {
    long end = System.nanoTime() + limit.toNanos();
    try {
      while (true) {
        Optional<TlogProof> proof = read(connection -> receipt(connection, aggregateId, requestId));
        if (proof.isPresent() || System.nanoTime() >= end) {
          return proof;
        }
        wake.run();
        TimeUnit.MILLISECONDS.sleep(POLL_MILLIS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    }
  }

  private static Optional<TlogProof> receipt(
      Connection connection, String aggregateId, String requestId) throws SQLException {
    String eventId;
    try (PreparedStatement statement = connection.prepareStatement(EVENT_OF_REQUEST)) {
      statement.setString(1, aggregateId);
      statement.setString(2, requestId);
      try (ResultSet row = statement.executeQuery()) {
        if (!row.next()) {
          return Optional.empty();
        }
        eventId = row.getString(1);
      }
    }
    Optional<Long> leaf = leafOf(connection, eventId);
    if (leaf.isEmpty()) {
      return Optional.empty();
    }
    return CheckpointTable.covering(connection, leaf.get())
        .map(signed -> proof(connection, leaf.get(), signed.note()));
  }

  private interface Query<T> {
    T run(Connection connection) throws SQLException;
  }

  private <T> T read(Query<T> query) {
    try (Connection connection = readers.getConnection()) {
      return query.run(connection);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the log does not answer", e);
    }
  }
}

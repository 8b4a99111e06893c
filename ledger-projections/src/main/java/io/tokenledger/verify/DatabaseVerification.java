package io.tokenledger.verify;

import io.tokenledger.audit.ControlEvent.ForgedEventFound;
import io.tokenledger.audit.EventType;
import io.tokenledger.sequence.LogEntries;
import io.tokenledger.sequence.LogRow;
import io.tokenledger.sequence.LogTable;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.tlog.VerifierKey;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * Verifies the log where it lies, in one snapshot: every leaf against its event, the tree against
 * every stored and every remembered checkpoint, streams without holes, and no event that the log
 * does not know.
 */
public final class DatabaseVerification {

  private static final int CHUNK = LeafRows.CHUNK;
  private static final int MAX_SIGNATURES = 1_000;

  private static final String HIGHEST =
      """
      SELECT coalesce(max(leaf_index) + 1, 0)
        FROM audit.leaf
      """;

  private static final String CHECKPOINTS =
      """
      SELECT generation, size, root, note
        FROM audit.checkpoint
       WHERE size > ?
         AND size <= ?
       ORDER BY size, generation
      """;

  private static final String CHECKPOINT_COUNT =
      """
      SELECT count(*)
        FROM audit.checkpoint
      """;

  private static final String NODES =
      """
      SELECT level, node_index, hash
        FROM audit.node
       ORDER BY level, node_index
      """;

  private static final String BROKEN_STREAMS =
      """
      SELECT aggregate_id, count(*) AS events, max(sequence_number) + 1 AS expected
        FROM ledger.event
       GROUP BY aggregate_id
      HAVING count(*) <> max(sequence_number) + 1
       ORDER BY aggregate_id
       LIMIT 1000
      """;

  /** What explains that something cannot be read any more, and which of it no node wrote. */
  private static final String EXPLANATIONS =
      """
      SELECT leaf.leaf_index, leaf.entry,
             event.global_index, event.event_id, event.aggregate_id, event.sequence_number,
             event.aggregate_type, event.event_type, event.revision, event.occurred_at,
             event.payload, event.metadata, event.mac,
             to_char(event.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
               AS recorded_at,
             salt.payload_salt, salt.metadata_salt
        FROM ledger.event          AS event
        JOIN audit.leaf            AS leaf ON leaf.global_index = event.global_index
        LEFT JOIN state.event_salt AS salt ON salt.event_id = event.event_id
       WHERE event.event_type IN
             ('SubjectErased', 'EventsPruned', 'EventsWithheld', 'ForgedEventFound')
       ORDER BY leaf.leaf_index
      """;

  private static final String WITHOUT_LEAF =
      """
      SELECT event.global_index, event.event_id, event.aggregate_id, event.sequence_number,
             event.aggregate_type, event.event_type, event.revision, event.occurred_at,
             event.payload, event.metadata, event.mac,
             to_char(event.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
               AS recorded_at,
             salt.payload_salt, salt.metadata_salt
        FROM ledger.event          AS event
        LEFT JOIN state.event_salt AS salt ON salt.event_id = event.event_id
       WHERE NOT EXISTS (SELECT 1
                           FROM audit.leaf AS leaf
                          WHERE leaf.global_index = event.global_index)
       ORDER BY event.global_index
       LIMIT ?
      """;

  private final ErasedFields erased = new ErasedFields();
  private final Map<Integer, Map<Long, byte[]>> nodes = new HashMap<>();
  private final LogAudit audit;
  private final @Nullable Policy policy;
  private final List<SignedNote> remembered;
  private final boolean deep;

  /** Hears how far it is. */
  public interface Progress {
    /**
     * @param done leaves read
     * @param total leaves there are
     */
    void at(long done, long total);
  }

  /**
   * @param policy whom to believe; null to take the keys that the database names, which proves less
   * @param remembered checkpoints from elsewhere that the log must agree with
   * @param macs knows which rows a node wrote; null when the key of that is not at hand
   * @param deep whether to check the signature of every stored checkpoint, not only of the newest
   */
  public DatabaseVerification(
      @Nullable Policy policy,
      List<SignedNote> remembered,
      @Nullable EventTable macs,
      boolean deep) {
    this.policy = policy;
    this.remembered = List.copyOf(remembered);
    this.deep = deep;
    this.audit = new LogAudit(macs, this::keep);
    if (macs == null) {
      audit.note("rows were not checked for their MAC: give --ledger-key-file");
    }
  }

  private void keep(int level, long index, TreeHash hash) {
    if (level % 8 == 0) {
      nodes.computeIfAbsent(level, key -> new HashMap<>()).put(index, hash.bytes());
    }
  }

  /**
   * Reads everything once.
   *
   * @param connection does not commit by itself; nothing is changed
   * @throws LedgerUnavailable when the database does not answer
   */
  public Verdict run(Connection connection, Progress progress) {
    try {
      connection.rollback();
      connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
      try {
        Policy believing = policy(connection);
        rememberNewest(connection, believing);
        remembered.forEach(note -> audit.remember(note, believing, false));
        readExplanations(connection);
        readLeaves(connection, believing, progress);
        erased.lines().forEach(audit::note);
        compareNodes(connection);
        compareHead(connection);
        findBrokenStreams(connection);
        findPending(connection);
        return audit.finish();
      } finally {
        connection.rollback();
        connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("the log could not be read to its end", e);
    }
  }

  private void rememberNewest(Connection connection, Policy believing) throws SQLException {
    try {
      Optional<CheckpointTable.Signed> newest = CheckpointTable.newest(connection);
      if (newest.isPresent()) {
        audit.remember(newest.get().note(), believing, true);
      } else {
        audit.note("nothing was signed yet");
      }
    } catch (InvalidTlogFormat e) {
      audit.find("checkpoint_broken", null, null, "the newest: " + e.getMessage());
    }
  }

  private Policy policy(Connection connection) throws SQLException {
    if (policy != null) {
      return policy;
    }
    audit.note(
        "the keys were taken from the database itself: give --policy with the ones you trust");
    List<VerifierKey> keys = new ArrayList<>();
    for (CheckpointTable.Key key : CheckpointTable.keys(connection)) {
      try {
        keys.add(VerifierKey.parse(key.verifierKey()));
      } catch (InvalidTlogFormat e) {
        audit.find("key_broken", null, null, String.valueOf(e.getMessage()));
      }
    }
    return Policy.of(keys);
  }

  /**
   * A leaf that nobody signed yet explains no missing body: it may have come with the damage. Nor
   * does one that is not what the log says, or that no node wrote: without the key of MACs, because
   * the node that gave it its place said so.
   */
  private void readExplanations(Connection connection) throws SQLException {
    LogEntries entries = new LogEntries();
    TreeMap<Long, LogRow> explanations = new TreeMap<>();
    TreeMap<Long, LogRow> found = new TreeMap<>();
    try (PreparedStatement statement = connection.prepareStatement(EXPLANATIONS);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        long leafIndex = row.getLong("leaf_index");
        LogRow event = LogTable.read(row);
        if (event.row().eventType().equals(EventType.SUBJECT_ERASED.storedName())) {
          erased.erasure(leafIndex, event.row().payload());
        } else if (audit.isOurs(event)
            && Arrays.equals(entries.write(event), row.getBytes("entry"))) {
          boolean isForgery =
              event.row().eventType().equals(EventType.FORGED_EVENT_FOUND.storedName());
          if (isForgery) {
            found.put(leafIndex, event);
          } else if (audit.isBelieved(leafIndex)) {
            explanations.put(leafIndex, event);
          }
        }
      }
    }
    // One that is forged itself is named by a later one: from the newest on it is known which.
    Set<String> forged = new HashSet<>();
    found
        .descendingMap()
        .values()
        .forEach(
            event -> {
              if (!forged.contains(event.row().eventId())) {
                forged.add(forged(event));
              }
            });
    explanations.forEach(
        (leafIndex, event) -> {
          if (!forged.contains(event.row().eventId())) {
            audit.pruned().add(leafIndex, event);
          }
        });
  }

  /** The id of which event that says so; empty when it cannot be read. */
  private static String forged(LogRow event) {
    try {
      return EventReader.CURRENT
          .read(event.row().eventType(), event.row().revision(), event.row().payload())
          .stream()
          .map(read -> ((ForgedEventFound) read).eventId())
          .findFirst()
          .orElse("");
    } catch (UnreadableEvent e) {
      return "";
    }
  }

  private void readLeaves(Connection connection, Policy believing, Progress progress)
      throws SQLException {
    long total = number(connection, HIGHEST);
    boolean allSignatures = deep || number(connection, CHECKPOINT_COUNT) <= MAX_SIGNATURES;
    if (!allSignatures) {
      audit.note("of older checkpoints roots were compared, not signatures: --deep checks both");
    }
    progress.at(0, total);
    // Reading one chunk and checking the one before go side by side.
    ExecutorService checker =
        Executors.newSingleThreadExecutor(task -> new Thread(task, "ledger-verify"));
    try {
      Future<?> before = CompletableFuture.completedFuture(null);
      for (long from = 0; from < total; from += CHUNK) {
        long end = Math.min(from + CHUNK, total);
        List<Stored> checkpoints = stored(connection, from, end);
        List<LeafRows.LeafRow> leaves = new ArrayList<>();
        LeafRows.read(connection, from, end, leaves::add);
        await(before);
        progress.at(from, total);
        before =
            checker.submit(
                () -> {
                  checkpoints.forEach(each -> remember(each, believing, allSignatures));
                  leaves.forEach(this::check);
                });
      }
      await(before);
    } finally {
      checker.shutdownNow();
    }
    progress.at(total, total);
    stored(connection, total, Long.MAX_VALUE)
        .forEach(each -> remember(each, believing, allSignatures));
  }

  /** What was found out before it is seen after it. */
  private static void await(Future<?> checked) {
    try {
      checked.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new LedgerUnavailable("interrupted while the log was verified", e);
    } catch (ExecutionException e) {
      throw new IllegalStateException("a leaf could not be checked", e);
    }
  }

  /** A checkpoint as it is stored. */
  private record Stored(int generation, long size, byte[] root, String note) {}

  private static List<Stored> stored(Connection connection, long above, long upTo)
      throws SQLException {
    List<Stored> found = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(CHECKPOINTS)) {
      statement.setLong(1, above);
      statement.setLong(2, upTo);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          found.add(
              new Stored(
                  row.getInt("generation"),
                  row.getLong("size"),
                  row.getBytes("root"),
                  row.getString("note")));
        }
      }
    }
    return found;
  }

  private void remember(Stored stored, Policy believing, boolean signatures) {
    try {
      SignedNote note = SignedNote.parse(stored.note());
      Checkpoint checkpoint = Checkpoint.parse(note.text());
      if (checkpoint.size() != stored.size()
          || !checkpoint.root().equals(TreeHash.of(stored.root()))
          || !checkpoint.origin().endsWith("/" + stored.generation())) {
        audit.find(
            "checkpoint_differs",
            null,
            null,
            "the columns of checkpoint " + stored.size() + " and its note");
      }
      if (signatures) {
        audit.remember(note, believing, false);
      } else {
        audit.remember(checkpoint);
      }
    } catch (InvalidTlogFormat e) {
      audit.find("checkpoint_broken", null, null, stored.size() + ": " + e.getMessage());
    }
  }

  private void check(LeafRows.LeafRow leaf) {
    long leafIndex = leaf.leafIndex();
    if (leafIndex != audit.size()) {
      audit.find(
          "leaf_missing",
          audit.size(),
          null,
          "the next leaf is " + leafIndex + ": indices are dense");
    }
    if (!Arrays.equals(TreeHash.leaf(leaf.entry()).bytes(), leaf.leafHash())) {
      audit.find("leaf_hash_differs", leafIndex, null, "it is not the hash of the entry");
    }
    LogRow event = leaf.event();
    if (event != null && !event.row().eventId().equals(leaf.eventId())) {
      audit.find("leaf_event_differs", leafIndex, event.row().eventId(), "the leaf's event_id");
    }
    audit.leaf(leaf.entry());
    audit.body(leafIndex, leaf.entry(), event);
    if (event != null) {
      erased.event(leafIndex, event.row().payload(), event.row().metadata());
    }
  }

  private void compareNodes(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(NODES)) {
      statement.setFetchSize(CHUNK);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          int level = row.getInt("level");
          long index = row.getLong("node_index");
          Map<Long, byte[]> known = nodes.getOrDefault(level, new HashMap<>());
          if (!Arrays.equals(known.remove(index), row.getBytes("hash"))) {
            audit.find("node_differs", null, null, "the stored hash " + level + "/" + index);
          }
        }
      }
    }
    nodes.forEach(
        (level, missing) ->
            missing
                .keySet()
                .forEach(
                    index ->
                        audit.find(
                            "node_missing", null, null, "the stored hash " + level + "/" + index)));
  }

  private void compareHead(Connection connection) throws SQLException {
    boolean same;
    try {
      LogTable.Head head = LogTable.head(connection);
      same =
          head.size() == audit.size()
              && head.root().equals(audit.root())
              && Arrays.equals(head.edge(), audit.edge());
    } catch (InvalidTlogFormat e) {
      same = false;
    }
    if (!same) {
      audit.find("head_differs", null, null, "audit.tree_head is not of these leaves");
    }
  }

  private void findBrokenStreams(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(BROKEN_STREAMS);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        audit.find(
            "stream_broken",
            null,
            null,
            row.getString("aggregate_id")
                + " has "
                + row.getLong("events")
                + " events where its last number says "
                + row.getLong("expected"));
      }
    }
  }

  private void findPending(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(WITHOUT_LEAF)) {
      statement.setInt(1, CHUNK);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          audit.pending(LogTable.read(row));
        }
      }
    }
  }

  private static long number(Connection connection, String sql) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getLong(1);
    }
  }
}

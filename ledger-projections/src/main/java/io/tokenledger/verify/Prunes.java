package io.tokenledger.verify;

import io.tokenledger.audit.ControlEvent.EventsPruned;
import io.tokenledger.audit.ControlEvent.EventsWithheld;
import io.tokenledger.sequence.LogEntries;
import io.tokenledger.sequence.LogRow;
import io.tokenledger.sequence.LogTable;
import io.tokenledger.sequence.StoredNodes;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.store.EventTable;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Proofs;
import io.tokenledger.tlog.TreeHash;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Leaves by which bodies went, or stayed after all, as a bundle carries them: the event and its
 * entry, and the proof that the signed tree holds it. They may lie far behind the bundle's own
 * range.
 */
public final class Prunes {

  private static final JsonMapper JSON = JsonMapper.shared();

  /** In leaf order: what narrows a decision comes after it. */
  private static final String LEAVES =
      """
      SELECT leaf.leaf_index, leaf.entry,
             event.global_index, event.event_id, event.aggregate_id, event.sequence_number,
             event.aggregate_type, event.event_type, event.revision, event.occurred_at,
             event.payload, event.metadata, event.mac,
             to_char(event.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
               AS recorded_at,
             salt.payload_salt, salt.metadata_salt
        FROM ledger.event     AS event
        JOIN audit.leaf       AS leaf ON leaf.global_index = event.global_index
        JOIN state.event_salt AS salt ON salt.event_id = event.event_id
       WHERE event.event_type IN ('EventsPruned', 'EventsWithheld')
         AND leaf.leaf_index >= ?
         AND (leaf.leaf_index < ? OR event.event_type = 'EventsWithheld' AND ?)
         AND (NOT ?
           OR event.event_type = 'EventsWithheld'
           OR EXISTS (SELECT 1
                        FROM state.prune AS prune
                       WHERE prune.event_id = event.event_id
                         AND prune.completed_at IS NOT NULL))
       ORDER BY leaf.leaf_index
      """;

  private Prunes() {}

  /** Takes what a node wrote and what stands in the log as its row says. */
  private interface Taker {
    void take(long leafIndex, byte[] entry, LogRow event);
  }

  private static void read(
      Connection connection,
      EventTable table,
      long from,
      long size,
      boolean completed,
      boolean narrowedUnsigned,
      Taker taker)
      throws SQLException {
    LogEntries entries = new LogEntries();
    try (PreparedStatement statement = connection.prepareStatement(LEAVES)) {
      statement.setLong(1, from);
      statement.setLong(2, size);
      statement.setBoolean(3, narrowedUnsigned);
      statement.setBoolean(4, completed);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          LogRow event = LogTable.read(row);
          byte[] entry = row.getBytes("entry");
          if (Arrays.equals(entries.write(event), entry)
              && table.isOurs(event.row(), event.mac())) {
            taker.take(row.getLong("leaf_index"), entry, event);
          }
        }
      }
    }
  }

  /**
   * Those that are signed in that database; what narrows one counts before it is signed.
   *
   * @param table knows which rows a node wrote: another one explains nothing
   * @param completed whether only those that were carried out
   */
  public static PrunedLeaves of(Connection connection, EventTable table, boolean completed)
      throws SQLException {
    PrunedLeaves pruned = new PrunedLeaves();
    read(
        connection,
        table,
        0,
        CheckpointTable.newest(connection).map(CheckpointTable.Signed::size).orElse(0L),
        completed,
        true,
        (leafIndex, entry, event) -> pruned.add(leafIndex, event));
    return pruned;
  }

  /**
   * A line for each that speaks of a leaf of a range.
   *
   * @param to first leaf after the range
   * @param size of the checkpoint that they are joined to
   */
  static List<String> covering(
      Connection connection, EventTable table, long from, long to, long size, StoredNodes nodes)
      throws SQLException {
    List<String> lines = new ArrayList<>();
    Set<Long> decisions = new HashSet<>();
    read(
        connection,
        table,
        from,
        size,
        false,
        false,
        (leafIndex, entry, event) -> {
          Object said = PrunedLeaves.read(event);
          if (said instanceof EventsPruned prune && prune.to() > from && prune.from() < to) {
            decisions.add(leafIndex);
            lines.add(line(leafIndex, entry, event, size, nodes));
          } else if (said instanceof EventsWithheld withheld
              && decisions.contains(withheld.leafIndex())) {
            lines.add(line(leafIndex, entry, event, size, nodes));
          }
        });
    return lines;
  }

  private static String line(
      long leafIndex, byte[] entry, LogRow event, long size, StoredNodes nodes) {
    ObjectNode json = JSON.createObjectNode();
    json.put("entry", new String(entry, StandardCharsets.UTF_8));
    json.put("body", Bodies.write(leafIndex, event));
    ArrayNode proof = json.putArray("proof");
    Proofs.inclusion(leafIndex, size, nodes).forEach(hash -> proof.add(hash.toString()));
    return json.toString();
  }

  /**
   * Takes such a line into account; one that is not proven explains nothing, and is a finding.
   *
   * @throws InvalidTlogFormat when it is no such line
   */
  static void take(String line, Checkpoint head, LogAudit audit) {
    try {
      JsonNode json = JSON.readTree(line);
      byte[] entry = json.required("entry").stringValue().getBytes(StandardCharsets.UTF_8);
      Bodies.Body body = Bodies.read(json.required("body").stringValue());
      List<TreeHash> proof = new ArrayList<>();
      json.required("proof").forEach(hash -> proof.add(TreeHash.parse(hash.stringValue())));
      boolean proven =
          Arrays.equals(new LogEntries().write(body.event()), entry)
              && Proofs.isIncluded(
                  TreeHash.leaf(entry), body.leafIndex(), head.size(), head.root(), proof);
      if (PrunedLeaves.read(body.event()) == null || !proven) {
        audit.find(
            "prune_not_proven",
            body.leafIndex(),
            body.event().row().eventId(),
            "the log does not say that these bodies went");
        return;
      }
      audit.pruned().add(body.leafIndex(), body.event());
    } catch (JacksonException | IllegalArgumentException e) {
      throw new InvalidTlogFormat("not a line of " + BundleWriter.PRUNES + ": " + e.getMessage());
    }
  }
}

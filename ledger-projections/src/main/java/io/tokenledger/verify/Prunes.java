package io.tokenledger.verify;

import io.tokenledger.audit.ControlEvent.EventsPruned;
import io.tokenledger.audit.EventType;
import io.tokenledger.sequence.LogEntries;
import io.tokenledger.sequence.LogRow;
import io.tokenledger.sequence.LogTable;
import io.tokenledger.sequence.StoredNodes;
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
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Leaves by which bodies went, as a bundle carries them: the event and its entry, and the proof
 * that the signed tree holds it. They may lie far behind the bundle's own range.
 */
final class Prunes {

  private static final JsonMapper JSON = JsonMapper.shared();

  /** Later than the range begins, and signed. */
  private static final String LEAVES =
      """
      SELECT leaf.leaf_index, leaf.entry,
             event.global_index, event.event_id, event.aggregate_id, event.sequence_number,
             event.aggregate_type, event.event_type, event.revision, event.occurred_at,
             event.payload, event.metadata, event.mac,
             to_char(event.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
               AS recorded_at,
             salt.payload_salt, salt.metadata_salt
        FROM state.prune      AS prune
        JOIN audit.leaf       AS leaf  ON leaf.event_id = prune.event_id
        JOIN ledger.event     AS event ON event.global_index = leaf.global_index
        JOIN state.event_salt AS salt  ON salt.event_id = event.event_id
       WHERE leaf.leaf_index >= ?
         AND leaf.leaf_index <  ?
       ORDER BY leaf.leaf_index
      """;

  private Prunes() {}

  /**
   * A line for each that speaks of a leaf from that one on.
   *
   * @param size of the checkpoint that they are joined to
   */
  static List<String> covering(Connection connection, long from, long size, StoredNodes nodes)
      throws SQLException {
    List<String> lines = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(LEAVES)) {
      statement.setLong(1, from);
      statement.setLong(2, size);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          LogRow event = LogTable.read(row);
          EventsPruned prune = prune(event);
          if (prune != null && prune.to() > from) {
            lines.add(line(row.getLong("leaf_index"), row.getBytes("entry"), event, size, nodes));
          }
        }
      }
    }
    return lines;
  }

  private static @Nullable EventsPruned prune(LogRow event) {
    return event.row().eventType().equals(EventType.EVENTS_PRUNED.storedName())
        ? PrunedLeaves.read(event.row().eventType(), event.row().revision(), event.row().payload())
        : null;
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
      EventsPruned prune = prune(body.event());
      boolean proven =
          Arrays.equals(new LogEntries().write(body.event()), entry)
              && Proofs.isIncluded(
                  TreeHash.leaf(entry), body.leafIndex(), head.size(), head.root(), proof);
      if (prune == null || !proven) {
        audit.find(
            "prune_not_proven",
            body.leafIndex(),
            body.event().row().eventId(),
            "the log does not say that these bodies went");
        return;
      }
      audit.pruned().add(body.leafIndex(), prune);
    } catch (JacksonException | IllegalArgumentException e) {
      throw new InvalidTlogFormat("not a line of " + BundleWriter.PRUNES + ": " + e.getMessage());
    }
  }
}

package io.tokenledger.verify;

import io.tokenledger.sequence.LogRow;
import io.tokenledger.store.EventTable;
import io.tokenledger.tlog.InvalidTlogFormat;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Events as they leave the ledger for who checks them: one line of JSON each, every column exactly
 * as it is stored, personal fields sealed as they are, and the salts that the entry's commitments
 * need.
 */
public final class Bodies {

  private static final JsonMapper JSON = JsonMapper.shared();

  private Bodies() {}

  /** The line for that leaf, without its newline. */
  public static String write(long leafIndex, LogRow event) {
    EventTable.Row row = event.row();
    ObjectNode json = JSON.createObjectNode();
    json.put("leaf_index", leafIndex);
    json.put("global_index", event.globalIndex());
    json.put("event_id", row.eventId());
    json.put("aggregate_id", row.aggregateId());
    json.put("sequence_number", row.sequenceNumber());
    json.put("aggregate_type", row.aggregateType());
    json.put("event_type", row.eventType());
    json.put("revision", row.revision());
    json.put("occurred_at", row.occurredAt());
    json.put("recorded_at", event.recordedAt());
    json.put("payload", row.payload());
    json.put("metadata", row.metadata());
    json.put("mac", HexFormat.of().formatHex(event.mac()));
    json.put("payload_salt", hex(event.payloadSalt()));
    json.put("metadata_salt", hex(event.metadataSalt()));
    return json.toString();
  }

  private static @Nullable String hex(byte @Nullable [] bytes) {
    return bytes == null ? null : HexFormat.of().formatHex(bytes);
  }

  /** A line and the leaf it is of. */
  public record Body(long leafIndex, LogRow event) {}

  /**
   * What {@link #write} wrote.
   *
   * @throws InvalidTlogFormat when the line is none
   */
  public static Body read(String line) {
    try {
      JsonNode json = JSON.readTree(line);
      return new Body(
          json.required("leaf_index").longValue(),
          new LogRow(
              json.required("global_index").longValue(),
              new EventTable.Row(
                  json.required("event_id").stringValue(),
                  json.required("aggregate_id").stringValue(),
                  json.required("sequence_number").longValue(),
                  json.required("aggregate_type").stringValue(),
                  json.required("event_type").stringValue(),
                  json.required("revision").stringValue(),
                  json.required("occurred_at").stringValue(),
                  json.required("payload").stringValue(),
                  json.required("metadata").stringValue()),
              HexFormat.of().parseHex(json.required("mac").stringValue()),
              json.required("recorded_at").stringValue(),
              bytes(json.required("payload_salt")),
              bytes(json.required("metadata_salt"))));
    } catch (JacksonException | IllegalArgumentException e) {
      throw new InvalidTlogFormat("not a line of an event: " + e.getMessage());
    }
  }

  private static byte @Nullable [] bytes(JsonNode hex) {
    return hex.isNull() ? null : HexFormat.of().parseHex(hex.stringValue());
  }
}

package io.tokenledger.sink;

import java.net.URI;
import java.net.URISyntaxException;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * CloudEvents 1.0, JSON format, with the documented extensions {@code sequence} and {@code
 * partitionkey} and our own {@code tlogorigin} and {@code tlogindex}, which together are the key.
 */
final class CloudEvents {

  private static final String TYPE_PREFIX = "io.tokenledger.";
  private static final JsonMapper JSON = JsonMapper.shared();

  private CloudEvents() {}

  static byte[] write(Entry entry) {
    ObjectNode json = JSON.createObjectNode();
    json.put("specversion", "1.0");
    json.put("id", entry.eventId());
    json.put("source", source(entry.logOrigin()));
    json.put("type", TYPE_PREFIX + entry.eventType() + ".v" + entry.revision());
    String target = entry.text("target", "id");
    put(json, "subject", target);
    json.put("time", entry.occurredAt());
    json.put("datacontenttype", "application/json");
    json.put("sequence", sequence(entry.leafIndex()));
    put(json, "partitionkey", target);
    put(json, "correlationid", entry.text("correlation_id"));
    put(json, "causationid", entry.text("causation_id"));
    json.put("tlogorigin", entry.logOrigin());
    json.put("tlogindex", Long.toString(entry.leafIndex()));
    ObjectNode data = json.putObject("data");
    data.put("leaf_index", entry.leafIndex());
    data.put("leaf_hash", entry.leafHashBase64());
    data.put("event_type", entry.eventType());
    data.put("revision", entry.revision());
    data.put("recorded_at", entry.recordedAt().toString());
    data.put("sequenced_at", entry.sequencedAt().toString());
    data.set("payload", entry.payload());
    data.set("envelope", entry.envelope());
    return JSON.writeValueAsBytes(json);
  }

  /** An attribute is left out where there is nothing to say: null is no value of one. */
  private static void put(ObjectNode json, String attribute, @Nullable String value) {
    if (value != null && !value.isEmpty()) {
      json.put(attribute, value);
    }
  }

  /** A reference whatever the log is called: a name with a colon would pass for a scheme. */
  private static String source(String origin) {
    try {
      return new URI(null, null, "/" + origin, null).toASCIIString();
    } catch (URISyntaxException e) {
      throw new IllegalStateException("the log's name cannot stand in a URI", e);
    }
  }

  /** 19 digits, so that the order of texts is that of numbers. */
  private static String sequence(long leafIndex) {
    String digits = Long.toString(leafIndex);
    return "0".repeat(19 - digits.length()) + digits;
  }
}

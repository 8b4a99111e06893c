package io.tokenledger.store;

import java.util.List;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * What is left of an event at the end of its retention: what its entry in the log shows of it in
 * any case, and what it is searched by. Projections make the same rows of it as before.
 *
 * @param payload {@code {"count":3,"pruned":true}}, or without a count where it had none
 * @param metadata the envelope with nothing in it but who did what to whom with which outcome
 */
public record PrunedBody(String payload, String metadata) {

  private static final JsonMapper JSON = JsonMapper.shared();

  private static final List<String> ENVELOPE =
      List.of(
          "log_origin",
          "actor",
          "action",
          "outcome",
          "outcome_reason",
          "target",
          "request_id",
          "correlation_id");

  private static final List<String> ACTOR = List.of("type", "id", "credential_id", "name");
  private static final List<String> TARGET = List.of("type", "id", "name");
  private static final String COUNT = "count";

  /**
   * What is left of these; of what is left, the same again.
   *
   * @throws JacksonException when a text is no JSON
   */
  public static PrunedBody of(String payload, String metadata) {
    JsonNode before = JSON.readTree(payload);
    ObjectNode body = JSON.createObjectNode();
    if (before.path(COUNT).isIntegralNumber()) {
      body.set(COUNT, before.get(COUNT));
    }
    body.put("pruned", true);
    JsonNode envelope = JSON.readTree(metadata);
    ObjectNode header = JSON.createObjectNode();
    copy(envelope, header, ENVELOPE);
    only(header, "actor", ACTOR);
    only(header, "target", TARGET);
    return new PrunedBody(body.toString(), header.toString());
  }

  /** A row with what is left of its body. */
  public static EventTable.Row leftOf(EventTable.Row row) {
    PrunedBody body = of(row.payload(), row.metadata());
    return new EventTable.Row(
        row.eventId(),
        row.aggregateId(),
        row.sequenceNumber(),
        row.aggregateType(),
        row.eventType(),
        row.revision(),
        row.occurredAt(),
        body.payload(),
        body.metadata());
  }

  private static void only(ObjectNode header, String name, List<String> fields) {
    if (header.path(name).isObject()) {
      ObjectNode some = JSON.createObjectNode();
      copy(header.path(name), some, fields);
      header.set(name, some);
    }
  }

  private static void copy(JsonNode from, ObjectNode to, List<String> fields) {
    for (String field : fields) {
      JsonNode value = from.get(field);
      if (value != null) {
        to.set(field, value);
      }
    }
  }

  /** Whether a row holds nothing else any more. */
  public static boolean isAll(String payload, String metadata) {
    try {
      return of(payload, metadata).equals(new PrunedBody(payload, metadata));
    } catch (JacksonException e) {
      return false;
    }
  }
}

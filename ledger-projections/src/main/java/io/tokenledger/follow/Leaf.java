package io.tokenledger.follow;

import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * One event in the dense order.
 *
 * @param leafIndex its place, from 0 without a gap
 * @param globalIndex its row in the event table
 * @param occurredAt as stored, ISO 8601 in UTC
 * @param aggregateType Token, Request or Service
 * @param sequence its place in its stream, from 0
 * @param payload as stored, JSON text
 * @param envelope what the event says of its request, personal fields sealed
 */
public record Leaf(
    long leafIndex,
    long globalIndex,
    String eventId,
    String occurredAt,
    String aggregateType,
    long sequence,
    String eventType,
    String revision,
    String payload,
    JsonNode envelope) {

  /** {@code token}, {@code anonymous} or {@code system}. */
  public String actorType() {
    return envelope.path("actor").path("type").asString("");
  }

  /** The acting token; null for others. */
  public @Nullable Long actorTokenId() {
    JsonNode credential = envelope.path("actor").path("credential_id");
    return credential.isNumber() ? credential.longValue() : null;
  }

  /** The acting token's name when it acted, else the type. */
  public String actorName() {
    String name = text(envelope.path("actor").path("name"));
    return name == null ? actorType() : name;
  }

  /** The value of a text field; null when it holds none. */
  public static @Nullable String text(JsonNode node) {
    return node.isString() ? node.stringValue() : null;
  }
}

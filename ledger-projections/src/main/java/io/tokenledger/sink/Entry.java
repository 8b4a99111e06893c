package io.tokenledger.sink;

import java.time.Instant;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * One event of the log as its readers see it: personal fields in clear, or null where their key was
 * destroyed.
 *
 * @param logOrigin name of the log; with the leaf's index the key of the entry
 * @param leafHashBase64 the leaf's hash in the tree; null where that is not known
 * @param occurredAt as stored, ISO 8601 in UTC
 * @param recordedAt the database's clock at the insert
 * @param sequencedAt when it got its place
 * @param payload what happened
 * @param envelope who did it, from where, why
 */
public record Entry(
    String logOrigin,
    long leafIndex,
    @Nullable String leafHashBase64,
    String eventId,
    String eventType,
    String revision,
    String occurredAt,
    Instant recordedAt,
    Instant sequencedAt,
    JsonNode payload,
    JsonNode envelope) {

  /** The text at that path of the envelope; null where there is none. */
  @Nullable String text(String field) {
    return text(envelope.path(field));
  }

  /** The text at that path of the envelope; null where there is none. */
  @Nullable String text(String object, String field) {
    return text(envelope.path(object).path(field));
  }

  private static @Nullable String text(JsonNode node) {
    return node.isString() ? node.stringValue() : null;
  }

  /** How it ended: {@code success}, {@code denied} or {@code failed}. */
  String outcome() {
    String outcome = text("outcome");
    return outcome == null ? "unknown" : outcome;
  }

  /** The client's address when a trusted proxy told it, else the socket's. */
  @Nullable String clientAddress() {
    String forwarded = text("source", "forwarded_for");
    return forwarded != null && envelope.path("source").path("forwarded_trusted").asBoolean(false)
        ? forwarded
        : text("source", "ip");
  }

  /** The acting token's name, else the kind of actor. */
  String actorName() {
    String name = text("actor", "name");
    String type = text("actor", "type");
    return name != null ? name : type != null ? type : "unknown";
  }
}

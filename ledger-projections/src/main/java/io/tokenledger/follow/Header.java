package io.tokenledger.follow;

import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What an envelope says in clear: followers hold a thousand at once, and their trees would be most
 * of what a node collects as garbage.
 *
 * @param readable false when the envelope is no JSON object; the rest is empty then
 * @param actorType {@code token}, {@code anonymous} or {@code system}
 * @param actorTokenId the acting token; null for others
 * @param actorName the acting token's name when it acted, else the type
 */
public record Header(
    boolean readable,
    String action,
    String outcome,
    @Nullable String outcomeReason,
    String actorType,
    @Nullable Long actorTokenId,
    String actorName,
    @Nullable String targetId,
    @Nullable String targetName,
    String requestId,
    @Nullable String correlationId) {

  /** Of an event whose envelope cannot be read. */
  public static final Header NONE =
      new Header(false, "", "", null, "", null, "", null, null, "", null);

  private static final JsonMapper JSON = JsonMapper.shared();

  /** The same; {@link #NONE} where it is no JSON: who needs it must say that it cannot be read. */
  static Header orNone(String metadata) {
    try {
      return parse(metadata);
    } catch (JacksonException e) {
      return NONE;
    }
  }

  /**
   * Reads a stored envelope.
   *
   * @throws JacksonException when it is no JSON
   */
  public static Header parse(String metadata) {
    JsonNode envelope = JSON.readTree(metadata);
    if (!envelope.isObject()) {
      return NONE;
    }
    JsonNode actor = envelope.path("actor");
    String type = actor.path("type").asString("");
    JsonNode credential = actor.path("credential_id");
    String name = text(actor.path("name"));
    JsonNode target = envelope.path("target");
    return new Header(
        true,
        envelope.path("action").asString(""),
        envelope.path("outcome").asString(""),
        text(envelope.path("outcome_reason")),
        type,
        credential.isNumber() ? credential.longValue() : null,
        name == null ? type : name,
        text(target.path("id")),
        text(target.path("name")),
        envelope.path("request_id").asString(""),
        text(envelope.path("correlation_id")));
  }

  private static @Nullable String text(JsonNode node) {
    return node.isString() ? node.stringValue() : null;
  }
}

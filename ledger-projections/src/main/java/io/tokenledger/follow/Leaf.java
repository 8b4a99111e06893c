package io.tokenledger.follow;

import io.tokenledger.store.EventReader;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.token.TokenEvent;
import java.util.ArrayList;
import java.util.List;
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
 * @param envelope what the event says of its request, personal fields sealed; empty when it cannot
 *     be read and is quarantined
 * @param quarantined whether it cannot be read and an operator let projections pass it
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
    JsonNode envelope,
    boolean quarantined) {

  /**
   * What happened to tokens, one event as a rule. None for other aggregates, and for a quarantined
   * leaf.
   *
   * @throws UnreadableEvent when this version cannot read it; says which and where
   */
  public List<TokenEvent> tokenEvents(EventReader reader) {
    if (quarantined || !aggregateType.equals("Token")) {
      return List.of();
    }
    List<TokenEvent> events = new ArrayList<>(1);
    try {
      for (Object event : reader.read(eventType, revision, payload)) {
        events.add((TokenEvent) event);
      }
    } catch (UnreadableEvent e) {
      throw unreadable(e);
    } catch (ClassCastException e) {
      throw unreadable(new UnreadableEvent("no event of a token, " + eventType, e));
    }
    return events;
  }

  /** Says which leaf cannot be read, and why. */
  public UnreadableEvent unreadable(UnreadableEvent why) {
    return why.atLeaf(leafIndex, eventId);
  }

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

package io.tokenledger.follow;

import io.tokenledger.store.EventReader;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.token.TokenEvent;
import java.util.ArrayList;
import java.util.List;

/**
 * One event in the dense order.
 *
 * @param leafIndex its place, from 0 without a gap
 * @param globalIndex its row in the event table
 * @param occurredAt as stored, ISO 8601 in UTC
 * @param aggregateType Token, Request or Service
 * @param sequence its place in its stream, from 0
 * @param payload as stored, JSON text
 * @param header what the event says of its request in clear
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
    Header header,
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
      EventReader.requireTime(occurredAt);
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
}

package io.tokenledger.history;

import java.time.Instant;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * One row of the audit log with its envelope opened for a reader who may see it.
 *
 * @param leafIndex place in the dense order, from 0
 * @param globalIndex place in the event table
 * @param recordedAt the database's clock at the insert
 * @param count how many requests it stands for, 1 for a state change
 * @param payload the stored payload, opened as the envelope
 * @param envelope the stored envelope with every sealed field opened, or null where its key is gone
 * @param quarantined whether it cannot be read and projections passed it; payload and envelope are
 *     then what they are, a JSON string or an empty object where they are no JSON
 */
public record AuditEntry(
    long leafIndex,
    long globalIndex,
    String eventId,
    String eventType,
    String revision,
    Instant occurredAt,
    Instant recordedAt,
    Instant sequencedAt,
    String action,
    String outcome,
    @Nullable String outcomeReason,
    String actorType,
    @Nullable Long actorTokenId,
    @Nullable String actorName,
    @Nullable String targetId,
    @Nullable String targetName,
    String requestId,
    long count,
    JsonNode payload,
    JsonNode envelope,
    boolean quarantined) {

  /** The same with payload and envelope. */
  AuditEntry with(JsonNode openedPayload, JsonNode openedEnvelope) {
    return new AuditEntry(
        leafIndex,
        globalIndex,
        eventId,
        eventType,
        revision,
        occurredAt,
        recordedAt,
        sequencedAt,
        action,
        outcome,
        outcomeReason,
        actorType,
        actorTokenId,
        actorName,
        targetId,
        targetName,
        requestId,
        count,
        openedPayload,
        openedEnvelope,
        quarantined);
  }
}

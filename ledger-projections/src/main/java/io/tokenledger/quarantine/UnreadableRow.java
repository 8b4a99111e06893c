package io.tokenledger.quarantine;

import java.time.Instant;

/**
 * An event that some version could not read.
 *
 * @param state {@code found}, {@code quarantined} or {@code released}
 * @param changedAt when that became its state
 */
public record UnreadableRow(
    String eventId,
    long globalIndex,
    String aggregateId,
    String reason,
    String state,
    Instant foundAt,
    Instant changedAt) {}

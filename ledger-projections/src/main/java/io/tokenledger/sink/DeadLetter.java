package io.tokenledger.sink;

import java.time.Instant;

/**
 * An entry that a receiver refused for good.
 *
 * @param reason what it answered
 * @param refusals how often
 * @param requeued whether it is to be sent again
 */
public record DeadLetter(
    long leafIndex,
    String eventId,
    String eventType,
    String reason,
    int refusals,
    Instant refusedAt,
    boolean requeued) {}

package io.tokenledger.timeline;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * The event that made a token what it is in one respect.
 *
 * @param leafIndex its place in the log
 * @param actorName name of the token that did it, else {@code anonymous} or {@code system}; null of
 *     an event that cannot be read
 */
public record DecidingEvent(
    String eventId,
    long leafIndex,
    String eventType,
    Instant occurredAt,
    @Nullable String actorName,
    @Nullable Long actorTokenId) {}

package io.tokenledger.privacy;

import io.tokenledger.audit.ControlEvent.EventsPruned;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * Bodies that go, or would.
 *
 * @param event what exactly
 * @param eventId of it; null when it was only looked
 * @param decidedAt when; null when it was only looked
 * @param trouble why it is not done, in words; null while nothing hinders it
 * @param completedAt when the bodies were gone; null while they are not
 */
public record Prune(
    EventsPruned event,
    @Nullable String eventId,
    @Nullable Instant decidedAt,
    @Nullable String trouble,
    @Nullable Instant completedAt) {}

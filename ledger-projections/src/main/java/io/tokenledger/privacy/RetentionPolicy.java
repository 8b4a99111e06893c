package io.tokenledger.privacy;

import io.tokenledger.audit.RetentionClass;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * For how long the bodies of a class of events are kept.
 *
 * @param days in force, 1 to 36500; null for without end
 * @param changedAt since when; null while nobody said anything
 * @param proposedDays shorter, and waits for a second token, for seven days and while the first is
 *     live; null when nothing does
 * @param proposedByTokenId who may not be the second; null for others than tokens
 */
public record RetentionPolicy(
    RetentionClass retentionClass,
    @Nullable Integer days,
    @Nullable Instant changedAt,
    @Nullable Integer proposedDays,
    @Nullable Long proposedByTokenId,
    @Nullable Instant proposedAt) {}

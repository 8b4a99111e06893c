package io.tokenledger.privacy;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * What may not be destroyed.
 *
 * @param hold its name
 * @param subject whose events; null for anyone's
 * @param token name of the token that acted or was acted upon; null for any
 * @param from first instant; null for the beginning
 * @param until first instant after it; null for no end
 * @param liftedAt null while it holds
 */
public record LegalHold(
    String hold,
    @Nullable String subject,
    @Nullable String token,
    @Nullable Instant from,
    @Nullable Instant until,
    Instant placedAt,
    @Nullable Long placedByTokenId,
    @Nullable Instant liftedAt) {}

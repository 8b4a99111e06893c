package io.tokenledger.tokens;

import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenKind;
import io.tokenledger.token.TokenName;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One token that is or was.
 *
 * @param permissions canonical text forms, {@code *:*:*} alone for an admin
 * @param hash SHA-512 of the current secret, 128 hexadecimal digits
 * @param createdBy name of the token that made it, else {@code anonymous} or {@code system}
 * @param updatedAt last change by someone, expiry notices not counted
 * @param lastUsedAt start of the minute in which it was last presented with success; sampled
 */
public record TokenEntry(
    TokenId id,
    TokenName name,
    TokenKind kind,
    List<String> permissions,
    String hash,
    @Nullable String description,
    Instant createdAt,
    String createdBy,
    @Nullable Long createdByTokenId,
    @Nullable Instant updatedAt,
    @Nullable String updatedBy,
    @Nullable Long updatedByTokenId,
    @Nullable Instant expiry,
    @Nullable Instant suspendedAt,
    @Nullable Instant revokedAt,
    @Nullable String revokedBy,
    @Nullable Long revokedByTokenId,
    @Nullable Instant lastUsedAt) {

  /** The state at that instant. */
  public TokenState state(Instant now) {
    if (revokedAt != null) {
      return TokenState.REVOKED;
    }
    if (suspendedAt != null) {
      return TokenState.SUSPENDED;
    }
    return expiry != null && !expiry.isAfter(now) ? TokenState.EXPIRED : TokenState.LIVE;
  }
}

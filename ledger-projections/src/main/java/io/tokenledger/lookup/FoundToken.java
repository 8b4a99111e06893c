package io.tokenledger.lookup;

import io.tokenledger.permission.Permissions;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenKind;
import io.tokenledger.token.TokenName;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * What the lookup knows of a secret.
 *
 * @param revokedAt when its token was revoked; null while it is not
 * @param supersededAt when a regeneration replaced this secret; null while it is the current one
 */
public record FoundToken(
    TokenId id,
    TokenName name,
    TokenKind kind,
    Permissions permissions,
    Instant createdAt,
    Expiry expiry,
    @Nullable Instant revokedAt,
    @Nullable Instant supersededAt) {

  /** Whether the secret may be used, or why not. */
  public enum State {
    LIVE,
    EXPIRED,
    REVOKED,
    SUPERSEDED
  }

  /** The state at that millisecond. A revocation outranks an expiry. */
  public State state(long nowEpochMillis) {
    if (revokedAt != null) {
      return State.REVOKED;
    }
    if (supersededAt != null) {
      return State.SUPERSEDED;
    }
    return expiry.isLive(nowEpochMillis) ? State.LIVE : State.EXPIRED;
  }
}

package io.tokenledger.timeline;

import io.tokenledger.permission.Permissions;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenKind;
import io.tokenledger.token.TokenName;
import io.tokenledger.tokens.TokenState;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a token was from one event of its life to the next.
 *
 * @param fromLeaf the event that made it so
 * @param toLeaf the event that made it otherwise; null while there is none
 * @param validFrom the latest time in the name's stream up to that event
 * @param validTo the same of the next event; null while there is none
 * @param eventType stable name of the event at {@code fromLeaf}
 * @param actorName name of the token that did it, else {@code anonymous} or {@code system}
 * @param permissions canonical text forms, {@code *:*:*} alone for an admin
 * @param hashPrefix first 9 hexadecimal digits of the SHA-512 of the secret
 * @param graceHashPrefix the same of the secret before it, when that one was to live on
 */
public record TokenVersion(
    TokenId id,
    long fromLeaf,
    @Nullable Long toLeaf,
    Instant validFrom,
    @Nullable Instant validTo,
    String eventType,
    String actorName,
    @Nullable Long actorTokenId,
    TokenName name,
    TokenKind kind,
    List<String> permissions,
    String hashPrefix,
    @Nullable String graceHashPrefix,
    @Nullable Instant graceEndsAt,
    Instant createdAt,
    @Nullable Instant expiry,
    @Nullable Instant suspendedAt,
    @Nullable Instant revokedAt) {

  /** What it may do. */
  public Permissions granted() {
    return kind == TokenKind.RESOURCE ? Permissions.parse(permissions) : Permissions.admin();
  }

  /** The state at that instant, as far as this version goes. */
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

package io.tokenledger.lookup;

import io.tokenledger.permission.InvalidPermission;
import io.tokenledger.permission.Permissions;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenKind;
import io.tokenledger.token.TokenName;
import java.time.Instant;
import java.util.Collection;
import org.jspecify.annotations.Nullable;

/**
 * What the lookup knows of a secret.
 *
 * @param revokedAt when its token was revoked; null while it is not
 * @param supersededAt the first millisecond at which this secret is no longer valid because another
 *     replaced it, in the future while a rotation's grace lasts; null for the current one
 * @param suspendedAt since when its token is suspended; null while it is not
 * @param quarantined whether an event of its name cannot be read and is quarantined: it may be a
 *     revocation
 */
public record FoundToken(
    TokenId id,
    TokenName name,
    TokenKind kind,
    Permissions permissions,
    Instant createdAt,
    Expiry expiry,
    @Nullable Instant revokedAt,
    @Nullable Instant supersededAt,
    @Nullable Instant suspendedAt,
    boolean quarantined) {

  /** What stands for "not" where a moment is a number of milliseconds. */
  public static final long NEVER = Expiry.NEVER.epochMillis();

  /**
   * The permissions that a row of the lookup holds. What is none by our rules was written by no
   * event, and grants nothing: one row that a hand has edited must not stop the decisions about all
   * others. The comparison with the events finds it.
   */
  public static Permissions permissions(Collection<String> texts) {
    try {
      return Permissions.parse(texts);
    } catch (InvalidPermission e) {
      return Permissions.none();
    }
  }

  /** Whether the secret may be used, or why not. */
  public enum State {
    LIVE,
    EXPIRED,
    REVOKED,
    SUPERSEDED,
    SUSPENDED,
    QUARANTINED
  }

  /**
   * The state at that millisecond. A revocation outranks all, a quarantine what may end by itself.
   */
  public State state(long nowEpochMillis) {
    return state(
        revokedAt != null,
        supersededAt == null ? NEVER : supersededAt.toEpochMilli(),
        quarantined,
        suspendedAt != null,
        expiry.epochMillis(),
        nowEpochMillis);
  }

  /**
   * The same of its parts, for who keeps them otherwise.
   *
   * @param supersededAtMillis {@link #NEVER} while it is not
   * @param expiresAtMillis {@link #NEVER} for a token that does not expire
   */
  public static State state(
      boolean revoked,
      long supersededAtMillis,
      boolean quarantined,
      boolean suspended,
      long expiresAtMillis,
      long nowEpochMillis) {
    if (revoked) {
      return State.REVOKED;
    }
    if (supersededAtMillis <= nowEpochMillis) {
      return State.SUPERSEDED;
    }
    if (quarantined) {
      return State.QUARANTINED;
    }
    if (suspended) {
      return State.SUSPENDED;
    }
    return expiresAtMillis > nowEpochMillis ? State.LIVE : State.EXPIRED;
  }

  /** Until when this very secret is valid: its token's expiry, or its grace if that ends first. */
  public Expiry secretExpiry() {
    if (supersededAt == null) {
      return expiry;
    }
    Expiry grace = new Expiry(supersededAt.toEpochMilli());
    return expiry.isNever() || grace.epochMillis() < expiry.epochMillis() ? grace : expiry;
  }
}

package io.tokenledger.token;

import io.tokenledger.permission.Permissions;
import java.time.Instant;

/**
 * What happened to a token. Type and component names are the storage format: see the golden files.
 * No secret is here, only its hash; who did it and why stands in the event's envelope.
 */
public sealed interface TokenEvent {

  TokenName name();

  TokenId id();

  /** The operator token came into being. It never expires. */
  record OperatorTokenCreated(TokenName name, TokenId id, SecretHash hash, Instant createdAt)
      implements TokenEvent {}

  /** The operator token's secret was replaced; the one before it is no longer valid. */
  record OperatorTokenRegenerated(
      TokenName name, TokenId id, SecretHash hash, Instant regeneratedAt) implements TokenEvent {}

  /** A named admin token came into being. */
  record NamedAdminCreated(
      TokenName name, TokenId id, SecretHash hash, Instant createdAt, Expiry expiry)
      implements TokenEvent {}

  /** A resource token came into being. */
  record ResourceTokenCreated(
      TokenName name,
      TokenId id,
      SecretHash hash,
      Permissions permissions,
      Instant createdAt,
      Expiry expiry)
      implements TokenEvent {}

  /** The token is no longer valid and its name is free. */
  record TokenRevoked(TokenName name, TokenId id, Instant revokedAt) implements TokenEvent {}

  /**
   * The token got another secret.
   *
   * @param graceEnd the first millisecond at which the secret before it is no longer valid; one
   *     that was superseded earlier ends with this event
   */
  record TokenRotated(
      TokenName name, TokenId id, SecretHash hash, Instant rotatedAt, Instant graceEnd)
      implements TokenEvent {}

  /** The token is not valid until it is resumed. */
  record TokenSuspended(TokenName name, TokenId id, Instant suspendedAt) implements TokenEvent {}

  /** The suspension is over. */
  record TokenResumed(TokenName name, TokenId id, Instant resumedAt) implements TokenEvent {}

  /**
   * The words about the token changed.
   *
   * @param description free text, which may be about people: whoever stores the event seals it.
   *     Empty stands for none
   */
  record TokenDescribed(TokenName name, TokenId id, String description, Instant describedAt)
      implements TokenEvent {}

  /** The token expires at this time and not at the one before. */
  record TokenExpiryChanged(
      TokenName name, TokenId id, Expiry before, Expiry expiry, Instant changedAt)
      implements TokenEvent {}

  /** The token has these permissions and not those before. */
  record TokenPermissionsChanged(
      TokenName name, TokenId id, Permissions before, Permissions permissions, Instant changedAt)
      implements TokenEvent {}

  /**
   * The token's expiry has passed. It was invalid from that millisecond on, whenever this was
   * written.
   */
  record TokenExpired(TokenName name, TokenId id, Expiry expiry, Instant recordedAt)
      implements TokenEvent {}

  /**
   * The token will expire within so many days.
   *
   * @param daysAhead 30, 14, 7 or 1
   */
  record TokenExpiryAnnounced(
      TokenName name, TokenId id, Expiry expiry, int daysAhead, Instant announcedAt)
      implements TokenEvent {}
}

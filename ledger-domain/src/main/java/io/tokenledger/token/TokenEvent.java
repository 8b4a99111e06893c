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
}

package io.tokenledger.token;

import io.tokenledger.permission.Permissions;
import java.time.Instant;
import org.axonframework.modelling.command.TargetAggregateIdentifier;

/**
 * What can be asked of a token. Time, id, secret hash and actor come with the command: the
 * aggregate reads no clock and draws no number, so that a fixture can say exactly what happens.
 */
public sealed interface TokenCommand {

  TokenName name();

  Actor actor();

  /** The stream of the name: all tokens that ever bore it. */
  @TargetAggregateIdentifier
  default String aggregateId() {
    return Token.aggregateId(name());
  }

  /** Makes the operator token, once. */
  record CreateOperatorToken(SecretHash hash, Instant createdAt, Actor actor)
      implements TokenCommand {
    @Override
    public TokenName name() {
      return TokenName.OPERATOR;
    }
  }

  /** Gives the operator token a new secret; the old one stops at once. */
  record RegenerateOperatorToken(SecretHash hash, Instant regeneratedAt, Actor actor)
      implements TokenCommand {
    @Override
    public TokenName name() {
      return TokenName.OPERATOR;
    }
  }

  /** Makes an admin token for one person or program. */
  record CreateNamedAdmin(
      TokenName name, TokenId id, SecretHash hash, Instant createdAt, Expiry expiry, Actor actor)
      implements TokenCommand {}

  /** Makes a token that may do what its permissions say. */
  record CreateResourceToken(
      TokenName name,
      TokenId id,
      SecretHash hash,
      Permissions permissions,
      Instant createdAt,
      Expiry expiry,
      Actor actor)
      implements TokenCommand {}

  /** Ends a token for good; its name is free for another. */
  record RevokeToken(TokenName name, Instant revokedAt, Actor actor) implements TokenCommand {}
}

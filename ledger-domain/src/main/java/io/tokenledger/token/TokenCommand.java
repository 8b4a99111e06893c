package io.tokenledger.token;

import io.tokenledger.permission.Permissions;
import java.time.Duration;
import java.time.Instant;
import org.axonframework.modelling.command.TargetAggregateIdentifier;
import org.jspecify.annotations.Nullable;

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

  /**
   * Ends a token for good; its name is free for another.
   *
   * @param id the token meant, or null for whichever bears the name
   */
  record RevokeToken(TokenName name, @Nullable TokenId id, Instant revokedAt, Actor actor)
      implements TokenCommand {}

  /**
   * Gives a named token another secret.
   *
   * @param id the token meant: a name may have passed to another since the caller looked
   * @param grace how long the secret before it stays valid beside the new one; not longer than the
   *     token itself
   */
  record RotateToken(
      TokenName name, TokenId id, SecretHash hash, Instant rotatedAt, Duration grace, Actor actor)
      implements TokenCommand {}

  /** Makes a token invalid until it is resumed. */
  record SuspendToken(TokenName name, TokenId id, Instant suspendedAt, Actor actor)
      implements TokenCommand {}

  /** Makes a suspended token valid again. */
  record ResumeToken(TokenName name, TokenId id, Instant resumedAt, Actor actor)
      implements TokenCommand {}

  /** Says in words what a token is for; an empty text takes the words away. */
  record DescribeToken(
      TokenName name, TokenId id, String description, Instant describedAt, Actor actor)
      implements TokenCommand {}

  /** Lets a token expire at another time than it would. */
  record ChangeExpiry(TokenName name, TokenId id, Expiry expiry, Instant changedAt, Actor actor)
      implements TokenCommand {}

  /** Gives a resource token these permissions instead of those it has. */
  record ChangePermissions(
      TokenName name, TokenId id, Permissions permissions, Instant changedAt, Actor actor)
      implements TokenCommand {}

  /** Records that a token is past its expiry. The node's own. */
  record RecordExpiry(TokenName name, TokenId id, Instant recordedAt, Actor actor)
      implements TokenCommand {}

  /**
   * Gives notice that a token expires soon. The node's own.
   *
   * @param daysAhead within how many days it does
   */
  record AnnounceExpiry(TokenName name, TokenId id, int daysAhead, Instant announcedAt, Actor actor)
      implements TokenCommand {}
}

package io.tokenledger.timeline;

import io.tokenledger.follow.CopyRows;
import io.tokenledger.follow.Fold;
import io.tokenledger.follow.Leaf;
import io.tokenledger.permission.Permissions;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenEvent;
import io.tokenledger.token.TokenEvent.NamedAdminCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenRegenerated;
import io.tokenledger.token.TokenEvent.ResourceTokenCreated;
import io.tokenledger.token.TokenEvent.TokenExpiryChanged;
import io.tokenledger.token.TokenEvent.TokenPermissionsChanged;
import io.tokenledger.token.TokenEvent.TokenResumed;
import io.tokenledger.token.TokenEvent.TokenRevoked;
import io.tokenledger.token.TokenEvent.TokenRotated;
import io.tokenledger.token.TokenEvent.TokenSuspended;
import io.tokenledger.token.TokenKind;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The history of whole streams: a row an event, written when the next one ends it. */
public final class HistoryFold implements Fold {

  private static final String COPY =
      """
      COPY token_history
        (token_id, from_leaf, to_leaf, valid_from, valid_to, event_type, actor_name,
         actor_token_id, token_name, kind, permissions, secret_hash_prefix, grace_hash_prefix,
         grace_ends_at, created_at, expires_at, suspended_at, revoked_at)
      FROM STDIN
      """;

  private static final int PREFIX_DIGITS = 9;

  private final CopyRows rows = new CopyRows(COPY);

  /** The event that the open row begins with; null while there is none. */
  private @Nullable Leaf from;

  private Instant validFrom = Instant.MIN;
  private long id;
  private String name = "";
  private TokenKind kind = TokenKind.RESOURCE;
  private List<String> permissions = List.of();
  private String hashPrefix = "";
  private @Nullable String gracePrefix;
  private @Nullable Instant graceEndsAt;
  private Instant createdAt = Instant.EPOCH;
  private @Nullable Instant expiresAt;
  private @Nullable Instant suspendedAt;
  private @Nullable Instant revokedAt;

  @Override
  public CopyRows rows() {
    return rows;
  }

  @Override
  public void take(Leaf leaf, TokenEvent event) {
    Instant occurredAt = Instant.parse(leaf.occurredAt());
    // Clocks of nodes differ, the order in a stream does not.
    Instant at = occurredAt.isAfter(validFrom) ? occurredAt : validFrom;
    if (event instanceof OperatorTokenCreated made) {
      begin(
          made,
          TokenKind.OPERATOR,
          Permissions.admin(),
          made.hash(),
          made.createdAt(),
          Expiry.NEVER);
    } else if (event instanceof NamedAdminCreated made) {
      begin(
          made, TokenKind.ADMIN, Permissions.admin(), made.hash(), made.createdAt(), made.expiry());
    } else if (event instanceof ResourceTokenCreated made) {
      begin(
          made,
          TokenKind.RESOURCE,
          made.permissions(),
          made.hash(),
          made.createdAt(),
          made.expiry());
    } else {
      write(leaf.leafIndex(), at);
      change(event);
    }
    from = leaf;
    validFrom = at;
  }

  private void change(TokenEvent event) {
    if (event instanceof OperatorTokenRegenerated changed) {
      succeed(changed.hash(), null);
    } else if (event instanceof TokenRotated changed) {
      succeed(
          changed.hash(),
          changed.graceEnd().isAfter(changed.rotatedAt()) ? changed.graceEnd() : null);
    } else if (event instanceof TokenSuspended changed) {
      suspendedAt = changed.suspendedAt();
    } else if (event instanceof TokenResumed) {
      suspendedAt = null;
    } else if (event instanceof TokenExpiryChanged changed) {
      expiresAt = instant(changed.expiry());
    } else if (event instanceof TokenPermissionsChanged changed) {
      permissions = changed.permissions().texts();
    } else if (event instanceof TokenRevoked changed) {
      revokedAt = changed.revokedAt();
    }
    // The time of any other counts for those after it, so that each makes a row.
  }

  private void succeed(SecretHash successor, @Nullable Instant newGraceEnd) {
    gracePrefix = newGraceEnd == null ? null : hashPrefix;
    graceEndsAt = newGraceEnd;
    hashPrefix = prefix(successor);
  }

  private void begin(
      TokenEvent event,
      TokenKind newKind,
      Permissions newPermissions,
      SecretHash hash,
      Instant at,
      Expiry expiry) {
    write(null, null);
    id = event.id().value();
    name = event.name().value();
    kind = newKind;
    permissions = newPermissions.texts();
    hashPrefix = prefix(hash);
    gracePrefix = null;
    graceEndsAt = null;
    createdAt = at;
    expiresAt = instant(expiry);
    suspendedAt = null;
    revokedAt = null;
  }

  private static String prefix(SecretHash hash) {
    return hash.hex().substring(0, PREFIX_DIGITS);
  }

  private static @Nullable Instant instant(Expiry expiry) {
    return expiry.isNever() ? null : expiry.instant();
  }

  @Override
  public void endStream() {
    write(null, null);
    from = null;
    validFrom = Instant.MIN;
  }

  private void write(@Nullable Long toLeaf, @Nullable Instant validTo) {
    if (from == null) {
      return;
    }
    rows.add(id)
        .add(from.leafIndex())
        .add(toLeaf)
        .add(validFrom)
        .add(validTo)
        .add(from.eventType())
        .add(from.header().actorName())
        .add(from.header().actorTokenId())
        .add(name)
        .add(kind.wireName())
        .add(permissions)
        .add(hashPrefix)
        .add(gracePrefix)
        .add(graceEndsAt)
        .add(createdAt)
        .add(expiresAt)
        .add(suspendedAt)
        .add(revokedAt)
        .end();
  }
}

package io.tokenledger.tokens;

import io.tokenledger.follow.CopyRows;
import io.tokenledger.follow.Fold;
import io.tokenledger.follow.Leaf;
import io.tokenledger.permission.Permissions;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenEvent;
import io.tokenledger.token.TokenEvent.NamedAdminCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenRegenerated;
import io.tokenledger.token.TokenEvent.ResourceTokenCreated;
import io.tokenledger.token.TokenEvent.TokenDescribed;
import io.tokenledger.token.TokenEvent.TokenExpired;
import io.tokenledger.token.TokenEvent.TokenExpiryAnnounced;
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

/** The table of tokens of whole streams: a row a token. */
public final class TokenFold implements Fold {

  private static final String COPY =
      """
      COPY token
        (token_id, token_name, kind, permissions, secret_hash, description, created_at, created_by,
         created_by_token_id, updated_at, updated_by, updated_by_token_id, expires_at,
         expiry_set_at, announced_days, expiry_recorded, suspended_at, revoked_at, revoked_by,
         revoked_by_token_id, last_leaf_index)
      FROM STDIN
      """;

  private final CopyRows rows = new CopyRows(COPY);
  private final Envelopes envelopes;

  private @Nullable SecretHash hash;
  private long id;
  private String name = "";
  private TokenKind kind = TokenKind.RESOURCE;
  private List<String> permissions = List.of();
  private @Nullable String description;
  private Instant createdAt = Instant.EPOCH;
  private String createdBy = "";
  private @Nullable Long createdById;
  private @Nullable Instant updatedAt;
  private @Nullable String updatedBy;
  private @Nullable Long updatedById;
  private @Nullable Instant expiresAt;
  private Instant expirySetAt = Instant.EPOCH;
  private @Nullable Integer announcedDays;
  private boolean expiryRecorded;
  private @Nullable Instant suspendedAt;
  private @Nullable Instant revokedAt;
  private @Nullable String revokedBy;
  private @Nullable Long revokedById;
  private long lastLeaf;

  /**
   * @param envelopes opens what the events hold sealed
   */
  public TokenFold(Envelopes envelopes) {
    this.envelopes = envelopes;
  }

  @Override
  public CopyRows rows() {
    return rows;
  }

  @Override
  public void take(Leaf leaf, TokenEvent event) {
    if (event instanceof OperatorTokenCreated made) {
      begin(
          leaf,
          event,
          TokenKind.OPERATOR,
          Permissions.admin(),
          made.hash(),
          made.createdAt(),
          Expiry.NEVER);
    } else if (event instanceof NamedAdminCreated made) {
      begin(
          leaf,
          event,
          TokenKind.ADMIN,
          Permissions.admin(),
          made.hash(),
          made.createdAt(),
          made.expiry());
    } else if (event instanceof ResourceTokenCreated made) {
      begin(
          leaf,
          event,
          TokenKind.RESOURCE,
          made.permissions(),
          made.hash(),
          made.createdAt(),
          made.expiry());
    } else if (event instanceof TokenRevoked changed) {
      revokedAt = changed.revokedAt();
      revokedBy = leaf.header().actorName();
      revokedById = leaf.header().actorTokenId();
    } else if (event instanceof TokenExpired) {
      expiryRecorded = true;
    } else if (event instanceof TokenExpiryAnnounced changed) {
      announcedDays = changed.daysAhead();
      expiryRecorded = false;
    } else {
      updatedAt = change(leaf, event);
      updatedBy = leaf.header().actorName();
      updatedById = leaf.header().actorTokenId();
    }
    lastLeaf = leaf.leafIndex();
  }

  /**
   * @return when
   */
  private Instant change(Leaf leaf, TokenEvent event) {
    if (event instanceof OperatorTokenRegenerated changed) {
      hash = changed.hash();
      return changed.regeneratedAt();
    }
    if (event instanceof TokenRotated changed) {
      hash = changed.hash();
      return changed.rotatedAt();
    }
    if (event instanceof TokenSuspended changed) {
      suspendedAt = changed.suspendedAt();
      return changed.suspendedAt();
    }
    if (event instanceof TokenResumed changed) {
      suspendedAt = null;
      return changed.resumedAt();
    }
    if (event instanceof TokenDescribed changed) {
      String text = envelopes.openText(leaf.eventId(), "description", changed.description());
      description = text == null || text.isEmpty() ? null : text;
      return changed.describedAt();
    }
    if (event instanceof TokenExpiryChanged changed) {
      expiresAt = instant(changed.expiry());
      expirySetAt = changed.changedAt();
      announcedDays = null;
      expiryRecorded = false;
      return changed.changedAt();
    }
    if (event instanceof TokenPermissionsChanged changed) {
      permissions = changed.permissions().texts();
      return changed.changedAt();
    }
    throw new IllegalArgumentException("no change of the table of tokens: " + event);
  }

  private void begin(
      Leaf leaf,
      TokenEvent event,
      TokenKind newKind,
      Permissions newPermissions,
      SecretHash newHash,
      Instant at,
      Expiry expiry) {
    endStream();
    hash = newHash;
    id = event.id().value();
    name = event.name().value();
    kind = newKind;
    permissions = newPermissions.texts();
    description = null;
    createdAt = at;
    createdBy = leaf.header().actorName();
    createdById = leaf.header().actorTokenId();
    updatedAt = null;
    updatedBy = null;
    updatedById = null;
    expiresAt = instant(expiry);
    expirySetAt = at;
    announcedDays = null;
    expiryRecorded = false;
    suspendedAt = null;
    revokedAt = null;
    revokedBy = null;
    revokedById = null;
  }

  private static @Nullable Instant instant(Expiry expiry) {
    return expiry.isNever() ? null : expiry.instant();
  }

  @Override
  public void endStream() {
    if (hash != null) {
      rows.add(id)
          .add(name)
          .add(kind.wireName())
          .add(permissions)
          .addHex(hash.hex())
          .add(description)
          .add(createdAt)
          .add(createdBy)
          .add(createdById)
          .add(updatedAt)
          .add(updatedBy)
          .add(updatedById)
          .add(expiresAt)
          .add(expirySetAt)
          .add(announcedDays)
          .add(expiryRecorded)
          .add(suspendedAt)
          .add(revokedAt)
          .add(revokedBy)
          .add(revokedById)
          .add(lastLeaf)
          .end();
    }
    hash = null;
  }
}

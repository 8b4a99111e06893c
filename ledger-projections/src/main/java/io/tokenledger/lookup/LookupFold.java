package io.tokenledger.lookup;

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
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The authorization lookup of whole streams: a row for each secret that a token ever had. */
public final class LookupFold implements Fold {

  private static final String COPY =
      """
      COPY token_lookup
        (secret_hash, token_id, token_name, kind, permissions, created_at_ms, expires_at_ms,
         revoked_at_ms, superseded_at_ms, suspended_at_ms, last_sequence)
      FROM STDIN
      """;

  private final CopyRows rows = new CopyRows(COPY);
  private final List<Secret> secrets = new ArrayList<>();

  private long id;
  private String name = "";
  private TokenKind kind = TokenKind.RESOURCE;
  private List<String> permissions = List.of();
  private long createdAt;
  private @Nullable Long expiresAt;
  private @Nullable Long revokedAt;
  private @Nullable Long suspendedAt;
  private long lastSequence;

  private static final class Secret {
    private final SecretHash hash;
    private @Nullable Long supersededAt;

    Secret(SecretHash hash) {
      this.hash = hash;
    }
  }

  @Override
  public CopyRows rows() {
    return rows;
  }

  @Override
  public void take(Leaf leaf, TokenEvent event) {
    if (event instanceof OperatorTokenCreated made) {
      begin(
          event,
          TokenKind.OPERATOR,
          Permissions.admin(),
          made.hash(),
          made.createdAt(),
          Expiry.NEVER);
    } else if (event instanceof NamedAdminCreated made) {
      begin(
          event,
          TokenKind.ADMIN,
          Permissions.admin(),
          made.hash(),
          made.createdAt(),
          made.expiry());
    } else if (event instanceof ResourceTokenCreated made) {
      begin(
          event,
          TokenKind.RESOURCE,
          made.permissions(),
          made.hash(),
          made.createdAt(),
          made.expiry());
    } else if (event instanceof TokenRevoked changed) {
      revokedAt = changed.revokedAt().toEpochMilli();
    } else if (event instanceof OperatorTokenRegenerated changed) {
      succeed(changed.hash(), changed.regeneratedAt(), changed.regeneratedAt());
    } else if (event instanceof TokenRotated changed) {
      succeed(changed.hash(), changed.rotatedAt(), changed.graceEnd());
    } else if (event instanceof TokenSuspended changed) {
      suspendedAt = changed.suspendedAt().toEpochMilli();
    } else if (event instanceof TokenResumed) {
      suspendedAt = null;
    } else if (event instanceof TokenExpiryChanged changed) {
      expiresAt = changed.expiry().isNever() ? null : changed.expiry().epochMillis();
    } else if (event instanceof TokenPermissionsChanged changed) {
      permissions = changed.permissions().texts();
    } else {
      // Nothing of it decides anything, so the live row has not seen it either.
      return;
    }
    lastSequence = leaf.sequence();
  }

  private void begin(
      TokenEvent event,
      TokenKind newKind,
      Permissions newPermissions,
      SecretHash hash,
      Instant at,
      Expiry expiry) {
    endStream();
    id = event.id().value();
    name = event.name().value();
    kind = newKind;
    permissions = newPermissions.texts();
    createdAt = at.toEpochMilli();
    expiresAt = expiry.isNever() ? null : expiry.epochMillis();
    revokedAt = null;
    suspendedAt = null;
    secrets.add(new Secret(hash));
  }

  /** The current secret ends with the grace; one that was in its grace already ends at once. */
  private void succeed(SecretHash successor, Instant now, Instant graceEnd) {
    for (Secret secret : secrets) {
      secret.supersededAt =
          secret.supersededAt == null
              ? Long.valueOf(graceEnd.toEpochMilli())
              : Long.valueOf(Math.min(secret.supersededAt, now.toEpochMilli()));
    }
    secrets.add(new Secret(successor));
  }

  @Override
  public void endStream() {
    for (Secret secret : secrets) {
      rows.addHex(secret.hash.hex())
          .add(id)
          .add(name)
          .add(kind.wireName())
          .add(permissions)
          .add(createdAt)
          .add(expiresAt)
          .add(revokedAt)
          .add(secret.supersededAt)
          .add(suspendedAt)
          .add(lastSequence)
          .end();
    }
    secrets.clear();
  }
}

package io.tokenledger.ledger;

import io.tokenledger.permission.Permissions;
import io.tokenledger.token.Actor;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenCommand;
import io.tokenledger.token.TokenCommand.ChangeExpiry;
import io.tokenledger.token.TokenCommand.ChangePermissions;
import io.tokenledger.token.TokenCommand.RegenerateOperatorToken;
import io.tokenledger.token.TokenCommand.RevokeToken;
import io.tokenledger.token.TokenCommand.RotateToken;
import io.tokenledger.token.TokenCommand.SuspendToken;
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
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a restored database lost of one name, and the commands that take from its tokens what had
 * been taken: never one that gives them anything. What was made or widened since is not made again:
 * it stays absent, its secrets unknown.
 */
final class LostChanges {

  private LostChanges() {}

  /** What a token is after some of its events. */
  private record Life(
      TokenName name,
      TokenId id,
      SecretHash hash,
      Permissions permissions,
      Expiry expiry,
      boolean suspended,
      boolean revoked,
      int rotations,
      Instant graceEnd) {

    Life with(SecretHash newHash, Instant newGraceEnd) {
      return new Life(
          name,
          id,
          newHash,
          permissions,
          expiry,
          suspended,
          revoked,
          Math.addExact(rotations, 1),
          newGraceEnd);
    }

    Life with(Permissions changed) {
      return new Life(name, id, hash, changed, expiry, suspended, revoked, rotations, graceEnd);
    }

    Life with(Expiry changed) {
      return new Life(
          name, id, hash, permissions, changed, suspended, revoked, rotations, graceEnd);
    }

    Life suspended(boolean isSuspended) {
      return new Life(
          name, id, hash, permissions, expiry, isSuspended, revoked, rotations, graceEnd);
    }

    Life ended() {
      return new Life(name, id, hash, permissions, expiry, suspended, true, rotations, graceEnd);
    }
  }

  /**
   * The commands for one name, in the order in which they must be carried out.
   *
   * @param stored its events in the database, in order
   * @param absent those that it had after them and that the database lacks, in order
   * @param now when they are carried out
   */
  static List<TokenCommand> commands(
      List<TokenEvent> stored, List<TokenEvent> absent, Instant now) {
    Map<TokenId, Life> before = new LinkedHashMap<>();
    stored.forEach(event -> fold(before, event));
    Map<TokenId, Life> after = new LinkedHashMap<>(before);
    absent.forEach(event -> fold(after, event));
    List<TokenCommand> commands = new ArrayList<>();
    before.forEach(
        (id, life) -> {
          if (!life.revoked()) {
            take(life, after.getOrDefault(id, life), now, commands);
          }
        });
    return commands;
  }

  private static void take(Life before, Life after, Instant now, List<TokenCommand> commands) {
    TokenName name = before.name();
    TokenId id = before.id();
    if (after.revoked()) {
      commands.add(new RevokeToken(name, id, now, Actor.SYSTEM));
      return;
    }
    boolean live = before.expiry().isLive(now.toEpochMilli());
    if (!after.hash().equals(before.hash()) && id.equals(TokenId.OPERATOR)) {
      commands.add(new RegenerateOperatorToken(after.hash(), now, Actor.SYSTEM));
    } else if (!after.hash().equals(before.hash()) && live) {
      commands.add(
          new RotateToken(name, id, after.hash(), now, grace(before, after, now), Actor.SYSTEM));
    }
    boolean unclear = false;
    if (!after.permissions().equals(before.permissions())) {
      if (after.permissions().isWithin(before.permissions())) {
        commands.add(new ChangePermissions(name, id, after.permissions(), now, Actor.SYSTEM));
      } else {
        // Something was given and something taken: who gave it must look.
        unclear = !before.permissions().isWithin(after.permissions());
      }
    }
    if (live && isEarlier(after.expiry(), before.expiry())) {
      Instant soonest = now.plusMillis(1);
      Instant expires = after.expiry().instant();
      commands.add(
          new ChangeExpiry(
              name,
              id,
              new Expiry((expires.isBefore(soonest) ? soonest : expires).toEpochMilli()),
              now,
              Actor.SYSTEM));
    }
    if ((after.suspended() || unclear) && !before.suspended()) {
      commands.add(new SuspendToken(name, id, now, Actor.SYSTEM));
    }
  }

  /** The secret in the database lives on as long as it would have, if it was the last one. */
  private static Duration grace(Life before, Life after, Instant now) {
    return after.rotations() == before.rotations() + 1 && after.graceEnd().isAfter(now)
        ? Duration.between(now, after.graceEnd())
        : Duration.ZERO;
  }

  private static boolean isEarlier(Expiry expiry, Expiry than) {
    return !expiry.isNever() && (than.isNever() || expiry.epochMillis() < than.epochMillis());
  }

  private static void fold(Map<TokenId, Life> lives, TokenEvent event) {
    TokenId id = event.id();
    if (event instanceof OperatorTokenCreated created) {
      lives.put(id, life(event, created.hash(), Permissions.admin(), Expiry.NEVER));
    } else if (event instanceof NamedAdminCreated created) {
      lives.put(id, life(event, created.hash(), Permissions.admin(), created.expiry()));
    } else if (event instanceof ResourceTokenCreated created) {
      lives.put(id, life(event, created.hash(), created.permissions(), created.expiry()));
    } else {
      lives.computeIfPresent(id, (key, life) -> changed(life, event));
    }
  }

  private static Life life(
      TokenEvent event, SecretHash hash, Permissions permissions, Expiry expiry) {
    return new Life(
        event.name(), event.id(), hash, permissions, expiry, false, false, 0, Instant.EPOCH);
  }

  private static Life changed(Life life, TokenEvent event) {
    if (event instanceof OperatorTokenRegenerated regenerated) {
      return life.with(regenerated.hash(), regenerated.regeneratedAt());
    }
    if (event instanceof TokenRotated rotated) {
      return life.with(rotated.hash(), rotated.graceEnd());
    }
    if (event instanceof TokenPermissionsChanged changed) {
      return life.with(changed.permissions());
    }
    if (event instanceof TokenExpiryChanged changed) {
      return life.with(changed.expiry());
    }
    if (event instanceof TokenSuspended || event instanceof TokenResumed) {
      return life.suspended(event instanceof TokenSuspended);
    }
    // A description, a notice and the record of an expiry take nothing.
    return event instanceof TokenRevoked ? life.ended() : life;
  }
}

package io.tokenledger.ledger;

import static org.junit.jupiter.api.Assertions.assertEquals;

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
import java.util.List;
import org.junit.jupiter.api.Test;

class LostChangesTest {

  private static final Instant NOW = Instant.parse("2026-11-24T12:00:00Z");
  private static final Instant BEFORE = NOW.minusSeconds(60);
  private static final TokenName NAME = new TokenName("ingest");
  private static final TokenId ID = new TokenId(7);
  private static final SecretHash FIRST = SecretHash.of("apiv3_first");
  private static final SecretHash SECOND = SecretHash.of("apiv3_second");
  private static final SecretHash THIRD = SecretHash.of("apiv3_third");
  private static final Permissions READ = Permissions.parse(List.of("db:a:read"));
  private static final Permissions BOTH = Permissions.parse(List.of("db:a:read,write"));
  private static final Permissions OTHER = Permissions.parse(List.of("db:b:read"));

  private static TokenEvent created(Permissions permissions, Expiry expiry) {
    return new ResourceTokenCreated(NAME, ID, FIRST, permissions, BEFORE, expiry);
  }

  private static List<TokenCommand> lost(TokenEvent stored, TokenEvent... absent) {
    return LostChanges.commands(List.of(stored), List.of(absent), NOW);
  }

  private static final TokenEvent CREATED = created(BOTH, Expiry.NEVER);
  private static final TokenEvent REVOKED = new TokenRevoked(NAME, ID, BEFORE);
  private static final TokenEvent SUSPENDED = new TokenSuspended(NAME, ID, BEFORE);
  private static final TokenEvent RESUMED = new TokenResumed(NAME, ID, BEFORE);

  @Test
  void aRevocationIsDoneAgainAndNothingElseOfThatToken() {
    assertEquals(
        List.of(new RevokeToken(NAME, ID, NOW, Actor.SYSTEM)), lost(CREATED, SUSPENDED, REVOKED));
  }

  @Test
  void aTokenThatWasMadeSinceIsNotMadeAgain() {
    TokenEvent next =
        new ResourceTokenCreated(NAME, new TokenId(8), SECOND, BOTH, BEFORE, Expiry.NEVER);
    assertEquals(List.of(), LostChanges.commands(List.of(), List.of(CREATED), NOW));
    assertEquals(
        List.of(new RevokeToken(NAME, ID, NOW, Actor.SYSTEM)), lost(CREATED, REVOKED, next));
  }

  @Test
  void aSuspensionIsDoneAgainUnlessItEnded() {
    assertEquals(List.of(new SuspendToken(NAME, ID, NOW, Actor.SYSTEM)), lost(CREATED, SUSPENDED));
    assertEquals(List.of(), lost(CREATED, SUSPENDED, RESUMED));
  }

  @Test
  void aSuspendedTokenStaysSoThoughItWasResumed() {
    assertEquals(
        List.of(), LostChanges.commands(List.of(CREATED, SUSPENDED), List.of(RESUMED), NOW));
  }

  private static TokenEvent permissions(Permissions before, Permissions after) {
    return new TokenPermissionsChanged(NAME, ID, before, after, BEFORE);
  }

  @Test
  void fewerPermissionsAreGivenAgainAndMoreAreNot() {
    assertEquals(
        List.of(new ChangePermissions(NAME, ID, READ, NOW, Actor.SYSTEM)),
        lost(CREATED, permissions(BOTH, READ)));
    assertEquals(List.of(), lost(created(READ, Expiry.NEVER), permissions(READ, BOTH)));
  }

  @Test
  void aTokenOfWhichSomethingWasTakenForSomethingElseIsSuspended() {
    assertEquals(
        List.of(new SuspendToken(NAME, ID, NOW, Actor.SYSTEM)),
        lost(CREATED, permissions(BOTH, OTHER)));
  }

  private static TokenEvent expiry(Expiry after) {
    return new TokenExpiryChanged(NAME, ID, Expiry.NEVER, after, BEFORE);
  }

  @Test
  void anEarlierExpiryIsSetAgainAndALaterOneIsNot() {
    Expiry soon = new Expiry(NOW.plusSeconds(60).toEpochMilli());
    assertEquals(
        List.of(new ChangeExpiry(NAME, ID, soon, NOW, Actor.SYSTEM)), lost(CREATED, expiry(soon)));
    assertEquals(List.of(), lost(created(BOTH, soon), expiry(Expiry.NEVER)));
  }

  @Test
  void anExpiryThatHasPassedIsSetToTheNextMillisecond() {
    assertEquals(
        List.of(
            new ChangeExpiry(
                NAME, ID, new Expiry(NOW.plusMillis(1).toEpochMilli()), NOW, Actor.SYSTEM)),
        lost(CREATED, expiry(new Expiry(NOW.toEpochMilli()))));
  }

  @Test
  void aRotatedSecretEndsWhenItShouldHave() {
    Instant graceEnd = NOW.plusSeconds(30);
    assertEquals(
        List.of(new RotateToken(NAME, ID, SECOND, NOW, Duration.ofSeconds(30), Actor.SYSTEM)),
        lost(CREATED, new TokenRotated(NAME, ID, SECOND, BEFORE, graceEnd)));
    assertEquals(
        List.of(new RotateToken(NAME, ID, THIRD, NOW, Duration.ZERO, Actor.SYSTEM)),
        lost(
            CREATED,
            new TokenRotated(NAME, ID, SECOND, BEFORE, graceEnd),
            new TokenRotated(NAME, ID, THIRD, BEFORE, graceEnd)),
        "the one in the database had two after it");
  }

  @Test
  void theOperatorsOldSecretEnds() {
    assertEquals(
        List.of(new RegenerateOperatorToken(SECOND, NOW, Actor.SYSTEM)),
        LostChanges.commands(
            List.of(new OperatorTokenCreated(TokenName.OPERATOR, TokenId.OPERATOR, FIRST, BEFORE)),
            List.of(
                new OperatorTokenRegenerated(TokenName.OPERATOR, TokenId.OPERATOR, SECOND, BEFORE)),
            NOW));
  }
}

package io.tokenledger.token;

import io.tokenledger.permission.Permissions;
import io.tokenledger.token.TokenCommand.AnnounceExpiry;
import io.tokenledger.token.TokenCommand.ChangeExpiry;
import io.tokenledger.token.TokenCommand.ChangePermissions;
import io.tokenledger.token.TokenCommand.CreateNamedAdmin;
import io.tokenledger.token.TokenCommand.CreateOperatorToken;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenCommand.DescribeToken;
import io.tokenledger.token.TokenCommand.RecordExpiry;
import io.tokenledger.token.TokenCommand.RegenerateOperatorToken;
import io.tokenledger.token.TokenCommand.ResumeToken;
import io.tokenledger.token.TokenCommand.RevokeToken;
import io.tokenledger.token.TokenCommand.RotateToken;
import io.tokenledger.token.TokenCommand.SuspendToken;
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
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import org.axonframework.test.aggregate.AggregateTestFixture;
import org.axonframework.test.aggregate.ResultValidator;
import org.hamcrest.CustomMatcher;
import org.hamcrest.Matcher;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenTest {

  private static final Instant T0 = Instant.parse("2026-11-24T12:00:00Z");
  private static final Instant T1 = Instant.parse("2026-11-24T13:00:00Z");
  private static final SecretHash HASH_1 = SecretHash.of("apiv3_one");
  private static final SecretHash HASH_2 = SecretHash.of("apiv3_two");
  private static final TokenId ID_7 = new TokenId(7);
  private static final TokenId ID_8 = new TokenId(8);
  private static final TokenName INGEST = new TokenName("ingest");
  private static final Permissions READ = Permissions.parse(List.of("db:a:read"));

  private static final Actor OPERATOR =
      Actor.token(TokenId.OPERATOR, TokenName.OPERATOR, Permissions.admin());
  private static final Actor ALICE =
      Actor.token(new TokenId(1), new TokenName("alice"), Permissions.admin());
  private static final Actor MANAGER = holder("ledger:tokens:read,write");
  private static final Actor AUDITOR = holder("ledger:audit:read");

  private AggregateTestFixture<Token> token;

  @BeforeEach
  void fixture() {
    token = new AggregateTestFixture<>(Token.class);
  }

  private static Actor holder(String... permissions) {
    return Actor.token(
        new TokenId(99), new TokenName("holder"), Permissions.parse(List.of(permissions)));
  }

  private static ResourceTokenCreated created(TokenId id, SecretHash hash) {
    return new ResourceTokenCreated(INGEST, id, hash, READ, T0, Expiry.NEVER);
  }

  private static CreateResourceToken create(TokenId id, SecretHash hash, Actor actor) {
    return new CreateResourceToken(INGEST, id, hash, READ, T0, Expiry.NEVER, actor);
  }

  private static NamedAdminCreated adminCreated() {
    return new NamedAdminCreated(INGEST, ID_7, HASH_1, T0, Expiry.NEVER);
  }

  private static OperatorTokenCreated operatorCreated() {
    return new OperatorTokenCreated(TokenName.OPERATOR, TokenId.OPERATOR, HASH_1, T0);
  }

  private static void refused(ResultValidator<Token> result, Refusal refusal) {
    result.expectNoEvents().expectException(of(refusal));
  }

  private static Matcher<Throwable> of(Refusal refusal) {
    return new CustomMatcher<>("a refusal " + refusal) {
      @Override
      public boolean matches(Object thrown) {
        return thrown instanceof TokenRefused refused && refused.refusal() == refusal;
      }
    };
  }

  @Nested
  class CreatingTheOperator {

    @Test
    void worksOnceForAnAnonymousCaller() {
      token
          .givenNoPriorActivity()
          .when(new CreateOperatorToken(HASH_1, T0, Actor.ANONYMOUS))
          .expectEvents(operatorCreated())
          .expectResultMessagePayload(
              new TokenSummary(TokenId.OPERATOR, TokenName.OPERATOR, T0, Expiry.NEVER));
    }

    @Test
    void isRefusedWhenItExists() {
      refused(
          token.given(operatorCreated()).when(new CreateOperatorToken(HASH_2, T0, Actor.ANONYMOUS)),
          Refusal.NAME_TAKEN);
    }

    @Test
    void isRefusedToWhoHoldsAToken() {
      refused(
          token.givenNoPriorActivity().when(new CreateOperatorToken(HASH_1, T0, ALICE)),
          Refusal.NOT_PERMITTED);
    }
  }

  @Nested
  class RegeneratingTheOperator {

    @Test
    void replacesTheSecretAndKeepsIdAndCreation() {
      token
          .given(operatorCreated())
          .when(new RegenerateOperatorToken(HASH_2, T1, OPERATOR))
          .expectEvents(
              new OperatorTokenRegenerated(TokenName.OPERATOR, TokenId.OPERATOR, HASH_2, T1))
          .expectResultMessagePayload(
              new TokenSummary(TokenId.OPERATOR, TokenName.OPERATOR, T0, Expiry.NEVER));
    }

    @Test
    void worksForTheNodeItselfWhenTheSecretIsLost() {
      token
          .given(operatorCreated())
          .when(new RegenerateOperatorToken(HASH_2, T1, Actor.SYSTEM))
          .expectEvents(
              new OperatorTokenRegenerated(TokenName.OPERATOR, TokenId.OPERATOR, HASH_2, T1));
    }

    @Test
    void isRefusedToANamedAdmin() {
      refused(
          token.given(operatorCreated()).when(new RegenerateOperatorToken(HASH_2, T1, ALICE)),
          Refusal.NOT_PERMITTED);
    }

    @Test
    void isRefusedToAnAnonymousCaller() {
      refused(
          token
              .given(operatorCreated())
              .when(new RegenerateOperatorToken(HASH_2, T1, Actor.ANONYMOUS)),
          Refusal.NOT_PERMITTED);
    }

    @Test
    void isRefusedWhenThereIsNone() {
      refused(
          token.givenNoPriorActivity().when(new RegenerateOperatorToken(HASH_2, T1, OPERATOR)),
          Refusal.OPERATOR_MISSING);
    }

    @Test
    void isRefusedWithTheSameSecret() {
      refused(
          token.given(operatorCreated()).when(new RegenerateOperatorToken(HASH_1, T1, OPERATOR)),
          Refusal.SECRET_TAKEN);
    }
  }

  @Nested
  class CreatingANamedAdmin {

    private CreateNamedAdmin command(TokenName name, Actor actor) {
      return new CreateNamedAdmin(name, ID_7, HASH_1, T0, Expiry.NEVER, actor);
    }

    @Test
    void worksForAnAdmin() {
      token.givenNoPriorActivity().when(command(INGEST, ALICE)).expectEvents(adminCreated());
    }

    @Test
    void isRefusedToATokenManager() {
      refused(token.givenNoPriorActivity().when(command(INGEST, MANAGER)), Refusal.NOT_PERMITTED);
    }

    @Test
    void isRefusedToAnAnonymousCaller() {
      refused(
          token.givenNoPriorActivity().when(command(INGEST, Actor.ANONYMOUS)),
          Refusal.NOT_PERMITTED);
    }

    @Test
    void isRefusedUnderTheOperatorsName() {
      refused(
          token.givenNoPriorActivity().when(command(TokenName.OPERATOR, ALICE)),
          Refusal.RESERVED_NAME);
    }

    @Test
    void isRefusedUnderATakenName() {
      refused(token.given(created(ID_8, HASH_2)).when(command(INGEST, ALICE)), Refusal.NAME_TAKEN);
    }
  }

  @Nested
  class CreatingAResourceToken {

    @Test
    void worksForAnAdmin() {
      token
          .givenNoPriorActivity()
          .when(create(ID_7, HASH_1, ALICE))
          .expectEvents(created(ID_7, HASH_1))
          .expectResultMessagePayload(new TokenSummary(ID_7, INGEST, T0, Expiry.NEVER));
    }

    @Test
    void worksForATokenManager() {
      token
          .givenNoPriorActivity()
          .when(create(ID_7, HASH_1, MANAGER))
          .expectEvents(created(ID_7, HASH_1));
    }

    @ParameterizedTest
    @ValueSource(
        strings = {
          "db:*:create,describe,read,write,delete",
          "system:*:read",
          "ledger:tokens:read",
          "ledger:audit:read",
          "ledger:retention:read,write"
        })
    void isRefusedToWhoMayNotManageTokens(String permission) {
      refused(
          token.givenNoPriorActivity().when(create(ID_7, HASH_1, holder(permission))),
          Refusal.NOT_PERMITTED);
    }

    @ParameterizedTest
    @ValueSource(strings = {"ledger:audit:read", "ledger:retention:read", "ledger:*:write"})
    void isRefusedToAManagerWhoAlsoAudits(String permission) {
      refused(
          token
              .givenNoPriorActivity()
              .when(create(ID_7, HASH_1, holder("ledger:tokens:read,write", permission))),
          Refusal.NOT_PERMITTED);
    }

    @Test
    void isRefusedToAManagerWhoWouldGrantPowerOverTheLedger() {
      refused(
          token
              .givenNoPriorActivity()
              .when(
                  new CreateResourceToken(
                      INGEST,
                      ID_7,
                      HASH_1,
                      Permissions.parse(List.of("ledger:audit:read")),
                      T0,
                      Expiry.NEVER,
                      MANAGER)),
          Refusal.NOT_PERMITTED);
    }

    @Test
    void isRefusedWithAnAdminsPermissions() {
      refused(
          token
              .givenNoPriorActivity()
              .when(
                  new CreateResourceToken(
                      INGEST, ID_7, HASH_1, Permissions.admin(), T0, Expiry.NEVER, ALICE)),
          Refusal.NOT_PERMITTED);
    }

    @Test
    void isRefusedUnderTheOperatorsName() {
      refused(
          token
              .givenNoPriorActivity()
              .when(
                  new CreateResourceToken(
                      TokenName.OPERATOR, ID_7, HASH_1, READ, T0, Expiry.NEVER, ALICE)),
          Refusal.RESERVED_NAME);
    }

    @Test
    void isRefusedWhenItWouldExpireThisVeryMillisecond() {
      refused(
          token
              .givenNoPriorActivity()
              .when(
                  new CreateResourceToken(
                      INGEST, ID_7, HASH_1, READ, T0, new Expiry(T0.toEpochMilli()), ALICE)),
          Refusal.INVALID_EXPIRY);
    }

    @Test
    void isRefusedUnderATakenNameAlsoWhenThatTokenHasExpired() {
      ResourceTokenCreated expired =
          new ResourceTokenCreated(
              INGEST, ID_7, HASH_1, READ, T0, new Expiry(T0.toEpochMilli() + 1));
      refused(
          token
              .given(expired)
              .when(new CreateResourceToken(INGEST, ID_8, HASH_2, READ, T1, Expiry.NEVER, ALICE)),
          Refusal.NAME_TAKEN);
    }

    @Test
    void isRefusedWithTheSecretOfTheRevokedTokenBeforeIt() {
      refused(
          token
              .given(created(ID_7, HASH_1), new TokenRevoked(INGEST, ID_7, T1))
              .when(create(ID_8, HASH_1, ALICE)),
          Refusal.SECRET_TAKEN);
    }

    @Test
    void saysNotPermittedBeforeAnythingThatTellsWhatExists() {
      refused(
          token.given(created(ID_7, HASH_1)).when(create(ID_8, HASH_2, AUDITOR)),
          Refusal.NOT_PERMITTED);
    }
  }

  @Nested
  class Revoking {

    private RevokeToken command(TokenName name, Actor actor) {
      return new RevokeToken(name, null, T1, actor);
    }

    @Test
    void endsAResourceToken() {
      token
          .given(created(ID_7, HASH_1))
          .when(command(INGEST, MANAGER))
          .expectEvents(new TokenRevoked(INGEST, ID_7, T1));
    }

    @Test
    void freesTheNameForTheNextToken() {
      token
          .given(created(ID_7, HASH_1), new TokenRevoked(INGEST, ID_7, T1))
          .when(create(ID_8, HASH_2, ALICE))
          .expectEvents(created(ID_8, HASH_2));
    }

    @Test
    void letsAnAdminRevokeItself() {
      token
          .given(adminCreated())
          .when(command(INGEST, Actor.token(ID_7, INGEST, Permissions.admin())))
          .expectEvents(new TokenRevoked(INGEST, ID_7, T1));
    }

    @Test
    void isRefusedToAManagerWhenTheTokenIsAnAdmins() {
      refused(token.given(adminCreated()).when(command(INGEST, MANAGER)), Refusal.NOT_PERMITTED);
    }

    @Test
    void isRefusedToAnAuditor() {
      refused(
          token.given(created(ID_7, HASH_1)).when(command(INGEST, AUDITOR)), Refusal.NOT_PERMITTED);
    }

    @Test
    void isRefusedForTheOperator() {
      refused(
          token.given(operatorCreated()).when(command(TokenName.OPERATOR, OPERATOR)),
          Refusal.OPERATOR_NOT_DELETABLE);
    }

    @Test
    void isRefusedForANameNobodyEverBore() {
      refused(token.givenNoPriorActivity().when(command(INGEST, ALICE)), Refusal.NOT_FOUND);
    }

    @Test
    void isRefusedTwice() {
      refused(
          token
              .given(created(ID_7, HASH_1), new TokenRevoked(INGEST, ID_7, T1))
              .when(command(INGEST, ALICE)),
          Refusal.NOT_FOUND);
    }

    @Test
    void isRefusedToAManagerWhenTheTokenHasPowerOverTheLedger() {
      refused(token.given(auditorCreated()).when(command(INGEST, MANAGER)), Refusal.NOT_PERMITTED);
    }

    @Test
    void isRefusedWhenTheNameHasPassedToAnotherToken() {
      refused(
          token
              .given(
                  created(ID_7, HASH_1), new TokenRevoked(INGEST, ID_7, T1), created(ID_8, HASH_2))
              .when(new RevokeToken(INGEST, ID_7, T1, ALICE)),
          Refusal.NOT_FOUND);
    }
  }

  private static ResourceTokenCreated auditorCreated() {
    return new ResourceTokenCreated(
        INGEST, ID_7, HASH_1, Permissions.parse(List.of("ledger:audit:read")), T0, Expiry.NEVER);
  }

  private static ResourceTokenCreated expiring(Instant expiry) {
    return new ResourceTokenCreated(
        INGEST, ID_7, HASH_1, READ, T0, new Expiry(expiry.toEpochMilli()));
  }

  @Nested
  class Rotating {

    private RotateToken command(Duration grace, Actor actor) {
      return new RotateToken(INGEST, ID_7, HASH_2, T1, grace, actor);
    }

    @Test
    void letsBothSecretsWorkUntilTheGraceEnds() {
      token
          .given(created(ID_7, HASH_1))
          .when(command(Duration.ofHours(1), MANAGER))
          .expectEvents(new TokenRotated(INGEST, ID_7, HASH_2, T1, T1.plus(Duration.ofHours(1))));
    }

    @Test
    void capsTheGraceByTheExpiryAndKeepsIt() {
      Instant expiry = T1.plusSeconds(60);
      token
          .given(expiring(expiry))
          .when(command(Duration.ofHours(1), ALICE))
          .expectEvents(new TokenRotated(INGEST, ID_7, HASH_2, T1, expiry))
          .expectResultMessagePayload(
              new TokenSummary(ID_7, INGEST, T0, new Expiry(expiry.toEpochMilli())));
    }

    @Test
    void worksForANamedAdmin() {
      token
          .given(adminCreated())
          .when(command(Duration.ZERO, ALICE))
          .expectEvents(new TokenRotated(INGEST, ID_7, HASH_2, T1, T1));
    }

    @Test
    void isRefusedWithTheSameSecret() {
      refused(
          token.given(created(ID_7, HASH_2)).when(command(Duration.ZERO, ALICE)),
          Refusal.SECRET_TAKEN);
    }

    @Test
    void isRefusedAtTheVeryMillisecondOfTheExpiry() {
      refused(token.given(expiring(T1)).when(command(Duration.ZERO, ALICE)), Refusal.EXPIRED);
    }

    @Test
    void isRefusedWithANegativeOrTooLongGrace() {
      refused(
          token.given(created(ID_7, HASH_1)).when(command(Duration.ofMillis(-1), ALICE)),
          Refusal.INVALID_GRACE);
      fixture();
      refused(
          token
              .given(created(ID_7, HASH_1))
              .when(command(Duration.ofDays(90).plusMillis(1), ALICE)),
          Refusal.INVALID_GRACE);
    }

    @Test
    void isRefusedForTheOperator() {
      refused(
          token
              .given(operatorCreated())
              .when(
                  new RotateToken(
                      TokenName.OPERATOR, TokenId.OPERATOR, HASH_2, T1, Duration.ZERO, OPERATOR)),
          Refusal.OPERATOR_UNCHANGEABLE);
    }

    @Test
    void isRefusedToAManagerWhoWouldThenHoldAnAuditorsSecret() {
      refused(
          token.given(auditorCreated()).when(command(Duration.ZERO, MANAGER)),
          Refusal.NOT_PERMITTED);
    }

    @Test
    void isRefusedToAnAuditor() {
      refused(
          token.given(created(ID_7, HASH_1)).when(command(Duration.ZERO, AUDITOR)),
          Refusal.NOT_PERMITTED);
    }
  }

  @Nested
  class Suspending {

    @Test
    void suspendsAndResumes() {
      token
          .given(created(ID_7, HASH_1))
          .when(new SuspendToken(INGEST, ID_7, T1, MANAGER))
          .expectEvents(new TokenSuspended(INGEST, ID_7, T1));
      fixture();
      token
          .given(created(ID_7, HASH_1), new TokenSuspended(INGEST, ID_7, T1))
          .when(new ResumeToken(INGEST, ID_7, T1, MANAGER))
          .expectEvents(new TokenResumed(INGEST, ID_7, T1));
    }

    @Test
    void isRefusedTwice() {
      refused(
          token
              .given(created(ID_7, HASH_1), new TokenSuspended(INGEST, ID_7, T1))
              .when(new SuspendToken(INGEST, ID_7, T1, ALICE)),
          Refusal.UNCHANGED);
    }

    @Test
    void cannotBeEndedWhereItIsNot() {
      refused(
          token
              .given(
                  created(ID_7, HASH_1),
                  new TokenSuspended(INGEST, ID_7, T1),
                  new TokenResumed(INGEST, ID_7, T1))
              .when(new ResumeToken(INGEST, ID_7, T1, ALICE)),
          Refusal.UNCHANGED);
    }

    @Test
    void doesNotPassToTheNextTokenOfTheName() {
      token
          .given(
              created(ID_7, HASH_1),
              new TokenSuspended(INGEST, ID_7, T1),
              new TokenRevoked(INGEST, ID_7, T1),
              created(ID_8, HASH_2))
          .when(new SuspendToken(INGEST, ID_8, T1, ALICE))
          .expectEvents(new TokenSuspended(INGEST, ID_8, T1));
    }

    @Test
    void isRefusedForTheOperatorAndToAnAuditor() {
      refused(
          token
              .given(operatorCreated())
              .when(new SuspendToken(TokenName.OPERATOR, TokenId.OPERATOR, T1, ALICE)),
          Refusal.OPERATOR_UNCHANGEABLE);
      fixture();
      refused(
          token.given(created(ID_7, HASH_1)).when(new SuspendToken(INGEST, ID_7, T1, AUDITOR)),
          Refusal.NOT_PERMITTED);
      fixture();
      refused(
          token.given(created(ID_7, HASH_1)).when(new ResumeToken(INGEST, ID_7, T1, AUDITOR)),
          Refusal.NOT_PERMITTED);
    }
  }

  @Nested
  class Describing {

    private DescribeToken command(String description) {
      return new DescribeToken(INGEST, ID_7, description, T1, MANAGER);
    }

    @Test
    void setsAndClears() {
      token
          .given(created(ID_7, HASH_1))
          .when(command("collector in hall 3"))
          .expectEvents(new TokenDescribed(INGEST, ID_7, "collector in hall 3", T1));
      fixture();
      token
          .given(created(ID_7, HASH_1), new TokenDescribed(INGEST, ID_7, "x", T1))
          .when(command(""))
          .expectEvents(new TokenDescribed(INGEST, ID_7, "", T1));
    }

    @Test
    void isPossibleForTheOperatorToken() {
      token
          .given(operatorCreated())
          .when(new DescribeToken(TokenName.OPERATOR, TokenId.OPERATOR, "safe 2", T1, ALICE))
          .expectEvents(new TokenDescribed(TokenName.OPERATOR, TokenId.OPERATOR, "safe 2", T1));
    }

    @Test
    void takes1024BytesAndNotOneMore() {
      token
          .given(created(ID_7, HASH_1))
          .when(command("é".repeat(512)))
          .expectEvents(new TokenDescribed(INGEST, ID_7, "é".repeat(512), T1));
      fixture();
      refused(
          token.given(created(ID_7, HASH_1)).when(command("é".repeat(512) + "x")),
          Refusal.INVALID_DESCRIPTION);
    }

    @Test
    void refusesControlCharacters() {
      refused(
          token.given(created(ID_7, HASH_1)).when(command("a\u0007b")),
          Refusal.INVALID_DESCRIPTION);
    }

    @Test
    void isRefusedToAnAuditor() {
      refused(
          token
              .given(created(ID_7, HASH_1))
              .when(new DescribeToken(INGEST, ID_7, "x", T1, AUDITOR)),
          Refusal.NOT_PERMITTED);
    }
  }

  @Nested
  class ChangingTheExpiry {

    private ChangeExpiry command(Expiry expiry, Actor actor) {
      return new ChangeExpiry(INGEST, ID_7, expiry, T1, actor);
    }

    @Test
    void extendsShortensAndTakesItAway() {
      Expiry later = Expiry.after(T1, 60);
      token
          .given(created(ID_7, HASH_1))
          .when(command(later, MANAGER))
          .expectEvents(new TokenExpiryChanged(INGEST, ID_7, Expiry.NEVER, later, T1));
      fixture();
      token
          .given(expiring(T1.plusSeconds(1)))
          .when(command(Expiry.NEVER, MANAGER))
          .expectEvents(
              new TokenExpiryChanged(
                  INGEST, ID_7, new Expiry(T1.toEpochMilli() + 1_000), Expiry.NEVER, T1));
    }

    @Test
    void revivesAnExpiredToken() {
      Expiry later = Expiry.after(T1, 60);
      token
          .given(expiring(T0.plusSeconds(1)))
          .when(command(later, ALICE))
          .expectEvents(
              new TokenExpiryChanged(
                  INGEST, ID_7, new Expiry(T0.toEpochMilli() + 1_000), later, T1));
    }

    @Test
    void isRefusedForThisVeryMillisecond() {
      refused(
          token.given(created(ID_7, HASH_1)).when(command(new Expiry(T1.toEpochMilli()), ALICE)),
          Refusal.INVALID_EXPIRY);
    }

    @Test
    void isRefusedWhenNothingWouldChange() {
      refused(
          token.given(created(ID_7, HASH_1)).when(command(Expiry.NEVER, ALICE)), Refusal.UNCHANGED);
    }

    @Test
    void isRefusedToAnAuditor() {
      refused(
          token.given(created(ID_7, HASH_1)).when(command(Expiry.after(T1, 60), AUDITOR)),
          Refusal.NOT_PERMITTED);
    }
  }

  @Nested
  class ChangingPermissions {

    private ChangePermissions command(String permission, Actor actor) {
      return new ChangePermissions(INGEST, ID_7, Permissions.parse(List.of(permission)), T1, actor);
    }

    @Test
    void replacesThem() {
      token
          .given(created(ID_7, HASH_1))
          .when(command("db:a:read,write", MANAGER))
          .expectEvents(
              new TokenPermissionsChanged(
                  INGEST, ID_7, READ, Permissions.parse(List.of("db:a:read,write")), T1));
    }

    @Test
    void isRefusedWhenNothingWouldChange() {
      refused(
          token.given(created(ID_7, HASH_1)).when(command("db:a:read", ALICE)), Refusal.UNCHANGED);
    }

    @Test
    void isRefusedForAnAdminToken() {
      refused(
          token.given(adminCreated()).when(command("db:a:read", ALICE)), Refusal.PERMISSIONS_FIXED);
    }

    @Test
    void isRefusedToAManagerWhoWouldMakeAnAuditor() {
      refused(
          token.given(created(ID_7, HASH_1)).when(command("ledger:audit:read", MANAGER)),
          Refusal.NOT_PERMITTED);
    }

    @Test
    void neverMakesAnAdmin() {
      refused(
          token.given(created(ID_7, HASH_1)).when(command("*:*:*", ALICE)), Refusal.NOT_PERMITTED);
    }

    @Test
    void isRefusedToAnAuditor() {
      refused(
          token.given(created(ID_7, HASH_1)).when(command("db:b:read", AUDITOR)),
          Refusal.NOT_PERMITTED);
    }
  }

  @Nested
  class Expiring {

    private final Instant expiry = T0.plus(Duration.ofDays(20));

    private AnnounceExpiry announce(int days, Instant at) {
      return new AnnounceExpiry(INGEST, ID_7, days, at, Actor.SYSTEM);
    }

    private TokenExpiryAnnounced announced(int days, Instant at) {
      return new TokenExpiryAnnounced(INGEST, ID_7, new Expiry(expiry.toEpochMilli()), days, at);
    }

    @Test
    void isRecordedOnceItHasPassed() {
      token
          .given(expiring(T1))
          .when(new RecordExpiry(INGEST, ID_7, T1, Actor.SYSTEM))
          .expectEvents(new TokenExpired(INGEST, ID_7, new Expiry(T1.toEpochMilli()), T1));
    }

    @Test
    void isNotRecordedBeforeNorTwiceNorForATokenThatNeverExpires() {
      RecordExpiry command = new RecordExpiry(INGEST, ID_7, T1, Actor.SYSTEM);
      refused(token.given(expiring(T1.plusMillis(1))).when(command), Refusal.UNCHANGED);
      fixture();
      refused(
          token
              .given(
                  expiring(T1), new TokenExpired(INGEST, ID_7, new Expiry(T1.toEpochMilli()), T1))
              .when(command),
          Refusal.UNCHANGED);
      fixture();
      refused(token.given(created(ID_7, HASH_1)).when(command), Refusal.UNCHANGED);
    }

    @Test
    void isRecordedAgainAfterARenewal() {
      Expiry renewed = new Expiry(T1.toEpochMilli());
      token
          .given(
              expiring(T0.plusSeconds(1)),
              new TokenExpired(INGEST, ID_7, new Expiry(T0.toEpochMilli() + 1_000), T1),
              new TokenExpiryChanged(
                  INGEST, ID_7, new Expiry(T0.toEpochMilli() + 1_000), renewed, T1))
          .when(new RecordExpiry(INGEST, ID_7, T1, Actor.SYSTEM))
          .expectEvents(new TokenExpired(INGEST, ID_7, renewed, T1));
    }

    @Test
    void isTheNodesToRecordAndAnnounce() {
      refused(
          token.given(expiring(T1)).when(new RecordExpiry(INGEST, ID_7, T1, ALICE)),
          Refusal.NOT_PERMITTED);
      fixture();
      refused(
          token.given(expiring(T1)).when(new AnnounceExpiry(INGEST, ID_7, 30, T0, ALICE)),
          Refusal.NOT_PERMITTED);
    }

    @Test
    void isAnnouncedWithinTheDaysAndNotBefore() {
      token.given(expiring(expiry)).when(announce(30, T0)).expectEvents(announced(30, T0));
      fixture();
      refused(token.given(expiring(expiry)).when(announce(14, T0)), Refusal.UNCHANGED);
      fixture();
      Instant sharp = expiry.minus(Duration.ofDays(14));
      token
          .given(expiring(expiry), announced(30, T0))
          .when(announce(14, sharp))
          .expectEvents(announced(14, sharp));
    }

    @Test
    void isNotAnnouncedTwiceNorBackwardsNorForOtherDaysNorAfterwards() {
      refused(
          token.given(expiring(expiry), announced(30, T0)).when(announce(30, T0)),
          Refusal.UNCHANGED);
      fixture();
      Instant late = expiry.minus(Duration.ofDays(1));
      refused(
          token.given(expiring(expiry), announced(1, late)).when(announce(7, late)),
          Refusal.UNCHANGED);
      fixture();
      refused(token.given(expiring(expiry)).when(announce(21, T0)), Refusal.UNCHANGED);
      fixture();
      refused(token.given(expiring(expiry)).when(announce(1, expiry)), Refusal.UNCHANGED);
      fixture();
      refused(token.given(created(ID_7, HASH_1)).when(announce(30, T0)), Refusal.UNCHANGED);
    }
  }
}

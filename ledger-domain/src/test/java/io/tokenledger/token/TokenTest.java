package io.tokenledger.token;

import io.tokenledger.permission.Permissions;
import io.tokenledger.token.TokenCommand.CreateNamedAdmin;
import io.tokenledger.token.TokenCommand.CreateOperatorToken;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenCommand.RegenerateOperatorToken;
import io.tokenledger.token.TokenCommand.RevokeToken;
import io.tokenledger.token.TokenEvent.NamedAdminCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenRegenerated;
import io.tokenledger.token.TokenEvent.ResourceTokenCreated;
import io.tokenledger.token.TokenEvent.TokenRevoked;
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
      return new RevokeToken(name, T1, actor);
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
  }
}

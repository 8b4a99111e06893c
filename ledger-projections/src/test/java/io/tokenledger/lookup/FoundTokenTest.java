package io.tokenledger.lookup;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.tokenledger.permission.Permissions;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenKind;
import io.tokenledger.token.TokenName;
import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class FoundTokenTest {

  private static final Instant NOON = Instant.parse("2026-11-24T12:00:00Z");

  private static FoundToken token(Expiry expiry, @Nullable Instant supersededAt) {
    return new FoundToken(
        new TokenId(7),
        new TokenName("ingest"),
        TokenKind.RESOURCE,
        Permissions.parse(List.of("db:a:read")),
        NOON.minusSeconds(60),
        expiry,
        null,
        supersededAt,
        null,
        false);
  }

  private static Expiry at(Instant instant) {
    return new Expiry(instant.toEpochMilli());
  }

  @Test
  void aSecretIsValidUntilItsTokensExpiryOrItsGraceWhateverIsEarlier() {
    assertEquals(at(NOON), token(at(NOON), null).secretExpiry());
    assertEquals(Expiry.NEVER, token(Expiry.NEVER, null).secretExpiry());
    assertEquals(at(NOON), token(Expiry.NEVER, NOON).secretExpiry());
    assertEquals(at(NOON), token(at(NOON.plusMillis(1)), NOON).secretExpiry());
    // The expiry was changed during the grace.
    assertEquals(at(NOON), token(at(NOON), NOON.plusMillis(1)).secretExpiry());
  }
}

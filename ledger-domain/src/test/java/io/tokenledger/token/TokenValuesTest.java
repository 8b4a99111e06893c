package io.tokenledger.token;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.security.SecureRandom;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenValuesTest {

  private static Refusal refusal(Runnable work) {
    return assertThrows(TokenRefused.class, work::run).refusal();
  }

  @Nested
  class Names {

    @Test
    void mayHave512BytesAndNotOneMore() {
      assertEquals(512, new TokenName("x".repeat(512)).value().length());
      assertEquals(Refusal.INVALID_NAME, refusal(() -> new TokenName("x".repeat(513))));
      assertEquals("é".repeat(256), new TokenName("é".repeat(256)).value());
      assertEquals(Refusal.INVALID_NAME, refusal(() -> new TokenName("é".repeat(256) + "x")));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "a\nb", "a\u0000", "a\u007f", "a\u0085b", "e\u0301", "a\ud800"})
    void thatBreakARuleAreRefusedAndNeverRepaired(String name) {
      assertEquals(Refusal.INVALID_NAME, refusal(() -> new TokenName(name)));
    }

    @Test
    void mayHoldWhatInfluxDbAllows() {
      String name = "Read-write for DATABASE1, DATABASE2: größe 🦆";
      assertEquals(name, new TokenName(name).value());
      assertNotEquals(new TokenName("Ingest"), new TokenName("ingest"));
    }
  }

  @Nested
  class Expiries {

    private final Instant now = Instant.parse("2026-11-24T12:00:00.123Z");

    @Test
    void expireThisVeryMillisecond() {
      Expiry expiry = new Expiry(1_000);
      assertTrue(expiry.isLive(999));
      assertFalse(expiry.isLive(1_000));
      assertTrue(Expiry.NEVER.isLive(Long.MAX_VALUE - 1));
    }

    @Test
    void countFromTheCreation() {
      assertEquals(Instant.parse("2026-12-01T12:00:00.123Z"), Expiry.after(now, 604_800).instant());
    }

    @ParameterizedTest
    @ValueSource(
        longs = {0, -1, Long.MIN_VALUE, Long.MAX_VALUE, Long.MAX_VALUE / 1000, 253_402_300_800L})
    void outOfRangeAreRefusedAndNeverTakenForNoExpiry(long seconds) {
      TokenRefused refused = assertThrows(TokenRefused.class, () -> Expiry.after(now, seconds));
      assertEquals(Refusal.INVALID_EXPIRY, refused.refusal());
      assertTrue(refused.getMessage().contains("expiry_secs"), refused.getMessage());
    }

    @Test
    void reachToTheLastMillisecondOf9999() {
      Instant last = Instant.parse("9999-12-31T23:59:59.999Z");
      assertEquals(last, new Expiry(last.toEpochMilli()).instant());
      assertEquals(Refusal.INVALID_EXPIRY, refusal(() -> new Expiry(last.toEpochMilli() + 1)));
      assertEquals(Refusal.INVALID_EXPIRY, refusal(() -> new Expiry(-1)));
      assertThrows(IllegalStateException.class, Expiry.NEVER::instant);
    }
  }

  @Nested
  class Secrets {

    @ParameterizedTest
    @CsvSource({
      "apiv3_VDD60uw8PbaEmE7a2flTnghRNxq4wCEJJs7lhHBza6FUdcr07gJmITfmXzKjVeilRx8vsPxdmgY2HzpUYWqW4g,"
          + "b602b35ebb18b2dec929729169cb6cc7ea3a544c4aaa2104b49144809f148abb0bc46c181626fb3e8f716e95a4c17710e219aa414b1370a45b45998f83568637",
      "apiv3_Jkalv-IPKqJR2P7QT0n28gFpf1iEwK-eZ7q6hXqyzrJu0kEPB-VE88eGXTTz9GKhwKm38-6qkykKPdhNeduS9g,"
          + "f9d9ca5aa9015df867bc2f0c0ff4304502b75c736fc76a979c06eb82a3d0912b88d266d2bf6b4ec55420f965869630e7f9f6d0db5a66c8225cd603e83723b21b"
    })
    void hashAsInfluxDbPublished(String token, String hex) {
      assertEquals(hex, SecretHash.of(token).hex());
      assertEquals(SecretHash.parseHex(hex), SecretHash.of(token));
    }

    @Test
    void haveInfluxDbsShape() {
      for (int i = 0; i < 100; i++) {
        String secret = TokenSecret.generate(new SecureRandom()).reveal();
        assertTrue(secret.matches("apiv3_[A-Za-z0-9_-]{85}[AQgw]"), secret.substring(0, 6));
      }
    }

    @Test
    void areNeverPrinted() {
      TokenSecret secret = TokenSecret.generate(new SecureRandom());
      assertEquals("apiv3_***", secret.toString());
      assertEquals(9, secret.hash().toString().length());
    }

    @Test
    void fromAFileNeedThePrefix() {
      assertEquals("apiv3_short", TokenSecret.provided("apiv3_short").reveal());
      assertEquals(Refusal.INVALID_SECRET, refusal(() -> TokenSecret.provided("short")));
    }

    @Test
    void hashesAreComparedByAllOfTheirBytes() {
      byte[] bytes = SecretHash.of("a").bytes();
      SecretHash same = SecretHash.ofBytes(bytes.clone());
      bytes[63] ^= 1;
      assertEquals(SecretHash.of("a"), same);
      assertEquals(SecretHash.of("a").hashCode(), same.hashCode());
      assertNotEquals(same, SecretHash.ofBytes(bytes));
      assertFalse(same.equals("a"));
      assertThrows(IllegalArgumentException.class, () -> SecretHash.ofBytes(new byte[63]));
    }
  }

  @Nested
  class HumanDurations {

    @ParameterizedTest
    @CsvSource({
      "7d, 604800",
      "1y, 31557600",
      "1m, 60",
      "1M, 2630016",
      "1w, 604800",
      "1h 30m, 5400",
      "1h30m, 5400",
      "1.5h, 5400",
      "300000s, 300000",
      "999ms, 0",
      "1500ms, 1",
      "1000000us, 1",
      "1000000µs, 1",
      "1000000000ns, 1",
      "2 weeks, 1209600",
      "3 months, 7890048",
      "1year 1month 1day 1hour 1minute 1second, 34277677",
      "1yr 1hr 1min 1sec, 31561261",
      "0, 0",
      "5millis 5nanos 5usec, 0"
    })
    void readAsHumantimeReadsThem(String text, long seconds) {
      assertEquals(seconds, HumanDuration.parseSeconds(text));
    }

    @ParameterizedTest
    @CsvSource(
        delimiter = '|',
        value = {
          "300000 | time unit needed, for example 300000sec or 300000ms",
          "'' | value was empty",
          "'  ' | value was empty",
          "d | expected number at 0",
          "1d x | expected number at 3",
          "1.h | expected number at 2",
          "1d-2h | invalid character at 2",
          "-1d | expected number at 0"
        })
    void failInHumantimesWords(String text, String message) {
      assertEquals(
          message,
          assertThrows(IllegalArgumentException.class, () -> HumanDuration.parseSeconds(text))
              .getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"1D", "1fortnight", "1Y"})
    void nameTheUnitsWhenOneIsUnknown(String text) {
      IllegalArgumentException failed =
          assertThrows(IllegalArgumentException.class, () -> HumanDuration.parseSeconds(text));
      assertTrue(failed.getMessage().startsWith("unknown time unit \"" + text.substring(1)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.1ns", "99999999999999999999y"})
    void refuseWhatNoLongCanHold(String text) {
      IllegalArgumentException failed =
          assertThrows(IllegalArgumentException.class, () -> HumanDuration.parseSeconds(text));
      assertTrue(failed.getMessage().startsWith("number is too large"));
    }

    @Test
    void neverFailOtherwiseWhateverIsTyped() {
      String alphabet = "0123456789.smhdwyM µ\u00e9x-";
      Random random = new Random(7);
      for (int i = 0; i < 20_000; i++) {
        StringBuilder text = new StringBuilder();
        for (int length = random.nextInt(12); length > 0; length--) {
          text.append(alphabet.charAt(random.nextInt(alphabet.length())));
        }
        try {
          assertTrue(HumanDuration.parseSeconds(text.toString()) >= 0);
        } catch (IllegalArgumentException e) {
          assertFalse(e.getMessage().isEmpty());
        }
      }
    }
  }

  @Test
  void refusalsAreCheckedAndDocumentedInOneOrder() {
    assertEquals(
        List.of(
            "NOT_PERMITTED 403 {\"error\": \"unauthorized to perform requested action with the"
                + " token\"}",
            "UNREADABLE 409 the history of the name holds an event that cannot be read, X",
            "INVALID_NAME 400 invalid token name: X",
            "INVALID_PERMISSION 400 X",
            "INVALID_SECRET 400 Invalid token format: X",
            "INVALID_EXPIRY 400 invalid expiry: X",
            "INVALID_DESCRIPTION 400 invalid description: X",
            "INVALID_GRACE 400 invalid grace period: X",
            "RESERVED_NAME 400 token name is reserved for the operator token, X",
            "OPERATOR_NOT_DELETABLE 405 cannot delete operator token",
            "OPERATOR_UNCHANGEABLE 405 the operator token can only be regenerated",
            "NOT_FOUND 404 the requested resource was not found: X",
            "OPERATOR_MISSING 500 missing admin token, cannot update",
            "PERMISSIONS_FIXED 405 an admin token's permissions cannot be changed, X",
            "EXPIRED 409 token has expired, give it a later expiry first, X",
            "UNCHANGED 409 nothing to change, X",
            "NAME_TAKEN 409 token name already exists, X",
            "SECRET_TAKEN 409 token secret already exists, choose another one for X"),
        Arrays.stream(Refusal.values())
            .map(refusal -> refusal + " " + refusal.status() + " " + refusal.text("X"))
            .toList());
  }
}

package io.tokenledger.token;

import java.nio.charset.StandardCharsets;
import java.text.Normalizer;

/**
 * The name of a token: 1 to 512 bytes of UTF-8, in Unicode normalization form C, without control
 * characters or unpaired surrogates. Compared byte for byte; a name that breaks a rule is refused,
 * never repaired, so that no two callers mean different tokens by one name.
 *
 * @param value the name as given
 */
public record TokenName(String value) {

  /** The operator token's name, which no other token may bear. */
  public static final TokenName OPERATOR = new TokenName("_admin");

  private static final int MAX_BYTES = 512;

  /**
   * @throws TokenRefused {@link Refusal#INVALID_NAME} naming the broken rule
   */
  public TokenName {
    if (value.isEmpty()) {
      throw invalid("token_name must not be empty");
    }
    if (value.codePoints().anyMatch(TokenName::isForbidden)) {
      throw invalid("token_name must not hold control characters or unpaired surrogates");
    }
    int bytes = value.getBytes(StandardCharsets.UTF_8).length;
    if (bytes > MAX_BYTES) {
      throw invalid("token_name must not be longer than 512 bytes of UTF-8, it has " + bytes);
    }
    if (!Normalizer.isNormalized(value, Normalizer.Form.NFC)) {
      throw invalid("token_name must be in Unicode normalization form C (NFC)");
    }
  }

  private static boolean isForbidden(int codePoint) {
    int type = Character.getType(codePoint);
    return type == Character.CONTROL || type == Character.SURROGATE;
  }

  private static TokenRefused invalid(String rule) {
    return new TokenRefused(Refusal.INVALID_NAME, rule);
  }

  boolean isOperator() {
    return equals(OPERATOR);
  }

  @Override
  public String toString() {
    return value;
  }
}

package io.tokenledger.token;

import java.security.SecureRandom;
import java.util.Base64;

/**
 * The string that a caller presents: {@code apiv3_} and 64 random bytes in base64url without
 * padding, 92 characters in all. It leaves the process once, in the answer to its creation; {@link
 * #toString()} hides it so that no log line can.
 */
public final class TokenSecret {

  /** What every token of InfluxDB 3 starts with. */
  public static final String PREFIX = "apiv3_";

  private static final int RANDOM_BYTES = 64;

  private final String value;

  private TokenSecret(String value) {
    this.value = value;
  }

  /** A new secret from the given source of randomness. */
  public static TokenSecret generate(SecureRandom random) {
    byte[] bytes = new byte[RANDOM_BYTES];
    random.nextBytes(bytes);
    return new TokenSecret(PREFIX + Base64.getUrlEncoder().withoutPadding().encodeToString(bytes));
  }

  /**
   * A secret that an operator chose, as InfluxDB's token files hold it: any length after the
   * prefix.
   *
   * @throws TokenRefused {@link Refusal#INVALID_SECRET} when the prefix is missing
   */
  public static TokenSecret provided(String value) {
    if (!value.startsWith(PREFIX)) {
      throw new TokenRefused(Refusal.INVALID_SECRET, "must start with 'apiv3_'");
    }
    return new TokenSecret(value);
  }

  /** The whole string. For the one answer that shows it, never for a log or an event. */
  public String reveal() {
    return value;
  }

  public SecretHash hash() {
    return SecretHash.of(value);
  }

  @Override
  public String toString() {
    return PREFIX + "***";
  }
}

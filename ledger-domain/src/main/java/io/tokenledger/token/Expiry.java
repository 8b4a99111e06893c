package io.tokenledger.token;

import java.time.Instant;

/**
 * When a token stops being valid: never, or at an instant in whole milliseconds. A token whose
 * expiry is this very millisecond is expired already (InfluxDB: {@code expiry > now}).
 *
 * @param epochMillis milliseconds since 1970-01-01T00:00:00Z; {@link Long#MAX_VALUE} for never
 */
public record Expiry(long epochMillis) {

  /** No expiry. */
  public static final Expiry NEVER = new Expiry(Long.MAX_VALUE);

  /** 9999-12-31T23:59:59.999Z, the last instant that RFC 3339 can write. */
  private static final long LAST_WRITABLE_MILLIS = 253_402_300_799_999L;

  public Expiry {
    if (epochMillis != Long.MAX_VALUE && (epochMillis < 0 || epochMillis > LAST_WRITABLE_MILLIS)) {
      throw new TokenRefused(
          Refusal.INVALID_EXPIRY, "the expiry must lie between the years 1970 and 9999");
    }
  }

  /**
   * The expiry this many seconds after a token's creation.
   *
   * @param expirySeconds at least 1; what would end after the year 9999 is refused, never taken for
   *     "no expiry"
   * @throws TokenRefused {@link Refusal#INVALID_EXPIRY}
   */
  public static Expiry after(Instant createdAt, long expirySeconds) {
    if (expirySeconds < 1) {
      throw new TokenRefused(
          Refusal.INVALID_EXPIRY,
          "expiry_secs must be at least 1, got "
              + expirySeconds
              + "; leave it out for a token that never expires");
    }
    try {
      long millis =
          Math.addExact(createdAt.toEpochMilli(), Math.multiplyExact(expirySeconds, 1_000L));
      if (millis <= LAST_WRITABLE_MILLIS) {
        return new Expiry(millis);
      }
    } catch (ArithmeticException e) {
      // Falls through: an overflow is too late by far.
    }
    throw new TokenRefused(
        Refusal.INVALID_EXPIRY,
        "expiry_secs must not reach beyond the year 9999, got "
            + expirySeconds
            + "; leave it out for a token that never expires");
  }

  public boolean isNever() {
    return epochMillis == Long.MAX_VALUE;
  }

  /** Whether a token with this expiry may still be used at that millisecond. */
  public boolean isLive(long nowEpochMillis) {
    return epochMillis > nowEpochMillis;
  }

  /**
   * The instant of expiry.
   *
   * @throws IllegalStateException when there is none
   */
  public Instant instant() {
    if (isNever()) {
      throw new IllegalStateException("never expires");
    }
    return Instant.ofEpochMilli(epochMillis);
  }

  @Override
  public String toString() {
    return isNever() ? "never" : instant().toString();
  }
}

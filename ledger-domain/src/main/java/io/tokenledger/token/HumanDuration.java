package io.tokenledger.token;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * Durations as people type them on the command line: {@code 7d}, {@code 1h 30m}, {@code 1.5h},
 * {@code 1y}. The grammar is that of humantime 2.3.0, which {@code influxdb3 --expiry} uses: units
 * are case-sensitive ({@code m} is a minute, {@code M} a month of 30.44 days) and a year has 365.25
 * days.
 */
public final class HumanDuration {

  private static final BigInteger NANOS_PER_SECOND = BigInteger.valueOf(1_000_000_000L);

  private static final Map<String, Long> NANOS_BY_SHORT_UNIT =
      Map.of("ns", 1L, "us", 1_000L, "µs", 1_000L, "ms", 1_000_000L);

  private final String text;
  private int at;

  private HumanDuration(String text) {
    this.text = text;
  }

  /**
   * The whole seconds of a duration; what is left of a second is dropped, as {@code influxdb3}
   * does.
   *
   * @throws IllegalArgumentException with humantime's own words when the text is no duration, or
   *     longer than a {@code long} of seconds
   */
  public static long parseSeconds(String text) {
    if (text.equals("0")) {
      return 0;
    }
    BigInteger seconds = new HumanDuration(text).parseNanos().divide(NANOS_PER_SECOND);
    if (seconds.bitLength() > 63) {
      throw tooLarge();
    }
    return seconds.longValue();
  }

  private BigInteger parseNanos() {
    BigInteger total = BigInteger.ZERO;
    skipBlanks();
    if (at == text.length()) {
      throw new IllegalArgumentException("value was empty");
    }
    while (at < text.length()) {
      BigDecimal number = number();
      String unit = unit();
      if (unit.isEmpty()) {
        String shown = number.toPlainString();
        throw new IllegalArgumentException(
            "time unit needed, for example " + shown + "sec or " + shown + "ms");
      }
      BigDecimal nanos = number.multiply(BigDecimal.valueOf(nanosOf(unit)));
      if (nanos.stripTrailingZeros().scale() > 0) {
        throw tooLarge();
      }
      total = total.add(nanos.toBigIntegerExact());
      skipBlanks();
    }
    return total;
  }

  private BigDecimal number() {
    if (!isDigit(peek())) {
      throw new IllegalArgumentException("expected number at " + byteOffset());
    }
    StringBuilder digits = new StringBuilder();
    while (isDigit(peek()) || isBlank(peek())) {
      if (isDigit(peek())) {
        digits.append(peek());
      }
      at++;
    }
    if (peek() == '.') {
      digits.append('.');
      at++;
      if (!isDigit(peek())) {
        throw new IllegalArgumentException("expected number at " + byteOffset());
      }
      while (isDigit(peek()) || isBlank(peek())) {
        if (isDigit(peek())) {
          digits.append(peek());
        }
        at++;
      }
    }
    return new BigDecimal(digits.toString());
  }

  private String unit() {
    int start = at;
    while (at < text.length() && isUnitLetter(peek())) {
      at++;
    }
    if (at < text.length() && !isDigit(peek()) && !isBlank(peek())) {
      throw new IllegalArgumentException("invalid character at " + byteOffset());
    }
    return text.substring(start, at);
  }

  private static long nanosOf(String unit) {
    Long small = NANOS_BY_SHORT_UNIT.get(unit);
    if (small != null) {
      return small;
    }
    return switch (unit) {
      case "nanos", "nsec" -> 1L;
      case "usec" -> 1_000L;
      case "millis", "msec" -> 1_000_000L;
      case "seconds", "second", "secs", "sec", "s" -> seconds(1);
      case "minutes", "minute", "min", "mins", "m" -> seconds(60);
      case "hours", "hour", "hr", "hrs", "h" -> seconds(3_600);
      case "days", "day", "d" -> seconds(86_400);
      case "weeks", "week", "wk", "wks", "w" -> seconds(604_800);
      case "months", "month", "M" -> seconds(2_630_016);
      case "years", "year", "yr", "yrs", "y" -> seconds(31_557_600);
      default ->
          throw new IllegalArgumentException(
              "unknown time unit \""
                  + unit
                  + "\", supported units: ns, us/µs, ms, sec, min, hours, days, weeks, months,"
                  + " years (and few variations)");
    };
  }

  private static long seconds(long seconds) {
    return Math.multiplyExact(seconds, 1_000_000_000L);
  }

  private void skipBlanks() {
    while (at < text.length() && isBlank(peek())) {
      at++;
    }
  }

  private char peek() {
    return at < text.length() ? text.charAt(at) : '\0';
  }

  private int byteOffset() {
    return text.substring(0, at).getBytes(StandardCharsets.UTF_8).length;
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }

  private static boolean isBlank(char c) {
    return Character.isWhitespace(c);
  }

  private static boolean isUnitLetter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == 'µ';
  }

  private static IllegalArgumentException tooLarge() {
    return new IllegalArgumentException(
        "number is too large or cannot be represented without a lack of precision (values below"
            + " 1ns are not supported)");
  }
}

package io.tokenledger.server;

import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Reads the values of a query string, or of what stands for one, each with its rule. */
final class Parameters {

  /** What PostgreSQL and RFC 3339 can both write. */
  private static final Instant FIRST = Instant.parse("0001-01-01T00:00:00Z");

  private static final Instant LAST = Instant.parse("9999-12-31T23:59:59.999999999Z");

  private static final int MAX_SHOWN_CHARS = 64;

  private final Function<String, @Nullable String> values;

  /**
   * @param values gives the value of a parameter, null where there is none
   */
  Parameters(Function<String, @Nullable String> values) {
    this.values = values;
  }

  /**
   * Refuses a query that a lenient reader would take for another one.
   *
   * @param query as it was sent
   * @throws Rejection 400 naming the parameter that is wrongly encoded
   */
  static void requireDecodable(@Nullable String query) {
    if (query == null) {
      return;
    }
    for (String pair : query.split("&")) {
      String[] parts = pair.split("=", 2);
      String name;
      try {
        name = HeaderText.percentDecoded(parts[0]);
      } catch (IllegalArgumentException e) {
        throw Rejection.invalid("the name of a query parameter is not percent-encoded UTF-8");
      }
      try {
        HeaderText.percentDecoded(parts.length == 1 ? "" : parts[1]);
      } catch (IllegalArgumentException e) {
        throw Rejection.invalid(
            name.substring(0, Math.min(name.length(), MAX_SHOWN_CHARS))
                + " is not percent-encoded UTF-8");
      }
    }
  }

  /**
   * A text; null where there is none.
   *
   * @throws Rejection 400 when it holds what no stored text can hold
   */
  @Nullable String text(String parameter) {
    String text = values.apply(parameter);
    if (text != null && text.chars().anyMatch(c -> c == 0 || Character.isSurrogate((char) c))) {
      boolean paired = text.codePoints().noneMatch(c -> c == 0 || (c >= 0xd800 && c <= 0xdfff));
      if (!paired) {
        throw Rejection.invalid(parameter + " must not hold NUL or unpaired surrogates");
      }
    }
    return text;
  }

  /**
   * A whole number that is not negative; null where there is none.
   *
   * @throws Rejection 400
   */
  @Nullable Long number(String parameter) {
    String text = text(parameter);
    try {
      Long number = text == null ? null : Long.valueOf(text);
      if (number != null && number < 0) {
        throw Rejection.invalid(parameter + " must not be negative, got " + text);
      }
      return number;
    } catch (NumberFormatException e) {
      throw Rejection.invalid(parameter + " must be a whole number, got " + text);
    }
  }

  /**
   * An instant of the years 1 to 9999; null where there is none.
   *
   * @throws Rejection 400
   */
  @Nullable Instant instant(String parameter) {
    String text = text(parameter);
    if (text == null) {
      return null;
    }
    try {
      Instant instant = Instant.parse(text);
      if (!instant.isBefore(FIRST) && !instant.isAfter(LAST)) {
        return instant;
      }
    } catch (DateTimeParseException e) {
      // Falls through to the one message.
    }
    throw Rejection.invalid(
        parameter + " must be an instant such as 2026-11-24T12:00:00Z, got " + text);
  }

  /**
   * How many; the default where that is not said.
   *
   * @param max at most, the least is 1
   * @throws Rejection 400
   */
  int limit(int byDefault, int max) {
    Long limit = number("limit");
    if (limit != null && (limit < 1 || limit > max)) {
      throw Rejection.invalid("limit must be 1 to " + max + ", got " + limit);
    }
    return limit == null ? byDefault : Math.toIntExact(limit);
  }
}

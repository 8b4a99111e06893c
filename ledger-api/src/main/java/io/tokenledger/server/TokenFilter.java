package io.tokenledger.server;

import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenKind;
import io.tokenledger.tokens.TokenEntry;
import io.tokenledger.tokens.TokenQuery;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Reads which tokens are meant, from a query string or from the filter of a bulk command. */
final class TokenFilter {

  /** What restricts. */
  static final Set<String> PARAMETERS =
      ordered(
          "state",
          "kind",
          "name",
          "database",
          "created_since",
          "created_until",
          "expires_since",
          "expires_until",
          "created_by",
          "made_by",
          "unused_since");

  /** The same, and which page. */
  static final Set<String> LIST_PARAMETERS = union(PARAMETERS, "limit", "cursor");

  private static final int DEFAULT_LIMIT = 100;

  private final Function<String, @Nullable String> values;

  /**
   * @param values gives the value of a parameter, null where there is none
   */
  TokenFilter(Function<String, @Nullable String> values) {
    this.values = values;
  }

  private static Set<String> ordered(String... names) {
    return Collections.unmodifiableSet(new LinkedHashSet<>(List.of(names)));
  }

  private static Set<String> union(Set<String> names, String... more) {
    Set<String> all = new LinkedHashSet<>(names);
    all.addAll(List.of(more));
    return Collections.unmodifiableSet(all);
  }

  /**
   * The query that the parameters say.
   *
   * @throws Rejection 400 naming the parameter and the rule
   */
  TokenQuery query(Instant now) {
    Long limit = number("limit");
    if (limit != null && (limit < 1 || limit > TokenQuery.MAX_LIMIT)) {
      throw Rejection.invalid("limit must be 1 to 1000, got " + limit);
    }
    return new TokenQuery(
        now,
        null,
        oneOf("state", TokenEntry.State.class),
        oneOf("kind", TokenKind.class),
        values.apply("name"),
        null,
        values.apply("database"),
        instant("created_since"),
        instant("created_until"),
        instant("expires_since"),
        instant("expires_until"),
        values.apply("created_by"),
        id("made_by"),
        instant("unused_since"),
        id("cursor"),
        limit == null ? DEFAULT_LIMIT : Math.toIntExact(limit));
  }

  private <E extends Enum<E>> @Nullable E oneOf(String parameter, Class<E> type) {
    String text = values.apply(parameter);
    if (text == null) {
      return null;
    }
    return Arrays.stream(type.getEnumConstants())
        .filter(constant -> constant.name().toLowerCase(Locale.ROOT).equals(text))
        .findFirst()
        .orElseThrow(
            () ->
                Rejection.invalid(
                    parameter
                        + " must be one of "
                        + Arrays.stream(type.getEnumConstants())
                            .map(constant -> constant.name().toLowerCase(Locale.ROOT))
                            .collect(Collectors.joining(", "))
                        + ", got "
                        + text));
  }

  private @Nullable TokenId id(String parameter) {
    Long number = number(parameter);
    if (number != null && number < 0) {
      throw Rejection.invalid(parameter + " must not be negative, got " + number);
    }
    return number == null ? null : new TokenId(number);
  }

  private @Nullable Long number(String parameter) {
    String text = values.apply(parameter);
    try {
      return text == null ? null : Long.valueOf(text);
    } catch (NumberFormatException e) {
      throw Rejection.invalid(parameter + " must be a whole number, got " + text);
    }
  }

  private @Nullable Instant instant(String parameter) {
    String text = values.apply(parameter);
    try {
      return text == null ? null : Instant.parse(text);
    } catch (DateTimeParseException e) {
      throw Rejection.invalid(
          parameter + " must be an instant such as 2026-11-24T12:00:00Z, got " + text);
    }
  }
}

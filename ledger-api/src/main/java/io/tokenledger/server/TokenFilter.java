package io.tokenledger.server;

import io.tokenledger.permission.Permission;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenKind;
import io.tokenledger.tokens.TokenQuery;
import io.tokenledger.tokens.TokenState;
import java.time.Instant;
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
          "permission",
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

  /** What every admin may. */
  private static final String ADMIN = "*:*:*";

  private final Parameters values;

  /**
   * @param values gives the value of a parameter, null where there is none
   */
  TokenFilter(Function<String, @Nullable String> values) {
    this.values = new Parameters(values);
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
    return new TokenQuery(
        now,
        null,
        oneOf("state", TokenState.class),
        oneOf("kind", TokenKind.class),
        values.text("name"),
        null,
        values.text("database"),
        permission(),
        values.instant("created_since"),
        values.instant("created_until"),
        values.instant("expires_since"),
        values.instant("expires_until"),
        values.text("created_by"),
        id("made_by"),
        values.instant("unused_since"),
        id("cursor"),
        values.limit(DEFAULT_LIMIT, TokenQuery.MAX_LIMIT));
  }

  /** In the form in which it is listed, however it is written. */
  private @Nullable String permission() {
    String text = values.text("permission");
    return text == null || text.equals(ADMIN) ? text : Permission.parse(text).toString();
  }

  private <E extends Enum<E>> @Nullable E oneOf(String parameter, Class<E> type) {
    String text = values.text(parameter);
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
    Long number = values.number(parameter);
    return number == null ? null : new TokenId(number);
  }
}

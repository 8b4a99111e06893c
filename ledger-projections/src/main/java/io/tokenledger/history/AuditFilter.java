package io.tokenledger.history;

import io.tokenledger.timeline.Moment;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * Which events are looked for: what a person writes into the search box.
 *
 * <pre>
 * actor:alice action:token.* -outcome:success from:2026-01-01 to:&lt;=2026-01-31 "quarterly review"
 * </pre>
 *
 * <p>Words are parted by spaces; each is a field with its value, or text. A minus before it
 * excludes what it says. A value with spaces stands in quotes, where {@code \"} and {@code \\}
 * stand for the two. Outside of quotes {@code *} stands for any characters. Of a field that is
 * given several times, any of its values matches, and none of those with a minus; of texts, all
 * must. {@code from} takes {@code >=} (which is meant without) or {@code >}, {@code to} takes
 * {@code <} (which is meant without) or {@code <=}; a date is midnight in UTC, and with {@code >}
 * or {@code <=} its whole day.
 *
 * <p>Addresses and texts are sealed in the events, so {@code ip} and text are found by opening one
 * event after the other; everything else by index.
 */
public final class AuditFilter {

  /** Longest query, in characters. */
  public static final int MAX_CHARS = 2_048;

  private static final int MAX_WORDS = 50;

  private static final Instant LAST = Instant.parse("9999-12-31T23:59:59.999Z");
  private static final Pattern KEY = Pattern.compile("[A-Za-z_]+:");
  private static final Pattern DATE = Pattern.compile("\\d{4}-\\d{2}-\\d{2}");
  private static final Pattern ACTING_TOKEN = Pattern.compile("token:\\d{1,18}");

  /** The filter that nothing restricts. */
  public static final AuditFilter ALL = new AuditFilter(List.of());

  /** What a word can speak of. */
  public enum Field {
    /** Name of the acting token, {@code anonymous} or {@code system}; {@code token:7} its id. */
    ACTOR,
    ACTION,
    /** Id or name of what it was done to. */
    TARGET,
    /** Name of the token it was done to. */
    TOKEN,
    OUTCOME,
    TYPE,
    /** Address or network it came from. */
    IP,
    FROM,
    TO,
    /** Place in the log. */
    AT,
    TEXT,
    REQUEST,
    CORRELATION;

    /** How it is written in a query. */
    public String wireName() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Of these an answer would tell about a person, and so does the question. */
  private static final Set<Field> PERSONAL = EnumSet.of(Field.ACTOR, Field.IP, Field.TEXT);

  private static final Set<Field> ONCE = EnumSet.of(Field.FROM, Field.TO, Field.AT);
  private static final Set<String> OUTCOMES = Set.of("success", "denied", "failed");
  private static final String FIELDS =
      java.util.Arrays.stream(Field.values())
          .map(Field::wireName)
          .collect(Collectors.joining(", "));

  /**
   * One word of a query.
   *
   * @param operator for {@code from} and {@code to}, else empty
   * @param literal whether {@code *} is meant as it stands
   */
  private record Word(
      Field field, boolean negated, String operator, String value, boolean literal) {

    boolean isGlob() {
      return !literal && value.indexOf('*') >= 0;
    }

    @Override
    public String toString() {
      return (negated ? "-" : "") + field.wireName() + ":" + operator + quoted();
    }

    private String quoted() {
      boolean bare =
          !literal && value.chars().noneMatch(c -> Character.isWhitespace(c) || c == '"');
      return bare ? value : '"' + value.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }
  }

  private final List<Word> words;
  private final List<AddressRange> addresses;
  private final List<AddressRange> otherAddresses;

  private AuditFilter(List<Word> words) {
    this.words = List.copyOf(words);
    this.addresses = addresses(words, false);
    this.otherAddresses = addresses(words, true);
  }

  private static List<AddressRange> addresses(List<Word> words, boolean negated) {
    return words.stream()
        .filter(word -> word.field() == Field.IP && word.negated() == negated)
        .map(word -> AddressRange.parse(word.value()).orElseThrow())
        .toList();
  }

  /**
   * The filter that a query says.
   *
   * @throws InvalidFilter naming the word and the rule
   */
  public static AuditFilter parse(String query) {
    if (query.length() > MAX_CHARS) {
      throw new InvalidFilter(query, "a query is no longer than " + MAX_CHARS + " characters");
    }
    List<Word> words = new ArrayList<>();
    Reader reader = new Reader(query);
    for (Word word = reader.next(); word != null; word = reader.next()) {
      if (words.size() == MAX_WORDS) {
        throw new InvalidFilter(
            word.toString(), "a query has no more than " + MAX_WORDS + " words");
      }
      words.add(checked(words, word));
    }
    return new AuditFilter(words);
  }

  /** Takes the words off a query, one after the other. */
  private static final class Reader {

    private final String query;
    private int at;

    Reader(String query) {
      this.query = query;
    }

    /** The next word; null after the last. */
    @Nullable Word next() {
      while (at < query.length() && Character.isWhitespace(query.charAt(at))) {
        at++;
      }
      if (at == query.length()) {
        return null;
      }
      int start = at;
      boolean negated = query.charAt(at) == '-';
      if (negated) {
        at++;
      }
      Field field = field(start);
      String operator = "";
      if (field == Field.FROM || field == Field.TO) {
        int from = at;
        while (at < query.length() && "<>=".indexOf(query.charAt(at)) >= 0) {
          at++;
        }
        operator = query.substring(from, at);
      }
      boolean quoted = at < query.length() && query.charAt(at) == '"';
      String value = quoted ? quoted(start) : bare(start);
      if (value.isEmpty()) {
        throw new InvalidFilter(query.substring(start, at), "a value is missing");
      }
      if (value.chars().anyMatch(Character::isISOControl)) {
        throw new InvalidFilter("control characters", "a value holds none");
      }
      return new Word(field, negated, operator, value, quoted);
    }

    private Field field(int start) {
      var key = KEY.matcher(query).region(at, query.length());
      if (!key.lookingAt()) {
        return Field.TEXT;
      }
      String name = query.substring(at, key.end() - 1);
      at = key.end();
      for (Field field : Field.values()) {
        if (field.wireName().equals(name)) {
          return field;
        }
      }
      throw new InvalidFilter(
          query.substring(start, at),
          name + " is no field, those are " + FIELDS + "; text with a colon stands in quotes");
    }

    private String bare(int start) {
      int from = at;
      while (at < query.length() && !Character.isWhitespace(query.charAt(at))) {
        if (query.charAt(at) == '"') {
          throw new InvalidFilter(
              query.substring(start, at + 1), "a quote stands at the beginning of a value only");
        }
        at++;
      }
      return query.substring(from, at);
    }

    private String quoted(int start) {
      StringBuilder value = new StringBuilder();
      at++;
      while (at < query.length() && query.charAt(at) != '"') {
        if (query.charAt(at) == '\\') {
          at++;
          if (at == query.length() || "\"\\".indexOf(query.charAt(at)) < 0) {
            throw new InvalidFilter(
                query.substring(start, at), "in quotes a backslash stands before \" or \\ only");
          }
        }
        value.append(query.charAt(at++));
      }
      if (at == query.length()) {
        throw new InvalidFilter(query.substring(start), "the quote is not closed");
      }
      at++;
      if (at < query.length() && !Character.isWhitespace(query.charAt(at))) {
        throw new InvalidFilter(
            query.substring(start, at + 1), "a space stands after the closing quote");
      }
      return value.toString();
    }
  }

  private static Word checked(List<Word> before, Word word) {
    Field field = word.field();
    if (ONCE.contains(field)) {
      if (word.negated()) {
        throw new InvalidFilter(word.toString(), field.wireName() + " is not negated");
      }
      if (before.stream().anyMatch(each -> each.field() == field)) {
        throw new InvalidFilter(word.toString(), field.wireName() + " is given once");
      }
    }
    switch (field) {
      case OUTCOME -> {
        if (!OUTCOMES.contains(word.value())) {
          throw new InvalidFilter(word.toString(), "outcome is success, denied or failed");
        }
      }
      case IP -> {
        if (AddressRange.parse(word.value()).isEmpty()) {
          throw new InvalidFilter(
              word.toString(), "ip is an address such as 203.0.113.7 or a network, 203.0.113.0/24");
        }
      }
      case FROM -> {
        if (!Set.of("", ">=", ">").contains(word.operator())) {
          throw new InvalidFilter(word.toString(), "from takes >= or >, for the other end use to:");
        }
        instant(word);
      }
      case TO -> {
        if (!Set.of("", "<", "<=").contains(word.operator())) {
          throw new InvalidFilter(word.toString(), "to takes < or <=, for the other end use from:");
        }
        instant(word);
      }
      case AT -> place(word);
      default -> {}
    }
    return word;
  }

  /** The bound that a word sets: the first instant that counts, or that no longer does. */
  private static Instant instant(Word word) {
    boolean isDate = DATE.matcher(word.value()).matches();
    try {
      Instant instant = Instant.parse(isDate ? word.value() + "T00:00:00Z" : word.value());
      boolean after = word.operator().equals(">") || word.operator().equals("<=");
      if (after) {
        // Events are stored to the millisecond.
        instant =
            isDate
                ? instant.plus(Duration.ofDays(1))
                : instant.truncatedTo(ChronoUnit.MILLIS).plusMillis(1);
      }
      if (!instant.isBefore(Instant.EPOCH)) {
        return instant.isAfter(LAST) ? LAST : instant;
      }
    } catch (DateTimeException e) {
      // Falls through to the one message.
    }
    throw new InvalidFilter(
        word.toString(),
        word.field().wireName()
            + " is a date such as 2026-01-31 or an instant, 2026-01-31T12:00:00Z, from 1970 on");
  }

  private static Moment place(Word word) {
    try {
      Moment moment = Moment.parse(word.value());
      if (!(moment instanceof Moment.AtTime)) {
        return moment;
      }
    } catch (IllegalArgumentException e) {
      // Falls through to the one message.
    }
    throw new InvalidFilter(
        word.toString(), "at is leaf:N or checkpoint:N; for times use from: and to:");
  }

  /**
   * The same with one condition more, whose value is meant as it stands.
   *
   * @throws InvalidFilter when there is one of that field already, or the value breaks its rule
   */
  public AuditFilter with(Field field, String value) {
    Word word = new Word(field, false, "", value, true);
    if (words.stream().anyMatch(each -> each.field() == field)) {
      throw new InvalidFilter(
          word.toString(), field.wireName() + " is given in q or by itself, not both");
    }
    List<Word> all = new ArrayList<>(words);
    all.add(checked(words, word));
    return new AuditFilter(all);
  }

  /** First instant that counts; null for any. */
  public @Nullable Instant from() {
    return words(Field.FROM, false).stream().findFirst().map(AuditFilter::instant).orElse(null);
  }

  /** First instant that no longer counts; null for any. */
  public @Nullable Instant to() {
    return words(Field.TO, false).stream().findFirst().map(AuditFilter::instant).orElse(null);
  }

  /** The place in the log up to which is searched; null for all of it. */
  public @Nullable Moment at() {
    return words(Field.AT, false).stream().findFirst().map(AuditFilter::place).orElse(null);
  }

  private List<Word> words(Field field, boolean negated) {
    return words.stream()
        .filter(word -> word.field() == field && word.negated() == negated)
        .toList();
  }

  /** The values one of which must be there; null when any may, or {@link #anyLike} says. */
  @Nullable List<String> any(Field field) {
    List<Word> wanted = words(field, false);
    return wanted.isEmpty() || wanted.stream().anyMatch(Word::isGlob)
        ? null
        : wanted.stream().map(Word::value).toList();
  }

  /** The patterns for {@code LIKE} one of which must match; null when any value may be there. */
  @Nullable List<String> anyLike(Field field) {
    List<Word> wanted = words(field, false);
    return wanted.stream().anyMatch(Word::isGlob)
        ? wanted.stream().map(AuditFilter::likePattern).toList()
        : null;
  }

  /** The patterns for {@code LIKE} none of which may match; null when there is none. */
  @Nullable List<String> noneLike(Field field) {
    List<Word> unwanted = words(field, true);
    return unwanted.isEmpty() ? null : unwanted.stream().map(AuditFilter::likePattern).toList();
  }

  private static String likePattern(Word word) {
    String escaped = word.value().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_");
    return word.literal() ? escaped : escaped.replace('*', '%');
  }

  /** Ids of acting tokens that the values of {@code actor} name; null when they name none. */
  @Nullable List<Long> actorIds(boolean negated) {
    List<Long> ids =
        words(Field.ACTOR, negated).stream()
            .map(Word::value)
            .filter(value -> ACTING_TOKEN.matcher(value).matches())
            .map(value -> Long.valueOf(value.substring("token:".length())))
            .toList();
    return ids.isEmpty() ? null : ids;
  }

  /** Whether it speaks of what is sealed, so that events must be opened to find those it means. */
  public boolean needsOpening() {
    return words.stream().anyMatch(word -> word.field() == Field.IP || word.field() == Field.TEXT);
  }

  /** Whether the opened parts of an event are as it says. */
  boolean matches(JsonNode payload, JsonNode envelope) {
    return matchesAddress(envelope.path("source")) && matchesTexts(payload, envelope);
  }

  private boolean matchesAddress(JsonNode source) {
    List<String> from = new ArrayList<>();
    addTexts(source.path("ip"), from);
    addTexts(source.path("forwarded_for"), from);
    return (addresses.isEmpty() || anyIn(addresses, from)) && !anyIn(otherAddresses, from);
  }

  private static boolean anyIn(List<AddressRange> ranges, List<String> addresses) {
    return ranges.stream().anyMatch(range -> addresses.stream().anyMatch(range::contains));
  }

  private boolean matchesTexts(JsonNode payload, JsonNode envelope) {
    List<Word> wanted = words(Field.TEXT, false);
    List<Word> unwanted = words(Field.TEXT, true);
    if (wanted.isEmpty() && unwanted.isEmpty()) {
      return true;
    }
    List<String> texts = new ArrayList<>();
    addTexts(payload, texts);
    addTexts(envelope, texts);
    texts.replaceAll(text -> text.toLowerCase(Locale.ROOT));
    return wanted.stream().allMatch(word -> isIn(word, texts))
        && unwanted.stream().noneMatch(word -> isIn(word, texts));
  }

  private static boolean isIn(Word word, List<String> texts) {
    String part = word.value().toLowerCase(Locale.ROOT);
    return texts.stream().anyMatch(text -> text.contains(part));
  }

  private static void addTexts(JsonNode node, List<String> texts) {
    if (node.isString()) {
      texts.add(node.stringValue());
    } else {
      node.forEach(child -> addTexts(child, texts));
    }
  }

  /** The query in one form, with {@code *} for values that may tell about a person. */
  public String shown() {
    return words.stream()
        .map(
            word ->
                PERSONAL.contains(word.field())
                    ? (word.negated() ? "-" : "") + word.field().wireName() + ":*"
                    : word.toString())
        .collect(Collectors.joining(" "));
  }

  /** The query in one form: parsed, it gives this filter. */
  @Override
  public String toString() {
    return words.stream().map(Word::toString).collect(Collectors.joining(" "));
  }
}

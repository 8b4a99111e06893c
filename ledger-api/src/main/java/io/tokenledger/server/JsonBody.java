package io.tokenledger.server;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.TokenStreamLocation;

/**
 * A JSON object of a request, which remembers where it ended: InfluxDB names that place when a
 * field is missing ({@code missing field `token_name` at line 1 column 2}). Unknown fields are
 * ignored, as there; a repeated one is refused, because two readers could take different ones.
 */
final class JsonBody {

  private static final int MAX_DEPTH = 16;

  /** For what this machine's own files hold. */
  static final int MAX_VALUES = 200_000;

  /** Of the values, each of which costs more memory than its text, what is left. */
  private static final class Count {
    private final int limit;
    private int values;

    Count(int limit) {
      this.limit = limit;
    }

    void add(JsonParser parser) {
      if (++values > limit) {
        throw Rejection.json("more than " + limit + " values" + at(parser.currentTokenLocation()));
      }
    }
  }

  private final Map<String, @Nullable Object> fields;
  private final int endLine;
  private final int endColumn;

  private JsonBody(Map<String, @Nullable Object> fields, int endLine, int endColumn) {
    this.fields = fields;
    this.endLine = endLine;
    this.endColumn = endColumn;
  }

  /**
   * Reads a whole body.
   *
   * @throws Rejection 400 naming the place
   */
  static JsonBody parse(byte[] body) {
    return parse(body, MAX_VALUES);
  }

  /**
   * Reads a whole body.
   *
   * @param maxValues how many values it may hold, arrays and objects among them
   * @throws Rejection 400 naming the place
   */
  static JsonBody parse(byte[] body, int maxValues) {
    try (JsonParser parser = JsonText.JSON.createParser(body)) {
      if (parser.nextToken() == null) {
        throw Rejection.json("EOF while parsing a value at line 1 column 0");
      }
      if (parser.currentToken() != JsonToken.START_OBJECT) {
        throw Rejection.json("expected an object" + at(parser.currentTokenLocation()));
      }
      JsonBody object = (JsonBody) value(parser, 0, new Count(maxValues));
      if (parser.nextToken() != null) {
        throw Rejection.json("trailing characters" + at(parser.currentTokenLocation()));
      }
      return java.util.Objects.requireNonNull(object);
    } catch (JacksonException e) {
      throw Rejection.json("the body is not valid JSON" + at(e.getLocation()));
    }
  }

  private static String at(@Nullable TokenStreamLocation place) {
    return place == null ? "" : " at line " + place.getLineNr() + " column " + place.getColumnNr();
  }

  private static @Nullable Object value(JsonParser parser, int depth, Count count) {
    count.add(parser);
    if (depth > MAX_DEPTH) {
      throw Rejection.json("nested too deeply" + at(parser.currentTokenLocation()));
    }
    return switch (parser.currentToken()) {
      case START_OBJECT -> object(parser, depth, count);
      case START_ARRAY -> {
        List<@Nullable Object> elements = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          elements.add(value(parser, depth + 1, count));
        }
        yield elements;
      }
      case VALUE_STRING -> parser.getString();
      case VALUE_NUMBER_INT -> parser.getBigIntegerValue();
      case VALUE_NUMBER_FLOAT -> decimal(parser);
      case VALUE_TRUE -> Boolean.TRUE;
      case VALUE_FALSE -> Boolean.FALSE;
      default -> null;
    };
  }

  private static BigDecimal decimal(JsonParser parser) {
    try {
      return parser.getDecimalValue();
    } catch (NumberFormatException | ArithmeticException e) {
      throw Rejection.json("number out of range" + at(parser.currentTokenLocation()));
    }
  }

  private static JsonBody object(JsonParser parser, int depth, Count count) {
    Map<String, @Nullable Object> fields = new LinkedHashMap<>();
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String name = parser.currentName();
      TokenStreamLocation place = parser.currentTokenLocation();
      parser.nextToken();
      Object value = value(parser, depth + 1, count);
      if (fields.containsKey(name)) {
        throw Rejection.json("duplicate field `" + name + "`" + at(place));
      }
      fields.put(name, value);
    }
    TokenStreamLocation end = parser.currentTokenLocation();
    return new JsonBody(fields.isEmpty() ? Map.of() : fields, end.getLineNr(), end.getColumnNr());
  }

  boolean isNull(String field) {
    return fields.get(field) == null;
  }

  /**
   * All fields with their values: null, {@link Boolean}, {@link Long}, {@link BigDecimal} or {@link
   * String}.
   *
   * @throws Rejection 400 when one holds something else
   */
  Map<String, @Nullable Object> scalars() {
    Map<String, @Nullable Object> scalars = new LinkedHashMap<>();
    fields.forEach(
        (name, value) -> {
          if (value instanceof JsonBody || value instanceof List<?>) {
            throw wrongType(name, "a string, a number, true, false or null");
          }
          scalars.put(
              name,
              value instanceof BigInteger number
                  ? number.bitLength() < Long.SIZE ? number.longValue() : new BigDecimal(number)
                  : value);
        });
    return scalars;
  }

  boolean has(String field) {
    return fields.containsKey(field);
  }

  private @Nullable Object required(String field) {
    if (!fields.containsKey(field)) {
      throw Rejection.json(
          "missing field `" + field + "` at line " + endLine + " column " + endColumn);
    }
    return fields.get(field);
  }

  String string(String field) {
    if (required(field) instanceof String text) {
      return text;
    }
    throw wrongType(field, "a string");
  }

  @Nullable String optionalString(String field) {
    return fields.get(field) == null ? null : string(field);
  }

  /** The value of a field that holds a whole number or nothing. */
  @Nullable BigInteger optionalInteger(String field) {
    Object value = fields.get(field);
    if (value == null || value instanceof BigInteger) {
      return (BigInteger) value;
    }
    throw wrongType(
        field, value instanceof BigDecimal ? "a whole number, not a fraction" : "a whole number");
  }

  /** The names of all fields, in their order. */
  Set<String> names() {
    return fields.keySet();
  }

  JsonBody object(String field) {
    if (required(field) instanceof JsonBody object) {
      return object;
    }
    throw wrongType(field, "an object");
  }

  /** The text of a field that holds a string or a whole number; null where there is none. */
  @Nullable String text(String field) {
    Object value = fields.get(field);
    if (value == null || value instanceof String || value instanceof BigInteger) {
      return value == null ? null : value.toString();
    }
    throw wrongType(field, "a string or a whole number");
  }

  boolean optionalBoolean(String field, boolean byDefault) {
    Object value = fields.get(field);
    if (value == null || value instanceof Boolean) {
      return value == null ? byDefault : (Boolean) value;
    }
    throw wrongType(field, "true or false");
  }

  List<String> strings(String field) {
    List<String> strings = new ArrayList<>();
    for (Object element : list(field)) {
      if (!(element instanceof String text)) {
        throw wrongType(field, "an array of strings");
      }
      strings.add(text);
    }
    return strings;
  }

  List<JsonBody> objects(String field) {
    List<JsonBody> objects = new ArrayList<>();
    for (Object element : list(field)) {
      if (!(element instanceof JsonBody object)) {
        throw wrongType(field, "an array of objects");
      }
      objects.add(object);
    }
    return objects;
  }

  private List<?> list(String field) {
    if (required(field) instanceof List<?> list) {
      return list;
    }
    throw wrongType(field, "an array");
  }

  private static Rejection wrongType(String field, String expected) {
    return Rejection.json("invalid type: `" + field + "` must be " + expected);
  }
}

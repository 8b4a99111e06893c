package io.tokenledger.server;

import io.tokenledger.sql.SqlResult;
import java.math.BigDecimal;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The forms that InfluxDB gives the answer of a query ({@code influxdb3-token-surface} 1.6), byte
 * for byte as Apache Arrow writes them: a null is left out in JSON and empty elsewhere, a time has
 * no zone.
 */
enum SqlFormat {
  JSON("application/json", List.of("json")),
  JSON_LINES("application/jsonl", List.of("jsonl", "json_lines")),
  CSV("text/csv", List.of("csv")),
  PRETTY("text/plain; charset=utf-8", List.of("pretty"));

  private static final DateTimeFormatter SECONDS =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss");
  private static final DateTimeFormatter MILLIS =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS");
  private static final DateTimeFormatter MICROS =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS");

  private final String contentType;
  private final List<String> names;

  SqlFormat(String contentType, List<String> names) {
    this.contentType = contentType;
    this.names = names;
  }

  String contentType() {
    return contentType;
  }

  /**
   * The format that a request asks for.
   *
   * @param name the parameter {@code format}; null when it is absent
   * @param accept the header {@code Accept}; null when it is absent
   * @throws Rejection 400 for a format that is not there
   */
  static SqlFormat of(@Nullable String name, @Nullable String accept) {
    if (name == null) {
      return ofAccept(accept);
    }
    if (name.equals("parquet")) {
      throw parquet();
    }
    return Arrays.stream(values())
        .filter(format -> format.names.contains(name))
        .findFirst()
        .orElseThrow(
            () ->
                Rejection.invalid(
                    "format must be json, jsonl, json_lines, csv or pretty, got " + name));
  }

  private static SqlFormat ofAccept(@Nullable String accept) {
    return switch (accept == null ? "*/*" : accept) {
      case "application/json", "*/*" -> JSON;
      case "text/csv" -> CSV;
      case "text/plain" -> PRETTY;
      case "application/vnd.apache.parquet" -> throw parquet();
      default -> throw new Rejection(400, "invalid mime type (" + accept + ")", "mime_type", false);
    };
  }

  private static Rejection parquet() {
    return Rejection.invalid(
        "format parquet is not available in this ledger: ask for json, jsonl, csv or pretty");
  }

  String write(SqlResult result) {
    return switch (this) {
      case JSON -> json(result);
      case JSON_LINES -> jsonLines(result);
      case CSV -> csv(result);
      case PRETTY -> pretty(result);
    };
  }

  private static String json(SqlResult result) {
    ArrayNode rows = JsonText.JSON.createArrayNode();
    result.rows().forEach(row -> rows.add(object(result.columns(), row)));
    return rows.toString();
  }

  private static String jsonLines(SqlResult result) {
    StringBuilder lines = new StringBuilder();
    result.rows().forEach(row -> lines.append(object(result.columns(), row)).append('\n'));
    return lines.toString();
  }

  private static ObjectNode object(List<String> columns, List<@Nullable Object> row) {
    ObjectNode object = JsonText.object();
    for (int i = 0; i < columns.size(); i++) {
      Object value = row.get(i);
      if (value instanceof Boolean truth) {
        object.put(columns.get(i), truth);
      } else if (value instanceof Long number) {
        object.put(columns.get(i), number);
      } else if (value instanceof BigDecimal number) {
        object.put(columns.get(i), number);
      } else if (value != null) {
        object.put(columns.get(i), text(value));
      }
    }
    return object;
  }

  private static String text(@Nullable Object value) {
    if (value == null) {
      return "";
    }
    if (value instanceof BigDecimal number) {
      return number.toPlainString();
    }
    if (!(value instanceof LocalDateTime time)) {
      return value.toString();
    }
    int nanos = time.getNano();
    return (nanos == 0 ? SECONDS : nanos % 1_000_000 == 0 ? MILLIS : MICROS).format(time);
  }

  private static String csv(SqlResult result) {
    StringBuilder text = new StringBuilder();
    csvRow(text, result.columns());
    result.rows().forEach(row -> csvRow(text, row));
    return text.toString();
  }

  private static void csvRow(StringBuilder text, List<? extends @Nullable Object> row) {
    for (int i = 0; i < row.size(); i++) {
      String cell = text(row.get(i));
      boolean quoted = cell.chars().anyMatch(c -> c == ',' || c == '"' || c == '\n' || c == '\r');
      text.append(i == 0 ? "" : ",").append(quoted ? '"' + cell.replace("\"", "\"\"") + '"' : cell);
    }
    text.append('\n');
  }

  private static String pretty(SqlResult result) {
    List<List<String>> cells = new ArrayList<>();
    cells.add(result.columns());
    result.rows().forEach(row -> cells.add(row.stream().map(SqlFormat::text).toList()));
    int[] widths = new int[result.columns().size()];
    for (List<String> row : cells) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], width(row.get(i)));
      }
    }
    StringBuilder line = new StringBuilder("+");
    for (int width : widths) {
      line.append("-".repeat(width + 2)).append('+');
    }
    StringBuilder text = new StringBuilder();
    text.append(line).append('\n');
    for (int i = 0; i < cells.size(); i++) {
      text.append('|');
      for (int j = 0; j < widths.length; j++) {
        String cell = cells.get(i).get(j);
        text.append(' ').append(cell).append(" ".repeat(widths[j] - width(cell))).append(" |");
      }
      text.append('\n');
      if (i == 0) {
        text.append(line).append('\n');
      }
    }
    return text.append(line).toString();
  }

  private static int width(String cell) {
    return cell.codePointCount(0, cell.length());
  }
}

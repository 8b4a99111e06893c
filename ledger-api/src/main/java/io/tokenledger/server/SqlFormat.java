package io.tokenledger.server;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The forms that InfluxDB gives the answer of a query ({@code influxdb3-token-surface} 1.6). */
enum SqlFormat {
  JSON("application/json", List.of("json")),
  JSON_LINES("application/jsonl", List.of("jsonl", "json_lines")),
  CSV("text/csv", List.of("csv")),
  PRETTY("text/plain; charset=utf-8", List.of("pretty"));

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

  /** An answer of this form, to be filled. */
  SqlAnswer answer(AnswerBuffer buffer) {
    return switch (this) {
      case JSON -> new SqlAnswer.Json(buffer, false);
      case JSON_LINES -> new SqlAnswer.Json(buffer, true);
      case CSV -> new SqlAnswer.Csv(buffer);
      case PRETTY -> new SqlAnswer.Pretty(buffer);
    };
  }
}

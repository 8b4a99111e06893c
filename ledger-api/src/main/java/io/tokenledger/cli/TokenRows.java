package io.tokenledger.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** Tokens of the server's lists as rows for people and spreadsheets. */
final class TokenRows {

  private static final List<String> FIELDS =
      List.of(
          "id",
          "name",
          "kind",
          "state",
          "permissions",
          "description",
          "created_at",
          "created_by",
          "created_by_token_id",
          "updated_at",
          "updated_by",
          "expiry",
          "suspended_at",
          "revoked_at",
          "revoked_by",
          "last_used_at");

  private static final List<String> SHOWN =
      List.of(
          "id",
          "name",
          "kind",
          "state",
          "permissions",
          "created_at",
          "created_by",
          "expiry",
          "last_used_at");

  private TokenRows() {}

  static List<String> csv(List<JsonNode> tokens) {
    List<String> lines = new ArrayList<>();
    lines.add(String.join(",", FIELDS));
    for (JsonNode token : tokens) {
      List<@Nullable String> cells = new ArrayList<>();
      FIELDS.forEach(field -> cells.add(value(token, field)));
      lines.add(Terminal.csv(cells));
    }
    return lines;
  }

  static List<String> table(List<JsonNode> tokens) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(SHOWN.stream().map(field -> field.toUpperCase(java.util.Locale.ROOT)).toList());
    for (JsonNode token : tokens) {
      List<String> row = new ArrayList<>();
      for (String field : SHOWN) {
        String value = value(token, field);
        row.add(value == null ? "-" : Terminal.shown(value));
      }
      rows.add(row);
    }
    List<String> lines = Terminal.table(rows);
    lines.add(tokens.size() + (tokens.size() == 1 ? " token" : " tokens"));
    return lines;
  }

  private static @Nullable String value(JsonNode token, String field) {
    JsonNode value = token.path(field);
    if (value.isArray()) {
      return value.valueStream().map(JsonNode::asString).collect(Collectors.joining(" "));
    }
    return value.isNull() || value.isMissingNode() ? null : value.asString();
  }
}

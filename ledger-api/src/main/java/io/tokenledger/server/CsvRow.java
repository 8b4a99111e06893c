package io.tokenledger.server;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A row of CSV for spreadsheets. */
public final class CsvRow {

  private CsvRow() {}

  /** RFC 4180 without its line end, and no cell that a spreadsheet would take for a formula. */
  public static String of(List<@Nullable String> cells) {
    List<String> escaped = new ArrayList<>();
    for (String cell : cells) {
      String text = cell == null ? "" : cell;
      if (!text.isEmpty() && "=+-@\t\r".indexOf(text.charAt(0)) >= 0) {
        text = "'" + text;
      }
      boolean quoted = text.chars().anyMatch(c -> c == '"' || c == ',' || c == '\r' || c == '\n');
      escaped.add(quoted ? '"' + text.replace("\"", "\"\"") + '"' : text);
    }
    return String.join(",", escaped);
  }
}

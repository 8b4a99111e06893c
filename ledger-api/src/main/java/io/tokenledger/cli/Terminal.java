package io.tokenledger.cli;

import io.tokenledger.server.CsvRow;
import java.io.BufferedReader;
import java.io.Console;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What a command says to a person and hears from one. */
final class Terminal {

  private static final int BAR = 30;

  private Terminal() {}

  /** Whether a person reads the output: only then are there colour codes. */
  static boolean isPerson() {
    Console console = System.console();
    return console != null && isTerminal(Console.class, console);
  }

  /**
   * From Java 22 on there is a console where there is no terminal, in a pipe too, and it says
   * whether there is one.
   */
  static boolean isTerminal(Class<?> type, Object console) {
    try {
      return (boolean) type.getMethod("isTerminal").invoke(console);
    } catch (ReflectiveOperationException e) {
      return true;
    }
  }

  /** The next line of standard input; null at its end. */
  static @Nullable String readLine() {
    try {
      String line =
          new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).readLine();
      return line == null ? null : line.strip();
    } catch (IOException e) {
      throw new CommandFailed("standard input cannot be read: " + e.getMessage());
    }
  }

  /**
   * Goes on when the person says yes.
   *
   * @throws CommandFailed else
   */
  static void confirm(String question, String command) {
    System.err.println(question + " Enter 'yes' or 'y' to confirm");
    String said = readLine();
    String word = said == null ? "" : said.toLowerCase(Locale.ROOT);
    if (!word.equals("yes") && !word.equals("y")) {
      throw new CommandFailed(command + " command failed: Cannot proceed without confirmation");
    }
  }

  /**
   * Shows a person how far something is, in the place of what was shown before.
   *
   * @param what is counted
   * @param perSecond how many of them; 0 while that is not known
   */
  static void progress(long done, long total, String what, long perSecond) {
    if (isPerson() && total > 0) {
      System.err.print("\r" + bar(done, total, what, perSecond) + "\u001b[K");
    }
  }

  /** Goes to the line below it. */
  static void endProgress() {
    if (isPerson()) {
      System.err.println();
    }
  }

  static String bar(long done, long total, String what, long perSecond) {
    long shown = Math.min(done, total);
    int filled = Math.toIntExact(BAR * shown / total);
    String bar =
        String.format(
            "[%s%s] %d/%d %s", "#".repeat(filled), "-".repeat(BAR - filled), shown, total, what);
    return perSecond == 0
        ? bar
        : bar + String.format(", %d/s, %d s left", perSecond, (total - shown) / perSecond);
  }

  /** For eyes: what would move the cursor becomes a question mark. */
  static String shown(String text) {
    return text.codePoints()
        .map(c -> Character.isISOControl(c) || Character.getType(c) == Character.FORMAT ? '?' : c)
        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
        .toString();
  }

  /** Prints rows under each other, the first as their heading. */
  static void printTable(List<List<String>> rows) {
    table(rows).forEach(System.out::println);
  }

  /** The lines of such a table. */
  static List<String> table(List<List<String>> rows) {
    List<String> lines = new ArrayList<>();
    int[] widths = new int[rows.get(0).size()];
    for (List<String> row : rows) {
      for (int i = 0; i < widths.length; i++) {
        widths[i] = Math.max(widths[i], row.get(i).length());
      }
    }
    for (List<String> row : rows) {
      StringBuilder line = new StringBuilder();
      for (int i = 0; i < widths.length; i++) {
        line.append(row.get(i)).append(" ".repeat(widths[i] - row.get(i).length() + 2));
      }
      lines.add(line.toString().stripTrailing());
    }
    return lines;
  }

  /** A row of CSV: RFC 4180, and no cell that a spreadsheet would take for a formula. */
  static String csv(List<@Nullable String> cells) {
    return CsvRow.of(cells);
  }
}

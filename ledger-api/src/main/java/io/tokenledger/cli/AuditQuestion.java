package io.tokenledger.cli;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * What the commands have in common that ask for rows about the history: how they ask, page after
 * page, and how they print. Exit 3 when there is no answer, 4 when the question is wrong.
 */
abstract class AuditQuestion implements Callable<Integer> {

  static final JsonMapper JSON = JsonMapper.shared();

  private static final int PAGE = 1_000;
  private static final int BAD_REQUEST = 400;

  @Mixin Remote.WithToken remote = new Remote.WithToken();

  @Option(
      names = "--format",
      paramLabel = "FORMAT",
      completionCandidates = Formats.Events.class,
      description = "table, json (a line a row) or csv. Default table")
  private String format = "table";

  /** A row as it is printed, and as it came. */
  record Row(List<@Nullable String> cells, JsonNode json) {}

  /** Takes an answer's page. */
  interface Page {
    void take(JsonNode page);
  }

  /** The answer to a question. */
  JsonNode ask(String path) {
    return JSON.readTree(get(path));
  }

  /**
   * The text of an answer.
   *
   * @throws CommandFailed when there is none
   */
  String get(String path) {
    Remote.Answer answer;
    try {
      answer = remote.get(path);
    } catch (CommandFailed e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
    }
    if (answer.status() != 200) {
      throw refused(answer);
    }
    return answer.body();
  }

  static CommandFailed refused(Remote.Answer answer) {
    return new CommandFailed(
        answer.status() == BAD_REQUEST ? LedgerCli.USAGE : LedgerCli.UNKNOWN,
        String.valueOf(Remote.refused("read the audit", answer).getMessage()));
  }

  /** All pages of a question, which are of the moment that the first one found. */
  void askAll(String path, Page page) {
    String cursor = null;
    do {
      String more = (path.contains("?") ? "&" : "?") + "limit=" + PAGE;
      JsonNode answer = ask(path + more + (cursor == null ? "" : "&cursor=" + cursor));
      page.take(answer);
      JsonNode next = answer.path("next_cursor");
      cursor = next.isString() ? next.stringValue() : null;
    } while (cursor != null);
  }

  /**
   * @throws CommandFailed when there is no such format
   */
  void requireFormat() {
    if (!List.of("table", "json", "csv").contains(format)) {
      throw new CommandFailed(
          LedgerCli.USAGE, "--format must be table, json or csv, got " + format);
    }
  }

  /**
   * Prints rows as the format says.
   *
   * @param summary what a table ends with
   */
  void print(List<String> heading, List<Row> rows, String summary) {
    switch (format) {
      case "json" -> rows.forEach(row -> System.out.println(row.json()));
      case "csv" -> {
        System.out.println(String.join(",", heading));
        rows.forEach(row -> System.out.println(Terminal.csv(row.cells())));
      }
      default -> {
        List<List<String>> table = new ArrayList<>();
        table.add(heading.stream().map(word -> word.toUpperCase(java.util.Locale.ROOT)).toList());
        for (Row row : rows) {
          table.add(row.cells().stream().map(AuditQuestion::shown).toList());
        }
        Terminal.printTable(table);
        System.out.println(summary);
      }
    }
  }

  private static String shown(@Nullable String cell) {
    return cell == null || cell.isEmpty() ? "-" : Terminal.shown(cell);
  }

  /** The text of a field; null where it has none. */
  static @Nullable String text(JsonNode node) {
    return node.isNull() || node.isMissingNode() ? null : node.asString();
  }

  /** The texts of a list, separated by spaces. */
  static String words(JsonNode node) {
    List<String> words = new ArrayList<>();
    node.forEach(word -> words.add(word.asString()));
    return String.join(" ", words);
  }

  /** Where the answer is from, for the end of a table. */
  static String where(JsonNode at) {
    return at.path("time").asString()
        + ", in a log of "
        + at.path("tree_size").asLong()
        + " leaves";
  }

  static String counted(long count, String what) {
    return count + " " + what + (count == 1 ? "" : "s");
  }

  /**
   * A moment as the server takes it: a place in the log, an instant, a date, or how long ago.
   *
   * @throws CommandFailed when it is none of these
   */
  static String moment(String option, String text) {
    if (text.matches("(leaf|checkpoint):\\d+|\\d{4}-\\d{2}-\\d{2}")) {
      return text;
    }
    try {
      String instant = TokenFilters.instant(option, text);
      return Instant.parse(String.valueOf(instant)).toString();
    } catch (CommandFailed e) {
      throw new CommandFailed(
          LedgerCli.USAGE,
          option
              + " must be leaf:N, checkpoint:N, a date, an instant such as 2026-11-24T12:00:00Z or"
              + " how long ago, 24h, got "
              + text);
    }
  }

  /** A parameter of a path, percent-encoded. */
  static String parameter(String name, @Nullable String value) {
    return value == null ? "" : "&" + name + "=" + Remote.encode(value);
  }
}

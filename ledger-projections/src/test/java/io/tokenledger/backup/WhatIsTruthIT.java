package io.tokenledger.backup;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.TestLedger;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The page on what is truth speaks of every table there is, and of none that is not. */
class WhatIsTruthIT {

  private static final Path PAGE = Path.of("../ops/runbooks/what-is-truth.md");

  /** The cells of each row whose first cell is a table's name, by that name. */
  private static Map<String, List<String>> rows() throws IOException {
    Map<String, List<String>> rows = new TreeMap<>();
    for (String line : Files.readAllLines(PAGE)) {
      if (line.startsWith("| file")) {
        return rows;
      }
      if (line.matches("\\| `[a-z_]+\\.[a-z_]+` \\| (truth|rebuildable|beside) \\| (yes|no) .*")) {
        List<String> cells = Arrays.stream(line.split("\\|")).skip(1).map(String::strip).toList();
        rows.put(cells.get(0).replace("`", ""), cells);
      }
    }
    throw new AssertionError("the page has no table of files after that of tables");
  }

  @Test
  void everyTableHasARowAndEveryRowATable(@TempDir Path keys) throws Exception {
    DatabaseUrl database = TestPostgres.freshDatabase();
    TestLedger.open(database, keys).close();
    TreeSet<String> tables = new TreeSet<>();
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row =
            statement.executeQuery(
                """
                SELECT format('%s.%s', table_schema, table_name)
                  FROM information_schema.tables
                 WHERE table_type = 'BASE TABLE'
                   AND table_schema NOT IN ('pg_catalog', 'information_schema')
                """)) {
      while (row.next()) {
        tables.add(row.getString(1));
      }
    }
    assertTrue(tables.size() > 20, tables.toString());
    assertEquals(tables, rows().keySet());
  }

  @Test
  void onlyWhatCanBeRebuiltLiesInViewsAndAllOfItDoes() throws Exception {
    rows()
        .forEach(
            (table, cells) ->
                assertEquals(
                    table.startsWith("views.") || table.startsWith("drift."),
                    cells.get(1).equals("rebuildable"),
                    table));
  }

  @Test
  void theBackupOfEventsHoldsWhatThePageSays() throws Exception {
    assertEquals(
        new TreeSet<>(TableCopy.TRUTH),
        rows().entrySet().stream()
            .filter(row -> row.getValue().get(2).equals("yes"))
            .map(Map.Entry::getKey)
            .collect(Collectors.toCollection(TreeSet::new)));
    rows()
        .forEach(
            (table, cells) ->
                assertTrue(
                    !cells.get(1).equals("truth") || cells.get(2).equals("yes"),
                    table + " is truth and in no backup of events"));
  }

  @Test
  void aCopiedLineIsReadBackWhateverItHolds(@TempDir Path keys) throws Exception {
    DatabaseUrl database = TestPostgres.freshDatabase();
    String hostile = "a\\tb\t\\N \\\\ \"ü\"\r\n\u000b\f\b\\.";
    try (Ledger ledger = TestLedger.open(database, keys)) {
      assertNull(ledger.restored());
    }
    try (Connection connection = Digests.snapshot(database)) {
      try (PreparedStatement statement =
          connection.prepareStatement(
              "INSERT INTO state.restore (found_by, reason, accepted_at) VALUES ('t', ?, NULL)")) {
        statement.setString(1, hostile);
        statement.executeUpdate();
      }
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      new TableCopy(connection)
          .out("state.restore", List.of("reason", "accepted_at", "found_by"), out);
      String line = out.toString(StandardCharsets.UTF_8).replaceFirst("\n$", "");
      assertEquals(Arrays.asList(hostile, null, "t"), TableCopy.split(line));
    }
  }
}

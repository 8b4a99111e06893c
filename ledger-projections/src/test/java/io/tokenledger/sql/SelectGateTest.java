package io.tokenledger.sql;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SelectGateTest {

  private static final ExecutorService PARSERS = Executors.newFixedThreadPool(2);

  @AfterAll
  static void shutDown() {
    PARSERS.shutdownNow();
  }

  private static SelectGate.Admitted admit(String sql) {
    return SelectGate.admit(sql, SystemViews.ALL, PARSERS);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "select * from system.tokens",
        "SELECT * FROM system.tokens;",
        "SELECT token_id, name FROM system.tokens WHERE name = 'a''b' ORDER BY token_id DESC LIMIT 5",
        "SELECT name AS \"Name\" FROM system.tokens WHERE permissions NOT LIKE '%*:*:*%'",
        "SELECT t.name, count(*) AS n FROM system.tokens AS t GROUP BY t.name HAVING count(*) > 1",
        "SELECT t.* FROM system.tokens t WHERE expiry IS NOT NULL AND expiry < now()",
        "SELECT * FROM system.tokens WHERE token_id IN (1, 2, 3) OR NOT (name ILIKE 'a_%')",
        "SELECT * FROM system.tokens WHERE token_id BETWEEN 1 AND 9 OFFSET 2",
        "SELECT * FROM system.tokens LIMIT 10 OFFSET 2",
        "SELECT CASE WHEN expiry IS NULL THEN 'never' ELSE 'some day' END FROM system.tokens",
        "SELECT CAST(token_id AS text), name::varchar FROM system.tokens",
        "SELECT a.time, t.name FROM system.audit_log a LEFT JOIN system.tokens t"
            + " ON t.token_id = a.actor_token_id",
        "SELECT * FROM system.tokens JOIN system.token_history USING (name)",
        "SELECT a.time FROM system.audit_log a WHERE EXISTS"
            + " (SELECT 1 FROM system.tokens t WHERE t.name = a.target_name AND leaf_index > 0)",
        "SELECT s.n, s.kind FROM (SELECT count(*) AS n, kind FROM system.token_history"
            + " GROUP BY kind) s ORDER BY n",
        "SELECT s.count FROM (SELECT count(*) FROM system.tokens) s",
        "SELECT s.time FROM (SELECT * FROM system.audit_log) s",
        "SELECT upper(name) AS loud FROM system.tokens GROUP BY loud ORDER BY loud",
        "SELECT name FROM system.tokens UNION SELECT name FROM system.token_history ORDER BY name",
        "SELECT \"name\", \"tokens\".\"hash\" FROM \"system\".\"tokens\"",
        "SELECT substring(name, 1, length(name) - 1), substr(name, 2) FROM system.tokens",
        "SELECT * FROM system.audit_log WHERE time > TIMESTAMP '2026-11-24 12:00:00'",
        "SELECT CURRENT_TIMESTAMP, current_date, EXTRACT(YEAR FROM time) FROM system.audit_log",
        "SELECT * FROM (SELECT name FROM system.tokens) AS inner_one",
        "SELECT name FROM system.tokens UNION ALL SELECT name FROM system.token_history",
        "SELECT name FROM system.tokens WHERE EXISTS (SELECT 1 FROM system.audit_log)",
        "SELECT count(DISTINCT name), -1, 1.5 + 2 FROM system.tokens",
        "SELECT DISTINCT name FROM system.tokens",
        "SELECT * FROM system.audit_log WHERE time > now() - INTERVAL '7 days'",
        "SELECT * FROM system.tokens, system.audit_log",
        "SELECT system.tokens.name FROM system.tokens",
        "SELECT 1",
        "SELECT name FROM system.tokens -- a comment",
        "SELECT name /* another */ FROM system.tokens WHERE name = '--' AND token_id <> 4"
      })
  void admitsWhatReadsTheViews(String sql) {
    SelectGate.Admitted admitted = admit(sql);
    assertFalse(admitted.sql().contains(";"), admitted.sql());
    assertFalse(admitted.sql().contains("comment"), admitted.sql());
    // Written out once, it is admitted again and no longer changes.
    assertEquals(admitted.sql(), admit(admitted.sql()).sql());
  }

  @Test
  void findsParametersInTheirOrder() {
    SelectGate.Admitted admitted =
        admit("SELECT * FROM system.tokens WHERE name = $name AND token_id > $1 OR name = $name");
    assertEquals(List.of("name", "1", "name"), admitted.parameters());
    assertEquals(
        "SELECT * FROM system.tokens WHERE name = ? AND token_id > ? OR name = ?", admitted.sql());
  }

  @Test
  void showsTheQueryWithoutItsTexts() {
    assertEquals(
        "SELECT 1 FROM system.tokens WHERE name = '*' OR name = '*' OR name = $name AND token_id > 7",
        admit(
                "SELECT 1 FROM system.tokens WHERE name = 'O''Brien' OR name = ''"
                    + " OR name = $name AND token_id > 7")
            .withoutTexts());
  }

  @Test
  void namesTheRelationsThatAreRead() {
    assertEquals(
        Set.of("tokens", "audit_log"),
        admit("SELECT 1 FROM system.tokens WHERE 1 IN (SELECT leaf_index FROM system.audit_log)")
            .relations());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        ";",
        "hello",
        "SELECT 1; SELECT 2",
        "INSERT INTO system.tokens (name) VALUES ('a')",
        "UPDATE system.tokens SET name = 'a'",
        "DELETE FROM system.tokens",
        "TRUNCATE system.tokens",
        "DROP TABLE system.tokens",
        "CREATE TABLE a (b int)",
        "SET ROLE postgres",
        "SET statement_timeout = 0",
        "RESET ROLE",
        "SHOW ALL",
        "COPY system.tokens TO '/tmp/x'",
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "DO $$ BEGIN END $$",
        "CALL something()",
        "EXPLAIN ANALYZE SELECT 1",
        "LOCK TABLE system.tokens",
        "BEGIN",
        "VACUUM",
        "LISTEN x",
        "SELECT pg_sleep(60)",
        "SELECT * FROM pg_sleep(60)",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_advisory_lock(1)",
        "SELECT set_config('role', 'postgres', false)",
        "SELECT current_setting('data_directory')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT dblink('x')",
        "SELECT query_to_xml('select 1', true, true, '')",
        "SELECT pg_catalog.pg_sleep(1)",
        "SELECT repeat('a', 1000000000)",
        "SELECT * FROM generate_series(1, 10000000)",
        "SELECT * FROM pg_catalog.pg_roles",
        "SELECT * FROM pg_roles",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM ledger.event",
        "SELECT * FROM views.token",
        "SELECT * FROM tokens",
        "SELECT * FROM other.system.tokens",
        "SELECT * FROM system.secrets",
        "SELECT * FROM \"System\".\"tokens\"",
        "WITH t AS (SELECT 1) SELECT * FROM t",
        "WITH d AS (DELETE FROM system.tokens RETURNING 1) SELECT * FROM d",
        "SELECT * INTO other FROM system.tokens",
        "SELECT * FROM system.tokens FOR UPDATE",
        "SELECT * FROM ONLY system.tokens",
        "SELECT * FROM system.tokens TABLESAMPLE SYSTEM (10)",
        "SELECT * FROM LATERAL (SELECT 1) AS x",
        "SELECT DISTINCT ON (name) name FROM system.tokens",
        "SELECT name FROM system.tokens GROUP BY ROLLUP (name)",
        "SELECT row_number() OVER () FROM system.tokens",
        "SELECT count(*) FILTER (WHERE true) FROM system.tokens",
        "SELECT 'system.tokens'::regclass",
        "SELECT CAST('1' AS regproc)",
        "SELECT ARRAY[1, 2]",
        "SELECT E'\\047'",
        "SELECT $$text$$",
        "SELECT $tag$text$tag$",
        "SELECT U&'\\0041'",
        "SELECT name FROM system.tokens WHERE name ~ '(a*)*b'",
        "SELECT name FROM system.tokens WHERE name SIMILAR TO 'a'",
        "SELECT name FROM system.tokens LIMIT ALL",
        "SELECT name FROM system.tokens FETCH FIRST 1 ROWS ONLY",
        "VALUES (1)",
        "TABLE system.tokens",
        "SELECT (SELECT 1 FROM ledger.event)",
        "SELECT * FROM system.tokens WHERE name = (SELECT max(mac) FROM ledger.event)",
        "SELECT nextval('ledger.token_id')",
        "SELECT current_user",
        "SELECT user",
        "SELECT CURRENT_ROLE FROM system.tokens",
        "SELECT @x := 1",
        "SELECT a[1] FROM system.tokens",
        "SELECT (system.tokens).name FROM system.tokens",
        "SELECT * FROM system.tokens NATURAL JOIN system.audit_log",
        "SELECT 'it's'",
        "SELECT \"a\"\"b\" FROM system.tokens",
        "SELECT `name` FROM system.tokens",
        "SELECT [name] FROM system.tokens",
        // A name that is no column would be run as a function over the row.
        "SELECT a.row_to_json FROM system.audit_log a",
        "SELECT t.array_agg FROM system.tokens t",
        "SELECT a.pg_typeof FROM system.audit_log a",
        "SELECT a.quote_literal FROM system.audit_log a",
        "SELECT a.count FROM system.audit_log a",
        "SELECT tokens.json_agg FROM system.tokens",
        "SELECT system.tokens.row_to_json FROM system.tokens",
        "SELECT \"a\".\"row_to_json\" FROM system.audit_log a",
        "SELECT s.row_to_json FROM (SELECT name FROM system.tokens) s",
        "SELECT s.upper FROM (SELECT name FROM system.tokens) s",
        "SELECT 1 FROM system.tokens a WHERE EXISTS (SELECT a.hash FROM system.audit_log a)",
        "SELECT 1 FROM system.tokens t JOIN system.audit_log a ON t.textlen = a.count",
        "SELECT name FROM system.tokens t ORDER BY t.row_to_json",
        "SELECT 1 FROM system.audit_log a WHERE EXISTS (SELECT 1 FROM (SELECT 'x' AS row_to_json)"
            + " a, system.tokens t JOIN system.audit_log l ON a.row_to_json::text LIKE '%')",
        "SELECT count(*) FROM system.tokens t GROUP BY t.row_to_json",
        "SELECT 1 FROM system.tokens t, (SELECT t.row_to_json) s",
        "SELECT t FROM system.tokens t",
        "SELECT count(t) FROM system.tokens t",
        "SELECT t.ctid FROM system.tokens t",
        "SELECT x.* FROM system.tokens t",
        "SELECT 1 FROM system.tokens WHERE nobody = 1",
        // With a text, substring takes a regular expression.
        "SELECT substring(name, '(a*)*b') FROM system.tokens",
        "SELECT substring(name, name) FROM system.tokens",
        "SELECT substring(name, $p) FROM system.tokens",
        "SELECT substring(name, 'a' || 'b') FROM system.tokens",
        "SELECT substring(name, '#', '#') FROM system.tokens",
        "SELECT substring(name FROM '(a*)*b') FROM system.tokens",
        "SELECT substring(name SIMILAR 'a' ESCAPE '#') FROM system.tokens",
        "SELECT TIMESTAMP 'now'",
        "SELECT EXTRACT(timezone FROM now())"
      })
  void refusesEverythingElse(String sql) {
    SqlRefused refused = assertThrows(SqlRefused.class, () -> admit(sql), sql);
    String message = String.valueOf(refused.getMessage());
    assertFalse(message.isBlank());
    assertFalse(message.matches("(?s).*(Exception|Expression|jsqlparser|java\\.).*"), message);
  }

  @Test
  void refusesWhatIsTooLongOrTooDeep() {
    assertThrows(SqlRefused.class, () -> admit("SELECT '" + "a".repeat(100_000) + "'"));
    assertThrows(
        SqlRefused.class, () -> admit("SELECT " + "(".repeat(300) + "1" + ")".repeat(300)));
    assertThrows(SqlRefused.class, () -> admit("SELECT 1 WHERE " + "NOT ".repeat(10_000) + "true"));
    assertThrows(SqlRefused.class, () -> admit("SELECT 1\0"));
  }

  @Test
  void refusesTextsThatAreDoubledAgainAndAgain() {
    String doubled = "SELECT name AS a FROM system.tokens";
    for (int i = 0; i < 4; i++) {
      doubled = "SELECT a || a || a AS a FROM (" + doubled + ") s" + i;
    }
    admit(doubled);
    String tooOften = "SELECT concat(a, a, a) AS a FROM (" + doubled + ") t";
    assertThrows(SqlRefused.class, () -> admit(tooOften));
  }

  @Test
  void countsParenthesesBeforeTheParserMeetsThem() {
    String deep = "SELECT 1 WHERE " + "(".repeat(40_000) + "1=1" + ")".repeat(40_000);
    long started = System.nanoTime();
    SqlRefused refused = assertThrows(SqlRefused.class, () -> admit(deep));
    assertEquals("the query is nested too deeply", refused.getMessage());
    assertTrue(System.nanoTime() - started < 100_000_000L, "at once");
    admit("SELECT '" + "(".repeat(1_000) + "'");
  }

  @Test
  void whereAColumnIsHiddenNothingShowsIt() {
    Map<String, List<String>> hidden = SystemViews.of(Set.of("tokens"), false);
    String columns =
        "token_id, name, created_at, description, created_by_token_id, updated_at,"
            + " updated_by_token_id, expiry, permissions";
    assertEquals(
        "SELECT * FROM (SELECT " + columns + " FROM system.tokens) AS tokens",
        SelectGate.admit("SELECT * FROM system.tokens", hidden, PARSERS).sql());
    assertEquals(
        "SELECT t.name FROM (SELECT " + columns + " FROM system.tokens) t WHERE t.name = ?",
        SelectGate.admit("SELECT t.name FROM system.tokens t WHERE t.name = $n", hidden, PARSERS)
            .sql());
    for (String sql :
        List.of("SELECT hash FROM system.tokens", "SELECT t.hash FROM system.tokens t")) {
      assertThrows(SqlRefused.class, () -> SelectGate.admit(sql, hidden, PARSERS), sql);
    }
  }

  @Test
  void neverBreaksOnRandomWordsOfSql() {
    String[] words = {
      "SELECT",
      "FROM",
      "system.tokens",
      "WHERE",
      "name",
      "=",
      "'x'",
      "(",
      ")",
      ",",
      "*",
      "AND",
      "NOT",
      "IN",
      "LIKE",
      "$p",
      "1",
      "UNION",
      "ORDER BY",
      "LIMIT",
      "CASE",
      "WHEN",
      "END",
      "::",
      "text",
      "count",
      "--",
      "/*",
      "*/",
      ";",
      "\"q\"",
      "E'",
      "$$",
      "pg_sleep",
      "JOIN",
      "ON",
      "."
    };
    Random random = new Random(11);
    int admitted = 0;
    for (int i = 0; i < 3_000; i++) {
      StringBuilder sql = new StringBuilder("SELECT ");
      for (int length = random.nextInt(10); length >= 0; length--) {
        sql.append(words[random.nextInt(words.length)]).append(' ');
      }
      try {
        String out = admit(sql.toString()).sql();
        assertFalse(out.contains("pg_sleep("), () -> "from " + sql);
        admitted++;
      } catch (SqlRefused e) {
        assertTrue(String.valueOf(e.getMessage()).length() > 5);
      }
    }
    assertTrue(admitted > 5, "some of them are queries: " + admitted);
  }
}

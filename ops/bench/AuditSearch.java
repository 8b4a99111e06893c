import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.history.AuditFilter;
import io.tokenledger.history.AuditLog;
import io.tokenledger.history.AuditPage;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.LedgerOptions;
import io.tokenledger.permission.Action;
import io.tokenledger.permission.ResourceType;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import io.tokenledger.postgres.Roles;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sealing.LedgerKey;
import io.tokenledger.sealing.SubjectKeys;
import io.tokenledger.timeline.Moment;
import io.tokenledger.timeline.ResolvedMoment;
import io.tokenledger.timeline.Timeline;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/**
 * What auditors wait for, on a log of many events that SQL made up: a year of them, a thousand
 * actors, a token for each hundred events with three states. Envelopes are of the usual size and
 * not sealed, so a search for text lacks the cost of opening seals.
 *
 * <p>Run it with ops/bench/audit-search.
 */
public class AuditSearch {

  private static final Instant START = Instant.parse("2025-11-01T00:00:00Z");
  private static final long YEAR_SECONDS = 31_536_000;

  private static final String FILL =
      """
      TRUNCATE ledger.event, audit.leaf, views.audit_log, views.audit_log_span,
               views.token_history, views.follower;
      SET synchronous_commit = off;
      ALTER TABLE views.audit_log SET UNLOGGED;
      INSERT INTO ledger.event
        (event_id, aggregate_id, sequence_number, aggregate_type, event_type, revision,
         occurred_at, payload, metadata, mac)
      SELECT 'event-' || i, 'request:event-' || i, 0, 'Request', type, '1',
             to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
             '{"action":"' || action || '","reason":"r","status_code":200,"target":"token:'
               || i / 100 || '","count":1,"hash":"' || repeat('0123456789abcdef', 8) || '"}',
             '{"log_origin":"bench/1","actor":{"type":"token","id":"token:' || i %% 1000
               || '","credential_id":' || i %% 1000 || ',"name":"actor-' || i %% 1000
               || '","auth_method":"bearer"},"on_behalf_of":null,"approver":null,"action":"'
               || action || '","outcome":"' || outcome || '","outcome_reason":null,'
               || '"status_code":200,"target":{"type":"token","id":"token:' || i / 100
               || '","name":"token-' || i / 100 || '"},"changes":[],"source":{"ip":"203.0.113.'
               || i %% 250 || '","forwarded_for":null,"port":4711,"user_agent":"agent/1"},'
               || '"service":"token-ledger","node":"n1","request_id":"request-' || i
               || '","correlation_id":null,"reason":"reason ' || i %% 5000 || '","ticket":null}',
             sha256('m')
        FROM (SELECT i,
                     '%2$s'::timestamptz + make_interval(secs => i * %3$s.0 / %1$s) AS at,
                     (ARRAY['ResourceTokenCreated', 'TokenRotated', 'TokenRevoked',
                            'AccessDenied', 'AuditLogRead'])[1 + i %% 5] AS type,
                     (ARRAY['token.create', 'token.rotate', 'token.revoke',
                            'request.authorize', 'audit.read'])[1 + i %% 5] AS action,
                     CASE WHEN i %% 5 = 3 THEN 'denied' ELSE 'success' END AS outcome
                FROM generate_series(0, %1$s - 1) AS i) AS made;
      INSERT INTO audit.leaf (leaf_index, global_index, event_id, entry, leaf_hash, mac_valid)
      SELECT row_number() OVER (ORDER BY global_index) - 1, global_index, event_id,
             convert_to(repeat('x', 500), 'UTF8'), sha256('l'), true
        FROM ledger.event;
      UPDATE audit.tree_head SET size = %1$s;
      INSERT INTO views.audit_log
        (leaf_index, global_index, occurred_at, event_type, action, outcome, outcome_reason,
         actor_type, actor_token_id, actor_name, target_id, target_name, request_id,
         request_count, correlation_id)
      SELECT leaf.leaf_index, event.global_index, event.occurred_at::timestamptz,
             event.event_type,
             (ARRAY['token.create', 'token.rotate', 'token.revoke', 'request.authorize',
                    'audit.read'])[1 + leaf.leaf_index %% 5],
             CASE WHEN leaf.leaf_index %% 5 = 3 THEN 'denied' ELSE 'success' END, NULL, 'token',
             leaf.leaf_index %% 1000, 'actor-' || leaf.leaf_index %% 1000,
             'token:' || leaf.leaf_index / 100, 'token-' || leaf.leaf_index / 100,
             'request-' || leaf.leaf_index, 1,
             CASE WHEN leaf.leaf_index %% 10000 = 7 THEN 'incident-' || leaf.leaf_index END
        FROM audit.leaf   AS leaf
        JOIN ledger.event AS event ON event.global_index = leaf.global_index;
      ALTER TABLE views.audit_log SET LOGGED;
      INSERT INTO views.audit_log_span (span, first_at, last_at)
      SELECT leaf_index / 1024, min(occurred_at), max(occurred_at)
        FROM views.audit_log
       GROUP BY 1;
      INSERT INTO views.token_history
        (token_id, from_leaf, to_leaf, valid_from, valid_to, event_type, actor_name,
         token_name, kind, permissions, secret_hash_prefix, created_at, suspended_at)
      SELECT token, token * 100 + state * 30,
             CASE WHEN state < 2 THEN token * 100 + state * 30 + 30 END,
             '%2$s'::timestamptz + make_interval(secs => (token * 100 + state * 30) * %3$s.0 / %1$s),
             CASE WHEN state < 2 THEN '%2$s'::timestamptz
               + make_interval(secs => (token * 100 + state * 30 + 30) * %3$s.0 / %1$s) END,
             'TokenRotated', 'actor-1', 'token-' || token, 'resource',
             ARRAY['db:db-' || token %% 100 || ':read', 'db:*:write'], '0123456789'::varchar(9),
             '%2$s'::timestamptz + make_interval(secs => token * 100 * %3$s.0 / %1$s),
             CASE WHEN state = 1 THEN '%2$s'::timestamptz END
        FROM generate_series(0, %1$s / 100 - 1) AS token
       CROSS JOIN generate_series(0, 2) AS state;
      INSERT INTO views.follower (name, next_leaf_index)
      VALUES ('audit_log', %1$s), ('token_history', %1$s);
      """;

  /** They are made again after the rows: one by one they took most of the time of the fill. */
  private static final String INDEXES =
      """
      SELECT indexname, indexdef
        FROM pg_indexes
       WHERE schemaname = 'views'
         AND tablename IN ('audit_log', 'token_history')
         AND indexname NOT IN (SELECT conname FROM pg_constraint)
      """;

  interface Work {
    long run() throws Exception;
  }

  public static void main(String[] args) throws Exception {
    Path home = Path.of(args[0]).toAbsolutePath();
    long events = Long.parseLong(args[1]);
    Path work = Files.createTempDirectory("ledger-bench");
    try (EmbeddedPostgres postgres =
        EmbeddedPostgres.start(work.resolve("data"), home.resolve("ledger-api/target/app/postgres"))) {
      DatabaseUrl database = postgres.url();
      migrate(database, work);
      long begun = System.nanoTime();
      fill(database, events);
      System.out.printf(
          Locale.ROOT, "%,d events filled in %d s%n", events, (System.nanoTime() - begun) / 1_000_000_000);
      measure(database, work, events);
    } finally {
      try (var files = Files.walk(work)) {
        files.sorted(java.util.Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
      }
    }
  }

  private static void migrate(DatabaseUrl database, Path work) {
    Ledger.open(
            new LedgerOptions(
                database, work.resolve("ledger.key"), work.resolve("subjects"), "bench", "n1", 4,
                List.of(), work.resolve("state"), null, null, List.of(), null,
                List.of()),
            new SimpleMeterRegistry())
        .close();
  }

  private static void fill(DatabaseUrl database, long events) throws Exception {
    try (Connection connection =
            DriverManager.getConnection(
                // Filling takes longer than any answer may.
                database.with("socketTimeout", "0").jdbcUrl(), database.user(), database.password());
        Statement statement = connection.createStatement()) {
      List<String> indexes = new ArrayList<>();
      try (ResultSet row = statement.executeQuery(INDEXES)) {
        while (row.next()) {
          statement.addBatch("DROP INDEX views." + row.getString("indexname"));
          indexes.add(row.getString("indexdef"));
        }
      }
      statement.executeBatch();
      for (String sql : FILL.formatted(events, START, YEAR_SECONDS).split(";\n")) {
        if (!sql.isBlank()) {
          statement.execute(sql);
        }
      }
      statement.execute("SET maintenance_work_mem = '256MB'");
      for (String index : indexes) {
        statement.execute(index);
      }
      statement.execute("VACUUM ANALYZE");
      statement.execute("CHECKPOINT");
    }
  }

  private static void measure(DatabaseUrl database, Path work, long events) throws Exception {
    DatabaseUrl app = Roles.ensureApp(database).with("currentSchema", "views");
    HikariConfig config = new HikariConfig();
    config.setJdbcUrl(app.jdbcUrl());
    config.setUsername(app.user());
    config.setPassword(app.password());
    config.setMaximumPoolSize(4);
    try (HikariDataSource readers = new HikariDataSource(config)) {
      Envelopes envelopes =
          new Envelopes(
              new SubjectKeys(work.resolve("subjects")),
              LedgerKey.loadOrCreate(work.resolve("ledger.key")),
              "bench",
              "n1");
      AuditLog log = new AuditLog(readers, envelopes, () -> {});
      Timeline timeline = new Timeline(readers, () -> {}, Clock.systemUTC());
      System.out.printf("%-46s %10s %9s %9s%n", "what", "rows", "p50 ms", "p95 ms");
      for (String query :
          List.of(
              "",
              "action:token.revoke",
              "outcome:denied",
              "outcome:failed",
              "actor:actor-7",
              "actor:actor-7 action:token.rotate",
              "actor:actor-* -action:audit.read",
              "token:token-77",
              "target:token:77",
              "request:request-4711",
              "correlation:incident-10007",
              "from:2025-12-01 to:2025-12-02",
              "from:2025-12-01 to:2025-12-02 outcome:denied",
              "to:2025-11-02 type:TokenRevoked",
              "actor:nobody")) {
        search(log, query, 60);
      }
      search(log, "\"reason 4711\"", 8);
      search(log, "ip:198.51.100.0/24", 8);
      for (String query : List.of("", "actor:actor-7", "from:2025-12-01 to:2026-01-01")) {
        time("facets " + query, 8, () -> log.facets(AuditFilter.parse(query), events).events());
      }
      asOf(timeline, "leaf:" + events / 2, events);
      asOf(timeline, "leaf:" + (events - 1), events);
      asOf(timeline, "2026-02-01", events);
      ResolvedMoment half = timeline.resolve(Moment.parse("leaf:" + events / 2));
      ResolvedMoment end = timeline.resolve(Moment.parse("leaf:" + (events - 1)));
      time("diff, a page of 1000", 8, () -> timeline.changes(half, end, null, 1_000).rows().size());
      time(
          "access db:db-7 read, first 1000 holders",
          8,
          () ->
              timeline.holders(end, ResourceType.DB, "db-7", Action.READ, null, 1_000).rows().size());
    }
  }

  private static void search(AuditLog log, String query, int times) throws Exception {
    AuditFilter filter = AuditFilter.parse(query);
    time(
        "search " + query,
        times,
        () -> {
          AuditPage page = log.search(filter, log.size(null), null, 100);
          return page.entries().size();
        });
  }

  private static void asOf(Timeline timeline, String at, long events) throws Exception {
    time("as of " + at + ", a page of 1000", 20, () -> page(timeline, at, 1));
    time("as of " + at + ", all tokens", 5, () -> page(timeline, at, Integer.MAX_VALUE));
  }

  private static long page(Timeline timeline, String at, int pages) {
    ResolvedMoment moment = timeline.resolve(Moment.parse(at));
    long rows = 0;
    Long after = null;
    for (int page = 0; page < pages; page++) {
      var found = timeline.state(moment, false, after, 1_000);
      rows += found.rows().size();
      after = found.next();
      if (after == null) {
        break;
      }
    }
    return rows;
  }

  private static void time(String what, int times, Work work) throws Exception {
    work.run();
    double[] millis = new double[times];
    long rows = 0;
    for (int i = 0; i < times; i++) {
      long begun = System.nanoTime();
      rows = work.run();
      millis[i] = (System.nanoTime() - begun) / 1e6;
    }
    Arrays.sort(millis);
    System.out.printf(
        Locale.ROOT,
        "%-46s %,10d %9.1f %9.1f%n",
        what,
        rows,
        millis[times / 2],
        millis[(int) Math.ceil(times * 0.95) - 1]);
  }
}

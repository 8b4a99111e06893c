package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.ledger.Ledger;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import io.tokenledger.verify.Finding;
import java.io.UncheckedIOException;
import java.net.URLEncoder;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The audit of the audit, the roles, and the catalogue, over HTTP. */
class AuditReadsIT {

  private static final AtomicInteger NAMES = new AtomicInteger();

  @TempDir static Path directory;
  private static EmbeddedPostgres postgres;
  private static Server server;
  private static HttpProbe http;
  private static String operator;

  @BeforeAll
  static void start() {
    postgres =
        EmbeddedPostgres.start(directory.resolve("postgres"), Path.of("target/app/postgres"));
    server = serve("keys", "postgres", Map.of());
    http = new HttpProbe(server.url());
    operator = HttpProbe.json(http.bootstrap()).path("token").asString();
  }

  @AfterAll
  static void stop() {
    server.close();
    postgres.close();
  }

  private static Server serve(String keys, String database, Map<String, String> environment) {
    DatabaseUrl url = postgres.url();
    Map<String, String> all = new java.util.HashMap<>(environment);
    all.put(
        "LEDGER_DATABASE_URL",
        "postgresql://%s:%s@127.0.0.1:%d/%s"
            .formatted(
                url.user(),
                URLEncoder.encode(url.password(), StandardCharsets.UTF_8),
                postgres.port(),
                database));
    return Server.start(ServerIT.options(directory.resolve(keys), all));
  }

  private static void execute(String sql) throws Exception {
    DatabaseUrl url = postgres.url().on("postgres");
    try (Connection connection =
            DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  private static String newName() {
    return "read-" + NAMES.incrementAndGet();
  }

  private static String auditor() {
    return http.create(operator, newName(), "ledger", "audit", "read");
  }

  private static List<JsonNode> events(String query, String by) {
    HttpResponse<String> page = http.get(LedgerRoutes.AUDIT + "?limit=1000" + query, by);
    assertEquals(200, page.statusCode(), page.body());
    List<JsonNode> events = new ArrayList<>();
    HttpProbe.json(page).path("events").forEach(events::add);
    return events;
  }

  /** The reads that this token's holder made, newest first; seen by someone else. */
  private static List<JsonNode> readsBy(String reader) {
    HttpResponse<String> self =
        http.post(
            "/api/v1/check",
            reader,
            "{\"resource_type\":\"ledger\",\"resource_name\":\"audit\",\"action\":\"read\"}");
    long reading = HttpProbe.json(self).path("token_id").asLong();
    return events("&action=audit.read", operator).stream()
        .filter(event -> event.path("actor").path("token_id").asLong() == reading)
        .toList();
  }

  private static HttpResponse<String> sql(String by, String query) {
    return http.post(
        SqlRoutes.QUERY_SQL,
        by,
        "{\"db\":\"_internal\",\"q\":" + JsonMapper.shared().writeValueAsString(query) + "}");
  }

  /** One changed byte must not hide a page of the history from those who look for it. */
  @Test
  void aChangedSealedFieldIsMarkedWhereItIsReadAndFoundByTheVerification() throws Exception {
    String name = newName();
    http.create(operator, name, "db", "mydb", "read");
    String id = events("&token=" + name, operator).get(0).path("event_id").asString();
    awaitProof(id);
    String stored = text("SELECT metadata FROM ledger.event WHERE event_id = '" + id + "'");
    String address = JsonMapper.shared().readTree(stored).path("source").path("ip").asString();
    int middle = address.length() - 8;
    String changed =
        address.substring(0, middle)
            + (address.charAt(middle) == 'A' ? 'B' : 'A')
            + address.substring(middle + 1);
    alter(id, stored.replace(address, changed));
    try {
      JsonNode event = events("&token=" + name, operator).get(0);
      assertEquals(
          "unreadable: the sealed field does not open",
          event.path("envelope").path("source").path("ip").asString());
      assertTrue(event.path("envelope").path("source").path("user_agent").asString().length() > 1);
      for (String route :
          List.of(
              LedgerRoutes.AUDIT + "/" + id,
              LedgerRoutes.AUDIT + "?q=text:unreadable",
              LedgerRoutes.AUDIT + "?q=ip:127.0.0.1")) {
        assertEquals(200, http.get(route, operator).statusCode(), route);
      }
      for (String format : List.of("ndjson", "csv")) {
        HttpResponse<String> export =
            http.post("/api/v1/audit/exports?format=" + format + "&q=token:" + name, operator, "");
        assertEquals(200, export.statusCode(), export.body());
        assertTrue(export.body().contains("unreadable: the sealed field"), export.body());
      }
      assertEquals(List.of("entry_differs"), findings());
      alter(id, "no json");
      assertEquals(
          "unreadable: the stored text is no JSON",
          events("&token=" + name, operator).get(0).path("envelope").path("error").asString());
      assertEquals(List.of("entry_differs"), findings());
    } finally {
      alter(id, stored);
    }
    assertEquals(List.of(), findings());
  }

  /** A part must not pass for the whole, and an error is none of the rows. */
  @Test
  void anExportThatCannotBeRecordedIsAnErrorOrBreaksOffOnceItWasBegun() throws Exception {
    for (int more = 0; more < 20; more++) { // More than is held back before it is sent.
      http.create(operator, newName(), "db", "mydb", "read");
    }
    String name = newName();
    http.create(operator, name, "db", "mydb", "read");
    awaitProof(events("&token=" + name, operator).get(0).path("event_id").asString());
    execute(
        "ALTER TABLE ledger.event ADD CONSTRAINT no_exports"
            + " CHECK (event_type <> 'AuditExported') NOT VALID");
    try {
      HttpResponse<String> small =
          http.post("/api/v1/audit/exports?format=csv&q=token:" + name, operator, "");
      assertEquals(503, small.statusCode(), small.body());
      assertTrue(HttpProbe.json(small).has("error"), small.body());
      assertFalse(small.headers().firstValue("content-disposition").isPresent());
      assertTrue(small.headers().firstValue("x-request-id").isPresent());
      assertThrows(
          UncheckedIOException.class,
          () -> http.post("/api/v1/audit/exports?format=ndjson", operator, ""));
    } finally {
      execute("ALTER TABLE ledger.event DROP CONSTRAINT no_exports");
    }
    assertEquals(
        200,
        http.post("/api/v1/audit/exports?format=csv&q=token:" + name, operator, "").statusCode());
  }

  /** Exports and verifications speak of what a checkpoint covers. */
  private static void awaitProof(String eventId) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (http.get(LedgerRoutes.AUDIT + "/" + eventId + "/proof", operator).statusCode() != 200) {
      assertTrue(System.nanoTime() < end, "a checkpoint covers the event in time");
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  private static List<String> findings() {
    return Ledger.verifyOffline(
            postgres.url().on("postgres"), null, List.of(), null, false, (done, total) -> {})
        .findings()
        .stream()
        .map(Finding::kind)
        .toList();
  }

  private static void alter(String eventId, String metadata) throws Exception {
    DatabaseUrl url = postgres.url().on("postgres");
    try (Connection connection =
            DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
        PreparedStatement statement =
            connection.prepareStatement(
                "UPDATE ledger.event SET metadata = ? WHERE event_id = ?")) {
      connection.createStatement().execute("SET session_replication_role = replica");
      statement.setString(1, metadata);
      statement.setString(2, eventId);
      assertEquals(1, statement.executeUpdate());
    }
  }

  private static String text(String query) throws Exception {
    DatabaseUrl url = postgres.url().on("postgres");
    try (Connection connection =
            DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(query)) {
      assertTrue(row.next(), query);
      return row.getString(1);
    }
  }

  @Test
  void aReadOfTheAuditIsAnEventThatSaysWhatWasAskedAndHowMuchWasSeen() {
    String auditor = auditor();
    JsonNode page =
        HttpProbe.json(
            http.get(
                LedgerRoutes.AUDIT
                    + "?limit=2&actor=Alice%20Example&action=token.create&since=2026-01-01T00:00:00Z",
                auditor));
    assertEquals(0, page.path("events").size());
    JsonNode seen = HttpProbe.json(http.get(LedgerRoutes.AUDIT + "?limit=2", auditor));
    List<JsonNode> reads = readsBy(auditor);
    assertEquals(2, reads.size());
    JsonNode nothing = reads.get(1).path("payload");
    assertEquals(
        "actor=*&action=token.create&since=2026-01-01T00:00:00Z&limit=2",
        nothing.path("query").asString());
    assertEquals(0, nothing.path("rows").asLong());
    assertTrue(nothing.path("first_leaf_index").isNull());
    JsonNode two = reads.get(0).path("payload");
    assertEquals("GET /api/v1/audit/events", two.path("route").asString());
    assertEquals("granted", two.path("reason").asString());
    assertEquals(2, two.path("rows").asLong());
    long newest = seen.path("events").get(0).path("leaf_index").asLong();
    assertEquals(newest, two.path("last_leaf_index").asLong());
    assertEquals(newest - 1, two.path("first_leaf_index").asLong());
    assertEquals(newest + 1, two.path("tree_size").asLong());
    assertEquals("success", reads.get(0).path("outcome").asString());
    assertEquals("127.0.0.1", reads.get(0).path("envelope").path("source").path("ip").asString());
  }

  @Test
  void anAdminReadsByDefaultAndItIsSaidSo() {
    String admin =
        HttpProbe.json(
                http.post(
                    TokenRoutes.NAMED_ADMIN, operator, "{\"token_name\":\"" + newName() + "\"}"))
            .path("token")
            .asString();
    http.get(LedgerRoutes.AUDIT + "?limit=1", admin);
    assertEquals("admin_default", readsBy(admin).get(0).path("outcome_reason").asString());
  }

  @Test
  void theSameReadAgainWithinTheMinuteIsOnlyCounted() {
    String auditor = auditor();
    for (int i = 0; i < 5; i++) {
      assertEquals(200, http.get(LedgerRoutes.AUDIT + "?limit=3", auditor).statusCode());
    }
    http.get(LedgerRoutes.AUDIT + "?limit=4", auditor);
    http.get(LedgerRoutes.AUDIT + "?limit=4&actor=a", auditor);
    http.get(LedgerRoutes.AUDIT + "?limit=4&actor=b", auditor);
    assertEquals(
        List.of("actor=*&limit=4", "actor=*&limit=4", "limit=4", "limit=3"),
        readsBy(auditor).stream()
            .map(read -> read.path("payload").path("query").asString())
            .toList(),
        "reads with other values are other reads, also where the values are not shown");
  }

  @Test
  void aReadOfATokensHistoryIsAuditedAndDoesNotBecomePartOfIt() {
    String name = newName();
    http.create(operator, name, "db", "a", "read");
    String auditor = auditor();
    String manager = http.create(operator, newName(), "ledger", "tokens", "read");
    long id =
        HttpProbe.json(http.get("/api/v1/tokens?name=" + name, operator))
            .path("tokens")
            .get(0)
            .path("id")
            .asLong();
    for (String reader : List.of(auditor, manager)) {
      JsonNode one = HttpProbe.json(http.get("/api/v1/tokens/" + id, reader));
      JsonNode byName =
          HttpProbe.json(http.get(LifecycleRoutes.BY_NAME + "?token_name=" + name, reader));
      assertEquals(1, one.path("events").size());
      assertEquals(1, byName.path("events").size());
      assertEquals(reader.equals(auditor), one.path("events").get(0).has("envelope"));
    }
    List<JsonNode> byAuditor = readsBy(auditor);
    assertEquals(
        List.of("token_name=" + name, "id=" + id),
        byAuditor.stream().map(read -> read.path("payload").path("query").asString()).toList());
    assertEquals(
        List.of("GET /api/v1/tokens/by-name", "GET /api/v1/tokens/{id}"),
        byAuditor.stream().map(read -> read.path("payload").path("route").asString()).toList());
    assertEquals("granted", byAuditor.get(0).path("outcome_reason").asString());
    assertEquals("tokens_granted", readsBy(manager).get(0).path("outcome_reason").asString());
  }

  @Test
  void aQueryInSqlIsAuditedWhenItReadsTheAuditLogWithoutItsTexts() {
    String auditor = auditor();
    assertEquals(200, sql(auditor, "SELECT name FROM system.tokens").statusCode());
    assertEquals(List.of(), readsBy(auditor));
    HttpResponse<String> answer =
        sql(
            auditor,
            "SELECT leaf_index FROM system.audit_log WHERE actor_name = 'O''Brien'"
                + " OR leaf_index < 3 ORDER BY 1");
    assertEquals(3, HttpProbe.json(answer).size(), answer.body());
    JsonNode payload = readsBy(auditor).get(0).path("payload");
    assertEquals("POST /api/v3/query_sql", payload.path("route").asString());
    assertEquals(
        "SELECT leaf_index FROM system.audit_log WHERE actor_name = '*' OR leaf_index < 3"
            + " ORDER BY 1",
        payload.path("query").asString());
    assertEquals(3, payload.path("rows").asLong());
    assertEquals(0, payload.path("first_leaf_index").asLong());
    assertEquals(2, payload.path("last_leaf_index").asLong());
    assertNotEquals(0, payload.path("tree_size").asLong());
    sql(auditor, "SELECT count(*) FROM system.audit_log");
    assertTrue(readsBy(auditor).get(0).path("payload").path("first_leaf_index").isNull());
  }

  @Test
  void aTokenThatSomeonePastedIntoAFilterDoesNotStay() {
    String auditor = auditor();
    http.get(LedgerRoutes.AUDIT + "?token=" + auditor, auditor);
    JsonNode read = readsBy(auditor).get(0);
    assertEquals("token=apiv3_***", read.path("payload").path("query").asString());
    assertFalse(read.toString().contains(auditor));
  }

  @Test
  void aReadThatCannotBeRecordedIsRefused() throws Exception {
    String auditor = auditor();
    String path = LedgerRoutes.AUDIT + "?limit=7";
    execute("REVOKE INSERT ON ledger.event FROM postgres_app");
    try {
      for (int i = 0; i < 2; i++) {
        HttpResponse<String> refused = http.get(path, auditor);
        assertEquals(503, refused.statusCode());
        assertFalse(refused.body().contains("leaf_index"), refused.body());
      }
      assertEquals(503, http.get("/api/v1/tokens/0", auditor).statusCode());
      assertEquals(503, http.get("/api/v1/tokens/by-name?token_name=_admin", auditor).statusCode());
      assertEquals(503, sql(auditor, "SELECT action FROM system.audit_log").statusCode());
      assertEquals(200, sql(auditor, "SELECT name FROM system.tokens").statusCode());
    } finally {
      execute("GRANT INSERT ON ledger.event TO postgres_app");
    }
    assertEquals(200, http.get(path, auditor).statusCode());
    assertEquals(1, readsBy(auditor).size(), "what was refused is not there");
  }

  @ParameterizedTest
  @CsvSource({
    "audit, read, 200, 403",
    "tokens, read;write, 403, 201",
    "retention, read;write, 403, 403"
  })
  void eachRoleMayWhatIsItsOwn(String name, String actions, int audit, int command) {
    String token = http.create(operator, newName(), "ledger", name, actions.split(";"));
    assertEquals(audit, http.get(LedgerRoutes.AUDIT, token).statusCode());
    assertEquals(audit, http.get(CatalogueRoutes.EVENT_TYPES, token).statusCode());
    if (audit == 403) {
      assertEquals(
          name.equals("tokens") ? 400 : 403,
          sql(token, "SELECT action FROM system.audit_log").statusCode());
    }
    String created = newName();
    String grant =
        "{\"token_name\":\"%s\",\"permissions\":[{\"resource_type\":\"db\",\"resource_names\":"
            + "[\"a\"],\"actions\":[\"read\"]}]}";
    assertEquals(
        command, http.post(TokenRoutes.ENTERPRISE, token, grant.formatted(created)).statusCode());
    boolean manages = command == 201;
    long victim =
        HttpProbe.json(http.post(TokenRoutes.ENTERPRISE, operator, grant.formatted(newName())))
            .path("id")
            .asLong();
    String one = "/api/v1/tokens/" + victim;
    int changed = manages ? 200 : 403;
    assertEquals(changed, send("POST", one + "/suspend", token, "").statusCode());
    assertEquals(changed, send("POST", one + "/resume", token, "").statusCode());
    assertEquals(command, send("POST", one + "/rotate", token, "{}").statusCode());
    assertEquals(
        changed, send("PUT", one + "/description", token, "{\"description\":\"d\"}").statusCode());
    assertEquals(changed, send("PUT", one + "/expiry", token, "{\"expiry_secs\":60}").statusCode());
    assertEquals(
        changed,
        send("PUT", one + "/permissions", token, grant.replace("\"a\"", "\"b\"").formatted("x"))
            .statusCode());
    assertEquals(
        changed,
        send("POST", "/api/v1/tokens/revoke", token, "{\"filter\":{\"name\":\"nobody-has-this\"}}")
            .statusCode());
    assertEquals(changed, send("DELETE", one, token, "").statusCode());
    assertEquals(
        changed,
        send("DELETE", TokenRoutes.TOKEN + "?token_name=" + (manages ? created : "x"), token, "")
            .statusCode());
  }

  private static HttpResponse<String> send(String verb, String path, String by, String body) {
    return http.send(
        http.request(path)
            .header("Authorization", "Bearer " + by)
            .header("Content-Type", "application/json")
            .method(verb, BodyPublishers.ofString(body)));
  }

  private static void whoseDeedsItHoldsNeitherForgetsNorRedirectsTheHistory(
      HttpProbe probe, String admin) {
    String dry = "{\"subject\":\"token:1\",\"dry_run\":true}";
    for (HttpResponse<String> refused :
        List.of(
            probe.post(PrivacyRoutes.ERASURES, admin, dry),
            probe.get(PrivacyRoutes.HOLDS, admin),
            probe.post(PrivacyRoutes.HOLDS, admin, "{\"hold\":\"h\",\"token\":\"1\"}"),
            probe.post(PrivacyRoutes.LIFT, admin, "{\"hold\":\"h\"}"),
            probe.get(RetentionRoutes.RETENTION, admin),
            probe.post(RetentionRoutes.RETENTION, admin, "{\"class\":\"reads\",\"days\":1}"),
            probe.post(RetentionRoutes.RUN, admin, "{}"),
            probe.post(SinkRoutes.REQUEUE, admin, "{\"sink\":\"s\"}"))) {
      assertEquals(403, refused.statusCode(), refused.body());
      assertTrue(refused.body().contains("duties are separate"), refused.body());
    }
    String keeper = probe.create(admin, "keeper", "ledger", "retention", "write");
    String reader = probe.create(admin, "reader", "ledger", "retention", "read");
    assertEquals(200, probe.post(PrivacyRoutes.ERASURES, keeper, dry).statusCode());
    assertEquals(200, probe.get(PrivacyRoutes.HOLDS, reader).statusCode());
    assertEquals(200, probe.get(RetentionRoutes.RETENTION, reader).statusCode());
    assertEquals(403, probe.post(RetentionRoutes.RUN, reader, "{}").statusCode());
  }

  @Test
  void separateDutiesRefuseAdminsTheAuditAndLeaveItToAuditors() throws Exception {
    execute("CREATE DATABASE separate");
    try (Server separate =
        serve("separate-keys", "separate", Map.of("LEDGER_SEPARATE_DUTIES", "true"))) {
      HttpProbe probe = new HttpProbe(separate.url());
      String admin = HttpProbe.json(probe.bootstrap()).path("token").asString();
      String auditor = probe.create(admin, "auditor", "ledger", "audit", "read");
      String query = "{\"db\":\"_internal\",\"q\":\"SELECT count(*) FROM system.%s\"}";
      for (HttpResponse<String> refused :
          List.of(
              probe.get(LedgerRoutes.AUDIT, admin),
              probe.get(CatalogueRoutes.EVENT_TYPES, admin),
              probe.post(SqlRoutes.QUERY_SQL, admin, query.formatted("audit_log")))) {
        assertEquals(403, refused.statusCode());
        assertTrue(refused.body().contains("duties are separate"), refused.body());
      }
      assertEquals(
          200, probe.post(SqlRoutes.QUERY_SQL, admin, query.formatted("tokens")).statusCode());
      JsonNode token = HttpProbe.json(probe.get("/api/v1/tokens/1", admin));
      assertEquals("auditor", token.path("name").asString());
      assertFalse(token.path("events").get(0).has("envelope"), "as for who manages tokens");
      whoseDeedsItHoldsNeitherForgetsNorRedirectsTheHistory(probe, admin);
      HttpResponse<String> page = probe.get(LedgerRoutes.AUDIT, auditor);
      assertEquals(200, page.statusCode());
      assertEquals(200, probe.get(CatalogueRoutes.EVENT_TYPES, auditor).statusCode());
      List<String> refusals = new ArrayList<>();
      HttpProbe.json(page)
          .path("events")
          .forEach(
              event -> {
                if (event.path("outcome_reason").asString().equals("separate_duties")) {
                  refusals.add(
                      event.path("event_type").asString() + " " + event.path("action").asString());
                }
              });
      assertEquals(
          List.of(
              "AccessDenied POST /api/v1/audit/dead-letters/requeue",
              "AccessDenied POST /api/v1/audit/retention/run",
              "AccessDenied POST /api/v1/audit/retention",
              "AccessDenied GET /api/v1/audit/retention",
              "AccessDenied POST /api/v1/audit/holds/lift",
              "AccessDenied POST /api/v1/audit/holds",
              "AccessDenied GET /api/v1/audit/holds",
              "AccessDenied POST /api/v1/audit/erasures",
              "AccessDenied POST /api/v3/query_sql",
              "AccessDenied GET /api/v1/audit/event-types",
              "AccessDenied GET /api/v1/audit/events"),
          refusals);
      for (RouteCatalogue.Row row : RouteCatalogue.ROWS) {
        if (row.permission().equals(RouteCatalogue.READER)) {
          String path =
              row.path().replace("{id}", "e").replace("{size}", "1").replace("**", "0/000");
          HttpResponse<String> refused =
              probe.send(
                  probe
                      .request(path)
                      .header("Authorization", "Bearer " + admin)
                      .method(row.method(), BodyPublishers.noBody()));
          assertEquals(403, refused.statusCode(), path);
          assertTrue(refused.body().contains("duties are separate"), path);
        }
      }
    }
  }

  @Test
  void aServerTellsItsStartWithVersionAndSettingsAndNoSecret() {
    List<JsonNode> starts = events("&action=service.start", auditor());
    JsonNode payload = starts.get(starts.size() - 1).path("payload");
    assertEquals(ProbeRoutes.VERSION, payload.path("version").asString());
    JsonNode configuration = payload.path("configuration");
    assertEquals("127.0.0.1:0", configuration.path("--http-bind").asString());
    assertEquals("false", configuration.path("--separate-duties").asString());
    assertFalse(payload.toString().contains(postgres.url().password()));
  }

  @Test
  void theCatalogueIsDataThatNamesEveryTypeFieldAndRoute() {
    JsonNode catalogue = HttpProbe.json(http.get(CatalogueRoutes.EVENT_TYPES, auditor()));
    JsonNode revoked = null;
    for (JsonNode type : catalogue.path("event_types")) {
      if (type.path("name").asString().equals("TokenRevoked")) {
        revoked = type;
      }
    }
    assertEquals(
        JsonMapper.shared()
            .readTree(
                """
                {"name":"TokenRevoked","revisions":["1"],
                 "says":"A token ended for good and its name is free.",
                 "action":"token.revoke","retention_class":"permanent",
                 "triggers":["RevokeToken","DELETE /api/v3/configure/token",
                             "POST /api/v1/tokens/revoke","DELETE /api/v1/tokens/{id}"],
                 "fields":[{"name":"name","type":"string","class":"identifier"},
                           {"name":"id","type":"integer","class":"identifier"},
                           {"name":"revoked_at","type":"time","class":"plain"}],
                 "ocsf":{"class_uid":3004,"activity_id":4},
                 "controls":["PCI 10.2.1.5","NIST AU-2","NIST AU-10","SOC2 CC6.3"]}
                """),
        revoked);
    assertEquals(TestServer.routes().size(), catalogue.path("routes").size());
    assertTrue(catalogue.path("envelope").toString().contains("\"personal-sealed\""));
  }
}

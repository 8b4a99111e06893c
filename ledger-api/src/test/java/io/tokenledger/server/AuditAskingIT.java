package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.VerifierKey;
import java.net.URLEncoder;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What auditors ask over HTTP: searches, moments, reports, exports. */
class AuditAskingIT {

  private static final AtomicInteger NAMES = new AtomicInteger();

  @TempDir static Path data;
  private static Server server;
  private static HttpProbe http;
  private static String operator;
  private static String auditor;

  @BeforeAll
  static void start() {
    server = Server.start(ServerIT.options(data, Map.of()));
    http = new HttpProbe(server.url());
    operator = HttpProbe.json(http.bootstrap()).path("token").asString();
    auditor = http.create(operator, "auditor", "ledger", "audit", "read");
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static String newName() {
    return "asked-" + NAMES.incrementAndGet();
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8);
  }

  private static JsonNode get(String path) {
    HttpResponse<String> answer = http.get(path, auditor);
    assertEquals(200, answer.statusCode(), path + ": " + answer.body());
    return HttpProbe.json(answer);
  }

  private static JsonNode search(String query) {
    return get(LedgerRoutes.AUDIT + "?limit=1000&q=" + encoded(query));
  }

  private static HttpResponse<String> send(String verb, String path, String by, String reason) {
    return http.send(
        http.request(path)
            .header("Authorization", "Bearer " + by)
            .header("Content-Type", "application/json")
            .header("Ledger-Reason", encoded(reason).replace("+", "%20"))
            .method(verb, BodyPublishers.ofString("")));
  }

  /** A token and its id. */
  private static long made(String name, String database, String... actions) {
    http.create(operator, name, "db", database, actions);
    return HttpProbe.json(http.get("/api/v1/tokens?name=" + encoded(name), operator))
        .path("tokens")
        .get(0)
        .path("id")
        .asLong();
  }

  private static void suspend(long id, String reason) {
    assertEquals(
        200, send("POST", "/api/v1/tokens/" + id + "/suspend", operator, reason).statusCode());
  }

  private static long leafOf(String query) {
    return search(query).path("events").get(0).path("leaf_index").asLong();
  }

  /** A size that a checkpoint covers and that is not smaller. */
  private static long signed(long atLeast) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (true) {
      JsonNode newest = get(ReportRoutes.CHECKPOINTS + "?limit=1").path("checkpoints").path(0);
      if (newest.path("size").asLong() >= atLeast) {
        return newest.path("size").asLong();
      }
      assertTrue(System.nanoTime() < end, "a checkpoint comes");
      TimeUnit.MILLISECONDS.sleep(50);
    }
  }

  @Test
  void aSearchFindsWhatItsWordsSay() {
    String name = newName();
    long id = made(name, "a", "read");
    suspend(id, "leaked by Bob");
    JsonNode found = search("token:" + name + " -type:Token*");
    assertEquals(1, found.path("events").size());
    assertTrue(found.path("scanned").isNull());
    JsonNode opened = search("token:" + name + " \"leaked by bob\" ip:127.0.0.0/8");
    assertEquals("TokenSuspended", opened.path("events").get(0).path("event_type").asString());
    assertEquals(2, opened.path("scanned").asLong());
    String eventId = opened.path("events").get(0).path("event_id").asString();
    JsonNode one = get(LedgerRoutes.AUDIT + "/" + eventId);
    assertEquals("leaked by Bob", one.path("envelope").path("reason").asString());
    assertTrue(one.path("entry").asString().contains(eventId));
    JsonNode facets = get(AuditRoutes.FACETS + "?q=" + encoded("token:" + name));
    assertEquals(2, facets.path("events").asLong());
    assertEquals("_admin", facets.path("actor").get(0).path("value").asString());
    assertEquals(2, facets.path("type").size());
  }

  @Test
  void thePagesOfAQueryAreOfOneSizeAndTheSameWheneverTheyAreAskedFor() {
    for (int i = 0; i < 5; i++) {
      made("paged-" + newName(), "a", "read");
    }
    String path = LedgerRoutes.AUDIT + "?limit=2&q=" + encoded("target:paged-*");
    String first = http.get(path, auditor).body();
    String cursor = JsonMapper.shared().readTree(first).path("next_cursor").asString();
    String second = http.get(path + "&cursor=" + cursor, auditor).body();
    long size = JsonMapper.shared().readTree(first).path("tree_size").asLong();
    made("paged-" + newName(), "a", "read");
    assertEquals(second, http.get(path + "&cursor=" + cursor, auditor).body());
    assertEquals(first, http.get(path + "&at=leaf:" + (size - 1), auditor).body());
    assertNotEquals(first, http.get(path, auditor).body());
    assertEquals(
        second,
        http.get(path + "&at=leaf:" + (size - 1) + "&cursor=" + cursor, auditor).body(),
        "a cursor may be given with the size it belongs to");
    String inQuery = encoded("target:paged-* at:leaf:" + (size - 1));
    assertEquals(first, http.get(LedgerRoutes.AUDIT + "?limit=2&q=" + inQuery, auditor).body());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "events?q=actr:bob|q is wrong in `actr:`: actr is no field",
        "events?q=from:soon|q is wrong in `from:soon`: from is a date",
        "events?q=action:a&action=b|action is wrong in `action:%22b%22`: action is given in q",
        "events?outcome=ok|outcome must be success, denied or failed",
        "events?cursor=x|cursor must be the next_cursor of a page",
        "events?cursor=99999999.1|cursor must lie in the log",
        "events?cursor=2.1&at=leaf:5|cursor belongs to another size of the log than at",
        "events?at=2026-01-01|at must be leaf:N or checkpoint:N here",
        "events?at=leaf:1&q=at:leaf:1|at is given in q or by itself",
        "events?at=leaf:99999999|at must lie in the log",
        "events?at=checkpoint:99999999|at must lie in the log",
        "events?limit=0|limit must be 1 to 1000",
        "facets?q=outcome:x|outcome is success, denied or failed",
        "tokens/x/history|id must be a token's number",
        "tokens/1/history?at=soon|at must be leaf:N, checkpoint:N or an instant",
        "state?at=9999-01-01|at must not lie in the future",
        "state?at=leaf:99999999|at must lie in the log",
        "state?cursor=1_2_3|cursor must be the next_cursor of a page",
        "state?cursor=1.x.t_2|cursor must be the next_cursor of a page",
        "state?cursor=1.0.t_2&at=2026-01-01|cursor belongs to another moment than at",
        "state?revoked=yes|revoked must be true or false",
        "diff?from=2026-01-01|to is missing",
        "diff?to=2026-01-01|from is missing",
        "diff?from=x&to=2026-01-01|from must be leaf:N, checkpoint:N or an instant",
        "access?action=read|resource must be TYPE:NAME",
        "access?resource=db:*&action=read|resource must name one resource",
        "access?resource=db:a|action must be create, describe, read, write or delete",
        "access?resource=bucket:a&action=read|resource type not supported bucket",
        "population?to=2026-01-01|from must be a date or an instant",
        "population?from=2026-01-02&to=2026-01-01|from must not be after to",
        "population?from=leaf:1&to=2026-01-01|from must be a date or an instant",
        "population?from=2026-01-01&to=2026-01-02&format=x|format must be json or note",
        "population?from=2026-01-01&to=2026-01-02&at=2026-01-01|at must be leaf:N",
        "checkpoints?before=x|before must be a size or GENERATION/SIZE",
        "checkpoints/x|size must be a number of leaves",
        "checkpoints/1?generation=99999|generation must be at most"
      })
  void aBadQuestionIsToldItsParameterAndRule(String path, String rule) {
    HttpResponse<String> refused = http.get("/api/v1/audit/" + path.replace(">", "%3E"), auditor);
    assertEquals(400, refused.statusCode(), refused.body());
    assertTrue(refused.body().contains(rule.replace("%22", "\\\"")), refused.body());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "events/nothing",
        "exports/nothing",
        "tokens/999999/history",
        "checkpoints/999999"
      })
  void whatIsNotThereIsNotFound(String path) {
    HttpResponse<String> answer = http.get("/api/v1/audit/" + path, auditor);
    assertEquals(404, answer.statusCode(), answer.body());
    assertTrue(answer.body().contains("error"), answer.body());
  }

  /** A request to each route. */
  private static List<String> questions() {
    String event = search("").path("events").get(0).path("event_id").asString();
    return List.of(
        "GET /api/v1/audit/events?limit=1&q=type:x",
        "GET /api/v1/audit/events/" + event,
        "GET /api/v1/audit/facets",
        "POST /api/v1/audit/exports?format=csv",
        "GET /api/v1/audit/tokens/0/history",
        "GET /api/v1/audit/state",
        "GET /api/v1/audit/diff?from=2026-01-01&to=2026-01-02",
        "GET /api/v1/audit/access?resource=db:a&action=read",
        "GET /api/v1/audit/population?from=2026-01-01&to=2026-01-02",
        "GET /api/v1/audit/completeness",
        "GET /api/v1/audit/checkpoints?limit=1");
  }

  @Test
  void everyAnswerNeedsTheRightToReadTheAuditAndIsRecordedOnce() throws InterruptedException {
    signed(1);
    String other = http.create(operator, newName(), "db", "a", "read");
    String name = newName();
    String reader = http.create(operator, name, "ledger", "audit", "read");
    Set<String> routes = new TreeSet<>();
    for (String question : questions()) {
      String[] parts = question.split(" ");
      assertEquals(403, send(parts[0], parts[1], other, "none").statusCode(), question);
      assertEquals(
          401,
          http.send(http.request(parts[1]).method(parts[0], BodyPublishers.noBody())).statusCode(),
          question);
      HttpResponse<String> answer = send(parts[0], parts[1], reader, "none");
      assertEquals(200, answer.statusCode(), question + ": " + answer.body());
      routes.add(question.replaceFirst("\\?.*", ""));
    }
    List<String> read = new ArrayList<>();
    for (JsonNode event : search("type:AuditLogRead actor:" + name).path("events")) {
      read.add(event.path("payload").path("route").asString());
    }
    assertEquals(routes.size(), read.size(), read.toString());
    assertTrue(read.contains("GET /api/v1/audit/events/{id}"), read.toString());
    assertTrue(read.contains("GET /api/v1/audit/tokens/{id}/history"), read.toString());
    assertFalse(read.contains("GET other"), read.toString());
  }

  @Test
  void aReadThatAsksAboutPeopleIsRecordedWithoutThem() {
    String name = newName();
    String reader = http.create(operator, name, "ledger", "audit", "read");
    http.get(
        LedgerRoutes.AUDIT
            + "?limit=1&q="
            + encoded("actor:alice ip:203.0.113.7 secretive action:token.create"),
        reader);
    JsonNode read = search("type:AuditLogRead actor:" + name).path("events").get(0);
    assertEquals(
        "q=actor:* ip:* text:* action:token.create&limit=1",
        read.path("payload").path("query").asString());
  }

  @Test
  void aTokenWasAtEachMomentWhatItsEventsMadeIt() {
    String name = newName();
    long id = made(name, "moments", "read");
    long created = leafOf("token:" + name);
    suspend(id, "for a while");
    long suspended = leafOf("token:" + name);
    HttpResponse<String> revoked = http.delete(name, operator);
    assertEquals(200, revoked.statusCode());
    JsonNode history = get("/api/v1/audit/tokens/" + id + "/history");
    List<String> states = new ArrayList<>();
    history
        .path("versions")
        .forEach(
            version ->
                states.add(
                    version.path("event_type").asString()
                        + " "
                        + version.path("state").asString()));
    assertEquals(
        List.of("ResourceTokenCreated live", "TokenSuspended suspended", "TokenRevoked revoked"),
        states);
    assertEquals("live", stateAt("leaf:" + created, id));
    assertEquals("suspended", stateAt("leaf:" + suspended, id));
    assertEquals("", stateAt("leaf:" + (created - 1), id));
    assertEquals("", stateAt("leaf:" + leafOf("token:" + name), id));
    Instant occurred = Instant.parse(history.path("versions").get(1).path("valid_from").asString());
    assertEquals("suspended", stateAt(occurred.toString(), id));
    assertEquals("live", stateAt(occurred.minusMillis(1).toString(), id));

    String diff = "/api/v1/audit/diff?from=leaf:" + created + "&to=leaf:" + suspended;
    JsonNode changed = get(diff).path("changed").get(0);
    assertEquals(id, changed.path("id").asLong());
    assertEquals("state", changed.path("differences").get(0).path("path").asString());
    assertEquals("suspended", changed.path("differences").get(0).path("after").asString());
    JsonNode added = get("/api/v1/audit/diff?from=leaf:" + (created - 1) + "&to=leaf:" + created);
    assertEquals(id, added.path("added").get(0).path("id").asLong());
    JsonNode removed =
        get("/api/v1/audit/diff?from=leaf:" + created + "&to=leaf:" + leafOf("token:" + name));
    assertEquals(id, removed.path("removed").get(0).path("id").asLong());

    String access = "/api/v1/audit/access?resource=db:moments&action=read&at=leaf:";
    assertTrue(ids(get(access + created), "tokens").contains(id));
    assertFalse(ids(get(access + suspended), "tokens").contains(id));
    assertEquals(
        "*:*:*", get(access + created).path("tokens").get(0).path("entry").asString(), "_admin");
  }

  private static String stateAt(String at, long id) {
    String cursor = null;
    do {
      String path = "/api/v1/audit/state?limit=3" + (cursor == null ? "" : "&cursor=" + cursor);
      JsonNode page = get(path + "&at=" + encoded(at));
      for (JsonNode token : page.path("tokens")) {
        if (token.path("id").asLong() == id) {
          return token.path("state").asString();
        }
      }
      cursor = page.path("next_cursor").isString() ? page.path("next_cursor").asString() : null;
    } while (cursor != null);
    return "";
  }

  private static List<Long> ids(JsonNode answer, String field) {
    List<Long> ids = new ArrayList<>();
    answer.path(field).forEach(token -> ids.add(token.path("id").asLong()));
    return ids;
  }

  private static VerifierKey key() {
    return VerifierKey.parse(
        get(TlogRoutes.KEYS).path("keys").get(0).path("verifier_key").asString());
  }

  @Test
  void aPopulationIsSignedAndCannotPassForACheckpoint() throws InterruptedException {
    signed(leafOf("") + 1);
    String path = ReportRoutes.POPULATION + "?from=2026-01-01&to=9999-01-01";
    JsonNode report = get(path);
    assertEquals(report.path("tree_size").asLong(), report.path("events").asLong());
    long counted = 0;
    for (JsonNode count : report.path("counts")) {
      counted += count.path("events").asLong();
    }
    assertEquals(report.path("events").asLong(), counted);
    SignedNote note = SignedNote.parse(report.path("note").asString());
    assertTrue(note.isSignedBy(key()));
    List<String> lines = note.text().lines().toList();
    assertEquals("token-ledger population report v1", lines.get(0));
    assertTrue(lines.contains("tree-size " + report.path("tree_size").asLong()), note.text());
    assertTrue(lines.contains("root " + report.path("root").asString()), note.text());
    assertThrows(InvalidTlogFormat.class, () -> Checkpoint.parse(note.text()));
    long size = report.path("tree_size").asLong();
    HttpResponse<String> again = http.get(path + "&format=note&at=checkpoint:" + size, auditor);
    assertEquals(note.toString(), again.body());
  }

  @Test
  void nothingIsMissingAndWhatWasSignedIsListed() throws InterruptedException {
    long size = signed(leafOf("") + 1);
    JsonNode found = get(ReportRoutes.COMPLETENESS);
    assertTrue(found.path("tree_size").asLong() >= size);
    assertTrue(found.path("events_without_leaf").asLong() < 10, found.toString());
    assertTrue(found.path("signing_refused").isNull());
    assertTrue(found.path("followers").size() >= 3, found.toString());
    JsonNode newest = get(ReportRoutes.CHECKPOINTS + "?limit=1");
    JsonNode older =
        get(ReportRoutes.CHECKPOINTS + "?limit=1&before=" + newest.path("next_before").asString());
    assertTrue(
        older.path("checkpoints").get(0).path("size").asLong()
            < newest.path("checkpoints").get(0).path("size").asLong());
    JsonNode one = get(ReportRoutes.CHECKPOINTS + "/" + size);
    assertTrue(SignedNote.parse(one.path("note").asString()).isSignedBy(key()));
  }

  private static HttpResponse<String> export(String query) {
    return send("POST", AuditRoutes.EXPORTS + "?" + query, auditor, "none");
  }

  private static String sha256(String text) throws Exception {
    return HexFormat.of()
        .formatHex(
            MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void anExportEndsWithASignedManifestThatCanBeHadAgain() throws Exception {
    String name = newName();
    long id = made(name, "a", "read");
    suspend(id, "once");
    signed(leafOf("token:" + name) + 1);
    HttpResponse<String> taken = export("format=ndjson&q=" + encoded("token:" + name));
    assertEquals(200, taken.statusCode(), taken.body());
    List<String> lines = taken.body().lines().toList();
    assertEquals(3, lines.size());
    JsonNode first = JsonMapper.shared().readTree(lines.get(0));
    assertEquals("ResourceTokenCreated", first.path("event_type").asString());
    SignedNote manifest =
        SignedNote.parse(JsonMapper.shared().readTree(lines.get(2)).path("manifest").asString());
    assertTrue(manifest.isSignedBy(key()));
    List<String> says = manifest.text().lines().toList();
    assertEquals("token-ledger export manifest v1", says.get(0));
    assertTrue(says.contains("rows 2"), manifest.text());
    assertTrue(
        says.contains("sha256 " + sha256(lines.get(0) + "\n" + lines.get(1) + "\n")),
        manifest.text());
    JsonNode event = search("type:AuditExported").path("events").get(0);
    assertTrue(says.contains("event " + event.path("event_id").asString()), manifest.text());
    HttpResponse<String> again =
        http.get(AuditRoutes.EXPORTS + "/" + event.path("event_id").asString(), auditor);
    assertEquals(manifest.toString(), again.body());
  }

  @Test
  void aSpreadsheetTakesNoCellForAFormula() throws Exception {
    String name = newName();
    long id = made(name, "a", "read");
    suspend(id, "=HYPERLINK(\"https://evil\",\"x\")");
    signed(leafOf("token:" + name) + 1);
    HttpResponse<String> taken =
        export("format=csv&q=" + encoded("token:" + name + " type:TokenSuspended"));
    List<String> lines = taken.body().lines().toList();
    assertEquals(2, lines.size(), taken.body());
    assertTrue(lines.get(0).startsWith("leaf_index,event_id,"));
    assertTrue(
        lines.get(1).contains(",\"'=HYPERLINK(\"\"https://evil\"\",\"\"x\"\")\","), lines.get(1));
    JsonNode event = search("type:AuditExported").path("events").get(0);
    String manifest =
        http.get(AuditRoutes.EXPORTS + "/" + event.path("event_id").asString(), auditor).body();
    assertTrue(manifest.contains("sha256 " + sha256(taken.body()) + "\n"), manifest);
    assertTrue(manifest.contains("format csv\n"), manifest);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "format=xml|format must be one of ndjson, csv, cloudevents, ocsf, cef",
        "q=a|format must be one of ndjson, csv, cloudevents, ocsf, cef",
        "format=csv&q=a:b|a is no field",
        "format=csv&cursor=1|cursor is not for exports",
        "format=csv&at=leaf:99999999|at must lie in the log"
      })
  void aBadExportIsToldItsParameterAndRule(String query, String rule) throws Exception {
    signed(1);
    HttpResponse<String> refused = export(query);
    assertEquals(400, refused.statusCode(), refused.body());
    assertTrue(refused.body().contains(rule), refused.body());
  }
}

package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** What happens to a token between its creation and its revocation, over HTTP. */
class LifecycleIT {

  private static final String ENTERPRISE = "/api/v3/enterprise/configure/token";
  private static final AtomicInteger NAMES = new AtomicInteger();

  @TempDir static Path data;
  private static Server server;
  private static HttpProbe http;
  private static String operator;

  @BeforeAll
  static void start() {
    server = Server.start(ServerIT.options(data, Map.of()));
    http = new HttpProbe(server.url());
    operator = HttpProbe.json(http.bootstrap()).path("token").asString();
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  /** A token that a test made. */
  private record Made(long id, String name, String secret) {}

  private static Made make(String by, String name, String extra) {
    HttpResponse<String> made = http.post(ENTERPRISE, by, body(name, extra));
    assertEquals(201, made.statusCode(), made.body());
    JsonNode json = HttpProbe.json(made);
    return new Made(json.path("id").asLong(), name, json.path("token").asString());
  }

  private static Made make(String extra) {
    return make(operator, newName(), extra);
  }

  private static Made makeAdmin(String by) {
    String name = newName();
    HttpResponse<String> made =
        http.post(TokenRoutes.NAMED_ADMIN, by, "{\"token_name\":\"" + name + "\"}");
    JsonNode json = HttpProbe.json(made);
    return new Made(json.path("id").asLong(), name, json.path("token").asString());
  }

  private static String newName() {
    return "life " + NAMES.incrementAndGet();
  }

  private static String body(String name, String extra) {
    return "{\"token_name\":\""
        + name
        + "\",\"permissions\":[{\"resource_type\":\"system\",\"resource_names\":[\"ping\"],"
        + "\"actions\":[\"read\"]}]"
        + extra
        + "}";
  }

  private static int ping(String secret) {
    return http.get("/ping", secret).statusCode();
  }

  private static HttpResponse<String> send(String method, String path, String token, String body) {
    return http.send(
        http.request(path)
            .header("Authorization", "Bearer " + token)
            .header("Content-Type", "application/json")
            .method(method, BodyPublishers.ofString(body)));
  }

  private static JsonNode show(long id) {
    HttpResponse<String> shown = http.get("/api/v1/tokens/" + id, operator);
    assertEquals(200, shown.statusCode(), shown.body());
    return HttpProbe.json(shown);
  }

  private static void await(String what, Duration limit, java.util.function.BooleanSupplier done)
      throws InterruptedException {
    Instant end = Instant.now().plus(limit);
    while (!done.getAsBoolean()) {
      assertTrue(Instant.now().isBefore(end), what);
      Thread.sleep(50);
    }
  }

  @Nested
  class Rotating {

    @Test
    void bothSecretsWorkUntilTheGraceEndsAndThenTheNewOneOnly() throws Exception {
      Made token = make(",\"expiry_secs\":3600");
      HttpResponse<String> rotated =
          http.post("/api/v1/tokens/" + token.id() + "/rotate", operator, "{\"grace_secs\":2}");
      assertEquals(201, rotated.statusCode(), rotated.body());
      JsonNode json = HttpProbe.json(rotated);
      String successor = json.path("token").asString();
      assertEquals(token.id(), json.path("id").asLong());
      assertNotEquals(token.secret(), successor);
      assertEquals(200, ping(successor));
      HttpResponse<String> old = http.get("/ping", token.secret());
      if (old.statusCode() == 200) {
        Instant graceEnd =
            Instant.parse(old.headers().firstValue("Token-Expires-At").orElseThrow());
        assertTrue(graceEnd.isBefore(Instant.now().plusSeconds(3)), graceEnd.toString());
      }
      await("the old secret ends", Duration.ofSeconds(10), () -> ping(token.secret()) == 401);
      assertEquals(200, ping(successor));
      assertEquals(json.path("expiry").asString(), show(token.id()).path("expiry").asString());
    }

    @Test
    void aSecondRotationEndsTheGraceOfTheFirst() {
      Made token = make("");
      String path = "/api/v1/tokens/" + token.id() + "/rotate";
      String second =
          HttpProbe.json(http.post(path, operator, "{\"grace_secs\":600}"))
              .path("token")
              .asString();
      assertEquals(200, ping(token.secret()));
      String third =
          HttpProbe.json(http.post(path, operator, "{\"grace_secs\":600}"))
              .path("token")
              .asString();
      assertEquals(401, ping(token.secret()));
      assertEquals(200, ping(second));
      assertEquals(200, ping(third));
    }

    @Test
    void withoutAGraceTheOldSecretEndsAtOnce() {
      Made token = make("");
      http.post("/api/v1/tokens/" + token.id() + "/rotate", operator, "{}");
      assertEquals(401, ping(token.secret()));
    }
  }

  @Test
  void aSuspendedTokenIsLikeAnUnknownOneUntilItIsResumed() {
    Made token = make("");
    HttpResponse<String> unknown = http.get("/ping", "apiv3_nobody");
    assertEquals(200, send("POST", path(token, "suspend"), operator, "").statusCode());
    HttpResponse<String> suspended = http.get("/ping", token.secret());
    assertEquals(unknown.statusCode(), suspended.statusCode());
    assertEquals(unknown.body(), suspended.body());
    JsonNode checked =
        HttpProbe.json(
            http.post(
                CheckRoutes.CHECK,
                operator,
                "{\"token\":\""
                    + token.secret()
                    + "\",\"resource_type\":\"system\",\"resource_name\":\"ping\","
                    + "\"action\":\"read\"}"));
    assertFalse(checked.path("allowed").asBoolean());
    assertEquals("suspended_token", checked.path("reason").asString());
    assertEquals("suspended", show(token.id()).path("state").asString());
    assertEquals(200, send("POST", path(token, "resume"), operator, "").statusCode());
    assertEquals(200, ping(token.secret()));
  }

  private static String path(Made token, String verb) {
    return "/api/v1/tokens/" + token.id() + "/" + verb;
  }

  @Test
  void expiryDescriptionAndPermissionsChangeWhileTheSecretStays() {
    Made token = make(",\"expiry_secs\":60");
    HttpResponse<String> first = http.get("/ping", token.secret());
    assertTrue(first.headers().firstValue("Token-Expires-At").isPresent());
    assertEquals(
        200, send("PUT", path(token, "expiry"), operator, "{\"expiry_secs\":null}").statusCode());
    HttpResponse<String> renewed = http.get("/ping", token.secret());
    assertEquals(200, renewed.statusCode());
    assertTrue(renewed.headers().firstValue("Token-Expires-At").isEmpty());
    assertEquals(
        200,
        send("PUT", path(token, "description"), operator, "{\"description\":\"hall 3\"}")
            .statusCode());
    assertEquals(
        200,
        send(
                "PUT",
                path(token, "permissions"),
                operator,
                "{\"permissions\":[{\"resource_type\":\"system\",\"resource_names\":[\"health\"],"
                    + "\"actions\":[\"read\"]}]}")
            .statusCode());
    assertEquals(403, ping(token.secret()));
    assertEquals(200, http.get("/health", token.secret()).statusCode());
    JsonNode shown = show(token.id());
    assertEquals("hall 3", shown.path("description").asString());
    assertEquals("_admin", shown.path("updated_by").asString());
    assertEquals("[\"system:health:read\"]", shown.path("permissions").toString());
    List<String> types = new ArrayList<>();
    shown.path("events").forEach(event -> types.add(event.path("event_type").asString()));
    assertEquals(
        List.of(
            "TokenPermissionsChanged",
            "TokenDescribed",
            "TokenExpiryChanged",
            "ResourceTokenCreated"),
        types);
    JsonNode changes = shown.path("events").get(0).path("envelope").path("changes").get(0);
    assertEquals("system:ping:read", changes.path("before").asString());
    assertEquals("system:health:read", changes.path("after").asString());
  }

  @Test
  void aNamesWholeLifeIsShownOverAllItsTokens() {
    Made first = make("");
    assertEquals(200, send("DELETE", "/api/v1/tokens/" + first.id(), operator, "").statusCode());
    Made second = make(operator, first.name(), "");
    HttpResponse<String> shown =
        http.get("/api/v1/tokens/by-name?token_name=" + first.name().replace(" ", "%20"), operator);
    JsonNode json = HttpProbe.json(shown);
    assertEquals(2, json.path("tokens").size(), shown.body());
    assertEquals(first.id(), json.path("tokens").get(0).path("id").asLong());
    assertEquals("revoked", json.path("tokens").get(0).path("state").asString());
    assertEquals("_admin", json.path("tokens").get(0).path("revoked_by").asString());
    assertEquals(second.id(), json.path("tokens").get(1).path("id").asLong());
    assertEquals(3, json.path("events").size());
    assertEquals(404, http.get("/api/v1/tokens/by-name?token_name=nobody", operator).statusCode());
    assertEquals(
        404, send("DELETE", "/api/v1/tokens/" + first.id(), operator, "").statusCode(), "revoked");
  }

  private static Set<Long> list(String filter) {
    HttpResponse<String> listed = http.get("/api/v1/tokens?limit=1000&" + filter, operator);
    assertEquals(200, listed.statusCode(), listed.body());
    Set<Long> ids = new TreeSet<>();
    HttpProbe.json(listed).path("tokens").forEach(token -> ids.add(token.path("id").asLong()));
    return ids;
  }

  @Test
  void everyFilterRestricts() throws Exception {
    Made alice = makeAdmin(operator);
    Made mine = make(alice.secret(), "filter_me 1", ",\"expiry_secs\":1000");
    Made other = make("");
    String by = alice.name().replace(" ", "%20");
    Set<Long> both = Set.of(mine.id(), other.id());
    String now = Instant.now().plusSeconds(1).toString();
    record Case(String filter, boolean hitsMine, boolean hitsOther) {}
    for (Case each :
        List.of(
            new Case("state=live", true, true),
            new Case("state=revoked", false, false),
            new Case("kind=resource", true, true),
            new Case("kind=admin", false, false),
            new Case("name=filter_*", true, false),
            new Case("name=filter%3Fme+1", true, false),
            new Case("name=filterXme+1", false, false),
            new Case("database=a", false, false),
            new Case("created_since=2020-01-01T00:00:00Z", true, true),
            new Case("created_since=" + now, false, false),
            new Case("created_until=" + now, true, true),
            new Case("created_until=2020-01-01T00:00:00Z", false, false),
            new Case("expires_since=2020-01-01T00:00:00Z", true, false),
            new Case("expires_until=2020-01-01T00:00:00Z", false, false),
            new Case("created_by=" + by, true, false),
            new Case("made_by=" + alice.id(), true, false),
            new Case("made_by=0", true, true),
            new Case("unused_since=" + now, true, true),
            new Case("unused_since=2020-01-01T00:00:00Z", false, false))) {
      Set<Long> expected = new HashSet<>();
      if (each.hitsMine()) {
        expected.add(mine.id());
      }
      if (each.hitsOther()) {
        expected.add(other.id());
      }
      Set<Long> found = list(each.filter());
      found.retainAll(both);
      assertEquals(expected, found, each.filter());
    }
    String reader =
        HttpProbe.json(
                http.post(
                    ENTERPRISE,
                    operator,
                    "{\"token_name\":\"db reader\",\"permissions\":[{\"resource_type\":\"db\","
                        + "\"resource_names\":[\"plant_1\",\"b\"],\"actions\":[\"read\"]}]}"))
            .path("id")
            .asString();
    assertTrue(list("database=plant_1").contains(Long.valueOf(reader)));
    assertFalse(list("database=plant_").contains(Long.valueOf(reader)));
    assertTrue(list("database=b").contains(0L), "an admin may touch every database");
  }

  @Test
  void pagesMissNoneAndShowNoneTwice() {
    make("");
    make("");
    Set<Long> all = list("");
    Set<Long> paged = new TreeSet<>();
    String cursor = "";
    for (int page = 0; page < 1_000; page++) {
      JsonNode json = HttpProbe.json(http.get("/api/v1/tokens?limit=2" + cursor, operator));
      for (JsonNode token : json.path("tokens")) {
        assertTrue(paged.add(token.path("id").asLong()));
      }
      if (json.path("next_cursor").isNull()) {
        break;
      }
      cursor = "&cursor=" + json.path("next_cursor").asString();
    }
    assertEquals(all, paged);
  }

  @Test
  void theUseOfATokenIsSeenAndUnusedOnesAreFound(@TempDir Path directory) {
    String admin;
    String used;
    try (Server node = Server.start(ServerIT.options(directory, Map.of()))) {
      HttpProbe probe = new HttpProbe(node.url());
      admin = HttpProbe.json(probe.bootstrap()).path("token").asString();
      used = probe.create(admin, "used", "system", "ping", "read");
      probe.create(admin, "unused", "system", "ping", "read");
      assertEquals(200, probe.get("/ping", used).statusCode());
    }
    // Uses are stored every half minute, and when a node ends.
    try (Server node = Server.start(ServerIT.options(directory, Map.of()))) {
      HttpProbe probe = new HttpProbe(node.url());
      JsonNode tokens =
          HttpProbe.json(probe.get("/api/v1/tokens?kind=resource", admin)).path("tokens");
      Instant at = Instant.parse(tokens.get(0).path("last_used_at").asString());
      assertEquals(0, at.getEpochSecond() % 60);
      assertTrue(tokens.get(1).path("last_used_at").isNull());
      String filter = "/api/v1/tokens?kind=resource&unused_since=";
      assertEquals(
          2,
          HttpProbe.json(probe.get(filter + at.plusSeconds(3_600), admin)).path("tokens").size());
      JsonNode unused = HttpProbe.json(probe.get(filter + Instant.now(), admin)).path("tokens");
      assertTrue(
          unused.valueStream().anyMatch(token -> token.path("name").asString().equals("unused")));
    }
  }

  @Test
  void onlyAdminsAreShownWholeHashes() {
    Made token = make("");
    String manager = http.create(operator, newName(), "ledger", "tokens", "read");
    String path = "/api/v1/tokens/" + token.id();
    String whole = HttpProbe.json(http.get(path, operator)).path("hash").asString();
    assertEquals(128, whole.length());
    assertEquals(
        whole.substring(0, 9), HttpProbe.json(http.get(path, manager)).path("hash").asString());
    for (JsonNode listed : HttpProbe.json(http.get("/api/v1/tokens", manager)).path("tokens")) {
      assertEquals(9, listed.path("hash").asString().length());
    }
  }

  @Test
  void aLifeOfManyEventsComesInPages() {
    Made token = make("");
    String path = "/api/v1/tokens/" + token.id();
    for (int i = 0; i < 2; i++) {
      assertEquals(200, http.post(path + "/suspend", operator, "").statusCode());
      assertEquals(200, http.post(path + "/resume", operator, "").statusCode());
    }
    JsonNode first = HttpProbe.json(http.get(path + "?limit=3", operator));
    assertEquals(3, first.path("events").size());
    JsonNode second =
        HttpProbe.json(
            http.get(path + "?limit=3&cursor=" + first.path("next_cursor").asString(), operator));
    assertEquals(2, second.path("events").size());
    assertTrue(second.path("next_cursor").isNull());
    assertEquals("token.create", second.path("events").get(1).path("action").asString());
  }

  @Test
  void aTokenToDeleteIsNamedInTheQueryStringOnly() {
    String name = newName().replace(' ', '-');
    make(operator, name, "");
    HttpResponse<String> refused =
        http.send(
            http.request("/api/v3/configure/token")
                .header("Authorization", "Bearer " + operator)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .method("DELETE", BodyPublishers.ofString("token_name=" + name)));
    assertEquals(400, refused.statusCode(), refused.body());
    assertTrue(refused.body().contains("missing field `token_name`"), refused.body());
    assertEquals(200, http.delete(name, operator).statusCode());
  }

  @Nested
  class RevokingMany {

    private HttpResponse<String> revoke(String by, String body) {
      return http.post("/api/v1/tokens/revoke", by, body);
    }

    @Test
    void aWholeLineageGoesAfterADryRun() {
      Made alice = makeAdmin(operator);
      Made bob = makeAdmin(alice.secret());
      Made leaf = make(bob.secret(), newName(), "");
      Made stranger = make("");
      String filter = "{\"filter\":{\"made_by\":" + alice.id() + "}";
      JsonNode dry = HttpProbe.json(revoke(operator, filter + "}"));
      assertTrue(dry.path("dry_run").asBoolean());
      assertEquals(2, dry.path("matched").asInt());
      assertEquals(0, dry.path("revoked").asInt());
      assertEquals(200, ping(leaf.secret()));
      HttpResponse<String> changed =
          revoke(operator, filter + ",\"dry_run\":false,\"expected_count\":3}");
      assertEquals(409, changed.statusCode());
      assertEquals(200, ping(leaf.secret()));
      JsonNode done =
          HttpProbe.json(revoke(operator, filter + ",\"dry_run\":false,\"expected_count\":2}"));
      assertEquals(2, done.path("revoked").asInt());
      assertEquals(401, ping(leaf.secret()));
      assertEquals(401, ping(bob.secret()));
      assertEquals(200, ping(alice.secret()), "the maker itself is not its own work");
      assertEquals(200, ping(stranger.secret()));
    }

    @Test
    void aGrantIsMeantInWholeAndADigestPinsWhoWasShown() {
      String database = newName().replace(' ', '_');
      String grant = "{\"resource_type\":\"db\",\"resource_names\":[\"%s\"],\"actions\":[\"%s\"]}";
      for (String action : List.of("read", "write")) {
        HttpResponse<String> made =
            http.post(
                ENTERPRISE,
                operator,
                "{\"token_name\":\""
                    + newName()
                    + "\",\"permissions\":["
                    + grant.formatted(database, action)
                    + "]}");
        assertEquals(201, made.statusCode(), made.body());
      }
      String filter = "{\"filter\":{\"permission\":\"db:" + database + ":read\"}";
      JsonNode dry = HttpProbe.json(revoke(operator, filter + "}"));
      assertEquals(1, dry.path("matched").asInt(), dry.toString());
      JsonNode other =
          HttpProbe.json(
              revoke(operator, "{\"filter\":{\"permission\":\"db:" + database + ":write\"}}"));
      String run = filter + ",\"dry_run\":false,\"expected_count\":1,\"expected_digest\":\"";
      HttpResponse<String> changed =
          revoke(operator, run + other.path("digest").asString() + "\"}");
      assertEquals(409, changed.statusCode(), "as many, but others");
      JsonNode done = HttpProbe.json(revoke(operator, run + dry.path("digest").asString() + "\"}"));
      assertEquals(1, done.path("revoked").asInt(), done.toString());
      assertEquals(400, revoke(operator, "{\"filter\":{\"permission\":\"db:a\"}}").statusCode());
    }

    @Test
    void neverTheOneThatAsksNorTheOperator() {
      Made admin = makeAdmin(operator);
      JsonNode dry =
          HttpProbe.json(
              revoke(admin.secret(), "{\"filter\":{\"created_since\":\"2020-01-01T00:00:00Z\"}}"));
      for (JsonNode token : dry.path("tokens")) {
        assertNotEquals(admin.id(), token.path("id").asLong());
        assertNotEquals(0, token.path("id").asLong());
      }
    }

    @Test
    void aManagerCannotRevokeAnAdminThisWay() {
      Made manager = make(operator, newName(), ",\"x\":1");
      send(
          "PUT",
          path(manager, "permissions"),
          operator,
          "{\"permissions\":[{\"resource_type\":\"ledger\",\"resource_names\":[\"tokens\"],"
              + "\"actions\":[\"read\",\"write\"]}]}");
      Made admin = makeAdmin(operator);
      JsonNode tried =
          HttpProbe.json(
              revoke(
                  manager.secret(),
                  "{\"filter\":{\"name\":\"" + admin.name() + "\"},\"dry_run\":false}"));
      assertEquals(0, tried.path("revoked").asInt());
      assertEquals("not_permitted", tried.path("tokens").get(0).path("error").asString());
      assertEquals(200, ping(admin.secret()));
    }

    @ParameterizedTest
    @CsvSource(
        delimiter = '|',
        value = {
          "{\"filter\":{}}|filter must restrict",
          "{\"filter\":{\"state\":\"live\"}}|filter must restrict",
          "{\"filter\":{\"nmae\":\"x\"}}|unknown filter nmae",
          "{}|missing field `filter`",
          "{\"filter\":[]}|`filter` must be an object",
          "{\"filter\":{\"name\":\"x\"},\"dry_run\":\"no\"}|`dry_run` must be true or false",
          "{\"filter\":{\"made_by\":-1}}|made_by must not be negative",
          "{\"filter\":{\"made_by\":[1]}}|`made_by` must be a string or a whole number",
          "{\"filter\":{\"kind\":\"root\"}}|kind must be one of operator"
        })
    void aMistakeInTheFilterHitsNobody(String body, String expected) {
      HttpResponse<String> refused = revoke(operator, body);
      assertEquals(400, refused.statusCode(), refused.body());
      assertTrue(refused.body().contains(expected), refused.body());
    }
  }

  @Nested
  class Repeating {

    private HttpResponse<String> create(String by, String key, String body) {
      return http.send(
          http.request(ENTERPRISE)
              .header("Authorization", "Bearer " + by)
              .header("Content-Type", "application/json")
              .header("Idempotency-Key", key)
              .POST(BodyPublishers.ofString(body)));
    }

    @Test
    void theSameRequestGetsTheSameAnswerAndMakesOneToken() {
      String key = UUID.randomUUID().toString();
      String body = body(newName(), "");
      HttpResponse<String> first = create(operator, key, body);
      HttpResponse<String> second = create(operator, key, body);
      assertEquals(201, first.statusCode());
      assertEquals(201, second.statusCode());
      assertEquals(first.body(), second.body());
      assertEquals("true", second.headers().firstValue("Idempotency-Replayed").orElse(""));
      String target = "token:" + HttpProbe.json(first).path("id").asLong();
      String trail = http.get("/api/v1/audit/events?target_id=" + target, operator).body();
      assertTrue(trail.contains("\"event_type\":\"AnswerRepeated\""), trail);
      assertFalse(trail.contains("apiv3_"), "no secret in the audit");
    }

    @Test
    void anotherBodyIsRefusedAndNamesTheToken() {
      String key = UUID.randomUUID().toString();
      HttpResponse<String> first = create(operator, key, body(newName(), ""));
      HttpResponse<String> other = create(operator, key, body(newName(), ""));
      assertEquals(409, other.statusCode());
      assertTrue(
          other.body().contains("token " + HttpProbe.json(first).path("id").asLong()),
          other.body());
      assertFalse(other.body().contains("apiv3_"));
    }

    @Test
    void anotherCallersKeyIsAnotherKey() {
      Made alice = makeAdmin(operator);
      String key = UUID.randomUUID().toString();
      String body = body(newName(), "");
      assertEquals(201, create(operator, key, body).statusCode());
      HttpResponse<String> hers = create(alice.secret(), key, body);
      assertEquals(409, hers.statusCode());
      assertTrue(hers.body().startsWith("token name already exists"), hers.body());
    }

    @Test
    void manyAtOnceMakeOneTokenAndAllGetItsSecret() throws Exception {
      String key = UUID.randomUUID().toString();
      String body = body(newName(), "");
      ExecutorService clients = Executors.newFixedThreadPool(16);
      List<Future<HttpResponse<String>>> answers = new ArrayList<>();
      for (int i = 0; i < 16; i++) {
        answers.add(clients.submit(() -> create(operator, key, body)));
      }
      Set<String> bodies = new HashSet<>();
      for (Future<HttpResponse<String>> answer : answers) {
        assertEquals(201, answer.get().statusCode(), answer.get().body());
        bodies.add(answer.get().body());
      }
      clients.shutdown();
      assertEquals(1, bodies.size());
    }

    @Test
    void aRotationIsRepeatedToo() {
      Made token = make("");
      String key = UUID.randomUUID().toString();
      Set<String> bodies = new HashSet<>();
      for (int i = 0; i < 3; i++) {
        HttpResponse<String> rotated =
            http.send(
                http.request(path(token, "rotate"))
                    .header("Authorization", "Bearer " + operator)
                    .header("Content-Type", "application/json")
                    .header("Idempotency-Key", key)
                    .POST(BodyPublishers.ofString("{\"grace_secs\":5}")));
        assertEquals(201, rotated.statusCode(), rotated.body());
        bodies.add(rotated.body());
      }
      assertEquals(1, bodies.size());
    }

    @ParameterizedTest
    @CsvSource({"short", "twenty-one-characters"})
    void aKeyThatCannotBeRandomEnoughIsRefused(String key) {
      HttpResponse<String> refused = create(operator, key, body(newName(), ""));
      assertEquals(400, refused.statusCode());
      assertTrue(refused.body().contains("Idempotency-Key must be 22 to 255"), refused.body());
    }

    @Test
    void theFirstOperatorTokenTakesNoKey() {
      HttpResponse<String> refused =
          http.send(
              http.request(TokenRoutes.BOOTSTRAP)
                  .header("Idempotency-Key", UUID.randomUUID().toString())
                  .POST(BodyPublishers.noBody()));
      assertEquals(400, refused.statusCode());
    }

    @Test
    void anAnswerOutlivesTheNodeAndCanBeKeptFromBeingShownAgain(@TempDir Path directory) {
      String key = UUID.randomUUID().toString();
      String body = body("survivor", "");
      String admin;
      String first;
      try (Server node = Server.start(ServerIT.options(directory, Map.of()))) {
        HttpProbe probe = new HttpProbe(node.url());
        admin = HttpProbe.json(probe.bootstrap()).path("token").asString();
        first = create(probe, admin, key, body).body();
      }
      try (Server node = Server.start(ServerIT.options(directory, Map.of()))) {
        assertEquals(first, create(new HttpProbe(node.url()), admin, key, body).body());
      }
      try (Server node =
          Server.start(ServerIT.options(directory, Map.of("LEDGER_NO_SECRET_REPLAY", "true")))) {
        HttpResponse<String> refused = create(new HttpProbe(node.url()), admin, key, body);
        assertEquals(409, refused.statusCode());
        assertTrue(refused.body().contains("token 1"), refused.body());
        assertFalse(refused.body().contains("apiv3_"));
      }
    }

    private HttpResponse<String> create(HttpProbe probe, String by, String key, String body) {
      return probe.send(
          probe
              .request(ENTERPRISE)
              .header("Authorization", "Bearer " + by)
              .header("Content-Type", "application/json")
              .header("Idempotency-Key", key)
              .POST(BodyPublishers.ofString(body)));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "GET|/api/v1/tokens|200|403|200",
        "GET|/api/v1/tokens/0|200|403|200",
        "POST|/api/v1/tokens/999999/suspend|404|403|403",
        "POST|/api/v1/tokens/999999/resume|404|403|403",
        "POST|/api/v1/tokens/999999/rotate|404|403|403",
        "PUT|/api/v1/tokens/999999/description|400|403|403",
        "PUT|/api/v1/tokens/999999/expiry|400|403|403",
        "PUT|/api/v1/tokens/999999/permissions|400|403|403",
        "DELETE|/api/v1/tokens/999999|404|403|403",
        "POST|/api/v1/tokens/revoke|400|403|403"
      })
  void managersManageAuditorsReadAndOthersDoNeither(
      String method, String path, int manager, int stranger, int auditor) {
    assertEquals(
        manager, send(method, path, ledgerToken("tokens", "read", "write"), "{}").statusCode());
    assertEquals(stranger, send(method, path, make("").secret(), "{}").statusCode());
    assertEquals(auditor, send(method, path, ledgerToken("audit", "read"), "{}").statusCode());
  }

  private static String ledgerToken(String name, String... actions) {
    return http.create(operator, newName(), "ledger", name, actions);
  }
}

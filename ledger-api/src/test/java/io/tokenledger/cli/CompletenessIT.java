package io.tokenledger.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import io.tokenledger.server.TestServer;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.net.ServerSocket;
import java.net.URLEncoder;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * No change without its event: calls every route and command there is, with every option that
 * changes something, and fails for one that is not on a list here, and for one that appends nothing
 * or not by whom, from where and in which request.
 */
class CompletenessIT {

  /** What a node appends by itself at its start, beside what is tried here. */
  private static final Set<String> NODES_OWN =
      Set.of(
          "AuditVerified",
          "ServiceStarted",
          "LogGenerationStarted",
          "UnreadableEventFound",
          "ProjectionDriftFound",
          "ForgedEventFound");

  /** They take a body and change nothing. */
  private static final Set<String> READS =
      Set.of(
          "POST /api/v1/check",
          "POST /api/v1/check/batch",
          "POST /oauth2/introspect",
          "POST /api/v3/query_sql",
          "POST /ping");

  /** They ask or run a server. */
  private static final Set<String> READING_COMMANDS =
      Set.of(
          "serve",
          "show tokens",
          "show token",
          "check",
          "audit log",
          "audit verify",
          "audit prove",
          "audit check",
          "audit watch",
          "audit witness serve",
          "audit export",
          "audit asof",
          "audit diff",
          "audit history",
          "audit access",
          "audit population",
          "audit sinks",
          "audit dead-letters",
          "audit hold list",
          "audit retention show",
          "audit archive list",
          "audit archive verify",
          "replay unreadable",
          "replay status",
          "replay history",
          "completion",
          "man");

  /**
   * They work on files and databases without a server and change no token by themselves; {@code
   * replay restore accept} is tried, with its events, in RestoreCliIT.
   */
  private static final Set<String> WITHOUT_SERVER =
      Set.of(
          "backup base",
          "backup events",
          "backup digest",
          "restore base",
          "restore events",
          "replay restore accept",
          "replay restore mark");

  /** They say which tokens, how to ask, and how to answer; the rest says what becomes different. */
  private static final Set<String> WHICH_AND_HOW =
      Set.of(
          "--token-name",
          "--id",
          "--state",
          "--kind",
          "--database",
          "--created-since",
          "--created-until",
          "--expires-within",
          "--created-by",
          "--made-by",
          "--unused-since",
          "--host",
          "--token",
          "--tls-ca",
          "--tls-no-verify",
          "--reason",
          "--ticket",
          "--on-behalf-of",
          "--format",
          "--yes",
          "--dry-run",
          "--data-dir",
          "--database-url",
          "--ledger-key-file",
          "--subject-key-store",
          "--replay",
          "--help",
          "--version");

  /** They ask no server: what they write is an event when a server is started with it. */
  private static final Set<String> OFFLINE =
      Set.of("--offline", "--output-file", "--create-databases");

  private static final String GRANT =
      "[{\"resource_type\":\"db\",\"resource_names\":[\"%s\"],\"actions\":[\"read\"]}]";

  private static final String BOOTSTRAP = "POST /api/v3/configure/token/admin";
  private static final String REGENERATE = BOOTSTRAP + "/regenerate";

  @TempDir static Path directory;
  private static EmbeddedPostgres postgres;
  private static TestServer server;
  private static int recoveryPort;
  private static int next;

  @BeforeAll
  static void start() throws Exception {
    try (ServerSocket socket = new ServerSocket(0)) {
      recoveryPort = socket.getLocalPort();
    }
    postgres =
        EmbeddedPostgres.start(directory.resolve("postgres"), Path.of("target/app/postgres"));
    server =
        new TestServer(
            directory.resolve("data"),
            Map.of(
                "LEDGER_ARCHIVE",
                directory.resolve("archive").toString(),
                "LEDGER_ADMIN_TOKEN_RECOVERY_HTTP_BIND",
                "127.0.0.1:" + recoveryPort,
                "LEDGER_DATABASE_URL",
                "postgresql://%s:%s@127.0.0.1:%d/postgres"
                    .formatted(
                        postgres.url().user(),
                        URLEncoder.encode(postgres.url().password(), StandardCharsets.UTF_8),
                        postgres.port())));
    assertEquals(201, server.bootstrap("the-first-request").statusCode());
  }

  @AfterAll
  static void stop() {
    server.close();
    postgres.close();
  }

  /** An event of a type that nobody knows, as a later version may have left it. */
  private static String unreadable() {
    String id = newName();
    execute(
        "INSERT INTO ledger.event (event_id, aggregate_id, sequence_number, aggregate_type,"
            + " event_type, revision, occurred_at, payload, metadata, mac) SELECT '%s', 'token:%s',"
                .formatted(id, id)
            + " 0, 'Token', 'TokenEaten', '1', occurred_at, '{}', '{}', mac"
            + " FROM ledger.event ORDER BY global_index LIMIT 1");
    return id;
  }

  /** The creation of a token, quarantined by a version that could not read it. */
  private static String quarantined() {
    String name = newName();
    made(name);
    execute(
        "INSERT INTO state.quarantine (event_id, global_index, aggregate_id, reason, state)"
            + " SELECT event_id, global_index, aggregate_id, 'a test', 'quarantined'"
            + " FROM ledger.event WHERE aggregate_id = 'token:%s'".formatted(name));
    return execute(
        "SELECT event_id FROM ledger.event WHERE aggregate_id = 'token:%s'".formatted(name));
  }

  /** What ends somewhere: without, there is nothing to run. */
  private static void endOfRequests() {
    for (String token : List.of(server.operator(), keeper())) {
      run(server, token, verb("audit retention set", "requests", "36500"));
    }
  }

  /** Another token that may: some things take two. */
  private static String keeper() {
    String created =
        run(
            server,
            server.operator(),
            verb(
                "create token",
                "--permission",
                "ledger:retention:read,write",
                "--name",
                newName(),
                "--format",
                "json"));
    return JsonMapper.shared().readTree(created).path("token").asString();
  }

  /** A sink that has refused the first entry; it is delivered to by nobody. */
  private static String refusing() {
    String sink = newName();
    execute(
        "INSERT INTO state.sink (name, next_leaf_index, node) VALUES ('%s', 1, 'n0')"
            .formatted(sink));
    execute(
        "INSERT INTO state.dead_letter (sink, leaf_index, reason) VALUES ('%s', 0, 'a test')"
            .formatted(sink));
    return sink;
  }

  /** The subject of a human for whom a token was made. */
  private static String actedFor() {
    String name = newName();
    run(
        server,
        server.operator(),
        verb("create token", "--permission", "db:a:read", "--name", name, "--on-behalf-of", name));
    HttpResponse<String> found =
        server.send(
            "POST",
            "/api/v1/audit/erasures",
            "preview-" + name,
            "{\"person\":\"" + name + "\",\"dry_run\":true}");
    assertEquals(200, found.statusCode(), found.body());
    return JsonMapper.shared().readTree(found.body()).path("subject").asString();
  }

  /** A hold that someone else placed. */
  private static String held() {
    String hold = newName();
    run(
        server,
        keeper(),
        verb("audit hold place", hold, "--subject", "system", "--until", "2000-01-01T00:00:00Z"));
    return hold;
  }

  private static String execute(String sql) {
    DatabaseUrl url = postgres.url().on("postgres");
    try (Connection connection =
            DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
        Statement statement = connection.createStatement()) {
      if (!statement.execute(sql)) {
        return "";
      }
      statement.getResultSet().next();
      return statement.getResultSet().getString(1);
    } catch (SQLException e) {
      throw new AssertionError(e);
    }
  }

  private static String newName() {
    return "complete-" + ++next;
  }

  private static String create(String name) {
    return "{\"token_name\":\"" + name + "\",\"permissions\":" + GRANT.formatted("a") + "}";
  }

  /** Makes a token and gives its id. */
  private static long made(String name) {
    HttpResponse<String> made =
        server.send("POST", "/api/v3/enterprise/configure/token", "make-" + name, create(name));
    assertEquals(201, made.statusCode(), made.body());
    return JsonMapper.shared().readTree(made.body()).path("id").asLong();
  }

  /** Path and body that make a route change something. */
  private record Sample(String path, String body) {}

  private static Map<String, Sample> samples() {
    Map<String, Sample> samples = new LinkedHashMap<>();
    samples.put(
        "POST /api/v3/configure/token/named_admin",
        new Sample(
            "/api/v3/configure/token/named_admin", "{\"token_name\":\"" + newName() + "\"}"));
    for (String path : List.of("/api/v3/enterprise/configure/token", "/api/v3/configure/token")) {
      samples.put("POST " + path, new Sample(path, create(newName())));
    }
    String revoked = newName();
    made(revoked);
    samples.put(
        "DELETE /api/v3/configure/token",
        new Sample("/api/v3/configure/token?token_name=" + revoked, ""));
    String one = "/api/v1/tokens/{id}";
    String path = "/api/v1/tokens/" + made(newName());
    samples.put("POST " + one + "/rotate", new Sample(path + "/rotate", "{}"));
    samples.put("POST " + one + "/suspend", new Sample(path + "/suspend", ""));
    samples.put("POST " + one + "/resume", new Sample(path + "/resume", ""));
    samples.put(
        "PUT " + one + "/description",
        new Sample(path + "/description", "{\"description\":\"d\"}"));
    samples.put("PUT " + one + "/expiry", new Sample(path + "/expiry", "{\"expiry_secs\":60}"));
    samples.put(
        "PUT " + one + "/permissions",
        new Sample(path + "/permissions", "{\"permissions\":" + GRANT.formatted("b") + "}"));
    samples.put("DELETE " + one, new Sample(path, ""));
    String many = newName();
    made(many);
    samples.put(
        "POST /api/v1/tokens/revoke",
        new Sample(
            "/api/v1/tokens/revoke", "{\"dry_run\":false,\"filter\":{\"name\":\"" + many + "\"}}"));
    samples.put(
        "POST /api/v1/tokens/import",
        new Sample("/api/v1/tokens/import", "{\"tokens\":" + importRows(newName()) + "}"));
    samples.put(
        "POST /api/v1/replay/quarantine",
        new Sample("/api/v1/replay/quarantine", "{\"event_id\":\"" + unreadable() + "\"}"));
    samples.put(
        "POST /api/v1/replay/release",
        new Sample("/api/v1/replay/release", "{\"event_id\":\"" + quarantined() + "\"}"));
    samples.put(
        "POST /api/v1/audit/dead-letters/requeue",
        new Sample("/api/v1/audit/dead-letters/requeue", "{\"sink\":\"" + refusing() + "\"}"));
    samples.put(
        "POST /api/v1/audit/erasures",
        new Sample("/api/v1/audit/erasures", "{\"subject\":\"" + actedFor() + "\"}"));
    samples.put(
        "POST /api/v1/audit/archive/restore",
        new Sample("/api/v1/audit/archive/restore", "{\"to\":256}"));
    samples.put("POST /api/v1/audit/archive", new Sample("/api/v1/audit/archive", "{}"));
    samples.put(
        "POST /api/v1/audit/holds",
        new Sample(
            "/api/v1/audit/holds",
            "{\"hold\":\"%s\",\"until\":\"2000-01-01T00:00:00Z\"}".formatted(newName())));
    samples.put(
        "POST /api/v1/audit/holds/lift",
        new Sample("/api/v1/audit/holds/lift", "{\"hold\":\"" + held() + "\"}"));
    samples.put(
        "POST /api/v1/audit/retention",
        new Sample("/api/v1/audit/retention", "{\"class\":\"reads\",\"days\":3650}"));
    endOfRequests();
    samples.put(
        "POST /api/v1/audit/retention/run", new Sample("/api/v1/audit/retention/run", "{}"));
    samples.put(
        "POST /api/v1/audit/exports",
        new Sample("/api/v1/audit/exports?format=ndjson&at=leaf:0", ""));
    samples.put("POST /api/v1/audit/bundles", new Sample("/api/v1/audit/bundles", ""));
    samples.put(
        "POST /api/v1/audit/generations",
        new Sample("/api/v1/audit/generations", "{\"reason\":\"a test\"}"));
    for (String verb : List.of("start", "pause", "resume", "verify", "swap", "rollback", "drop")) {
      samples.put("POST /api/v1/replay/" + verb, new Sample("/api/v1/replay/" + verb, ""));
    }
    return samples;
  }

  private static String importRows(String name) {
    return "[{\"name\":\""
        + name
        + "\",\"hash\":\""
        + io.tokenledger.token.SecretHash.of("apiv3_" + name).hex()
        + "\",\"permissions\":\"[\\\"db:a:read\\\"]\"}]";
  }

  @Test
  void everyMutatingRouteAppendsAnEventWithActorAddressAndRequest() {
    Map<String, Sample> samples = samples();
    Set<String> mutating =
        TestServer.routes().stream()
            .filter(route -> !route.startsWith("GET ") && !READS.contains(route))
            .collect(Collectors.toCollection(TreeSet::new));
    Set<String> covered = new TreeSet<>(samples.keySet());
    covered.add(BOOTSTRAP);
    covered.add(REGENERATE);
    assertEquals(mutating, covered, "every route that changes something has a sample here");
    samples.forEach(
        (route, sample) -> {
          String requestId = "complete-" + ++next;
          HttpResponse<String> answer =
              server.send(route.split(" ")[0], sample.path(), requestId, sample.body());
          assertTrue(answer.statusCode() < 300, route + ": " + answer.body());
          assertAudited(route, requestId, "token", "_admin");
          server.events().stream()
              .filter(event -> event.path("request_id").asString().equals(requestId))
              .map(event -> event.path("event_type").asString())
              .forEach(
                  type ->
                      assertTrue(
                          TestServer.appendedBy(route).contains(type),
                          route + " appended " + type + ", which the catalogue does not say"));
        });
  }

  @Test
  void theRoutesOfTheOperatorTokenAppendAnEventWithActorAddressAndRequest() {
    // It was called at the start, by nobody yet.
    assertAudited(BOOTSTRAP, "the-first-request", "anonymous", "anonymous");
    HttpResponse<String> regenerated =
        server.send("POST", REGENERATE.split(" ")[1], "regenerate", "");
    assertEquals(201, regenerated.statusCode(), regenerated.body());
    adopt(regenerated);
    assertAudited(REGENERATE, "regenerate", "token", "_admin");
  }

  @Test
  void theRecoveryPortAppendsAnEventWhetherItAnswersOrNot() {
    long atFirst = newestLeaf();
    for (List<String> header :
        List.of(
            List.of("Origin", "http://example.org"),
            List.of("X-Forwarded-For", "192.0.2.1"),
            List.of("Forwarded", "for=192.0.2.1"),
            List.of("Via", "1.1 proxy"),
            List.of("X-Real-IP", "192.0.2.1"))) {
      HttpResponse<String> refused =
          TestServer.recover(recoveryPort, header.toArray(new String[0]));
      assertEquals(403, refused.statusCode(), header.toString());
    }
    // The first at once, the others as one summary when their minute is over.
    assertEvents("a refused recovery", atFirst, "denied", "system", "system");
    long before = newestLeaf();
    HttpResponse<String> recovered = TestServer.recover(recoveryPort);
    assertEquals(201, recovered.statusCode(), recovered.body());
    adopt(recovered);
    assertEvents("the recovery port", before, "success", "system", "system");
  }

  private static void adopt(HttpResponse<String> answer) {
    server.adopt(JsonMapper.shared().readTree(answer.body()).path("token").asString());
  }

  private static long newestLeaf() {
    return server.events().get(0).path("leaf_index").asLong();
  }

  private static void assertAudited(String what, String requestId, String actorType, String actor) {
    List<JsonNode> mine =
        server.events().stream()
            .filter(event -> event.path("request_id").asString().equals(requestId))
            .toList();
    assertFalse(mine.isEmpty(), what + " appended nothing");
    mine.forEach(event -> assertWhoWhereAndWhich(what, event, "success", actorType, actor));
  }

  /** All that was appended since, at least one. */
  private static List<JsonNode> assertEvents(
      String what, long leafBefore, String outcome, String actorType, String actor) {
    List<JsonNode> since =
        server.events().stream()
            .filter(event -> event.path("leaf_index").asLong() > leafBefore)
            .filter(event -> !NODES_OWN.contains(event.path("event_type").asString()))
            .toList();
    assertFalse(since.isEmpty(), what + " appended nothing");
    since.forEach(event -> assertWhoWhereAndWhich(what, event, outcome, actorType, actor));
    return since;
  }

  private static void assertWhoWhereAndWhich(
      String what, JsonNode event, String outcome, String actorType, String actor) {
    assertEquals(outcome, event.path("outcome").asString(), what);
    assertEquals(actorType, event.path("actor").path("type").asString(), what);
    assertEquals(actor, event.path("actor").path("name").asString(""), what);
    assertEquals("127.0.0.1", event.path("envelope").path("source").path("ip").asString(), what);
    assertFalse(event.path("request_id").asString("").isEmpty(), what);
  }

  /** Words of every command that has no further words. */
  private static Set<String> leaves(CommandLine line, String prefix) {
    Set<String> leaves = new TreeSet<>();
    line.getSubcommands()
        .forEach(
            (name, subcommand) -> {
              if (subcommand.getSubcommands().isEmpty()) {
                leaves.add(prefix + name);
              } else {
                leaves.addAll(leaves(subcommand, prefix + name + " "));
              }
            });
    return leaves;
  }

  private record Verb(String words, List<String> options) {}

  private static Verb verb(String words, String... options) {
    return new Verb(words, List.of(options));
  }

  @Test
  void everyMutatingCommandAppendsAnEventWithActorAddressRequestAndReason() throws Exception {
    Path rows = Files.writeString(directory.resolve("rows.json"), importRows(newName()));
    String name = newName();
    String many = newName();
    made(many);
    List<Verb> samples = new ArrayList<>();
    // First: until then lists of tokens stand still before it.
    samples.add(verb("replay quarantine", unreadable()));
    samples.add(verb("replay release", quarantined()));
    samples.add(verb("audit requeue", refusing()));
    samples.add(verb("audit requeue", refusing(), "--leaf", "0"));
    samples.add(
        verb("create token", "--permission", "db:a:read", "--name", name, "--expiry", "1d"));
    samples.add(verb("create token", "--admin", "--name", newName(), "--expiry", "1d"));
    samples.add(verb("create token", "--admin", "--regenerate"));
    samples.add(verb("update token", "--token-name", name, "--description", "d"));
    samples.add(verb("update token", "--token-name", name, "--expiry", "2d"));
    samples.add(verb("update token", "--token-name", name, "--expiry", "never"));
    samples.add(verb("update token", "--token-name", name, "--permission", "db:b:read"));
    samples.add(verb("suspend token", "--token-name", name));
    samples.add(verb("resume token", "--token-name", name));
    samples.add(verb("rotate token", "--token-name", name, "--grace", "1s"));
    samples.add(verb("delete token", "--token-name", name, "--yes"));
    samples.add(verb("delete tokens", "--name", many, "--permission", "db:a:read", "--yes"));
    samples.add(verb("import tokens", "--file", rows.toString()));
    samples.add(verb("audit erase", "--subject", actedFor(), "--yes"));
    String person = newName();
    run(
        server,
        server.operator(),
        verb(
            "create token",
            "--permission",
            "db:a:read",
            "--name",
            person,
            "--on-behalf-of",
            person));
    samples.add(verb("audit erase", "--person", person, "--yes"));
    samples.add(
        verb(
            "audit hold place",
            newName(),
            "--subject",
            "system",
            "--by-token",
            name,
            "--from",
            "2000-01-01T00:00:00Z",
            "--until",
            "2000-01-02T00:00:00Z"));
    samples.add(verb("audit hold lift", held()));
    samples.add(verb("audit archive run"));
    samples.add(verb("audit retention set", "service", "3650"));
    endOfRequests();
    samples.add(verb("audit retention run"));
    samples.add(verb("audit archive restore", "--from", "0", "--to", "256"));
    samples.add(verb("replay start", "--wait", "--to", "leaf:0", "--lease", "1h"));
    samples.add(verb("replay start"));
    samples.add(verb("replay pause"));
    samples.add(verb("replay resume"));
    samples.add(verb("replay verify"));
    samples.add(verb("replay swap", "--accept-differences", "0".repeat(64)));
    samples.add(verb("replay rollback", "--accept-differences", "0".repeat(64)));
    samples.add(verb("replay drop"));
    assertEveryOptionHasASample(samples);
    for (Verb sample : samples) {
      long before = newestLeaf();
      String said = run(server, server.operator(), sample);
      if (sample.options().contains("--regenerate")) {
        server.adopt(said.replaceAll("(?s).*\nToken: (\\S+)\n.*", "$1"));
      }
      assertByCommand(sample.toString(), before, "token", "_admin");
    }
  }

  @Test
  void theCommandThatClaimsALedgerAppendsItsEvent() throws Exception {
    try (TestServer unclaimed = new TestServer(directory.resolve("unclaimed"), Map.of())) {
      String said = run(unclaimed, null, verb("create token", "--admin"));
      unclaimed.adopt(said.replaceAll("(?s).*\nToken: (\\S+)\n.*", "$1"));
      TestServer claimed = server;
      server = unclaimed;
      try {
        assertByCommand("create token --admin", -1, "anonymous", "anonymous");
      } finally {
        server = claimed;
      }
    }
  }

  private static void assertByCommand(
      String what, long leafBefore, String actorType, String actor) {
    for (JsonNode event : assertEvents(what, leafBefore, "success", actorType, actor)) {
      JsonNode envelope = event.path("envelope");
      assertEquals("completeness", envelope.path("reason").asString(), what);
      assertTrue(envelope.path("source").path("client").asString().startsWith("cli"), what);
    }
  }

  /** Runs a command and gives what it printed. */
  private static String run(TestServer on, @Nullable String token, Verb verb) {
    List<String> words = new ArrayList<>(List.of(verb.words().split(" ")));
    words.addAll(verb.options());
    words.addAll(List.of("--host", on.url(), "--reason", "completeness"));
    if (token != null) {
      words.addAll(List.of("--token", token));
    }
    InputStream in = System.in;
    PrintStream out = System.out;
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    System.setIn(new ByteArrayInputStream("yes\n".getBytes(StandardCharsets.UTF_8)));
    System.setOut(new PrintStream(said, true, StandardCharsets.UTF_8));
    try {
      assertEquals(0, LedgerCli.run(words.toArray(new String[0])), verb.toString());
    } finally {
      System.setIn(in);
      System.setOut(out);
    }
    return said.toString(StandardCharsets.UTF_8);
  }

  private static void assertEveryOptionHasASample(List<Verb> samples) {
    Set<String> all = leaves(LedgerCli.commandLine(), "");
    all.removeAll(READING_COMMANDS);
    all.removeAll(WITHOUT_SERVER);
    assertEquals(
        all, samples.stream().map(Verb::words).collect(Collectors.toCollection(TreeSet::new)));
    for (String leaf : all) {
      CommandLine command = LedgerCli.commandLine();
      for (String word : leaf.split(" ")) {
        command = command.getSubcommands().get(word);
      }
      Set<String> changing =
          command.getCommandSpec().options().stream()
              .map(OptionSpec::longestName)
              .filter(option -> !WHICH_AND_HOW.contains(option) && !OFFLINE.contains(option))
              .collect(Collectors.toCollection(TreeSet::new));
      Set<String> sampled =
          samples.stream()
              .filter(sample -> sample.words().equals(leaf))
              .flatMap(sample -> sample.options().stream())
              .collect(Collectors.toSet());
      changing.removeAll(sampled);
      assertEquals(Set.of(), changing, leaf + " has options without a sample");
    }
  }
}

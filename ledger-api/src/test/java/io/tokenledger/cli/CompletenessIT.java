package io.tokenledger.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.server.TestServer;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * No change without its event: walks every route and command there is, and fails for one that is
 * not on a list here, and for one that appends nothing.
 */
class CompletenessIT {

  /** They take a body and change nothing. */
  private static final Set<String> READS =
      Set.of("POST /api/v1/check", "POST /api/v3/query_sql", "POST /ping");

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
          "completion",
          "man");

  private static final String GRANT =
      "[{\"resource_type\":\"db\",\"resource_names\":[\"%s\"],\"actions\":[\"read\"]}]";

  @TempDir static Path directory;
  private static TestServer server;
  private static int next;

  @BeforeAll
  static void start() {
    server = new TestServer(directory.resolve("data"), Map.of());
  }

  @AfterAll
  static void stop() {
    server.close();
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
    // The one route that needs nobody: it was called at the start.
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
    samples.put("POST /api/v1/replay/verify", new Sample("/api/v1/replay/verify", ""));
    samples.put("POST /api/v1/audit/bundles", new Sample("/api/v1/audit/bundles", ""));
    samples.put(
        "POST /api/v1/audit/generations",
        new Sample("/api/v1/audit/generations", "{\"reason\":\"a test\"}"));
    samples.put("POST /api/v1/replay/swap", new Sample("/api/v1/replay/swap", ""));
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
    covered.add("POST /api/v3/configure/token/admin");
    covered.add("POST /api/v3/configure/token/admin/regenerate");
    assertEquals(mutating, covered, "every route that changes something has a sample here");
    samples.forEach(
        (route, sample) -> {
          String requestId = "complete-" + ++next;
          HttpResponse<String> answer =
              server.send(route.split(" ")[0], sample.path(), requestId, sample.body());
          assertTrue(answer.statusCode() < 300, route + ": " + answer.body());
          assertAudited(route, requestId, "_admin");
          server.events().stream()
              .filter(event -> event.path("request_id").asString().equals(requestId))
              .map(event -> event.path("event_type").asString())
              .forEach(
                  type ->
                      assertTrue(
                          TestServer.appendedBy(route).contains(type),
                          route + " appended " + type + ", which the catalogue does not say"));
        });
    assertTrue(
        server.events().stream()
            .anyMatch(event -> event.path("event_type").asString().equals("OperatorTokenCreated")));
  }

  private static void assertAudited(String what, String requestId, String actor) {
    List<JsonNode> mine =
        server.events().stream()
            .filter(event -> event.path("request_id").asString().equals(requestId))
            .toList();
    assertFalse(mine.isEmpty(), what + " appended nothing");
    for (JsonNode event : mine) {
      assertEquals(actor, event.path("actor").path("name").asString(), what);
      JsonNode source = event.path("envelope").path("source");
      assertEquals("127.0.0.1", source.path("ip").asString(), what);
      assertEquals("success", event.path("outcome").asString(), what);
    }
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

  @Test
  void everyMutatingCommandAppendsAnEvent() throws Exception {
    Path rows = Files.writeString(directory.resolve("rows.json"), importRows(newName()));
    String name = newName();
    String many = newName();
    made(many);
    Map<String, List<String>> samples = new LinkedHashMap<>();
    samples.put("create token", List.of("--permission", "db:a:read", "--name", name));
    samples.put("update token", List.of("--token-name", name, "--description", "d"));
    samples.put("suspend token", List.of("--token-name", name));
    samples.put("resume token", List.of("--token-name", name));
    samples.put("rotate token", List.of("--token-name", name));
    samples.put("delete token", List.of("--token-name", name, "--yes"));
    samples.put("delete tokens", List.of("--name", many, "--yes"));
    samples.put("import tokens", List.of("--file", rows.toString()));
    samples.put("replay verify", List.of());
    samples.put("replay swap", List.of());
    Set<String> all = leaves(LedgerCli.commandLine(), "");
    all.removeAll(READING_COMMANDS);
    assertEquals(all, samples.keySet().stream().collect(Collectors.toCollection(TreeSet::new)));
    InputStream in = System.in;
    for (Map.Entry<String, List<String>> sample : samples.entrySet()) {
      int before = server.events().size();
      List<String> words = new ArrayList<>(List.of(sample.getKey().split(" ")));
      words.addAll(sample.getValue());
      words.addAll(List.of("--host", server.url(), "--token", server.operator()));
      words.addAll(List.of("--reason", "completeness"));
      System.setIn(new ByteArrayInputStream("yes\n".getBytes(StandardCharsets.UTF_8)));
      try {
        assertEquals(0, LedgerCli.run(words.toArray(new String[0])), sample.getKey());
      } finally {
        System.setIn(in);
      }
      List<JsonNode> events = server.events();
      assertTrue(events.size() > before, sample.getKey() + " appended nothing");
      JsonNode envelope = events.get(0).path("envelope");
      assertEquals("completeness", envelope.path("reason").asString(), sample.getKey());
      assertTrue(
          envelope.path("source").path("client").asString().startsWith("cli"), sample.getKey());
    }
  }
}

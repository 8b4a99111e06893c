package io.tokenledger.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.server.TestServer;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** What auditors ask by command line. */
class AuditAskingCliIT {

  private static final JsonMapper JSON = JsonMapper.shared();

  @TempDir static Path directory;
  private static TestServer server;
  private static long id;
  private static long created;

  /** What a command said. */
  private record Said(int exit, String out, String err) {}

  @BeforeAll
  static void start() {
    server = new TestServer(directory.resolve("data"), Map.of());
    server.bootstrap("cli-bootstrap");
    id =
        JSON.readTree(
                server
                    .send(
                        "POST",
                        "/api/v3/enterprise/configure/token",
                        "cli-create",
                        "{\"token_name\":\"metered\",\"permissions\":[{\"resource_type\":\"db\","
                            + "\"resource_names\":[\"m\"],\"actions\":[\"read\"]}]}")
                    .body())
            .path("id")
            .asLong();
    created = server.events().get(0).path("leaf_index").asLong();
    server.send("POST", "/api/v1/tokens/" + id + "/suspend", "cli-suspend", "");
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private static Said ledger(String... words) {
    List<String> all = new ArrayList<>(List.of(words));
    String option = all.get(1).equals("log") ? "--auth-token" : "--token";
    all.addAll(List.of("--host", server.url(), option, server.operator()));
    return run(all);
  }

  private static Said run(List<String> words) {
    PrintStream out = System.out;
    PrintStream err = System.err;
    ByteArrayOutputStream saidOut = new ByteArrayOutputStream();
    ByteArrayOutputStream saidErr = new ByteArrayOutputStream();
    System.setOut(new PrintStream(saidOut, true, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(saidErr, true, StandardCharsets.UTF_8));
    try {
      int exit = LedgerCli.run(words.toArray(new String[0]));
      return new Said(
          exit, saidOut.toString(StandardCharsets.UTF_8), saidErr.toString(StandardCharsets.UTF_8));
    } finally {
      System.setOut(out);
      System.setErr(err);
    }
  }

  private static String table(String... words) {
    Said said = ledger(words);
    assertEquals(0, said.exit(), said.err());
    return said.out();
  }

  /** Waits until a checkpoint covers what was done. */
  private static void awaitSigned() throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (true) {
      JsonNode newest =
          JSON.readTree(
              server.send("GET", "/api/v1/audit/checkpoints?limit=1", "cli-await", "").body());
      if (newest.path("checkpoints").path(0).path("size").asLong() > created + 1) {
        return;
      }
      assertTrue(System.nanoTime() < end, "a checkpoint comes");
      TimeUnit.MILLISECONDS.sleep(50);
    }
  }

  @Test
  void aLogIsListedByAQueryUpToAPlace() {
    String all = table("audit", "log", "--q", "token:metered");
    assertTrue(all.endsWith("2 events\n"), all);
    String first = table("audit", "log", "--q", "token:metered", "--at", "leaf:" + created);
    assertTrue(first.endsWith("1 event\n"), first);
  }

  @Test
  void theTokensOfAMomentAreListed() {
    String before = table("audit", "asof", "leaf:" + created);
    assertTrue(before.matches("(?s).*\n\\d+ +metered +resource +live +db:m:read.*"), before);
    assertTrue(before.contains("2 tokens as of "), before);
    String csv = table("audit", "asof", "0s", "--format", "csv");
    assertTrue(csv.contains(id + ",metered,resource,suspended,db:m:read,,"), csv);
    String json = table("audit", "asof", "0s", "--format", "json");
    assertEquals(2, json.lines().count(), json);
  }

  @Test
  void theDifferenceOfTwoMomentsIsListed() {
    String diff = table("audit", "diff", "leaf:" + created, "0s");
    assertTrue(diff.matches("(?s).*changed +\\d+ +metered +state +live +suspended\n.*"), diff);
    assertTrue(diff.contains("1 token changed between "), diff);
    String made = table("audit", "diff", "leaf:0", "leaf:" + created, "--format", "csv");
    assertTrue(made.contains("added," + id + ",metered,permissions,,db:m:read\n"), made);
  }

  @Test
  void aLifeIsShownByNameOrId() {
    String life = table("audit", "history", "--token-name", "metered");
    assertTrue(life.endsWith("2 events\n"), life);
    assertEquals(life, table("audit", "history", "--id", Long.toString(id)));
    assertTrue(life.contains("TokenSuspended"), life);
  }

  @Test
  void whoCouldDoWhatIsListed() {
    String then = table("audit", "access", "db:m", "--action", "read", "--at", "leaf:" + created);
    assertTrue(then.contains("metered"), then);
    assertTrue(then.contains("2 tokens could read db:m at "), then);
    String now = table("audit", "access", "db:m", "--action", "read");
    assertFalse(now.contains("metered"), now);
  }

  @Test
  void aPopulationIsCountedAndItsNoteKept() throws Exception {
    awaitSigned();
    Path note = directory.resolve("population.note");
    String counted =
        table(
            "audit",
            "population",
            "--from",
            "1d",
            "--to",
            "0s",
            "-o",
            note.toString(),
            "--format",
            "table");
    assertTrue(counted.contains("ResourceTokenCreated  success  1"), counted);
    assertTrue(Files.readString(note).startsWith("token-ledger population report v1\n"));
  }

  @ParameterizedTest
  @CsvSource({"ndjson, 3", "csv, 3", "cloudevents, 2", "ocsf, 2", "cef, 2"})
  void anExportIsAFileWithItsManifest(String format, int lines) throws Exception {
    awaitSigned();
    Path file = directory.resolve("taken." + format);
    Said said =
        ledger(
            "audit",
            "export",
            "--format",
            format,
            "--q",
            "token:metered",
            "--from",
            "1d",
            "--to",
            "0s",
            "--progress",
            "jsonl",
            "-o",
            file.toString());
    assertEquals(0, said.exit(), said.err());
    assertTrue(said.out().startsWith("2 events in " + file), said.out());
    assertEquals(lines, Files.readAllLines(file).size());
    String manifest = Files.readString(Path.of(file + ".manifest"));
    assertTrue(manifest.startsWith("token-ledger export manifest v1\n"), manifest);
    assertTrue(manifest.contains("\nrows 2\n"), manifest);
    List<String> told = said.err().lines().toList();
    JsonNode progress = JSON.readTree(told.get(told.size() - 1));
    assertEquals("progress", progress.path("type").asString());
    assertEquals(2, progress.path("rows").asLong());
    assertFalse(Files.exists(Path.of(file + ".part")));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "audit asof soon|4|MOMENT must be leaf:N",
        "audit asof leaf:99999999|4|at must lie in the log",
        "audit asof 2026-01-01 --format xml|4|--format must be table, json or csv",
        "audit diff 2026-01-01|4|Missing required parameter: 'TO'",
        "audit history|4|give --token-name or --id",
        "audit history --id 999999|3|no token of id 999999",
        "audit access db:m|4|Missing required option: '--action",
        "audit access m --action read|4|resource must be TYPE:NAME",
        "audit export -o /nowhere/x --format xml|4|--format must be one of ndjson",
        "audit export -o /nowhere/x --q a:b|4|a is no field",
        "audit export -o /nowhere/x --progress bar|4|--progress must be jsonl",
        "audit population --from 2026-01-02 --to 2026-01-01|4|from must not be after to"
      })
  void aWrongQuestionSaysWhatIsWrong(String line, int exit, String expected) throws Exception {
    awaitSigned();
    Said said = ledger(line.split(" "));
    assertEquals(exit, said.exit(), said.err());
    assertTrue(said.err().contains(expected), said.err());
  }

  @Test
  void withoutAServerThereIsNoAnswer() {
    for (String line :
        List.of(
            "audit asof 2026-01-01",
            "audit export -o " + directory.resolve("none"),
            "audit population --from 1d --to 0s")) {
      List<String> words = new ArrayList<>(List.of(line.split(" ")));
      words.addAll(List.of("--host", "http://127.0.0.1:9", "--token", "apiv3_x"));
      Said said = run(words);
      assertEquals(3, said.exit(), line + ": " + said.err());
    }
    assertFalse(Files.exists(directory.resolve("none")));
  }
}

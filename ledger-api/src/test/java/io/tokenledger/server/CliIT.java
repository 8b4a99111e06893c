package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
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

/** The command line as a person runs it: the launcher, its words, its files, its exit codes. */
class CliIT {

  private static final Path LAUNCHER = Path.of("../ops/bin/ledger").toAbsolutePath().normalize();
  private static final JsonMapper JSON = JsonMapper.shared();

  @TempDir static Path data;
  @TempDir Path directory;
  private static Server server;
  private static String operator;

  /** What a command said. */
  private record Said(int exit, String out, String err) {}

  @BeforeAll
  static void start() {
    server = Server.start(ServerIT.options(data, Map.of()));
    operator = HttpProbe.json(new HttpProbe(server.url()).bootstrap()).path("token").asString();
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  private Said run(String input, Map<String, String> environment, String... arguments)
      throws Exception {
    List<String> command = new ArrayList<>(List.of(LAUNCHER.toString()));
    command.addAll(List.of(arguments));
    Path in = Files.writeString(Files.createTempFile(directory, "cli", ".in"), input);
    Path out = Files.createTempFile(directory, "cli", ".out");
    Path err = Files.createTempFile(directory, "cli", ".err");
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().putAll(environment);
    Process process =
        builder
            .redirectInput(in.toFile())
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start();
    try {
      assertTrue(process.waitFor(60, TimeUnit.SECONDS), "the command ends");
    } finally {
      process.destroyForcibly();
    }
    return new Said(
        process.exitValue(),
        Files.readString(out, StandardCharsets.UTF_8),
        Files.readString(err, StandardCharsets.UTF_8));
  }

  /** Runs a command of one line, its words parted by spaces, as the operator. */
  private Said ledger(String line) throws Exception {
    return ledger("", line);
  }

  private Said ledger(String input, String line) throws Exception {
    return run(
        input,
        Map.of("INFLUXDB3_HOST_URL", server.url(), "INFLUXDB3_AUTH_TOKEN", operator),
        line.split(" "));
  }

  private String secretOf(Said said) {
    assertEquals(0, said.exit(), said.err());
    return said.out().replaceAll("(?s).*\nToken: (apiv3_\\S+)\n.*", "$1");
  }

  @Test
  void whatIsKeptIsSetByTwoAndShown() throws Exception {
    assertTrue(ledger("audit retention show").out().contains("requests  forever  -"));
    Said none = ledger("audit retention run --reason due");
    assertEquals(1, none.exit());
    assertTrue(none.err().contains("every class is kept without end"), none.err());
    String less = "audit retention set reads 400 --reason policy-12";
    assertEquals("proposed: it is in force when another token sets the same\n", ledger(less).out());
    Said again = ledger(less);
    assertEquals(1, again.exit());
    assertTrue(again.err().contains("another token must"), again.err());
    String keeper =
        secretOf(ledger("create token --permission ledger:retention:read,write --name cli-keeper"));
    assertEquals(
        "reads are kept for 400 days\n",
        run(
                "",
                Map.of("INFLUXDB3_HOST_URL", server.url(), "INFLUXDB3_AUTH_TOKEN", keeper),
                less.split(" "))
            .out());
    String shown = ledger("audit retention show").out();
    assertTrue(shown.contains("reads     400      -"), shown);
    assertTrue(shown.contains("nothing from leaf "), shown);
    for (String run : List.of("--dry-run", "--reason due")) {
      assertEquals(
          "nothing is at the end of its retention\n", ledger("audit retention run " + run).out());
    }
    assertEquals(4, ledger("audit retention set reads often").exit());
  }

  @Test
  void aLifeFromCreationToRevocation() throws Exception {
    Said created = ledger("create token --permission db:m:read --name cli-life --expiry 40d");
    String secret = secretOf(created);
    assertEquals(
        "\nNew token created successfully!\n\nToken: "
            + secret
            + "\nHTTP Requests Header: Authorization: Bearer "
            + secret
            + "\n\nIMPORTANT: Store this token securely, as it will not be shown again.\n",
        created.out());
    assertFalse(created.out().contains("\u001b"), "no colour codes into a pipe");
    assertEquals(
        "Token \"cli-life\" updated successfully\n",
        ledger("update token --token-name cli-life --description hall-3 --expiry never").out());
    assertEquals(
        0, ledger("update token --token-name cli-life --permission db:m,n:read,write").exit());
    assertEquals(
        "Token \"cli-life\" suspended successfully\n",
        ledger("suspend token --token-name cli-life").out());
    Said again = ledger("suspend token --token-name cli-life");
    assertEquals(1, again.exit());
    assertEquals("", again.out());
    assertTrue(again.err().startsWith("ledger: cannot suspend token: 409 "), again.err());
    assertEquals(1, again.err().lines().count(), again.err());
    assertEquals(0, ledger("resume token --token-name cli-life").exit());
    String successor = secretOf(ledger("rotate token --token-name cli-life --grace 1h"));
    assertFalse(successor.equals(secret));
    Said shown = ledger("show token --token-name cli-life");
    assertTrue(shown.out().contains("db:m,n:read,write"), shown.out());
    assertTrue(shown.out().contains("token.rotate"), shown.out());
    assertFalse(shown.out().contains("apiv3_"), shown.out());
    JsonNode json = JSON.readTree(ledger("show token --token-name cli-life --format json").out());
    assertEquals("hall-3", json.path("tokens").get(0).path("description").asString());
    Said replaced = ledger("check --explain --permission db:m:read --check-token " + secret);
    assertEquals(0, replaced.exit(), "it has its grace: " + replaced.err());
    Said denied = ledger("check --explain --permission db:x:read --check-token " + secret);
    assertEquals(1, denied.exit());
    assertTrue(
        denied
            .out()
            .matches(
                "denied  db:x:read  not_granted\n        not_granted since \\S+Z, by ResourceTokenCreated \\S+,"
                    + " leaf \\d+, of \\S+Z, by _admin\n"),
        denied.out());
    Said no = ledger("no\n", "delete token --token-name cli-life");
    assertEquals(1, no.exit());
    assertTrue(no.err().contains("Cannot proceed without confirmation"), no.err());
    Said yes = ledger("YES\n", "delete token --token-name cli-life");
    assertEquals("Token \"cli-life\" deleted successfully\n", yes.out());
    Said gone = ledger("delete token --token-name cli-life -y");
    assertEquals(1, gone.exit());
    assertTrue(gone.err().contains("404"), gone.err());
  }

  @Test
  void listsAreShownInEveryFormat() throws Exception {
    ledger("create token --permission db:m:read --name cli-list");
    Said pretty = ledger("show tokens");
    assertTrue(pretty.out().startsWith("+----------+"), pretty.out());
    assertTrue(pretty.out().contains("| cli-list"), pretty.out());
    assertTrue(
        JSON.readTree(ledger("show tokens --format json").out())
            .valueStream()
            .anyMatch(token -> token.path("name").asString().equals("cli-list")));
    for (String line : ledger("show tokens --format jsonl").out().lines().toList()) {
      assertTrue(JSON.readTree(line).has("token_id"));
    }
    Path file = directory.resolve("tokens.csv");
    Said csv = ledger("show tokens --format csv -o " + file);
    assertEquals("", csv.out());
    assertTrue(Files.readString(file).startsWith("token_id,name,hash,"));
    Said parquet = ledger("show tokens --format parquet -o " + file);
    assertEquals(1, parquet.exit());
    assertTrue(parquet.err().contains("parquet is not available"), parquet.err());
    Said filtered = ledger("show tokens --name cli-li* --format csv");
    assertEquals(2, filtered.out().lines().count(), filtered.out());
    assertTrue(ledger("show tokens --made-by 0 --state live").out().contains("cli-list"));
  }

  @Test
  void manyAreRevokedAfterTheyWereShown() throws Exception {
    ledger("create token --permission db:m:read --name cli-many-1");
    ledger("create token --permission db:m:read --name cli-many-2");
    Said dry = ledger("delete tokens --name cli-many-* --dry-run");
    assertTrue(dry.out().endsWith("2 tokens match\n"), dry.out());
    Said refused = ledger("\n", "delete tokens --name cli-many-*");
    assertEquals(1, refused.exit());
    Said done = ledger("y\n", "delete tokens --name cli-many-*");
    assertTrue(done.out().endsWith("2 of 2 deleted successfully\n"), done.out());
    Said unrestricted = ledger("delete tokens --yes");
    assertEquals(1, unrestricted.exit());
    assertTrue(unrestricted.err().contains("filter must restrict"), unrestricted.err());
  }

  @Test
  void offlineFilesAreWrittenAndProvisionAServer() throws Exception {
    Path admin = directory.resolve("admin.json");
    Path permissions = directory.resolve("permissions.json");
    String adminSecret = secretOf(ledger("create token --admin --offline --output-file " + admin));
    String first =
        secretOf(
            ledger(
                "create token --permission db:a,b:read --name one --offline --output-file "
                    + permissions
                    + " --create-databases a,b"));
    Said second =
        ledger(
            "create token --permission system:ping:read --name two --expiry 1d --format json"
                + " --offline --output-file "
                + permissions);
    String secondSecret = JSON.readTree(second.out()).path("token").asString();
    for (Path file : List.of(admin, permissions)) {
      assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    }
    JsonNode written = JSON.readTree(Files.readString(permissions));
    assertEquals(2, written.path("tokens").size());
    assertEquals("[\"a\",\"b\"]", written.path("create_databases").toString());
    assertEquals(
        1,
        ledger(
                "create token --permission db:a:read --name one --offline --output-file "
                    + permissions)
            .exit(),
        "a name twice");
    assertEquals(
        1, ledger("create token --admin --offline --output-file " + admin).exit(), "no overwrite");
    Map<String, String> environment =
        Map.of(
            "LEDGER_ADMIN_TOKEN_FILE", admin.toString(),
            "LEDGER_PERMISSION_TOKENS_FILE", permissions.toString());
    Path elsewhere = directory.resolve("data");
    for (int start = 0; start < 2; start++) {
      try (Server node = Server.start(ServerIT.options(elsewhere, environment))) {
        HttpProbe http = new HttpProbe(node.url());
        assertEquals(200, http.get("/ping", adminSecret).statusCode());
        assertEquals(403, http.get("/ping", first).statusCode());
        assertEquals(200, http.get("/ping", secondSecret).statusCode());
        assertEquals(
            3,
            HttpProbe.json(http.get("/api/v1/tokens", adminSecret)).path("tokens").size(),
            "at every start the same");
      }
    }
  }

  @Test
  void theOperatorIsRegeneratedOnlyAfterYes() throws Exception {
    Said no = ledger("y\n", "create token --admin --regenerate");
    assertEquals(1, no.exit());
    assertTrue(no.err().contains("Cannot regenerate token without confirmation"), no.err());
    Said yes = ledger("yes\n", "create token --admin --regenerate");
    String before = operator;
    operator = secretOf(yes);
    HttpProbe http = new HttpProbe(server.url());
    assertEquals(401, http.get("/ping", before).statusCode());
    assertEquals(200, http.get("/ping", operator).statusCode());
  }

  @Test
  void everyExampleOfTheDocumentationWorksByCommandLineAndByHttp() throws Exception {
    Path out = directory.resolve("documented");
    ProcessBuilder builder = new ProcessBuilder("../ops/examples/documented-tokens");
    builder.environment().put("LEDGER_HOST_URL", server.url());
    builder.environment().put("LEDGER_AUTH_TOKEN", operator);
    Process process = builder.redirectErrorStream(true).redirectOutput(out.toFile()).start();
    assertTrue(process.waitFor(240, TimeUnit.SECONDS), "the examples end");
    String said = Files.readString(out);
    assertEquals(0, process.exitValue(), said);
    assertTrue(said.endsWith("all as documented\n"), said);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "create token|1|Missing required subcommand. Use: ledger create token --admin",
        "create token --admin --permission db:a:read|1|Missing required subcommand",
        "create token --permission db:a:read|1|--name is required with --permission",
        "create token --admin --name a --regenerate|1|--regenerate cannot be used with --name",
        "create token --permission db:a:read --name a --regenerate|1|--regenerate only applies",
        "create token --permission db:a --name a|1|Invalid permission: ",
        "create token --permission db:a:fly --name a|1|Invalid permission: ",
        "create token --permission db:a:read --name a --expiry 5|1|time unit needed",
        "create token --permission db:a:read --name a --expiry 5parsecs|1|unknown time unit",
        "create token --permission db:a:read --name a --expiry 0|1|at least one second",
        "create token --permission db:a:read --name a --expiry 9999999y|1|year 9999",
        "create token --admin --format xml|1|--format must be text or json, got xml",
        "create token --admin --offline|1|--offline and --output-file go together",
        "create token --admin --output-file x|1|--offline and --output-file go together",
        "create token --admin --create-databases a|1|--create-databases goes with --offline",
        "delete token|1|give --token-name or --id",
        "delete token --token-name a --id 7|1|give --token-name or --id",
        "delete token --id x|4|--id",
        "delete token --token-name _admin|1|is required and cannot be deleted",
        "show tokens --format xml|1|--format must be pretty, json, jsonl, csv or parquet",
        "show tokens --kind root|1|kind must be one of operator, admin, resource",
        "show tokens --created-since soon|1|--created-since must be an instant",
        "show token|1|give --token-name or --id",
        "show token --token-name nobody|1|404",
        "update token --token-name nobody --expiry 1d|1|404",
        "update token --token-name nobody|1|give --description, --expiry or --permission",
        "rotate token --token-name nobody --grace 1|1|time unit needed",
        "audit log --format xml|1|--format must be table, json or csv",
        "audit log --limit 0|1|--limit must be at least 1",
        "audit log --since soon|1|--since must be an instant",
        "check --permission db|1|Invalid permission",
        "completion tcsh|1|the shell must be bash, zsh or fish",
        "fly|4|Unmatched argument",
        "create token --fly|4|Unknown option"
      })
  void aMistakeIsOneClearLineAndAnExitCode(String line, int exit, String expected)
      throws Exception {
    Said said = ledger(line);
    assertEquals(exit, said.exit(), said.err());
    assertTrue(said.err().contains(expected), said.err());
    assertEquals("", said.out());
    assertTrue(said.err().lines().count() <= 2, said.err());
    assertFalse(said.err().contains("Exception"), said.err());
  }

  @Test
  void aServerThatIsNotThereIsNamed() throws Exception {
    Said said = run("", Map.of("LEDGER_HOST_URL", "http://127.0.0.1:9"), "show", "tokens");
    assertEquals(1, said.exit());
    assertTrue(said.err().contains("cannot reach http://127.0.0.1:9"), said.err());
  }

  @Test
  void theVariableThatTurnsVerificationOffIsReadStrictly() throws Exception {
    for (String value : List.of("yes", "TRUE", "2")) {
      Said said =
          run(
              "",
              Map.of("LEDGER_HOST_URL", "https://127.0.0.1:9", "LEDGER_TLS_NO_VERIFY", value),
              "show",
              "tokens");
      assertEquals(1, said.exit());
      assertEquals("ledger: LEDGER_TLS_NO_VERIFY must be true or false\n", said.err());
    }
    for (String value : List.of("true", "1", "false", "0")) {
      Said said =
          run(
              "",
              Map.of("LEDGER_HOST_URL", "https://127.0.0.1:9", "LEDGER_TLS_NO_VERIFY", value),
              "show",
              "tokens");
      assertTrue(said.err().contains("cannot reach https://127.0.0.1:9"), said.err());
    }
  }

  @Test
  void helpTeachesByExampleAndScriptsAndPagesAreMadeFromIt() throws Exception {
    for (String words : List.of("create token", "rotate token", "show tokens", "delete tokens")) {
      Said help = ledger(words + " --help");
      assertEquals(0, help.exit());
      assertTrue(help.out().contains("Example"), help.out());
      assertTrue(help.out().contains("  ledger " + words), help.out());
    }
    Said bash = ledger("completion bash");
    Path script = Files.writeString(directory.resolve("complete.bash"), bash.out());
    Path probe =
        Files.writeString(
            directory.resolve("probe.bash"),
            "source "
                + script
                + "\nCOMP_WORDS=(ledger ro)\nCOMP_CWORD=1\n"
                + "COMPREPLY=()\n_complete_ledger\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n");
    Path out = directory.resolve("completed");
    Process process =
        new ProcessBuilder("bash", probe.toString()).redirectOutput(out.toFile()).start();
    assertTrue(process.waitFor(30, TimeUnit.SECONDS));
    assertEquals("rotate", Files.readString(out).strip());
    assertTrue(ledger("completion fish").out().contains("-l grace -r"));
    Path page = Path.of("target/app/man/man1/ledger-rotate-token.1");
    assertTrue(Files.readString(page).contains(".SH EXAMPLES"));
  }
}

package io.tokenledger.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import io.tokenledger.attest.Witness;
import io.tokenledger.server.BindAddress;
import io.tokenledger.server.WitnessListener;
import io.tokenledger.signing.SigningKeys;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.NodeReader;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.Proofs;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** A log whose operator holds the real key, and shows what suits him. */
class WatchCommandTest {

  private static final String ORIGIN = "test/log/1";

  @TempDir Path directory;
  private HttpServer server;
  private SigningKeys keys;
  private Path policy;
  private String history = "true";
  private long size;
  private SignedNote instead;
  private int status = 200;
  private String said = "";

  @BeforeEach
  void start() throws Exception {
    keys = SigningKeys.loadOrCreate(List.of(directory.resolve("log.key")));
    policy =
        Files.writeString(
            directory.resolve("policy"),
            "log " + keys.verifierKeys(ORIGIN).get(0) + "\nquorum none\n");
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/",
        exchange -> {
          try (exchange) {
            String query = exchange.getRequestURI().getQuery();
            String body = query == null ? shown().toString() : proof(query);
            byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(status, bytes.length == 0 ? -1 : bytes.length);
            exchange.getResponseBody().write(bytes);
          }
        });
    server.start();
  }

  @AfterEach
  void stop() {
    server.stop(0);
  }

  private NodeReader nodes(String word) {
    return new NodeReader() {
      @Override
      public TreeHash node(int level, long index) {
        return level == 0
            ? TreeHash.leaf((word + index).getBytes(StandardCharsets.UTF_8))
            : TreeHash.node(node(level - 1, 2 * index), node(level - 1, 2 * index + 1));
      }
    };
  }

  private SignedNote note(String word, long leaves) {
    return keys.sign(
        new Checkpoint(ORIGIN, leaves, Proofs.root(leaves, nodes(word))).text(), ORIGIN);
  }

  private SignedNote shown() {
    return instead == null ? note(history, size) : instead;
  }

  private String proof(String query) {
    String[] sizes = query.replace("from=", "").split("&to=");
    return Proofs.consistency(Long.parseLong(sizes[0]), Long.parseLong(sizes[1]), nodes(history))
        .stream()
        .map(hash -> hash + "\n")
        .collect(Collectors.joining());
  }

  private int watch(long leaves) {
    return watch(leaves, "http://127.0.0.1:" + server.getAddress().getPort());
  }

  private int watch(long leaves, String url) {
    size = leaves;
    PrintStream out = System.out;
    PrintStream err = System.err;
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    PrintStream both = new PrintStream(bytes, true, StandardCharsets.UTF_8);
    System.setOut(both);
    System.setErr(both);
    try {
      return LedgerCli.run(
          "audit",
          "watch",
          "--state",
          directory.resolve("notebook").toString(),
          "--policy",
          policy.toString(),
          "--once",
          "--host",
          url);
    } finally {
      System.setOut(out);
      System.setErr(err);
      said = bytes.toString(StandardCharsets.UTF_8);
    }
  }

  private Path evidence() {
    return directory.resolve("notebook/evidence.json");
  }

  private String remembered() throws Exception {
    return Files.readString(directory.resolve("notebook/checkpoint"));
  }

  @Test
  void remembersTheFirstCheckpointAndSaysSoAndThenDemandsItsContinuation() throws Exception {
    assertEquals(0, watch(5));
    assertTrue(said.contains("trusted on first use"), said);
    for (long leaves : new long[] {5, 6, 8, 300}) {
      assertEquals(0, watch(leaves), said);
      assertFalse(said.contains("first use"), said);
    }
    assertEquals(note("true", 300).toString(), remembered());
    assertFalse(Files.exists(evidence()));
  }

  @Test
  void aForkMadeWithTheRealKeyIsWrittenDownAndTheTruthStaysRemembered() throws Exception {
    assertEquals(0, watch(5));
    history = "other";
    assertEquals(2, watch(9));
    JsonNode found = JsonMapper.shared().readTree(Files.readString(evidence()));
    Policy believed = Policy.of(keys.verifierKeys(ORIGIN));
    assertEquals(5, believed.open(SignedNote.parse(found.path("remembered").stringValue())).size());
    assertEquals(9, believed.open(SignedNote.parse(found.path("shown").stringValue())).size());
    assertEquals(note("true", 5).toString(), remembered());
    assertEquals(2, watch(5), "the same size with another root");
    assertTrue(Files.exists(directory.resolve("notebook/evidence-2.json")));
    assertEquals(found, JsonMapper.shared().readTree(Files.readString(evidence())));
  }

  @Test
  void aLogThatShrankIsEvidence() {
    assertEquals(0, watch(5));
    assertEquals(2, watch(4));
    assertTrue(said.contains("shows 4 leaves, and had 5"), said);
  }

  @Test
  void whatNobodyKnownSignedOrNobodyAnswersProvesNothing() throws Exception {
    assertEquals(0, watch(5));
    instead =
        SigningKeys.loadOrCreate(List.of(directory.resolve("other.key")))
            .sign(note("other", 9).text(), ORIGIN);
    assertEquals(3, watch(9));
    instead = null;
    status = 503;
    assertEquals(3, watch(9));
    assertEquals(3, watch(9, "http://127.0.0.1:1"));
    assertFalse(Files.exists(evidence()));
    assertEquals(note("true", 5).toString(), remembered());
  }

  /** Who made Go's library convicts the log by the file alone: both notes are of its key. */
  @Test
  @Tag("client")
  void goAcceptsBothNotesOfTheEvidenceAndNoneAfterOneChange() throws Exception {
    assertEquals(0, watch(5));
    history = "other";
    assertEquals(2, watch(5));
    String evidence = Files.readString(evidence());
    Path good = Files.writeString(directory.resolve("good.json"), evidence);
    ObjectNode json = (ObjectNode) JsonMapper.shared().readTree(evidence);
    String shown = json.get("shown").asString();
    Path flipped =
        Files.writeString(
            directory.resolve("flipped.json"),
            json.deepCopy().put("shown", shown.replace("\n5\n", "\n6\n")).toString());
    Path same =
        Files.writeString(
            directory.resolve("same.json"), json.deepCopy().put("remembered", shown).toString());
    Path program = directory.resolve("checklog");
    String source = "../ledger-projections/src/test/go/checklog.go";
    assertEquals("", run("go", "build", "-o", program.toString(), source));
    List<String> verdicts =
        run(
                program.toString(),
                keys.verifierKeys(ORIGIN).get(0).toString(),
                good.toString(),
                flipped.toString(),
                same.toString())
            .lines()
            .toList();
    assertEquals("ok " + good, verdicts.get(0));
    assertTrue(
        verdicts.get(1).startsWith("bad " + flipped + ": invalid signature"), verdicts.get(1));
    assertEquals("bad " + same + ": both notes say the same", verdicts.get(2));
  }

  private String run(String... command) throws Exception {
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    // Offline: only what Debian's packages put there.
    builder.environment().put("GO111MODULE", "off");
    builder.environment().put("GOFLAGS", "");
    builder.environment().put("GOPATH", directory.resolve("gopath") + ":/usr/share/gocode");
    builder.environment().put("GOCACHE", directory.resolve("gocache").toString());
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), output);
    return output;
  }

  @Test
  void aWitnessRefusesTheForkThatTheNotebookFinds() throws Exception {
    try (Witness witness =
            new Witness(
                SigningKeys.loadOrCreate(List.of(directory.resolve("w.key")), "--key-file"),
                "w/1",
                keys.verifierKeys(ORIGIN),
                directory.resolve("witness"),
                Clock.systemUTC());
        WitnessListener listener =
            new WitnessListener(witness, BindAddress.parse("--bind", "127.0.0.1:0"))) {
      String add = listener.url() + "/add-checkpoint";
      assertEquals(200, post(add, "old 0\n\n" + note("true", 5)));
      assertEquals(409, post(add, "old 0\n\n" + note("true", 5)));
      history = "other";
      assertEquals(422, post(add, "old 5\n" + proof("from=5&to=9") + "\n" + note("other", 9)));
      assertEquals(400, post(add, "old 5\n" + "A".repeat(65 * 1024)));
      assertEquals(404, post(listener.url() + "/other", ""));
      HttpURLConnection newest =
          open(listener.url() + "/" + Witness.fileName(ORIGIN) + "/checkpoint");
      assertEquals(200, newest.getResponseCode());
      SignedNote cosigned =
          SignedNote.parse(
              new String(newest.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
      assertTrue(cosigned.isSignedBy(witness.verifierKey()));
      assertEquals(note("true", 5).text(), cosigned.text());
      assertEquals(404, open(listener.url() + "/lock/checkpoint").getResponseCode());

      history = "true";
      Files.writeString(
          policy,
          "log "
              + keys.verifierKeys(ORIGIN).get(0)
              + "\nwitness w "
              + witness.verifierKey()
              + "\nquorum w\n");
      instead = cosigned;
      assertEquals(0, watch(5), said);
      instead = null;
      history = "other";
      assertEquals(2, watch(9), "no witness is needed to convict");
    }
  }

  private static HttpURLConnection open(String url) throws Exception {
    return (HttpURLConnection) URI.create(url).toURL().openConnection();
  }

  private static int post(String url, String body) throws Exception {
    HttpURLConnection connection = open(url);
    connection.setDoOutput(true);
    connection.getOutputStream().write(body.getBytes(StandardCharsets.UTF_8));
    int status = connection.getResponseCode();
    if (status == 409) {
      assertEquals("text/x.tlog.size", connection.getContentType());
    }
    return status;
  }
}

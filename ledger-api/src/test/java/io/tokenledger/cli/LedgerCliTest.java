package io.tokenledger.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsParameters;
import com.sun.net.httpserver.HttpsServer;
import io.tokenledger.token.TokenSecret;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyStore;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.IntSupplier;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import tools.jackson.databind.json.JsonMapper;

class LedgerCliTest {

  private static final String SECRET =
      "apiv3_Jkalv-IPKqJR2P7QT0n28gFpf1iEwK-eZ7q6hXqyzrJu0kEPB-VE88eGXTTz9GKhwKm38-6qkykKPdhNeduS9g";

  /** What a command said. */
  private record Said(int exit, String out, String err) {}

  private static Said run(String... arguments) {
    return said(() -> LedgerCli.run(arguments));
  }

  private static synchronized Said said(IntSupplier command) {
    PrintStream out = System.out;
    PrintStream err = System.err;
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    ByteArrayOutputStream failed = new ByteArrayOutputStream();
    try {
      System.setOut(new PrintStream(said, true, StandardCharsets.UTF_8));
      System.setErr(new PrintStream(failed, true, StandardCharsets.UTF_8));
      int exit = command.getAsInt();
      return new Said(
          exit, said.toString(StandardCharsets.UTF_8), failed.toString(StandardCharsets.UTF_8));
    } finally {
      System.setOut(out);
      System.setErr(err);
    }
  }

  private static void assertOneLine(Said said, String expected) {
    assertEquals(1, said.exit(), said.err());
    assertEquals(1, said.err().lines().count(), said.err());
    assertTrue(said.err().contains(expected), said.err());
    assertEquals("", said.out());
  }

  @ParameterizedTest
  @ValueSource(strings = {"a\nb", "a\r", "a b", "\u00e9", "a\u0000", " a"})
  void aTokenThatNoHeaderCarriesIsRefusedWithoutShowingIt(String hostile) {
    String token = SECRET + hostile;
    Said said = run("show", "tokens", "--host", "http://127.0.0.1:9", "--token", token);
    assertOneLine(said, "must be visible ASCII");
    assertFalse(said.err().contains("apiv3_"), said.err());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "not a url",
        "ftp://x",
        "file:///etc/passwd",
        "localhost:8181",
        "http://",
        "http://user:secret@127.0.0.1:9",
        "http://127.0.0.1:9?a=secret",
        "jar:file:/tmp/x!/y",
        "mailto:a@b"
      })
  void aHostThatIsNoUrlOfAServerIsRefused(String host) {
    Said said = run("show", "tokens", "--host", host);
    assertOneLine(said, "--host (LEDGER_HOST_URL, INFLUXDB3_HOST_URL) must be a URL");
    assertFalse(said.err().contains("secret"), said.err());
  }

  @Test
  void whatNobodyForesawIsOneLineWithoutTheCallersValues() {
    Said said = said(() -> LedgerCli.explain(new IllegalStateException("about " + SECRET)));
    assertOneLine(said, "internal error, please report it: java.lang.IllegalStateException at ");
    assertFalse(said.err().contains("apiv3_"), said.err());
  }

  @Test
  void aSecretInTheWrongPlaceIsNotRepeated() {
    Said said = run("show", "tokens", SECRET);
    assertEquals(4, said.exit());
    assertTrue(said.err().contains("apiv3_..."), said.err());
    assertFalse(said.err().contains(SECRET), said.err());
  }

  @ParameterizedTest
  @ValueSource(strings = {"--help", "-h", "--help-all", "--help-full"})
  void everyWordForHelpOfTheOriginalHelps(String word) {
    for (List<String> command :
        List.of(List.<String>of(), List.of("create", "token"), List.of("show", "tokens"))) {
      List<String> words = new ArrayList<>(command);
      words.add(word);
      Said said = run(words.toArray(new String[0]));
      assertEquals(0, said.exit(), said.err());
      assertTrue(said.out().contains("Examples:"), said.out());
      assertFalse(said.out().contains("--help-all"), said.out());
    }
  }

  @Test
  void helpFitsIntoEightyColumns() {
    assertFits(LedgerCli.commandLine());
  }

  private static void assertFits(CommandLine command) {
    command
        .getUsageMessage(CommandLine.Help.Ansi.OFF)
        .lines()
        .forEach(line -> assertTrue(line.length() <= 80, line.length() + ": " + line));
    command.getSubcommands().values().forEach(LedgerCliTest::assertFits);
  }

  @Test
  void aServerThatSpeaksNoTls13IsNotAsked(@TempDir Path directory) throws Exception {
    Path store = directory.resolve("keys.p12");
    Process keytool =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-alias",
                "a",
                "-keyalg",
                "EC",
                "-dname",
                "CN=127.0.0.1",
                "-ext",
                "san=ip:127.0.0.1",
                "-storetype",
                "PKCS12",
                "-keystore",
                store.toString(),
                "-storepass",
                "changeit")
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    assertEquals(0, keytool.waitFor());
    KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    keys.init(
        KeyStore.getInstance(store.toFile(), "changeit".toCharArray()), "changeit".toCharArray());
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), null, null);
    for (String protocol : List.of("TLSv1.2", "TLSv1.3")) {
      HttpsServer server =
          HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
      server.setHttpsConfigurator(
          new HttpsConfigurator(context) {
            @Override
            public void configure(HttpsParameters parameters) {
              parameters.setProtocols(new String[] {protocol});
            }
          });
      server.createContext("/", exchange -> exchange.sendResponseHeaders(418, -1));
      server.start();
      try {
        String host = "https://127.0.0.1:" + server.getAddress().getPort();
        Said said = run("show", "tokens", "--host", host, "--tls-no-verify");
        assertOneLine(said, protocol.equals("TLSv1.2") ? "does it speak TLS 1.3" : "418");
        Said strict = run("show", "tokens", "--host", host);
        assertOneLine(strict, "is its certificate the one that --tls-ca names");
        assertFalse(strict.err().contains("is the server running"), strict.err());
      } finally {
        server.stop(0);
      }
    }
  }

  @Test
  void shellsCompleteTheValuesOfFormat() {
    assertTrue(run("completion", "bash").out().contains("\"pretty\" \"json\" \"jsonl\" \"csv\""));
    assertTrue(run("completion", "fish").out().contains("-l format -r -f -a 'text json'"));
  }

  @Test
  void manyAtOnceAddToAnOfflineFileAndLoseNoToken(@TempDir Path directory) throws Exception {
    Path file = directory.resolve("tokens.json");
    List<Process> processes = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      processes.add(
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                  "-cp",
                  System.getProperty("java.class.path"),
                  Appender.class.getName(),
                  file.toString(),
                  "p" + i + "-")
              .redirectErrorStream(true)
              .redirectOutput(directory.resolve("out" + i).toFile())
              .start());
    }
    for (int i = 0; i < processes.size(); i++) {
      assertTrue(processes.get(i).waitFor(60, TimeUnit.SECONDS), "the command ends");
      assertEquals(0, processes.get(i).exitValue(), Files.readString(directory.resolve("out" + i)));
    }
    assertEquals(
        5 * Appender.TOKENS,
        JsonMapper.shared().readTree(Files.readString(file)).path("tokens").size());
    assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    try (var files = Files.list(directory)) {
      assertEquals(
          List.of(".tokens.json.lock"),
          files
              .map(path -> path.getFileName().toString())
              .filter(name -> name.startsWith("."))
              .toList(),
          "no temporary file is left");
    }
  }

  /** A process that adds tokens as fast as it can. */
  static final class Appender {

    static final int TOKENS = 20;

    private Appender() {}

    public static void main(String[] arguments) {
      SecureRandom random = new SecureRandom();
      for (int i = 0; i < TOKENS; i++) {
        OfflineFile.addPermissionToken(
            Path.of(arguments[0]),
            TokenSecret.generate(random),
            arguments[1] + i,
            null,
            List.of("db:a:read"),
            List.of());
      }
    }
  }
}

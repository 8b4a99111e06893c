package io.tokenledger.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.archive.ArchiveStore;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.ObjectLockRetention;
import software.amazon.awssdk.services.s3.model.ObjectLockRetentionMode;

/** The store, and the ledger's command line with it, against a server of others. */
@Tag("client")
class S3StoreIT {

  private static final Path LAUNCHER = Path.of("../../bin/ledger").toAbsolutePath().normalize();
  private static final Path LIBRARIES = Path.of("target/lib").toAbsolutePath();
  private static final String BUCKET = "worm";
  private static final String REGION = "us-east-1";

  private static final String TOKEN =
      "{\"token_name\":\"t%d\",\"permissions\":[{\"resource_type\":\"db\","
          + "\"resource_names\":[\"a\"],\"actions\":[\"read\"]}]}";

  @TempDir static Path directory;
  private static TestS3 server;
  private static S3Client client;

  private final HttpClient http = HttpClient.newHttpClient();

  @BeforeAll
  static void start() throws Exception {
    // Whose they are the server does not ask.
    System.setProperty("aws.accessKeyId", "test");
    System.setProperty("aws.secretAccessKey", "test");
    server = new TestS3(directory.resolve("s3"));
    client =
        S3Client.builder()
            .httpClientBuilder(UrlConnectionHttpClient.builder())
            .region(Region.of(REGION))
            .endpointOverride(URI.create(server.endpoint()))
            .forcePathStyle(true)
            .credentialsProvider(
                StaticCredentialsProvider.create(AwsBasicCredentials.create("test", "test")))
            .build();
    client.createBucket(request -> request.bucket(BUCKET).objectLockEnabledForBucket(true));
    client.createBucket(request -> request.bucket("plain"));
  }

  @AfterAll
  static void stop() {
    client.close();
    server.close();
  }

  private static String location(String bucketAndPrefix) {
    return "s3://"
        + bucketAndPrefix
        + "?days=30&path_style=true&region="
        + REGION
        + "&endpoint="
        + server.endpoint();
  }

  private static Path file(String text) throws IOException {
    return Files.writeString(Files.createTempFile(directory, "file", ""), text);
  }

  @Test
  void whatIsKeptIsReadBackListedAndLocked() throws Exception {
    ArchiveStore store = ArchiveStore.open(location(BUCKET + "/a/b"));
    Instant before = Instant.now();
    store.put("segment-1.zip", file("one"));
    store.put("segment-0.zip", file("zero"));
    assertEquals(List.of("segment-0.zip", "segment-1.zip"), store.list());
    Path into = directory.resolve("into");
    Files.writeString(into, "something longer that was there");
    store.get("segment-1.zip", into);
    assertEquals("one", Files.readString(into));
    assertThrows(NoSuchFileException.class, () -> store.get("segment-2.zip", into));
    ObjectLockRetention lock =
        client
            .getObjectRetention(request -> request.bucket(BUCKET).key("a/b/segment-1.zip"))
            .retention();
    assertEquals(ObjectLockRetentionMode.COMPLIANCE, lock.mode());
    assertTrue(lock.retainUntilDate().isAfter(before.plusSeconds(29L * 86_400)), lock.toString());
    assertEquals(List.of(), ArchiveStore.open(location(BUCKET + "/other")).list());
  }

  @Test
  void whatIsThereIsNotReplaced() throws Exception {
    ArchiveStore store = ArchiveStore.open(location(BUCKET + "/race"));
    store.put("one.zip", file("first"));
    assertThrows(FileAlreadyExistsException.class, () -> store.put("one.zip", file("second")));
    Path into = directory.resolve("race");
    store.get("one.zip", into);
    assertEquals("first", Files.readString(into));
  }

  @Test
  void aBucketWithoutLocksIsRefusedBeforeAnythingIsWritten() throws Exception {
    ArchiveStore store = ArchiveStore.open(location("plain"));
    IOException refused = assertThrows(IOException.class, () -> store.put("a.zip", file("a")));
    assertTrue(refused.getMessage().contains("plain has no Object Lock"), refused.getMessage());
    assertEquals(List.of(), store.list());
  }

  @Test
  void aBucketThatIsNotThereAndAServerThatIsNotThereAreNamed() {
    ArchiveStore none = ArchiveStore.open(location("none-such"));
    IOException missing = assertThrows(IOException.class, none::list);
    assertTrue(
        missing.getMessage().contains("none-such: NoSuchBucket (404)"), missing.getMessage());
    ArchiveStore away =
        ArchiveStore.open("s3://b?days=1&region=x&path_style=true&endpoint=http://127.0.0.1:1");
    IOException unreachable = assertThrows(IOException.class, away::list);
    assertTrue(unreachable.getMessage().startsWith("bucket b cannot be reached"));
  }

  @Test
  void aLedgerArchivesThereAndAnyoneVerifiesItWithoutTheLedger() throws Exception {
    String location = location(BUCKET + "/ledger");
    Path data = directory.resolve("ledger");
    Path out = directory.resolve("serve.out");
    Process serve =
        ledger(
                Map.of(),
                "serve",
                "--http-bind",
                "127.0.0.1:0",
                "--data-dir",
                data.toString(),
                "--archive",
                location)
            .redirectOutput(out.toFile())
            .redirectError(directory.resolve("serve.log").toFile())
            .start();
    try {
      String url = ready(serve, out);
      String operator = field(asked(url, "POST", "/api/v3/configure/token/admin", "", ""), "token");
      for (int i = 0; i < 300; i++) {
        asked(url, "POST", "/api/v3/enterprise/configure/token", operator, TOKEN.formatted(i));
      }
      Map<String, String> asAdmin = Map.of("LEDGER_HOST_URL", url, "LEDGER_AUTH_TOKEN", operator);
      String[] run = {"audit", "archive", "run", "--reason", "a test"};
      Instant end = Instant.now().plusSeconds(30);
      // What is not signed yet waits.
      while (said(asAdmin, run).startsWith("0 segments")) {
        assertTrue(Instant.now().isBefore(end), "it is signed in time");
      }
      assertTrue(said(asAdmin, "audit", "archive", "list").contains("256"));
      String key = field(asked(url, "GET", "/api/v1/audit/keys", operator, ""), "verifier_key");
      String verified =
          said(Map.of(), "audit", "archive", "verify", "--archive", location, "--key", key);
      assertTrue(verified.startsWith("segments: 1, first leaf in none: 256"), verified);
    } finally {
      serve.destroy();
      assertTrue(serve.waitFor(60, TimeUnit.SECONDS));
    }
  }

  private static ProcessBuilder ledger(Map<String, String> environment, String... arguments) {
    List<String> command = new ArrayList<>(List.of(LAUNCHER.toString()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("LEDGER_SINK_JARS", LIBRARIES.toString());
    builder.environment().put("AWS_ACCESS_KEY_ID", "test");
    builder.environment().put("AWS_SECRET_ACCESS_KEY", "test");
    builder.environment().putAll(environment);
    return builder;
  }

  /** What a command prints that ends well. */
  private static String said(Map<String, String> environment, String... arguments)
      throws Exception {
    Process ran = ledger(environment, arguments).redirectErrorStream(true).start();
    String said = new String(ran.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, ran.waitFor(), said);
    return said;
  }

  private static String ready(Process serve, Path out) throws Exception {
    String prefix = "ledger ready on ";
    Instant end = Instant.now().plusSeconds(90);
    String said = "";
    while (!(said.startsWith(prefix) && said.endsWith("\n"))) {
      assertTrue(
          serve.isAlive() && Instant.now().isBefore(end),
          () -> "no server, see " + directory.resolve("serve.log"));
      serve.waitFor(20, TimeUnit.MILLISECONDS);
      said = Files.readString(out);
    }
    return said.substring(prefix.length()).strip();
  }

  private String asked(String url, String method, String path, String token, String body)
      throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(url + path))
            .header("Content-Type", "application/json")
            .method(method, HttpRequest.BodyPublishers.ofString(body));
    if (!token.isEmpty()) {
      request.header("Authorization", "Bearer " + token);
    }
    HttpResponse<String> answer = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    assertEquals(2, answer.statusCode() / 100, answer.body());
    return answer.body();
  }

  private static String field(String json, String name) {
    Matcher found = Pattern.compile('"' + name + "\": *\"([^\"]+)\"").matcher(json);
    assertTrue(found.find(), json);
    return found.group(1);
  }
}

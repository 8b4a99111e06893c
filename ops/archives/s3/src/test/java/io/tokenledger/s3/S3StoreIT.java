package io.tokenledger.s3;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.archive.ArchiveStore;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
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

  @TempDir static Path directory;
  private static TestS3 server;
  private static S3Client client;

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
  void ofTwoWritersOneIsRefusedAndWhatIsThereStays() throws Exception {
    ArchiveStore store = ArchiveStore.open(location(BUCKET + "/race"));
    store.put("one.zip", file("first"));
    assertThrows(FileAlreadyExistsException.class, () -> store.put("one.zip", file("second")));
    ExecutorService writers = Executors.newFixedThreadPool(4);
    try {
      List<Callable<Boolean>> all = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        Path mine = file("writer " + i);
        all.add(() -> written(store, mine));
      }
      int won = 0;
      for (Future<Boolean> each : writers.invokeAll(all)) {
        won += each.get() ? 1 : 0;
      }
      assertEquals(1, won);
    } finally {
      writers.shutdown();
    }
    Path into = directory.resolve("race");
    store.get("one.zip", into);
    assertEquals("first", Files.readString(into));
  }

  private static boolean written(ArchiveStore store, Path file) throws IOException {
    try {
      store.put("two.zip", file);
      return true;
    } catch (FileAlreadyExistsException e) {
      return false;
    }
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
  void theCommandLineVerifiesAnArchiveThere() throws Exception {
    String location = location(BUCKET + "/empty");
    ProcessBuilder verify =
        new ProcessBuilder(
            LAUNCHER.toString(),
            "audit",
            "archive",
            "verify",
            "--archive",
            location,
            "--policy",
            file("").toString());
    verify
        .environment()
        .putAll(
            Map.of(
                "LEDGER_SINK_JARS",
                LIBRARIES.toString(),
                "AWS_ACCESS_KEY_ID",
                "test",
                "AWS_SECRET_ACCESS_KEY",
                "test"));
    Process ran = verify.redirectErrorStream(true).start();
    String said = new String(ran.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(ran.waitFor(60, TimeUnit.SECONDS));
    assertFalse(said.contains("no jar here knows"), said);
  }
}

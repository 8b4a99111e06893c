package io.tokenledger.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.TestLedger;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.signing.SigningKeys;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A part of the log as a file: the ledger and its database are gone when it is checked. */
class BundleIT {

  private static final int TOKENS = 40;

  @TempDir static Path directory;
  private static SignedNote older;
  private static Path whole;
  private static Path part;

  @BeforeAll
  static void write() throws Exception {
    try (Ledger ledger = TestLedger.open(TestPostgres.freshDatabase(), directory)) {
      create(ledger, 0, TOKENS / 2);
      older = signed(ledger, TOKENS / 2).note();
      create(ledger, TOKENS / 2, TOKENS);
      CheckpointTable.Signed newest = signed(ledger, TOKENS);
      long known = Checkpoint.parse(older.text()).size();
      whole = write(ledger, newest, new BundleWriter.Range(0, newest.size(), known), "whole.zip");
      part = write(ledger, newest, new BundleWriter.Range(7, 19, 5L), "part.zip");
    }
  }

  private static void create(Ledger ledger, int from, int to) {
    List<CompletableFuture<?>> made = new ArrayList<>();
    for (int i = from; i < to; i++) {
      made.add(TestLedger.create(ledger, "t" + i, TestLedger.newHash(), "db:a:read"));
    }
    made.forEach(CompletableFuture::join);
  }

  private static CheckpointTable.Signed signed(Ledger ledger, long leaves)
      throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (ledger.log().newest().map(CheckpointTable.Signed::size).orElse(0L) < leaves) {
      assertTrue(System.nanoTime() < end, "signed in time");
      TimeUnit.MILLISECONDS.sleep(20);
    }
    return ledger.log().newest().orElseThrow();
  }

  private static Path write(
      Ledger ledger, CheckpointTable.Signed newest, BundleWriter.Range range, String name)
      throws IOException {
    Path file = directory.resolve(name);
    try (OutputStream out = Files.newOutputStream(file)) {
      ledger.writeBundle(newest, range, out);
    }
    return file;
  }

  private static Policy policy(String key) {
    return Policy.of(
        SigningKeys.loadOrCreate(List.of(directory.resolve(key))).verifierKeys("test/log/1"));
  }

  private static Verdict verify(Path file, SignedNote... remembered) throws IOException {
    return new BundleVerification(policy("signing.key"), List.of(remembered)).run(file);
  }

  @Test
  void whatNobodyTouchedIsCleanWholeOrInPart() throws IOException {
    Verdict all = verify(whole, older);
    assertEquals(List.of(), all.findings());
    assertEquals(all.leaves(), all.bodies());
    assertEquals(all.leaves(), all.checkpoint());
    assertEquals(List.of(), all.notes());
    Verdict some = verify(part);
    assertEquals(List.of(), some.findings());
    assertEquals(12, some.bodies());
  }

  /** Whatever the bit is in: the manifest's signature covers each file, and the tree most. */
  @Test
  void oneFlippedBitInAnyFileIsFound() throws IOException {
    Random random = new Random(21);
    for (Path bundle : List.of(whole, part)) {
      for (String name : files(bundle).keySet()) {
        for (int round = 0; round < 5; round++) {
          Map<String, byte[]> files = files(bundle);
          byte[] bytes = files.get(name);
          if (bytes.length == 0) {
            continue;
          }
          int at = random.nextInt(bytes.length);
          bytes[at] ^= (byte) (1 << random.nextInt(8));
          assertFalse(isClean(zipped(files)), bundle + " " + name + " at " + at);
        }
      }
    }
  }

  @Test
  void aMissingLineOrFileIsFound() throws IOException {
    for (String name : List.of("entries.ndjson", "bodies.ndjson")) {
      Map<String, byte[]> files = files(whole);
      String text = new String(files.get(name), StandardCharsets.UTF_8);
      files.put(
          name,
          text.substring(0, text.lastIndexOf('\n', text.length() - 2) + 1)
              .getBytes(StandardCharsets.UTF_8));
      assertFalse(isClean(zipped(files)), name);
    }
    for (String name : files(whole).keySet()) {
      Map<String, byte[]> files = files(whole);
      files.remove(name);
      assertFalse(isClean(zipped(files)), name);
    }
  }

  @Test
  void anotherKeyOrAnotherHistoryIsFound() throws IOException {
    Verdict stranger = new BundleVerification(policy("other.key"), List.of()).run(whole);
    assertEquals(
        List.of("manifest_not_believed", "checkpoint_not_believed"),
        stranger.findings().stream().map(Finding::kind).toList());
    SigningKeys signing = SigningKeys.loadOrCreate(List.of(directory.resolve("signing.key")));
    for (long size : List.of(10L, 1_000L)) {
      SignedNote fork =
          signing.sign(
              new Checkpoint("test/log/1", size, TreeHash.leaf(new byte[] {1})).text(),
              "test/log/1");
      assertEquals(
          List.of(size == 10 ? "root_differs" : "end_cut_off"),
          verify(whole, fork).findings().stream().map(Finding::kind).toList());
    }
    SignedNote fork =
        signing.sign(
            new Checkpoint("test/log/1", 5, TreeHash.leaf(new byte[] {1})).text(), "test/log/1");
    assertEquals(
        List.of("root_differs"),
        verify(part, fork).findings().stream().map(Finding::kind).toList());
  }

  private static boolean isClean(Path file) {
    try {
      return verify(file, older).isClean();
    } catch (IOException | InvalidTlogFormat e) {
      // What cannot be read is not clean either.
      return false;
    }
  }

  private static Map<String, byte[]> files(Path bundle) throws IOException {
    Map<String, byte[]> files = new LinkedHashMap<>();
    try (ZipFile zip = new ZipFile(bundle.toFile())) {
      Enumeration<? extends ZipEntry> entries = zip.entries();
      while (entries.hasMoreElements()) {
        ZipEntry entry = entries.nextElement();
        files.put(entry.getName(), zip.getInputStream(entry).readAllBytes());
      }
    }
    return files;
  }

  private static Path zipped(Map<String, byte[]> files) throws IOException {
    Path file = directory.resolve("changed.zip");
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
      for (Map.Entry<String, byte[]> each : files.entrySet()) {
        zip.putNextEntry(new ZipEntry(each.getKey()));
        zip.write(each.getValue());
        zip.closeEntry();
      }
    }
    return file;
  }
}

package io.tokenledger.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.TestLedger;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.signing.SigningKeys;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TlogProof;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.tlog.VerifierKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A random run of a real ledger, checked by programs that nobody here wrote: Go's {@code
 * golang.org/x/mod/sumdb} (Debian {@code golang-go golang-golang-x-mod-dev}) and OpenSSL. Each file
 * that they accept they must refuse after one flipped bit.
 */
@Tag("client")
class CheckedByOthersIT {

  private static final int TOKENS = 700;
  private static final int PROOFS = 150;
  private static final String ORIGIN = "test/log/1";

  @TempDir static Path directory;
  private static final Random RANDOM = new Random(16);
  private static Ledger ledger;
  private static VerifierKey key;
  private static List<CheckpointTable.Signed> checkpoints;

  @BeforeAll
  static void makeHistory() throws Exception {
    ledger = TestLedger.open(TestPostgres.freshDatabase(), directory);
    key =
        SigningKeys.loadOrCreate(List.of(directory.resolve("signing.key")))
            .verifierKeys(ORIGIN)
            .get(0);
    int made = 0;
    while (made < TOKENS) {
      for (int more = 1 + RANDOM.nextInt(120); more > 0; more--) {
        TestLedger.create(ledger, "t" + made++, TestLedger.newHash(), "db:a:read").join();
      }
      awaitSigned(made);
    }
    checkpoints = ledger.log().checkpointsBefore(1, Long.MAX_VALUE, 1_000);
    assertTrue(checkpoints.size() > 5, "several checkpoints");
  }

  private static void awaitSigned(long leaves) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (ledger.log().newest().map(CheckpointTable.Signed::size).orElse(0L) < leaves) {
      assertTrue(System.nanoTime() < end, "signed in time");
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  @AfterAll
  static void stop() {
    ledger.close();
  }

  private static String run(List<String> command) throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    // Offline: only what Debian's packages put there.
    builder.environment().put("GO111MODULE", "off");
    builder.environment().put("GOFLAGS", "");
    builder.environment().put("GOPATH", directory.resolve("gopath") + ":/usr/share/gocode");
    builder.environment().put("GOCACHE", directory.resolve("gocache").toString());
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return process.waitFor() + " " + said;
  }

  private static CheckpointTable.Signed any() {
    return checkpoints.get(RANDOM.nextInt(checkpoints.size()));
  }

  private static String lines(List<TreeHash> hashes) {
    return hashes.stream().map(hash -> hash + "\n").collect(Collectors.joining());
  }

  private static String inclusion() {
    CheckpointTable.Signed head = any();
    long leaf = RANDOM.nextLong(head.size());
    TlogProof proof = ledger.log().proof(leaf, head.size()).orElseThrow();
    TreeHash hash = TreeHash.leaf(ledger.log().entry(leaf).orElseThrow());
    return head.size()
        + " "
        + leaf
        + " "
        + Checkpoint.parse(head.note().text()).root()
        + " "
        + hash
        + "\n"
        + lines(proof.hashes());
  }

  private static String consistency() {
    CheckpointTable.Signed one = any();
    CheckpointTable.Signed other = any();
    Checkpoint older = Checkpoint.parse((one.size() < other.size() ? one : other).note().text());
    Checkpoint newer = Checkpoint.parse((one.size() < other.size() ? other : one).note().text());
    return newer.size()
        + " "
        + newer.root()
        + " "
        + older.size()
        + " "
        + older.root()
        + "\n"
        + lines(ledger.log().consistency(older.size(), newer.size()).orElseThrow());
  }

  /** The same with one bit of one hash flipped: of a root, a leaf or the proof. */
  private static String flippedHash(String file) {
    List<String> words = new ArrayList<>(List.of(file.split("(?<=[ \n])")));
    List<Integer> hashes = new ArrayList<>();
    for (int i = 0; i < words.size(); i++) {
      if (words.get(i).strip().endsWith("=")) {
        hashes.add(i);
      }
    }
    int at = hashes.get(RANDOM.nextInt(hashes.size()));
    byte[] bytes = Base64.getDecoder().decode(words.get(at).strip());
    flip(bytes);
    words.set(
        at,
        Base64.getEncoder().encodeToString(bytes)
            + words.get(at).substring(words.get(at).length() - 1));
    return String.join("", words);
  }

  private static void flip(byte[] bytes) {
    bytes[RANDOM.nextInt(bytes.length)] ^= (byte) (1 << RANDOM.nextInt(8));
  }

  /** The same with one bit of the text or of the signature flipped. */
  private static byte[] flippedNote(SignedNote note) {
    byte[] text = note.text().getBytes(StandardCharsets.UTF_8);
    SignedNote.Line line = note.signatures().get(0);
    byte[] signature = line.signature();
    if (RANDOM.nextBoolean()) {
      flip(text);
    } else {
      flip(signature);
    }
    String below = "\n" + new SignedNote.Line(line.keyName(), line.keyId(), signature);
    byte[] lines = below.getBytes(StandardCharsets.UTF_8);
    byte[] all = java.util.Arrays.copyOf(text, text.length + lines.length);
    System.arraycopy(lines, 0, all, text.length, lines.length);
    return all;
  }

  @Test
  void goAcceptsEveryCheckpointAndProofAndNoneAfterOneFlippedBit() throws Exception {
    Path files = Files.createDirectory(directory.resolve("files"));
    for (CheckpointTable.Signed each : checkpoints) {
      Files.writeString(files.resolve("good-" + each.size() + ".note"), each.note().toString());
      Files.write(files.resolve("flip-" + each.size() + ".note"), flippedNote(each.note()));
    }
    for (int i = 0; i < PROOFS; i++) {
      String proof = inclusion();
      Files.writeString(files.resolve("good-" + i + ".inclusion"), proof);
      Files.writeString(files.resolve("flip-" + i + ".inclusion"), flippedHash(proof));
      proof = consistency();
      Files.writeString(files.resolve("good-" + i + ".consistency"), proof);
      Files.writeString(files.resolve("flip-" + i + ".consistency"), flippedHash(proof));
    }
    Path program = directory.resolve("checklog");
    String built = run(List.of("go", "build", "-o", program.toString(), "src/test/go/checklog.go"));
    assertTrue(built.startsWith("0 "), built);
    List<String> command = new ArrayList<>(List.of(program.toString(), key.toString()));
    try (var all = Files.list(files)) {
      all.sorted().forEach(file -> command.add(file.toString()));
    }
    String said = run(command);
    assertTrue(said.startsWith("0 "), said);
    List<String> verdicts = said.substring(2).lines().toList();
    assertEquals(2 * (checkpoints.size() + 2 * PROOFS), verdicts.size(), said);
    for (String verdict : verdicts) {
      boolean good = verdict.contains("/good-");
      assertTrue(verdict.startsWith(good ? "ok " : "bad "), verdict);
    }
  }

  @Test
  void opensslAcceptsEveryNoteAndNoneAfterOneFlippedBit() throws Exception {
    Path pem = directory.resolve("key.pem");
    String derived =
        run(
            List.of(
                "openssl",
                "pkey",
                "-in",
                directory.resolve("signing.key").toString(),
                "-pubout",
                "-out",
                pem.toString()));
    assertTrue(derived.startsWith("0 "), derived);
    for (CheckpointTable.Signed each : checkpoints) {
      byte[] text = each.note().text().getBytes(StandardCharsets.UTF_8);
      byte[] signature = each.note().signatures().get(0).signature();
      assertTrue(openssl(pem, text, signature).startsWith("0 Signature Verified"));
      byte[] flipped = text.clone();
      flip(flipped);
      assertTrue(openssl(pem, flipped, signature).startsWith("1 "));
      flip(signature);
      assertTrue(openssl(pem, text, signature).startsWith("1 "));
    }
  }

  private static String openssl(Path pem, byte[] text, byte[] signature) throws Exception {
    Path textFile = Files.write(directory.resolve("text"), text);
    Path signatureFile = Files.write(directory.resolve("sig"), signature);
    return run(
        List.of(
            "openssl",
            "pkeyutl",
            "-verify",
            "-pubin",
            "-inkey",
            pem.toString(),
            "-rawin",
            "-in",
            textFile.toString(),
            "-sigfile",
            signatureFile.toString()));
  }
}

package io.tokenledger.attest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.signing.SigningKeys;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.Frontier;
import io.tokenledger.tlog.NodeReader;
import io.tokenledger.tlog.Proofs;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WitnessTest {

  private static final String ORIGIN = "test/log/1";
  private static final Instant NOW = Instant.parse("2026-11-24T12:00:00Z");

  @TempDir Path directory;
  private SigningKeys log;
  private Witness witness;

  @BeforeEach
  void start() {
    log = SigningKeys.loadOrCreate(List.of(directory.resolve("log.key")));
    witness = open("state");
  }

  @AfterEach
  void stop() {
    witness.close();
  }

  private Witness open(String state) {
    return new Witness(
        SigningKeys.loadOrCreate(List.of(directory.resolve("witness.key")), "--key-file"),
        "w/1",
        log.verifierKeys(ORIGIN),
        directory.resolve(state),
        Clock.fixed(NOW, ZoneOffset.UTC));
  }

  /** The tree whose leaves are these words and their numbers. */
  private static TreeHash leaf(String word, long index) {
    return TreeHash.leaf((word + index).getBytes(StandardCharsets.UTF_8));
  }

  private static NodeReader nodes(String word) {
    return new NodeReader() {
      @Override
      public TreeHash node(int level, long index) {
        return level == 0
            ? leaf(word, index)
            : TreeHash.node(node(level - 1, 2 * index), node(level - 1, 2 * index + 1));
      }
    };
  }

  private SignedNote note(String word, long size) {
    Frontier tree = new Frontier();
    for (long i = 0; i < size; i++) {
      tree.add(leaf(word, i), (level, index, hash) -> {});
    }
    return log.sign(new Checkpoint(ORIGIN, size, tree.root()).text(), ORIGIN);
  }

  private Witness.Answer add(String word, long old, long size) {
    List<TreeHash> proof =
        old <= size ? Proofs.consistency(old, size, nodes(word)) : List.<TreeHash>of();
    return witness.addCheckpoint(new Submission(old, proof, note(word, size)).toString());
  }

  @Test
  void signsWhatContinuesAndSaysWhen() {
    for (long[] step : new long[][] {{0, 1}, {1, 7}, {7, 7}, {7, 8}, {8, 300}}) {
      Witness.Answer answer = add("a", step[0], step[1]);
      assertEquals(200, answer.status(), answer.body());
      SignedNote signed = note("a", step[1]).with(SignedNote.Line.parse(answer.body()));
      assertEquals(NOW.getEpochSecond(), signed.cosignedAt(witness.verifierKey()).orElseThrow());
      assertEquals(
          signed.toString(), witness.newest(Witness.fileName(ORIGIN)).orElseThrow().toString());
    }
  }

  @Test
  void saysWhichSizeItRemembersWhenAskedToGoOnFromAnother() {
    assertEquals(200, add("a", 0, 5).status());
    for (long[] step : new long[][] {{0, 9}, {4, 9}, {6, 9}, {0, 5}, {4, 4}, {0, 3}, {9, 9}}) {
      assertEquals(new Witness.Answer(409, "text/x.tlog.size", "5\n"), add("a", step[0], step[1]));
    }
  }

  @Test
  void anOldSizeAboveThatOfTheCheckpointIsNoQuestionToAsk() {
    assertEquals(200, add("a", 0, 5).status());
    for (long[] step : new long[][] {{5, 4}, {5, 0}, {6, 5}, {9, 7}}) {
      assertEquals(400, add("a", step[0], step[1]).status());
    }
    String unsigned = new Submission(5, List.of(), note("a", 4)).toString();
    assertEquals(
        403,
        witness.addCheckpoint(unsigned.replace("\n4\n", "\n3\n")).status(),
        "who signed comes first");
    assertEquals(200, add("a", 5, 6).status(), "nothing of that was remembered");
  }

  @Test
  void refusesAnotherHistoryHoweverItIsPresented() {
    assertEquals(200, add("a", 0, 5).status());
    assertEquals(422, add("b", 5, 9).status());
    assertEquals(422, add("b", 5, 5).status(), "the same size with another root");
    String right = new Submission(5, Proofs.consistency(5, 9, nodes("a")), note("a", 9)).toString();
    assertEquals(422, witness.addCheckpoint(right.replaceFirst("\n.*\n", "\n")).status());
    assertEquals(
        422,
        witness
            .addCheckpoint(new Submission(5, List.of(leaf("a", 0)), note("a", 5)).toString())
            .status());
    assertEquals(200, witness.addCheckpoint(right).status(), "nothing of that was remembered");
  }

  /** Anyone may send what anyone may read, with its lines as often as they like. */
  @Test
  void repeatedLinesAreRememberedOnce() {
    assertEquals(200, add("a", 0, 5).status());
    SignedNote once = note("a", 5);
    SignedNote often = once;
    for (int i = 1; i < 100; i++) {
      often = often.with(once.signatures().get(0));
    }
    assertEquals(
        200, witness.addCheckpoint(new Submission(5, List.of(), often).toString()).status());
    assertEquals(2, witness.newest(Witness.fileName(ORIGIN)).orElseThrow().signatures().size());
    assertEquals(200, add("a", 5, 6).status());
  }

  @Test
  void theFirstCheckpointNeedsNoProofAndMayBringNone() {
    assertEquals(
        422,
        witness
            .addCheckpoint(new Submission(0, List.of(leaf("a", 0)), note("a", 2)).toString())
            .status());
    SignedNote empty = log.sign(new Checkpoint(ORIGIN, 0, leaf("a", 0)).text(), ORIGIN);
    assertEquals(
        422, witness.addCheckpoint(new Submission(0, List.of(), empty).toString()).status());
    assertEquals(200, add("a", 0, 0).status());
    assertEquals(200, add("a", 0, 2).status());
  }

  @Test
  void anotherLogIsUnknownAndAnotherKeyForbidden() {
    SigningKeys other = SigningKeys.loadOrCreate(List.of(directory.resolve("other.key")));
    String text = note("a", 1).text();
    assertEquals(
        403,
        witness
            .addCheckpoint(new Submission(0, List.of(), other.sign(text, ORIGIN)).toString())
            .status());
    String renamed = text.replace(ORIGIN, "test/log/2");
    assertEquals(
        404,
        witness
            .addCheckpoint(new Submission(0, List.of(), log.sign(renamed, "test/log/2")).toString())
            .status());
    SignedNote flipped = new SignedNote(text.replace("\n1\n", "\n2\n"), note("a", 1).signatures());
    assertEquals(
        403, witness.addCheckpoint(new Submission(0, List.of(), flipped).toString()).status());
  }

  @Test
  void whatIsNoSubmissionIsMalformed() {
    String good = new Submission(0, List.of(), note("a", 1)).toString();
    for (String body :
        List.of(
            "",
            "\n\n",
            good.substring(4),
            good.replaceFirst("old 0", "old 00"),
            good.replaceFirst("old 0", "old -1"),
            good.replaceFirst("old 0", "old 0\nno base64"),
            good.replaceFirst("old 0", "old 0" + ("\n" + leaf("a", 0)).repeat(64)),
            good.substring(0, good.indexOf('\u2014')),
            good.replace("\n1\n", "\none\n"))) {
      assertEquals(400, witness.addCheckpoint(body).status(), body);
    }
  }

  @Test
  void remembersOverARestartAndKeepsASecondProgramOut() {
    assertEquals(200, add("a", 0, 5).status());
    assertThrows(IllegalStateException.class, () -> open("state"));
    witness.close();
    witness = open("state");
    assertEquals(409, add("b", 0, 6).status());
    assertEquals(422, add("b", 5, 6).status());
    assertEquals(200, add("a", 5, 6).status());
    assertTrue(Files.exists(directory.resolve("state").resolve(Witness.fileName(ORIGIN))));
  }

  @Test
  void ofManyAtOnceThatContinueTheSameCheckpointOneIsSigned() throws Exception {
    assertEquals(200, add("a", 0, 5).status());
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Callable<Witness.Answer>> all = new ArrayList<>();
      for (long size = 6; size < 38; size++) {
        long to = size;
        all.add(() -> add("a", 5, to));
      }
      int signed = 0;
      for (Future<Witness.Answer> each : threads.invokeAll(all)) {
        signed += each.get().status() == 200 ? 1 : 0;
      }
      assertEquals(1, signed);
    } finally {
      threads.shutdownNow();
    }
  }
}

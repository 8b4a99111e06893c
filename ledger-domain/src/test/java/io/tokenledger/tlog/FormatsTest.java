package io.tokenledger.tlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FormatsTest {

  private static final KeyPair PAIR = pair();
  private static final KeyPair OTHER_PAIR = pair();
  private static final VerifierKey LOG =
      VerifierKey.of("example/1", VerifierKey.Kind.LOG, PAIR.getPublic());
  private static final VerifierKey OTHER =
      VerifierKey.of("example/1", VerifierKey.Kind.LOG, OTHER_PAIR.getPublic());
  private static final VerifierKey WITNESS =
      VerifierKey.of("w1", VerifierKey.Kind.COSIGNATURE, OTHER_PAIR.getPublic());
  private static final TreeHash ROOT = TreeHash.leaf(new byte[] {1});
  private static final Checkpoint HEAD = new Checkpoint("example/1", 1, ROOT);

  private static KeyPair pair() {
    try {
      return KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
    } catch (GeneralSecurityException e) {
      throw new AssertionError(e);
    }
  }

  private static SignedNote signed() {
    return SignedNote.sign(HEAD.text(), LOG, PAIR.getPrivate());
  }

  @Nested
  class Notes {

    /** From the documentation of golang.org/x/mod/sumdb/note. */
    @Test
    void ofGoAreRead() {
      VerifierKey key =
          VerifierKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
      SignedNote note =
          SignedNote.parse(
              "If you think cryptography is the answer to your problem,\n"
                  + "then you don't know what your problem is.\n\n"
                  + "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ"
                  + "SNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n");
      assertTrue(note.isSignedBy(key));
      SignedNote forged = new SignedNote(note.text().replace("your", "our"), note.signatures());
      assertThrows(InvalidTlogFormat.class, () -> forged.isSignedBy(key));
    }

    @Test
    void areReadAsTheyWereWritten() {
      SignedNote note = signed().signedBy(OTHER, OTHER_PAIR.getPrivate());
      assertEquals(note.toString(), SignedNote.parse(note.toString()).toString());
      assertTrue(note.isSignedBy(LOG));
      assertTrue(note.isSignedBy(OTHER));
      assertEquals(HEAD, Checkpoint.parse(note.text()));
    }

    @Test
    void byUnknownKeysSayNothing() {
      assertFalse(signed().isSignedBy(OTHER));
      assertEquals(Optional.empty(), signed().cosignedAt(WITNESS));
    }

    @Test
    void carryTheTimeOfAWitness() {
      SignedNote note = signed();
      SignedNote seen = note.with(note.cosign(WITNESS, OTHER_PAIR.getPrivate(), 1_795_550_000L));
      assertEquals(
          Optional.of(1_795_550_000L), SignedNote.parse(seen.toString()).cosignedAt(WITNESS));
      byte[] moved = note.cosign(WITNESS, OTHER_PAIR.getPrivate(), 7).signature();
      moved[7]++;
      SignedNote forged = note.with(new SignedNote.Line(WITNESS.name(), WITNESS.id(), moved));
      assertThrows(InvalidTlogFormat.class, () -> forged.cosignedAt(WITNESS));
      SignedNote cut =
          note.with(new SignedNote.Line(WITNESS.name(), WITNESS.id(), new byte[] {1, 2}));
      assertThrows(InvalidTlogFormat.class, () -> cut.cosignedAt(WITNESS));
    }

    @ParameterizedTest
    @ValueSource(
        strings = {
          "",
          "text\n",
          "text\n\n",
          "text\n\n— a AAAAAAA=",
          "text\n\n- a AAAAAAA=\n",
          "text\n\n— a AAAA\n",
          "text\n\n— a AAAAAAE\n",
          "text\n\n— a AAAAAAB=\n",
          "text\n\n— a+b AAAAAAA=\n",
          "text\n\n— a b AAAAAAA=\n",
          "te\u0000xt\n\n— a AAAAAAA=\n",
          "text\n\n— a AAAAAAA=\n\n",
        })
    void thatAreBrokenAreRefused(String text) {
      assertThrows(InvalidTlogFormat.class, () -> SignedNote.parse(text));
    }

    @Test
    void thatAreEndlessAreRefused() {
      String line = "— a AAAAAAA=\n";
      assertEquals(100, SignedNote.parse("t\n\n" + line.repeat(100)).signatures().size());
      assertThrows(InvalidTlogFormat.class, () -> SignedNote.parse("t\n\n" + line.repeat(101)));
      assertThrows(
          InvalidTlogFormat.class, () -> SignedNote.parse("t".repeat(1_000_000) + "\n\n" + line));
    }
  }

  @Nested
  class Keys {

    @Test
    void areReadAsTheyWereWritten() {
      for (VerifierKey key : List.of(LOG, WITNESS)) {
        VerifierKey read = VerifierKey.parse(key.toString());
        assertEquals(key, read);
        assertEquals(key.hashCode(), read.hashCode());
        assertEquals(key.kind(), read.kind());
        assertEquals(32, read.rawKey().length);
      }
      assertNotEquals(LOG, OTHER);
      assertNotEquals(
          LOG.id(), VerifierKey.of("example/2", VerifierKey.Kind.LOG, PAIR.getPublic()).id());
    }

    @Test
    void ofOtherNamesOrAlgorithmsAreRefused() {
      String[] parts = LOG.toString().split("\\+", 3);
      for (String broken :
          List.of(
              "a+b",
              "other+" + parts[1] + "+" + parts[2],
              parts[0] + "+00000000+" + parts[2],
              parts[0] + "+" + parts[1] + "+AQID",
              parts[0] + "+" + parts[1] + "+" + parts[2].replaceFirst("^A.", "CQ"),
              "a b+" + parts[1] + "+" + parts[2],
              "+" + parts[1] + "+" + parts[2])) {
        assertThrows(InvalidTlogFormat.class, () -> VerifierKey.parse(broken), broken);
      }
    }

    @Test
    void ofOtherKindsAreNotTaken() throws GeneralSecurityException {
      KeyPair rsa = KeyPairGenerator.getInstance("RSA").generateKeyPair();
      assertThrows(
          InvalidTlogFormat.class,
          () -> VerifierKey.of("a", VerifierKey.Kind.LOG, rsa.getPublic()));
      assertThrows(
          IllegalStateException.class, () -> SignedNote.sign("t\n", LOG, rsa.getPrivate()));
    }
  }

  @Nested
  class Checkpoints {

    @ParameterizedTest
    @ValueSource(
        strings = {
          "",
          "o\n1\n",
          "o\n01\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n",
          "o\n-1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n",
          "o\n9999999999999999999\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n",
          "o\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0\n",
          "o\n1\nAAAA\n",
          "\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=\n",
          "o\n1\nbjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0=",
        })
    void thatAreBrokenAreRefused(String text) {
      assertThrows(InvalidTlogFormat.class, () -> Checkpoint.parse(text));
    }

    @Test
    void haveExtensionsThatAreLeftAside() {
      assertEquals(HEAD, Checkpoint.parse(HEAD.text() + "extension\n"));
      assertThrows(InvalidTlogFormat.class, () -> new Checkpoint("a\nb", 1, ROOT));
      assertThrows(InvalidTlogFormat.class, () -> new Checkpoint("a", -1, ROOT));
    }
  }

  @Nested
  class ProofFiles {

    @Test
    void areReadAsTheyWereWritten() {
      TlogProof proof = new TlogProof(0, List.of(), signed());
      TlogProof read = TlogProof.parse(proof.toString());
      assertEquals(proof.toString(), read.toString());
      assertTrue(read.includes(new byte[] {1}));
      assertFalse(read.includes(new byte[] {2}));
      TlogProof longer = new TlogProof(3, List.of(ROOT, TreeHash.EMPTY), signed());
      assertEquals(longer.hashes(), TlogProof.parse(longer.toString()).hashes());
      assertEquals(3, TlogProof.parse(longer.toString()).leafIndex());
    }

    @Test
    void mayHoldAnExtraLine() {
      String text = new TlogProof(0, List.of(), signed()).toString();
      String extra = text.replaceFirst("\nindex", "\nextra AAAA\nindex");
      assertTrue(TlogProof.parse(extra).includes(new byte[] {1}));
    }

    @Test
    void thatAreBrokenAreRefused() {
      String text = new TlogProof(0, List.of(ROOT), signed()).toString();
      for (String broken :
          List.of(
              "",
              text.replace("v1\n", "v2\n"),
              text.replace("index 0\n", ""),
              text.replace("index 0", "index x"),
              text.replace("index 0", "index 00"),
              text.replace(ROOT + "\n\n", "x\n\n"),
              text.replace(ROOT + "\n\n", (ROOT + "\n").repeat(64) + "\n"),
              "c2sp.org/tlog-proof@v1\n\nx")) {
        assertThrows(InvalidTlogFormat.class, () -> TlogProof.parse(broken), broken);
      }
    }
  }

  @Nested
  class TilePaths {

    @ParameterizedTest
    @ValueSource(
        strings = {"0/000", "0/255.p/1", "1/x001/x234/067", "entries/x001/000.p/255", "7/999"})
    void areReadAsTheyAreWritten(String path) {
      assertEquals(path, Objects.requireNonNull(TilePath.parse(path)).toString());
    }

    @ParameterizedTest
    @ValueSource(
        strings = {
          "",
          "0",
          "0/1",
          "0/0000",
          "00/000",
          "8/000",
          "99/000",
          "0/x000/001",
          "0/001/002",
          "0/x001",
          "0/000.p/0",
          "0/000.p/256",
          "0/000.p/999",
          "0/000.p/01",
          "entries/-01",
          "../000"
        })
    void thatAreNotCanonicalAreNone(String path) {
      assertNull(TilePath.parse(path));
    }

    @Test
    void knowWhichTreeHasThem() {
      TilePath second = Objects.requireNonNull(TilePath.parse("0/001.p/4"));
      assertEquals(256, second.first());
      assertFalse(second.isIn(259));
      assertTrue(second.isIn(260));
      TilePath higher = Objects.requireNonNull(TilePath.parse("1/000.p/1"));
      assertFalse(higher.isIn(255));
      assertTrue(higher.isIn(256));
      assertTrue(Objects.requireNonNull(TilePath.parse("entries/000")).isIn(256));
      assertFalse(Objects.requireNonNull(TilePath.parse("entries/000")).isIn(255));
    }
  }

  @Nested
  class Policies {

    private final KeyPair third = pair();
    private final VerifierKey w2 =
        VerifierKey.of("w2", VerifierKey.Kind.COSIGNATURE, third.getPublic());

    private String witnesses() {
      return "# whom we believe\nlog " + LOG + "\nwitness W1 " + WITNESS + "\nwitness W2 " + w2;
    }

    @Test
    void believeALogByItsKey() {
      assertEquals(HEAD, Policy.of(List.of(OTHER, LOG)).open(signed()));
      Policy others = Policy.parse("log " + OTHER + " https://log.example/\nquorum none\n");
      assertThrows(InvalidTlogFormat.class, () -> others.open(signed()));
      assertEquals(List.of(OTHER), others.logs());
      SignedNote elsewhere =
          SignedNote.sign(new Checkpoint("other", 1, ROOT).text(), LOG, PAIR.getPrivate());
      assertThrows(
          InvalidTlogFormat.class,
          () -> Policy.of(List.of(LOG)).open(elsewhere),
          "a log speaks for its own origin only");
    }

    @Test
    void countWitnesses() {
      SignedNote none = signed();
      SignedNote one = none.with(none.cosign(WITNESS, OTHER_PAIR.getPrivate(), 5));
      SignedNote both = one.with(none.cosign(w2, third.getPrivate(), 6));
      Policy any = Policy.parse(witnesses() + "\ngroup g any W1 W2\nquorum g\n");
      assertThrows(InvalidTlogFormat.class, () -> any.open(none));
      assertEquals(HEAD, any.open(one));
      Policy all = Policy.parse(witnesses() + "\ngroup g all W1 W2\nquorum g\n");
      assertThrows(InvalidTlogFormat.class, () -> all.open(one));
      assertEquals(HEAD, all.open(both));
      Policy nested = Policy.parse(witnesses() + "\ngroup g 1 W1\ngroup h 2 g W2\nquorum h\n");
      assertThrows(InvalidTlogFormat.class, () -> nested.open(one));
      assertEquals(HEAD, nested.open(both));
      assertEquals(HEAD, Policy.parse(witnesses() + "\nquorum W1\n").open(one));
    }

    /** One party must not meet a quorum of two, nor a log its own. */
    @Test
    void countEachPartyOnce() {
      VerifierKey again = VerifierKey.of("w3", VerifierKey.Kind.COSIGNATURE, third.getPublic());
      for (String broken :
          List.of(
              "log " + LOG + "\nwitness W1 " + LOG + "\nquorum W1\n",
              "log " + WITNESS + "\nquorum none\n",
              witnesses() + "\nwitness W3 " + again + "\ngroup g 2 W2 W3\nquorum g\n",
              witnesses() + "\ngroup g 2 W1 W1\nquorum g\n")) {
        assertThrows(InvalidTlogFormat.class, () -> Policy.parse(broken), broken);
      }
    }

    @Test
    void thatAreBrokenAreRefused() {
      for (String broken :
          List.of(
              "",
              "quorum none",
              "log " + LOG,
              "log x\nquorum none",
              "log",
              "nonsense a b",
              witnesses() + "\nquorum W3",
              witnesses() + "\nquorum none\nquorum none",
              witnesses() + "\nwitness W1 " + w2 + "\nquorum none",
              witnesses() + "\nwitness none " + w2 + "\nquorum none",
              witnesses() + "\ngroup g 3 W1 W2\nquorum g",
              witnesses() + "\ngroup g 0 W1 W2\nquorum g",
              witnesses() + "\ngroup g some W1\nquorum g",
              witnesses() + "\ngroup g any W9\nquorum g")) {
        assertThrows(InvalidTlogFormat.class, () -> Policy.parse(broken), broken);
      }
    }
  }

  @Test
  void base64HasOneSpelling() {
    assertEquals(ROOT, TreeHash.parse(ROOT.toString()));
    assertThrows(InvalidTlogFormat.class, () -> TreeHash.parse(ROOT.toString().replace("=", "")));
    assertThrows(InvalidTlogFormat.class, () -> TreeHash.parse("*"));
    assertEquals(ROOT.hashCode(), TreeHash.parse(ROOT.toString()).hashCode());
    assertEquals(64, ROOT.hex().length());
    assertNotEquals(ROOT, (Object) "x");
    assertEquals(
        TreeHash.EMPTY.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  }
}

package io.tokenledger.tlog;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.PrivateKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Optional;

/**
 * A text with signatures under it (C2SP {@code signed-note}). The text is what matters; signatures
 * by keys that are not known say nothing, good or bad.
 *
 * @param text ends with a newline
 * @param signatures in the order of their lines
 */
public record SignedNote(String text, List<Line> signatures) {

  private static final String DASH = "\u2014 ";
  private static final int MAX_SIGNATURES = 100;
  private static final int MAX_BYTES = 1_000_000;
  private static final String COSIGNATURE = "cosignature/v1\ntime ";

  /**
   * One signature line.
   *
   * @param keyId which key of that name
   * @param signature what follows the id: for a log the 64 bytes, for a witness the time before
   *     them
   */
  public record Line(String keyName, int keyId, byte[] signature) {

    public Line {
      VerifierKey.requireName(keyName);
      signature = signature.clone();
    }

    @Override
    public byte[] signature() {
      return signature.clone();
    }

    /** The line, with its newline. */
    @Override
    public String toString() {
      byte[] coded =
          ByteBuffer.allocate(Integer.BYTES + signature.length)
              .putInt(keyId)
              .put(signature)
              .array();
      return DASH + keyName + " " + Base64.getEncoder().encodeToString(coded) + "\n";
    }

    /**
     * @throws InvalidTlogFormat when it is no signature line
     */
    public static Line parse(String line) {
      String[] parts = line.strip().split(" ", -1);
      if (parts.length != 3 || !parts[0].equals(DASH.strip())) {
        throw new InvalidTlogFormat("not a signature line: " + line.strip());
      }
      byte[] coded = Base64Text.decode(parts[2]);
      if (coded.length <= Integer.BYTES) {
        throw new InvalidTlogFormat("the signature of " + parts[1] + " is too short");
      }
      return new Line(
          parts[1],
          ByteBuffer.wrap(coded).getInt(),
          Arrays.copyOfRange(coded, Integer.BYTES, coded.length));
    }
  }

  public SignedNote {
    if (text.isEmpty() || !text.endsWith("\n") || text.endsWith("\n\n")) {
      throw new InvalidTlogFormat("a note's text ends with one newline");
    }
    boolean controls = text.chars().anyMatch(c -> c < 0x20 && c != '\n');
    if (controls) {
      throw new InvalidTlogFormat("a note's text has no control characters");
    }
    if (signatures.size() > MAX_SIGNATURES) {
      throw new InvalidTlogFormat("the note has more than 100 signatures");
    }
    signatures = List.copyOf(signatures);
  }

  /**
   * The note of that text and signatures. Says nothing of whether the signatures are good.
   *
   * @throws InvalidTlogFormat when it is none
   */
  public static SignedNote parse(String note) {
    if (note.length() > MAX_BYTES) {
      throw new InvalidTlogFormat("the note is longer than 1,000,000 characters");
    }
    int split = note.lastIndexOf("\n\n");
    if (split < 0 || !note.endsWith("\n")) {
      throw new InvalidTlogFormat("a note is a text, an empty line and signatures");
    }
    String below = note.substring(split + 2);
    if (below.isEmpty()) {
      throw new InvalidTlogFormat("the note is not signed");
    }
    List<Line> lines = new ArrayList<>();
    for (String line : below.substring(0, below.length() - 1).split("\n", -1)) {
      if (lines.size() == MAX_SIGNATURES) {
        throw new InvalidTlogFormat("the note has more than 100 signatures");
      }
      lines.add(Line.parse(line));
    }
    return new SignedNote(note.substring(0, split + 1), lines);
  }

  /** The text with this key's signature under it. */
  public static SignedNote sign(String text, VerifierKey key, PrivateKey secret) {
    return new SignedNote(text, List.of()).signedBy(key, secret);
  }

  /** The same with one signature more. */
  public SignedNote signedBy(VerifierKey key, PrivateKey secret) {
    byte[] message = text.getBytes(StandardCharsets.UTF_8);
    return with(new Line(key.name(), key.id(), Ed25519.sign(secret, message)));
  }

  /** The same with one line more. */
  public SignedNote with(Line line) {
    List<Line> lines = new ArrayList<>(signatures);
    lines.add(line);
    return new SignedNote(text, lines);
  }

  /**
   * A witness's line under this note (C2SP {@code tlog-cosignature}, Ed25519).
   *
   * @param epochSeconds when the witness saw it
   */
  public Line cosign(VerifierKey key, PrivateKey secret, long epochSeconds) {
    byte[] signature = Ed25519.sign(secret, cosigned(epochSeconds));
    return new Line(
        key.name(),
        key.id(),
        ByteBuffer.allocate(Long.BYTES + signature.length)
            .putLong(epochSeconds)
            .put(signature)
            .array());
  }

  private byte[] cosigned(long epochSeconds) {
    return (COSIGNATURE + epochSeconds + "\n" + text).getBytes(StandardCharsets.UTF_8);
  }

  /**
   * Whether that key signed this note.
   *
   * @throws InvalidTlogFormat when a line bears this key's name and id and is not its signature:
   *     such a note was tampered with, whatever others signed
   */
  public boolean isSignedBy(VerifierKey key) {
    return lineOf(key).isPresent();
  }

  /**
   * When that witness saw the note, in seconds since 1970; empty when it did not sign it.
   *
   * @throws InvalidTlogFormat as {@link #isSignedBy}
   */
  public Optional<Long> cosignedAt(VerifierKey key) {
    return lineOf(key).map(line -> ByteBuffer.wrap(line.signature()).getLong());
  }

  private Optional<Line> lineOf(VerifierKey key) {
    Optional<Line> found = Optional.empty();
    for (Line line : signatures) {
      if (line.keyName().equals(key.name()) && line.keyId() == key.id()) {
        if (!verifies(key, line.signature())) {
          throw new InvalidTlogFormat("the signature of " + key.name() + " is not good");
        }
        found = Optional.of(line);
      }
    }
    return found;
  }

  private boolean verifies(VerifierKey key, byte[] signature) {
    if (key.kind() == VerifierKey.Kind.LOG) {
      return key.verifies(text.getBytes(StandardCharsets.UTF_8), signature);
    }
    if (signature.length != Long.BYTES + Ed25519.SIGNATURE_BYTES) {
      return false;
    }
    long epochSeconds = ByteBuffer.wrap(signature).getLong();
    return key.verifies(
        cosigned(epochSeconds), Arrays.copyOfRange(signature, Long.BYTES, signature.length));
  }

  /** The whole note: text, empty line, signatures. */
  @Override
  public String toString() {
    StringBuilder note = new StringBuilder(text).append('\n');
    signatures.forEach(note::append);
    return note.toString();
  }
}

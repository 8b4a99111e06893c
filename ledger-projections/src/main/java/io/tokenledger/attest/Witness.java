package io.tokenledger.attest;

import io.tokenledger.signing.NoteFiles;
import io.tokenledger.signing.SigningKeys;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.Proofs;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.tlog.VerifierKey;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Clock;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * Signs each log's checkpoints as long as each continues the one before (C2SP {@code tlog-witness},
 * {@code tlog-cosignature}). Two histories of one log never both get its signature, so that who
 * demands that signature is shown the history that everyone else is shown.
 *
 * <p>It remembers one note a log, in a file named by the SHA-256 of the origin. Comparing with it,
 * replacing it and making the replacement durable are one step: an answer that left is never
 * forgotten. A lock on the directory keeps a second program out.
 */
public final class Witness implements AutoCloseable {

  /** Media type of the answer that says which size is remembered. */
  public static final String SIZE_TYPE = "text/x.tlog.size";

  private static final String TEXT_TYPE = "text/plain; charset=utf-8";

  private final SigningKeys keys;
  private final String name;
  private final List<VerifierKey> logs;
  private final NoteFiles memory;
  private final Clock clock;
  private final FileChannel lockFile;

  /**
   * @param status as HTTP has it
   */
  public record Answer(int status, String contentType, String body) {}

  /**
   * @param name of the witness's key
   * @param logs the keys of the logs that it knows, each named like the origin it signs
   * @throws IllegalStateException when the directory cannot be used, or another witness uses it
   */
  public Witness(SigningKeys keys, String name, List<VerifierKey> logs, Path state, Clock clock) {
    this.keys = keys;
    this.name = name;
    this.logs = List.copyOf(logs);
    this.memory = new NoteFiles(state, "--state-dir");
    this.clock = clock;
    try {
      this.lockFile =
          FileChannel.open(
              memory.directory().resolve("lock"),
              StandardOpenOption.CREATE,
              StandardOpenOption.WRITE);
      if (!isLocked(lockFile)) {
        lockFile.close();
        throw new IllegalStateException("--state-dir " + state + " is used by another witness");
      }
    } catch (IOException e) {
      throw new IllegalStateException("--state-dir " + state + " cannot be locked", e);
    }
  }

  /** The lock ends with the channel. */
  private static boolean isLocked(FileChannel file) throws IOException {
    try {
      FileLock lock = file.tryLock();
      return lock != null;
    } catch (OverlappingFileLockException e) {
      return false;
    }
  }

  /** The key with which its signatures are checked. */
  public VerifierKey verifierKey() {
    return keys.witnessKeys(name).get(0);
  }

  /** Under which name the log of that origin is remembered and shown. */
  public static String fileName(String origin) {
    try {
      return HexFormat.of()
          .formatHex(
              MessageDigest.getInstance("SHA-256").digest(origin.getBytes(StandardCharsets.UTF_8)));
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  /** The newest note that it signed, of the log whose origin has that {@link #fileName}. */
  public Optional<SignedNote> newest(String fileName) {
    return logs.stream().anyMatch(log -> fileName(log.name()).equals(fileName))
        ? memory.read(fileName)
        : Optional.empty();
  }

  /**
   * Signs the checkpoint when it continues what is remembered.
   *
   * <p>Another root of the remembered size is answered with 422, as the specification says since
   * July 2026; its version 1.0.0 said 409. So each 409 here says which size to go on from.
   *
   * @param body {@code old SIZE}, the hashes of the proof, an empty line and the note
   * @return 200 with the signature line; 400 not such a body, or the old size is above that of the
   *     checkpoint; 404 unknown origin; 403 no known key signed; 409 another size is remembered,
   *     which is the answer's body; 422 the checkpoint does not continue the remembered one
   */
  public Answer addCheckpoint(String body) {
    Submission asked;
    Checkpoint checkpoint;
    try {
      asked = Submission.parse(body);
      checkpoint = Checkpoint.parse(asked.note().text());
    } catch (InvalidTlogFormat e) {
      return refusal(400, e);
    }
    List<VerifierKey> own =
        logs.stream().filter(log -> log.name().equals(checkpoint.origin())).toList();
    if (own.isEmpty()) {
      return refusal(404, "the log " + checkpoint.origin() + " is not known here");
    }
    try {
      Policy.of(own).open(asked.note());
    } catch (InvalidTlogFormat e) {
      return refusal(403, e);
    }
    if (asked.oldSize() > checkpoint.size()) {
      return refusal(
          400,
          "the old size "
              + asked.oldSize()
              + " is above that of the checkpoint, "
              + checkpoint.size());
    }
    return continued(asked, checkpoint, own);
  }

  private synchronized Answer continued(
      Submission asked, Checkpoint checkpoint, List<VerifierKey> own) {
    String file = fileName(checkpoint.origin());
    Optional<Checkpoint> known = memory.read(file).map(note -> Checkpoint.parse(note.text()));
    long knownSize = known.map(Checkpoint::size).orElse(0L);
    if (asked.oldSize() != knownSize) {
      return new Answer(409, SIZE_TYPE, knownSize + "\n");
    }
    boolean consistent =
        knownSize == 0
            ? asked.proof().isEmpty()
                && (checkpoint.size() > 0 || checkpoint.root().equals(TreeHash.EMPTY))
            : Proofs.isConsistent(
                knownSize,
                known.orElseThrow().root(),
                checkpoint.size(),
                checkpoint.root(),
                asked.proof());
    if (!consistent) {
      return refusal(
          422,
          "the checkpoint of " + checkpoint.size() + " does not continue that of " + knownSize);
    }
    SignedNote.Line line = keys.cosign(asked.note(), name, clock.instant().getEpochSecond());
    memory.write(file, signedBy(asked.note(), own).with(line));
    return new Answer(200, TEXT_TYPE, line.toString());
  }

  /** One line of each known key: anyone can add lines of unknown ones, and repeat a known one. */
  private static SignedNote signedBy(SignedNote note, List<VerifierKey> own) {
    return new SignedNote(
        note.text(),
        own.stream()
            .distinct()
            .flatMap(
                key ->
                    note.signatures().stream()
                        .filter(line -> new SignedNote(note.text(), List.of(line)).isSignedBy(key))
                        .limit(1))
            .toList());
  }

  private static Answer refusal(int status, InvalidTlogFormat why) {
    return refusal(status, String.valueOf(why.getMessage()));
  }

  private static Answer refusal(int status, String why) {
    return new Answer(status, TEXT_TYPE, why + "\n");
  }

  @Override
  public void close() {
    try {
      lockFile.close();
    } catch (IOException e) {
      throw new IllegalStateException("--state-dir cannot be given free", e);
    }
  }
}

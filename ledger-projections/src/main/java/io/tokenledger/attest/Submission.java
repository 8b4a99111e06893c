package io.tokenledger.attest;

import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import java.util.ArrayList;
import java.util.List;

/**
 * The body of {@code add-checkpoint}.
 *
 * @param oldSize what the log believes the witness to remember; 0 for nothing
 * @param proof that the tree of the note begins with that of {@code oldSize}
 */
record Submission(long oldSize, List<TreeHash> proof, SignedNote note) {

  private static final String OLD = "old ";
  private static final int MAX_HASHES = 63;

  Submission {
    proof = List.copyOf(proof);
  }

  /**
   * The submission of that text.
   *
   * @throws InvalidTlogFormat when it is none
   */
  static Submission parse(String body) {
    int split = body.indexOf("\n\n");
    if (split < 0) {
      throw new InvalidTlogFormat("a submission is a size, a proof, an empty line and a note");
    }
    List<String> lines = List.of(body.substring(0, split).split("\n", -1));
    if (!lines.get(0).startsWith(OLD)) {
      throw new InvalidTlogFormat("a submission begins with old and a size");
    }
    if (lines.size() - 1 > MAX_HASHES) {
      throw new InvalidTlogFormat("the proof has more than 63 hashes");
    }
    List<TreeHash> proof = new ArrayList<>();
    for (String line : lines.subList(1, lines.size())) {
      proof.add(TreeHash.parse(line));
    }
    return new Submission(
        size(lines.get(0).substring(OLD.length())),
        proof,
        SignedNote.parse(body.substring(split + 2)));
  }

  /**
   * A size in decimal without leading zeros.
   *
   * @throws InvalidTlogFormat when it is none
   */
  static long size(String text) {
    if (!text.matches("0|[1-9][0-9]{0,17}")) {
      throw new InvalidTlogFormat("not a size in decimal without leading zeros");
    }
    return Long.parseLong(text);
  }

  /** The body's text. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder(OLD).append(oldSize).append('\n');
    proof.forEach(hash -> text.append(hash).append('\n'));
    return text.append('\n').append(note).toString();
  }
}

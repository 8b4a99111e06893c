package io.tokenledger.tlog;

import java.util.ArrayList;
import java.util.List;

/**
 * That one entry is in a log, checkable without the log: a {@code .tlog-proof} file (C2SP {@code
 * tlog-proof}).
 *
 * @param leafIndex the entry's place
 * @param hashes from the leaf to the root of the checkpoint
 * @param checkpoint the signed note
 */
public record TlogProof(long leafIndex, List<TreeHash> hashes, SignedNote checkpoint) {

  private static final String HEADER = "c2sp.org/tlog-proof@v1";
  private static final String INDEX = "index ";
  private static final String EXTRA = "extra ";
  private static final int MAX_HASHES = 63;

  public TlogProof {
    hashes = List.copyOf(hashes);
  }

  /**
   * The proof of that text.
   *
   * @throws InvalidTlogFormat when it is none
   */
  public static TlogProof parse(String file) {
    int split = file.indexOf("\n\n");
    if (split < 0) {
      throw new InvalidTlogFormat("a proof is hashes, an empty line and a checkpoint");
    }
    List<String> lines = List.of(file.substring(0, split).split("\n", -1));
    if (!lines.get(0).equals(HEADER)) {
      throw new InvalidTlogFormat("the proof does not begin with " + HEADER);
    }
    int next = lines.size() > 1 && lines.get(1).startsWith(EXTRA) ? 2 : 1;
    if (lines.size() <= next || !lines.get(next).startsWith(INDEX)) {
      throw new InvalidTlogFormat("the proof has no index line");
    }
    long index = Checkpoint.parseSize(lines.get(next).substring(INDEX.length()));
    List<TreeHash> hashes = new ArrayList<>();
    for (String line : lines.subList(next + 1, lines.size())) {
      if (hashes.size() == MAX_HASHES) {
        throw new InvalidTlogFormat("the proof has more than 63 hashes");
      }
      hashes.add(TreeHash.parse(line));
    }
    return new TlogProof(index, hashes, SignedNote.parse(file.substring(split + 2)));
  }

  /** Whether the tree of the checkpoint has that entry there. Says nothing of who signed it. */
  public boolean includes(byte[] entry) {
    Checkpoint head = Checkpoint.parse(checkpoint.text());
    return Proofs.isIncluded(TreeHash.leaf(entry), leafIndex, head.size(), head.root(), hashes);
  }

  /** The file's text. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder(HEADER).append('\n');
    text.append(INDEX).append(leafIndex).append('\n');
    hashes.forEach(hash -> text.append(hash).append('\n'));
    return text.append('\n').append(checkpoint).toString();
  }
}

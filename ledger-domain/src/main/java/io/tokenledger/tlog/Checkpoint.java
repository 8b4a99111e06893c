package io.tokenledger.tlog;

/**
 * What a log commits to: how many entries it has and the root over them (C2SP {@code
 * tlog-checkpoint}). Signed, it is a {@link SignedNote} with this text.
 *
 * @param origin name of the log, unique among logs
 * @param size number of entries
 * @param root over those entries
 */
public record Checkpoint(String origin, long size, TreeHash root) {

  public Checkpoint {
    if (origin.isEmpty() || origin.indexOf('\n') >= 0) {
      throw new InvalidTlogFormat("a checkpoint's origin is one line of text");
    }
    if (size < 0) {
      throw new InvalidTlogFormat("a checkpoint's size is not negative");
    }
  }

  /**
   * The checkpoint of that text; lines after the third are extensions and are left aside.
   *
   * @throws InvalidTlogFormat when the text is none
   */
  public static Checkpoint parse(String text) {
    String[] lines = text.split("\n", -1);
    if (lines.length < 4 || !lines[lines.length - 1].isEmpty()) {
      throw new InvalidTlogFormat("a checkpoint has three lines: origin, size, root");
    }
    return new Checkpoint(lines[0], parseSize(lines[1]), TreeHash.parse(lines[2]));
  }

  static long parseSize(String text) {
    if (!text.matches("0|[1-9][0-9]{0,18}")) {
      throw new InvalidTlogFormat("not a size in decimal without leading zeros: " + text);
    }
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw new InvalidTlogFormat("the size is beyond 2^63: " + text);
    }
  }

  /** The three lines that are signed. */
  public String text() {
    return origin + "\n" + size + "\n" + root + "\n";
  }
}

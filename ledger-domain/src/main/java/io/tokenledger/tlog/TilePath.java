package io.tokenledger.tlog;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Where a tile is found (C2SP {@code tlog-tiles}): {@code LEVEL/N} or {@code LEVEL/N.p/WIDTH}, the
 * level being {@code entries} for a bundle of entries. N is written in groups of three digits, all
 * but the last with an {@code x} before them: {@code x001/x234/067}.
 *
 * @param level of hashes, 0 for those of leaves, each next one 8 levels of the tree higher; {@link
 *     #ENTRIES} for a bundle
 * @param index which of its level
 * @param width how many hashes or entries, 1 to 256; fewer than 256 only at the tree's right edge
 */
public record TilePath(int level, long index, int width) {

  /** The level of entry bundles. */
  public static final int ENTRIES = -1;

  /** Hashes in a whole tile. */
  public static final int WIDTH = 256;

  /** Levels of the tree that one level of tiles spans. */
  public static final int HEIGHT = 8;

  private static final int MAX_LEVEL = 7;
  private static final Pattern PATH =
      Pattern.compile(
          "(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\\.p/([1-9][0-9]{0,2}))?");

  /** The tile at that path, without what stands before {@code LEVEL}; null when there is none. */
  public static @Nullable TilePath parse(String path) {
    Matcher parts = PATH.matcher(path);
    if (!parts.matches()) {
      return null;
    }
    int level = parts.group(1).equals("entries") ? ENTRIES : Integer.parseInt(parts.group(1));
    int width = parts.group(3) == null ? WIDTH : Integer.parseInt(parts.group(3));
    long index = Long.parseLong(parts.group(2).replace("x", "").replace("/", ""));
    TilePath tile = new TilePath(level, index, width);
    boolean canonical = level <= MAX_LEVEL && width <= WIDTH && tile.toString().equals(path);
    return canonical ? tile : null;
  }

  /** Index of the first hash or entry in it, among those of its level. */
  public long first() {
    return index * WIDTH;
  }

  /** Whether a tree of that size has all of it. */
  public boolean isIn(long treeSize) {
    long there = level == ENTRIES ? treeSize : treeSize >> (HEIGHT * level);
    return first() + width <= there;
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder(three(index % 1_000));
    for (long rest = index / 1_000; rest > 0; rest /= 1_000) {
      text.insert(0, "x" + three(rest % 1_000) + "/");
    }
    text.insert(0, (level == ENTRIES ? "entries" : level) + "/");
    return width == WIDTH ? text.toString() : text.append(".p/").append(width).toString();
  }

  private static String three(long number) {
    return Long.toString(1_000 + number).substring(1);
  }
}

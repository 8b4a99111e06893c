package io.tokenledger.tlog;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The right edge of a growing tree: one hash for each bit that is set in the size, largest subtree
 * first. It is all that is needed to append leaves and to know the root, however many leaves there
 * are. Not for use by several threads.
 */
public final class Frontier {

  private final List<TreeHash> edge;
  private long size;

  /** Hears of each subtree that an append completes. */
  public interface Completed {
    /**
     * @param level 1 or more: the subtree has {@code 2^level} leaves
     * @param index which of its level, from 0
     */
    void node(int level, long index, TreeHash hash);
  }

  /** The edge of the tree without leaves. */
  public Frontier() {
    this(0, List.of());
  }

  private Frontier(long size, List<TreeHash> edge) {
    this.size = size;
    this.edge = new ArrayList<>(edge);
  }

  /**
   * The edge that {@link #bytes} wrote.
   *
   * @throws InvalidTlogFormat when it does not have a hash for each bit of the size
   */
  public static Frontier of(long size, byte[] bytes) {
    if (size < 0 || bytes.length != Long.bitCount(size) * TreeHash.BYTES) {
      throw new InvalidTlogFormat(
          "the edge of a tree of " + size + " leaves has not " + bytes.length + " bytes");
    }
    List<TreeHash> edge = new ArrayList<>();
    for (int at = 0; at < bytes.length; at += TreeHash.BYTES) {
      edge.add(TreeHash.of(Arrays.copyOfRange(bytes, at, at + TreeHash.BYTES)));
    }
    return new Frontier(size, edge);
  }

  /** The edge of the first {@code size} leaves of a tree. */
  public static Frontier read(long size, NodeReader nodes) {
    List<TreeHash> edge = new ArrayList<>();
    long from = 0;
    for (int level = 62; level >= 0; level--) {
      if ((size >> level & 1) == 1) {
        edge.add(nodes.node(level, from >> level));
        from += 1L << level;
      }
    }
    return new Frontier(size, edge);
  }

  /** A copy that grows by itself. */
  public Frontier copy() {
    return new Frontier(size, edge);
  }

  /** Appends a leaf. */
  public void add(TreeHash leaf, Completed completed) {
    TreeHash hash = leaf;
    int level = 0;
    for (long bits = size; (bits & 1) == 1; bits >>= 1) {
      hash = TreeHash.node(edge.remove(edge.size() - 1), hash);
      level++;
      completed.node(level, size >> level, hash);
    }
    edge.add(hash);
    size++;
  }

  /** How many leaves there are. */
  public long size() {
    return size;
  }

  /** The root over all of them. */
  public TreeHash root() {
    if (edge.isEmpty()) {
      return TreeHash.EMPTY;
    }
    TreeHash root = edge.get(edge.size() - 1);
    for (int i = edge.size() - 2; i >= 0; i--) {
      root = TreeHash.node(edge.get(i), root);
    }
    return root;
  }

  /** The hashes one after the other, largest subtree first. */
  public byte[] bytes() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    edge.forEach(hash -> bytes.writeBytes(hash.bytes()));
    return bytes.toByteArray();
  }
}

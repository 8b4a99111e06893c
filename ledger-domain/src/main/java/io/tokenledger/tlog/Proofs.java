package io.tokenledger.tlog;

import java.util.ArrayList;
import java.util.List;

/**
 * Inclusion and consistency proofs of RFC 6962, section 2.1, made and checked. The checks follow
 * RFC 9162, sections 2.1.3.2 and 2.1.4.2, bounds and last step included: a library that left those
 * out accepted forgeries (GHSA-672p-m5jq-mrh8).
 */
public final class Proofs {

  private Proofs() {}

  /**
   * The hashes that lead from leaf to root, lowest first.
   *
   * @throws IllegalArgumentException unless {@code 0 <= leafIndex < treeSize}
   */
  public static List<TreeHash> inclusion(long leafIndex, long treeSize, NodeReader nodes) {
    if (leafIndex < 0 || leafIndex >= treeSize) {
      throw new IllegalArgumentException(
          "leaf " + leafIndex + " is not in a tree of " + treeSize + " leaves");
    }
    List<TreeHash> proof = new ArrayList<>();
    long from = 0;
    long to = treeSize;
    while (to - from > 1) {
      long middle = from + split(to - from);
      if (leafIndex < middle) {
        proof.add(range(middle, to, nodes));
        to = middle;
      } else {
        proof.add(range(from, middle, nodes));
        from = middle;
      }
    }
    return reversed(proof);
  }

  /**
   * The hashes that show the tree of {@code newSize} leaves to begin with that of {@code oldSize}.
   *
   * @throws IllegalArgumentException unless {@code 0 <= oldSize <= newSize}
   */
  public static List<TreeHash> consistency(long oldSize, long newSize, NodeReader nodes) {
    if (oldSize < 0 || oldSize > newSize) {
      throw new IllegalArgumentException(
          "no tree of " + newSize + " leaves begins with " + oldSize + " leaves");
    }
    List<TreeHash> proof = new ArrayList<>();
    if (oldSize == 0 || oldSize == newSize) {
      return proof;
    }
    long from = 0;
    long to = newSize;
    while (to != oldSize) {
      long middle = from + split(to - from);
      if (oldSize <= middle) {
        proof.add(range(middle, to, nodes));
        to = middle;
      } else {
        proof.add(range(from, middle, nodes));
        from = middle;
      }
    }
    if (from != 0) {
      proof.add(range(from, to, nodes));
    }
    return reversed(proof);
  }

  /** The root over the first {@code size} leaves. */
  public static TreeHash root(long size, NodeReader nodes) {
    return size == 0 ? TreeHash.EMPTY : range(0, size, nodes);
  }

  /** The hash over the leaves in {@code [from, to)}, of which only the right edge may be ragged. */
  private static TreeHash range(long from, long to, NodeReader nodes) {
    long count = to - from;
    if (Long.bitCount(count) == 1) {
      int level = Long.numberOfTrailingZeros(count);
      return nodes.node(level, from >> level);
    }
    long middle = from + split(count);
    return TreeHash.node(range(from, middle, nodes), range(middle, to, nodes));
  }

  /** The largest power of two smaller than the count, which is at least 2. */
  private static long split(long count) {
    return Long.highestOneBit(count - 1);
  }

  private static List<TreeHash> reversed(List<TreeHash> list) {
    List<TreeHash> reversed = new ArrayList<>(list.size());
    for (int i = list.size() - 1; i >= 0; i--) {
      reversed.add(list.get(i));
    }
    return List.copyOf(reversed);
  }

  /** Whether the proof shows that the tree of that size and root has this leaf at that place. */
  public static boolean isIncluded(
      TreeHash leaf, long leafIndex, long treeSize, TreeHash root, List<TreeHash> proof) {
    if (leafIndex < 0 || leafIndex >= treeSize) {
      return false;
    }
    long at = leafIndex;
    long last = treeSize - 1;
    TreeHash hash = leaf;
    for (TreeHash sibling : proof) {
      if (last == 0) {
        return false;
      }
      if ((at & 1) == 1 || at == last) {
        hash = TreeHash.node(sibling, hash);
        while ((at & 1) == 0 && at != 0) {
          at >>= 1;
          last >>= 1;
        }
      } else {
        hash = TreeHash.node(hash, sibling);
      }
      at >>= 1;
      last >>= 1;
    }
    return last == 0 && hash.equals(root);
  }

  /**
   * Whether the proof shows that the tree of {@code newSize} and {@code newRoot} begins with that
   * of {@code oldSize} and {@code oldRoot}. A tree without leaves shows nothing, since every tree
   * begins with it: an {@code oldSize} of 0 is never accepted.
   */
  public static boolean isConsistent(
      long oldSize, TreeHash oldRoot, long newSize, TreeHash newRoot, List<TreeHash> proof) {
    if (oldSize <= 0 || oldSize > newSize) {
      return false;
    }
    if (oldSize == newSize) {
      return proof.isEmpty() && oldRoot.equals(newRoot);
    }
    if (proof.isEmpty()) {
      return false;
    }
    List<TreeHash> path = new ArrayList<>(proof);
    if (Long.bitCount(oldSize) == 1) {
      path.add(0, oldRoot);
    }
    long at = oldSize - 1;
    long last = newSize - 1;
    while ((at & 1) == 1) {
      at >>= 1;
      last >>= 1;
    }
    TreeHash before = path.get(0);
    TreeHash now = path.get(0);
    for (TreeHash sibling : path.subList(1, path.size())) {
      if (last == 0) {
        return false;
      }
      if ((at & 1) == 1 || at == last) {
        before = TreeHash.node(sibling, before);
        now = TreeHash.node(sibling, now);
        while ((at & 1) == 0 && at != 0) {
          at >>= 1;
          last >>= 1;
        }
      } else {
        now = TreeHash.node(now, sibling);
      }
      at >>= 1;
      last >>= 1;
    }
    return last == 0 && before.equals(oldRoot) && now.equals(newRoot);
  }
}

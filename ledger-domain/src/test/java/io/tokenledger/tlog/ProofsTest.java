package io.tokenledger.tlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Trees of every small size, judged by the definition of RFC 6962 written out plainly. */
class ProofsTest {

  private static final int SIZES = 140;

  private final List<TreeHash> leaves = new ArrayList<>();

  ProofsTest() {
    for (int i = 0; i < SIZES; i++) {
      leaves.add(TreeHash.leaf(("entry " + i).getBytes(StandardCharsets.UTF_8)));
    }
  }

  /** MTH of RFC 6962, section 2.1. */
  private TreeHash root(int from, int to) {
    if (from == to) {
      return TreeHash.EMPTY;
    }
    if (to - from == 1) {
      return leaves.get(from);
    }
    int half = 1;
    while (half * 2 < to - from) {
      half *= 2;
    }
    return TreeHash.node(root(from, from + half), root(from + half, to));
  }

  private NodeReader nodes(int size) {
    return (level, index) -> {
      int from = (int) (index << level);
      int to = (int) (index + 1 << level);
      assertTrue(to <= size, "only complete subtrees are read");
      return root(from, to);
    };
  }

  @Test
  void everyLeafOfEveryTreeIsProvenAndNoOther() {
    for (int size = 1; size <= SIZES; size++) {
      TreeHash root = root(0, size);
      for (int leaf = 0; leaf < size; leaf++) {
        List<TreeHash> proof = Proofs.inclusion(leaf, size, nodes(size));
        assertTrue(Proofs.isIncluded(leaves.get(leaf), leaf, size, root, proof));
        TreeHash other = leaves.get((leaf + 1) % SIZES);
        assertFalse(Proofs.isIncluded(other, leaf, size, root, proof));
        if (size > 1) {
          int elsewhere = (leaf + 1) % size;
          assertFalse(Proofs.isIncluded(leaves.get(leaf), elsewhere, size, root, proof));
          List<TreeHash> shorter = proof.subList(0, proof.size() - 1);
          assertFalse(Proofs.isIncluded(leaves.get(leaf), leaf, size, root, shorter));
        }
        assertFalse(Proofs.isIncluded(leaves.get(leaf), leaf, size, root, longer(proof)));
      }
    }
  }

  @Test
  void everyTreeBeginsWithEverySmallerOneAndWithNoOther() {
    for (int size = 1; size <= SIZES; size++) {
      TreeHash root = root(0, size);
      for (int old = 1; old <= size; old++) {
        List<TreeHash> proof = Proofs.consistency(old, size, nodes(size));
        assertTrue(Proofs.isConsistent(old, root(0, old), size, root, proof), old + "/" + size);
        TreeHash forged = TreeHash.node(root(0, old), root);
        assertFalse(Proofs.isConsistent(old, forged, size, root, proof));
        assertFalse(Proofs.isConsistent(old, root(0, old), size, forged, proof));
        assertFalse(Proofs.isConsistent(old, root(0, old), size, root, longer(proof)));
        if (!proof.isEmpty()) {
          List<TreeHash> shorter = proof.subList(0, proof.size() - 1);
          assertFalse(Proofs.isConsistent(old, root(0, old), size, root, shorter));
        }
      }
      assertEquals(List.of(), Proofs.consistency(0, size, nodes(size)));
      assertFalse(Proofs.isConsistent(0, TreeHash.EMPTY, size, root, List.of()));
    }
    assertFalse(Proofs.isConsistent(0, TreeHash.EMPTY, 0, TreeHash.EMPTY, List.of()));
  }

  private List<TreeHash> longer(List<TreeHash> proof) {
    List<TreeHash> longer = new ArrayList<>(proof);
    longer.add(leaves.get(0));
    return longer;
  }

  @Test
  void aFlippedBitIsNeverAccepted() {
    Random random = new Random(6962);
    for (int round = 0; round < 500; round++) {
      int size = 2 + random.nextInt(SIZES - 2);
      int leaf = random.nextInt(size);
      List<TreeHash> proof = new ArrayList<>(Proofs.inclusion(leaf, size, nodes(size)));
      int which = random.nextInt(proof.size());
      proof.set(which, flipped(proof.get(which), random));
      assertFalse(Proofs.isIncluded(leaves.get(leaf), leaf, size, root(0, size), proof));
    }
  }

  private static TreeHash flipped(TreeHash hash, Random random) {
    byte[] bytes = hash.bytes();
    bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
    return TreeHash.of(bytes);
  }

  @Test
  void theRightEdgeKnowsTheRootAndTellsOfEachCompleteSubtree() {
    Frontier edge = new Frontier();
    Map<String, TreeHash> completed = new HashMap<>();
    for (int size = 0; size < SIZES; size++) {
      assertEquals(root(0, size), edge.root());
      assertEquals(size, edge.size());
      assertEquals(edge.root(), Frontier.of(size, edge.bytes()).root());
      assertEquals(edge.root(), Frontier.read(size, nodes(size)).root());
      assertEquals(edge.root(), Proofs.root(size, nodes(size)));
      Frontier before = edge.copy();
      edge.add(leaves.get(size), (level, index, hash) -> completed.put(level + "/" + index, hash));
      assertEquals(root(0, size), before.root(), "a copy grows by itself");
    }
    for (int level = 1; 1 << level <= SIZES; level++) {
      for (int index = 0; index + 1 << level <= SIZES; index++) {
        TreeHash expected = root(index << level, index + 1 << level);
        assertEquals(expected, completed.remove(level + "/" + index));
      }
    }
    assertEquals(Map.of(), completed);
  }

  @Test
  void whatIsOutOfTheTreeIsRefused() {
    assertThrows(IllegalArgumentException.class, () -> Proofs.inclusion(5, 5, nodes(5)));
    assertThrows(IllegalArgumentException.class, () -> Proofs.inclusion(-1, 5, nodes(5)));
    assertThrows(IllegalArgumentException.class, () -> Proofs.consistency(6, 5, nodes(5)));
    assertThrows(IllegalArgumentException.class, () -> Proofs.consistency(-1, 5, nodes(5)));
    assertFalse(Proofs.isIncluded(leaves.get(0), 1, 1, leaves.get(0), List.of()));
    assertFalse(Proofs.isIncluded(leaves.get(0), -1, 1, leaves.get(0), List.of()));
    assertFalse(Proofs.isConsistent(2, root(0, 2), 1, leaves.get(0), List.of()));
    assertFalse(Proofs.isConsistent(-1, root(0, 2), 1, leaves.get(0), List.of()));
    assertThrows(InvalidTlogFormat.class, () -> Frontier.of(3, new byte[32]));
    assertThrows(InvalidTlogFormat.class, () -> Frontier.of(-1, new byte[64 * 32]));
    assertThrows(InvalidTlogFormat.class, () -> TreeHash.of(new byte[31]));
  }
}

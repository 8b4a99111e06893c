package io.tokenledger.tlog;

/** Reads the hashes of complete subtrees, from wherever they are kept. */
public interface NodeReader {

  /**
   * The hash over the {@code 2^level} leaves from {@code index * 2^level} on.
   *
   * @param level 0 for a leaf
   * @param index which of its level, from 0
   * @throws InvalidTlogFormat when what is kept there is no hash or not complete
   */
  TreeHash node(int level, long index);
}

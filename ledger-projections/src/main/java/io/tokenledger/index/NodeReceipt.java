package io.tokenledger.index;

import java.util.List;

/**
 * Which nodes hold a write in their memory.
 *
 * @param applied those that do
 * @param missing names of live nodes that did not when the time was over
 */
public record NodeReceipt(List<Applied> applied, List<String> missing) {

  /**
   * A node that holds it.
   *
   * @param millis after how long that was seen; never less than it took
   */
  public record Applied(String node, long millis) {}
}

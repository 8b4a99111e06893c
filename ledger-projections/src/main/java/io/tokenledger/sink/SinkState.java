package io.tokenledger.sink;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * How far a receiver is.
 *
 * @param nextLeafIndex the first leaf that may not be with it
 * @param treeSize leaves of the signed log
 * @param node which delivers, or did last
 * @param deliveredAt when it last confirmed something; null for never
 * @param trouble why nothing is delivered at present; null while it is
 * @param deadLetters entries that it refused
 */
public record SinkState(
    String name,
    long nextLeafIndex,
    long treeSize,
    String node,
    @Nullable Instant deliveredAt,
    @Nullable String trouble,
    @Nullable Instant troubleSince,
    long deadLetters) {

  /** Leaves that it may not have. */
  public long lag() {
    return Math.max(0, treeSize - nextLeafIndex);
  }
}

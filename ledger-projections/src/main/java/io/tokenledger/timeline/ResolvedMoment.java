package io.tokenledger.timeline;

import java.time.Instant;

/**
 * A moment with the log that it was found in: what makes an answer the same when it is asked for
 * again.
 *
 * @param treeSize only leaves below this one count
 * @param time what expiries are computed with: the moment's instant, or when the last leaf occurred
 * @param exact whether all those leaves count, whenever they occurred
 */
public record ResolvedMoment(long treeSize, Instant time, boolean exact) {}

package io.tokenledger.sql;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a query came to, for the audit; the answer itself went to its taker.
 *
 * @param relations the views that were read, without their schema
 * @param query what ran, with {@code '*'} for every text in it
 * @param rows how many there were
 * @param firstLeafIndex the lowest value of a column {@code leaf_index}; null without one
 * @param lastLeafIndex the highest
 */
public record SqlResult(
    Set<String> relations,
    String query,
    long rows,
    @Nullable Long firstLeafIndex,
    @Nullable Long lastLeafIndex) {}

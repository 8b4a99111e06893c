package io.tokenledger.history;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How many events there are of each kind, the most frequent first, fifty values a kind at most.
 *
 * @param events how many match
 * @param counts by kind ({@code action}, {@code outcome}, {@code actor}, {@code type}) and value
 * @param complete whether all events were counted; else only the newest
 * @param treeSize number of leaves that were searched
 * @param scanned how many events were opened; null where an index found them
 */
public record AuditFacets(
    long events,
    Map<String, Map<String, Long>> counts,
    boolean complete,
    long treeSize,
    @Nullable Long scanned) {}

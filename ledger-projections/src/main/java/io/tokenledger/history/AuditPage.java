package io.tokenledger.history;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A page of the audit log.
 *
 * @param entries newest first
 * @param nextCursor the {@code beforeLeafIndex} of the next page; null when this is the last
 * @param treeSize number of leaves that were searched
 * @param scanned how many events were opened to find these; null where an index found them
 */
public record AuditPage(
    List<AuditEntry> entries, @Nullable Long nextCursor, long treeSize, @Nullable Long scanned) {}

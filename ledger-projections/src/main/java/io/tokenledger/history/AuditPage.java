package io.tokenledger.history;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A page of the audit log.
 *
 * @param entries newest first
 * @param nextCursor the {@code beforeLeafIndex} of the next page; null when this is the last
 * @param treeSize number of leaves when the page was read
 */
public record AuditPage(List<AuditEntry> entries, @Nullable Long nextCursor, long treeSize) {}

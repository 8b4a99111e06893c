package io.tokenledger.requests;

import org.jspecify.annotations.Nullable;

/**
 * A read of the audit log, before its answer leaves.
 *
 * @param route method and path, without anything the caller chose
 * @param query what was asked for, values that may be personal as {@code *}: this is stored
 * @param exactQuery what was asked for, in full: it tells repeats from other reads and is never
 *     stored
 * @param rows how many rows are answered
 * @param firstLeafIndex lowest leaf among them; null when there is none or it is not known
 * @param lastLeafIndex highest leaf among them; null as above
 * @param treeSize number of leaves when it was read
 */
public record AuditRead(
    String route,
    String query,
    String exactQuery,
    long rows,
    @Nullable Long firstLeafIndex,
    @Nullable Long lastLeafIndex,
    long treeSize) {}

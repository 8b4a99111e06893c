package io.tokenledger.report;

import org.jspecify.annotations.Nullable;

/**
 * What was taken away by an export.
 *
 * @param eventId the event that records it
 * @param query what was asked for, with {@code *} for values that may tell about a person
 * @param rows how many events it holds
 * @param firstLeafIndex lowest leaf among them; null when there is none
 * @param lastLeafIndex highest leaf among them; null when there is none
 * @param treeSize how many leaves were searched
 * @param sha256 of the exported bytes before the manifest, lower-case hexadecimal
 */
public record ExportManifest(
    String eventId,
    String format,
    String query,
    long rows,
    @Nullable Long firstLeafIndex,
    @Nullable Long lastLeafIndex,
    long treeSize,
    String sha256) {}

package io.tokenledger.sequence;

import io.tokenledger.store.EventTable;
import io.tokenledger.store.PrunedBody;
import org.jspecify.annotations.Nullable;

/**
 * An event with all that its entry in the log covers: every column of its row, and its salts.
 *
 * @param globalIndex its place in the event table
 * @param mac as stored
 * @param recordedAt the database's clock at the insert, {@code 2026-11-24T12:00:00.123456Z}
 * @param payloadSalt null when it has none, which no event of a node's has
 * @param metadataSalt as {@code payloadSalt}
 */
public record LogRow(
    long globalIndex,
    EventTable.Row row,
    byte[] mac,
    String recordedAt,
    byte @Nullable [] payloadSalt,
    byte @Nullable [] metadataSalt) {

  /**
   * Whether nothing is left of it but what is left at the end of its retention. Salts say nothing
   * of that: whoever has a node's login can add some.
   */
  public boolean hasNoBody() {
    return row.payload().contains("\"pruned\":true")
        && PrunedBody.isAll(row.payload(), row.metadata());
  }
}

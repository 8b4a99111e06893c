package io.tokenledger.sink;

import org.jspecify.annotations.Nullable;

/**
 * An entry on its way, without what its format made the body of: thousands wait in memory.
 *
 * @param logOrigin name of the log; with the leaf's index the key of the entry
 * @param occurredAt ISO 8601 in UTC
 * @param outcome how it ended: {@code success}, {@code denied} or {@code failed}
 * @param node which wrote it; null where that cannot be read
 * @param body as its format writes it, UTF-8, without a line's end
 */
public record Message(
    String logOrigin,
    long leafIndex,
    String eventType,
    String occurredAt,
    String outcome,
    @Nullable String node,
    byte[] body) {

  static Message of(Entry entry, EventFormat format) {
    return new Message(
        entry.logOrigin(),
        entry.leafIndex(),
        entry.eventType(),
        entry.occurredAt(),
        entry.outcome(),
        entry.text("node"),
        format.write(entry));
  }
}

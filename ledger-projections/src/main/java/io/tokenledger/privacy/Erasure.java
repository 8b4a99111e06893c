package io.tokenledger.privacy;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What an erasure would do or has done.
 *
 * @param subject whose
 * @param keyIds the keys under which something of the subject is sealed
 * @param eventCount events that hold fields sealed under them
 * @param firstAt when the first of those occurred; null when there is none
 * @param lastAt when the last of them occurred; null when there is none
 * @param holds names of the holds that forbid it
 * @param eventId the event of it; null when nothing was erased
 */
public record Erasure(
    String subject,
    List<String> keyIds,
    long eventCount,
    @Nullable Instant firstAt,
    @Nullable Instant lastAt,
    List<String> holds,
    @Nullable String eventId) {

  public Erasure {
    keyIds = List.copyOf(keyIds);
    holds = List.copyOf(holds);
  }
}

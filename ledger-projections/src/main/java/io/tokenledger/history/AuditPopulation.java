package io.tokenledger.history;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * All events of a period, counted.
 *
 * @param events how many
 * @param firstLeafIndex lowest leaf among them; null when there is none
 * @param lastLeafIndex highest leaf among them
 */
public record AuditPopulation(
    List<Count> counts, long events, @Nullable Long firstLeafIndex, @Nullable Long lastLeafIndex) {

  /**
   * How many there are of a type and outcome.
   *
   * @param requests how many requests they stand for, at least as many
   */
  public record Count(String eventType, String outcome, long events, long requests) {}
}

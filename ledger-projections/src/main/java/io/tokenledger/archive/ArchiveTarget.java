package io.tokenledger.archive;

import java.time.Duration;

/**
 * Where the log is archived.
 *
 * @param location see {@link ArchiveStore#open}; the same for all nodes that may lead
 * @param interval between two looks whether a segment is due, at least a second
 */
public record ArchiveTarget(String location, Duration interval) {

  public ArchiveTarget {
    if (interval.compareTo(Duration.ofSeconds(1)) < 0) {
      throw new IllegalArgumentException(
          "--archive-interval must be at least 1 second, got " + interval);
    }
  }
}

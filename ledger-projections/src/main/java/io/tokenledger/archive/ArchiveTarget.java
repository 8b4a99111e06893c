package io.tokenledger.archive;

import java.nio.file.Path;
import java.time.Duration;

/**
 * Where the log is archived.
 *
 * @param directory see {@link DirectoryStore}; shared by the nodes that may lead
 * @param interval between two looks whether a segment is due, at least a second
 */
public record ArchiveTarget(Path directory, Duration interval) {

  public ArchiveTarget {
    if (interval.compareTo(Duration.ofSeconds(1)) < 0) {
      throw new IllegalArgumentException(
          "--archive-interval must be at least 1 second, got " + interval);
    }
  }
}

package io.tokenledger.archive;

import java.net.URI;

/**
 * Opens the stores of one scheme. Found by {@link java.util.ServiceLoader}, so that a scheme can
 * come in a jar of its own.
 */
public interface ArchiveStoreFactory {

  /** The scheme of the locations it opens, in small letters: {@code s3}. */
  String scheme();

  /**
   * The store at that location. Connects to nothing yet.
   *
   * @throws IllegalArgumentException with the part of the location that is wrong, and the rule
   */
  ArchiveStore open(URI location);
}

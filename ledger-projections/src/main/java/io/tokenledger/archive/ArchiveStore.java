package io.tokenledger.archive;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.ServiceLoader;

/** Keeps files under names that are given once: what is there is neither changed nor removed. */
public interface ArchiveStore {

  /**
   * The store at that location: a directory, or a URL whose scheme a jar beside the ledger knows.
   *
   * @throws IllegalArgumentException when no jar knows it, or with what is wrong with it
   * @throws IllegalStateException when a directory cannot be made
   */
  static ArchiveStore open(String location) {
    if (!location.matches("[A-Za-z][A-Za-z0-9+.-]*://.*")) {
      return new DirectoryStore(Path.of(location));
    }
    URI url;
    try {
      url = new URI(location);
    } catch (URISyntaxException e) {
      throw new IllegalArgumentException("--archive is no URL: " + e.getReason(), e);
    }
    String scheme = url.getScheme().toLowerCase(Locale.ROOT);
    for (ArchiveStoreFactory factory : ServiceLoader.load(ArchiveStoreFactory.class)) {
      if (factory.scheme().equals(scheme)) {
        return factory.open(url);
      }
    }
    throw new IllegalArgumentException(
        "--archive: no jar here knows " + scheme + "://, put its jars into LEDGER_SINK_JARS");
  }

  /**
   * Keeps a copy of that file. Once this returns it is there after a power failure, byte for byte.
   *
   * @param name letters, digits, '-' and '.'
   * @throws FileAlreadyExistsException when there is one of that name; that one is as it was
   * @throws IOException when it is not known to be kept
   */
  void put(String name, Path file) throws IOException;

  /**
   * Copies what is kept under that name.
   *
   * @param into is overwritten
   * @throws NoSuchFileException when there is none
   */
  void get(String name, Path into) throws IOException;

  /**
   * Sees to it that what is kept under that name stays: a {@link #put} may have failed after it was
   * written and before it was locked.
   *
   * @throws IOException when it is not known that it stays
   */
  default void requireKept(String name) throws IOException {}

  /** The names there are, in order. */
  List<String> list() throws IOException;
}

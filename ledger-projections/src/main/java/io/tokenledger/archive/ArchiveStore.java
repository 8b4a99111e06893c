package io.tokenledger.archive;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;

/** Keeps files under names that are given once: what is there is neither changed nor removed. */
public interface ArchiveStore {

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

  /** The names there are, in order. */
  List<String> list() throws IOException;
}

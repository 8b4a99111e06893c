package io.tokenledger.archive;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;

/**
 * A store in a directory of a file system with hard links. Files can only be read by their owner,
 * and be created: who owns the directory can still remove them, so that this alone is no WORM.
 */
public final class DirectoryStore implements ArchiveStore {

  private static final String UNFINISHED = ".unfinished-";

  private final Path directory;

  /**
   * @param directory is made when there is none
   * @throws IllegalStateException when it is none
   */
  public DirectoryStore(Path directory) {
    try {
      this.directory = Files.createDirectories(directory);
    } catch (IOException e) {
      throw new IllegalStateException("--archive " + directory + " is no directory", e);
    }
  }

  @Override
  public void put(String name, Path file) throws IOException {
    Path unfinished = Files.createTempFile(directory, UNFINISHED, "");
    try {
      Files.copy(file, unfinished, StandardCopyOption.REPLACE_EXISTING);
      try (FileChannel channel = FileChannel.open(unfinished, WRITE)) {
        channel.force(true);
      }
      PosixFileAttributeView view =
          Files.getFileAttributeView(unfinished, PosixFileAttributeView.class);
      if (view != null) {
        view.setPermissions(PosixFilePermissions.fromString("r--------"));
      }
      // A rename would replace what is there; a link does not.
      Files.createLink(path(name), unfinished);
    } finally {
      Files.deleteIfExists(unfinished);
    }
    try (FileChannel entries = FileChannel.open(directory, READ)) {
      entries.force(true);
    }
    if (Files.mismatch(file, path(name)) >= 0) {
      throw new IOException(name + " is not read back as it was written");
    }
  }

  @Override
  public void get(String name, Path into) throws IOException {
    if (!Files.isRegularFile(path(name))) {
      throw new NoSuchFileException(name);
    }
    Files.copy(path(name), into, StandardCopyOption.REPLACE_EXISTING);
  }

  @Override
  public List<String> list() throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> !name.startsWith("."))
          .sorted()
          .toList();
    }
  }

  private Path path(String name) throws NoSuchFileException {
    if (!name.matches("[A-Za-z0-9][A-Za-z0-9.-]*")) {
      throw new NoSuchFileException(name);
    }
    return directory.resolve(name);
  }

  @Override
  public String toString() {
    return directory.toString();
  }
}

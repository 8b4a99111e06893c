package io.tokenledger.signing;

import io.tokenledger.tlog.SignedNote;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Notes in the files of one directory, each replaced as a whole: who reads finds the note before or
 * the one after, also when the machine failed between. What was written is durable.
 */
public final class NoteFiles {

  private final Path directory;
  private final String flag;

  /**
   * @param flag what names the directory, for messages
   * @throws IllegalStateException when the directory cannot be made
   */
  public NoteFiles(Path directory, String flag) {
    this.directory = directory.toAbsolutePath();
    this.flag = flag;
    try {
      Files.createDirectories(this.directory);
    } catch (IOException e) {
      throw new IllegalStateException(flag + " " + directory + " cannot be made", e);
    }
  }

  /** Where they are. */
  public Path directory() {
    return directory;
  }

  /** The names of all files there, notes or not. */
  public List<String> names() {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(file -> file.getFileName().toString()).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(flag + " " + directory + " cannot be read", e);
    }
  }

  /**
   * The note of that name.
   *
   * @throws io.tokenledger.tlog.InvalidTlogFormat when the file holds none
   */
  public Optional<SignedNote> read(String name) {
    try {
      return Optional.of(
          SignedNote.parse(Files.readString(directory.resolve(name), StandardCharsets.UTF_8)));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw new UncheckedIOException(flag + " " + directory + " cannot be read", e);
    }
  }

  /** Puts the note in the place of what had that name. Durable when this returns. */
  public void write(String name, SignedNote note) {
    Path fresh = directory.resolve("." + name + ".new");
    try {
      try (FileChannel channel =
          FileChannel.open(
              fresh,
              Set.of(
                  StandardOpenOption.CREATE,
                  StandardOpenOption.TRUNCATE_EXISTING,
                  StandardOpenOption.WRITE))) {
        ByteBuffer bytes = ByteBuffer.wrap(note.toString().getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
          channel.write(bytes);
        }
        channel.force(true);
      }
      Files.move(fresh, directory.resolve(name), StandardCopyOption.ATOMIC_MOVE);
      try (FileChannel names = FileChannel.open(directory, Set.of(StandardOpenOption.READ))) {
        names.force(true);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(flag + " " + directory + " cannot be written", e);
    }
  }
}

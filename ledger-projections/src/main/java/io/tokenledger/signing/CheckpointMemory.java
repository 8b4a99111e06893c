package io.tokenledger.signing;

import io.tokenledger.tlog.Checkpoint;
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
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The newest checkpoint that this node signed or verified, one file a generation, outside the
 * database. It is what makes a rewritten or restored database known: whoever changes the rows
 * cannot change what a node remembers of them. A checkpoint is durable here before anyone sees it.
 */
public final class CheckpointMemory {

  private static final String PREFIX = "checkpoint-";

  private final Path directory;

  /**
   * @throws IllegalStateException when the directory cannot be made
   */
  public CheckpointMemory(Path directory) {
    this.directory = directory.toAbsolutePath();
    try {
      Files.createDirectories(this.directory);
    } catch (IOException e) {
      throw new IllegalStateException("--state-dir " + directory + " cannot be made", e);
    }
  }

  /** The highest generation it knows; 0 for none. */
  public synchronized int newestGeneration() {
    try (Stream<Path> files = Files.list(directory)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.matches(PREFIX + "[1-9][0-9]{0,3}"))
          .mapToInt(name -> Integer.parseInt(name.substring(PREFIX.length())))
          .max()
          .orElse(0);
    } catch (IOException e) {
      throw new UncheckedIOException("--state-dir " + directory + " cannot be read", e);
    }
  }

  /**
   * The newest checkpoint of that generation.
   *
   * @throws io.tokenledger.tlog.InvalidTlogFormat when the file holds none
   */
  public synchronized Optional<SignedNote> newest(int generation) {
    try {
      return Optional.of(
          SignedNote.parse(Files.readString(file(generation), StandardCharsets.UTF_8)));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw new UncheckedIOException("--state-dir " + directory + " cannot be read", e);
    }
  }

  /** Remembers the checkpoint, unless a newer one is remembered. Durable when this returns. */
  public synchronized void remember(int generation, SignedNote note) {
    long size = Checkpoint.parse(note.text()).size();
    Optional<SignedNote> known = newest(generation);
    if (known.isPresent() && Checkpoint.parse(known.get().text()).size() >= size) {
      return;
    }
    Path fresh = directory.resolve("." + PREFIX + generation + ".new");
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
      Files.move(fresh, file(generation), StandardCopyOption.ATOMIC_MOVE);
      try (FileChannel names = FileChannel.open(directory, Set.of(StandardOpenOption.READ))) {
        names.force(true);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("--state-dir " + directory + " cannot be written", e);
    }
  }

  private Path file(int generation) {
    return directory.resolve(PREFIX + generation);
  }
}

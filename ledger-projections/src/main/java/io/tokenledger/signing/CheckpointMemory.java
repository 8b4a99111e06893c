package io.tokenledger.signing;

import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.SignedNote;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The newest checkpoint that this node signed or verified, one file a generation, outside the
 * database. It is what makes a rewritten or restored database known: whoever changes the rows
 * cannot change what a node remembers of them. A checkpoint is durable here before anyone sees it.
 */
public final class CheckpointMemory {

  private static final String PREFIX = "checkpoint-";

  private final NoteFiles files;

  /**
   * @throws IllegalStateException when the directory cannot be made
   */
  public CheckpointMemory(Path directory) {
    this.files = new NoteFiles(directory, "--state-dir");
  }

  /** The highest generation it knows; 0 for none. */
  public synchronized int newestGeneration() {
    return files.names().stream()
        .filter(name -> name.matches(PREFIX + "[1-9][0-9]{0,3}"))
        .mapToInt(name -> Integer.parseInt(name.substring(PREFIX.length())))
        .max()
        .orElse(0);
  }

  /**
   * The newest checkpoint of that generation.
   *
   * @throws io.tokenledger.tlog.InvalidTlogFormat when the file holds none
   */
  public synchronized Optional<SignedNote> newest(int generation) {
    return files.read(PREFIX + generation);
  }

  /** Remembers the checkpoint, unless a newer one is remembered. Durable when this returns. */
  public synchronized void remember(int generation, SignedNote note) {
    long size = Checkpoint.parse(note.text()).size();
    Optional<SignedNote> known = newest(generation);
    if (known.isPresent() && Checkpoint.parse(known.get().text()).size() >= size) {
      return;
    }
    files.write(PREFIX + generation, note);
  }
}

package io.tokenledger.sink;

import java.io.IOException;
import java.util.List;

/**
 * One receiver of the log. Used by one thread at a time, except {@link #close}. Opening one reads
 * its settings and connects to nothing; connections are made when something is sent.
 */
public interface Sink extends AutoCloseable {

  /** How many entries it takes at once, at most. */
  default int batchSize() {
    return SinkPages.MAX_PAGE;
  }

  /**
   * Gives the receiver these entries, in their order, which go on where the last call ended, or
   * where {@link #confirmed} stood after a {@link #reset}. May return before the receiver has them
   * for sure.
   *
   * @throws IOException when the receiver takes nothing at present: it is tried again later
   * @throws EntriesRefused when it will never take these as they are; a single one is then a dead
   *     letter
   */
  void send(List<Message> messages) throws IOException, InterruptedException, EntriesRefused;

  /**
   * The receiver has every entry before this leaf, as surely as its protocol can tell.
   *
   * @throws IOException when what was sent may be lost: it is sent again
   */
  long confirmed() throws IOException, InterruptedException;

  /**
   * Waits until the receiver has all that was sent, as surely as its protocol can tell. Returns at
   * once where {@link #send} has waited for that.
   *
   * @throws IOException when what was sent may be lost
   */
  default void settle() throws IOException, InterruptedException {}

  /** Forgets connections, and what was sent and not confirmed. */
  void reset();

  @Override
  void close();
}

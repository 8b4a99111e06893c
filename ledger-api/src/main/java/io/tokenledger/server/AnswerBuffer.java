package io.tokenledger.server;

import io.tokenledger.sql.SqlRefused;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;

/**
 * The bytes of an answer whose status is not known before its end, in pieces: one array that grows
 * would at times be there twice.
 */
final class AnswerBuffer extends OutputStream {

  /** How long an answer may be. */
  static final int MAX_BYTES = 16 * 1024 * 1024;

  private static final int PIECE_BYTES = 64 * 1024;

  private final MemoryBudget.Share memory;
  private final List<byte[]> pieces = new ArrayList<>();
  private int used = PIECE_BYTES;

  /**
   * @param memory grows with the answer
   */
  AnswerBuffer(MemoryBudget.Share memory) {
    this.memory = memory;
  }

  /** How long an answer must not be, in words. */
  static SqlRefused tooLong() {
    return new SqlRefused("the answer is longer than " + MAX_BYTES + " bytes: select less");
  }

  @Override
  public void write(int b) {
    write(new byte[] {(byte) b}, 0, 1);
  }

  /**
   * Adds bytes.
   *
   * @throws SqlRefused when the answer becomes too long
   */
  @Override
  public void write(byte[] bytes, int from, int count) {
    for (int done = 0; done < count; ) {
      if (used == PIECE_BYTES) {
        long next = (pieces.size() + 1L) * PIECE_BYTES;
        if (next > MAX_BYTES) {
          throw tooLong();
        }
        memory.grow(next);
        pieces.add(new byte[PIECE_BYTES]);
        used = 0;
      }
      int part = Math.min(count - done, PIECE_BYTES - used);
      System.arraycopy(bytes, from + done, pieces.get(pieces.size() - 1), used, part);
      used += part;
      done += part;
    }
  }

  long length() {
    return pieces.isEmpty() ? 0 : (pieces.size() - 1L) * PIECE_BYTES + used;
  }

  void writeTo(OutputStream out) throws IOException {
    for (int i = 0; i < pieces.size(); i++) {
      out.write(pieces.get(i), 0, i == pieces.size() - 1 ? used : PIECE_BYTES);
    }
  }

  /** The bytes from the first on. */
  java.io.InputStream read() {
    List<java.io.InputStream> streams = new ArrayList<>();
    for (int i = 0; i < pieces.size(); i++) {
      streams.add(
          new java.io.ByteArrayInputStream(
              pieces.get(i), 0, i == pieces.size() - 1 ? used : PIECE_BYTES));
    }
    return new java.io.SequenceInputStream(java.util.Collections.enumeration(streams));
  }
}

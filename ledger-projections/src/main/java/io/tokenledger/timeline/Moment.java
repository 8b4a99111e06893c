package io.tokenledger.timeline;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * A point of the history. A place in the log is exact and gives the same answer for ever; a time
 * gives the same answer for one size of the log, since events may be recorded later than they
 * occurred (audit-design 4.3).
 */
public sealed interface Moment {

  /** Once that leaf had been added. */
  record AfterLeaf(long leafIndex) implements Moment {
    @Override
    public String toString() {
      return "leaf:" + leafIndex;
    }
  }

  /** All that the signed checkpoint of that size covers. */
  record AtCheckpoint(long size) implements Moment {
    @Override
    public String toString() {
      return "checkpoint:" + size;
    }
  }

  /** What had occurred by that instant, itself included; whole milliseconds. */
  record AtTime(Instant instant) implements Moment {
    @Override
    public String toString() {
      return instant.toString();
    }
  }

  /**
   * How many leaves a place in the log stands behind.
   *
   * @throws IllegalStateException for a time
   */
  default long size() {
    if (this instanceof AfterLeaf leaf) {
      return leaf.leafIndex() + 1;
    }
    if (this instanceof AtCheckpoint checkpoint) {
      return checkpoint.size();
    }
    throw new IllegalStateException("a time is no place in the log");
  }

  /** The first instant that an answer can speak of. */
  Instant FIRST = Instant.EPOCH;

  /**
   * The moment that a text says: {@code leaf:N}, {@code checkpoint:N}, an instant or a date, which
   * begins at midnight in UTC.
   *
   * @throws IllegalArgumentException when it says none; the message is the rule
   */
  static Moment parse(String text) {
    if (text.matches("leaf:\\d{1,18}")) {
      return new AfterLeaf(Long.parseLong(text.substring("leaf:".length())));
    }
    if (text.matches("checkpoint:\\d{1,18}")) {
      return new AtCheckpoint(Long.parseLong(text.substring("checkpoint:".length())));
    }
    try {
      Instant instant =
          Instant.parse(text.matches("\\d{4}-\\d{2}-\\d{2}") ? text + "T00:00:00Z" : text);
      if (!instant.isBefore(FIRST)) {
        // Events are stored to the millisecond, and expire at one.
        return new AtTime(instant.truncatedTo(ChronoUnit.MILLIS));
      }
    } catch (DateTimeException e) {
      // Falls through to the one message.
    }
    throw new IllegalArgumentException(
        "must be leaf:N, checkpoint:N or an instant such as 2026-11-24T12:00:00Z, from 1970 on");
  }
}

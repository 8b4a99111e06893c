package io.tokenledger.store;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where a write stands among all writes: its transaction on its server's timeline. Not an order of
 * commits; whoever waits for one asks whether a snapshot sees it.
 *
 * @param timeline counted up by every failover and restore
 * @param xid the transaction; after a crash a server gives those again that it had begun and that
 *     were not on its disk
 */
public record Position(int timeline, long xid) {

  private static final Pattern TEXT = Pattern.compile("([0-9]{1,9})-([0-9]{1,18})");

  /** The position of that text; empty when it is none. An inverse of {@link #toString}. */
  public static Optional<Position> parse(String text) {
    Matcher parts = TEXT.matcher(text);
    return parts.matches()
        ? Optional.of(
            new Position(Integer.parseInt(parts.group(1)), Long.parseLong(parts.group(2))))
        : Optional.empty();
  }

  /** The wire form, for example {@code 1-7345}. */
  @Override
  public String toString() {
    return timeline + "-" + xid;
  }
}

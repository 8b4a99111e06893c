package io.tokenledger.verify;

import org.jspecify.annotations.Nullable;

/**
 * One thing that is not as it must be: evidence that rows were changed, added or removed.
 *
 * @param kind stable lower-case code, for example {@code entry_differs}
 * @param leafIndex where, when it is about a leaf
 * @param eventId which event, when that is known
 * @param detail what differs, without personal data
 */
public record Finding(
    String kind, @Nullable Long leafIndex, @Nullable String eventId, String detail) {

  /** One line for people. */
  @Override
  public String toString() {
    StringBuilder line = new StringBuilder(kind);
    if (leafIndex != null) {
      line.append(" leaf ").append(leafIndex);
    }
    if (eventId != null) {
      line.append(" event ").append(eventId);
    }
    return line.append(": ").append(detail).toString();
  }
}

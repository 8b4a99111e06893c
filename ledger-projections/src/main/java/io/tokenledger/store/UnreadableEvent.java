package io.tokenledger.store;

import org.jspecify.annotations.Nullable;

/**
 * A stored event that this version cannot read: an unknown type or revision, or a broken payload.
 */
public final class UnreadableEvent extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final @Nullable String eventId;
  private final String reason;
  private final long leafIndex;

  public UnreadableEvent(String message, Throwable cause) {
    super(message, cause);
    this.eventId = null;
    this.reason = message;
    this.leafIndex = -1;
  }

  public UnreadableEvent(String message) {
    super(message);
    this.eventId = null;
    this.reason = message;
    this.leafIndex = -1;
  }

  private UnreadableEvent(String place, String eventId, long leafIndex, UnreadableEvent cause) {
    super("event " + eventId + " at " + place + ": " + cause.reason, cause);
    this.eventId = eventId;
    this.reason = cause.reason;
    this.leafIndex = leafIndex;
  }

  /** The same, of that leaf. */
  public UnreadableEvent atLeaf(long index, String id) {
    return new UnreadableEvent("leaf " + index, id, index, this);
  }

  /** The same, of that row of the event table. */
  public UnreadableEvent atGlobalIndex(long index, String id) {
    return new UnreadableEvent("global index " + index, id, -1, this);
  }

  /** Its place in the dense order; -1 where that is not known. */
  public long leafIndex() {
    return leafIndex;
  }

  /** Which; null where only its payload was looked at. */
  public @Nullable String eventId() {
    return eventId;
  }

  /** Why not: an unknown type or revision, or a broken payload. */
  public String reason() {
    return reason;
  }
}

package io.tokenledger.store;

/**
 * A stored event that this version cannot read: an unknown type or revision, or a broken payload.
 */
public final class UnreadableEvent extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public UnreadableEvent(String message, Throwable cause) {
    super(message, cause);
  }

  public UnreadableEvent(String message) {
    super(message);
  }
}

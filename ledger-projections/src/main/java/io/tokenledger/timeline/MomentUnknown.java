package io.tokenledger.timeline;

/** The history has no such moment; the message is the rule that it breaks. */
public final class MomentUnknown extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public MomentUnknown(String message) {
    super(message, null, false, false);
  }
}

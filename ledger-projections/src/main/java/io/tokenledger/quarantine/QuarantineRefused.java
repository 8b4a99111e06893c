package io.tokenledger.quarantine;

/** The event is not one that this can be done to; the message says why. */
public final class QuarantineRefused extends RuntimeException {

  private static final long serialVersionUID = 1L;

  QuarantineRefused(String message) {
    super(message);
  }
}

package io.tokenledger.tlog;

/** Text or bytes that are not of the format they should be of; the message says what is wrong. */
public final class InvalidTlogFormat extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public InvalidTlogFormat(String message) {
    super(message);
  }
}

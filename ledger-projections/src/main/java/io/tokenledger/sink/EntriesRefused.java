package io.tokenledger.sink;

/** A receiver will never take these entries as they are; the message says what it answered. */
public final class EntriesRefused extends Exception {

  private static final long serialVersionUID = 1L;

  public EntriesRefused(String answer) {
    super(answer);
  }

  /** What it answered. */
  public String answer() {
    return String.valueOf(getMessage());
  }
}

package io.tokenledger.audit;

import java.util.Locale;

/** How a request ended. */
public enum Outcome {
  /** It was carried out. */
  SUCCESS,
  /** The caller may not do it, or did not say who it is. */
  DENIED,
  /** The caller may do it, and it could not be done: a conflict, a bad value, nothing there. */
  FAILED;

  /** The lower-case form used in the envelope. */
  public String wireName() {
    return name().toLowerCase(Locale.ROOT);
  }
}

package io.tokenledger.privacy;

/** It cannot be erased, held or lifted; the message says why. */
public final class PrivacyRefused extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final String code;

  PrivacyRefused(String code, String message) {
    super(message);
    this.code = code;
  }

  /** Stable lower-case code: {@code held}, {@code nothing_sealed} and so on. */
  public String code() {
    return code;
  }
}

package io.tokenledger.archive;

/** Nothing is archived or brought back; the message says why. */
public final class ArchiveRefused extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final String code;

  ArchiveRefused(String code, String message) {
    super(message);
    this.code = code;
  }

  /** Stable lower-case code: {@code not_clean}, {@code no_archive} and so on. */
  public String code() {
    return code;
  }
}

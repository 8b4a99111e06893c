package io.tokenledger.sequence;

/**
 * The tree in the database contradicts what this node remembers of it: it was changed, cut or
 * restored from a backup. It is never mended here; the message says what to look at.
 */
public final class TreeRefused extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final String code;

  /**
   * @param code stable and lower-case, for the audit
   */
  public TreeRefused(String code, String message) {
    super(message);
    this.code = code;
  }

  /** What it is, in one word that does not change. */
  public String code() {
    return code;
  }
}

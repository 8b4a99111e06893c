package io.tokenledger.sequence;

/**
 * The tree in the database contradicts what this node remembers of it: it was changed, cut or
 * restored from a backup. It is never mended here; the message says what to look at.
 */
public final class TreeRefused extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public TreeRefused(String message) {
    super(message);
  }
}

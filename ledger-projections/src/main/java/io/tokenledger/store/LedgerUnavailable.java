package io.tokenledger.store;

/**
 * The database did not answer, is full, or gave no connection in time: nothing was decided. The
 * caller may try again; nobody may take it for a "no" or a "yes".
 */
public final class LedgerUnavailable extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public LedgerUnavailable(String message, Throwable cause) {
    super(message, cause);
  }
}

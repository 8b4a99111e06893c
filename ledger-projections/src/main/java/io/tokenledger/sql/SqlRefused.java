package io.tokenledger.sql;

/** A query is not answered, and its author can help that: the message says how. */
public final class SqlRefused extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public SqlRefused(String message) {
    super(message, null, false, false);
  }
}

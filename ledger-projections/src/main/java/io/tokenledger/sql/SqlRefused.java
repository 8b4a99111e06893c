package io.tokenledger.sql;

import org.jspecify.annotations.Nullable;

/** A query is not answered, and its author can help that: the message says how. */
public final class SqlRefused extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final @Nullable String relation;

  public SqlRefused(String message) {
    this(message, null);
  }

  SqlRefused(String message, @Nullable String relation) {
    super(message, null, false, false);
    this.relation = relation;
  }

  /** The view of {@code system} that the caller may not read; null when that is not why. */
  public @Nullable String relation() {
    return relation;
  }
}

package io.tokenledger.token;

import java.util.Locale;

/** How a token came to its power. */
public enum TokenKind {
  /** {@code _admin}: everything, never expires, is regenerated and never revoked. */
  OPERATOR,
  /** A named admin: everything, one for each person who administers. */
  ADMIN,
  /** What its permissions grant. */
  RESOURCE;

  /** The lower-case form used in answers and storage. */
  public String wireName() {
    return name().toLowerCase(Locale.ROOT);
  }
}

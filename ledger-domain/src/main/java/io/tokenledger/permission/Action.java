package io.tokenledger.permission;

import java.util.Locale;

/**
 * Something done to a resource. Declared in the order in which actions are rendered, which is
 * InfluxDB's ({@code create,describe,update,drop,read,write,delete}) less the two that cannot be
 * granted.
 */
public enum Action {
  CREATE,
  DESCRIBE,
  READ,
  WRITE,
  DELETE;

  /** The lower-case wire form, for example {@code read}. */
  public String wireName() {
    return name().toLowerCase(Locale.ROOT);
  }
}

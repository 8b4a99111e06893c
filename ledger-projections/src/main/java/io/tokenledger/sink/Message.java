package io.tokenledger.sink;

/**
 * An entry on its way.
 *
 * @param body as its format writes it, UTF-8, without a line's end
 */
public record Message(Entry entry, byte[] body) {

  /** Its place in the log. */
  public long leafIndex() {
    return entry.leafIndex();
  }
}

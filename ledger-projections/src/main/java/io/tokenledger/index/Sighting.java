package io.tokenledger.index;

/**
 * What was seen of the lookup, and as of when.
 *
 * @param asOf no later than the moment whose state was seen
 */
public record Sighting<T>(T seen, Begun asOf) {

  /**
   * Whether an answer may still say yes by it. To be asked just before the answer is written: the
   * process may have been stopped since.
   */
  public boolean isCurrent() {
    return asOf.isWithin(Authorization.BOUND);
  }
}

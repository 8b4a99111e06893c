package io.tokenledger.replay;

import java.util.List;

/**
 * What a replay found.
 *
 * @param events how many events were read
 * @param rows how many lookup rows they make
 * @param differences the first thousand differences, most telling first; empty when the live lookup
 *     is exactly what the events make
 * @param differenceCount how many there are in all
 * @param swapped whether the rebuilt lookup was put in place
 * @param millis how long it took
 */
public record ReplayReport(
    long events,
    long rows,
    List<Difference> differences,
    long differenceCount,
    boolean swapped,
    long millis) {

  /**
   * One row that differs.
   *
   * @param kind {@code missing} (the live lookup lacks it), {@code added} (no event made it) or
   *     {@code changed}
   * @param tokenId the token
   * @param tokenName its name
   * @param hashPrefix the first nine digits of the secret's hash
   * @param detail the columns that differ, each as {@code column: live -> rebuilt}
   */
  public record Difference(
      String kind, long tokenId, String tokenName, String hashPrefix, String detail) {}
}

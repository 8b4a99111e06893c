package io.tokenledger.replay;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What a comparison of a rebuilt generation with the live one found.
 *
 * @param replayId the replay whose generation it was
 * @param events how many events were read in bulk
 * @param live of each live table its rows and digest
 * @param rebuilt the same of what the events make
 * @param differences the first thousand differences; empty when the live rows are exactly what the
 *     events make
 * @param differenceCount how many there are in all
 * @param digest SHA-256 over all differences, what a swap may accept
 * @param millis how long it took
 */
public record ReplayReport(
    long replayId,
    long events,
    Map<String, Digest> live,
    Map<String, Digest> rebuilt,
    List<Difference> differences,
    long differenceCount,
    String digest,
    long millis) {

  public ReplayReport {
    live = new TreeMap<>(live);
    rebuilt = new TreeMap<>(rebuilt);
  }

  /**
   * A table in one line.
   *
   * @param hex SHA-256 over all rows whatever their order, 64 hexadecimal digits
   */
  public record Digest(long rows, String hex) {}

  /**
   * One row that differs.
   *
   * @param table the table it belongs to
   * @param kind {@code missing} (the live table lacks it), {@code added} (no event made it) or
   *     {@code changed}
   * @param key its key, hashes as their first nine digits
   * @param tokenId the token; null where the table has none
   * @param tokenName its name; null as above
   * @param detail the columns that differ, each as {@code column: live -> rebuilt}
   */
  public record Difference(
      String table,
      String kind,
      String key,
      @Nullable Long tokenId,
      @Nullable String tokenName,
      String detail) {}

  /** How many rows the rebuilt generation has. */
  public long rows() {
    return rebuilt.values().stream().mapToLong(Digest::rows).sum();
  }
}

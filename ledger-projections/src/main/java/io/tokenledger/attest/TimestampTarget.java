package io.tokenledger.attest;

import java.net.URI;
import java.time.Duration;

/**
 * An authority that attests when a checkpoint was there (RFC 3161).
 *
 * @param interval between two timestamps, a second or more
 */
public record TimestampTarget(URI url, Duration interval) {

  public TimestampTarget {
    if (interval.compareTo(Duration.ofSeconds(1)) < 0) {
      throw new IllegalArgumentException("--timestamp-interval must be a second or more");
    }
  }

  /**
   * Reads what an operator writes.
   *
   * @throws IllegalArgumentException with the rule that is broken
   */
  public static TimestampTarget parse(String url, Duration interval) {
    return new TimestampTarget(WitnessTarget.url("--timestamp-authority", url), interval);
  }

  /** The URL without its query, which may hold a key: what is stored and shown. */
  public String reference() {
    String port = url.getPort() < 0 ? "" : ":" + url.getPort();
    return url.getScheme() + "://" + url.getHost() + port + url.getRawPath();
  }
}

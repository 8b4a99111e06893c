package io.tokenledger.permission;

/**
 * A permission that cannot be granted. The message is InfluxDB's where InfluxDB has one ({@code
 * influxdb3-token-surface} 4.4) and always names what is wrong.
 */
public final class InvalidPermission extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /** The words that InfluxDB puts before every detail. */
  public static final String PREFIX = "cannot parse token permission, ";

  InvalidPermission(String detail) {
    super(PREFIX + detail, null, false, false);
  }
}

package io.tokenledger.token;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * The SHA-512 of a token's whole string, prefix included, unsalted: all that is ever kept of a
 * secret. Unsalted is safe because the secret holds 512 random bits; a chosen secret from a file is
 * as strong as its chooser made it.
 */
public final class SecretHash {

  private static final int BYTES = 64;

  private final byte[] bytes;

  private SecretHash(byte[] bytes) {
    this.bytes = bytes;
  }

  /** The hash of a presented token string, whatever its form. */
  public static SecretHash of(String token) {
    try {
      return new SecretHash(
          MessageDigest.getInstance("SHA-512").digest(token.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-512", e);
    }
  }

  /**
   * The hash that these bytes are.
   *
   * @throws IllegalArgumentException unless there are 64 of them
   */
  public static SecretHash ofBytes(byte[] bytes) {
    if (bytes.length != BYTES) {
      throw new IllegalArgumentException("a SHA-512 has 64 bytes, not " + bytes.length);
    }
    return new SecretHash(bytes.clone());
  }

  /**
   * The hash of this hexadecimal form.
   *
   * @throws IllegalArgumentException unless it is 128 hexadecimal digits
   */
  public static SecretHash parseHex(String hex) {
    return ofBytes(HexFormat.of().parseHex(hex));
  }

  /** A copy of the 64 bytes. */
  public byte[] bytes() {
    return bytes.clone();
  }

  /** 128 lower-case hexadecimal digits, the wire form. */
  public String hex() {
    return HexFormat.of().formatHex(bytes);
  }

  /** Compares in a time that does not depend on where the hashes differ. */
  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof SecretHash that && MessageDigest.isEqual(bytes, that.bytes);
  }

  @Override
  public int hashCode() {
    return bytes[0] << 24 | (bytes[1] & 0xff) << 16 | (bytes[2] & 0xff) << 8 | (bytes[3] & 0xff);
  }

  /** The first nine digits, as InfluxDB shows a hash: enough to recognise, too few to look up. */
  @Override
  public String toString() {
    return hex().substring(0, 9);
  }
}

package io.tokenledger.attest;

import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.VerifierKey;
import java.net.URI;
import java.util.List;

/**
 * A witness that is sent every checkpoint.
 *
 * @param url its submission prefix, to which {@code /add-checkpoint} is added
 * @param key what its signatures are checked with
 */
public record WitnessTarget(URI url, VerifierKey key) {

  /**
   * Reads {@code URL=VKEY}.
   *
   * @throws IllegalArgumentException with the rule that is broken
   */
  public static WitnessTarget parse(String text) {
    // A verifier key has no equals sign: 33 bytes need no padding.
    int split = text.lastIndexOf('=');
    if (split < 0) {
      throw new IllegalArgumentException("--witness must be URL=VKEY, got " + text);
    }
    URI url = url("--witness", text.substring(0, split));
    if (url.getRawQuery() != null || url.getRawFragment() != null) {
      throw new IllegalArgumentException("--witness needs a URL that a path can be added to");
    }
    VerifierKey key;
    try {
      key = VerifierKey.parse(text.substring(split + 1));
    } catch (InvalidTlogFormat e) {
      throw new IllegalArgumentException("--witness: " + e.getMessage(), e);
    }
    if (key.kind() != VerifierKey.Kind.COSIGNATURE) {
      throw new IllegalArgumentException(
          "--witness needs the key of a witness, and " + key.name() + " is that of a log");
    }
    return new WitnessTarget(url, key);
  }

  static URI url(String flag, String text) {
    URI url;
    try {
      url = URI.create(text.replaceAll("/+$", ""));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(flag + " must name an http or https URL", e);
    }
    if (url.getHost() == null
        || url.getUserInfo() != null
        || !List.of("http", "https").contains(url.getScheme())) {
      throw new IllegalArgumentException(flag + " must name an http or https URL without a login");
    }
    return url;
  }
}

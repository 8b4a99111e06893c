package io.tokenledger.notices;

import java.net.URI;
import java.util.Base64;
import java.util.List;

/**
 * Where notices go.
 *
 * @param secret what they are signed with, 24 bytes or more
 */
public record NoticeTarget(URI url, byte[] secret) {

  private static final String SECRET_PREFIX = "whsec_";
  private static final int MIN_SECRET_BYTES = 24;

  /**
   * Reads URL and secret as an operator writes them.
   *
   * @param secret {@code whsec_} and base64
   * @throws IllegalArgumentException with the rule that is broken, never with the secret
   */
  public static NoticeTarget parse(String url, String secret) {
    URI uri;
    try {
      uri = URI.create(url);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("--notice-webhook must be a URL", e);
    }
    if (uri.getHost() == null || !List.of("http", "https").contains(uri.getScheme())) {
      throw new IllegalArgumentException("--notice-webhook must be an http or https URL");
    }
    try {
      byte[] bytes =
          secret.startsWith(SECRET_PREFIX)
              ? Base64.getDecoder().decode(secret.substring(SECRET_PREFIX.length()))
              : new byte[0];
      if (bytes.length >= MIN_SECRET_BYTES) {
        return new NoticeTarget(uri, bytes);
      }
    } catch (IllegalArgumentException e) {
      // Falls through to the one message.
    }
    throw new IllegalArgumentException(
        "--notice-webhook-secret-file must hold whsec_ and at least 24 bytes in base64");
  }
}

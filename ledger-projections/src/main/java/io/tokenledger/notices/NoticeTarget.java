package io.tokenledger.notices;

import io.tokenledger.outside.WebhookSignature;
import java.net.URI;
import java.util.List;

/**
 * Where notices go.
 *
 * @param secret what they are signed with, 24 bytes or more
 */
public record NoticeTarget(URI url, byte[] secret) {

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
      return new NoticeTarget(uri, WebhookSignature.secret(secret));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("--notice-webhook-secret-file " + e.getMessage(), e);
    }
  }
}

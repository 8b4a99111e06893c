package io.tokenledger.outside;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Signs what is posted, as the Standard Webhooks specification 1.0.0 says (standardwebhooks.com).
 */
public final class WebhookSignature {

  private static final String SECRET_PREFIX = "whsec_";
  private static final int MIN_SECRET_BYTES = 24;

  private WebhookSignature() {}

  /**
   * A secret as an operator writes it.
   *
   * @param text {@code whsec_} and base64 of 24 bytes or more
   * @throws IllegalArgumentException with the rule, never with the secret
   */
  public static byte[] secret(String text) {
    try {
      byte[] bytes =
          text.startsWith(SECRET_PREFIX)
              ? Base64.getDecoder().decode(text.substring(SECRET_PREFIX.length()))
              : new byte[0];
      if (bytes.length >= MIN_SECRET_BYTES) {
        return bytes;
      }
    } catch (IllegalArgumentException e) {
      // Falls through to the one message.
    }
    throw new IllegalArgumentException("must hold whsec_ and at least 24 bytes in base64");
  }

  /** The value of {@code webhook-signature}. */
  public static String of(byte[] secret, String id, String seconds, byte[] body) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(secret, "HmacSHA256"));
      ByteArrayOutputStream signed = new ByteArrayOutputStream(body.length + 64);
      signed.writeBytes((id + "." + seconds + ".").getBytes(StandardCharsets.UTF_8));
      signed.writeBytes(body);
      return "v1," + Base64.getEncoder().encodeToString(mac.doFinal(signed.toByteArray()));
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform has HmacSHA256", e);
    }
  }
}

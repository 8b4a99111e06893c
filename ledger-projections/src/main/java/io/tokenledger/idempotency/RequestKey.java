package io.tokenledger.idempotency;

import io.tokenledger.sealing.LedgerKey;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Optional;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * What a caller's {@code Idempotency-Key} becomes: a name to find the stored answer by, a mark of
 * the request, and the key that opens the answer. The last is made of the ledger key, the caller's
 * secret and the {@code Idempotency-Key}; no database, backup or operator has all three.
 */
public final class RequestKey {

  private static final int NONCE_BYTES = 12;
  private static final int TAG_BITS = 128;
  private static final SecureRandom RANDOM = new SecureRandom();

  private final byte[] keyMac;
  private final byte[] requestMac;
  private final SecretKeySpec seal;
  private final boolean keepsSecrets;

  /**
   * @param actor the acting token as {@code token:ID}
   * @param secret the secret it presented
   * @param idempotencyKey as sent
   * @param request route and body, all that must be the same for the answer to be
   * @param keepsSecrets whether the answer itself is kept, or only that there was one
   */
  public RequestKey(
      LedgerKey ledgerKey,
      String actor,
      String secret,
      String idempotencyKey,
      String request,
      boolean keepsSecrets) {
    this.keyMac = ledgerKey.mac("token-ledger idempotency name", actor, idempotencyKey);
    this.requestMac = ledgerKey.mac("token-ledger idempotent request", actor, request);
    this.seal =
        new SecretKeySpec(
            ledgerKey.mac("token-ledger idempotency seal", secret, idempotencyKey), "AES");
    this.keepsSecrets = keepsSecrets;
  }

  byte[] keyMac() {
    return keyMac;
  }

  byte[] requestMac() {
    return requestMac;
  }

  boolean keepsSecrets() {
    return keepsSecrets;
  }

  byte[] seal(String answer) {
    byte[] nonce = new byte[NONCE_BYTES];
    RANDOM.nextBytes(nonce);
    try {
      byte[] box =
          cipher(Cipher.ENCRYPT_MODE, nonce).doFinal(answer.getBytes(StandardCharsets.UTF_8));
      return ByteBuffer.allocate(nonce.length + box.length).put(nonce).put(box).array();
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform has AES-GCM", e);
    }
  }

  /** The answer; empty when another key sealed it, as after a rotation of the caller's secret. */
  Optional<String> open(byte[] sealed) {
    ByteBuffer bytes = ByteBuffer.wrap(sealed);
    byte[] nonce = new byte[NONCE_BYTES];
    bytes.get(nonce);
    byte[] box = new byte[bytes.remaining()];
    bytes.get(box);
    try {
      return Optional.of(
          new String(cipher(Cipher.DECRYPT_MODE, nonce).doFinal(box), StandardCharsets.UTF_8));
    } catch (GeneralSecurityException e) {
      return Optional.empty();
    }
  }

  private Cipher cipher(int mode, byte[] nonce) throws GeneralSecurityException {
    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(mode, seal, new GCMParameterSpec(TAG_BITS, nonce));
    cipher.updateAAD(keyMac);
    return cipher;
  }
}

package io.tokenledger.tlog;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.PublicKey;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * A public key with its name, as auditors write it down: {@code NAME+KEYID+BASE64} (a C2SP vkey).
 * The key id binds name, algorithm and key: two logs under one key have different ids.
 */
public final class VerifierKey {

  /** What a key signs. */
  public enum Kind {
    /** Ed25519 over the note's text: logs. */
    LOG(0x01),
    /** Ed25519 over the text with the time before it: witnesses (C2SP {@code tlog-cosignature}). */
    COSIGNATURE(0x04);

    private final byte code;

    Kind(int code) {
      this.code = (byte) code;
    }
  }

  private static final int ID_BYTES = 4;

  private final String name;
  private final Kind kind;
  private final byte[] rawKey;

  private VerifierKey(String name, Kind kind, byte[] rawKey) {
    this.name = requireName(name);
    this.kind = kind;
    this.rawKey = rawKey;
  }

  /** The key under that name. */
  public static VerifierKey of(String name, Kind kind, PublicKey key) {
    return new VerifierKey(name, kind, Ed25519.raw(key));
  }

  /**
   * The key of that text.
   *
   * @throws InvalidTlogFormat when it is none, of an algorithm that is not known here, or its id is
   *     not that of its name and key
   */
  public static VerifierKey parse(String text) {
    String[] parts = text.split("\\+", 3);
    if (parts.length != 3) {
      throw new InvalidTlogFormat("a verifier key is NAME+KEYID+BASE64, got " + text);
    }
    byte[] coded = Base64Text.decode(parts[2]);
    if (coded.length != 1 + Ed25519.PUBLIC_KEY_BYTES) {
      throw new InvalidTlogFormat("the verifier key " + parts[0] + " is not an Ed25519 key");
    }
    for (Kind kind : Kind.values()) {
      if (kind.code == coded[0]) {
        VerifierKey key =
            new VerifierKey(parts[0], kind, Arrays.copyOfRange(coded, 1, coded.length));
        if (!key.idText().equals(parts[1])) {
          throw new InvalidTlogFormat("the verifier key " + parts[0] + " does not have its own id");
        }
        return key;
      }
    }
    throw new InvalidTlogFormat("the verifier key " + parts[0] + " is of an unknown algorithm");
  }

  static String requireName(String name) {
    boolean broken =
        name.isEmpty()
            || name.indexOf('+') >= 0
            || name.chars().anyMatch(c -> Character.isWhitespace(c) || Character.isISOControl(c));
    if (broken) {
      throw new InvalidTlogFormat("a key's name has no spaces and no plus sign: " + name);
    }
    return name;
  }

  public String name() {
    return name;
  }

  public Kind kind() {
    return kind;
  }

  /** First 4 bytes of SHA-256 over name, newline, algorithm and key, as a number. */
  public int id() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes((name + "\n").getBytes(StandardCharsets.UTF_8));
    bytes.writeBytes(coded());
    return ByteBuffer.wrap(TreeHash.sha256().digest(bytes.toByteArray()), 0, ID_BYTES).getInt();
  }

  private String idText() {
    return HexFormat.of().toHexDigits(id());
  }

  private byte[] coded() {
    return ByteBuffer.allocate(1 + rawKey.length).put(kind.code).put(rawKey).array();
  }

  /** A copy of the 32 bytes of the key itself. */
  public byte[] rawKey() {
    return rawKey.clone();
  }

  /** Whether the bytes are this key's signature of the message. */
  boolean verifies(byte[] message, byte[] signature) {
    return Ed25519.verify(rawKey, message, signature);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof VerifierKey that && toString().equals(that.toString());
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(rawKey);
  }

  /** {@code NAME+KEYID+BASE64}. */
  @Override
  public String toString() {
    return name + "+" + idText() + "+" + Base64.getEncoder().encodeToString(coded());
  }
}

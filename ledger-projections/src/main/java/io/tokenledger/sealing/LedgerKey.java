package io.tokenledger.sealing;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * The key with which nodes mark the event rows they wrote: 32 random bytes, in base64 in a file of
 * mode 0600, the same on every node and not in the database. Who can write rows but not read this
 * file cannot make a row that passes for one of ours.
 */
public final class LedgerKey {

  private static final int BYTES = 32;
  private static final String ALGORITHM = "HmacSHA256";

  private final SecretKeySpec key;

  private LedgerKey(byte[] bytes) {
    this.key = new SecretKeySpec(bytes, ALGORITHM);
  }

  /**
   * The key in that file, which is made when it is missing.
   *
   * @throws IllegalStateException when the file holds no key or cannot be read or made
   */
  public static LedgerKey loadOrCreate(Path file) {
    try {
      if (!Files.exists(file)) {
        create(file);
      }
      byte[] bytes =
          Base64.getDecoder().decode(Files.readString(file, StandardCharsets.US_ASCII).strip());
      if (bytes.length != BYTES) {
        throw new IllegalArgumentException("it has " + bytes.length + " bytes, not 32");
      }
      return new LedgerKey(bytes);
    } catch (IllegalArgumentException e) {
      throw new IllegalStateException(
          "--ledger-key-file " + file + " holds no key: expected 32 bytes in base64", e);
    } catch (IOException e) {
      throw new IllegalStateException("--ledger-key-file " + file + " cannot be read or made", e);
    }
  }

  private static void create(Path file) throws IOException {
    byte[] bytes = new byte[BYTES];
    new SecureRandom().nextBytes(bytes);
    Path absolute = file.toAbsolutePath();
    Path directory = absolute.getParent();
    if (directory != null) {
      Files.createDirectories(directory);
    }
    // When another node was faster, its key is read next.
    KeyFiles.create(absolute, Base64.getEncoder().encodeToString(bytes) + "\n");
  }

  /**
   * HMAC-SHA256 over the parts, each with its length before it, so that no two lists of parts give
   * the same input. A null part differs from an empty one.
   */
  public byte[] mac(@Nullable String... parts) {
    try {
      Mac mac = Mac.getInstance(ALGORITHM);
      mac.init(key);
      for (String part : parts) {
        byte[] bytes = part == null ? null : part.getBytes(StandardCharsets.UTF_8);
        mac.update(ByteBuffer.allocate(4).putInt(bytes == null ? -1 : bytes.length).flip());
        if (bytes != null) {
          mac.update(bytes);
        }
      }
      return mac.doFinal();
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform has HmacSHA256", e);
    }
  }

  /** What tells this key from another without telling anything of it. */
  public byte[] checkValue() {
    return mac("token-ledger key check");
  }

  /** A pseudonym that only holders of this key can compute: 32 hexadecimal digits. */
  String pseudonym(String kind, String text) {
    return HexFormat.of().formatHex(mac("token-ledger pseudonym", kind, text), 0, 16);
  }
}

package io.tokenledger.tlog;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * A hash of the tree: SHA-256 with RFC 6962's prefixes, so that no leaf passes for a node nor a
 * node for a leaf.
 */
public final class TreeHash {

  /** Length of every hash. */
  public static final int BYTES = 32;

  /** Root of the tree without leaves: SHA-256 of nothing. */
  public static final TreeHash EMPTY = new TreeHash(sha256().digest());

  private static final byte LEAF = 0;
  private static final byte NODE = 1;

  private final byte[] bytes;

  private TreeHash(byte[] bytes) {
    this.bytes = bytes;
  }

  /**
   * A hash that was computed elsewhere.
   *
   * @throws InvalidTlogFormat when it has not 32 bytes
   */
  public static TreeHash of(byte[] bytes) {
    if (bytes.length != BYTES) {
      throw new InvalidTlogFormat("a tree hash has 32 bytes, not " + bytes.length);
    }
    return new TreeHash(bytes.clone());
  }

  /**
   * A hash in standard base64 with padding.
   *
   * @throws InvalidTlogFormat when it is none
   */
  public static TreeHash parse(String base64) {
    return of(Base64Text.decode(base64));
  }

  /** Hash of a leaf that holds this entry. */
  public static TreeHash leaf(byte[] entry) {
    MessageDigest digest = sha256();
    digest.update(LEAF);
    return new TreeHash(digest.digest(entry));
  }

  /** Hash of the node over two others. */
  public static TreeHash node(TreeHash left, TreeHash right) {
    MessageDigest digest = sha256();
    digest.update(NODE);
    digest.update(left.bytes);
    return new TreeHash(digest.digest(right.bytes));
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  /** A copy of the 32 bytes. */
  public byte[] bytes() {
    return bytes.clone();
  }

  /** Lower-case hexadecimal. */
  public String hex() {
    return HexFormat.of().formatHex(bytes);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof TreeHash that && MessageDigest.isEqual(bytes, that.bytes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(bytes);
  }

  /** Standard base64 with padding, as in checkpoints and proofs. */
  @Override
  public String toString() {
    return Base64.getEncoder().encodeToString(bytes);
  }
}

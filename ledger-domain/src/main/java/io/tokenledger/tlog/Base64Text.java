package io.tokenledger.tlog;

import java.util.Base64;

/** Base64 as the formats want it: standard alphabet, padded, canonical. */
final class Base64Text {

  private Base64Text() {}

  /**
   * @throws InvalidTlogFormat when the text is not what encoding its bytes gives: two texts for the
   *     same bytes would be two notes for one signature
   */
  static byte[] decode(String text) {
    try {
      byte[] bytes = Base64.getDecoder().decode(text);
      if (Base64.getEncoder().encodeToString(bytes).equals(text)) {
        return bytes;
      }
    } catch (IllegalArgumentException e) {
      throw new InvalidTlogFormat("not base64: " + e.getMessage());
    }
    throw new InvalidTlogFormat("not canonical base64");
  }
}

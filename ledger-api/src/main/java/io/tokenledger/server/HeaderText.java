package io.tokenledger.server;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * Text in headers and queries, decoded without mercy: what is not UTF-8 would else be stored with
 * replacement characters, and an audit must not hold what nobody said.
 */
final class HeaderText {

  private HeaderText() {}

  /**
   * The text of a header's bytes.
   *
   * @param latin the bytes as the server gives them, one character each
   * @throws IllegalArgumentException when they are not UTF-8
   */
  static String utf8(String latin) {
    return utf8(latin.getBytes(StandardCharsets.ISO_8859_1));
  }

  /**
   * The same of bytes that may be percent-encoded; a plus is a plus.
   *
   * @throws IllegalArgumentException when the encoding is broken or hides no UTF-8
   */
  static String percentDecoded(String latin) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(latin.length());
    for (int i = 0; i < latin.length(); i++) {
      char c = latin.charAt(i);
      if (c == '%') {
        bytes.write(digit(latin, i + 1) << 4 | digit(latin, i + 2));
        i += 2;
      } else {
        bytes.write(c);
      }
    }
    return utf8(bytes.toByteArray());
  }

  private static int digit(String text, int index) {
    int digit = index < text.length() ? Character.digit(text.charAt(index), 16) : -1;
    if (digit < 0) {
      throw new IllegalArgumentException("not percent-encoded");
    }
    return digit;
  }

  private static String utf8(byte[] bytes) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw new IllegalArgumentException("not UTF-8", e);
    }
  }
}

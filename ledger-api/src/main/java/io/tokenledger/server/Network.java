package io.tokenledger.server;

import java.net.InetAddress;
import java.net.UnknownHostException;

/**
 * A range of addresses in CIDR form, {@code 10.0.0.0/8} or a single address.
 *
 * @param base first address
 * @param prefixBits how many leading bits are fixed
 */
public record Network(InetAddress base, int prefixBits) {

  /**
   * Reads the CIDR form.
   *
   * @throws IllegalArgumentException when it is none
   */
  public static Network parse(String flag, String text) {
    String[] parts = text.strip().split("/", 2);
    if (parts[0].matches("[0-9a-fA-F:.]+")) {
      try {
        InetAddress base = InetAddress.getByName(parts[0]);
        int all = base.getAddress().length * 8;
        int bits = parts.length == 1 ? all : Integer.parseInt(parts[1]);
        if (bits >= 0 && bits <= all) {
          return new Network(base, bits);
        }
      } catch (UnknownHostException | NumberFormatException e) {
        // Falls through to the one message.
      }
    }
    throw new IllegalArgumentException(
        flag + " must list networks such as 10.0.0.0/8, got " + text);
  }

  /** Whether a literal address lies in it. */
  boolean contains(String address) {
    try {
      byte[] mine = base.getAddress();
      byte[] other = InetAddress.getByName(address).getAddress();
      if (mine.length != other.length) {
        return false;
      }
      for (int bit = 0; bit < prefixBits; bit++) {
        int mask = 0x80 >> bit % 8;
        if ((mine[bit / 8] & mask) != (other[bit / 8] & mask)) {
          return false;
        }
      }
      return true;
    } catch (UnknownHostException e) {
      return false;
    }
  }

  /** The CIDR form. */
  @Override
  public String toString() {
    return base.getHostAddress() + "/" + prefixBits;
  }
}

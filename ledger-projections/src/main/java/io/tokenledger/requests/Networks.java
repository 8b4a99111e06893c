package io.tokenledger.requests;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.regex.Pattern;

/** Addresses grouped as their owners hold them: IPv4 by /24, IPv6 by /48. */
final class Networks {

  private static final Pattern LITERAL = Pattern.compile("[0-9a-fA-F:.%]+");
  private static final int IPV4_BYTES = 3;
  private static final int IPV6_BYTES = 6;

  private Networks() {}

  /** The network of a literal address; what is no address is its own network. */
  static String prefix(String address) {
    if (!LITERAL.matcher(address).matches()) {
      return "unknown";
    }
    try {
      byte[] bytes = InetAddress.getByName(address).getAddress();
      int kept = bytes.length == 4 ? IPV4_BYTES : IPV6_BYTES;
      for (int i = kept; i < bytes.length; i++) {
        bytes[i] = 0;
      }
      return InetAddress.getByAddress(bytes).getHostAddress() + "/" + kept * 8;
    } catch (UnknownHostException e) {
      return "unknown";
    }
  }
}

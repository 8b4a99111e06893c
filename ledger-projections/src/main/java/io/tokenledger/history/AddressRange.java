package io.tokenledger.history;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Optional;

/** An address, or all of a network. */
final class AddressRange {

  private final byte[] network;
  private final int prefixBits;

  private AddressRange(byte[] network, int prefixBits) {
    this.network = network;
    this.prefixBits = prefixBits;
  }

  /** What {@code 203.0.113.7} or {@code 203.0.113.0/24} says, in IPv6 likewise; else empty. */
  static Optional<AddressRange> parse(String text) {
    String[] parts = text.split("/", -1);
    Optional<byte[]> address = address(parts[0]);
    if (address.isEmpty() || parts.length > 2) {
      return Optional.empty();
    }
    int bits = address.get().length * Byte.SIZE;
    if (parts.length == 2) {
      if (!parts[1].matches("\\d{1,3}") || Integer.parseInt(parts[1]) > bits) {
        return Optional.empty();
      }
      bits = Integer.parseInt(parts[1]);
    }
    return Optional.of(new AddressRange(address.get(), bits));
  }

  /** Literal addresses only: a name would be asked of a name server. */
  private static Optional<byte[]> address(String text) {
    boolean literal =
        text.matches("\\d{1,3}(\\.\\d{1,3}){3}") || text.matches("[0-9a-fA-F:.]*:[0-9a-fA-F:.]*");
    if (!literal) {
      return Optional.empty();
    }
    try {
      return Optional.of(InetAddress.getByName(text).getAddress());
    } catch (UnknownHostException e) {
      return Optional.empty();
    }
  }

  /** Whether it holds that address; what is no address is in none. */
  boolean contains(String text) {
    byte[] address = address(text).orElse(new byte[0]);
    if (address.length != network.length) {
      return false;
    }
    for (int bit = 0; bit < prefixBits; bit++) {
      int mask = 0x80 >> (bit % Byte.SIZE);
      if (((address[bit / Byte.SIZE] ^ network[bit / Byte.SIZE]) & mask) != 0) {
        return false;
      }
    }
    return true;
  }
}

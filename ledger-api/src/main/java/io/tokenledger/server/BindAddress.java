package io.tokenledger.server;

import java.net.InetAddress;
import java.net.UnknownHostException;

/**
 * Where to listen.
 *
 * @param host a literal address or a name of this machine
 * @param port 0 for any free one
 */
public record BindAddress(String host, int port) {

  /**
   * Reads {@code HOST:PORT}; an IPv6 address stands in brackets.
   *
   * @throws IllegalArgumentException when it is not of that form
   */
  public static BindAddress parse(String flag, String text) {
    int colon = text.lastIndexOf(':');
    try {
      int port = Integer.parseInt(text.substring(colon + 1));
      String host = colon < 0 ? "" : text.substring(0, colon).replaceAll("^\\[|]$", "");
      if (!host.isEmpty() && port >= 0 && port <= 65_535) {
        return new BindAddress(host, port);
      }
    } catch (NumberFormatException e) {
      // Falls through to the one message.
    }
    throw new IllegalArgumentException(
        flag + " must be HOST:PORT, for example 127.0.0.1:8181, got " + text);
  }

  /** Whether only this machine can reach it. */
  boolean isLoopback() {
    try {
      return InetAddress.getByName(host).isLoopbackAddress();
    } catch (UnknownHostException e) {
      return false;
    }
  }

  @Override
  public String toString() {
    return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
  }
}

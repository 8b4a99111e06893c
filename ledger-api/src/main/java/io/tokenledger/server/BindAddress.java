package io.tokenledger.server;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.ServerSocket;
import java.net.SocketException;
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

  /**
   * Finds out, before anything else is started, whether one can listen here.
   *
   * @throws IllegalArgumentException with one sentence naming the flag when not
   */
  void requireFree(String flag) {
    InetAddress address;
    try {
      address = InetAddress.getByName(host);
    } catch (UnknownHostException e) {
      throw new IllegalArgumentException(flag + " " + this + ": there is no such host", e);
    }
    try (ServerSocket socket = new ServerSocket()) {
      socket.setReuseAddress(true);
      socket.bind(new InetSocketAddress(address, port), 1);
    } catch (IOException e) {
      throw new IllegalArgumentException(
          isOfThisMachine(address)
              ? String.valueOf(e.getMessage()).contains("Permission denied")
                  ? flag + " " + this + ": this user may not listen on port " + port
                  : "port " + port + " is taken by another program: choose one with " + flag
              : flag + " " + this + ": that is no address of this machine",
          e);
    }
  }

  private static boolean isOfThisMachine(InetAddress address) {
    try {
      return address.isAnyLocalAddress()
          || address.isLoopbackAddress()
          || NetworkInterface.getByInetAddress(address) != null;
    } catch (SocketException e) {
      return false;
    }
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

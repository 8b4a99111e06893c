package io.tokenledger.sink;

import java.net.URI;

/** Entries hold personal data in clear: without TLS they leave this machine never. */
final class Loopback {

  private Loopback() {}

  /**
   * @throws IllegalArgumentException when the receiver is on another machine
   */
  static void require(SinkTarget target, URI url) {
    String host = url.getHost();
    boolean here =
        host.equals("localhost") || host.equals("[::1]") || host.matches("127(\\.\\d{1,3}){3}");
    if (!here) {
      throw new IllegalArgumentException(
          target.name() + ": without TLS only a receiver on this machine, not " + host);
    }
  }
}

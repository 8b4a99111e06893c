package io.tokenledger.server;

import java.util.Collection;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Tells a program on this machine from a web page in a browser on it, and from whoever comes
 * through a proxy on it: all three come from a loopback address.
 */
final class LocalCaller {

  /** What a browser or a proxy adds. */
  private static final Set<String> HEADERS = Set.of("origin", "forwarded", "x-real-ip", "via");

  private LocalCaller() {}

  /**
   * Whether a request was made on this machine, by its own headers.
   *
   * @param host the name by which the server was asked, without its port; null where none was given
   */
  static boolean isLocal(Collection<String> headerNames, @Nullable String host) {
    boolean proxied =
        headerNames.stream()
            .map(name -> name.toLowerCase(Locale.ROOT))
            .anyMatch(name -> HEADERS.contains(name) || name.startsWith("x-forwarded-"));
    String name = host == null ? "" : host.replaceAll("^\\[|]$", "");
    return !proxied
        && (name.equals("localhost") || name.equals("::1") || name.matches("127(\\.\\d{1,3}){3}"));
  }
}

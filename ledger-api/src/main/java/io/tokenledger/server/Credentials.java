package io.tokenledger.server;

import jakarta.servlet.http.HttpServletRequest;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Enumeration;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The token that a request presents, found as InfluxDB 3 finds it ({@code influxdb3-token-surface}
 * 1.7).
 *
 * @param token the presented string, whatever its form
 * @param method how it came: {@code bearer}, {@code token}, {@code basic} or {@code query}
 */
record Credentials(String token, String method) {

  private static final Set<String> PATHS_WITH_P = Set.of("/query", "/write");

  /**
   * The credentials of a request.
   *
   * @return null when it has none
   * @throws Rejection 400 when the header is malformed
   */
  static @Nullable Credentials of(HttpServletRequest request) {
    String password = passwordParameter(request);
    return password == null ? ofHeader(request) : new Credentials(password, "query");
  }

  /**
   * The credentials in the {@code Authorization} header.
   *
   * @return null when there is none
   * @throws Rejection 400 when the header is malformed
   */
  static @Nullable Credentials ofHeader(HttpServletRequest request) {
    Enumeration<String> headers = request.getHeaders("Authorization");
    if (!headers.hasMoreElements()) {
      return null;
    }
    String header = headers.nextElement();
    int space = header.indexOf(' ');
    if (headers.hasMoreElements()
        || !isVisibleAscii(header)
        || space < 0
        || space == header.length() - 1
        || header.indexOf(' ', space + 1) >= 0) {
      throw malformed();
    }
    String value = header.substring(space + 1);
    return switch (header.substring(0, space)) {
      case "Bearer" -> new Credentials(value, "bearer");
      case "Token" -> new Credentials(value, "token");
      case "Basic" -> new Credentials(basicPassword(value), "basic");
      default -> throw malformed();
    };
  }

  /** A loop: of every decision's own work an expression would be a tenth. */
  private static boolean isVisibleAscii(String header) {
    for (int i = 0; i < header.length(); i++) {
      char c = header.charAt(i);
      if ((c < ' ' || c > '~') && c != '\t') {
        return false;
      }
    }
    return true;
  }

  /** Where {@code p=} stands the header is not even looked at; twice, it is as if absent. */
  private static @Nullable String passwordParameter(HttpServletRequest request) {
    String query = request.getQueryString();
    if (query == null || !PATHS_WITH_P.contains(RoutedPath.of(request))) {
      return null;
    }
    String found = null;
    for (String pair : query.split("&")) {
      if (pair.startsWith("p=")) {
        if (found != null) {
          return null;
        }
        try {
          found = URLDecoder.decode(pair.substring(2), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
          return null;
        }
      }
    }
    return found;
  }

  private static String basicPassword(String encoded) {
    String login;
    try {
      login = new String(Base64.getDecoder().decode(encoded), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException e) {
      throw malformed();
    }
    int colon = login.lastIndexOf(':');
    if (encoded.length() % 4 != 0 || colon < 0 || login.indexOf(':') != colon) {
      throw malformed();
    }
    return login.substring(colon + 1);
  }

  private static Rejection malformed() {
    return new Rejection(400, Rejection.MALFORMED_HEADER, "malformed_header", false);
  }
}

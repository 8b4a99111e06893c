package io.tokenledger.server;

import jakarta.servlet.http.HttpServletRequest;
import org.springframework.http.server.PathContainer;
import org.springframework.http.server.PathContainer.PathSegment;

/**
 * The path of a request as the routes are matched against it: percent-decoded, without path
 * parameters, with repeated slashes kept. Whatever is decided by path is decided on this one: a
 * decision on the raw text would hold for {@code /token} and not for {@code /%74oken}, which are
 * one route.
 */
final class RoutedPath {

  private RoutedPath() {}

  /** Reads it. Tomcat has refused what is wrongly encoded. */
  static String of(HttpServletRequest request) {
    StringBuilder path = new StringBuilder();
    for (PathContainer.Element element :
        PathContainer.parsePath(request.getRequestURI()).elements()) {
      // A slash that was encoded separates nothing, so it must not look as if it did.
      path.append(
          element instanceof PathSegment segment
              ? segment.valueToMatch().replace("/", "%2F")
              : element.value());
    }
    return path.toString();
  }
}

package io.tokenledger.server;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.permission.InvalidPermission;
import io.tokenledger.privacy.PrivacyRefused;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.Actor;
import io.tokenledger.token.Refusal;
import io.tokenledger.token.TokenRefused;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.UUID;
import org.apache.tomcat.util.http.InvalidParameterException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.web.HttpRequestMethodNotSupportedException;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.RestControllerAdvice;
import org.springframework.web.servlet.NoHandlerFoundException;
import org.springframework.web.servlet.resource.NoResourceFoundException;

/**
 * Every answer that is not a success, in one place: its bytes, its content type, and its entry in
 * the audit.
 */
@RestControllerAdvice
class Answers {

  private static final Logger LOG = LoggerFactory.getLogger(Answers.class);

  static final String JSON = "application/json";
  private static final String TEXT = "text/plain; charset=utf-8";
  private static final String RETRY_SECONDS = "5";

  private final Ledger ledger;
  private final String clusterId;

  Answers(Ledger ledger, ServeOptions options) {
    this.ledger = ledger;
    this.clusterId =
        UUID.nameUUIDFromBytes(options.logOrigin().getBytes(StandardCharsets.UTF_8)).toString();
  }

  void addCommonHeaders(HttpServletResponse response) {
    response.setHeader("cluster-uuid", clusterId);
    response.setHeader("Cache-Control", "no-store");
    response.setHeader("X-Content-Type-Options", "nosniff");
  }

  @ExceptionHandler
  void rejected(HttpServletRequest request, HttpServletResponse response, Rejection rejection)
      throws IOException {
    reject(request, response, rejection);
  }

  @ExceptionHandler
  void refused(HttpServletRequest request, HttpServletResponse response, TokenRefused refused)
      throws IOException {
    Refusal refusal = refused.refusal();
    reject(
        request,
        response,
        new Rejection(
            refusal.status(),
            String.valueOf(refused.getMessage()),
            refusal.name().toLowerCase(Locale.ROOT),
            false));
  }

  @ExceptionHandler
  void invalid(HttpServletRequest request, HttpServletResponse response, InvalidPermission invalid)
      throws IOException {
    reject(
        request,
        response,
        new Rejection(
            Refusal.INVALID_PERMISSION.status(),
            String.valueOf(invalid.getMessage()),
            "invalid_permission",
            false));
  }

  @ExceptionHandler
  void refused(HttpServletRequest request, HttpServletResponse response, PrivacyRefused refused)
      throws IOException {
    reject(request, response, PrivacyRoutes.refused(refused));
  }

  /** More parameters than the server reads, or one without a name. */
  @ExceptionHandler
  void unreadable(
      HttpServletRequest request, HttpServletResponse response, InvalidParameterException unread)
      throws IOException {
    reject(request, response, Rejection.invalid("the query holds parameters that cannot be read"));
  }

  @ExceptionHandler
  void unavailable(
      HttpServletRequest request, HttpServletResponse response, LedgerUnavailable unavailable)
      throws IOException {
    LOG.warn(
        "{} {} was not answered: {}: {}",
        request.getMethod(),
        route(request),
        unavailable.getMessage(),
        unavailable.getCause() == null ? "" : unavailable.getCause().getMessage());
    if (response.isCommitted()) {
      // The container closes the connection, as in unexpected.
      throw unavailable;
    }
    forgetBegun(response);
    response.setHeader("Retry-After", RETRY_SECONDS);
    write(response, 503, JsonText.error("the ledger's database is unavailable, try again"));
  }

  @ExceptionHandler({
    NoHandlerFoundException.class,
    NoResourceFoundException.class,
    HttpRequestMethodNotSupportedException.class
  })
  void unknownRoute(HttpServletRequest request, HttpServletResponse response) throws IOException {
    // After authentication: an unknown path is not worth an event of its own.
    write(response, 404, Rejection.NOT_FOUND);
  }

  @ExceptionHandler
  void unexpected(HttpServletRequest request, HttpServletResponse response, Exception failure)
      throws Exception {
    boolean begun = response.isCommitted();
    failed(request, response, failure);
    if (begun) {
      // The container then closes the connection: a part must not pass for the whole.
      throw failure;
    }
  }

  /** Logs what nobody foresaw, and says no more than that it happened. */
  void failed(HttpServletRequest request, HttpServletResponse response, Exception failure)
      throws IOException {
    LOG.error("{} {} failed", request.getMethod(), route(request), failure);
    if (!response.isCommitted()) {
      forgetBegun(response);
      write(response, 500, JsonText.error("internal error, see the log of this node"));
    }
  }

  /** What was written of an answer, and not sent yet, and what it said about itself. */
  private static void forgetBegun(HttpServletResponse response) {
    response.resetBuffer();
    response.setHeader("Content-Disposition", null);
  }

  void reject(HttpServletRequest request, HttpServletResponse response, Rejection rejection)
      throws IOException {
    try {
      audit(request, rejection);
    } catch (LedgerUnavailable e) {
      unavailable(request, response, e);
      return;
    }
    if (rejection.status() == 503) {
      response.setHeader("Retry-After", RETRY_SECONDS);
    }
    write(response, rejection.status(), rejection.body());
  }

  private void audit(HttpServletRequest request, Rejection rejection) {
    Object found = request.getAttribute(RequestContexts.ATTRIBUTE);
    if (rejection.isAudited() || !(found instanceof RequestContext context)) {
      return;
    }
    String asked = rejection.action();
    String action = asked == null ? request.getMethod() + " " + route(request) : asked;
    int status = rejection.status();
    if (status == 403) {
      ledger
          .requests()
          .accessDenied(context, action, rejection.reason(), status, rejection.target());
    } else if (status == 401 || (status == 400 && context.actor().type() == Actor.Type.ANONYMOUS)) {
      ledger.requests().authenticationFailed(context, action, rejection.reason(), status);
    } else {
      ledger.requests().commandRejected(context, action, rejection.reason(), status, null);
    }
  }

  /** The route without anything the caller chose, for logs and audit. */
  static String route(HttpServletRequest request) {
    String path = RoutedPath.of(request);
    if (path.startsWith(LifecycleRoutes.TOKENS + "/")) {
      path = path.replaceFirst("/\\d{1,19}(?=/|$)", "/{id}");
    } else if (path.startsWith(LedgerRoutes.AUDIT + "/")) {
      path = path.replaceFirst("/events/[^/]+", "/events/{id}");
    } else if (path.startsWith("/api/v1/audit/tokens/")) {
      path = path.replaceFirst("/tokens/[^/]+", "/tokens/{id}");
    } else if (path.startsWith(AuditRoutes.EXPORTS + "/")) {
      path = path.replaceFirst("/exports/[^/]+", "/exports/{id}");
    } else if (path.startsWith(ReportRoutes.CHECKPOINTS + "/")) {
      path = path.replaceFirst("/checkpoints/[^/]+", "/checkpoints/{size}");
    } else if (path.startsWith(TlogRoutes.TILES + "/")) {
      path = TlogRoutes.TILES + "/**";
    } else if (GatewayRoutes.isForwardAuth(path)) {
      path = GatewayRoutes.FORWARD_AUTH;
    }
    return RouteCatalogue.knows(path) ? path : "other";
  }

  static void write(HttpServletResponse response, int status, String body) throws IOException {
    write(
        response,
        status,
        body.startsWith("{") ? JSON : TEXT,
        body.getBytes(StandardCharsets.UTF_8));
  }

  static void write(HttpServletResponse response, int status, String contentType, byte[] body)
      throws IOException {
    response.setStatus(status);
    response.setContentType(contentType);
    response.setContentLength(body.length);
    response.getOutputStream().write(body);
  }
}

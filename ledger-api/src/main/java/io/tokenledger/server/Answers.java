package io.tokenledger.server;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.permission.InvalidPermission;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.Actor;
import io.tokenledger.token.Refusal;
import io.tokenledger.token.TokenRefused;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Set;
import java.util.UUID;
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

  /** Routes that the audit names; whatever else a caller asks for is {@code other}. */
  private static final Set<String> ROUTES =
      Set.of(
          TokenRoutes.BOOTSTRAP,
          TokenRoutes.REGENERATE,
          TokenRoutes.NAMED_ADMIN,
          TokenRoutes.ENTERPRISE,
          TokenRoutes.TOKEN,
          LifecycleRoutes.TOKENS,
          LifecycleRoutes.BY_NAME,
          LifecycleRoutes.REVOKE,
          ImportRoutes.IMPORT,
          LifecycleRoutes.ONE,
          LifecycleRoutes.ONE + "/rotate",
          LifecycleRoutes.ONE + "/suspend",
          LifecycleRoutes.ONE + "/resume",
          LifecycleRoutes.ONE + "/description",
          LifecycleRoutes.ONE + "/expiry",
          LifecycleRoutes.ONE + "/permissions",
          SqlRoutes.QUERY_SQL,
          LedgerRoutes.CHECK,
          LedgerRoutes.AUDIT,
          LedgerRoutes.VERIFY,
          LedgerRoutes.SWAP,
          "/health",
          "/api/v1/health",
          "/ping",
          "/ready",
          "/metrics");

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
  void unavailable(
      HttpServletRequest request, HttpServletResponse response, LedgerUnavailable unavailable)
      throws IOException {
    LOG.warn(
        "{} {} was not answered: {}: {}",
        request.getMethod(),
        route(request),
        unavailable.getMessage(),
        unavailable.getCause() == null ? "" : unavailable.getCause().getMessage());
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
      throws IOException {
    LOG.error("{} {} failed", request.getMethod(), route(request), failure);
    if (!response.isCommitted()) {
      write(response, 500, JsonText.error("internal error, see the log of this node"));
    }
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
    String action = request.getMethod() + " " + route(request);
    int status = rejection.status();
    if (status == 403) {
      ledger.requests().accessDenied(context, action, rejection.reason(), status, null);
    } else if (status == 401 || (status == 400 && context.actor().type() == Actor.Type.ANONYMOUS)) {
      ledger.requests().authenticationFailed(context, action, rejection.reason(), status);
    } else {
      ledger.requests().commandRejected(context, action, rejection.reason(), status, null);
    }
  }

  /** The route without anything the caller chose, for logs and audit. */
  static String route(HttpServletRequest request) {
    String path = request.getRequestURI();
    if (path.startsWith(LifecycleRoutes.TOKENS + "/")) {
      path = path.replaceFirst("/\\d{1,19}(?=/|$)", "/{id}");
    }
    return ROUTES.contains(path) ? path : "other";
  }

  static void write(HttpServletResponse response, int status, String body) throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    response.setStatus(status);
    response.setContentType(body.startsWith("{") ? JSON : TEXT);
    response.setContentLength(bytes.length);
    response.getOutputStream().write(bytes);
  }
}

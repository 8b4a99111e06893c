package io.tokenledger.server;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.permission.InvalidPermission;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.Actor;
import io.tokenledger.token.SecretHash;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.MDC;
import org.springframework.web.filter.OncePerRequestFilter;

/**
 * What comes before every route, in InfluxDB's order: CORS preflights are answered to anyone, then
 * the caller is authenticated, and only then does it matter whether the path exists.
 */
final class LedgerFilter extends OncePerRequestFilter {

  /** Why every decision is a no until a restore was accepted. */
  private static final String RESTORED = "ledger_restored";

  /** How a caller was authenticated who was not asked to be, under {@code --without-auth}. */
  static final String NO_AUTH = "none";

  /** The hash of the caller's secret: a decision about it is made when it is answered. */
  static final String PRESENTED = "io.tokenledger.presented";

  private static final Map<String, String> PROBE_PATHS =
      Map.of(
          "/health", "health",
          "/api/v1/health", "health",
          "/ping", "ping",
          "/metrics", "metrics",
          "/ready", "ready");

  /** Those that say that the process runs, not that it decides. */
  private static final Set<String> RUNNING_PROBES = Set.of("ping", "metrics");

  private static final Set<String> TOKEN_PATHS = Set.of(TokenRoutes.TOKEN, TokenRoutes.ENTERPRISE);

  private final Ledger ledger;
  private final ServeOptions options;
  private final RequestContexts contexts;
  private final Answers answers;
  private final Admission admission;
  private final GatewayRoutes gateway;
  private final CheckRoutes checks;
  private final RequestBodies bodies;

  LedgerFilter(
      Ledger ledger,
      ServeOptions options,
      Answers answers,
      Admission admission,
      GatewayRoutes gateway,
      CheckRoutes checks) {
    this.ledger = ledger;
    this.options = options;
    this.contexts = new RequestContexts(options.trustedProxies());
    this.answers = answers;
    this.admission = admission;
    this.gateway = gateway;
    this.checks = checks;
    this.bodies = new RequestBodies(ledger);
  }

  @Override
  protected void doFilterInternal(
      HttpServletRequest request, HttpServletResponse response, FilterChain chain)
      throws IOException, ServletException {
    try {
      answers.addCommonHeaders(response);
      admission.requireInTime();
      bodies.attach(request);
      String path = RoutedPath.of(request);
      boolean forwardAuth = GatewayRoutes.isForwardAuth(path);
      RequestContext context =
          forwardAuth ? contexts.readOfGateway(request) : contexts.read(request);
      request.setAttribute(RequestContexts.ATTRIBUTE, context);
      response.setHeader("X-Request-Id", context.requestId());
      MDC.put("request_id", context.requestId());
      String restored = ledger.restored();
      boolean preflight = request.getMethod().equals("OPTIONS");
      if (forwardAuth) {
        // A preflight's success would be a yes to the gateway.
        if (preflight) {
          GatewayRoutes.refuseAll(response, "unknown_route");
        } else if (restored != null) {
          GatewayRoutes.refuseAll(response, RESTORED);
        } else {
          decide(request, response, gateway::forwardAuth);
        }
        return;
      }
      if (preflight) {
        answerPreflight(response);
        return;
      }
      if (restored != null && !isOpenWhileRestored(path)) {
        denyRestored(request, response, path, restored);
        return;
      }
      if (options.withoutAuth()) {
        if (changesTokens(request.getMethod(), path)) {
          throw Rejection.withoutAuth();
        }
        request.setAttribute(RequestContexts.ATTRIBUTE, context.as(Actor.SYSTEM, NO_AUTH));
      } else if (!isExempt(request.getMethod(), path)) {
        request.setAttribute(RequestContexts.ATTRIBUTE, authenticated(request, response, context));
      }
      Parameters.requireDecodable(request.getQueryString());
      if (request.getMethod().equals("HEAD")) {
        throw new Rejection(404, Rejection.NOT_FOUND, "not_found", true);
      }
      if (path.equals(CheckRoutes.CHECK) && request.getMethod().equals("POST")) {
        decide(request, response, checks::check);
      } else {
        chain.doFilter(request, response);
      }
    } catch (Rejection e) {
      answers.reject(request, response, e);
    } catch (LedgerUnavailable e) {
      answers.unavailable(request, response, e);
    } finally {
      RequestBodies.release(request);
      MDC.remove("request_id");
    }
  }

  private interface Route {
    void answer(HttpServletRequest request, HttpServletResponse response) throws IOException;
  }

  /** Asked here: the dispatcher's own work is a fifth of a decision, and gateways ask often. */
  private void decide(HttpServletRequest request, HttpServletResponse response, Route route)
      throws IOException {
    try {
      route.answer(request, response);
    } catch (InvalidPermission e) {
      answers.invalid(request, response, e);
    } catch (Rejection | LedgerUnavailable e) {
      throw e;
    } catch (RuntimeException e) {
      answers.failed(request, response, e);
    }
  }

  /** Whether it is one of InfluxDB's token endpoints, or one of ours that does not only read. */
  private static boolean changesTokens(String method, String path) {
    return TOKEN_PATHS.stream().anyMatch(path::startsWith)
        || (path.startsWith(LifecycleRoutes.TOKENS) && !method.equals("GET"));
  }

  private static void answerPreflight(HttpServletResponse response) {
    response.setStatus(204);
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Methods", "*");
    response.setHeader("Access-Control-Allow-Headers", "*");
    response.setHeader("Access-Control-Max-Age", "86400");
  }

  private boolean isExempt(String method, String path) {
    if (path.equals("/openapi.json") || path.equals(TokenRoutes.BOOTSTRAP)) {
      return !method.equals("HEAD");
    }
    String probe = PROBE_PATHS.get(path);
    return probe != null && options.disableAuthz().contains(probe);
  }

  /** The description of the routes, and what was opened that neither decides nor says it could. */
  private boolean isOpenWhileRestored(String path) {
    String probe = PROBE_PATHS.get(path);
    return path.equals("/openapi.json")
        || (probe != null
            && RUNNING_PROBES.contains(probe)
            && options.disableAuthz().contains(probe));
  }

  /**
   * Nobody is authenticated: whose token was revoked since is just what this database does not
   * know. A decision is a "no", which no gateway takes for a server that is away; the rest waits.
   */
  private static void denyRestored(
      HttpServletRequest request, HttpServletResponse response, String path, String restored)
      throws IOException {
    boolean asks = request.getMethod().equals("POST");
    if (asks && path.equals(CheckRoutes.CHECK)) {
      Answers.write(
          response,
          200,
          Answers.JSON,
          new CheckRoutes.Told(false, RESTORED, null, null, null).bytes());
      return;
    }
    if (asks && path.equals(CheckRoutes.INTROSPECT)) {
      Answers.write(response, 200, CheckRoutes.INACTIVE);
      return;
    }
    Answers.write(
        response,
        503,
        JsonText.error(restored + ": every decision is denied until ledger replay restore accept"));
  }

  private RequestContext authenticated(
      HttpServletRequest request, HttpServletResponse response, RequestContext context) {
    Credentials credentials = Credentials.of(request);
    if (credentials == null) {
      throw unauthenticated("missing_token");
    }
    SecretHash hash = SecretHash.of(credentials.token());
    Optional<FoundToken> found = ledger.authorization().find(hash).seen();
    if (found.isEmpty()) {
      throw unauthenticated("unknown_token");
    }
    FoundToken token = found.get();
    long now = System.currentTimeMillis();
    FoundToken.State state = token.state(now);
    if (state != FoundToken.State.LIVE) {
      throw unauthenticated(state.name().toLowerCase(Locale.ROOT) + "_token");
    }
    ledger.usage().used(token.id(), now);
    request.setAttribute(PRESENTED, hash);
    String expires = JsonText.time(token.secretExpiry());
    if (expires != null) {
      response.setHeader("Token-Expires-At", expires);
    }
    return context.as(
        Actor.token(token.id(), token.name(), token.permissions()), credentials.method());
  }

  /** One answer for every reason: only the audit knows which it was. */
  private static Rejection unauthenticated(String reason) {
    return new Rejection(401, Rejection.NOT_AUTHENTICATED, reason, false);
  }
}

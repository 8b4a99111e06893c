package io.tokenledger.server;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.gateway.Demand;
import io.tokenledger.gateway.Demand.Admin;
import io.tokenledger.gateway.Demand.Family;
import io.tokenledger.gateway.Demand.Grant;
import io.tokenledger.gateway.Demand.Grants;
import io.tokenledger.gateway.Demand.Refused;
import io.tokenledger.gateway.OriginalRequest;
import io.tokenledger.index.Sighting;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.permission.Permissions;
import io.tokenledger.token.Actor;
import io.tokenledger.token.SecretHash;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RestController;

/**
 * What gateways ask before they let a request through to an InfluxDB: nginx {@code auth_request},
 * Caddy and Traefik {@code forward_auth}, Envoy {@code ext_authz} over HTTP. The token asked about
 * is the one that the original request presents; the gateway itself shows none.
 *
 * <p>The answer is 200, 401 or 403, since nginx makes 500 of anything else. Only an unreachable
 * database is 503: that is no answer, and a client that hears of a failure keeps what it wanted to
 * write.
 */
@RestController
class GatewayRoutes {

  static final String FORWARD_AUTH = "/api/v1/forward-auth";

  static final String REASON = "X-Ledger-Reason";
  static final String TOKEN_ID = "X-Ledger-Token-Id";
  static final String TOKEN_NAME = "X-Ledger-Token-Name";

  /** Names under which a method other than the visible one may be meant by the server behind. */
  private static final List<String> OVERRIDES =
      List.of("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override");

  private static final Map<String, String> PAIRS =
      Map.of("X-Original-Method", "X-Original-URI", "X-Forwarded-Method", "X-Forwarded-Uri");

  private static final String V1_UNAUTHORIZED = "{\"error\":\"unauthorized access\"}";
  private static final String V2_FORBIDDEN =
      "{\"code\":\"forbidden\",\"message\":\"Authorization error: unauthorized to perform requested"
          + " action with the token\"}";

  private final Ledger ledger;

  GatewayRoutes(Ledger ledger) {
    this.ledger = ledger;
  }

  /** Whether a path is one of these: the caller is then not asked for a token of its own. */
  static boolean isForwardAuth(String path) {
    return path.equals(FORWARD_AUTH) || path.startsWith(FORWARD_AUTH + "/");
  }

  /**
   * Decides on the original request. Envoy sends that one itself, its path behind ours; the others
   * name its method and path in a pair of headers.
   */
  @RequestMapping({FORWARD_AUTH, FORWARD_AUTH + "/**"})
  void forwardAuth(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = RequestContexts.of(request);
    OriginalRequest original = original(request);
    if (original == null) {
      ledger.requests().decisionDenied(context, "contradictory_headers", null);
      deny(response, 403, "contradictory_headers", explanation("contradictory_headers"));
      return;
    }
    Sighting<FoundToken> sighting = presented(request, context, original.password());
    if (sighting == null) {
      deny(response, 401, "not_authenticated", Rejection.NOT_AUTHENTICATED);
      return;
    }
    FoundToken token = sighting.seen();
    Actor actor = Actor.token(token.id(), token.name(), token.permissions());
    RequestContext asked = context.as(actor, "forward_auth");
    Demand demand = demand(request, original);
    String reason = reasonToRefuse(demand, token.permissions());
    if (reason != null) {
      ledger.requests().decisionDenied(asked, reason, "token:" + token.id());
      refuse(response, demand.family(), original, reason);
      return;
    }
    ledger.usage().used(token.id(), System.currentTimeMillis());
    CheckRoutes.requireCurrent(sighting);
    response.setHeader(TOKEN_ID, token.id().toString());
    response.setHeader(TOKEN_NAME, URLEncoder.encode(token.name().value(), StandardCharsets.UTF_8));
    CheckRoutes.letBeKept(response, token.secretExpiry().epochMillis());
    response.setStatus(200);
  }

  /**
   * The answer to whoever asks: no gateway's own question is a preflight, and a restored ledger
   * lets nobody through.
   */
  static void refuseAll(HttpServletResponse response, String reason) throws IOException {
    deny(response, 403, reason, explanation(reason));
  }

  /** Null when the headers do not say one thing. */
  private static @Nullable OriginalRequest original(HttpServletRequest request) {
    for (String override : OVERRIDES) {
      if (request.getHeader(override) != null) {
        return null;
      }
    }
    List<OriginalRequest> found = new ArrayList<>();
    String suffix = request.getRequestURI().substring(FORWARD_AUTH.length());
    if (!suffix.isEmpty()) {
      String query = request.getQueryString();
      found.add(
          OriginalRequest.of(request.getMethod(), query == null ? suffix : suffix + "?" + query));
    }
    for (Map.Entry<String, String> pair : PAIRS.entrySet()) {
      List<String> methods = Collections.list(request.getHeaders(pair.getKey()));
      List<String> uris = Collections.list(request.getHeaders(pair.getValue()));
      if (methods.isEmpty() && uris.isEmpty()) {
        continue;
      }
      if (methods.size() != 1 || uris.size() != 1) {
        return null;
      }
      found.add(OriginalRequest.of(methods.get(0), uris.get(0)));
    }
    return found.size() == 1 ? found.get(0) : null;
  }

  /** The live token that was presented; null when there is none, and then it has been counted. */
  private @Nullable Sighting<FoundToken> presented(
      HttpServletRequest request, RequestContext context, @Nullable String password) {
    Credentials header;
    try {
      header = Credentials.ofHeader(request);
    } catch (Rejection malformed) {
      ledger.requests().decisionDenied(context, "malformed_header", null);
      return null;
    }
    if (header == null && password == null) {
      ledger.requests().decisionDenied(context, "missing_token", null);
      return null;
    }
    // InfluxDB would take the one in the query; a server behind may take the other.
    if (header != null && password != null && !header.token().equals(password)) {
      ledger.requests().decisionDenied(context, "contradictory_credentials", null);
      return null;
    }
    String secret = header == null ? String.valueOf(password) : header.token();
    Sighting<Optional<FoundToken>> sighting = ledger.authorization().find(SecretHash.of(secret));
    if (sighting.seen().isEmpty()) {
      ledger.requests().decisionDenied(context, "unknown_token", null);
      return null;
    }
    FoundToken token = sighting.seen().get();
    FoundToken.State state = token.state(System.currentTimeMillis());
    if (state == FoundToken.State.LIVE) {
      return new Sighting<>(token, sighting.asOf());
    }
    ledger
        .requests()
        .decisionDenied(
            context, state.name().toLowerCase(Locale.ROOT) + "_token", "token:" + token.id());
    return null;
  }

  /**
   * What the original request asks for. InfluxDB 1.x is written in Go, whose {@code FormValue}
   * takes parameters from a multipart body whatever the method: with one, they stand where no
   * gateway shows them.
   */
  private static Demand demand(HttpServletRequest request, OriginalRequest original) {
    Demand demand = original.demand();
    String type = request.getContentType();
    return demand instanceof Grants
            && type != null
            && type.strip().toLowerCase(Locale.ROOT).startsWith("multipart/")
        ? new Admin(demand.family(), "body_decides")
        : demand;
  }

  private static @Nullable String reasonToRefuse(Demand demand, Permissions permissions) {
    if (demand instanceof Refused refused) {
      return refused.reason();
    }
    if (demand instanceof Admin admin) {
      return permissions.isAdmin() ? null : admin.reason();
    }
    for (Grant grant : ((Grants) demand).grants()) {
      if (!permissions.allow(grant.type(), grant.name(), grant.action())) {
        return "not_granted";
      }
    }
    return null;
  }

  private static void refuse(
      HttpServletResponse response, Family family, OriginalRequest original, String reason)
      throws IOException {
    if (original.isVersionOneQuery()) {
      deny(response, 401, reason, V1_UNAUTHORIZED);
    } else if (family == Family.V2) {
      deny(response, 403, reason, V2_FORBIDDEN);
    } else {
      deny(response, 403, reason, explanation(reason));
    }
  }

  private static String explanation(String reason) {
    return switch (reason) {
      case "not_granted", "admin_only" -> Rejection.NOT_PERMITTED;
      case "body_decides" ->
          JsonText.error(
              "what this request asks for stands in its body, which a gateway does not show:"
                  + " ask by GET, or with an admin token");
      case "contradictory_headers" ->
          JsonText.error(
              "the original request must be named by one pair of X-Original-Method and"
                  + " X-Original-URI, or of X-Forwarded-Method and X-Forwarded-Uri, or by the path,"
                  + " and no header may name another method");
      default -> JsonText.error("the request was not let through: " + reason);
    };
  }

  private static void deny(HttpServletResponse response, int status, String reason, String body)
      throws IOException {
    response.setHeader(REASON, reason);
    Answers.write(response, status, body);
  }
}

package io.tokenledger.server;

import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.permission.Action;
import io.tokenledger.permission.ResourceType;
import io.tokenledger.token.Actor;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestMethod;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ObjectNode;

/**
 * Health, readiness, version and metrics, each for tokens that {@code system} permissions grant.
 */
@RestController
class ProbeRoutes {

  /** This product's version, as its jar says it. */
  static final String VERSION = version();

  private final Ledger ledger;
  private final PrometheusMeterRegistry meters;
  private final Set<String> open;
  private final boolean withoutAuth;
  private final String processId = UUID.randomUUID().toString();

  ProbeRoutes(Ledger ledger, PrometheusMeterRegistry meters, ServeOptions options) {
    this.ledger = ledger;
    this.meters = meters;
    this.open = options.disableAuthz();
    this.withoutAuth = options.withoutAuth();
  }

  private static String version() {
    String version = ProbeRoutes.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  @GetMapping({"/health", "/api/v1/health"})
  void health(HttpServletRequest request, HttpServletResponse response) throws IOException {
    authorize(request, "health");
    ledger.checkHealthy();
    Answers.write(response, 200, String.join("\n", healthy()));
  }

  /** Slower and as right as ever while decisions ask the database. */
  private List<String> healthy() {
    List<String> lines = new ArrayList<>(List.of("OK"));
    String degraded = ledger.authorization().degraded();
    if (degraded != null) {
      lines.add(degraded);
    }
    return lines;
  }

  @GetMapping("/ready")
  void ready(HttpServletRequest request, HttpServletResponse response) throws IOException {
    authorize(request, "ready");
    ledger.checkHealthy();
    // Still ready: decisions and commands do not wait for what follows the events. Drift is every
    // node's, and taking all of them out would be the greater harm.
    List<String> lines = healthy();
    lines.addAll(ledger.standing());
    ledger
        .drift()
        .found()
        .forEach(
            (table, rows) ->
                lines.add(
                    "drift: " + rows + " rows of " + table + " are not what the events make"));
    Answers.write(response, 200, String.join("\n", lines));
  }

  @RequestMapping(
      value = "/ping",
      method = {RequestMethod.GET, RequestMethod.POST})
  void ping(HttpServletRequest request, HttpServletResponse response) throws IOException {
    authorize(request, "ping");
    if (RequestContexts.of(request).actor().type() == Actor.Type.ANONYMOUS) {
      // Opened by --disable-authz: whoever showed no token learns that this is alive, no more.
      Answers.write(response, 200, "OK");
      return;
    }
    response.setHeader("X-Influxdb-Version", "token-ledger-" + VERSION);
    ObjectNode json = JsonText.object();
    json.put("version", "token-ledger-" + VERSION);
    json.put("revision", VERSION);
    json.put("process_id", processId);
    Answers.write(response, 200, json.toString());
  }

  @GetMapping("/metrics")
  void metrics(HttpServletRequest request, HttpServletResponse response) throws IOException {
    authorize(request, "metrics");
    response.setContentType("text/plain; version=0.0.4; charset=utf-8");
    meters.scrape(response.getOutputStream());
  }

  private void authorize(HttpServletRequest request, String probe) {
    RequestContext context = RequestContexts.of(request);
    boolean permitted =
        withoutAuth
            || open.contains(probe)
            || context.actor().type() == Actor.Type.SYSTEM
            || context
                .actor()
                .permissions()
                .decide(ResourceType.SYSTEM, probe, Action.READ)
                .allowed();
    if (!permitted) {
      throw Rejection.forbidden();
    }
  }
}

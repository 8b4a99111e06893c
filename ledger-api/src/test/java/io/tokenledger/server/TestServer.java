package io.tokenledger.server;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import io.tokenledger.audit.EventType;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.springframework.core.annotation.AnnotatedElementUtils;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestMethod;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.JsonNode;

/** A running server with its operator token, for tests of other packages. */
public final class TestServer implements AutoCloseable {

  private final Server server;
  private final HttpProbe http;
  private String operator = "";

  /**
   * @param environment what the environment of {@code serve} says
   */
  public TestServer(Path data, Map<String, String> environment) {
    this.server = Server.start(ServerIT.options(data, environment));
    this.http = new HttpProbe(server.url());
  }

  /** Makes the operator token, with which all is asked from now on. */
  public HttpResponse<String> bootstrap(String requestId) {
    HttpResponse<String> made =
        http.send(
            http.request(TokenRoutes.BOOTSTRAP)
                .header("X-Request-Id", requestId)
                .POST(BodyPublishers.noBody()));
    adopt(HttpProbe.json(made).path("token").asString());
    return made;
  }

  /** Asks with that secret from now on: the operator's has changed. */
  public void adopt(String secret) {
    operator = secret;
  }

  /** Asks the recovery port on this port of loopback for another secret, as nobody. */
  public static HttpResponse<String> recover(int port, String... headers) {
    HttpProbe recovery = new HttpProbe("http://127.0.0.1:" + port);
    var request = recovery.request(TokenRoutes.REGENERATE).POST(BodyPublishers.noBody());
    if (headers.length > 0) {
      request.headers(headers);
    }
    return recovery.send(request);
  }

  public String url() {
    return server.url();
  }

  public String operator() {
    return operator;
  }

  /** Every verb and path that the server's controllers answer, sorted. */
  public static List<String> routes() {
    List<String> routes = new ArrayList<>();
    new ClassFileImporter()
        .importPackages("io.tokenledger.server").stream()
            .filter(type -> type.isAnnotatedWith(RestController.class))
            .flatMap(type -> List.of(type.reflect().getDeclaredMethods()).stream())
            .forEach(
                method -> {
                  RequestMapping mapping =
                      AnnotatedElementUtils.getMergedAnnotation(method, RequestMapping.class);
                  if (mapping != null) {
                    // One for any method is listed by GET.
                    RequestMethod[] verbs =
                        mapping.method().length == 0
                            ? new RequestMethod[] {RequestMethod.GET}
                            : mapping.method();
                    for (var verb : verbs) {
                      for (String path : mapping.path()) {
                        routes.add(verb + " " + path);
                      }
                    }
                  }
                });
    return List.copyOf(new TreeSet<>(routes));
  }

  /** Sends a request as the operator. */
  public HttpResponse<String> send(String verb, String path, String requestId, String body) {
    return http.send(
        http.request(path)
            .header("Authorization", "Bearer " + operator)
            .header("Content-Type", "application/json")
            .header("X-Request-Id", requestId)
            .header(RequestContexts.REASON, "a test")
            .method(verb, BodyPublishers.ofString(body)));
  }

  /**
   * The audit's events, newest first, a thousand at most, without the reads of the audit: asking
   * here is one.
   */
  public List<JsonNode> events() {
    return eventsAndReads().stream()
        .filter(event -> !event.path("event_type").asString().equals("AuditLogRead"))
        .toList();
  }

  /** The same with the reads of the audit. */
  public List<JsonNode> eventsAndReads() {
    List<JsonNode> events = new ArrayList<>();
    HttpProbe.json(http.get(LedgerRoutes.AUDIT + "?limit=1000", operator))
        .path("events")
        .forEach(events::add);
    return events;
  }

  /** The event types that the catalogue lets a route append, {@code POST /api/v1/check}. */
  public static List<String> appendedBy(String route) {
    return RouteCatalogue.ROWS.stream()
        .filter(row -> route.equals(row.method() + " " + row.path()))
        .flatMap(row -> row.appends().stream())
        .map(EventType::storedName)
        .toList();
  }

  @Override
  public void close() {
    server.close();
  }
}

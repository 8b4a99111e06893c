package io.tokenledger.server;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.Proposal;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.Actor;
import io.tokenledger.token.TokenCommand.RegenerateOperatorToken;
import io.tokenledger.token.TokenSecret;
import io.tokenledger.token.TokenSummary;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.UUID;
import java.util.concurrent.Executors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * For the operator who lost the operator token: a second port, open only when asked for at the
 * start, where one request without a token regenerates it. After that it closes.
 */
final class RecoveryListener implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(RecoveryListener.class);

  private final Ledger ledger;
  private final HttpServer server;

  /**
   * @throws IllegalStateException when the address is taken
   */
  RecoveryListener(Ledger ledger, BindAddress bind) {
    this.ledger = ledger;
    try {
      this.server = HttpServer.create(new InetSocketAddress(bind.host(), bind.port()), 0);
    } catch (IOException e) {
      throw new IllegalStateException(
          "--admin-token-recovery-http-bind " + bind + " cannot be listened on", e);
    }
    server.setExecutor(Executors.newSingleThreadExecutor());
    server.createContext("/", this::handle);
    server.start();
    LOG.warn("anyone who reaches {} can regenerate the operator token, until it is used", bind);
  }

  private void handle(HttpExchange exchange) throws IOException {
    // Not try-with-resources: that closes before a catch could answer.
    try {
      respond(exchange);
    } catch (Rejection e) {
      answer(exchange, e.status(), e.body());
    } catch (LedgerUnavailable e) {
      answer(exchange, 503, JsonText.error("the ledger's database is unavailable, try again"));
    } finally {
      exchange.close();
    }
  }

  private void respond(HttpExchange exchange) throws IOException {
    if (!exchange.getRequestMethod().equals("POST")
        || !TokenRoutes.REGENERATE.equals(exchange.getRequestURI().getPath())) {
      answer(exchange, 404, Rejection.NOT_FOUND);
      return;
    }
    RequestContext context = context(exchange);
    if (!isLocal(exchange)) {
      ledger
          .requests()
          .accessDenied(context, "POST " + TokenRoutes.REGENERATE, "remote_recovery", 403, null);
      answer(
          exchange,
          403,
          JsonText.error(
              "the operator token can only be recovered from this machine, by its loopback address"
                  + " and without a proxy"));
      return;
    }
    TokenSecret secret = TokenSecret.generate(new SecureRandom());
    TokenSummary token =
        TokenRoutes.execute(
                ledger,
                Proposal.of(
                    new RegenerateOperatorToken(secret.hash(), TokenRoutes.now(), Actor.SYSTEM)),
                context)
            .token();
    answer(exchange, 201, SecretAnswers.created(token, secret));
    new Thread(this::close, "ledger-recovery-close").start();
  }

  private static RequestContext context(HttpExchange exchange) {
    InetSocketAddress from = exchange.getRemoteAddress();
    Headers headers = exchange.getRequestHeaders();
    return new RequestContext(
        Actor.SYSTEM,
        "recovery",
        RequestContexts.asserted(RequestContexts.ON_BEHALF_OF, headers::getFirst),
        RequestContexts.asserted(RequestContexts.REASON, headers::getFirst),
        RequestContexts.asserted(RequestContexts.TICKET, headers::getFirst),
        from.getAddress().getHostAddress(),
        from.getPort(),
        null,
        false,
        headers.getFirst("User-Agent"),
        "rest",
        UUID.randomUUID().toString(),
        null,
        null,
        null);
  }

  /** A web page in a browser on this machine reaches this port as well as its operator. */
  private static boolean isLocal(HttpExchange exchange) {
    String host = exchange.getRequestHeaders().getFirst("Host");
    return LocalCaller.isLocal(
        exchange.getRequestHeaders().keySet(), host == null ? null : host.replaceAll(":\\d+$", ""));
  }

  private static void answer(HttpExchange exchange, int status, String body) throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange
        .getResponseHeaders()
        .set("Content-Type", body.startsWith("{") ? Answers.JSON : "text/plain; charset=utf-8");
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
  }

  @Override
  public void close() {
    server.stop(1);
  }
}

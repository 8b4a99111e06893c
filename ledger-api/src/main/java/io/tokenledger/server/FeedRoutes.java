package io.tokenledger.server;

import io.tokenledger.index.Authorization;
import io.tokenledger.index.FeedEvent;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.SecretHash;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.event.ContextClosedEvent;
import org.springframework.context.event.EventListener;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Tells gateways which answers to forget, as server-sent events: {@code change} names tokens,
 * {@code reset} says everything, {@code alive} each second says nothing but that the node hears of
 * changes. Whoever misses two of those must forget everything. The id of a change stands for what
 * the node knew; sent again as {@code Last-Event-ID}, to any node, it is continued there. An {@code
 * alive} has none: a change may be on its way that is older than what the node knows by then.
 */
@RestController
class FeedRoutes {

  static final String FEED = "/api/v1/feed";

  private static final Logger LOG = LoggerFactory.getLogger(FeedRoutes.class);

  /** Each has a thread, since each may read slowly. */
  private static final int MAX_READERS = 32;

  /** Changes that a slow reader has not taken yet; with more it must come again. */
  private static final int MAX_WAITING = 1_000;

  private static final Duration ALIVE = Duration.ofSeconds(1);

  private final Ledger ledger;
  private final Semaphore places = new Semaphore(MAX_READERS);
  private volatile boolean closing;

  FeedRoutes(Ledger ledger) {
    this.ledger = ledger;
  }

  /** Before the server waits for the requests that are under way. */
  @EventListener
  void closed(ContextClosedEvent event) {
    LOG.debug("the feeds end: {}", event);
    closing = true;
  }

  @GetMapping(FEED)
  void feed(HttpServletRequest request, HttpServletResponse response) {
    TokenRoutes.require(CheckRoutes.mayAskAboutOthers(RequestContexts.of(request).actor()));
    SecretHash caller = (SecretHash) request.getAttribute(LedgerFilter.PRESENTED);
    if (!places.tryAcquire()) {
      throw Rejection.busy("feeds");
    }
    Listener listener = new Listener(caller);
    boolean begun = false;
    try {
      // Heard before the past is read: nothing falls in between. Where that cannot be read, nothing
      // was answered yet.
      FeedEvent past = ledger.authorization().since(request.getHeader("Last-Event-ID"));
      response.setContentType("text/event-stream");
      response.setCharacterEncoding(StandardCharsets.UTF_8);
      // nginx would keep events back until its buffer is full.
      response.setHeader("X-Accel-Buffering", "no");
      AsyncContext async = request.startAsync();
      async.setTimeout(0);
      Thread thread = new Thread(() -> listener.serve(async, response, past), "ledger-feed");
      thread.setDaemon(true);
      thread.start();
      begun = true;
    } finally {
      if (!begun) {
        listener.end();
      }
    }
  }

  /** One who listens, in a place of its own. */
  private final class Listener {

    private final @Nullable SecretHash caller;
    private final BlockingQueue<FeedEvent> waiting = new ArrayBlockingQueue<>(MAX_WAITING);
    private final AtomicBoolean tooSlow = new AtomicBoolean();
    private final Authorization.Subscription subscription;

    Listener(@Nullable SecretHash caller) {
      this.caller = caller;
      this.subscription =
          ledger
              .authorization()
              .subscribe(
                  event -> {
                    if (!waiting.offer(event)) {
                      tooSlow.set(true);
                    }
                  });
    }

    void serve(AsyncContext async, HttpServletResponse response, FeedEvent past) {
      try {
        ServletOutputStream out = response.getOutputStream();
        write(out, past);
        while (!closing && !tooSlow.get() && mayGoOn(caller)) {
          FeedEvent event = waiting.poll(ALIVE.toMillis(), TimeUnit.MILLISECONDS);
          if (event != null) {
            write(out, event);
          } else if (ledger.authorization().degraded() == null) {
            write(out, "event: alive\ndata: {}\n\n");
          }
        }
      } catch (IOException | LedgerUnavailable e) {
        LOG.debug("a feed ended: {}", e.getMessage());
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      } finally {
        end();
        async.complete();
      }
    }

    void end() {
      subscription.close();
      places.release();
    }
  }

  /** The caller's token may end while it listens. */
  private boolean mayGoOn(@Nullable SecretHash caller) {
    if (ledger.restored() != null) {
      return false;
    }
    if (caller == null) {
      return true;
    }
    Optional<FoundToken> token = ledger.authorization().find(caller).seen();
    return token.isPresent()
        && token.get().state(System.currentTimeMillis()) == FoundToken.State.LIVE
        && CheckRoutes.mayAskAboutOthers(token.get().permissions());
  }

  private static void write(ServletOutputStream out, FeedEvent event) throws IOException {
    ObjectNode json = JsonText.object();
    if (!event.everything()) {
      ArrayNode tokens = json.putArray("tokens");
      for (FeedEvent.Changed each : event.tokens()) {
        tokens
            .addObject()
            .put("id", each.tokenId())
            .put("name", each.name())
            .put("hash_prefix", each.hashPrefix());
      }
    }
    String kind = event.everything() ? "reset" : "change";
    write(out, "id: " + event.id() + "\nevent: " + kind + "\ndata: " + json + "\n\n");
  }

  private static void write(ServletOutputStream out, String text) throws IOException {
    out.write(text.getBytes(StandardCharsets.UTF_8));
    out.flush();
  }
}

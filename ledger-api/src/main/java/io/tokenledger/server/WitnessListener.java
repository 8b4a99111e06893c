package io.tokenledger.server;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.tokenledger.attest.Witness;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.SignedNote;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A {@link Witness} over HTTP (C2SP {@code tlog-witness}), without database and framework. */
public final class WitnessListener implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(WitnessListener.class);

  private static final int MAX_BODY_BYTES = 64 * 1024;
  private static final int THREADS = 8;
  private static final int MAX_WAITING = 64;
  private static final int BACKLOG = 64;
  private static final String LIMIT_SECONDS = "10";
  private static final String TEXT = "text/plain; charset=utf-8";
  private static final String CHECKPOINT = "/checkpoint";

  private final Witness witness;
  private final HttpServer server;
  private final ThreadPoolExecutor threads;
  private final String url;

  /**
   * @throws IllegalStateException when the address is taken
   */
  public WitnessListener(Witness witness, BindAddress bind) {
    this.witness = witness;
    // A client that sends or reads a byte now and then would otherwise hold a thread for ever.
    System.setProperty("sun.net.httpserver.maxReqTime", LIMIT_SECONDS);
    System.setProperty("sun.net.httpserver.maxRspTime", LIMIT_SECONDS);
    try {
      this.server = HttpServer.create(new InetSocketAddress(bind.host(), bind.port()), BACKLOG);
    } catch (IOException e) {
      throw new IllegalStateException("--bind " + bind + " cannot be listened on", e);
    }
    // When all are busy the listener itself works, and so takes no more requests.
    this.threads =
        new ThreadPoolExecutor(
            THREADS,
            THREADS,
            0,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(MAX_WAITING),
            new ThreadPoolExecutor.CallerRunsPolicy());
    this.url = "http://" + new BindAddress(bind.host(), server.getAddress().getPort());
    server.setExecutor(threads);
    server.createContext("/", this::handle);
    server.start();
  }

  /** Where it listens, {@code http://HOST:PORT}: its submission and its monitoring prefix. */
  public String url() {
    return url;
  }

  private void handle(HttpExchange exchange) throws IOException {
    try (exchange) {
      String path = exchange.getRequestURI().getPath();
      String method = exchange.getRequestMethod();
      if (path.equals("/add-checkpoint") && method.equals("POST")) {
        addCheckpoint(exchange);
      } else if (path.endsWith(CHECKPOINT) && method.equals("GET")) {
        String name = path.substring(1, Math.max(1, path.length() - CHECKPOINT.length()));
        Optional<SignedNote> note = witness.newest(name);
        answer(
            exchange,
            note.isPresent() ? 200 : 404,
            TEXT,
            note.map(SignedNote::toString).orElse("no such checkpoint\n"));
      } else {
        answer(exchange, 404, TEXT, "not found\n");
      }
    } catch (UncheckedIOException | InvalidTlogFormat e) {
      // Memory that cannot be read or written: nothing was signed that is not remembered.
      LOG.error("the witness cannot use its memory", e);
      answer(exchange, 500, TEXT, "the witness cannot use its memory\n");
    }
  }

  private void addCheckpoint(HttpExchange exchange) throws IOException {
    byte[] body = exchange.getRequestBody().readNBytes(MAX_BODY_BYTES + 1);
    if (body.length > MAX_BODY_BYTES) {
      answer(exchange, 400, TEXT, "the body is longer than 64 KiB\n");
      return;
    }
    Witness.Answer answer = witness.addCheckpoint(new String(body, StandardCharsets.UTF_8));
    if (answer.status() == 422) {
      LOG.error("{} submission: {}", answer.status(), new String(body, StandardCharsets.UTF_8));
    }
    answer(exchange, answer.status(), answer.contentType(), answer.body());
  }

  private static void answer(HttpExchange exchange, int status, String type, String body)
      throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", type);
    exchange.sendResponseHeaders(status, bytes.length);
    exchange.getResponseBody().write(bytes);
  }

  @Override
  public void close() {
    server.stop(1);
    threads.shutdownNow();
  }
}

package io.tokenledger.server;

import io.tokenledger.ledger.Ledger;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.permission.Permissions;
import io.tokenledger.token.SecretHash;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.Objects;
import java.util.regex.Pattern;

/**
 * Reads the bodies of requests, each within its route's limits and all together within one of
 * memory: a value of JSON takes many times the memory of its text.
 */
final class RequestBodies {

  /** InfluxDB's own limit. */
  static final int MAX_BYTES = 10 * 1024 * 1024;

  /** A check's is a few hundred; every token may send one. */
  private static final Pattern JSON_TYPE =
      Pattern.compile("application/([a-z0-9.+-]+\\+)?json\\s*(;.*)?", Pattern.CASE_INSENSITIVE);

  private static final String ATTRIBUTE = "io.tokenledger.bodies";
  private static final String SHARE = "io.tokenledger.body";
  private static final int FIRST_BYTES = 16 * 1024;

  /** Measured: an object with one field, the worst, costs about 200 bytes for its eight. */
  private static final long BYTES_A_VALUE = 110;

  private static final int BUDGET_BYTES = 64 * 1024 * 1024;

  private final Ledger ledger;
  private final MemoryBudget memory = new MemoryBudget("large requests", BUDGET_BYTES);

  RequestBodies(Ledger ledger) {
    this.ledger = ledger;
  }

  /** Leaves itself for the handlers. */
  void attach(HttpServletRequest request) {
    request.setAttribute(ATTRIBUTE, this);
  }

  /** What the filter left for the handlers. */
  static RequestBodies of(HttpServletRequest request) {
    return (RequestBodies) Objects.requireNonNull(request.getAttribute(ATTRIBUTE));
  }

  /** The body of a request to one of the routes that may take much. */
  byte[] json(HttpServletRequest request) throws IOException {
    return json(request, MAX_BYTES, JsonBody.MAX_VALUES);
  }

  /** The same as {@link #json(HttpServletRequest, int, int)}, read. */
  JsonBody parsed(HttpServletRequest request, int maxBytes, int maxValues) throws IOException {
    return JsonBody.parse(json(request, maxBytes, maxValues), maxValues);
  }

  /**
   * The body of a request that says it is JSON. What is taken of the memory for it stays taken
   * until {@link #release}.
   *
   * @param maxBytes how long it may be
   * @param maxValues how many values will be read of it at most
   * @throws Rejection 415 for another type, 413 when it is longer, 503 when too much is being read
   */
  byte[] json(HttpServletRequest request, int maxBytes, int maxValues) throws IOException {
    String type = request.getContentType();
    boolean plain = Answers.JSON.equals(type);
    if (!plain && (type == null || !JSON_TYPE.matcher(type.strip()).matches())) {
      throw new Rejection(
          415, "unacceptable content-type, expected: application/json", "content_type", false);
    }
    long said = request.getContentLengthLong();
    if (said > maxBytes) {
      throw tooLarge(maxBytes);
    }
    MemoryBudget.Share share = memory.share();
    request.setAttribute(SHARE, share);
    int expected = said < 0 ? FIRST_BYTES : Math.toIntExact(said);
    share.grow(estimate(expected, maxValues));
    InputStream in = request.getInputStream();
    byte[] body = in.readNBytes(expected);
    if (said >= 0 || body.length < expected) {
      requireStillPermitted(request);
      return body;
    }
    share.grow(estimate(maxBytes, maxValues));
    byte[] rest = in.readNBytes(maxBytes + 1 - body.length);
    if (body.length + rest.length > maxBytes) {
      throw tooLarge(maxBytes);
    }
    byte[] whole = Arrays.copyOf(body, body.length + rest.length);
    System.arraycopy(rest, 0, whole, body.length, rest.length);
    requireStillPermitted(request);
    return whole;
  }

  /**
   * To be called when a body is there: who sends it slowly must not keep, until its end, rights
   * that were taken away meanwhile.
   *
   * @throws Rejection 401 when the caller's token is no longer live, 403 when it may do less
   */
  void requireStillPermitted(HttpServletRequest request) {
    if (!(request.getAttribute(LedgerFilter.PRESENTED) instanceof SecretHash hash)) {
      return;
    }
    FoundToken token = ledger.authorization().find(hash).seen().orElse(null);
    if (token == null || token.state(System.currentTimeMillis()) != FoundToken.State.LIVE) {
      throw new Rejection(401, Rejection.NOT_AUTHENTICATED, "no_longer_live", false);
    }
    Permissions had = RequestContexts.of(request).actor().permissions();
    if (!had.isWithin(token.permissions())) {
      throw Rejection.forbidden();
    }
  }

  /** What reading takes: the body, its copy while it is read, its texts, and its values. */
  private static long estimate(long bytes, int maxValues) {
    return 3 * bytes + BYTES_A_VALUE * Math.min(maxValues, bytes / 2);
  }

  /** Gives back what was taken for that request, if anything was. */
  static void release(ServletRequest request) {
    if (request.getAttribute(SHARE) instanceof MemoryBudget.Share share) {
      share.close();
    }
  }

  private static Rejection tooLarge(int maxBytes) {
    return new Rejection(
        413, "max request size (" + maxBytes + " bytes) exceeded", "too_large", false);
  }
}

package io.tokenledger.server;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.token.Actor;
import jakarta.servlet.http.HttpServletRequest;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Reads from a request what the envelope says of it. */
final class RequestContexts {

  static final String ATTRIBUTE = "io.tokenledger.context";

  static final String ON_BEHALF_OF = "Ledger-On-Behalf-Of";
  static final String REASON = "Ledger-Reason";
  static final String TICKET = "Ledger-Ticket";

  private static final int MAX_ASSERTED_BYTES = 1_024;
  private static final int MAX_HEADER_CHARS = 512;
  private static final Pattern REQUEST_ID = Pattern.compile("[A-Za-z0-9._:-]{1,128}");
  private static final Pattern CLI_AGENT =
      Pattern.compile("token-ledger-cli/([A-Za-z0-9.+-]{1,32})");
  private static final Pattern TRACE_PARENT =
      Pattern.compile("[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}");

  private final List<Network> trustedProxies;

  RequestContexts(List<Network> trustedProxies) {
    this.trustedProxies = trustedProxies;
  }

  /** The context of a request that nobody has authenticated yet. */
  RequestContext read(HttpServletRequest request) {
    return read(request, request::getHeader);
  }

  /**
   * The same of a gateway's question. What is asserted in headers is asserted to the server behind,
   * and must not make the question a bad request.
   */
  RequestContext readOfGateway(HttpServletRequest request) {
    return read(request, header -> null);
  }

  private RequestContext read(
      HttpServletRequest request, Function<String, @Nullable String> asserted) {
    String forwarded = forwardedFor(request);
    boolean trusted =
        forwarded != null
            && trustedProxies.stream().anyMatch(net -> net.contains(request.getRemoteAddr()));
    String agent = clipped(request.getHeader("User-Agent"));
    return new RequestContext(
        Actor.ANONYMOUS,
        null,
        asserted(ON_BEHALF_OF, asserted),
        asserted(REASON, asserted),
        asserted(TICKET, asserted),
        request.getRemoteAddr(),
        request.getRemotePort(),
        clipped(trusted ? lastUntrusted(String.valueOf(forwarded)) : forwarded),
        trusted,
        agent,
        client(agent),
        requestId(request),
        sane(request.getHeader("X-Correlation-Id")),
        null,
        traceId(request.getHeader("traceparent")));
  }

  /**
   * Every line of the header, in order: a proxy may add its own line below the caller's, and the
   * last hop is then on the last line (RFC 9110, 5.3). Not clipped, for the same reason.
   */
  private static @Nullable String forwardedFor(HttpServletRequest request) {
    List<String> lines = Collections.list(request.getHeaders("X-Forwarded-For"));
    return lines.isEmpty() ? null : String.join(",", lines);
  }

  /** The context that the filter left for the handlers. */
  static RequestContext of(HttpServletRequest request) {
    return (RequestContext) java.util.Objects.requireNonNull(request.getAttribute(ATTRIBUTE));
  }

  /** {@code cli/0.1.0} where our own command line says so, as it may, else {@code rest}. */
  private static String client(@Nullable String agent) {
    Matcher cli = CLI_AGENT.matcher(agent == null ? "" : agent);
    return cli.matches() ? "cli/" + cli.group(1) : "rest";
  }

  /** The last address that no trusted proxy has: what stands before it may be the caller's own. */
  private String lastUntrusted(String forwarded) {
    String[] hops = forwarded.split(",");
    for (int i = hops.length - 1; i >= 0; i--) {
      String hop = hops[i].strip();
      if (!hop.matches("[0-9a-fA-F:.]+")
          || trustedProxies.stream().noneMatch(net -> net.contains(hop))) {
        return hop;
      }
    }
    return hops[0].strip();
  }

  private static String requestId(HttpServletRequest request) {
    String given = sane(request.getHeader("X-Request-Id"));
    return given == null ? newId() : given;
  }

  /** Anyone may give one, so it need not be hard to guess; all threads would wait for that. */
  private static String newId() {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    long version4 = random.nextLong() & ~0xf000L | 0x4000L;
    long variant = random.nextLong() >>> 2 | Long.MIN_VALUE;
    return new UUID(version4, variant).toString();
  }

  private static @Nullable String sane(@Nullable String id) {
    return id != null && REQUEST_ID.matcher(id).matches() ? id : null;
  }

  private static @Nullable String traceId(@Nullable String traceParent) {
    if (traceParent == null) {
      return null;
    }
    Matcher matcher = TRACE_PARENT.matcher(traceParent);
    return matcher.matches() ? matcher.group(1) : null;
  }

  private static @Nullable String clipped(@Nullable String header) {
    return header == null || header.length() <= MAX_HEADER_CHARS
        ? header
        : header.substring(0, MAX_HEADER_CHARS);
  }

  /**
   * What a caller asserts of the why: UTF-8, as it is or percent-encoded.
   *
   * @param headers gives a header's bytes, one character each
   * @throws Rejection 400 when it is too long or wrongly encoded
   */
  static @Nullable String asserted(String header, Function<String, @Nullable String> headers) {
    String value = headers.apply(header);
    if (value == null || value.isBlank()) {
      return null;
    }
    try {
      String text = HeaderText.percentDecoded(value);
      if (text.getBytes(StandardCharsets.UTF_8).length <= MAX_ASSERTED_BYTES) {
        return text.strip();
      }
    } catch (IllegalArgumentException e) {
      throw Rejection.invalid(header + " must be plain or percent-encoded UTF-8");
    }
    throw Rejection.invalid(header + " must not be longer than 1024 bytes of UTF-8");
  }
}

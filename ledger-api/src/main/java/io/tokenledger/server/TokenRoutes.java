package io.tokenledger.server;

import io.tokenledger.audit.EventType;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.idempotency.AnswerExists;
import io.tokenledger.ledger.Committed;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.Proposal;
import io.tokenledger.permission.Permission;
import io.tokenledger.permission.Permissions;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.Actor;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.Refusal;
import io.tokenledger.token.TokenCommand.CreateNamedAdmin;
import io.tokenledger.token.TokenCommand.CreateOperatorToken;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenCommand.RegenerateOperatorToken;
import io.tokenledger.token.TokenCommand.RevokeToken;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenRefused;
import io.tokenledger.token.TokenSecret;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.math.BigInteger;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

/** InfluxDB's token endpoints ({@code influxdb3-token-surface} 1.1 to 1.5), with an actor. */
@RestController
class TokenRoutes {

  static final String BOOTSTRAP = "/api/v3/configure/token/admin";
  static final String REGENERATE = "/api/v3/configure/token/admin/regenerate";
  static final String NAMED_ADMIN = "/api/v3/configure/token/named_admin";
  static final String ENTERPRISE = "/api/v3/enterprise/configure/token";
  static final String TOKEN = "/api/v3/configure/token";

  private static final Duration COMMAND_LIMIT = Duration.ofSeconds(30);
  private static final int MAX_DIGITS = 40;

  private final Ledger ledger;
  private final ServeOptions options;
  private final SecretAnswers secretAnswers;
  private final SecureRandom random = new SecureRandom();

  /** Where a write stands: {@code min_position} of a check waits for it. */
  static final String POSITION = "X-Ledger-Position";

  TokenRoutes(Ledger ledger, ServeOptions options, SecretAnswers secretAnswers) {
    this.ledger = ledger;
    this.options = options;
    this.secretAnswers = secretAnswers;
  }

  @PostMapping(BOOTSTRAP)
  void createOperator(HttpServletRequest request, HttpServletResponse response) throws IOException {
    SecretAnswers.refuseKey(request, "nobody is authenticated yet");
    if (!options.allowRemoteBootstrap()) {
      requireLocal(request);
    }
    if (ledger.lookup().anyAdmin()) {
      throw new TokenRefused(Refusal.NAME_TAKEN, TokenName.OPERATOR.value());
    }
    TokenSecret secret = TokenSecret.generate(random);
    Committed made =
        execute(
            ledger,
            Proposal.of(new CreateOperatorToken(secret.hash(), now(), Actor.ANONYMOUS)),
            request,
            response);
    // No CORS header: a web page must not read this one.
    Answers.write(
        response,
        201,
        Receipts.added(
            ledger, request, response, made, SecretAnswers.created(made.token(), secret)));
  }

  /**
   * Until an admin exists, anyone who reaches this becomes one: so only this machine's own callers
   * may, and no web page in a browser on it.
   */
  private void requireLocal(HttpServletRequest request) {
    boolean local =
        LocalCaller.isLocal(
            java.util.Collections.list(request.getHeaderNames()), request.getServerName());
    if (!local || !options.httpBind().isLoopback()) {
      throw new Rejection(
          403,
          JsonText.error(
              "the first operator token can only be made from this machine: ask its loopback"
                  + " address without a proxy, start with --admin-token-file, or allow it with"
                  + " --allow-remote-bootstrap"),
          "remote_bootstrap",
          false);
    }
  }

  @PostMapping(REGENERATE)
  void regenerateOperator(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    SecretAnswers.refuseKey(request, "the secret that asks is no longer valid afterwards");
    RequestContext context = RequestContexts.of(request);
    TokenSecret secret = TokenSecret.generate(random);
    secretAnswers.answer(
        request,
        response,
        new byte[0],
        Proposal.of(new RegenerateOperatorToken(secret.hash(), now(), context.actor())),
        secret);
  }

  @PostMapping(NAMED_ADMIN)
  void createNamedAdmin(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    RequestContext context = RequestContexts.of(request);
    if (!context.actor().permissions().isAdmin()) {
      throw Rejection.forbidden(EventType.NAMED_ADMIN_CREATED, askedName(request));
    }
    byte[] bytes = jsonBytes(request);
    if (secretAnswers.repeat(request, response, bytes)) {
      return;
    }
    JsonBody body = JsonBody.parse(bytes);
    TokenName name = new TokenName(body.string("token_name"));
    Instant now = now();
    Expiry expiry = expiry(body, now);
    TokenSecret secret = TokenSecret.generate(random);
    secretAnswers.answer(
        request,
        response,
        bytes,
        Proposal.withNewId(
            name,
            id -> new CreateNamedAdmin(name, id, secret.hash(), now, expiry, context.actor())),
        secret);
  }

  /** The second path is the one that InfluxDB's documentation once named. */
  @PostMapping({ENTERPRISE, TOKEN})
  void createResourceToken(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    RequestContext context = RequestContexts.of(request);
    if (!context.actor().mayManageTokens()) {
      throw Rejection.forbidden(EventType.RESOURCE_TOKEN_CREATED, askedName(request));
    }
    byte[] bytes = jsonBytes(request);
    if (secretAnswers.repeat(request, response, bytes)) {
      return;
    }
    JsonBody body = JsonBody.parse(bytes);
    TokenName name = new TokenName(body.string("token_name"));
    Permissions permissions = permissions(body);
    Instant now = now();
    Expiry expiry = expiry(body, now);
    TokenSecret secret = TokenSecret.generate(random);
    secretAnswers.answer(
        request,
        response,
        bytes,
        Proposal.withNewId(
            name,
            id ->
                new CreateResourceToken(
                    name, id, secret.hash(), permissions, now, expiry, context.actor())),
        secret);
  }

  /** The field {@code permissions} of a body, in InfluxDB's JSON form. */
  static Permissions permissions(JsonBody body) {
    List<Permission> grants = new ArrayList<>();
    for (JsonBody grant : body.objects("permissions")) {
      // Documents once said resource_identifier; the real server knows only resource_names.
      String namesField =
          !grant.has("resource_names") && grant.has("resource_identifier")
              ? "resource_identifier"
              : "resource_names";
      grants.add(
          Permission.of(
              grant.string("resource_type"), grant.strings(namesField), grant.strings("actions")));
    }
    return Permissions.of(grants);
  }

  @DeleteMapping(TOKEN)
  void revoke(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = RequestContexts.of(request);
    String given = request.getParameter("token_name");
    if (!context.actor().mayManageTokens()) {
      throw Rejection.forbidden(EventType.TOKEN_REVOKED, readable(given));
    }
    if (given == null) {
      throw new Rejection(
          400, "serde error: missing field `token_name`", "missing_token_name", false);
    }
    TokenName name = new TokenName(given);
    Committed revoked =
        execute(
            ledger,
            Proposal.of(new RevokeToken(name, null, now(), context.actor())),
            request,
            response);
    response.setHeader("Access-Control-Allow-Origin", "*");
    String receipt = Receipts.added(ledger, request, response, revoked, "");
    if (receipt.isEmpty()) {
      // InfluxDB's answer has no body and no type.
      response.setStatus(200);
    } else {
      Answers.write(response, 200, receipt);
    }
  }

  /** The name in the body of a creation that is refused whatever it holds; null for none. */
  private static @Nullable String askedName(HttpServletRequest request) throws IOException {
    try {
      return readable(jsonBody(request).optionalString("token_name"));
    } catch (Rejection e) {
      return null;
    }
  }

  /** A name that a token can have, as it is; null for any other text. */
  private static @Nullable String readable(@Nullable String name) {
    try {
      return name == null ? null : new TokenName(name).value();
    } catch (TokenRefused e) {
      return null;
    }
  }

  static void require(boolean permitted) {
    if (!permitted) {
      throw Rejection.forbidden();
    }
  }

  /** Whole milliseconds: what is stored is what was answered. */
  static Instant now() {
    return Instant.now().truncatedTo(ChronoUnit.MILLIS);
  }

  static Expiry expiry(JsonBody body, Instant createdAt) {
    BigInteger seconds = body.optionalInteger("expiry_secs");
    if (seconds == null) {
      return Expiry.NEVER;
    }
    if (seconds.bitLength() < Long.SIZE) {
      return Expiry.after(createdAt, seconds.longValue());
    }
    throw new TokenRefused(
        Refusal.INVALID_EXPIRY,
        "expiry_secs must "
            + (seconds.signum() < 0 ? "be at least 1" : "not reach beyond the year 9999")
            + ", got "
            + shown(seconds)
            + "; leave it out for a token that never expires");
  }

  /** As it was sent, but no longer than a line: a number may have a million digits. */
  private static String shown(BigInteger number) {
    String digits = number.toString();
    return digits.length() <= MAX_DIGITS
        ? digits
        : digits.substring(0, MAX_DIGITS) + "... (" + digits.length() + " characters)";
  }

  static JsonBody jsonBody(HttpServletRequest request) throws IOException {
    return JsonBody.parse(jsonBytes(request));
  }

  /** The body of a request that says it is JSON. */
  static byte[] jsonBytes(HttpServletRequest request) throws IOException {
    return RequestBodies.of(request).json(request);
  }

  /**
   * Carries a command out and waits for its commit.
   *
   * @throws Rejection when it was refused; the audit has it already. 405 when nobody was asked for
   *     a token: the filter refuses that by path, and here no path leads past it
   * @throws AnswerExists when the same request was carried out before
   * @throws LedgerUnavailable when it is not known to be stored
   */
  static Committed execute(Ledger ledger, Proposal proposal, RequestContext context) {
    if (LedgerFilter.NO_AUTH.equals(context.authMethod())) {
      throw Rejection.withoutAuth();
    }
    try {
      return ledger.carryOut(proposal, context).get(COMMAND_LIMIT.toSeconds(), TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof TokenRefused refused) {
        throw new Rejection(
            refused.refusal().status(),
            String.valueOf(refused.getMessage()),
            refused.refusal().name().toLowerCase(Locale.ROOT),
            true);
      }
      if (e.getCause() instanceof AnswerExists exists) {
        throw exists;
      }
      throw e.getCause() instanceof LedgerUnavailable unavailable
          ? unavailable
          : new LedgerUnavailable("the command failed", e);
    } catch (TimeoutException e) {
      throw new LedgerUnavailable("the command took too long; it may be carried out yet", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new LedgerUnavailable("shutting down", e);
    }
  }

  /** The same for a request, whose answer says where it was written. */
  static Committed execute(
      Ledger ledger, Proposal proposal, HttpServletRequest request, HttpServletResponse response) {
    Committed done = execute(ledger, proposal, RequestContexts.of(request));
    response.setHeader(POSITION, done.position().toString());
    return done;
  }
}

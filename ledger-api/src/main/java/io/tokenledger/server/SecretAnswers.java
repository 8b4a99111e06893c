package io.tokenledger.server;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.idempotency.AnswerExists;
import io.tokenledger.idempotency.RequestKey;
import io.tokenledger.idempotency.StoredAnswer;
import io.tokenledger.ledger.Committed;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.Proposal;
import io.tokenledger.token.TokenSecret;
import io.tokenledger.token.TokenSummary;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * The answers that show a secret, and their repetition. A client that lost an answer sends the same
 * request with the same {@code Idempotency-Key} and gets the same bytes, for a day; it is the one
 * exception to "shown once".
 */
final class SecretAnswers {

  private static final String HEADER = "Idempotency-Key";

  /** 22 characters of base64url are 128 bits; nothing shorter can be random enough. */
  private static final Pattern KEY = Pattern.compile("[\\x21-\\x7e]{22,255}");

  private final Ledger ledger;
  private final boolean keepsSecrets;

  SecretAnswers(Ledger ledger, boolean keepsSecrets) {
    this.ledger = ledger;
    this.keepsSecrets = keepsSecrets;
  }

  /**
   * Refuses the header where a repetition could not be told from an intruder's request.
   *
   * @throws Rejection 400
   */
  static void refuseKey(HttpServletRequest request, String why) {
    if (request.getHeader(HEADER) != null) {
      throw Rejection.invalid(HEADER + " is not taken here: " + why);
    }
  }

  /**
   * Answers as the first time when this request was answered before.
   *
   * @param body the request's body, byte for byte
   * @return whether it was
   * @throws Rejection 400 for a key that is too short, 409 when the key belongs to another request
   *     or its answer cannot be shown again
   */
  boolean repeat(HttpServletRequest request, HttpServletResponse response, byte[] body)
      throws IOException {
    RequestKey key = key(request, body);
    if (key == null) {
      return false;
    }
    Optional<StoredAnswer> stored = ledger.answers().find(key);
    if (stored.isEmpty()) {
      return false;
    }
    repeat(request, response, stored.get());
    return true;
  }

  private void repeat(HttpServletRequest request, HttpServletResponse response, StoredAnswer stored)
      throws IOException {
    String token = "token " + stored.tokenId();
    if (!stored.sameRequest()) {
      throw conflict(HEADER + " was used for another request, which made " + token, "key_reused");
    }
    String answer = stored.body();
    if (answer == null) {
      throw conflict(
          "this request was carried out and made " + token + "; its secret is not shown again",
          "secret_not_repeated");
    }
    RequestContext context = RequestContexts.of(request);
    ledger
        .requests()
        .answerRepeated(
            context,
            request.getMethod() + " " + Answers.route(request),
            "token:" + stored.tokenId());
    response.setHeader("Idempotency-Replayed", "true");
    write(response, answer);
  }

  private static Rejection conflict(String sentence, String reason) {
    return new Rejection(409, JsonText.error(sentence), reason, false);
  }

  /**
   * Carries the command out and answers 201 with the secret.
   *
   * @param body the request's body, byte for byte
   */
  void answer(
      HttpServletRequest request,
      HttpServletResponse response,
      byte[] body,
      Proposal proposal,
      TokenSecret secret)
      throws IOException {
    RequestKey key = key(request, body);
    Proposal.Keep keep =
        key == null ? null : new Proposal.Keep(key, token -> created(token, secret));
    Committed made;
    try {
      made = TokenRoutes.execute(ledger, proposal.keeping(keep), request, response);
    } catch (AnswerExists e) {
      // The same request, in flight at the same time, was faster.
      repeat(request, response, ledger.answers().find(Objects.requireNonNull(key)).orElseThrow());
      return;
    }
    write(response, Receipts.added(ledger, request, response, made, created(made.token(), secret)));
  }

  private static void write(HttpServletResponse response, String answer) throws IOException {
    response.setHeader("Access-Control-Allow-Origin", "*");
    Answers.write(response, 201, answer);
  }

  private @Nullable RequestKey key(HttpServletRequest request, byte[] body) {
    String header = request.getHeader(HEADER);
    Credentials credentials = Credentials.of(request);
    if (header == null || credentials == null) {
      return null;
    }
    if (!KEY.matcher(header).matches()) {
      throw Rejection.invalid(
          HEADER + " must be 22 to 255 visible ASCII characters, at random, such as a UUID");
    }
    RequestContext context = RequestContexts.of(request);
    return ledger.requestKey(
        "token:" + context.actor().tokenId(),
        credentials.token(),
        header,
        request.getMethod()
            + " "
            + request.getRequestURI()
            + "\n"
            + new String(body, StandardCharsets.ISO_8859_1),
        keepsSecrets);
  }

  /** InfluxDB's answer to a creation ({@code influxdb3-token-surface} 1.1). */
  static String created(TokenSummary token, TokenSecret secret) {
    ObjectNode json = JsonText.object();
    json.put("id", token.id().value());
    json.put("name", token.name().value());
    json.put("token", secret.reveal());
    json.put("hash", secret.hash().hex());
    json.put("created_at", JsonText.time(token.createdAt()));
    json.put("expiry", JsonText.time(token.expiry()));
    return json.toString();
  }
}

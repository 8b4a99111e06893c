package io.tokenledger.server;

import io.tokenledger.ledger.Ledger;
import io.tokenledger.tlog.TlogProof;
import io.tokenledger.token.Token;
import io.tokenledger.token.TokenName;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.time.Duration;
import java.util.Collections;
import java.util.Optional;
import tools.jackson.databind.node.ObjectNode;

/**
 * Answers that wait until what was done stands in a signed checkpoint, and hold the proof of it:
 * {@code Prefer: receipt=checkpoint, wait=5} (RFC 7240). Who holds it can show that the event was
 * in the log, whatever becomes of the database. When the time is over first the answer is the usual
 * one: the command is committed, whether or not its proof came.
 */
final class Receipts {

  private static final String RECEIPT = "receipt=checkpoint";
  private static final String WAIT = "wait=";
  private static final long DEFAULT_SECONDS = 5;
  private static final long MAX_SECONDS = 30;

  private Receipts() {}

  /**
   * The answer, with the field {@code audit_proof} when the caller prefers that and it came in
   * time.
   *
   * @param name of the token that the request was about
   * @param answer empty, or a JSON object
   */
  static String added(
      Ledger ledger,
      HttpServletRequest request,
      HttpServletResponse response,
      TokenName name,
      String answer) {
    long seconds = preferredSeconds(request);
    if (seconds == 0) {
      return answer;
    }
    Optional<TlogProof> proof =
        ledger
            .log()
            .receipt(
                Token.aggregateId(name),
                RequestContexts.of(request).requestId(),
                Duration.ofSeconds(seconds));
    if (proof.isEmpty()) {
      response.setHeader("Audit-Receipt", "pending");
      return answer;
    }
    response.setHeader("Preference-Applied", RECEIPT + ", " + WAIT + seconds);
    response.setHeader("Audit-Leaf", Long.toString(proof.get().leafIndex()));
    ObjectNode json =
        answer.isEmpty() ? JsonText.object() : (ObjectNode) JsonText.JSON.readTree(answer);
    return json.put("audit_proof", proof.get().toString()).toString();
  }

  /** How long the caller would wait, 1 to 30; 0 when no receipt is preferred. */
  private static long preferredSeconds(HttpServletRequest request) {
    boolean receipt = false;
    long seconds = DEFAULT_SECONDS;
    for (String header : Collections.list(request.getHeaders("Prefer"))) {
      for (String preference : header.split(",")) {
        String text = preference.strip();
        receipt |= text.equals(RECEIPT);
        if (text.matches(WAIT + "[0-9]{1,9}")) {
          seconds = Long.parseLong(text.substring(WAIT.length()));
        }
      }
    }
    return receipt ? Math.max(1, Math.min(MAX_SECONDS, seconds)) : 0;
  }
}

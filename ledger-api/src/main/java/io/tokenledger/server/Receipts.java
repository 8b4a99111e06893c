package io.tokenledger.server;

import io.tokenledger.index.NodeReceipt;
import io.tokenledger.ledger.Committed;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.tlog.TlogProof;
import io.tokenledger.token.Token;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.time.Duration;
import java.util.Collections;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Answers that wait for more than the commit (RFC 7240). {@code Prefer: receipt=checkpoint, wait=5}
 * until what was done stands in a signed checkpoint, and hold the proof of it: who holds it can
 * show that the event was in the log, whatever becomes of the database. {@code Prefer:
 * applied=nodes, wait=5} until every live node decides by it, and name them. When the time is over
 * first the status is the usual one: the command is committed all the same.
 */
final class Receipts {

  private static final Logger LOG = LoggerFactory.getLogger(Receipts.class);

  private static final String RECEIPT = "receipt=checkpoint";
  private static final String NODES = "applied=nodes";
  private static final String WAIT = "wait=";
  private static final long DEFAULT_SECONDS = 5;
  private static final long MAX_SECONDS = 30;

  private Receipts() {}

  private record Preferred(boolean receipt, boolean nodes, Duration limit) {}

  /**
   * The answer, with the fields {@code nodes} and {@code audit_proof} when the caller prefers that;
   * the latter when it came in time.
   *
   * @param answer empty, or a JSON object
   */
  static String added(
      Ledger ledger,
      HttpServletRequest request,
      HttpServletResponse response,
      Committed done,
      String answer) {
    Preferred preferred = preferred(request);
    String added = addedNodes(ledger, request, response, done, answer);
    return preferred.receipt()
        ? withProof(ledger, request, response, done, preferred.limit(), added)
        : added;
  }

  /** The same without a proof, for an answer about many tokens. */
  static String addedNodes(
      Ledger ledger,
      HttpServletRequest request,
      HttpServletResponse response,
      Committed done,
      String answer) {
    Preferred preferred = preferred(request);
    return preferred.nodes()
        ? withNodes(ledger, response, done, preferred.limit(), answer)
        : answer;
  }

  private static String withNodes(
      Ledger ledger, HttpServletResponse response, Committed done, Duration wait, String answer) {
    ObjectNode json = json(answer);
    try {
      NodeReceipt receipt = ledger.authorization().awaitNodes(done.position(), wait);
      ObjectNode nodes = json.putObject("nodes");
      ArrayNode applied = nodes.putArray("applied");
      for (NodeReceipt.Applied each : receipt.applied()) {
        applied.addObject().put("node", each.node()).put("millis", each.millis());
      }
      ArrayNode missing = nodes.putArray("missing");
      receipt.missing().forEach(missing::add);
      if (receipt.missing().isEmpty()) {
        applied(response, NODES, wait);
      }
    } catch (LedgerUnavailable e) {
      // Committed it is; which nodes know it nobody can tell now.
      LOG.warn("the nodes were not asked: {}", e.getMessage());
      json.putNull("nodes");
    }
    return json.toString();
  }

  private static String withProof(
      Ledger ledger,
      HttpServletRequest request,
      HttpServletResponse response,
      Committed done,
      Duration wait,
      String answer) {
    Optional<TlogProof> proof =
        ledger
            .log()
            .receipt(
                Token.aggregateId(done.token().name()),
                RequestContexts.of(request).requestId(),
                wait);
    if (proof.isEmpty()) {
      response.setHeader("Audit-Receipt", "pending");
      return answer;
    }
    applied(response, RECEIPT, wait);
    response.setHeader("Audit-Leaf", Long.toString(proof.get().leafIndex()));
    return json(answer).put("audit_proof", proof.get().toString()).toString();
  }

  private static void applied(HttpServletResponse response, String preference, Duration wait) {
    response.addHeader("Preference-Applied", preference + ", " + WAIT + wait.toSeconds());
  }

  private static ObjectNode json(String answer) {
    return answer.isEmpty() ? JsonText.object() : (ObjectNode) JsonText.JSON.readTree(answer);
  }

  /** What the caller would wait for, and how long: 1 to 30 seconds. */
  private static Preferred preferred(HttpServletRequest request) {
    boolean receipt = false;
    boolean nodes = false;
    long seconds = DEFAULT_SECONDS;
    for (String header : Collections.list(request.getHeaders("Prefer"))) {
      for (String preference : header.split(",")) {
        String text = preference.strip();
        receipt |= text.equals(RECEIPT);
        nodes |= text.equals(NODES);
        if (text.matches(WAIT + "[0-9]{1,9}")) {
          seconds = Long.parseLong(text.substring(WAIT.length()));
        }
      }
    }
    return new Preferred(
        receipt, nodes, Duration.ofSeconds(Math.max(1, Math.min(MAX_SECONDS, seconds))));
  }
}

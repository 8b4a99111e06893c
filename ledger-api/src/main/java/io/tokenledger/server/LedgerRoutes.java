package io.tokenledger.server;

import io.tokenledger.history.AuditEntry;
import io.tokenledger.permission.Action;
import io.tokenledger.permission.ResourceType;
import io.tokenledger.token.Actor;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ObjectNode;

/** The description of all routes, and what several of them share. */
@RestController
class LedgerRoutes {

  static final String AUDIT = "/api/v1/audit/events";

  /** An event as every question about the audit answers it. */
  static ObjectNode json(AuditEntry entry) {
    ObjectNode json = JsonText.object();
    json.put("leaf_index", entry.leafIndex());
    json.put("event_id", entry.eventId());
    json.put("event_type", entry.eventType());
    json.put("revision", entry.revision());
    json.put("occurred_at", entry.occurredAt().toString());
    json.put("recorded_at", entry.recordedAt().toString());
    json.put("sequenced_at", entry.sequencedAt().toString());
    json.put("action", entry.action());
    json.put("outcome", entry.outcome());
    json.put("outcome_reason", entry.outcomeReason());
    ObjectNode actor = json.putObject("actor");
    actor.put("type", entry.actorType());
    actor.put("token_id", entry.actorTokenId());
    actor.put("name", entry.actorName());
    ObjectNode target = json.putObject("target");
    target.put("id", entry.targetId());
    target.put("name", entry.targetName());
    json.put("request_id", entry.requestId());
    json.put("count", entry.count());
    if (entry.quarantined()) {
      json.put("quarantined", true);
    }
    json.set("payload", entry.payload());
    json.set("envelope", entry.envelope());
    return json;
  }

  @GetMapping("/openapi.json")
  void openApi(HttpServletResponse response) throws IOException {
    try (InputStream document = LedgerRoutes.class.getResourceAsStream("openapi.json")) {
      if (document == null) {
        throw new IllegalStateException("openapi.json is not in the jar");
      }
      Answers.write(response, 200, new String(document.readAllBytes(), StandardCharsets.UTF_8));
    }
  }

  /**
   * Lets only those pass who hold that permission of the ledger's own.
   *
   * @throws Rejection 403
   */
  static void require(Actor actor, String name, Action action) {
    if (actor.type() != Actor.Type.SYSTEM
        && !actor.permissions().decide(ResourceType.LEDGER, name, action).allowed()) {
      throw Rejection.forbidden();
    }
  }
}

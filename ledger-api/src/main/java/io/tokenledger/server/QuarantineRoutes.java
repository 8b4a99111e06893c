package io.tokenledger.server;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.permission.Action;
import io.tokenledger.quarantine.QuarantineRefused;
import io.tokenledger.quarantine.UnreadableRow;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.function.BiConsumer;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Events that cannot be read: which there are, and what was decided about them. */
@RestController
class QuarantineRoutes {

  static final String QUARANTINE = "/api/v1/replay/quarantine";
  static final String RELEASE = "/api/v1/replay/release";

  private final Ledger ledger;

  QuarantineRoutes(Ledger ledger) {
    this.ledger = ledger;
  }

  /** What was found unreadable, and which projections of this node stand still. */
  @GetMapping(QUARANTINE)
  void list(HttpServletRequest request, HttpServletResponse response) throws IOException {
    LedgerRoutes.require(RequestContexts.of(request).actor(), "replay", Action.READ);
    ObjectNode json = JsonText.object();
    ledger.standing().forEach(json.putArray("standing")::add);
    ArrayNode events = json.putArray("events");
    for (UnreadableRow row : ledger.quarantine().list()) {
      ObjectNode event = events.addObject();
      event.put("event_id", row.eventId());
      event.put("global_index", row.globalIndex());
      event.put("stream", row.aggregateId());
      event.put("reason", row.reason());
      event.put("state", row.state());
      event.put("found_at", row.foundAt().toString());
      event.put("changed_at", row.changedAt().toString());
    }
    Answers.write(response, 200, json.toString());
  }

  /** Lets projections and replays pass an event that cannot be read. */
  @PostMapping(QUARANTINE)
  void quarantine(HttpServletRequest request, HttpServletResponse response) throws IOException {
    change(request, response, "quarantined", ledger.quarantine()::quarantine);
  }

  /** Takes an event again that was quarantined and can now be read. */
  @PostMapping(RELEASE)
  void release(HttpServletRequest request, HttpServletResponse response) throws IOException {
    change(request, response, "released", ledger.quarantine()::release);
  }

  private void change(
      HttpServletRequest request,
      HttpServletResponse response,
      String state,
      BiConsumer<String, RequestContext> change)
      throws IOException {
    RequestContext context = RequestContexts.of(request);
    LedgerRoutes.require(context.actor(), "replay", Action.WRITE);
    String eventId = TokenRoutes.jsonBody(request).string("event_id");
    if (context.reason() == null || context.reason().isBlank()) {
      throw Rejection.invalid(RequestContexts.REASON + " must say why, after a review");
    }
    try {
      change.accept(eventId, context);
    } catch (QuarantineRefused e) {
      throw new Rejection(
          409, JsonText.error(String.valueOf(e.getMessage())), "not_quarantinable", false);
    }
    response.setHeader(TokenRoutes.POSITION, ledger.position().toString());
    Answers.write(
        response, 200, JsonText.object().put("event_id", eventId).put("state", state).toString());
  }
}

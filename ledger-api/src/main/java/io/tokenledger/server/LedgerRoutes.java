package io.tokenledger.server;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.history.AuditEntry;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.permission.Action;
import io.tokenledger.permission.ResourceType;
import io.tokenledger.replay.Replay;
import io.tokenledger.replay.ReplayReport;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.token.Actor;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.function.Function;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Replay, and the description of all routes. */
@RestController
class LedgerRoutes {

  static final String AUDIT = "/api/v1/audit/events";
  static final String VERIFY = "/api/v1/replay/verify";
  static final String SWAP = "/api/v1/replay/swap";

  private final Ledger ledger;

  LedgerRoutes(Ledger ledger) {
    this.ledger = ledger;
  }

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
    json.set("payload", JsonText.JSON.readTree(entry.payload()));
    json.set("envelope", JsonText.JSON.readTree(entry.envelope()));
    return json;
  }

  /** Rebuilds the authorization lookup beside the live one and says where they differ. */
  @PostMapping(VERIFY)
  void verify(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = RequestContexts.of(request);
    require(context.actor(), "replay", Action.READ);
    stream(response, context, "replay.verify", ledger.replay()::verify);
  }

  /** The same, and puts the rebuilt one in place. */
  @PostMapping(SWAP)
  void swap(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = RequestContexts.of(request);
    require(context.actor(), "replay", Action.WRITE);
    stream(response, context, "replay.swap", ledger.replay()::swap);
  }

  private void stream(
      HttpServletResponse response,
      RequestContext context,
      String action,
      Function<Replay.Progress, ReplayReport> work)
      throws IOException {
    Instant started = Instant.now();
    response.setContentType("application/x-ndjson");
    OutputStream out = response.getOutputStream();
    try {
      ReplayReport report =
          work.apply(
              (done, total) -> {
                ObjectNode line = JsonText.object();
                line.put("type", "progress").put("done", done).put("total", total);
                writeLine(out, line);
              });
      ledger.requests().replayFinished(context, action, report.differenceCount() == 0, started);
      writeLine(out, json(report));
    } catch (UnreadableEvent e) {
      ledger.quarantine().found(e);
      writeLine(out, JsonText.object().put("type", "error").put("error", e.getMessage()));
    } catch (IllegalStateException | LedgerUnavailable e) {
      writeLine(out, JsonText.object().put("type", "error").put("error", e.getMessage()));
    }
  }

  private static ObjectNode json(ReplayReport report) {
    ObjectNode json = JsonText.object();
    json.put("type", "report");
    json.put("equal", report.differenceCount() == 0);
    json.put("events", report.events());
    json.put("rows", report.rows());
    json.put("difference_count", report.differenceCount());
    ArrayNode differences = json.putArray("differences");
    for (ReplayReport.Difference difference : report.differences()) {
      ObjectNode row = differences.addObject();
      row.put("kind", difference.kind());
      row.put("token_id", difference.tokenId());
      row.put("token_name", difference.tokenName());
      row.put("hash_prefix", difference.hashPrefix());
      row.put("detail", difference.detail());
    }
    json.put("swapped", report.swapped());
    json.put("millis", report.millis());
    return json;
  }

  private static void writeLine(OutputStream out, ObjectNode line) {
    try {
      out.write((line + "\n").getBytes(StandardCharsets.UTF_8));
      out.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
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

  static void require(Actor actor, String name, Action action) {
    if (actor.type() != Actor.Type.SYSTEM
        && !actor.permissions().decide(ResourceType.LEDGER, name, action).allowed()) {
      throw Rejection.forbidden();
    }
  }
}

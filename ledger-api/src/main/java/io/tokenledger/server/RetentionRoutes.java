package io.tokenledger.server;

import io.tokenledger.archive.ArchiveRefused;
import io.tokenledger.audit.ControlEvent.EventsPruned;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.audit.RetentionClass;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.permission.Action;
import io.tokenledger.privacy.PrivacyRefused;
import io.tokenledger.privacy.Prune;
import io.tokenledger.privacy.Pruning;
import io.tokenledger.privacy.Retention;
import io.tokenledger.privacy.RetentionPolicy;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.math.BigInteger;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** For how long the bodies of events are kept, and their end. */
@RestController
class RetentionRoutes {

  static final String RETENTION = "/api/v1/audit/retention";
  static final String RUN = RETENTION + "/run";

  private final Ledger ledger;
  private final AuditReads audits;

  RetentionRoutes(Ledger ledger, AuditReads audits) {
    this.ledger = ledger;
    this.audits = audits;
  }

  /** What is kept for how long, what went, and what has to be seen before more goes. */
  @GetMapping(RETENTION)
  void show(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String right = audits.requireDuty(request, PrivacyRoutes.RETENTION, Action.READ);
    List<RetentionPolicy> policies = ledger.retention().policies();
    record(request, right, policies.size());
    ObjectNode json = JsonText.object();
    ArrayNode classes = json.putArray("classes");
    for (RetentionPolicy policy : policies) {
      ObjectNode each = classes.addObject();
      each.put("class", policy.retentionClass().wireName());
      policy.retentionClass().types().forEach(each.putArray("types")::add);
      each.put("days", policy.days());
      each.put("changed_at", PrivacyRoutes.text(policy.changedAt()));
      each.put("proposed_days", policy.proposedDays());
      each.put("proposed_by_token_id", policy.proposedByTokenId());
      each.put("proposed_at", PrivacyRoutes.text(policy.proposedAt()));
    }
    Pruning pruning = ledger.pruning();
    ArrayNode waiting = json.putArray("waits_for");
    ArrayNode prunes = json.putArray("prunes");
    if (pruning != null) {
      try {
        for (Pruning.Waiting each : pruning.waiting()) {
          waiting.addObject().put("what", each.what()).put("next_leaf", each.nextLeaf());
        }
      } catch (ArchiveRefused e) {
        waiting.addObject().put("what", e.getMessage()).put("next_leaf", 0);
      }
      pruning.list().forEach(prune -> write(prunes.addObject(), prune));
    }
    Answers.write(response, 200, json.toString());
  }

  private void record(HttpServletRequest request, String right, long rows) {
    audits.record(
        request,
        right,
        AuditReads.Asked.of(name -> null, List.of(), Set.of()),
        rows,
        null,
        null,
        ledger.auditSize());
  }

  private static void write(ObjectNode json, Prune prune) {
    EventsPruned event = prune.event();
    json.put("event_id", prune.eventId());
    json.put("class", event.retentionClass());
    json.put("before", event.before().toString());
    json.put("from", event.from());
    json.put("to", event.to());
    json.put("event_count", event.eventCount());
    event.kept().forEach(json.putArray("kept")::add);
    json.put("decided_at", PrivacyRoutes.text(prune.decidedAt()));
    json.put("trouble", prune.trouble());
    json.put("completed_at", PrivacyRoutes.text(prune.completedAt()));
  }

  /** Keeps the bodies of a class for so long. */
  @PostMapping(RETENTION)
  void keep(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = RequestContexts.of(request);
    audits.requireDuty(request, PrivacyRoutes.RETENTION, Action.WRITE);
    JsonBody body = TokenRoutes.jsonBody(request);
    RetentionClass retentionClass =
        RetentionClass.named(body.string("class"))
            .orElseThrow(
                () -> Rejection.invalid("class must be requests, reads or service; others stay"));
    Integer days = days(body);
    PrivacyRoutes.requireReason(context);
    try {
      boolean inForce = ledger.retention().keep(retentionClass, days, context);
      ObjectNode json = JsonText.object();
      json.put("class", retentionClass.wireName());
      json.put("days", days);
      json.put("state", inForce ? "in_force" : "proposed");
      Answers.write(response, 200, json.toString());
    } catch (PrivacyRefused e) {
      throw PrivacyRoutes.refused(e);
    }
  }

  private static @Nullable Integer days(JsonBody body) {
    if (!body.has("days")) {
      throw Rejection.invalid("days must say for how long, or be null for without end");
    }
    BigInteger days = body.optionalInteger("days");
    if (days == null) {
      return null;
    }
    if (days.signum() <= 0 || days.compareTo(BigInteger.valueOf(Retention.MAX_DAYS)) > 0) {
      throw Rejection.invalid("days must be 1 to " + Retention.MAX_DAYS + ", or null");
    }
    return days.intValue();
  }

  /** Decides what goes now, or shows what would. */
  @PostMapping(RUN)
  void run(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = RequestContexts.of(request);
    String right = audits.requireDuty(request, PrivacyRoutes.RETENTION, Action.WRITE);
    boolean dryRun = TokenRoutes.jsonBody(request).optionalBoolean("dry_run", false);
    if (!dryRun) {
      PrivacyRoutes.requireReason(context);
    }
    Pruning pruning = ledger.pruning();
    if (pruning == null) {
      throw new Rejection(
          409,
          JsonText.error("this node signs nothing: without a signed log no body goes"),
          "no_log",
          false);
    }
    try {
      List<Prune> decided = pruning.run(context, dryRun);
      if (dryRun) {
        record(request, right, decided.size());
      }
      ObjectNode json = JsonText.object();
      ArrayNode prunes = json.putArray("prunes");
      decided.forEach(prune -> write(prunes.addObject(), prune));
      Answers.write(response, 200, json.toString());
    } catch (PrivacyRefused e) {
      throw PrivacyRoutes.refused(e);
    } catch (ArchiveRefused e) {
      throw ArchiveRoutes.refused(e);
    }
  }
}

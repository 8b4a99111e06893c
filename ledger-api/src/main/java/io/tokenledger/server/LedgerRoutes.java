package io.tokenledger.server;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.history.AuditEntry;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.permission.Action;
import io.tokenledger.permission.Decision;
import io.tokenledger.permission.ResourceType;
import io.tokenledger.token.Actor;
import io.tokenledger.token.SecretHash;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ObjectNode;

/** The ledger's own routes: decisions, and the description of them all. */
@RestController
class LedgerRoutes {

  static final String CHECK = "/api/v1/check";
  static final String AUDIT = "/api/v1/audit/events";

  /** A check's body is a few hundred bytes; every token may send one. */
  private static final int MAX_CHECK_BYTES = 64 * 1024;

  private static final int MAX_CHECK_VALUES = 1_000;

  private final Ledger ledger;

  LedgerRoutes(Ledger ledger) {
    this.ledger = ledger;
  }

  /** "May this token do that?" A no is an answer, not a failure, and is only counted. */
  @PostMapping(CHECK)
  void check(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = RequestContexts.of(request);
    JsonBody body = RequestBodies.of(request).parsed(request, MAX_CHECK_BYTES, MAX_CHECK_VALUES);
    ResourceType type = ResourceType.parse(body.string("resource_type"));
    String name = body.string("resource_name");
    Action action = action(body.string("action"));
    SecretHash hash = askedHash(body);
    if (hash == null) {
      answerSelf(context, type, name, action, response);
      return;
    }
    require(context.actor(), "check", Action.READ);
    Optional<FoundToken> found = ledger.lookup().find(hash);
    if (found.isEmpty()) {
      ledger.requests().decisionDenied(context, "unknown_token", null);
      answer(response, false, "unknown_token", null, null, null);
      return;
    }
    FoundToken token = found.get();
    long now = System.currentTimeMillis();
    FoundToken.State state = token.state(now);
    if (state != FoundToken.State.LIVE) {
      String reason =
          switch (state) {
            case EXPIRED -> "expired_token";
            case SUSPENDED -> "suspended_token";
            default -> "revoked_token";
          };
      ledger.requests().decisionDenied(context, reason, "token:" + token.id());
      answer(response, false, reason, token.id().value(), token.name().value(), null);
      return;
    }
    ledger.usage().used(token.id(), now);
    Decision decision = token.permissions().decide(type, name, action);
    if (!decision.allowed()) {
      ledger.requests().decisionDenied(context, "not_granted", "token:" + token.id());
    }
    answer(
        response,
        decision.allowed(),
        decision.allowed() ? "granted" : "not_granted",
        token.id().value(),
        token.name().value(),
        decision.entry());
  }

  private static @Nullable SecretHash askedHash(JsonBody body) {
    String token = body.optionalString("token");
    String hex = body.optionalString("token_hash");
    if (token != null && hex != null) {
      throw Rejection.invalid("give token or token_hash, not both");
    }
    if (token != null) {
      return SecretHash.of(token);
    }
    if (hex == null) {
      return null;
    }
    try {
      return SecretHash.parseHex(hex.toLowerCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw Rejection.invalid("token_hash must be 128 hexadecimal digits, the token's SHA-512");
    }
  }

  /** A token may always ask about itself: it learns nothing that trying would not tell. */
  private void answerSelf(
      RequestContext context,
      ResourceType type,
      String name,
      Action action,
      HttpServletResponse response)
      throws IOException {
    Actor actor = context.actor();
    Decision decision = actor.permissions().decide(type, name, action);
    String id = actor.tokenId() == null ? null : "token:" + actor.tokenId();
    if (!decision.allowed()) {
      ledger.requests().decisionDenied(context, "not_granted", id);
    }
    answer(
        response,
        decision.allowed(),
        decision.allowed() ? "granted" : "not_granted",
        actor.tokenId() == null ? null : actor.tokenId().value(),
        actor.tokenName() == null ? null : actor.tokenName().value(),
        decision.entry());
  }

  static Action action(String text) {
    return Arrays.stream(Action.values())
        .filter(action -> action.wireName().equals(text))
        .findFirst()
        .orElseThrow(
            () ->
                Rejection.invalid(
                    "action must be create, describe, read, write or delete, got " + text));
  }

  private static void answer(
      HttpServletResponse response,
      boolean allowed,
      String reason,
      @Nullable Long tokenId,
      @Nullable String tokenName,
      @Nullable String entry)
      throws IOException {
    ObjectNode json = JsonText.object();
    json.put("allowed", allowed);
    json.put("reason", reason);
    json.put("token_id", tokenId);
    json.put("token_name", tokenName);
    json.put("entry", entry);
    Answers.write(response, 200, json.toString());
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
    json.set("payload", JsonText.JSON.readTree(entry.payload()));
    json.set("envelope", JsonText.JSON.readTree(entry.envelope()));
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

  static void require(Actor actor, String name, Action action) {
    if (actor.type() != Actor.Type.SYSTEM
        && !actor.permissions().decide(ResourceType.LEDGER, name, action).allowed()) {
      throw Rejection.forbidden();
    }
  }
}

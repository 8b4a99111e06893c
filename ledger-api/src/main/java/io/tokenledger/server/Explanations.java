package io.tokenledger.server;

import io.tokenledger.ledger.Ledger;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.permission.Action;
import io.tokenledger.permission.ResourceType;
import io.tokenledger.timeline.DecidingEvent;
import io.tokenledger.timeline.Timeline;
import io.tokenledger.token.SecretHash;
import jakarta.servlet.http.HttpServletRequest;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Why a decision was a no: which event decided and since when, read from the history and never from
 * what decisions are made of. Who may ask is judged by the route.
 */
final class Explanations {

  private final Ledger ledger;
  private final AuditReads audits;

  Explanations(Ledger ledger, AuditReads audits) {
    this.ledger = ledger;
    this.audits = audits;
  }

  /**
   * What decided.
   *
   * @param event null where none did, or the history does not know it yet
   * @param since when it began to be so; null where that is not known
   */
  private record Deciding(String reason, @Nullable DecidingEvent event, @Nullable Instant since) {

    static Deciding of(String reason, Optional<DecidingEvent> event, @Nullable Instant since) {
      return new Deciding(reason, event.orElse(null), since);
    }
  }

  /**
   * The explanation of a no. Who did it is for those who read the audit log, and showing it leaves
   * the event of such a read.
   *
   * @param hash of the secret that was asked about
   * @param token of that secret; null for one that never was
   * @param granted whether the token's permissions were not what denied it
   */
  ObjectNode of(
      HttpServletRequest request,
      ResourceType type,
      String name,
      Action action,
      @Nullable SecretHash hash,
      @Nullable FoundToken token,
      boolean granted) {
    Deciding deciding;
    if (hash == null || token == null) {
      deciding = new Deciding("unknown_token", null, null);
    } else if (granted) {
      deciding = notLive(hash, token);
    } else {
      Optional<DecidingEvent> event =
          timeline()
              .since(
                  token.id(), version -> !version.granted().decide(type, name, action).allowed());
      deciding =
          Deciding.of("not_granted", event, event.map(DecidingEvent::occurredAt).orElse(null));
    }
    return json(request, deciding);
  }

  private Timeline timeline() {
    return ledger.timeline();
  }

  private Deciding notLive(SecretHash hash, FoundToken token) {
    return switch (token.state(System.currentTimeMillis())) {
      case REVOKED ->
          Deciding.of(
              "revoked_token",
              timeline().since(token.id(), version -> version.revokedAt() != null),
              token.revokedAt());
      case SUPERSEDED -> superseded(hash, token);
      case SUSPENDED ->
          Deciding.of(
              "suspended_token",
              timeline().since(token.id(), version -> version.suspendedAt() != null),
              token.suspendedAt());
      case QUARANTINED -> {
        Optional<DecidingEvent> event = timeline().quarantined(token.name());
        yield Deciding.of(
            "quarantined_token", event, event.map(DecidingEvent::occurredAt).orElse(null));
      }
      // It was live a moment ago only if its expiry was.
      case EXPIRED, LIVE -> {
        Instant expiry = token.expiry().isNever() ? null : token.expiry().instant();
        yield Deciding.of(
            "expired_token",
            timeline()
                .since(
                    token.id(),
                    version ->
                        expiry != null
                            && version.expiry() != null
                            && version.expiry().equals(expiry)),
            expiry);
      }
    };
  }

  /** By the rotation that replaced it, or by the next one when that cut its grace short. */
  private Deciding superseded(SecretHash hash, FoundToken token) {
    Instant end = token.supersededAt();
    return Deciding.of(
        "superseded_token",
        timeline()
            .since(
                token.id(),
                version -> {
                  boolean current = hash.hex().startsWith(version.hashPrefix());
                  boolean inGrace =
                      version.graceHashPrefix() != null
                          && hash.hex().startsWith(version.graceHashPrefix())
                          && version.graceEndsAt() != null
                          && end != null
                          && version.graceEndsAt().isAfter(end);
                  return !current && !inGrace;
                }),
        end);
  }

  private ObjectNode json(HttpServletRequest request, Deciding deciding) {
    ObjectNode json = JsonText.object();
    json.put("reason", deciding.reason());
    json.put("since", deciding.since() == null ? null : JsonText.time(deciding.since()));
    DecidingEvent event = deciding.event();
    if (event == null) {
      json.putNull("event");
      return json;
    }
    ObjectNode shown = json.putObject("event");
    shown.put("event_id", event.eventId());
    shown.put("leaf_index", event.leafIndex());
    shown.put("event_type", event.eventType());
    shown.put("occurred_at", JsonText.time(event.occurredAt()));
    String right = audits.right(RequestContexts.of(request).actor());
    if (right == null || event.actorName() == null) {
      shown.putNull("actor");
      return json;
    }
    ObjectNode actor = shown.putObject("actor");
    actor.put("token_id", event.actorTokenId());
    actor.put("name", event.actorName());
    audits.record(
        request,
        right,
        AuditReads.Asked.of(key -> event.eventId(), List.of("event"), Set.of()),
        1,
        event.leafIndex(),
        event.leafIndex(),
        event.leafIndex() + 1);
    return json;
  }
}

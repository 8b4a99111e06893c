package io.tokenledger.store;

import io.tokenledger.audit.ControlEvent;
import io.tokenledger.audit.ControlEvent.ArchiveRestored;
import io.tokenledger.audit.ControlEvent.ArchiveWritten;
import io.tokenledger.audit.ControlEvent.AuditHeartbeat;
import io.tokenledger.audit.ControlEvent.CheckpointAnchored;
import io.tokenledger.audit.ControlEvent.ConfigurationChanged;
import io.tokenledger.audit.ControlEvent.DeadLettersRequeued;
import io.tokenledger.audit.ControlEvent.DeliveryRefused;
import io.tokenledger.audit.ControlEvent.EventQuarantined;
import io.tokenledger.audit.ControlEvent.EventReleased;
import io.tokenledger.audit.ControlEvent.EventsPruned;
import io.tokenledger.audit.ControlEvent.EventsWithheld;
import io.tokenledger.audit.ControlEvent.ForgedEventFound;
import io.tokenledger.audit.ControlEvent.GrantDriftFound;
import io.tokenledger.audit.ControlEvent.LegalHoldLifted;
import io.tokenledger.audit.ControlEvent.LegalHoldPlaced;
import io.tokenledger.audit.ControlEvent.LogGenerationStarted;
import io.tokenledger.audit.ControlEvent.ProjectionDriftFound;
import io.tokenledger.audit.ControlEvent.RestoreAccepted;
import io.tokenledger.audit.ControlEvent.RetentionChanged;
import io.tokenledger.audit.ControlEvent.ServiceStarted;
import io.tokenledger.audit.ControlEvent.ServiceStopped;
import io.tokenledger.audit.ControlEvent.SigningKeyRotated;
import io.tokenledger.audit.ControlEvent.SigningRefused;
import io.tokenledger.audit.ControlEvent.SubjectErased;
import io.tokenledger.audit.ControlEvent.UnreadableEventFound;
import io.tokenledger.audit.ControlEvent.WitnessRefused;
import io.tokenledger.audit.EventType;
import io.tokenledger.audit.RequestEvent;
import io.tokenledger.audit.RequestEvent.AccessDenied;
import io.tokenledger.audit.RequestEvent.AnswerRepeated;
import io.tokenledger.audit.RequestEvent.AuditExported;
import io.tokenledger.audit.RequestEvent.AuditLogRead;
import io.tokenledger.audit.RequestEvent.AuditProofIssued;
import io.tokenledger.audit.RequestEvent.AuditVerified;
import io.tokenledger.audit.RequestEvent.AuthenticationFailed;
import io.tokenledger.audit.RequestEvent.CommandRejected;
import io.tokenledger.audit.RequestEvent.DecisionsDenied;
import io.tokenledger.audit.RequestEvent.ReplayFinished;
import io.tokenledger.audit.RequestEvent.ReplayRequested;
import io.tokenledger.permission.Permissions;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenEvent;
import io.tokenledger.token.TokenEvent.NamedAdminCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenRegenerated;
import io.tokenledger.token.TokenEvent.ResourceTokenCreated;
import io.tokenledger.token.TokenEvent.TokenDescribed;
import io.tokenledger.token.TokenEvent.TokenExpired;
import io.tokenledger.token.TokenEvent.TokenExpiryAnnounced;
import io.tokenledger.token.TokenEvent.TokenExpiryChanged;
import io.tokenledger.token.TokenEvent.TokenPermissionsChanged;
import io.tokenledger.token.TokenEvent.TokenResumed;
import io.tokenledger.token.TokenEvent.TokenRevoked;
import io.tokenledger.token.TokenEvent.TokenRotated;
import io.tokenledger.token.TokenEvent.TokenSuspended;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Payloads as they are stored: written out field by field, so that renaming a class or a component
 * cannot change a stored byte unnoticed. The golden files hold one example a type and revision.
 */
public final class EventJson {

  private static final JsonMapper JSON = JsonMapper.shared();

  private EventJson() {}

  /** The payload of an event of the catalogue. */
  public static String write(Object event) {
    ObjectNode json = JSON.createObjectNode();
    if (event instanceof TokenEvent tokenEvent) {
      writeToken(json, tokenEvent);
    } else if (event instanceof RequestEvent requestEvent) {
      writeRequest(json, requestEvent);
    } else if (event instanceof ControlEvent controlEvent) {
      writeControl(json, controlEvent);
    } else {
      throw new IllegalArgumentException("not an event of the catalogue: " + event.getClass());
    }
    return json.toString();
  }

  private static void writeToken(ObjectNode json, TokenEvent event) {
    json.put("name", event.name().value());
    json.put("id", event.id().value());
    if (event instanceof OperatorTokenCreated created) {
      json.put("hash", created.hash().hex());
      json.put("created_at", created.createdAt().toString());
    } else if (event instanceof OperatorTokenRegenerated regenerated) {
      json.put("hash", regenerated.hash().hex());
      json.put("regenerated_at", regenerated.regeneratedAt().toString());
    } else if (event instanceof NamedAdminCreated created) {
      json.put("hash", created.hash().hex());
      json.put("created_at", created.createdAt().toString());
      json.put("expiry", text(created.expiry()));
    } else if (event instanceof ResourceTokenCreated created) {
      json.put("hash", created.hash().hex());
      ArrayNode permissions = json.putArray("permissions");
      created.permissions().texts().forEach(permissions::add);
      json.put("created_at", created.createdAt().toString());
      json.put("expiry", text(created.expiry()));
    } else if (event instanceof TokenRevoked revoked) {
      json.put("revoked_at", revoked.revokedAt().toString());
    } else {
      writeChange(json, event);
    }
  }

  private static void writeChange(ObjectNode json, TokenEvent event) {
    if (event instanceof TokenRotated rotated) {
      json.put("hash", rotated.hash().hex());
      json.put("rotated_at", rotated.rotatedAt().toString());
      json.put("grace_end", rotated.graceEnd().toString());
    } else if (event instanceof TokenSuspended suspended) {
      json.put("suspended_at", suspended.suspendedAt().toString());
    } else if (event instanceof TokenResumed resumed) {
      json.put("resumed_at", resumed.resumedAt().toString());
    } else if (event instanceof TokenDescribed described) {
      json.put("description", described.description());
      json.put("described_at", described.describedAt().toString());
    } else if (event instanceof TokenExpiryChanged changed) {
      json.put("before", text(changed.before()));
      json.put("expiry", text(changed.expiry()));
      json.put("changed_at", changed.changedAt().toString());
    } else if (event instanceof TokenPermissionsChanged changed) {
      ArrayNode before = json.putArray("before");
      changed.before().texts().forEach(before::add);
      ArrayNode permissions = json.putArray("permissions");
      changed.permissions().texts().forEach(permissions::add);
      json.put("changed_at", changed.changedAt().toString());
    } else if (event instanceof TokenExpired expired) {
      json.put("expiry", text(expired.expiry()));
      json.put("recorded_at", expired.recordedAt().toString());
    } else if (event instanceof TokenExpiryAnnounced announced) {
      json.put("expiry", text(announced.expiry()));
      json.put("days_ahead", announced.daysAhead());
      json.put("announced_at", announced.announcedAt().toString());
    }
  }

  private static void writeRequest(ObjectNode json, RequestEvent event) {
    json.put("action", event.action());
    json.put("reason", event.reason());
    json.put("status_code", event.statusCode());
    if (event instanceof AccessDenied denied) {
      json.put("target", denied.target());
    } else if (event instanceof CommandRejected rejected) {
      json.put("target", rejected.target());
    } else if (event instanceof AnswerRepeated repeated) {
      json.put("target", repeated.target());
    } else if (event instanceof ReplayRequested asked) {
      json.put("target", asked.target());
    } else if (event instanceof ReplayFinished finished) {
      json.put("target", finished.target());
    } else if (event instanceof DecisionsDenied denied) {
      json.put("target", denied.target());
    } else {
      writeUseOfAudit(json, event);
    }
    json.put("count", event.count());
    json.put("first", event.first().toString());
    json.put("last", event.last().toString());
  }

  private static void writeUseOfAudit(ObjectNode json, RequestEvent event) {
    if (event instanceof AuditLogRead read) {
      json.put("route", read.route());
      json.put("query", read.query());
      json.put("rows", read.rows());
      json.put("first_leaf_index", read.firstLeafIndex());
      json.put("last_leaf_index", read.lastLeafIndex());
      json.put("tree_size", read.treeSize());
    } else if (event instanceof AuditExported exported) {
      json.put("format", exported.format());
      json.put("query", exported.query());
      json.put("rows", exported.rows());
      json.put("first_leaf_index", exported.firstLeafIndex());
      json.put("last_leaf_index", exported.lastLeafIndex());
      json.put("tree_size", exported.treeSize());
      json.put("sha256", exported.sha256Hex());
    } else if (event instanceof AuditVerified verified) {
      json.put("scope", verified.scope());
      json.put("result", verified.result());
      json.put("tree_size", verified.treeSize());
    } else if (event instanceof AuditProofIssued issued) {
      json.put("leaf_index", issued.leafIndex());
      json.put("tree_size", issued.treeSize());
    }
  }

  private static void writeControl(ObjectNode json, ControlEvent event) {
    if (event instanceof ServiceStarted started) {
      json.put("version", started.version());
      ObjectNode configuration = json.putObject("configuration");
      started.configuration().forEach(configuration::put);
    } else if (event instanceof ConfigurationChanged changed) {
      ArrayNode changes = json.putArray("changes");
      for (ConfigurationChanged.Change change : changed.changes()) {
        ObjectNode node = changes.addObject();
        node.put("path", change.path());
        node.put("before", change.before());
        node.put("after", change.after());
      }
    } else if (event instanceof AuditHeartbeat heartbeat) {
      json.put("tree_size", heartbeat.treeSize());
      json.put("clock_offset_millis", heartbeat.clockOffsetMillis());
    } else if (event instanceof GrantDriftFound found) {
      json.put("detail", found.detail());
    } else if (event instanceof ForgedEventFound found) {
      json.put("global_index", found.globalIndex());
      json.put("event_id", found.eventId());
    } else if (event instanceof UnreadableEventFound found) {
      json.put("global_index", found.globalIndex());
      json.put("event_id", found.eventId());
      json.put("reason", found.reason());
    } else if (event instanceof SubjectErased erased) {
      json.put("subject", erased.subject());
      ArrayNode keyIds = json.putArray("key_ids");
      erased.keyIds().forEach(keyIds::add);
      json.put("event_count", erased.eventCount());
    } else if (event instanceof LegalHoldPlaced placed) {
      json.put("hold", placed.hold());
      json.put("subject", placed.subject());
      json.put("token", placed.token());
      json.put("from", placed.from() == null ? null : placed.from().toString());
      json.put("until", placed.until() == null ? null : placed.until().toString());
    } else if (event instanceof LegalHoldLifted lifted) {
      json.put("hold", lifted.hold());
    } else if (event instanceof ArchiveRestored restored) {
      json.put("from", restored.from());
      json.put("to", restored.to());
      json.put("missing", restored.missing());
      json.put("saltless", restored.saltless());
      json.put("changed", restored.changed());
    } else if (event instanceof ArchiveWritten written) {
      json.put("segments", written.segments());
      json.put("from", written.from());
      json.put("to", written.to());
      json.put("sha256", written.sha256());
    } else if (event instanceof RetentionChanged changed) {
      json.put("retention_class", changed.retentionClass());
      json.put("before_days", changed.beforeDays());
      json.put("after_days", changed.afterDays());
      json.put("in_force", changed.inForce());
    } else if (event instanceof EventsPruned pruned) {
      json.put("retention_class", pruned.retentionClass());
      ArrayNode types = json.putArray("types");
      pruned.types().forEach(types::add);
      json.put("before", pruned.before().toString());
      json.put("from", pruned.from());
      json.put("to", pruned.to());
      json.put("event_count", pruned.eventCount());
      ArrayNode kept = json.putArray("kept");
      pruned.kept().forEach(kept::add);
    } else if (event instanceof EventsWithheld withheld) {
      json.put("retention_class", withheld.retentionClass());
      json.put("decision", withheld.decision());
      json.put("leaf_index", withheld.leafIndex());
      ArrayNode kept = json.putArray("kept");
      withheld.kept().forEach(kept::add);
    } else if (event instanceof EventQuarantined quarantined) {
      json.put("global_index", quarantined.globalIndex());
      json.put("event_id", quarantined.eventId());
    } else if (event instanceof EventReleased released) {
      json.put("global_index", released.globalIndex());
      json.put("event_id", released.eventId());
    } else {
      writeSigning(json, event);
    }
  }

  private static void writeSigning(ObjectNode json, ControlEvent event) {
    if (event instanceof CheckpointAnchored anchored) {
      json.put("kind", anchored.kind());
      json.put("size", anchored.size());
      json.put("root", anchored.rootHex());
      json.put("reference", anchored.reference());
    } else if (event instanceof WitnessRefused refused) {
      json.put("witness", refused.witness());
      json.put("size", refused.size());
      json.put("status", refused.status());
      json.put("detail", refused.detail());
    } else if (event instanceof LogGenerationStarted started) {
      json.put("generation", started.generation());
      json.put("origin", started.origin());
      json.put("previous_origin", started.previousOrigin());
      json.put("previous_size", started.previousSize());
      json.put("previous_note", started.previousNote());
      json.put("reason", started.reason());
    } else if (event instanceof RestoreAccepted accepted) {
      json.put("size", accepted.size());
      json.put("known_size", accepted.knownSize());
      json.put("absent_events", accepted.absentEvents());
      json.put("reapplied", accepted.reapplied());
      json.put("highest_token_id", accepted.highestTokenId());
    } else if (event instanceof SigningKeyRotated rotated) {
      json.put("old_vkey", rotated.oldVkey());
      json.put("new_vkey", rotated.newVkey());
    } else if (event instanceof SigningRefused refused) {
      json.put("reason", refused.reason());
      json.put("size", refused.size());
    } else if (event instanceof ProjectionDriftFound found) {
      json.put("projection", found.projection());
      json.put("slice", found.slice());
      json.put("row_count", found.rowCount());
      json.put("digest", found.digestHex());
      ArrayNode rows = json.putArray("rows");
      found.rows().forEach(rows::add);
    } else if (event instanceof DeliveryRefused refused) {
      json.put("sink", refused.sink());
      json.put("leaf_index", refused.leafIndex());
      json.put("reason", refused.reason());
    } else if (event instanceof DeadLettersRequeued requeued) {
      json.put("sink", requeued.sink());
      json.put("letter_count", requeued.letterCount());
      json.put("first_leaf_index", requeued.firstLeafIndex());
      json.put("last_leaf_index", requeued.lastLeafIndex());
    }
  }

  /**
   * The event of today's catalogue that a payload is; {@link EventReader} also reads earlier ones.
   *
   * @throws UnreadableEvent when the type or revision is not in the catalogue, or the payload does
   *     not fit it
   */
  static Object read(String storedName, @Nullable String revision, String payload) {
    EventType type =
        EventType.named(storedName)
            .orElseThrow(() -> new UnreadableEvent("unknown event type " + storedName));
    if (!type.revision().equals(revision)) {
      throw new UnreadableEvent("unknown revision " + revision + " of " + storedName);
    }
    try {
      return read(type, JSON.readTree(payload));
    } catch (JacksonException | IllegalArgumentException | DateTimeException e) {
      throw new UnreadableEvent("broken payload of " + storedName, e);
    }
  }

  private static Object read(EventType type, JsonNode json) {
    return switch (type) {
      case OPERATOR_TOKEN_CREATED ->
          new OperatorTokenCreated(name(json), id(json), hash(json), instant(json, "created_at"));
      case OPERATOR_TOKEN_REGENERATED ->
          new OperatorTokenRegenerated(
              name(json), id(json), hash(json), instant(json, "regenerated_at"));
      case NAMED_ADMIN_CREATED ->
          new NamedAdminCreated(
              name(json), id(json), hash(json), instant(json, "created_at"), expiry(json));
      case RESOURCE_TOKEN_CREATED ->
          new ResourceTokenCreated(
              name(json),
              id(json),
              hash(json),
              Permissions.parse(strings(json, "permissions")),
              instant(json, "created_at"),
              expiry(json));
      case TOKEN_REVOKED -> new TokenRevoked(name(json), id(json), instant(json, "revoked_at"));
      case TOKEN_ROTATED ->
          new TokenRotated(
              name(json),
              id(json),
              hash(json),
              instant(json, "rotated_at"),
              instant(json, "grace_end"));
      case TOKEN_SUSPENDED ->
          new TokenSuspended(name(json), id(json), instant(json, "suspended_at"));
      case TOKEN_RESUMED -> new TokenResumed(name(json), id(json), instant(json, "resumed_at"));
      case TOKEN_DESCRIBED ->
          new TokenDescribed(
              name(json), id(json), string(json, "description"), instant(json, "described_at"));
      case TOKEN_EXPIRY_CHANGED ->
          new TokenExpiryChanged(
              name(json),
              id(json),
              expiry(json, "before"),
              expiry(json),
              instant(json, "changed_at"));
      case TOKEN_PERMISSIONS_CHANGED ->
          new TokenPermissionsChanged(
              name(json),
              id(json),
              Permissions.parse(strings(json, "before")),
              Permissions.parse(strings(json, "permissions")),
              instant(json, "changed_at"));
      case TOKEN_EXPIRED ->
          new TokenExpired(name(json), id(json), expiry(json), instant(json, "recorded_at"));
      case TOKEN_EXPIRY_ANNOUNCED ->
          new TokenExpiryAnnounced(
              name(json),
              id(json),
              expiry(json),
              required(json, "days_ahead").intValue(),
              instant(json, "announced_at"));
      case AUTHENTICATION_FAILED ->
          new AuthenticationFailed(
              string(json, "action"),
              string(json, "reason"),
              required(json, "status_code").intValue(),
              required(json, "count").longValue(),
              instant(json, "first"),
              instant(json, "last"));
      case ACCESS_DENIED -> request(json, AccessDenied::new);
      case COMMAND_REJECTED -> request(json, CommandRejected::new);
      case REPLAY_REQUESTED -> request(json, ReplayRequested::new);
      case REPLAY_FINISHED -> request(json, ReplayFinished::new);
      case ANSWER_REPEATED -> request(json, AnswerRepeated::new);
      case DECISIONS_DENIED -> request(json, DecisionsDenied::new);
      case AUDIT_LOG_READ, AUDIT_EXPORTED, AUDIT_VERIFIED, AUDIT_PROOF_ISSUED ->
          readUseOfAudit(type, json);
      default -> readControl(type, json);
    };
  }

  private static Object readUseOfAudit(EventType type, JsonNode json) {
    String action = string(json, "action");
    String reason = string(json, "reason");
    int statusCode = required(json, "status_code").intValue();
    long count = number(json, "count");
    Instant first = instant(json, "first");
    Instant last = instant(json, "last");
    return switch (type) {
      case AUDIT_LOG_READ ->
          new AuditLogRead(
              action,
              reason,
              statusCode,
              string(json, "route"),
              string(json, "query"),
              number(json, "rows"),
              optionalNumber(json, "first_leaf_index"),
              optionalNumber(json, "last_leaf_index"),
              number(json, "tree_size"),
              count,
              first,
              last);
      case AUDIT_EXPORTED ->
          new AuditExported(
              action,
              reason,
              statusCode,
              string(json, "format"),
              string(json, "query"),
              number(json, "rows"),
              optionalNumber(json, "first_leaf_index"),
              optionalNumber(json, "last_leaf_index"),
              number(json, "tree_size"),
              string(json, "sha256"),
              count,
              first,
              last);
      case AUDIT_VERIFIED ->
          new AuditVerified(
              action,
              reason,
              statusCode,
              string(json, "scope"),
              string(json, "result"),
              number(json, "tree_size"),
              count,
              first,
              last);
      default ->
          new AuditProofIssued(
              action,
              reason,
              statusCode,
              number(json, "leaf_index"),
              number(json, "tree_size"),
              count,
              first,
              last);
    };
  }

  private static Object readControl(EventType type, JsonNode json) {
    return switch (type) {
      case SERVICE_STARTED -> {
        Map<String, String> configuration = new LinkedHashMap<>();
        required(json, "configuration")
            .properties()
            .forEach(each -> configuration.put(each.getKey(), each.getValue().stringValue()));
        yield new ServiceStarted(string(json, "version"), configuration);
      }
      case SERVICE_STOPPED -> new ServiceStopped();
      case CONFIGURATION_CHANGED -> {
        List<ConfigurationChanged.Change> changes = new ArrayList<>();
        for (JsonNode change : required(json, "changes")) {
          changes.add(
              new ConfigurationChanged.Change(
                  string(change, "path"),
                  optionalString(change, "before"),
                  optionalString(change, "after")));
        }
        yield new ConfigurationChanged(changes);
      }
      case AUDIT_HEARTBEAT ->
          new AuditHeartbeat(number(json, "tree_size"), number(json, "clock_offset_millis"));
      case CHECKPOINT_ANCHORED ->
          new CheckpointAnchored(
              string(json, "kind"),
              number(json, "size"),
              string(json, "root"),
              string(json, "reference"));
      case WITNESS_REFUSED ->
          new WitnessRefused(
              string(json, "witness"),
              number(json, "size"),
              required(json, "status").intValue(),
              string(json, "detail"));
      case LOG_GENERATION_STARTED ->
          new LogGenerationStarted(
              required(json, "generation").intValue(),
              string(json, "origin"),
              optionalString(json, "previous_origin"),
              number(json, "previous_size"),
              optionalString(json, "previous_note"),
              string(json, "reason"));
      case RESTORE_ACCEPTED ->
          new RestoreAccepted(
              number(json, "size"),
              number(json, "known_size"),
              number(json, "absent_events"),
              required(json, "reapplied").intValue(),
              number(json, "highest_token_id"));
      case SIGNING_KEY_ROTATED ->
          new SigningKeyRotated(string(json, "old_vkey"), string(json, "new_vkey"));
      case SIGNING_REFUSED -> new SigningRefused(string(json, "reason"), number(json, "size"));
      case GRANT_DRIFT_FOUND -> new GrantDriftFound(string(json, "detail"));
      case FORGED_EVENT_FOUND ->
          new ForgedEventFound(number(json, "global_index"), string(json, "event_id"));
      case UNREADABLE_EVENT_FOUND ->
          new UnreadableEventFound(
              number(json, "global_index"), string(json, "event_id"), string(json, "reason"));
      case EVENT_QUARANTINED ->
          new EventQuarantined(number(json, "global_index"), string(json, "event_id"));
      case EVENT_RELEASED ->
          new EventReleased(number(json, "global_index"), string(json, "event_id"));
      case SUBJECT_ERASED ->
          new SubjectErased(
              string(json, "subject"), strings(json, "key_ids"), number(json, "event_count"));
      case LEGAL_HOLD_PLACED ->
          new LegalHoldPlaced(
              string(json, "hold"),
              optionalString(json, "subject"),
              optionalString(json, "token"),
              bound(json, "from"),
              bound(json, "until"));
      case LEGAL_HOLD_LIFTED -> new LegalHoldLifted(string(json, "hold"));
      case ARCHIVE_RESTORED ->
          new ArchiveRestored(
              number(json, "from"),
              number(json, "to"),
              number(json, "missing"),
              number(json, "saltless"),
              number(json, "changed"));
      case ARCHIVE_WRITTEN ->
          new ArchiveWritten(
              number(json, "segments"),
              number(json, "from"),
              number(json, "to"),
              optionalString(json, "sha256"));
      case RETENTION_CHANGED ->
          new RetentionChanged(
              string(json, "retention_class"),
              days(json, "before_days"),
              days(json, "after_days"),
              required(json, "in_force").booleanValue());
      case EVENTS_PRUNED ->
          new EventsPruned(
              string(json, "retention_class"),
              strings(json, "types"),
              instant(json, "before"),
              number(json, "from"),
              number(json, "to"),
              number(json, "event_count"),
              strings(json, "kept"));
      case EVENTS_WITHHELD ->
          new EventsWithheld(
              string(json, "retention_class"),
              string(json, "decision"),
              number(json, "leaf_index"),
              strings(json, "kept"));
      case PROJECTION_DRIFT_FOUND ->
          new ProjectionDriftFound(
              string(json, "projection"),
              string(json, "slice"),
              number(json, "row_count"),
              string(json, "digest"),
              strings(json, "rows"));
      case DELIVERY_REFUSED ->
          new DeliveryRefused(
              string(json, "sink"), number(json, "leaf_index"), string(json, "reason"));
      case DEAD_LETTERS_REQUEUED ->
          new DeadLettersRequeued(
              string(json, "sink"),
              number(json, "letter_count"),
              number(json, "first_leaf_index"),
              number(json, "last_leaf_index"));
      default -> throw new IllegalArgumentException("no reader of " + type);
    };
  }

  /** What the request events with a target have in common. */
  private interface Request<E> {
    E of(
        String action,
        String reason,
        int statusCode,
        @Nullable String target,
        long count,
        Instant first,
        Instant last);
  }

  private static <E> E request(JsonNode json, Request<E> event) {
    return event.of(
        string(json, "action"),
        string(json, "reason"),
        required(json, "status_code").intValue(),
        optionalString(json, "target"),
        required(json, "count").longValue(),
        instant(json, "first"),
        instant(json, "last"));
  }

  private static @Nullable String text(Expiry expiry) {
    return expiry.isNever() ? null : expiry.instant().toString();
  }

  private static JsonNode required(JsonNode json, String field) {
    JsonNode value = json.get(field);
    if (value == null || value.isNull()) {
      throw new IllegalArgumentException("no " + field);
    }
    return value;
  }

  private static long number(JsonNode json, String field) {
    return required(json, field).longValue();
  }

  private static @Nullable Long optionalNumber(JsonNode json, String field) {
    JsonNode value = json.get(field);
    return value == null || value.isNull() ? null : value.longValue();
  }

  private static @Nullable Integer days(JsonNode json, String field) {
    Long value = optionalNumber(json, field);
    return value == null ? null : Math.toIntExact(value);
  }

  private static String string(JsonNode json, String field) {
    return required(json, field).stringValue();
  }

  private static @Nullable String optionalString(JsonNode json, String field) {
    JsonNode value = json.get(field);
    return value == null || value.isNull() ? null : value.stringValue();
  }

  private static @Nullable Instant bound(JsonNode json, String field) {
    String text = optionalString(json, field);
    return text == null ? null : Instant.parse(text);
  }

  private static List<String> strings(JsonNode json, String field) {
    List<String> strings = new ArrayList<>();
    for (JsonNode element : required(json, field)) {
      strings.add(element.stringValue());
    }
    return strings;
  }

  private static Instant instant(JsonNode json, String field) {
    return Instant.parse(string(json, field));
  }

  private static Expiry expiry(JsonNode json) {
    return expiry(json, "expiry");
  }

  private static Expiry expiry(JsonNode json, String field) {
    String text = optionalString(json, field);
    return text == null ? Expiry.NEVER : new Expiry(Instant.parse(text).toEpochMilli());
  }

  private static TokenName name(JsonNode json) {
    return new TokenName(string(json, "name"));
  }

  private static TokenId id(JsonNode json) {
    return new TokenId(required(json, "id").longValue());
  }

  private static SecretHash hash(JsonNode json) {
    return SecretHash.parseHex(string(json, "hash"));
  }
}

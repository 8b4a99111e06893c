package io.tokenledger.audit;

import io.tokenledger.token.TokenEvent;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * The catalogue: the stored name and revision of every event type and what it says happened. The
 * one place that ties a stored name to a class, so that a class can be renamed and a stored event
 * cannot.
 */
public enum EventType {
  OPERATOR_TOKEN_CREATED(
      TokenEvent.OperatorTokenCreated.class, "OperatorTokenCreated", "token.create"),
  OPERATOR_TOKEN_REGENERATED(
      TokenEvent.OperatorTokenRegenerated.class, "OperatorTokenRegenerated", "token.regenerate"),
  NAMED_ADMIN_CREATED(TokenEvent.NamedAdminCreated.class, "NamedAdminCreated", "token.create"),
  RESOURCE_TOKEN_CREATED(
      TokenEvent.ResourceTokenCreated.class, "ResourceTokenCreated", "token.create"),
  TOKEN_REVOKED(TokenEvent.TokenRevoked.class, "TokenRevoked", "token.revoke"),
  TOKEN_ROTATED(TokenEvent.TokenRotated.class, "TokenRotated", "token.rotate"),
  TOKEN_SUSPENDED(TokenEvent.TokenSuspended.class, "TokenSuspended", "token.suspend"),
  TOKEN_RESUMED(TokenEvent.TokenResumed.class, "TokenResumed", "token.resume"),
  TOKEN_DESCRIBED(TokenEvent.TokenDescribed.class, "TokenDescribed", "token.describe"),
  TOKEN_EXPIRY_CHANGED(
      TokenEvent.TokenExpiryChanged.class, "TokenExpiryChanged", "token.change_expiry"),
  TOKEN_PERMISSIONS_CHANGED(
      TokenEvent.TokenPermissionsChanged.class,
      "TokenPermissionsChanged",
      "token.change_permissions"),
  TOKEN_EXPIRED(TokenEvent.TokenExpired.class, "TokenExpired", "token.expire"),
  TOKEN_EXPIRY_ANNOUNCED(
      TokenEvent.TokenExpiryAnnounced.class, "TokenExpiryAnnounced", "token.announce_expiry"),
  AUTHENTICATION_FAILED(
      RequestEvent.AuthenticationFailed.class, "AuthenticationFailed", "request.authenticate"),
  ACCESS_DENIED(RequestEvent.AccessDenied.class, "AccessDenied", "request.authorize"),
  COMMAND_REJECTED(RequestEvent.CommandRejected.class, "CommandRejected", "request.command"),
  REPLAY_FINISHED(RequestEvent.ReplayFinished.class, "ReplayFinished", "replay.run"),
  REPLAY_REQUESTED(RequestEvent.ReplayRequested.class, "ReplayRequested", "replay.direct"),
  ANSWER_REPEATED(RequestEvent.AnswerRepeated.class, "AnswerRepeated", "request.repeat"),
  DECISIONS_DENIED(RequestEvent.DecisionsDenied.class, "DecisionsDenied", "decision.check"),
  AUDIT_LOG_READ(RequestEvent.AuditLogRead.class, "AuditLogRead", "audit.read"),
  AUDIT_EXPORTED(RequestEvent.AuditExported.class, "AuditExported", "audit.export"),
  AUDIT_VERIFIED(RequestEvent.AuditVerified.class, "AuditVerified", "audit.verify"),
  AUDIT_PROOF_ISSUED(RequestEvent.AuditProofIssued.class, "AuditProofIssued", "audit.prove"),
  SERVICE_STARTED(ControlEvent.ServiceStarted.class, "ServiceStarted", "service.start"),
  SERVICE_STOPPED(ControlEvent.ServiceStopped.class, "ServiceStopped", "service.stop"),
  CONFIGURATION_CHANGED(
      ControlEvent.ConfigurationChanged.class, "ConfigurationChanged", "service.configure"),
  AUDIT_HEARTBEAT(ControlEvent.AuditHeartbeat.class, "AuditHeartbeat", "service.heartbeat"),
  CHECKPOINT_ANCHORED(ControlEvent.CheckpointAnchored.class, "CheckpointAnchored", "log.anchor"),
  WITNESS_REFUSED(ControlEvent.WitnessRefused.class, "WitnessRefused", "log.witness"),
  LOG_GENERATION_STARTED(
      ControlEvent.LogGenerationStarted.class, "LogGenerationStarted", "log.start_generation"),
  RESTORE_ACCEPTED(ControlEvent.RestoreAccepted.class, "RestoreAccepted", "log.accept_restore"),
  SIGNING_KEY_ROTATED(ControlEvent.SigningKeyRotated.class, "SigningKeyRotated", "log.rotate_key"),
  SIGNING_REFUSED(ControlEvent.SigningRefused.class, "SigningRefused", "log.sign"),
  GRANT_DRIFT_FOUND(ControlEvent.GrantDriftFound.class, "GrantDriftFound", "log.check_grants"),
  FORGED_EVENT_FOUND(ControlEvent.ForgedEventFound.class, "ForgedEventFound", "log.check_origin"),
  UNREADABLE_EVENT_FOUND(
      ControlEvent.UnreadableEventFound.class, "UnreadableEventFound", "replay.read"),
  EVENT_QUARANTINED(ControlEvent.EventQuarantined.class, "EventQuarantined", "replay.quarantine"),
  EVENT_RELEASED(ControlEvent.EventReleased.class, "EventReleased", "replay.release"),
  SUBJECT_ERASED(ControlEvent.SubjectErased.class, "SubjectErased", "privacy.erase"),
  LEGAL_HOLD_PLACED(ControlEvent.LegalHoldPlaced.class, "LegalHoldPlaced", "privacy.hold"),
  LEGAL_HOLD_LIFTED(ControlEvent.LegalHoldLifted.class, "LegalHoldLifted", "privacy.lift"),
  ARCHIVE_WRITTEN(ControlEvent.ArchiveWritten.class, "ArchiveWritten", "archive.write"),
  ARCHIVE_RESTORED(ControlEvent.ArchiveRestored.class, "ArchiveRestored", "archive.restore"),
  RETENTION_CHANGED(ControlEvent.RetentionChanged.class, "RetentionChanged", "retention.change"),
  EVENTS_PRUNED(ControlEvent.EventsPruned.class, "EventsPruned", "retention.prune"),
  EVENTS_WITHHELD(ControlEvent.EventsWithheld.class, "EventsWithheld", "retention.withhold"),
  PROJECTION_DRIFT_FOUND(
      ControlEvent.ProjectionDriftFound.class, "ProjectionDriftFound", "replay.check_drift"),
  DELIVERY_REFUSED(ControlEvent.DeliveryRefused.class, "DeliveryRefused", "sink.deliver"),
  DEAD_LETTERS_REQUEUED(
      ControlEvent.DeadLettersRequeued.class, "DeadLettersRequeued", "sink.requeue");

  private static final Map<Class<?>, EventType> BY_CLASS =
      Arrays.stream(values()).collect(Collectors.toMap(EventType::eventClass, Function.identity()));
  private static final Map<String, EventType> BY_NAME =
      Arrays.stream(values()).collect(Collectors.toMap(EventType::storedName, Function.identity()));

  private final Class<?> eventClass;
  private final String storedName;
  private final String action;

  EventType(Class<?> eventClass, String storedName, String action) {
    this.eventClass = eventClass;
    this.storedName = storedName;
    this.action = action;
  }

  /** The type of that event. */
  public static EventType of(Object event) {
    EventType type = BY_CLASS.get(event.getClass());
    if (type == null) {
      throw new IllegalArgumentException("not an event of the catalogue: " + event.getClass());
    }
    return type;
  }

  /** The type stored under that name, if this version knows it. */
  public static Optional<EventType> named(String storedName) {
    return Optional.ofNullable(BY_NAME.get(storedName));
  }

  public Class<?> eventClass() {
    return eventClass;
  }

  /** The name in the event table; never changes. */
  public String storedName() {
    return storedName;
  }

  /** The revision that is written today. */
  public String revision() {
    return "1";
  }

  /**
   * What such an event did, for the envelope; a {@link RequestEvent} says itself what was asked
   * for.
   */
  public String action() {
    return action;
  }
}

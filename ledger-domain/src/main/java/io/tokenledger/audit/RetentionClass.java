package io.tokenledger.audit;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * For how long the body of an event is kept is said for its class. Only what is written in bulk and
 * what no state and no proof rests on can end; everything else is {@link #PERMANENT}.
 */
public enum RetentionClass {
  /** What was refused, failed or answered again: outsiders decide how much there is of it. */
  REQUESTS,

  /** Uses of the audit log itself but exports, whose manifests are made of their events. */
  READS,

  /** What nodes tell of their own work. */
  SERVICE,

  /** Tokens' lives, and what explains the log, its keys and what was destroyed. Never ends. */
  PERMANENT;

  /** The class of that type. A type without one does not compile. */
  public static RetentionClass of(EventType type) {
    return switch (type) {
      case AUTHENTICATION_FAILED,
          ACCESS_DENIED,
          COMMAND_REJECTED,
          ANSWER_REPEATED,
          DECISIONS_DENIED ->
          REQUESTS;
      case AUDIT_LOG_READ, AUDIT_VERIFIED, AUDIT_PROOF_ISSUED -> READS;
      case AUDIT_HEARTBEAT,
          WITNESS_REFUSED,
          REPLAY_REQUESTED,
          REPLAY_FINISHED,
          PROJECTION_DRIFT_FOUND,
          DELIVERY_REFUSED,
          DEAD_LETTERS_REQUEUED ->
          SERVICE;
      case OPERATOR_TOKEN_CREATED,
          OPERATOR_TOKEN_REGENERATED,
          NAMED_ADMIN_CREATED,
          RESOURCE_TOKEN_CREATED,
          TOKEN_REVOKED,
          TOKEN_ROTATED,
          TOKEN_SUSPENDED,
          TOKEN_RESUMED,
          TOKEN_DESCRIBED,
          TOKEN_EXPIRY_CHANGED,
          TOKEN_PERMISSIONS_CHANGED,
          TOKEN_EXPIRED,
          TOKEN_EXPIRY_ANNOUNCED,
          SERVICE_STARTED,
          SERVICE_STOPPED,
          CONFIGURATION_CHANGED,
          CHECKPOINT_ANCHORED,
          LOG_GENERATION_STARTED,
          RESTORE_ACCEPTED,
          SIGNING_KEY_ROTATED,
          SIGNING_REFUSED,
          GRANT_DRIFT_FOUND,
          FORGED_EVENT_FOUND,
          UNREADABLE_EVENT_FOUND,
          EVENT_QUARANTINED,
          EVENT_RELEASED,
          SUBJECT_ERASED,
          LEGAL_HOLD_PLACED,
          LEGAL_HOLD_LIFTED,
          ARCHIVE_WRITTEN,
          ARCHIVE_RESTORED,
          RETENTION_CHANGED,
          EVENTS_PRUNED,
          EVENTS_WITHHELD,
          AUDIT_EXPORTED ->
          PERMANENT;
    };
  }

  /** The class of that name whose events' bodies may end; empty for others. */
  public static Optional<RetentionClass> named(String wireName) {
    return Arrays.stream(values())
        .filter(each -> each != PERMANENT && each.wireName().equals(wireName))
        .findFirst();
  }

  /** Lower case, as in the catalogue. */
  public String wireName() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** The stored names of its types, in the order of the catalogue. */
  public List<String> types() {
    return Arrays.stream(EventType.values())
        .filter(type -> of(type) == this)
        .map(EventType::storedName)
        .toList();
  }
}

package io.tokenledger.audit;

import io.tokenledger.audit.EventDescription.Field;
import io.tokenledger.audit.EventDescription.FieldClass;
import io.tokenledger.audit.EventDescription.Ocsf;
import io.tokenledger.token.TokenCommand;
import io.tokenledger.token.TokenCommand.AnnounceExpiry;
import io.tokenledger.token.TokenCommand.ChangeExpiry;
import io.tokenledger.token.TokenCommand.ChangePermissions;
import io.tokenledger.token.TokenCommand.CreateNamedAdmin;
import io.tokenledger.token.TokenCommand.CreateOperatorToken;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenCommand.DescribeToken;
import io.tokenledger.token.TokenCommand.RecordExpiry;
import io.tokenledger.token.TokenCommand.RegenerateOperatorToken;
import io.tokenledger.token.TokenCommand.ResumeToken;
import io.tokenledger.token.TokenCommand.RevokeToken;
import io.tokenledger.token.TokenCommand.RotateToken;
import io.tokenledger.token.TokenCommand.SuspendToken;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * What the ledger records and why, as data (NIST AU-2). A type without a row does not compile; that
 * the rows tell the truth about payloads, envelopes and commands is tested.
 */
public final class EventCatalogue {

  private static final int EVENT_LOG_ACTIVITY = 1008;
  private static final int AUTHENTICATION = 3002;
  private static final int ENTITY_MANAGEMENT = 3004;
  private static final int API_ACTIVITY = 6003;

  private static final int CREATE = 1;
  private static final int READ = 2;
  private static final int UPDATE = 3;
  private static final int DELETE = 4;
  private static final int ARCHIVE = 4;
  private static final int DELETE_LOG = 2;
  private static final int OTHER = 99;

  private static final List<Field> TOKEN =
      List.of(identifier("name", "string"), identifier("id", "integer"));
  private static final Field HASH = identifier("hash", "string");
  private static final Field EXPIRY = plain("expiry", "time");

  private static final List<Field> REQUEST_HEAD =
      List.of(
          plain("action", "string"), plain("reason", "string"), plain("status_code", "integer"));
  private static final List<Field> REQUEST_TAIL =
      List.of(plain("count", "integer"), plain("first", "time"), plain("last", "time"));
  private static final List<Field> EXTENT =
      List.of(
          plain("query", "string"),
          plain("rows", "integer"),
          identifier("first_leaf_index", "integer"),
          identifier("last_leaf_index", "integer"),
          plain("tree_size", "integer"));

  private static final List<Field> ENVELOPE =
      List.of(
          identifier("log_origin", "string"),
          plain("actor.type", "string"),
          identifier("actor.id", "string"),
          identifier("actor.credential_id", "integer"),
          identifier("actor.name", "string"),
          plain("actor.auth_method", "string"),
          sealed("on_behalf_of"),
          plain("approver", "string"),
          plain("action", "string"),
          plain("outcome", "string"),
          plain("outcome_reason", "string"),
          plain("status_code", "integer"),
          plain("target.type", "string"),
          identifier("target.id", "string"),
          identifier("target.name", "string"),
          plain("target.version_before", "integer"),
          plain("target.version_after", "integer"),
          plain("changes", "array"),
          sealed("source.ip"),
          sealed("source.forwarded_for"),
          plain("source.forwarded_trusted", "boolean"),
          plain("source.port", "integer"),
          sealed("source.user_agent"),
          plain("source.client", "string"),
          plain("service", "string"),
          identifier("node", "string"),
          plain("tenant", "string"),
          identifier("request_id", "string"),
          identifier("correlation_id", "string"),
          identifier("causation_id", "string"),
          identifier("trace_id", "string"),
          sealed("reason"),
          sealed("ticket"),
          identifier("subject", "string"));

  private static final Map<EventType, EventDescription> ROWS = rows();
  private static final Map<Class<? extends TokenCommand>, EventType> ASKED_FOR = askedFor();

  private EventCatalogue() {}

  /** The row of that type. */
  public static EventDescription of(EventType type) {
    EventDescription row = ROWS.get(type);
    if (row == null) {
      throw new AssertionError("every type has a row");
    }
    return row;
  }

  /**
   * The event that a command asks for, in whose name its refusal is audited.
   *
   * @throws IllegalArgumentException when it is in no row
   */
  public static EventType askedFor(Class<? extends TokenCommand> command) {
    EventType type = ASKED_FOR.get(command);
    if (type == null) {
      throw new IllegalArgumentException("no event is known that " + command + " asks for");
    }
    return type;
  }

  /** The fields of the envelope, which every event has. */
  public static List<Field> envelope() {
    return ENVELOPE;
  }

  private static Map<EventType, EventDescription> rows() {
    Map<EventType, EventDescription> rows = new EnumMap<>(EventType.class);
    Arrays.stream(EventType.values()).forEach(type -> rows.put(type, row(type)));
    return rows;
  }

  private static Map<Class<? extends TokenCommand>, EventType> askedFor() {
    Map<Class<? extends TokenCommand>, EventType> types = new HashMap<>();
    ROWS.forEach(
        (type, row) ->
            row.commands()
                .forEach(
                    command -> {
                      if (types.put(command, type) != null) {
                        throw new IllegalStateException(command + " is in two rows");
                      }
                    }));
    return types;
  }

  private static EventDescription row(EventType type) {
    return switch (type) {
      case OPERATOR_TOKEN_CREATED ->
          token(
              "The operator token came into being.",
              CreateOperatorToken.class,
              CREATE,
              List.of("PCI 10.2.1.5", "NIST AU-2", "SOC2 CC6.2"),
              HASH,
              plain("created_at", "time"));
      case OPERATOR_TOKEN_REGENERATED ->
          token(
              "The operator token got another secret; the one before it stopped at once.",
              RegenerateOperatorToken.class,
              UPDATE,
              List.of("PCI 10.2.1.2", "PCI 10.2.1.5", "NIST AU-2"),
              HASH,
              plain("regenerated_at", "time"));
      case NAMED_ADMIN_CREATED ->
          token(
              "A named admin token came into being.",
              CreateNamedAdmin.class,
              CREATE,
              List.of("PCI 10.2.1.2", "PCI 10.2.1.5", "NIST AU-2", "SOC2 CC6.2"),
              HASH,
              plain("created_at", "time"),
              EXPIRY);
      case RESOURCE_TOKEN_CREATED ->
          token(
              "A token with its own permissions came into being.",
              CreateResourceToken.class,
              CREATE,
              List.of("PCI 10.2.1.5", "NIST AU-2", "NIST AU-10", "SOC2 CC6.2"),
              HASH,
              plain("permissions", "array"),
              plain("created_at", "time"),
              EXPIRY);
      case TOKEN_REVOKED ->
          token(
              "A token ended for good and its name is free.",
              RevokeToken.class,
              DELETE,
              List.of("PCI 10.2.1.5", "NIST AU-2", "NIST AU-10", "SOC2 CC6.3"),
              plain("revoked_at", "time"));
      case TOKEN_ROTATED ->
          token(
              "A token got another secret beside the one before, which ends with the grace.",
              RotateToken.class,
              UPDATE,
              List.of("PCI 10.2.1.5", "NIST AU-2"),
              HASH,
              plain("rotated_at", "time"),
              plain("grace_end", "time"));
      case TOKEN_SUSPENDED ->
          token(
              "A token is not valid until it is resumed.",
              SuspendToken.class,
              12,
              List.of("PCI 10.2.1.5", "NIST AU-2", "SOC2 CC6.3"),
              plain("suspended_at", "time"));
      case TOKEN_RESUMED ->
          token(
              "A token's suspension is over.",
              ResumeToken.class,
              13,
              List.of("PCI 10.2.1.5", "NIST AU-2", "SOC2 CC6.2"),
              plain("resumed_at", "time"));
      case TOKEN_DESCRIBED ->
          token(
              "The words about a token changed.",
              DescribeToken.class,
              UPDATE,
              List.of("NIST AU-2"),
              sealed("description"),
              plain("described_at", "time"));
      case TOKEN_EXPIRY_CHANGED ->
          token(
              "A token expires at another time than before.",
              ChangeExpiry.class,
              UPDATE,
              List.of("PCI 10.2.1.5", "NIST AU-2", "SOC2 CC6.3"),
              plain("before", "time"),
              EXPIRY,
              plain("changed_at", "time"));
      case TOKEN_PERMISSIONS_CHANGED ->
          token(
              "A token may do other things than before.",
              ChangePermissions.class,
              UPDATE,
              List.of("PCI 10.2.1.5", "NIST AU-2", "NIST AU-10", "SOC2 CC6.3"),
              plain("before", "array"),
              plain("permissions", "array"),
              plain("changed_at", "time"));
      case TOKEN_EXPIRED ->
          token(
              "A token's expiry has passed; it was invalid from that millisecond on.",
              RecordExpiry.class,
              9,
              List.of("PCI 10.2.1.5", "NIST AU-2", "SOC2 CC6.3"),
              EXPIRY,
              plain("recorded_at", "time"));
      case TOKEN_EXPIRY_ANNOUNCED ->
          token(
              "Notice was given that a token expires soon.",
              AnnounceExpiry.class,
              OTHER,
              List.of("NIST AU-2"),
              EXPIRY,
              plain("days_ahead", "integer"),
              plain("announced_at", "time"));
      default ->
          RequestEvent.class.isAssignableFrom(type.eventClass())
              ? ofRequest(type)
              : ofService(type);
    };
  }

  private static EventDescription ofRequest(EventType type) {
    Field target = identifier("target", "string");
    return switch (type) {
      case AUTHENTICATION_FAILED ->
          request(
              "A caller presented no valid token.",
              List.of(),
              new Ocsf(AUTHENTICATION, 1),
              List.of("PCI 10.2.1.4", "NIST AU-2", "NIST AU-3"));
      case ACCESS_DENIED ->
          request(
              "A caller's token is valid and does not allow what was asked.",
              List.of(),
              new Ocsf(API_ACTIVITY, OTHER),
              List.of("PCI 10.2.1.4", "NIST AU-2", "NIST AU-3"),
              target);
      case COMMAND_REJECTED ->
          request(
              "A permitted request could not be carried out.",
              List.of("start", "recovery"),
              new Ocsf(API_ACTIVITY, OTHER),
              List.of("PCI 10.2.2", "NIST AU-3"),
              target);
      case REPLAY_REQUESTED ->
          request(
              "Someone directed a replay: start, pause, resume, swap, rollback, drop.",
              List.of(),
              new Ocsf(API_ACTIVITY, OTHER),
              List.of("NIST AU-9", "SEC 17a-4(f)"),
              target);
      case REPLAY_FINISHED ->
          request(
              "Rebuilt projections were compared with the live ones, or put in their place.",
              List.of(),
              new Ocsf(API_ACTIVITY, OTHER),
              List.of("NIST AU-9", "SEC 17a-4(f)"),
              target);
      case ANSWER_REPEATED ->
          request(
              "A request came again and got the first answer once more, secret included.",
              List.of(),
              new Ocsf(API_ACTIVITY, READ),
              List.of("PCI 10.2.1.5", "NIST AU-3"),
              target);
      case DECISIONS_DENIED ->
          request(
              "Decisions about a token were no; a summary of a minute.",
              List.of(),
              new Ocsf(API_ACTIVITY, READ),
              List.of("PCI 10.2.1.4", "NIST AU-2"),
              target);
      case AUDIT_LOG_READ ->
          request(
              "Someone read the audit log.",
              List.of(),
              new Ocsf(API_ACTIVITY, READ),
              List.of("PCI 10.2.1.3", "PCI 10.3.1", "NIST AU-5"),
              with(List.of(plain("route", "string")), EXTENT));
      case AUDIT_EXPORTED ->
          request(
              "Someone took a copy of a part of the audit log away.",
              List.of("audit export"),
              new Ocsf(EVENT_LOG_ACTIVITY, 3),
              List.of("PCI 10.2.1.3", "NIST AU-7", "NIST AU-11", "SOC2 CC7.2"),
              with(
                  List.of(plain("format", "string")),
                  EXTENT,
                  List.of(identifier("sha256", "string"))));
      case AUDIT_VERIFIED ->
          request(
              "The history was verified, with this result.",
              List.of("audit verify"),
              new Ocsf(API_ACTIVITY, READ),
              List.of("PCI 10.3.4", "NIST AU-9"),
              plain("scope", "string"),
              plain("result", "string"),
              plain("tree_size", "integer"));
      case AUDIT_PROOF_ISSUED ->
          request(
              "A proof was handed out that an event is in the log.",
              List.of("audit prove"),
              new Ocsf(API_ACTIVITY, READ),
              List.of("PCI 10.2.1.3", "NIST AU-10"),
              identifier("leaf_index", "integer"),
              plain("tree_size", "integer"));
      case UNREADABLE_EVENT_FOUND ->
          service(
              "A stored event cannot be read and projections stand still before it.",
              "projection",
              OTHER,
              List.of("PCI 10.7", "NIST AU-5"),
              identifier("global_index", "integer"),
              identifier("event_id", "string"),
              plain("reason", "string"));
      case EVENT_QUARANTINED ->
          quarantine("An operator let projections pass an event that cannot be read.");
      case EVENT_RELEASED -> quarantine("An event that was quarantined is read and taken again.");
      default -> throw new AssertionError("every type has a row, not " + type);
    };
  }

  private static EventDescription ofService(EventType type) {
    Field size = plain("size", "integer");
    return switch (type) {
      case SERVICE_STARTED ->
          service(
              "A node began to serve, with this version and these settings.",
              "start",
              6,
              List.of("PCI 10.2.1.6", "NIST AU-12", "ISO 27001 A.8.15"),
              plain("version", "string"),
              plain("configuration", "object"));
      case SERVICE_STOPPED ->
          service("A node drained.", "stop", 7, List.of("PCI 10.2.1.6", "NIST AU-12", "PCI 10.7"));
      case CONFIGURATION_CHANGED ->
          service(
              "A node began to serve with other settings than the last time.",
              "start",
              OTHER,
              List.of("PCI 10.2.1.7", "NIST AU-12(3)", "ISO 27001 A.8.15"),
              plain("changes", "array"));
      case AUDIT_HEARTBEAT ->
          service(
              "A node lives and writes the log, and its clock is so far from the database's.",
              "clock",
              OTHER,
              List.of(
                  "PCI 10.6", "PCI 10.7", "NIST AU-5", "NIST AU-8", "DORA RTS 2024/1774 art. 12"),
              plain("tree_size", "integer"),
              plain("clock_offset_millis", "integer"));
      case CHECKPOINT_ANCHORED ->
          service(
              "A checkpoint was left with someone who remembers it.",
              "signer",
              OTHER,
              List.of("PCI 10.3.3", "NIST AU-9(2)", "NIST AU-9(3)"),
              plain("kind", "string"),
              size,
              identifier("root", "string"),
              identifier("reference", "string"));
      case WITNESS_REFUSED ->
          service(
              "A witness did not sign a checkpoint.",
              "witness",
              OTHER,
              List.of("PCI 10.7", "NIST AU-5", "NIST AU-9(3)"),
              identifier("witness", "string"),
              size,
              plain("status", "integer"),
              plain("detail", "string"));
      case LOG_GENERATION_STARTED ->
          service(
              "A log began that continues another one, or the first of all.",
              "signer",
              5,
              List.of("PCI 10.2.1.6", "NIST AU-9(3)", "NIST AU-12"),
              identifier("generation", "integer"),
              identifier("origin", "string"),
              identifier("previous_origin", "string"),
              plain("previous_size", "integer"),
              plain("previous_note", "string"),
              plain("reason", "string"));
      case RESTORE_ACCEPTED ->
          service(
              "Someone took a restored database for the ledger; what it lacked and was known was"
                  + " taken from tokens again.",
              "operator",
              OTHER,
              List.of("PCI 10.2.1.6", "NIST AU-9(3)", "NIST AU-12"),
              size,
              plain("known_size", "integer"),
              plain("absent_events", "integer"),
              plain("reapplied", "integer"),
              plain("highest_token_id", "integer"));
      case SIGNING_KEY_ROTATED ->
          service(
              "Checkpoints are signed with another key from now on.",
              "signer",
              OTHER,
              List.of("PCI 10.2.1.7", "NIST AU-9(3)"),
              identifier("old_vkey", "string"),
              identifier("new_vkey", "string"));
      case SIGNING_REFUSED ->
          service(
              "The signer refused a tree that contradicts what it remembers.",
              "signer",
              OTHER,
              List.of("PCI 10.3.4", "PCI 10.7", "NIST AU-5", "NIST AU-9"),
              plain("reason", "string"),
              size);
      case GRANT_DRIFT_FOUND ->
          service(
              "The application's role may do more or less to the events than it should.",
              "start and clock",
              OTHER,
              List.of("PCI 10.3.2", "NIST AU-9", "NIST AU-9(4)"),
              plain("detail", "string"));
      case FORGED_EVENT_FOUND ->
          service(
              "A row stands in the event table that no node wrote.",
              "sequencer",
              OTHER,
              List.of("PCI 10.3.4", "NIST AU-9", "NIST AU-10"),
              identifier("global_index", "integer"),
              identifier("event_id", "string"));
      case UNREADABLE_EVENT_FOUND ->
          service(
              "A stored event cannot be read and projections stand still before it.",
              "projection",
              OTHER,
              List.of("PCI 10.7", "NIST AU-5"),
              identifier("global_index", "integer"),
              identifier("event_id", "string"),
              plain("reason", "string"));
      case EVENT_QUARANTINED ->
          quarantine("An operator let projections pass an event that cannot be read.");
      case EVENT_RELEASED -> quarantine("An event that was quarantined is read and taken again.");
      case SUBJECT_ERASED ->
          privacy(
              "The keys of a subject were destroyed; what was sealed under them is unreadable.",
              OTHER,
              identifier("subject", "string"),
              identifier("key_ids", "array"),
              plain("event_count", "integer"));
      case LEGAL_HOLD_PLACED ->
          privacy(
              "What it covers is neither erased nor pruned until the hold is lifted.",
              OTHER,
              identifier("hold", "string"),
              identifier("subject", "string"),
              identifier("token", "string"),
              plain("from", "time"),
              plain("until", "time"));
      case LEGAL_HOLD_LIFTED -> privacy("A legal hold ended.", OTHER, identifier("hold", "string"));
      case ARCHIVE_WRITTEN ->
          service(
              "The log was written into the archive, or was asked to be.",
              "clock",
              ARCHIVE,
              List.of("NIST AU-9", "NIST AU-11"),
              plain("segments", "integer"),
              identifier("from", "integer"),
              identifier("to", "integer"),
              identifier("sha256", "string"));
      case ARCHIVE_RESTORED ->
          privacy(
              "Lost or changed events were made again what the log says, from the archive.",
              OTHER,
              identifier("from", "integer"),
              identifier("to", "integer"),
              plain("missing", "integer"),
              plain("saltless", "integer"),
              plain("changed", "integer"));
      case RETENTION_CHANGED ->
          privacy(
              "Someone said for how long the bodies of a class of events are kept.",
              OTHER,
              identifier("retention_class", "string"),
              plain("before_days", "integer"),
              plain("after_days", "integer"),
              plain("in_force", "boolean"));
      case EVENTS_PRUNED ->
          new EventDescription(
              "Events reached the end of their retention: their bodies go, their entries stay.",
              List.of(),
              List.of("clock"),
              List.of(
                  identifier("retention_class", "string"),
                  identifier("types", "array"),
                  plain("before", "time"),
                  identifier("from", "integer"),
                  identifier("to", "integer"),
                  plain("event_count", "integer"),
                  identifier("kept", "array")),
              new Ocsf(EVENT_LOG_ACTIVITY, DELETE_LOG),
              List.of("NIST AU-9", "NIST AU-11"));
      case EVENTS_WITHHELD ->
          new EventDescription(
              "A hold came after it was decided that bodies go: these stay.",
              List.of(),
              List.of("clock"),
              List.of(
                  identifier("retention_class", "string"),
                  identifier("decision", "string"),
                  identifier("leaf_index", "integer"),
                  identifier("kept", "array")),
              new Ocsf(EVENT_LOG_ACTIVITY, OTHER),
              List.of("NIST AU-9", "NIST AU-11"));
      case PROJECTION_DRIFT_FOUND ->
          service(
              "Rows of a projection are not what the events make.",
              "clock",
              OTHER,
              List.of("PCI 10.3.4", "NIST AU-9"),
              plain("projection", "string"),
              identifier("slice", "string"),
              plain("row_count", "integer"),
              identifier("digest", "string"),
              identifier("rows", "array"));
      case DELIVERY_REFUSED ->
          service(
              "A receiver of the log refused an entry for good; it waits as a dead letter.",
              "sink",
              OTHER,
              List.of("PCI 10.7", "NIST AU-5"),
              identifier("sink", "string"),
              identifier("leaf_index", "integer"),
              plain("reason", "string"));
      case DEAD_LETTERS_REQUEUED ->
          new EventDescription(
              "Someone had entries sent again that a receiver of the log had refused.",
              List.of(),
              List.of(),
              List.of(
                  identifier("sink", "string"),
                  plain("letter_count", "integer"),
                  identifier("first_leaf_index", "integer"),
                  identifier("last_leaf_index", "integer")),
              new Ocsf(EVENT_LOG_ACTIVITY, OTHER),
              List.of("PCI 10.2.1.2", "NIST AU-2", "NIST AU-5"));
      default -> throw new AssertionError("every type has a row, not " + type);
    };
  }

  private static EventDescription token(
      String says,
      Class<? extends TokenCommand> command,
      int activityId,
      List<String> controls,
      Field... fields) {
    return new EventDescription(
        says,
        List.of(command),
        triggers(command),
        with(TOKEN, List.of(fields)),
        new Ocsf(ENTITY_MANAGEMENT, activityId),
        controls);
  }

  /** What sends a command beside the routes: files read at the start, the recovery port, time. */
  private static List<String> triggers(Class<? extends TokenCommand> command) {
    if (command == RecordExpiry.class || command == AnnounceExpiry.class) {
      return List.of("clock");
    }
    if (command == RegenerateOperatorToken.class) {
      return List.of("recovery");
    }
    return command.getSimpleName().startsWith("Create") ? List.of("start") : List.of();
  }

  private static EventDescription request(
      String says, List<String> triggers, Ocsf ocsf, List<String> controls, Field... fields) {
    return request(says, triggers, ocsf, controls, List.of(fields));
  }

  private static EventDescription request(
      String says, List<String> triggers, Ocsf ocsf, List<String> controls, List<Field> fields) {
    return new EventDescription(
        says, List.of(), triggers, with(REQUEST_HEAD, fields, REQUEST_TAIL), ocsf, controls);
  }

  private static EventDescription service(
      String says, String trigger, int activityId, List<String> controls, Field... fields) {
    return new EventDescription(
        says,
        List.of(),
        List.of(trigger),
        List.of(fields),
        new Ocsf(EVENT_LOG_ACTIVITY, activityId),
        controls);
  }

  private static EventDescription privacy(String says, int activityId, Field... fields) {
    return new EventDescription(
        says,
        List.of(),
        List.of(),
        List.of(fields),
        new Ocsf(EVENT_LOG_ACTIVITY, activityId),
        List.of("NIST AU-9", "NIST AU-11"));
  }

  private static EventDescription quarantine(String says) {
    return new EventDescription(
        says,
        List.of(),
        List.of(),
        List.of(identifier("global_index", "integer"), identifier("event_id", "string")),
        new Ocsf(EVENT_LOG_ACTIVITY, OTHER),
        List.of("PCI 10.2.1.2", "NIST AU-2", "NIST AU-5"));
  }

  private static List<Field> with(List<Field> head, List<Field> tail) {
    return Stream.concat(head.stream(), tail.stream()).toList();
  }

  private static List<Field> with(List<Field> head, List<Field> middle, List<Field> tail) {
    return with(with(head, middle), tail);
  }

  private static Field identifier(String name, String type) {
    return new Field(name, type, FieldClass.IDENTIFIER);
  }

  private static Field sealed(String name) {
    return new Field(name, "string", FieldClass.PERSONAL_SEALED);
  }

  private static Field plain(String name, String type) {
    return new Field(name, type, FieldClass.PLAIN);
  }
}

package io.tokenledger.server;

import static io.tokenledger.audit.EventType.ACCESS_DENIED;
import static io.tokenledger.audit.EventType.ANSWER_REPEATED;
import static io.tokenledger.audit.EventType.ARCHIVE_RESTORED;
import static io.tokenledger.audit.EventType.ARCHIVE_WRITTEN;
import static io.tokenledger.audit.EventType.AUDIT_EXPORTED;
import static io.tokenledger.audit.EventType.AUDIT_LOG_READ;
import static io.tokenledger.audit.EventType.AUDIT_PROOF_ISSUED;
import static io.tokenledger.audit.EventType.AUTHENTICATION_FAILED;
import static io.tokenledger.audit.EventType.COMMAND_REJECTED;
import static io.tokenledger.audit.EventType.DEAD_LETTERS_REQUEUED;
import static io.tokenledger.audit.EventType.DECISIONS_DENIED;
import static io.tokenledger.audit.EventType.EVENTS_PRUNED;
import static io.tokenledger.audit.EventType.EVENT_QUARANTINED;
import static io.tokenledger.audit.EventType.EVENT_RELEASED;
import static io.tokenledger.audit.EventType.LEGAL_HOLD_LIFTED;
import static io.tokenledger.audit.EventType.LEGAL_HOLD_PLACED;
import static io.tokenledger.audit.EventType.LOG_GENERATION_STARTED;
import static io.tokenledger.audit.EventType.NAMED_ADMIN_CREATED;
import static io.tokenledger.audit.EventType.OPERATOR_TOKEN_CREATED;
import static io.tokenledger.audit.EventType.OPERATOR_TOKEN_REGENERATED;
import static io.tokenledger.audit.EventType.REPLAY_FINISHED;
import static io.tokenledger.audit.EventType.REPLAY_REQUESTED;
import static io.tokenledger.audit.EventType.RESOURCE_TOKEN_CREATED;
import static io.tokenledger.audit.EventType.RETENTION_CHANGED;
import static io.tokenledger.audit.EventType.SUBJECT_ERASED;
import static io.tokenledger.audit.EventType.TOKEN_DESCRIBED;
import static io.tokenledger.audit.EventType.TOKEN_EXPIRY_CHANGED;
import static io.tokenledger.audit.EventType.TOKEN_PERMISSIONS_CHANGED;
import static io.tokenledger.audit.EventType.TOKEN_RESUMED;
import static io.tokenledger.audit.EventType.TOKEN_REVOKED;
import static io.tokenledger.audit.EventType.TOKEN_ROTATED;
import static io.tokenledger.audit.EventType.TOKEN_SUSPENDED;

import io.tokenledger.audit.EventType;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Every route of this server: what it needs and what it may append. The audit names only these;
 * whatever else a caller asks for is {@code other}.
 */
final class RouteCatalogue {

  /** Who reads the audit, see {@link AuditReads}. */
  static final String READER = "ledger:audit:read; admin unless --separate-duties";

  private static final String TOKEN_READER = "ledger:tokens:read or ledger:audit:read; admin";
  private static final String REPLAY_READER = "ledger:replay:read or admin";
  private static final String REPLAYER = "ledger:replay:write or admin";
  private static final String RETENTION_WRITER = "ledger:retention:write or admin";
  private static final String MANAGER =
      "ledger:tokens:write without any ledger:audit or ledger:retention; admin";

  private static final String ASKER =
      "any token about itself; about others ledger:check:read or admin";

  /**
   * One route.
   *
   * @param path as in the OpenAPI document
   * @param permission who may, in words
   * @param appends the event types that a request to it may append
   */
  record Row(String method, String path, String permission, List<EventType> appends) {}

  static final List<Row> ROWS =
      List.of(
          route(
              "POST",
              TokenRoutes.BOOTSTRAP,
              "anyone on this machine while there is no admin",
              COMMAND_REJECTED,
              OPERATOR_TOKEN_CREATED),
          route(
              "POST",
              TokenRoutes.REGENERATE,
              "the operator token",
              COMMAND_REJECTED,
              OPERATOR_TOKEN_REGENERATED),
          route(
              "POST",
              TokenRoutes.NAMED_ADMIN,
              "admin",
              COMMAND_REJECTED,
              ANSWER_REPEATED,
              NAMED_ADMIN_CREATED),
          route(
              "POST",
              TokenRoutes.ENTERPRISE,
              MANAGER,
              COMMAND_REJECTED,
              ANSWER_REPEATED,
              RESOURCE_TOKEN_CREATED),
          route(
              "POST",
              TokenRoutes.TOKEN,
              MANAGER,
              COMMAND_REJECTED,
              ANSWER_REPEATED,
              RESOURCE_TOKEN_CREATED),
          route("DELETE", TokenRoutes.TOKEN, MANAGER, COMMAND_REJECTED, TOKEN_REVOKED),
          route("GET", LifecycleRoutes.TOKENS, TOKEN_READER, COMMAND_REJECTED),
          route("GET", LifecycleRoutes.BY_NAME, TOKEN_READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("POST", LifecycleRoutes.REVOKE, MANAGER, COMMAND_REJECTED, TOKEN_REVOKED),
          route(
              "POST",
              ImportRoutes.IMPORT,
              "admin",
              COMMAND_REJECTED,
              NAMED_ADMIN_CREATED,
              RESOURCE_TOKEN_CREATED),
          route("GET", LifecycleRoutes.ONE, TOKEN_READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("DELETE", LifecycleRoutes.ONE, MANAGER, COMMAND_REJECTED, TOKEN_REVOKED),
          route(
              "POST",
              LifecycleRoutes.ONE + "/rotate",
              MANAGER,
              COMMAND_REJECTED,
              ANSWER_REPEATED,
              TOKEN_ROTATED),
          route(
              "POST", LifecycleRoutes.ONE + "/suspend", MANAGER, COMMAND_REJECTED, TOKEN_SUSPENDED),
          route("POST", LifecycleRoutes.ONE + "/resume", MANAGER, COMMAND_REJECTED, TOKEN_RESUMED),
          route(
              "PUT",
              LifecycleRoutes.ONE + "/description",
              MANAGER,
              COMMAND_REJECTED,
              TOKEN_DESCRIBED),
          route(
              "PUT",
              LifecycleRoutes.ONE + "/expiry",
              MANAGER,
              COMMAND_REJECTED,
              TOKEN_EXPIRY_CHANGED),
          route(
              "PUT",
              LifecycleRoutes.ONE + "/permissions",
              MANAGER,
              COMMAND_REJECTED,
              TOKEN_PERMISSIONS_CHANGED),
          route("GET", SqlRoutes.QUERY_SQL, TOKEN_READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("POST", SqlRoutes.QUERY_SQL, TOKEN_READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("POST", CheckRoutes.CHECK, ASKER, COMMAND_REJECTED, DECISIONS_DENIED),
          route("POST", CheckRoutes.BATCH, ASKER, COMMAND_REJECTED, DECISIONS_DENIED),
          route("POST", CheckRoutes.INTROSPECT, ASKER, COMMAND_REJECTED, DECISIONS_DENIED),
          route("GET", FeedRoutes.FEED, "ledger:check:read or admin"),
          forwardAuth(GatewayRoutes.FORWARD_AUTH),
          forwardAuth(GatewayRoutes.FORWARD_AUTH + "/**"),
          route("GET", LedgerRoutes.AUDIT, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", AuditRoutes.EVENT, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", AuditRoutes.FACETS, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route(
              "POST",
              AuditRoutes.EXPORTS,
              READER,
              COMMAND_REJECTED,
              AUDIT_LOG_READ,
              AUDIT_EXPORTED),
          route("GET", AuditRoutes.EXPORT, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", TimelineRoutes.HISTORY, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", TimelineRoutes.STATE, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", TimelineRoutes.DIFF, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", TimelineRoutes.ACCESS, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", ReportRoutes.POPULATION, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", ReportRoutes.COMPLETENESS, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", ReportRoutes.CHECKPOINTS, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", ReportRoutes.CHECKPOINT, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", CatalogueRoutes.EVENT_TYPES, READER),
          route("GET", TlogRoutes.CHECKPOINT, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", TlogRoutes.TILES + "/**", READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", TlogRoutes.KEYS, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", TlogRoutes.CONSISTENCY, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", TlogRoutes.PROOF, READER, COMMAND_REJECTED, AUDIT_PROOF_ISSUED),
          route("GET", TlogRoutes.ENTRY, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route(
              "POST", TlogRoutes.BUNDLES, READER, COMMAND_REJECTED, AUDIT_LOG_READ, AUDIT_EXPORTED),
          route("POST", TlogRoutes.GENERATIONS, "admin", COMMAND_REJECTED, LOG_GENERATION_STARTED),
          route("POST", ReplayRoutes.START, REPLAYER, COMMAND_REJECTED, REPLAY_REQUESTED),
          route("GET", ReplayRoutes.STATUS, REPLAY_READER, COMMAND_REJECTED),
          route("GET", ReplayRoutes.HISTORY, REPLAY_READER, COMMAND_REJECTED),
          route("POST", ReplayRoutes.VERIFY, REPLAY_READER, COMMAND_REJECTED, REPLAY_FINISHED),
          route(
              "POST",
              ReplayRoutes.SWAP,
              REPLAYER,
              COMMAND_REJECTED,
              REPLAY_REQUESTED,
              REPLAY_FINISHED),
          route(
              "POST",
              ReplayRoutes.ROLLBACK,
              REPLAYER,
              COMMAND_REJECTED,
              REPLAY_REQUESTED,
              REPLAY_FINISHED),
          route("POST", ReplayRoutes.PAUSE, REPLAYER, COMMAND_REJECTED, REPLAY_REQUESTED),
          route("POST", ReplayRoutes.RESUME, REPLAYER, COMMAND_REJECTED, REPLAY_REQUESTED),
          route("POST", ReplayRoutes.DROP, REPLAYER, COMMAND_REJECTED, REPLAY_REQUESTED),
          route("GET", QuarantineRoutes.QUARANTINE, "ledger:replay:read or admin"),
          route(
              "POST",
              QuarantineRoutes.QUARANTINE,
              "ledger:replay:write or admin",
              COMMAND_REJECTED,
              EVENT_QUARANTINED),
          route(
              "POST",
              QuarantineRoutes.RELEASE,
              "ledger:replay:write or admin",
              COMMAND_REJECTED,
              EVENT_RELEASED),
          route("GET", SinkRoutes.SINKS, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route("GET", SinkRoutes.DEAD_LETTERS, READER, COMMAND_REJECTED, AUDIT_LOG_READ),
          route(
              "POST",
              SinkRoutes.REQUEUE,
              "ledger:audit:write or admin",
              COMMAND_REJECTED,
              DEAD_LETTERS_REQUEUED),
          route(
              "POST",
              PrivacyRoutes.ERASURES,
              RETENTION_WRITER,
              COMMAND_REJECTED,
              SUBJECT_ERASED,
              AUDIT_LOG_READ),
          route(
              "GET",
              PrivacyRoutes.HOLDS,
              "ledger:retention:read or admin",
              COMMAND_REJECTED,
              AUDIT_LOG_READ),
          route("POST", PrivacyRoutes.HOLDS, RETENTION_WRITER, COMMAND_REJECTED, LEGAL_HOLD_PLACED),
          route("POST", PrivacyRoutes.LIFT, RETENTION_WRITER, COMMAND_REJECTED, LEGAL_HOLD_LIFTED),
          route(
              "GET",
              RetentionRoutes.RETENTION,
              "ledger:retention:read or admin",
              COMMAND_REJECTED,
              AUDIT_LOG_READ),
          route(
              "POST",
              RetentionRoutes.RETENTION,
              RETENTION_WRITER,
              COMMAND_REJECTED,
              RETENTION_CHANGED),
          route(
              "POST",
              RetentionRoutes.RUN,
              RETENTION_WRITER,
              COMMAND_REJECTED,
              EVENTS_PRUNED,
              AUDIT_LOG_READ),
          route("GET", ArchiveRoutes.ARCHIVE, "ledger:retention:read or admin", COMMAND_REJECTED),
          route("POST", ArchiveRoutes.ARCHIVE, RETENTION_WRITER, COMMAND_REJECTED, ARCHIVE_WRITTEN),
          route(
              "POST", ArchiveRoutes.RESTORE, RETENTION_WRITER, COMMAND_REJECTED, ARCHIVE_RESTORED),
          probe("GET", "/health", "health"),
          probe("GET", "/api/v1/health", "health"),
          probe("GET", "/ready", "ready"),
          probe("GET", "/ping", "ping"),
          probe("POST", "/ping", "ping"),
          probe("GET", "/metrics", "metrics"),
          new Row("GET", "/openapi.json", "anyone", List.of()));

  private static final Set<String> PATHS =
      ROWS.stream().map(Row::path).collect(Collectors.toUnmodifiableSet());

  private RouteCatalogue() {}

  /** Whether there is a route of that path, with {@code {id}} where an id stands. */
  static boolean knows(String path) {
    return PATHS.contains(path);
  }

  /** For whatever method; its events are only of tokens asked about. */
  private static Row forwardAuth(String path) {
    return new Row(
        "GET",
        path,
        "anyone: it is asked about the token that the original request presents",
        List.of(DECISIONS_DENIED));
  }

  private static Row probe(String method, String path, String name) {
    return route(
        method, path, "system:" + name + ":read or admin; anyone with --disable-authz " + name);
  }

  private static Row route(String method, String path, String permission, EventType... more) {
    List<EventType> appends = new ArrayList<>(List.of(AUTHENTICATION_FAILED, ACCESS_DENIED));
    appends.addAll(List.of(more));
    return new Row(method, path, permission, List.copyOf(appends));
  }
}

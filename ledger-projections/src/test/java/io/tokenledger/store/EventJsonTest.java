package io.tokenledger.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.audit.ControlEvent;
import io.tokenledger.audit.EventCatalogue;
import io.tokenledger.audit.EventDescription;
import io.tokenledger.audit.EventType;
import io.tokenledger.audit.RequestEvent;
import io.tokenledger.permission.Permissions;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenEvent;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The stored form of each event type is a contract: what is in a golden file is read for ever. */
class EventJsonTest {

  private static final Instant T0 = Instant.parse("2026-11-24T12:00:00.123Z");
  private static final SecretHash HASH = SecretHash.of("apiv3_golden");
  private static final TokenName NAME = new TokenName("größe, \"quoted\"");
  private static final TokenId ID = new TokenId(7);

  private static Object example(EventType type) {
    return switch (type) {
      case OPERATOR_TOKEN_CREATED ->
          new TokenEvent.OperatorTokenCreated(TokenName.OPERATOR, TokenId.OPERATOR, HASH, T0);
      case OPERATOR_TOKEN_REGENERATED ->
          new TokenEvent.OperatorTokenRegenerated(TokenName.OPERATOR, TokenId.OPERATOR, HASH, T0);
      case NAMED_ADMIN_CREATED ->
          new TokenEvent.NamedAdminCreated(NAME, ID, HASH, T0, Expiry.NEVER);
      case RESOURCE_TOKEN_CREATED ->
          new TokenEvent.ResourceTokenCreated(
              NAME,
              ID,
              HASH,
              Permissions.parse(List.of("db:a,b:read,write", "system:health:read")),
              T0,
              Expiry.after(T0, 604_800));
      case TOKEN_REVOKED -> new TokenEvent.TokenRevoked(NAME, ID, T0);
      case TOKEN_ROTATED -> new TokenEvent.TokenRotated(NAME, ID, HASH, T0, T0.plusSeconds(3_600));
      case TOKEN_SUSPENDED -> new TokenEvent.TokenSuspended(NAME, ID, T0);
      case TOKEN_RESUMED -> new TokenEvent.TokenResumed(NAME, ID, T0);
      case TOKEN_DESCRIBED -> new TokenEvent.TokenDescribed(NAME, ID, "sealed:1:00:AAAA", T0);
      case TOKEN_EXPIRY_CHANGED ->
          new TokenEvent.TokenExpiryChanged(NAME, ID, Expiry.NEVER, Expiry.after(T0, 60), T0);
      case TOKEN_PERMISSIONS_CHANGED ->
          new TokenEvent.TokenPermissionsChanged(
              NAME,
              ID,
              Permissions.parse(List.of("db:a:read")),
              Permissions.parse(List.of("db:a:read,write", "system:ping:read")),
              T0);
      case TOKEN_EXPIRED -> new TokenEvent.TokenExpired(NAME, ID, Expiry.after(T0, 60), T0);
      case TOKEN_EXPIRY_ANNOUNCED ->
          new TokenEvent.TokenExpiryAnnounced(NAME, ID, Expiry.after(T0, 60), 7, T0);
      case REPLAY_FINISHED ->
          new RequestEvent.ReplayFinished(
              "replay.swap", "equal", 200, null, 1, T0, T0.plusSeconds(2));
      case REPLAY_REQUESTED ->
          new RequestEvent.ReplayRequested("replay.swap", "granted", 200, "replay:7", 1, T0, T0);
      case PROJECTION_DRIFT_FOUND ->
          new ControlEvent.ProjectionDriftFound(
              "token_lookup",
              "streams after  until token:ingest",
              1,
              "ab".repeat(32),
              List.of("changed token_lookup secret_hash=\\x0123456789"));
      case ANSWER_REPEATED ->
          new RequestEvent.AnswerRepeated(
              "token.create", "idempotent_repeat", 201, "token:7", 2, T0, T0);
      case AUTHENTICATION_FAILED ->
          new RequestEvent.AuthenticationFailed("GET /health", "unknown_token", 401, 1, T0, T0);
      case ACCESS_DENIED ->
          new RequestEvent.AccessDenied(
              "POST /api/v1/check", "not_permitted", 403, null, 1, T0, T0);
      case COMMAND_REJECTED ->
          new RequestEvent.CommandRejected("token.create", "name_taken", 409, "x", 3, T0, T0);
      case DECISIONS_DENIED ->
          new RequestEvent.DecisionsDenied(
              "decision.check", "not_granted", 200, "token:7", 9, T0, T0.plusSeconds(59));
      case AUDIT_LOG_READ ->
          new RequestEvent.AuditLogRead(
              "audit.read",
              "admin_default",
              200,
              "GET /api/v1/audit/events",
              "actor=*&limit=100",
              0,
              null,
              null,
              48_240,
              3,
              T0,
              T0.plusSeconds(59));
      case AUDIT_EXPORTED ->
          new RequestEvent.AuditExported(
              "audit.export",
              "granted",
              200,
              "ndjson",
              "outcome=denied",
              17,
              4L,
              48_231L,
              48_240,
              "ab".repeat(32),
              1,
              T0,
              T0);
      case AUDIT_VERIFIED ->
          new RequestEvent.AuditVerified(
              "audit.verify", "granted", 200, "full", "ok", 48_240, 1, T0, T0);
      case AUDIT_PROOF_ISSUED ->
          new RequestEvent.AuditProofIssued(
              "audit.prove", "granted", 200, 48_231, 48_240, 1, T0, T0);
      default -> control(type);
    };
  }

  private static ControlEvent control(EventType type) {
    return switch (type) {
      case SERVICE_STARTED -> {
        Map<String, String> configuration = new LinkedHashMap<>();
        configuration.put("--node-id", "n1");
        configuration.put("--http-bind", "127.0.0.1:8181");
        yield new ControlEvent.ServiceStarted("0.1.0", configuration);
      }
      case SERVICE_STOPPED -> new ControlEvent.ServiceStopped();
      case CONFIGURATION_CHANGED ->
          new ControlEvent.ConfigurationChanged(
              List.of(new ControlEvent.ConfigurationChanged.Change("--tls-cert", null, "c.pem")));
      case AUDIT_HEARTBEAT -> new ControlEvent.AuditHeartbeat(48_240, -12);
      case CHECKPOINT_ANCHORED ->
          new ControlEvent.CheckpointAnchored("rfc3161", 48_240, "ab".repeat(32), "anchor:7");
      case WITNESS_REFUSED ->
          new ControlEvent.WitnessRefused("witness.example", 48_240, 422, "fork");
      case LOG_GENERATION_STARTED ->
          new ControlEvent.LogGenerationStarted(
              2, "ledger/2", "ledger/1", 48_240, "ledger/1\n48240\n", "restored a backup");
      case RESTORE_ACCEPTED -> new ControlEvent.RestoreAccepted(48_200, 48_240, 31, 4, 1_009);
      case SIGNING_KEY_ROTATED ->
          new ControlEvent.SigningKeyRotated("ledger+01+AAAA", "ledger+02+BBBB");
      case SIGNING_REFUSED -> new ControlEvent.SigningRefused("smaller_than_signed", 48_239);
      case GRANT_DRIFT_FOUND ->
          new ControlEvent.GrantDriftFound("ledger_app holds UPDATE on ledger.event");
      case FORGED_EVENT_FOUND ->
          new ControlEvent.ForgedEventFound(48_233, "0193a4f2-0000-7000-8000-000000000000");
      case UNREADABLE_EVENT_FOUND ->
          new ControlEvent.UnreadableEventFound(
              48_233, "0193a4f2-0000-7000-8000-000000000000", "unknown event type TokenEaten");
      case EVENT_QUARANTINED ->
          new ControlEvent.EventQuarantined(48_233, "0193a4f2-0000-7000-8000-000000000000");
      case EVENT_RELEASED ->
          new ControlEvent.EventReleased(48_233, "0193a4f2-0000-7000-8000-000000000000");
      case DELIVERY_REFUSED ->
          new ControlEvent.DeliveryRefused("siem", 48_231, "the receiver answered 422");
      case DEAD_LETTERS_REQUEUED -> new ControlEvent.DeadLettersRequeued("siem", 3, 48_231, 48_240);
      case SUBJECT_ERASED ->
          new ControlEvent.SubjectErased(
              "token:7", List.of("00112233445566778899aabbccddeeff0011223344556677"), 12);
      case LEGAL_HOLD_PLACED ->
          new ControlEvent.LegalHoldPlaced("case-17", "token:7", "ingest", T0, null);
      case ARCHIVE_RESTORED -> new ControlEvent.ArchiveRestored(0, 512, 1, 2, 3);
      case ARCHIVE_WRITTEN -> new ControlEvent.ArchiveWritten(2, 256, 131_328, "ab".repeat(32));
      case RETENTION_CHANGED -> new ControlEvent.RetentionChanged("requests", null, 400, false);
      case EVENTS_PRUNED ->
          new ControlEvent.EventsPruned(
              "reads", List.of("AuditLogRead", "AuditVerified"), T0, 0, 4_096, 17, List.of("9-12"));
      case EVENTS_WITHHELD ->
          new ControlEvent.EventsWithheld(
              "reads", "0193a4f2-0000-7000-8000-000000000000", 48_233, List.of("9-12"));
      case LEGAL_HOLD_LIFTED -> new ControlEvent.LegalHoldLifted("case-17");
      default -> throw new AssertionError("no example of " + type);
    };
  }

  private static String golden(EventType type) throws IOException {
    String file = "/golden/" + type.storedName() + "-" + type.revision() + ".json";
    try (InputStream in = EventJsonTest.class.getResourceAsStream(file)) {
      if (in == null) {
        throw new AssertionError(
            "no golden file " + file + " for " + EventJson.write(example(type)));
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).strip();
    }
  }

  @ParameterizedTest
  @EnumSource(EventType.class)
  void writesAndReadsWhatTheGoldenFileHolds(EventType type) throws IOException {
    assertEquals(golden(type), EventJson.write(example(type)));
    assertEquals(example(type), EventJson.read(type.storedName(), type.revision(), golden(type)));
  }

  @ParameterizedTest
  @EnumSource(EventType.class)
  void theCatalogueNamesExactlyTheFieldsOfThePayloadAndTheirTypes(EventType type) {
    List<String> stored = new ArrayList<>();
    List<String> catalogued = new ArrayList<>();
    List<EventDescription.Field> fields = EventCatalogue.of(type).fields();
    JsonNode payload = JsonMapper.shared().readTree(EventJson.write(example(type)));
    payload.properties().forEach(field -> stored.add(field.getKey()));
    fields.forEach(field -> catalogued.add(field.name()));
    assertEquals(stored, catalogued);
    for (EventDescription.Field field : fields) {
      JsonNode value = payload.path(field.name());
      boolean fits =
          value.isNull()
              || switch (field.type()) {
                case "string" -> value.isString();
                case "integer" -> value.isIntegralNumber();
                case "boolean" -> value.isBoolean();
                case "time" -> !Instant.parse(value.stringValue()).isBefore(T0);
                case "array" -> value.isArray();
                case "object" -> value.isObject();
                default -> false;
              };
      assertTrue(fits, field + " " + value);
      boolean sealed = value.isString() && value.stringValue().startsWith("sealed:1:");
      assertEquals(
          field.fieldClass() == EventDescription.FieldClass.PERSONAL_SEALED,
          sealed,
          "what is sealed is called so, and nothing else: " + field);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "{", "{}", "[]", "{\"name\":1}", "{\"name\":\"a\",\"id\":-1}"})
  void stopsAtABrokenPayload(String payload) {
    assertThrows(
        UnreadableEvent.class, () -> EventJson.read("TokenRevoked", "1", payload), payload);
  }

  @Test
  void stopsAtAnUnknownTypeOrRevision() {
    assertTrue(
        Stream.of(
                assertThrows(UnreadableEvent.class, () -> EventJson.read("TokenEaten", "1", "{}")),
                assertThrows(
                    UnreadableEvent.class, () -> EventJson.read("TokenRevoked", "2", "{}")))
            .allMatch(unreadable -> unreadable.getMessage().startsWith("unknown")));
    assertThrows(IllegalArgumentException.class, () -> EventJson.write("not an event"));
  }
}

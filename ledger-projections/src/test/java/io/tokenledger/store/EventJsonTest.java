package io.tokenledger.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

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

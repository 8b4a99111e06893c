package io.tokenledger.sealing;

import io.tokenledger.audit.Outcome;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.token.Actor;
import io.tokenledger.token.TokenId;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Envelopes as they are stored: every key of audit-design 1.2 that can be known at the time of
 * writing, null where it is not, with addresses, user agent, reason, ticket and human name sealed.
 *
 * <p>A sealed field is {@code sealed:1:KEY_ID:BASE64}: AES-256-GCM with a random 12-byte nonce in
 * front, the event id and the field's path as associated data, so that a sealed field cannot be
 * moved to another event or field.
 *
 * <p>What was changed or moved since does not open. A reader sees {@link #UNREADABLE} in its place
 * and the rest of the event as it is: one changed byte must not hide a page of the history from
 * those who look for it. That it was changed, the verification of the log proves.
 */
public final class Envelopes {

  /** Stands where a sealed field was changed or moved. */
  public static final String UNREADABLE = "unreadable: the sealed field does not open";

  private static final String NO_JSON = "unreadable: the stored text is no JSON";
  private static final String ERROR = "error";
  private static final Pattern KEY_ID = Pattern.compile("[0-9a-f]{48}");

  private static final JsonMapper JSON = JsonMapper.shared();
  private static final String SEALED = "sealed:1:";
  private static final String PAYLOAD = "payload.";
  private static final int NONCE_BYTES = 12;
  private static final int TAG_BITS = 128;

  /** One a thread: to look one up costs as much as to open a field. */
  private static final ThreadLocal<Cipher> CIPHERS =
      ThreadLocal.withInitial(
          () -> {
            try {
              return Cipher.getInstance("AES/GCM/NoPadding");
            } catch (GeneralSecurityException e) {
              throw new AssertionError("every Java platform seals with AES-GCM", e);
            }
          });

  /** What looks like a token in free text: someone pasted it, and it must not stay. */
  private static final Pattern SECRET = Pattern.compile("apiv3_[A-Za-z0-9_-]{8,}");

  private final SubjectKeys keys;
  private final LedgerKey ledgerKey;
  private final String logOrigin;
  private final String nodeId;
  private final SecureRandom random = new SecureRandom();

  /**
   * What an event adds to the circumstances of its request.
   *
   * @param targetId what it was done to, {@code token:7}; null when nothing existed
   * @param versionBefore sequence number of the stream before, null when it was empty
   * @param versionAfter sequence number of this event in its stream
   * @param changes what differs afterwards
   */
  public record What(
      String action,
      Outcome outcome,
      @Nullable String outcomeReason,
      int statusCode,
      @Nullable String targetType,
      @Nullable String targetId,
      @Nullable String targetName,
      @Nullable Long versionBefore,
      @Nullable Long versionAfter,
      List<Change> changes) {}

  /**
   * One difference, as JSON text values.
   *
   * @param path the attribute
   */
  public record Change(String path, @Nullable String before, @Nullable String after) {}

  public Envelopes(SubjectKeys keys, LedgerKey ledgerKey, String logOrigin, String nodeId) {
    this.keys = keys;
    this.ledgerKey = ledgerKey;
    this.logOrigin = logOrigin;
    this.nodeId = nodeId;
  }

  /** The envelope of the event with that id. */
  public String write(String eventId, Instant occurredAt, RequestContext context, What what) {
    String subject = subject(context, occurredAt);
    ObjectNode json = JSON.createObjectNode();
    json.put("log_origin", logOrigin);
    Actor actor = context.actor();
    ObjectNode who = json.putObject("actor");
    who.put("type", actor.type().wireName());
    who.put("id", actor.tokenId() == null ? null : "token:" + actor.tokenId());
    who.put("credential_id", actor.tokenId() == null ? null : actor.tokenId().value());
    who.put("name", actor.tokenName() == null ? null : actor.tokenName().value());
    who.put("auth_method", context.authMethod());
    json.put("on_behalf_of", seal(subject, eventId, "on_behalf_of", context.onBehalfOf()));
    json.putNull("approver");
    json.put("action", what.action());
    json.put("outcome", what.outcome().wireName());
    json.put("outcome_reason", what.outcomeReason());
    json.put("status_code", what.statusCode());
    ObjectNode target = json.putObject("target");
    target.put("type", what.targetType());
    target.put("id", what.targetId());
    target.put("name", what.targetName());
    target.put("version_before", what.versionBefore());
    target.put("version_after", what.versionAfter());
    ArrayNode changes = json.putArray("changes");
    for (Change change : what.changes()) {
      ObjectNode node = changes.addObject();
      node.put("path", change.path());
      node.put("before", change.before());
      node.put("after", change.after());
    }
    ObjectNode source = json.putObject("source");
    source.put("ip", seal(subject, eventId, "source.ip", context.sourceAddress()));
    source.put(
        "forwarded_for", seal(subject, eventId, "source.forwarded_for", context.forwardedFor()));
    source.put("forwarded_trusted", context.forwardedTrusted());
    if (context.sourcePort() == 0) {
      source.putNull("port");
    } else {
      source.put("port", context.sourcePort());
    }
    source.put("user_agent", seal(subject, eventId, "source.user_agent", context.userAgent()));
    source.put("client", context.client());
    json.put("service", "token-ledger");
    json.put("node", nodeId);
    json.putNull("tenant");
    json.put("request_id", context.requestId());
    json.put("correlation_id", context.correlationId());
    json.put("causation_id", context.causationId());
    json.put("trace_id", context.traceId());
    json.put("reason", seal(subject, eventId, "reason", context.reason()));
    json.put("ticket", seal(subject, eventId, "ticket", context.ticket()));
    json.put("subject", subject);
    return json.toString();
  }

  /** The text without what looks like a token in it. */
  public static String withoutSecrets(String text) {
    return SECRET.matcher(text).replaceAll("apiv3_***");
  }

  /**
   * Free text of a payload, sealed as the event's personal fields are; empty text stays empty.
   *
   * @param tokenId whose data it is: a text about a token goes when the token's key does
   * @param field its name in the payload
   */
  public String sealText(TokenId tokenId, String eventId, String field, String clear) {
    String sealed =
        clear.isEmpty() ? null : seal("token:" + tokenId, eventId, PAYLOAD + field, clear);
    return sealed == null ? "" : sealed;
  }

  /**
   * What {@link #sealText} sealed, in clear; null when its key is gone, {@link #UNREADABLE} when it
   * was changed or moved since.
   */
  public @Nullable String openText(String eventId, String field, String sealed) {
    return sealed.startsWith(SEALED) ? unseal(eventId, PAYLOAD + field, sealed) : sealed;
  }

  /** The payload for a reader who may see it, as {@link #open}. */
  public JsonNode openPayload(String eventId, String payload) {
    JsonNode json = read(payload);
    open(eventId, PAYLOAD.substring(0, PAYLOAD.length() - 1), json);
    return json;
  }

  /**
   * The envelope for a reader who may see it: every sealed field in clear, null where its key is
   * gone, {@link #UNREADABLE} where it was changed or moved since.
   *
   * @param metadata what {@link #write} made
   */
  public JsonNode open(String eventId, String metadata) {
    JsonNode json = read(metadata);
    open(eventId, "", json);
    return json;
  }

  /** A row that no node wrote, or that was changed, may hold anything. */
  private static JsonNode read(String stored) {
    try {
      return JSON.readTree(stored);
    } catch (JacksonException e) {
      return JSON.createObjectNode().put(ERROR, NO_JSON);
    }
  }

  private void open(String eventId, String path, JsonNode node) {
    if (!(node instanceof ObjectNode object)) {
      return;
    }
    for (var field : List.copyOf(object.properties())) {
      String fieldPath = path.isEmpty() ? field.getKey() : path + "." + field.getKey();
      JsonNode value = field.getValue();
      if (value.isString() && value.stringValue().startsWith(SEALED)) {
        object.put(field.getKey(), unseal(eventId, fieldPath, value.stringValue()));
      } else {
        open(eventId, fieldPath, value);
      }
    }
  }

  /**
   * Whose data the envelope holds: the person acted for, else the acting token, else the anonymous
   * callers of one day.
   */
  public String subject(RequestContext context, Instant occurredAt) {
    if (context.onBehalfOf() != null) {
      return person(context.onBehalfOf());
    }
    return switch (context.actor().type()) {
      case TOKEN -> "token:" + context.actor().tokenId();
      case SYSTEM -> "system";
      case ANONYMOUS -> "anonymous:" + occurredAt.toString().substring(0, 10);
    };
  }

  /** The subject that stands for the human of that name: nobody without the key can tell whom. */
  public String person(String name) {
    return "person:" + ledgerKey.pseudonym("person", name);
  }

  private @Nullable String seal(
      String subject, String eventId, String path, @Nullable String clear) {
    if (clear == null) {
      return null;
    }
    SubjectKeys.Key key = keys.forSubject(subject);
    byte[] nonce = new byte[NONCE_BYTES];
    random.nextBytes(nonce);
    byte[] text = withoutSecrets(clear).getBytes(StandardCharsets.UTF_8);
    try {
      byte[] box = crypt(Cipher.ENCRYPT_MODE, key, nonce, text, eventId, path);
      byte[] sealed = ByteBuffer.allocate(nonce.length + box.length).put(nonce).put(box).array();
      return SEALED + key.id() + ":" + Base64.getEncoder().encodeToString(sealed);
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform seals with AES-GCM", e);
    }
  }

  /** In clear; null when the key is gone. */
  private @Nullable String unseal(String eventId, String path, String sealed) {
    String[] parts = sealed.substring(SEALED.length()).split(":", 2);
    if (parts.length != 2 || !KEY_ID.matcher(parts[0]).matches()) {
      return UNREADABLE;
    }
    Optional<SubjectKeys.Key> key = keys.byId(parts[0]);
    if (key.isEmpty()) {
      return null;
    }
    try {
      ByteBuffer bytes = ByteBuffer.wrap(Base64.getDecoder().decode(parts[1]));
      if (bytes.remaining() < NONCE_BYTES + TAG_BITS / Byte.SIZE) {
        return UNREADABLE;
      }
      byte[] nonce = new byte[NONCE_BYTES];
      bytes.get(nonce);
      byte[] box = new byte[bytes.remaining()];
      bytes.get(box);
      byte[] clear = crypt(Cipher.DECRYPT_MODE, key.get(), nonce, box, eventId, path);
      return new String(clear, StandardCharsets.UTF_8);
    } catch (GeneralSecurityException | IllegalArgumentException e) {
      return UNREADABLE;
    }
  }

  private static byte[] crypt(
      int mode, SubjectKeys.Key key, byte[] nonce, byte[] input, String eventId, String path)
      throws GeneralSecurityException {
    Cipher cipher = CIPHERS.get();
    cipher.init(mode, key.secret(), new GCMParameterSpec(TAG_BITS, nonce));
    cipher.updateAAD((eventId + "/" + path).getBytes(StandardCharsets.UTF_8));
    return cipher.doFinal(input);
  }
}

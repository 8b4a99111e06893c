package io.tokenledger.sequence;

import io.tokenledger.store.EventTable;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Writes the entries that the log hashes: the event's header in clear, payload, metadata and MAC as
 * commitments, JSON with its keys in a fixed order and no spaces. Whoever has an entry sees that
 * and when something of which kind happened; whoever has body and salt too can check that it is the
 * one committed to; once the salt is gone the commitment tells nothing.
 *
 * <pre>
 * {"v":1,"gi":48233,"eid":"0193...","agg":"token:ingest","aty":"Token","seq":0,
 *  "type":"ResourceTokenCreated","rev":"1","at":"...","rec":"...","actor":"token:1",
 *  "act":"token.create","out":"success","tgt":"token:7","corr":"...",
 *  "pc":"HMAC-SHA256(payload salt, payload)","mc":"HMAC-SHA256(metadata salt, metadata)",
 *  "oc":"HMAC-SHA256(metadata salt, mac)"}
 * </pre>
 *
 * <p>Not for use by several threads.
 */
public final class LogEntries {

  /** Longer values stand as their hash: an entry must fit into a bundle, whatever a row holds. */
  private static final int MAX_VALUE_CHARS = 2_048;

  /** C2SP tlog-tiles: what an entry may have in a bundle; then more values stand as their hash. */
  private static final int MAX_BYTES = 65_535;

  private static final int MAX_VALUE_CHARS_OF_LONG_ONES = 64;

  private static final String HMAC = "HmacSHA256";
  private static final JsonMapper JSON = JsonMapper.shared();

  private final Mac mac;
  private final MessageDigest digest;

  public LogEntries() {
    try {
      mac = Mac.getInstance(HMAC);
      digest = MessageDigest.getInstance("SHA-256");
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform has HmacSHA256 and SHA-256", e);
    }
  }

  /**
   * What an entry commits to, 64 lower-case hexadecimal digits each.
   *
   * @param payload of the payload
   * @param metadata of the envelope
   * @param mac of the MAC
   */
  public record Commitments(String payload, String metadata, String mac) {

    /** Those that stand in an entry; empty where it is none. */
    public static Commitments in(byte[] entry) {
      try {
        JsonNode json = JSON.readTree(entry);
        return new Commitments(
            first(json.path("pc")), first(json.path("mc")), first(json.path("oc")));
      } catch (JacksonException e) {
        return new Commitments("", "", "");
      }
    }
  }

  /** The entry of that event. The same event gives the same bytes, whoever asks and whenever. */
  public byte[] write(LogRow event) {
    EventTable.Row row = event.row();
    return write(
        event,
        new Commitments(
            commitment(event.payloadSalt(), utf8(row.payload())),
            commitment(event.metadataSalt(), utf8(row.metadata())),
            commitment(event.metadataSalt(), event.mac())));
  }

  /** The entry of an event whose commitments cannot be made again, with those it once had. */
  public byte[] write(LogRow event, Commitments commitments) {
    byte[] entry = write(event, commitments, MAX_VALUE_CHARS);
    return entry.length <= MAX_BYTES
        ? entry
        : write(event, commitments, MAX_VALUE_CHARS_OF_LONG_ONES);
  }

  private byte[] write(LogRow event, Commitments commitments, int maxValueChars) {
    EventTable.Row row = event.row();
    JsonNode envelope = envelope(row.metadata());
    StringBuilder json = new StringBuilder(700);
    json.append("{\"v\":1,\"gi\":").append(event.globalIndex());
    text(json, maxValueChars, "eid", row.eventId());
    text(json, maxValueChars, "agg", row.aggregateId());
    text(json, maxValueChars, "aty", row.aggregateType());
    json.append(",\"seq\":").append(row.sequenceNumber());
    text(json, maxValueChars, "type", row.eventType());
    text(json, maxValueChars, "rev", row.revision());
    text(json, maxValueChars, "at", row.occurredAt());
    text(json, maxValueChars, "rec", event.recordedAt());
    text(json, maxValueChars, "actor", first(envelope.at("/actor/id"), envelope.at("/actor/type")));
    text(json, maxValueChars, "act", first(envelope.path("action")));
    text(json, maxValueChars, "out", first(envelope.path("outcome")));
    text(json, maxValueChars, "tgt", first(envelope.at("/target/id"), envelope.at("/target/name")));
    text(
        json,
        maxValueChars,
        "corr",
        first(envelope.path("correlation_id"), envelope.path("request_id")));
    text(json, maxValueChars, "pc", commitments.payload());
    text(json, maxValueChars, "mc", commitments.metadata());
    text(json, maxValueChars, "oc", commitments.mac());
    return utf8(json.append('}').toString());
  }

  /**
   * The commitment to a body, 64 lower-case hexadecimal digits; empty without a salt: a body cannot
   * be hidden by a commitment that anyone may guess.
   */
  public String commitment(byte @Nullable [] salt, byte[] body) {
    if (salt == null) {
      return "";
    }
    try {
      mac.init(new SecretKeySpec(salt, HMAC));
    } catch (GeneralSecurityException e) {
      throw new AssertionError("any bytes are a key", e);
    }
    return HexFormat.of().formatHex(mac.doFinal(body));
  }

  /** What a row holds that no node wrote may be anything; its entry then has an empty header. */
  private static JsonNode envelope(String metadata) {
    try {
      return JSON.readTree(metadata);
    } catch (JacksonException e) {
      return JSON.createObjectNode();
    }
  }

  private static String first(JsonNode... values) {
    for (JsonNode value : values) {
      if (value.isString()) {
        return value.stringValue();
      }
    }
    return "";
  }

  private void text(StringBuilder json, int maxValueChars, String key, String value) {
    json.append(",\"").append(key).append("\":\"");
    String shown = value;
    if (value.length() > maxValueChars) {
      shown = "sha256:" + HexFormat.of().formatHex(digest.digest(utf8(value)));
    }
    for (int i = 0; i < shown.length(); i++) {
      char c = shown.charAt(i);
      if (c == '"' || c == '\\') {
        json.append('\\').append(c);
      } else if (c < 0x20) {
        json.append("\\u00").append(HexFormat.of().toHexDigits((byte) c));
      } else {
        json.append(c);
      }
    }
    json.append('"');
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}

package io.tokenledger.sink;

import io.tokenledger.audit.EventCatalogue;
import io.tokenledger.audit.EventDescription;
import io.tokenledger.audit.EventType;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * OCSF 1.8.0: the class and activity of the catalogue's row. A type that this version does not know
 * is an Event Log Activity of the kind "other", so that nothing is left out.
 */
final class Ocsf {

  private static final String VERSION = "1.8.0";
  private static final EventDescription.Ocsf UNKNOWN = new EventDescription.Ocsf(1008, 99);
  private static final int OTHER = 99;

  private static final int EVENT_LOG_ACTIVITY = 1008;
  private static final int AUTHENTICATION = 3002;
  private static final int ENTITY_MANAGEMENT = 3004;

  /** The names of activities 0 to 13, by class. */
  private static final List<String> ENTITY_ACTIVITIES =
      List.of(
          "Unknown",
          "Create",
          "Read",
          "Update",
          "Delete",
          "Move",
          "Enroll",
          "Unenroll",
          "Enable",
          "Disable",
          "Activate",
          "Deactivate",
          "Suspend",
          "Resume");

  private static final List<String> API_ACTIVITIES =
      List.of("Unknown", "Create", "Read", "Update", "Delete");
  private static final List<String> LOGON_ACTIVITIES = List.of("Unknown", "Logon");
  private static final List<String> LOG_ACTIVITIES =
      List.of(
          "Unknown", "Clear", "Delete", "Export", "Archive", "Rotate", "Start", "Stop", "Restart",
          "Enable", "Disable");

  private static final JsonMapper JSON = JsonMapper.shared();

  private Ocsf() {}

  static byte[] write(Entry entry) {
    EventDescription.Ocsf kind =
        EventType.named(entry.eventType())
            .map(type -> EventCatalogue.of(type).ocsf())
            .orElse(UNKNOWN);
    ObjectNode json = JSON.createObjectNode();
    json.put("activity_id", kind.activityId());
    json.put("activity_name", activity(kind));
    json.put("category_uid", kind.classUid() / 1_000);
    json.put("class_uid", kind.classUid());
    json.put("type_uid", kind.classUid() * 100 + kind.activityId());
    writeOutcome(json, entry);
    long millis = millis(entry.occurredAt(), entry.recordedAt());
    json.put("time", millis);
    json.put("timezone_offset", 0);
    json.put("message", entry.text("action") + " by " + entry.actorName());
    writeRepeats(json, entry.payload());
    writeMetadata(json, entry);
    writeWho(json, entry, kind.classUid());
    writeWhere(json, entry);
    writeWhat(json, entry, kind.classUid());
    writeRest(json, entry, kind.classUid());
    return JSON.writeValueAsBytes(json);
  }

  private static String activity(EventDescription.Ocsf kind) {
    List<String> names =
        switch (kind.classUid()) {
          case ENTITY_MANAGEMENT -> ENTITY_ACTIVITIES;
          case AUTHENTICATION -> LOGON_ACTIVITIES;
          case EVENT_LOG_ACTIVITY -> LOG_ACTIVITIES;
          default -> API_ACTIVITIES;
        };
    return kind.activityId() < names.size() ? names.get(kind.activityId()) : "Other";
  }

  private static void writeOutcome(ObjectNode json, Entry entry) {
    boolean success = entry.outcome().equals("success");
    boolean denied = entry.outcome().equals("denied");
    json.put("severity_id", success ? 1 : denied ? 3 : 2);
    json.put("status_id", success ? 1 : 2);
    json.put("status", success ? "Success" : "Failure");
    JsonNode code = entry.envelope().path("status_code");
    if (code.isNumber()) {
      json.put("status_code", code.asString());
    }
    put(json, "status_detail", entry.text("outcome_reason"));
  }

  /** One entry may stand for many requests: how many, from when to when. */
  private static void writeRepeats(ObjectNode json, JsonNode payload) {
    if (payload.path("count").isIntegralNumber() && payload.path("count").canConvertToInt()) {
      json.put("count", payload.path("count").intValue());
      put(json, "start_time", payload.path("first"));
      put(json, "end_time", payload.path("last"));
    }
  }

  private static void put(ObjectNode json, String field, JsonNode time) {
    if (time.isString()) {
      try {
        json.put(field, Instant.parse(time.stringValue()).toEpochMilli());
      } catch (DateTimeParseException e) {
        // A row that was changed may say anything: it stands in the payload.
      }
    }
  }

  private static long millis(String time, Instant otherwise) {
    try {
      return Instant.parse(time).toEpochMilli();
    } catch (DateTimeParseException e) {
      return otherwise.toEpochMilli();
    }
  }

  private static void writeMetadata(ObjectNode json, Entry entry) {
    ObjectNode metadata = json.putObject("metadata");
    metadata.put("version", VERSION);
    ObjectNode product = metadata.putObject("product");
    product.put("name", "token-ledger");
    product.put("vendor_name", "Token Ledger");
    metadata.put("uid", entry.eventId());
    put(metadata, "correlation_uid", entry.text("correlation_id"));
    metadata.put("event_code", entry.eventType());
    metadata.put("log_name", entry.logOrigin());
    metadata.put("log_version", entry.revision());
    metadata.put("sequence", entry.leafIndex());
    metadata.put("original_time", entry.occurredAt());
    metadata.put("logged_time", entry.recordedAt().toEpochMilli());
    put(metadata, "tenant_uid", entry.text("tenant"));
  }

  private static void writeWho(ObjectNode json, Entry entry, int classUid) {
    ObjectNode actor = json.putObject("actor");
    ObjectNode user = actor.putObject("user");
    user.put("name", entry.actorName());
    put(user, "uid", entry.text("actor", "id"));
    // A token is a credential of a program; the human it acted for is named beside it.
    user.put("type_id", "system".equals(entry.text("actor", "type")) ? 3 : OTHER);
    user.put("type", "system".equals(entry.text("actor", "type")) ? "System" : "API Token");
    put(user, "full_name", entry.text("on_behalf_of"));
    put(user, "credential_uid", entry.text("actor", "id"));
    put(actor.putObject("session"), "uid", entry.text("request_id"));
    if (classUid == AUTHENTICATION) {
      json.putObject("user").put("name", entry.actorName());
      json.putObject("service").put("name", "token-ledger");
      put(json, "auth_protocol", entry.text("actor", "auth_method"));
    }
  }

  private static void writeWhere(ObjectNode json, Entry entry) {
    ObjectNode from = json.putObject("src_endpoint");
    String client = entry.text("source", "client");
    from.put("svc_name", client == null ? "unknown" : client);
    String address = entry.clientAddress();
    if (address != null && Addresses.isAddress(address)) {
      from.put("ip", address);
    }
    JsonNode port = entry.envelope().path("source").path("port");
    if (port.isIntegralNumber() && port.canConvertToInt()) {
      from.put("port", port.intValue());
    }
  }

  private static void writeWhat(ObjectNode json, Entry entry, int classUid) {
    switch (classUid) {
      case ENTITY_MANAGEMENT -> {
        ObjectNode entity = json.putObject("entity");
        String id = entry.text("target", "id");
        entity.put("uid", id == null ? "unknown" : id);
        put(entity, "name", entry.text("target", "name"));
        entity.put("type_id", OTHER);
        entity.put("type", "API Token");
        JsonNode version = entry.envelope().path("target").path("version_after");
        if (version.isNumber()) {
          entity.put("version", version.asString());
        }
        entity.set("data", entry.payload());
        put(json, "comment", comment(entry));
      }
      case EVENT_LOG_ACTIVITY -> {
        json.put("log_name", entry.logOrigin());
        json.put("log_provider", "token-ledger");
      }
      case AUTHENTICATION -> writeRequest(json, entry);
      default -> {
        ObjectNode api = json.putObject("api");
        String action = entry.payload().path("action").asString("");
        api.put("operation", action.isEmpty() ? String.valueOf(entry.text("action")) : action);
        api.putObject("service").put("name", "token-ledger");
        String requestId = entry.text("request_id");
        if (requestId != null) {
          api.putObject("request").put("uid", requestId);
        }
        writeRequest(json, entry);
      }
    }
    if (classUid == ENTITY_MANAGEMENT) {
      writeRequest(json, entry);
    }
  }

  private static void writeRequest(ObjectNode json, Entry entry) {
    ObjectNode request = json.putObject("http_request");
    put(request, "uid", entry.text("request_id"));
    put(request, "user_agent", entry.text("source", "user_agent"));
  }

  private static @Nullable String comment(Entry entry) {
    String ticket = entry.text("ticket");
    String reason = entry.text("reason");
    return ticket == null ? reason : reason == null ? ticket : ticket + ": " + reason;
  }

  /** What OCSF has no field for; the proof too, until it has. */
  private static void writeRest(ObjectNode json, Entry entry, int classUid) {
    ObjectNode unmapped = json.putObject("unmapped");
    ObjectNode tlog = unmapped.putObject("tlog");
    tlog.put("origin", entry.logOrigin());
    tlog.put("leaf_index", entry.leafIndex());
    tlog.put("leaf_hash", entry.leafHashBase64());
    unmapped.put("node", entry.text("node"));
    unmapped.put("action", entry.text("action"));
    if (classUid != ENTITY_MANAGEMENT) {
      put(unmapped, "comment", comment(entry));
      put(unmapped, "target", entry.text("target", "id"));
      unmapped.set("payload", entry.payload());
    }
  }

  private static void put(ObjectNode json, String field, @Nullable String value) {
    if (value != null) {
      json.put(field, value);
    }
  }
}

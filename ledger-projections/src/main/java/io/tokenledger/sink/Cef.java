package io.tokenledger.sink;

import java.time.Instant;
import java.time.format.DateTimeParseException;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * ArcSight's Common Event Format, version 0: a header of seven fields and {@code key=value} pairs
 * of its dictionary. {@code cn1} is the leaf's index, {@code cs1} the log: together the key.
 */
final class Cef {

  /** CEF bounds {@code cs6}; the whole payload is in the other formats. */
  private static final int MAX_DETAILS = 4_000;

  private static final String HEAD = "CEF:0|Token Ledger|token-ledger|1|";

  private Cef() {}

  static String write(Entry entry) {
    StringBuilder line = new StringBuilder(1_024).append(HEAD);
    header(line, entry.eventType());
    line.append('|');
    String action = entry.text("action");
    header(line, action == null ? entry.eventType() : action);
    line.append('|').append(severity(entry)).append('|');
    int start = line.length();
    put(line, start, "rt", millis(entry));
    put(line, start, "externalId", entry.eventId());
    put(line, start, "cn1Label", "leafIndex");
    put(line, start, "cn1", Long.toString(entry.leafIndex()));
    put(line, start, "cs1Label", "logOrigin");
    put(line, start, "cs1", entry.logOrigin());
    put(line, start, "act", action);
    put(line, start, "outcome", entry.outcome());
    put(line, start, "reason", entry.text("outcome_reason"));
    put(line, start, "suser", entry.actorName());
    put(line, start, "suid", entry.text("actor", "id"));
    putAddress(line, start, entry.clientAddress());
    JsonNode port = entry.envelope().path("source").path("port");
    put(line, start, "spt", port.isNumber() ? port.asString() : null);
    put(line, start, "requestClientApplication", entry.text("source", "user_agent"));
    put(line, start, "duser", entry.text("target", "name"));
    put(line, start, "duid", entry.text("target", "id"));
    put(line, start, "dvchost", entry.text("node"));
    JsonNode count = entry.payload().path("count");
    put(line, start, "cnt", count.isIntegralNumber() ? count.asString() : null);
    putLabelled(line, start, "cs2", "onBehalfOf", entry.text("on_behalf_of"));
    putLabelled(line, start, "cs3", "ticket", entry.text("ticket"));
    putLabelled(line, start, "cs4", "requestId", entry.text("request_id"));
    putLabelled(line, start, "cs5", "correlationId", entry.text("correlation_id"));
    String details = entry.payload().toString();
    putLabelled(
        line,
        start,
        "cs6",
        "payload",
        details.length() > MAX_DETAILS ? details.substring(0, MAX_DETAILS) : details);
    put(line, start, "msg", entry.text("reason"));
    return line.toString();
  }

  /** 0 to 10: 3 is low, 5 and 6 are medium. */
  private static int severity(Entry entry) {
    return switch (entry.outcome()) {
      case "success" -> 3;
      case "denied" -> 6;
      default -> 5;
    };
  }

  private static String millis(Entry entry) {
    try {
      return Long.toString(Instant.parse(entry.occurredAt()).toEpochMilli());
    } catch (DateTimeParseException e) {
      return Long.toString(entry.recordedAt().toEpochMilli());
    }
  }

  private static void putAddress(StringBuilder line, int start, @Nullable String address) {
    if (address == null) {
      return;
    }
    if (Addresses.isV4(address)) {
      put(line, start, "src", address);
    } else if (Addresses.isV6(address)) {
      putLabelled(line, start, "c6a2", "Source IPv6 Address", address);
    } else {
      put(line, start, "shost", address);
    }
  }

  private static void putLabelled(
      StringBuilder line, int start, String key, String label, @Nullable String value) {
    if (value != null) {
      put(line, start, key + "Label", label);
      put(line, start, key, value);
    }
  }

  private static void put(StringBuilder line, int start, String key, @Nullable String value) {
    if (value == null) {
      return;
    }
    if (line.length() > start) {
      line.append(' ');
    }
    line.append(key).append('=');
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      switch (c) {
        case '\\' -> line.append("\\\\");
        case '=' -> line.append("\\=");
        case '\n' -> line.append("\\n");
        case '\r' -> line.append("\\r");
        default -> line.append(Character.isISOControl(c) ? ' ' : c);
      }
    }
  }

  /** In the header a line's end cannot be written at all. */
  private static void header(StringBuilder line, String value) {
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if (c == '\\' || c == '|') {
        line.append('\\');
      }
      line.append(Character.isISOControl(c) ? ' ' : c);
    }
  }
}

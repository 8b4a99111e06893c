package io.tokenledger.server;

import io.tokenledger.token.Expiry;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.util.JsonRecyclerPools;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** JSON as this server writes it. */
final class JsonText {

  /** With buffers of each thread: a pool that all share is what decisions would wait for. */
  static final JsonMapper JSON =
      JsonMapper.builder(
              JsonFactory.builder().recyclerPool(JsonRecyclerPools.threadLocalPool()).build())
          .build();

  private static final DateTimeFormatter SECONDS =
      DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss'Z'").withZone(ZoneOffset.UTC);
  private static final DateTimeFormatter MILLIS =
      DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);

  private JsonText() {}

  /** {@code {"error":"..."}}. */
  static String error(String sentence) {
    return JSON.createObjectNode().put("error", sentence).toString();
  }

  static ObjectNode object() {
    return JSON.createObjectNode();
  }

  /** RFC 3339 in UTC, milliseconds left out when they are 0, as InfluxDB's chrono writes it. */
  static String time(Instant instant) {
    return (instant.toEpochMilli() % 1_000 == 0 ? SECONDS : MILLIS).format(instant);
  }

  /** The same for an expiry; null for never. */
  static @Nullable String time(Expiry expiry) {
    return expiry.isNever() ? null : time(expiry.instant());
  }
}

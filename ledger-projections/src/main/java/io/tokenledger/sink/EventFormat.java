package io.tokenledger.sink;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** How an entry is written for others. */
public enum EventFormat {
  /** CloudEvents 1.0 in its JSON format. */
  CLOUDEVENTS("application/cloudevents+json", "application/cloudevents-batch+json"),
  /** OCSF 1.8.0, JSON. */
  OCSF("application/json", "application/json"),
  /** ArcSight's Common Event Format, version 0: one line of text. */
  CEF("text/plain; charset=utf-8", "text/plain; charset=utf-8");

  /** All names, for messages. */
  public static final String NAMES =
      Arrays.stream(values()).map(EventFormat::wireName).collect(Collectors.joining(", "));

  private final String contentType;
  private final String batchContentType;

  EventFormat(String contentType, String batchContentType) {
    this.contentType = contentType;
    this.batchContentType = batchContentType;
  }

  /** The format of that lower-case name. */
  public static Optional<EventFormat> named(String name) {
    return Arrays.stream(values()).filter(format -> format.wireName().equals(name)).findFirst();
  }

  /** {@code cloudevents}, {@code ocsf} or {@code cef}. */
  public String wireName() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Of one entry. */
  public String contentType() {
    return contentType;
  }

  /** Of several: an array in JSON, lines of text. */
  public String batchContentType() {
    return batchContentType;
  }

  /** The entry in UTF-8, without a line's end. */
  public byte[] write(Entry entry) {
    return switch (this) {
      case CLOUDEVENTS -> CloudEvents.write(entry);
      case OCSF -> Ocsf.write(entry);
      case CEF -> Cef.write(entry).getBytes(StandardCharsets.UTF_8);
    };
  }
}

package io.tokenledger.sink;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * A receiver as the file of sinks describes it. Secrets stand in files of their own, which the
 * settings name.
 *
 * @param name 1 to 40 of {@code a-z 0-9 _ -}; its cursor is kept under it
 * @param type which {@link SinkFactory} opens it
 * @param url where the receiver is, without a login; null for a type that has other settings
 * @param fromNow whether what was before its first start is left out; else it begins with leaf 0
 * @param settings of the type, by name; files are relative to the file of sinks
 * @param directory where the file of sinks lies
 */
public record SinkTarget(
    String name,
    String type,
    @Nullable URI url,
    EventFormat format,
    boolean fromNow,
    Map<String, String> settings,
    Path directory) {

  /** Each has threads, a session and pages in memory. */
  static final int MAX_SINKS = 16;

  private static final Set<String> OF_EVERY_SINK = Set.of("name", "type", "url", "format", "from");
  private static final JsonMapper JSON =
      JsonMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  public SinkTarget {
    settings = Map.copyOf(settings);
    if (!name.matches("[a-z0-9_-]{1,40}")) {
      throw new IllegalArgumentException("name must be 1 to 40 of a-z, 0-9, _ and -, got " + name);
    }
    if (url != null && (url.getScheme() == null || url.getHost() == null)) {
      throw new IllegalArgumentException(name + ": url must name scheme and host");
    }
    if (url != null && url.getUserInfo() != null) {
      throw new IllegalArgumentException(name + ": url must hold no login");
    }
  }

  /**
   * Reads the file of sinks: {@code {"sinks":[{"name":...,"type":...}]}}.
   *
   * @throws IllegalArgumentException with the rule that is broken
   */
  public static List<SinkTarget> read(Path file) {
    JsonNode json;
    try {
      json = JSON.readTree(Files.readString(file, StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new IllegalArgumentException("--sinks " + file + " cannot be read", e);
    } catch (JacksonException e) {
      throw new IllegalArgumentException(
          "--sinks " + file + " is no JSON: " + e.getOriginalMessage(), e);
    }
    if (!json.isObject() || json.size() != 1 || !json.path("sinks").isArray()) {
      throw new IllegalArgumentException("--sinks " + file + " must hold {\"sinks\":[...]}");
    }
    Path directory = file.toAbsolutePath().getParent();
    List<SinkTarget> targets = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (JsonNode each : json.path("sinks")) {
      try {
        SinkTarget target = target(each, directory == null ? Path.of("") : directory);
        if (!names.add(target.name())) {
          throw new IllegalArgumentException("two sinks are named " + target.name());
        }
        targets.add(target);
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException("--sinks " + file + ": " + e.getMessage(), e);
      }
    }
    if (targets.size() > MAX_SINKS) {
      throw new IllegalArgumentException("--sinks " + file + ": more than " + MAX_SINKS + " sinks");
    }
    return List.copyOf(targets);
  }

  private static SinkTarget target(JsonNode json, Path directory) {
    if (!json.isObject()) {
      throw new IllegalArgumentException("each sink must be an object");
    }
    Map<String, String> fields = new LinkedHashMap<>();
    json.properties()
        .forEach(
            field -> {
              if (!field.getValue().isValueNode() || field.getValue().isNull()) {
                throw new IllegalArgumentException(field.getKey() + " must be a text or a number");
              }
              fields.put(field.getKey(), field.getValue().asString());
            });
    String name = required(fields, "name");
    String url = fields.get("url");
    String from = fields.getOrDefault("from", "first");
    if (!Set.of("first", "now").contains(from)) {
      throw new IllegalArgumentException(name + ": from must be first or now, got " + from);
    }
    Map<String, String> settings = new LinkedHashMap<>(fields);
    settings.keySet().removeAll(OF_EVERY_SINK);
    return new SinkTarget(
        name,
        required(fields, "type"),
        url == null ? null : uri(name, url),
        format(name, fields.getOrDefault("format", "cloudevents")),
        from.equals("now"),
        settings,
        directory);
  }

  private static String required(Map<String, String> fields, String field) {
    String value = fields.get(field);
    if (value == null) {
      throw new IllegalArgumentException(
          fields.getOrDefault("name", "a sink") + " has no " + field);
    }
    return value;
  }

  private static URI uri(String name, String text) {
    try {
      return URI.create(text);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(name + ": url must be a URL", e);
    }
  }

  private static EventFormat format(String name, String text) {
    return EventFormat.named(text)
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    name + ": format must be one of " + EventFormat.NAMES + ", got " + text));
  }

  /**
   * The place of the receiver, which this type needs.
   *
   * @throws IllegalArgumentException when it is missing or of another scheme
   */
  public URI requireUrl(String... schemes) {
    if (url == null || !List.of(schemes).contains(url.getScheme().toLowerCase(Locale.ROOT))) {
      throw new IllegalArgumentException(
          name + ": url must be one of " + String.join("://, ", schemes) + "://");
    }
    return url;
  }

  /** A file that a setting names; null where it is not set. */
  public @Nullable Path file(String setting) {
    String value = settings.get(setting);
    return value == null ? null : directory.resolve(value);
  }

  /**
   * What a file holds, without space around it; null where the setting is not set.
   *
   * @throws IllegalArgumentException when it cannot be read; says which, not what it holds
   */
  public @Nullable String secret(String setting) {
    Path file = file(setting);
    if (file == null) {
      return null;
    }
    try {
      return Files.readString(file, StandardCharsets.UTF_8).strip();
    } catch (IOException e) {
      throw new IllegalArgumentException(name + ": " + setting + " " + file + " cannot be read", e);
    }
  }

  /**
   * A number that a setting holds.
   *
   * @throws IllegalArgumentException when it is none from the first to the last
   */
  public int number(String setting, int byDefault, int first, int last) {
    String value = settings.get(setting);
    if (value == null) {
      return byDefault;
    }
    if (value.matches("\\d{1,9}")) {
      int number = Integer.parseInt(value);
      if (number >= first && number <= last) {
        return number;
      }
    }
    throw new IllegalArgumentException(
        name + ": " + setting + " must be " + first + " to " + last + ", got " + value);
  }

  /** Name, type and host, for the audit. Not the path: what some write there is a secret. */
  @Override
  public String toString() {
    String port = url == null || url.getPort() < 0 ? "" : ":" + url.getPort();
    String place = url == null ? "" : " " + url.getScheme() + "://" + url.getHost() + port;
    return name + "=" + type + place + " " + format.wireName();
  }
}

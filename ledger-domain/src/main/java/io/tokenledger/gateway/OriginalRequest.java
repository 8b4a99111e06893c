package io.tokenledger.gateway;

import io.tokenledger.gateway.Demand.Admin;
import io.tokenledger.gateway.Demand.Family;
import io.tokenledger.gateway.Demand.Grant;
import io.tokenledger.gateway.Demand.Grants;
import io.tokenledger.gateway.Demand.Refused;
import io.tokenledger.permission.Action;
import io.tokenledger.permission.ResourceType;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A request as a gateway received it. It is read more strictly than any server behind would: where
 * two readers could understand it differently (a path with an encoded letter, a parameter given
 * twice), it is refused, since the one who decides and the one who acts must see the same request.
 *
 * <p>Which route needs what is InfluxDB's, {@code influxdb3-token-surface} 4.3 and 4.5.
 */
public final class OriginalRequest {

  private static final int MAX_URI_CHARS = 64 * 1024;
  private static final int MAX_PARAMETERS = 64;

  /** Retention policies that name the database itself. */
  private static final Set<String> DEFAULT_POLICIES = Set.of("", "''", "autogen", "default");

  /** Parameters that decide something here, as every server spells them. */
  private static final Set<String> DECIDING = Set.of("db", "rp", "q", "p", "bucket");

  /** An admin's only, whatever policy is named: in 1.x it has one, {@code monitor}. */
  private static final String INTERNAL = "_internal";

  private static final Map<String, String> PROBES =
      Map.of(
          "/health", "health",
          "/api/v1/health", "health",
          "/ping", "ping",
          "/metrics", "metrics",
          "/ready", "ready");

  private final String method;
  private final String path;
  private final Map<String, String> parameters;
  private final @Nullable String unreadable;

  private OriginalRequest(
      String method, String path, Map<String, String> parameters, @Nullable String unreadable) {
    this.method = method;
    this.path = path;
    this.parameters = parameters;
    this.unreadable = unreadable;
  }

  /**
   * Reads it; what cannot be read is refused by {@link #demand()}, not here.
   *
   * @param method as received, upper case
   * @param uri path and query as received, nothing decoded
   */
  public static OriginalRequest of(String method, String uri) {
    int mark = uri.indexOf('?');
    String path = mark < 0 ? uri : uri.substring(0, mark);
    Map<String, String> parameters = new HashMap<>();
    String unreadable = uri.length() > MAX_URI_CHARS ? "uri_too_long" : unreadablePath(path);
    if (unreadable == null && mark >= 0) {
      unreadable = readParameters(uri.substring(mark + 1), parameters);
    }
    return new OriginalRequest(method, path, Map.copyOf(parameters), unreadable);
  }

  private static @Nullable String unreadablePath(String path) {
    if (!path.startsWith("/") || !consistsOf(path, "0123456789/.") || path.contains("//")) {
      return "ambiguous_path";
    }
    for (String segment : path.split("/", -1)) {
      if (segment.equals(".") || segment.equals("..")) {
        return "ambiguous_path";
      }
    }
    return null;
  }

  /** Whether every character is an ASCII letter, {@code _}, {@code -}, or one of those. */
  private static boolean consistsOf(String text, String others) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      boolean common = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
      if (!common && others.indexOf(c) < 0) {
        return false;
      }
    }
    return true;
  }

  private static @Nullable String readParameters(String query, Map<String, String> parameters) {
    // Old Go servers split at semicolons too, and some readers end at a fragment.
    if (query.indexOf(';') >= 0 || query.indexOf('#') >= 0) {
      return "ambiguous_query";
    }
    if (query.isEmpty()) {
      return null;
    }
    String[] pairs = query.split("&", -1);
    if (pairs.length > MAX_PARAMETERS) {
      return "ambiguous_query";
    }
    for (String pair : pairs) {
      int equals = pair.indexOf('=');
      String name = equals < 0 ? pair : pair.substring(0, equals);
      if (name.isEmpty() || !consistsOf(name, "")) {
        return "ambiguous_parameter_name";
      }
      String value;
      try {
        value = decoded(equals < 0 ? "" : pair.substring(equals + 1));
      } catch (CharacterCodingException e) {
        return "wrongly_encoded_parameter";
      }
      // Whether names are told apart by case is the server's own: here they are one, and one that
      // decides must not be what another server does not read.
      String known = name.toLowerCase(Locale.ROOT);
      if (DECIDING.contains(known) && !known.equals(name)) {
        return "ambiguous_parameter_name";
      }
      if (parameters.put(known, value) != null) {
        return "repeated_parameter";
      }
    }
    return null;
  }

  /** As forms are decoded: {@code +} is a space. */
  private static String decoded(String text) throws CharacterCodingException {
    byte[] bytes = new byte[text.length()];
    int length = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '%') {
        int high = i + 2 < text.length() ? Character.digit(text.charAt(i + 1), 16) : -1;
        int low = i + 2 < text.length() ? Character.digit(text.charAt(i + 2), 16) : -1;
        if (high < 0 || low < 0) {
          throw new CharacterCodingException();
        }
        bytes[length++] = (byte) (high * 16 + low);
        i += 2;
      } else if (c <= ' ' || c >= 0x7f) {
        throw new CharacterCodingException();
      } else {
        bytes[length++] = (byte) (c == '+' ? ' ' : c);
      }
    }
    // Reports what is no UTF-8, unlike the constructor of String.
    String value =
        StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, 0, length)).toString();
    if (value.indexOf(0) >= 0) {
      throw new CharacterCodingException();
    }
    return value;
  }

  /**
   * The secret in {@code p=}, where InfluxDB reads one: on {@code /write} and {@code /query} (1.7).
   */
  public @Nullable String password() {
    return path.equals("/write") || path.equals("/query") ? parameters.get("p") : null;
  }

  /** Whether it is a query of 1.x, whose clients know 401 and not 403 (1.8). */
  public boolean isVersionOneQuery() {
    return path.equals("/query");
  }

  /** What it needs to be let through. */
  public Demand demand() {
    Family family = family();
    if (unreadable != null) {
      return new Refused(family, unreadable);
    }
    String probe = PROBES.get(path);
    if (probe != null) {
      boolean reads = method.equals("GET") || (method.equals("HEAD") && probe.equals("ping"));
      return reads
          ? new Grants(family, Set.of(new Grant(ResourceType.SYSTEM, probe, Action.READ)))
          : new Refused(family, "unknown_route");
    }
    if (path.startsWith("/api/v3/configure/")
        || path.startsWith("/api/v3/enterprise/configure/")
        || path.startsWith("/api/v3/plugins/")
        || path.startsWith("/api/v3/engine/")) {
      return new Admin(family, "admin_only");
    }
    return switch (method + " " + path) {
      case "POST /write" -> write(family, names(parameters.get("db"), parameters.get("rp")));
      case "POST /api/v2/write" -> write(family, bucket(parameters.get("bucket")));
      case "POST /api/v3/write_lp" -> write(family, names(parameters.get("db"), null));
      case "GET /query" -> influxQl(family, parameters.get("rp"));
      // It has no policy of its own.
      case "GET /api/v3/query_influxql" -> influxQl(family, null);
      case "GET /api/v3/query_sql" -> sql(family);
      // A server reads the form in the body before the query: what the query says decides nothing.
      case "POST /query", "POST /api/v3/query_influxql", "POST /api/v3/query_sql" ->
          new Admin(family, "body_decides");
      default ->
          path.startsWith("/arrow.flight.protocol.FlightService/") && method.equals("POST")
              ? new Admin(family, "body_decides")
              : new Refused(family, "unknown_route");
    };
  }

  private Family family() {
    if (path.equals("/write") || path.equals("/query")) {
      return Family.V1;
    }
    return path.startsWith("/api/v2/") ? Family.V2 : Family.V3;
  }

  private static Demand write(Family family, Set<String> databases) {
    return databases.isEmpty()
        ? new Refused(family, "no_database")
        : new Grants(
            family, databases.stream().map(Grant::write).collect(Collectors.toUnmodifiableSet()));
  }

  private Demand sql(Family family) {
    String database = parameters.get("db");
    // One statement runs in one database; whatever it is, InfluxDB 3 has none that writes.
    return database == null || database.isEmpty()
        ? new Refused(family, "no_database")
        : new Grants(family, Set.of(Grant.read(database)));
  }

  private Demand influxQl(Family family, @Nullable String policy) {
    String query = parameters.get("q");
    if (query == null || query.isBlank()) {
      return new Refused(family, "no_query");
    }
    return InfluxQl.demand(family, query, parameters.get("db"), policy);
  }

  /**
   * The names under which grants know a database and a retention policy of 1.x (4.5): all that a
   * server may make of the two. InfluxDB 3 reads policies in lower case, 1.x as they are.
   *
   * @return none without a database
   */
  static Set<String> names(@Nullable String database, @Nullable String policy) {
    if (database == null || database.isEmpty()) {
      return Set.of();
    }
    if (database.equals(INTERNAL) || policy == null || DEFAULT_POLICIES.contains(policy)) {
      return Set.of(database);
    }
    String lower = policy.toLowerCase(Locale.ROOT);
    Set<String> names = new LinkedHashSet<>();
    names.add(DEFAULT_POLICIES.contains(lower) ? database : database + "/" + lower);
    names.add(database + "/" + policy);
    return names;
  }

  /** To 3.x a bucket is a name; 1.8 takes what is behind a slash for the policy. */
  private static Set<String> bucket(@Nullable String bucket) {
    int slash = bucket == null ? -1 : bucket.indexOf('/');
    if (bucket == null || slash < 0) {
      return names(bucket, null);
    }
    Set<String> names =
        new LinkedHashSet<>(names(bucket.substring(0, slash), bucket.substring(slash + 1)));
    names.add(bucket);
    return names;
  }
}

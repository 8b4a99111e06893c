package io.tokenledger.postgres;

import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A database and how to log in to it, from {@code
 * postgresql://USER:PASSWORD@HOST[:PORT][,HOST2...]/DB?params} (libpq's form) or {@code
 * jdbc:postgresql:...} with {@code user} and {@code password} among the parameters. Never prints
 * the password.
 */
public final class DatabaseUrl {

  private static final String JDBC = "jdbc:postgresql://";

  private final String hosts;
  private final String database;
  private final String user;
  private final String password;
  private final Map<String, String> parameters;

  private DatabaseUrl(
      String hosts, String database, String user, String password, Map<String, String> parameters) {
    this.hosts = hosts;
    this.database = database;
    this.user = user;
    this.password = password;
    this.parameters = parameters;
  }

  static DatabaseUrl of(String host, int port, String database, String user, String password) {
    return new DatabaseUrl(host + ":" + port, database, user, password, defaults(Map.of(), false));
  }

  /**
   * Reads either form.
   *
   * @throws IllegalArgumentException naming the rule that is broken; the text itself is not
   *     repeated, for it may hold a password
   */
  public static DatabaseUrl parse(String text) {
    String rest;
    if (text.startsWith(JDBC)) {
      rest = text.substring(JDBC.length());
    } else if (text.startsWith("postgresql://")) {
      rest = text.substring("postgresql://".length());
    } else if (text.startsWith("postgres://")) {
      rest = text.substring("postgres://".length());
    } else {
      throw new IllegalArgumentException(
          "the database URL must start with postgresql:// or jdbc:postgresql://");
    }
    Map<String, String> given = new LinkedHashMap<>();
    int question = rest.indexOf('?');
    if (question >= 0) {
      for (String pair : rest.substring(question + 1).split("&")) {
        int equals = pair.indexOf('=');
        if (equals > 0) {
          given.put(decode(pair.substring(0, equals)), decode(pair.substring(equals + 1)));
        }
      }
      rest = rest.substring(0, question);
    }
    String user = given.remove("user");
    String password = given.remove("password");
    int at = rest.lastIndexOf('@');
    if (at >= 0) {
      String login = rest.substring(0, at);
      int colon = login.indexOf(':');
      user = decode(colon < 0 ? login : login.substring(0, colon));
      password = colon < 0 ? password : decode(login.substring(colon + 1));
      rest = rest.substring(at + 1);
    }
    int slash = rest.indexOf('/');
    String database = slash < 0 ? "" : decode(rest.substring(slash + 1));
    String hosts = slash < 0 ? rest : rest.substring(0, slash);
    require(!hosts.isEmpty(), "the database URL must name a host");
    require(!database.isEmpty(), "the database URL must name a database after the host");
    require(user != null && !user.isEmpty(), "the database URL must name a user");
    require(
        password != null && !password.isEmpty(),
        "the database URL must hold a password: the lesser roles' passwords are derived from it");
    return new DatabaseUrl(
        hosts,
        database,
        String.valueOf(user),
        String.valueOf(password),
        defaults(given, hosts.contains(",")));
  }

  private static Map<String, String> defaults(Map<String, String> given, boolean severalHosts) {
    Map<String, String> parameters = new LinkedHashMap<>();
    if (severalHosts) {
      parameters.put("targetServerType", "primary");
    }
    // Seconds: a dead server is noticed, a slow statement is not taken for one.
    parameters.put("connectTimeout", "2");
    parameters.put("socketTimeout", "60");
    parameters.put("tcpKeepAlive", "true");
    parameters.put("ApplicationName", "token-ledger");
    // Its errors are logged, and would hold the values that a failed statement was given.
    parameters.put("logServerErrorDetail", "false");
    parameters.putAll(given);
    return parameters;
  }

  private static String decode(String text) {
    return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
  }

  private static void require(boolean rule, String message) {
    if (!rule) {
      throw new IllegalArgumentException(message);
    }
  }

  /** The same server and database with another login. */
  public DatabaseUrl as(String newUser, String newPassword) {
    return new DatabaseUrl(hosts, database, newUser, newPassword, parameters);
  }

  /** The same server and login with another database. */
  public DatabaseUrl on(String newDatabase) {
    return new DatabaseUrl(hosts, newDatabase, user, password, parameters);
  }

  /** The same with another value of a parameter of the JDBC driver. */
  public DatabaseUrl with(String parameter, String value) {
    Map<String, String> changed = new LinkedHashMap<>(parameters);
    changed.put(parameter, value);
    return new DatabaseUrl(hosts, database, user, password, changed);
  }

  /** For the JDBC driver, without user and password. */
  public String jdbcUrl() {
    return JDBC
        + hosts
        + "/"
        + encode(database)
        + parameters.entrySet().stream()
            .map(entry -> entry.getKey() + "=" + encode(entry.getValue()))
            .collect(Collectors.joining("&", "?", ""));
  }

  private static String encode(@Nullable String text) {
    return URLEncoder.encode(String.valueOf(text), StandardCharsets.UTF_8).replace("+", "%20");
  }

  public String database() {
    return database;
  }

  public String user() {
    return user;
  }

  /** The password. For the driver only. */
  public String password() {
    return password;
  }

  @Override
  public String toString() {
    return "postgresql://" + user + ":***@" + hosts + "/" + database;
  }
}

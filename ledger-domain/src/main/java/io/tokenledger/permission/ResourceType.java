package io.tokenledger.permission;

import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * What kind of thing a permission speaks of. {@link #DB} and {@link #SYSTEM} are InfluxDB's; {@link
 * #LEDGER} is this product's own and is reached by no wildcard of the other two.
 */
public enum ResourceType {
  /** Databases, by name. A named database need not exist yet. */
  DB(
      "database",
      EnumSet.of(Action.CREATE, Action.DESCRIBE, Action.READ, Action.WRITE, Action.DELETE),
      List.of()),

  /** The four probe endpoints of a server. */
  SYSTEM("system", EnumSet.of(Action.READ), List.of("health", "metrics", "ping", "ready")),

  /** The ledger itself: who may manage tokens, ask decisions, read the audit, replay, retain. */
  LEDGER(
      "ledger",
      EnumSet.of(Action.READ, Action.WRITE),
      List.of("tokens", "check", "audit", "replay", "retention"));

  /** A database that only an admin token reaches, whatever the grants say (InfluxDB: id 0). */
  static final String INTERNAL_DATABASE = "_internal";

  private static final int MAX_DATABASE_NAME_BYTES = 511;

  private final String inMessages;
  private final Set<Action> actions;
  private final List<String> fixedNames;

  ResourceType(String inMessages, Set<Action> actions, List<String> fixedNames) {
    this.inMessages = inMessages;
    this.actions = actions;
    this.fixedNames = fixedNames;
  }

  /** The lower-case wire form: {@code db}, {@code system} or {@code ledger}. */
  public String wireName() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The type of that wire name.
   *
   * @throws InvalidPermission when there is none, or it is {@code *}, which only admin tokens hold
   */
  public static ResourceType parse(String text) {
    for (ResourceType type : values()) {
      if (type.wireName().equals(text)) {
        return type;
      }
    }
    throw new InvalidPermission(
        text.equals(Permission.WILDCARD)
            ? "* resource type can only be set for admin token"
            : "resource type not supported " + text);
  }

  Action parseAction(String text) {
    for (Action action : actions) {
      if (action.wireName().equals(text)) {
        return action;
      }
    }
    throw new InvalidPermission("action not supported, " + inMessages + " action " + text);
  }

  /**
   * The canonical form of a resource name.
   *
   * @throws InvalidPermission when no resource of this type can have that name
   */
  String parseName(String text) {
    if (this == DB) {
      if (!isDatabaseName(text)) {
        throw new InvalidPermission("invalid resource name " + text);
      }
      return text;
    }
    String name = canonicalName(text);
    if (!fixedNames.contains(name)) {
      throw new InvalidPermission("invalid resource name " + text);
    }
    return name;
  }

  /** The form under which a requested name is looked up: system names are caseless, others not. */
  String canonicalName(String requested) {
    return this == SYSTEM ? requested.strip().toLowerCase(Locale.ROOT) : requested;
  }

  /**
   * InfluxDB's {@code validate_db_name}: an ASCII letter or digit, then letters, digits, {@code _}
   * and {@code -}, at most one {@code /} (database and retention policy), 511 bytes at most.
   */
  private static boolean isDatabaseName(String name) {
    if (name.isEmpty() || name.length() > MAX_DATABASE_NAME_BYTES) {
      return false;
    }
    if (!isAsciiAlphanumeric(name.charAt(0))) {
      return false;
    }
    int slashes = 0;
    for (int i = 1; i < name.length(); i++) {
      char c = name.charAt(i);
      if (c == '/') {
        slashes++;
      } else if (!isAsciiAlphanumeric(c) && c != '_' && c != '-') {
        return false;
      }
    }
    return slashes <= 1;
  }

  private static boolean isAsciiAlphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  }
}

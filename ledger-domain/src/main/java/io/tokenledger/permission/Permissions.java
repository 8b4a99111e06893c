package io.tokenledger.permission;

import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * All that a token may do. Evaluation is InfluxDB's: the entry for exactly this resource decides
 * alone when there is one, else the wildcard of its type, never the union of both. So {@code
 * db:a:read} beside {@code db:*:write} lets {@code a} be read and not written.
 */
public final class Permissions {

  /** How an admin token's permissions are written. */
  public static final String ADMIN_TEXT = "*:*:*";

  private static final int MAX_ENTRIES = 1_000;

  private static final Permissions ADMIN = new Permissions(true, List.of());
  private static final Permissions NONE = new Permissions(false, List.of());

  private final boolean admin;
  private final List<Permission> entries;
  private final Map<ResourceType, Map<String, EnumSet<Action>>> granted =
      new EnumMap<>(ResourceType.class);

  private record Resource(ResourceType type, String name) {}

  private Permissions(boolean admin, List<Permission> entries) {
    this.admin = admin;
    this.entries = entries;
    for (Permission entry : entries) {
      for (String name : entry.names()) {
        granted
            .computeIfAbsent(entry.type(), type -> new HashMap<>())
            .computeIfAbsent(name, key -> EnumSet.noneOf(Action.class))
            .addAll(entry.actions());
      }
    }
  }

  /** Everything on everything, the power of an operator or named admin token. */
  public static Permissions admin() {
    return ADMIN;
  }

  /** Nothing: what an anonymous caller holds. No token can be created with it. */
  public static Permissions none() {
    return NONE;
  }

  /**
   * The union of these grants. Entries with the same type and the same names become one.
   *
   * @throws InvalidPermission when there is none: such a token could do nothing, and its maker
   *     would find out late
   */
  public static Permissions of(Collection<Permission> permissions) {
    if (permissions.isEmpty()) {
      throw new InvalidPermission("permissions must hold at least one permission");
    }
    if (permissions.size() > MAX_ENTRIES) {
      throw new InvalidPermission("permissions must not hold more than 1000 permissions");
    }
    Map<List<Object>, Permission> merged = new LinkedHashMap<>();
    for (Permission permission : permissions) {
      merged.merge(
          List.of(permission.type(), Set.copyOf(permission.names())),
          permission,
          (known, again) -> known.withAlso(again.actions()));
    }
    return new Permissions(false, List.copyOf(merged.values()));
  }

  /**
   * The permissions of these text forms; {@code *:*:*} alone stands for {@link #admin()}. An
   * inverse of {@link #texts()}.
   */
  public static Permissions parse(Collection<String> texts) {
    if (texts.size() == 1 && texts.contains(ADMIN_TEXT)) {
      return ADMIN;
    }
    List<Permission> parsed = new ArrayList<>(texts.size());
    for (String text : texts) {
      parsed.add(Permission.parse(text));
    }
    return of(parsed);
  }

  /** The entries in canonical text form, in the order given. */
  public List<String> texts() {
    return admin ? List.of(ADMIN_TEXT) : entries.stream().map(Permission::toString).toList();
  }

  public boolean isAdmin() {
    return admin;
  }

  /** Whether any entry speaks of this type; an admin's speak of none by name. */
  public boolean mention(ResourceType type) {
    return entries.stream().anyMatch(entry -> entry.type() == type);
  }

  /**
   * Whether an entry speaks of this resource by its name or by the wildcard of its type, with
   * whatever action. False for an admin, whose power is not an entry.
   */
  public boolean mention(ResourceType type, String name) {
    return exact(type, name) != null || exact(type, Permission.WILDCARD) != null;
  }

  /**
   * Whether this action may be done to this resource.
   *
   * @param name a database, or one of the fixed names of the type; not a wildcard. A name that no
   *     grant could hold is simply not granted
   */
  public Decision decide(ResourceType type, String name, Action action) {
    if (admin) {
      return new Decision(true, ADMIN_TEXT);
    }
    EnumSet<Action> deciding = deciding(type, name);
    if (deciding == null) {
      return new Decision(false, null);
    }
    String canonical = type.canonicalName(name);
    String found = exact(type, canonical) == null ? Permission.WILDCARD : canonical;
    return new Decision(
        deciding.contains(action), new Permission(type, List.of(found), deciding).toString());
  }

  /** {@link #decide} without a word on why, and without allocating anything. */
  public boolean allow(ResourceType type, String name, Action action) {
    if (admin) {
      return true;
    }
    EnumSet<Action> deciding = deciding(type, name);
    return deciding != null && deciding.contains(action);
  }

  /** The actions of the one entry that decides about this resource; null when there is none. */
  private @Nullable EnumSet<Action> deciding(ResourceType type, String name) {
    if (type == ResourceType.DB
        && (name.equals(ResourceType.INTERNAL_DATABASE)
            || name.startsWith(ResourceType.INTERNAL_DATABASE + "/"))) {
      return null;
    }
    EnumSet<Action> exact = exact(type, type.canonicalName(name));
    return exact != null ? exact : exact(type, Permission.WILDCARD);
  }

  private @Nullable EnumSet<Action> exact(ResourceType type, String name) {
    Map<String, EnumSet<Action>> names = granted.get(type);
    return names == null ? null : names.get(name);
  }

  /**
   * Whether this grants nothing that the other does not: for each resource that either names, and
   * for the wildcard of each type, which stands for all that neither names.
   */
  public boolean isWithin(Permissions other) {
    if (equals(other) || other.admin) {
      return true;
    }
    if (admin) {
      return false;
    }
    Set<Resource> resources = new HashSet<>();
    for (Permissions each : List.of(this, other)) {
      each.granted.forEach(
          (type, names) -> names.keySet().forEach(name -> resources.add(new Resource(type, name))));
    }
    return resources.stream()
        .allMatch(resource -> other.actions(resource).containsAll(actions(resource)));
  }

  private EnumSet<Action> actions(Resource resource) {
    EnumSet<Action> exact = exact(resource.type(), resource.name());
    EnumSet<Action> found = exact != null ? exact : exact(resource.type(), Permission.WILDCARD);
    return found == null ? EnumSet.noneOf(Action.class) : found;
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Permissions that && admin == that.admin && entries.equals(that.entries);
  }

  @Override
  public int hashCode() {
    return entries.hashCode();
  }

  /** The canonical text forms, separated by a space. */
  @Override
  public String toString() {
    return texts().stream().collect(Collectors.joining(" "));
  }
}

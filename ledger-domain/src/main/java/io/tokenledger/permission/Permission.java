package io.tokenledger.permission;

import java.util.Arrays;
import java.util.Collections;
import java.util.EnumSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * One grant: some actions on some resources of one type, or on all of them.
 *
 * <p>Names keep the order in which they were given and actions the order of {@link Action};
 * repeated ones are merged. Two ways lead here, the text form {@code db:A,B:read,write} of the
 * command line and the lists of the JSON form; both obey the same rules.
 *
 * @param type what the names name
 * @param names the resources, at least one; {@code *} stands alone and means every resource of the
 *     type
 * @param actions what is granted, at least one
 */
public record Permission(ResourceType type, List<String> names, Set<Action> actions) {

  static final String WILDCARD = "*";

  private static final int MAX_NAMES = 10_000;

  public Permission {
    if (names.isEmpty()) {
      throw new InvalidPermission("resource_names must name at least one resource");
    }
    if (names.size() > MAX_NAMES) {
      throw new InvalidPermission("resource_names must not name more than 10000 resources");
    }
    if (actions.isEmpty()) {
      throw new InvalidPermission("actions must name at least one action");
    }
    if (names.size() > 1 && names.contains(WILDCARD)) {
      throw new InvalidPermission("mixed wildcard (*) and resource name");
    }
    names = List.copyOf(names);
    EnumSet<Action> ordered = EnumSet.noneOf(Action.class);
    ordered.addAll(actions);
    actions = Collections.unmodifiableSet(ordered);
  }

  /**
   * The grant that the three parts of the JSON form describe.
   *
   * @param resourceType {@code db}, {@code system} or {@code ledger}
   * @param resourceNames names, or {@code *} alone
   * @param actions wire names of actions
   * @throws InvalidPermission when a part is empty, unknown to the type, or mixes {@code *} with
   *     names
   */
  public static Permission of(
      String resourceType, List<String> resourceNames, List<String> actions) {
    ResourceType type = ResourceType.parse(resourceType);
    Set<String> names = new LinkedHashSet<>();
    for (String name : resourceNames) {
      names.add(name.equals(WILDCARD) ? name : type.parseName(name));
    }
    EnumSet<Action> parsed = EnumSet.noneOf(Action.class);
    for (String action : actions) {
      parsed.add(type.parseAction(action));
    }
    return new Permission(type, List.copyOf(names), parsed);
  }

  /**
   * The grant that a text such as {@code db:A,B:read,write} describes. An inverse of {@link
   * #toString()}.
   *
   * @throws InvalidPermission when the text has not exactly three parts, or as in {@link #of}
   */
  public static Permission parse(String text) {
    String[] parts = text.split(":", -1);
    if (parts.length != 3) {
      throw new InvalidPermission(
          "expected RESOURCE_TYPE:RESOURCE_NAMES:ACTIONS, for example db:mydb:read,write, got "
              + text);
    }
    return of(parts[0], list(parts[1]), list(parts[2]));
  }

  private static List<String> list(String text) {
    return text.isEmpty() ? List.of() : Arrays.asList(text.split(",", -1));
  }

  boolean isWildcard() {
    return names.get(0).equals(WILDCARD);
  }

  Permission withAlso(Set<Action> more) {
    EnumSet<Action> union = EnumSet.copyOf(actions);
    union.addAll(more);
    return new Permission(type, names, union);
  }

  /** The canonical text form, for example {@code db:A,B:read,write}. */
  @Override
  public String toString() {
    return type.wireName()
        + ":"
        + String.join(",", names)
        + ":"
        + actions.stream().map(Action::wireName).collect(Collectors.joining(","));
  }
}

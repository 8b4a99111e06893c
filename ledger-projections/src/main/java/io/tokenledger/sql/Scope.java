package io.tokenledger.sql;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The names that an expression can see: the columns of the relations beside it, and of those around
 * it. PostgreSQL runs {@code f(t)} for {@code t.f} where {@code t} has no column {@code f}, so a
 * name that is not certainly a column must not reach it.
 */
final class Scope {

  private final @Nullable Scope outer;
  private final Map<String, Set<String>> columns = new HashMap<>();
  private final Set<String> unqualified = new HashSet<>();
  private final Set<String> outputs = new HashSet<>();

  /**
   * @param outer what is around; null for the outermost query
   */
  Scope(@Nullable Scope outer) {
    this.outer = outer;
  }

  /** A name as PostgreSQL takes it: without quotes, and in lower case where it had none. */
  static String folded(String name) {
    return name.startsWith("\"") && name.endsWith("\"") && name.length() > 2
        ? name.substring(1, name.length() - 1)
        : name.toLowerCase(Locale.ROOT);
  }

  /**
   * Adds a relation.
   *
   * @param name what qualifies its columns; null where nothing can
   */
  void add(@Nullable String name, List<String> itsColumns) {
    if (name != null) {
      columns.computeIfAbsent(name, any -> new HashSet<>()).addAll(itsColumns);
    }
    unqualified.addAll(itsColumns);
  }

  /** Adds names of the query's own output, which ORDER BY and GROUP BY may use. */
  void addOutputs(List<String> names) {
    outputs.addAll(names);
  }

  /**
   * Whether that is a column, of every relation in sight that has the qualifier. The nearest one
   * does not always hide those around it: in the ON of a join PostgreSQL does not see what stands
   * before a comma, and takes the outer relation of that name.
   */
  boolean has(@Nullable String qualifier, String column) {
    if (qualifier == null) {
      return unqualified.contains(column)
          || outputs.contains(column)
          || (outer != null && outer.has(null, column));
    }
    return has(qualifier, column, false);
  }

  private boolean has(String qualifier, String column, boolean found) {
    Set<String> its = columns.get(qualifier);
    if (its != null && !its.contains(column)) {
      return false;
    }
    boolean now = found || its != null;
    return outer == null ? now : outer.has(qualifier, column, now);
  }

  /** Whether a relation of that name is beside the expression itself. */
  boolean hasRelation(String qualifier) {
    return columns.containsKey(qualifier);
  }
}

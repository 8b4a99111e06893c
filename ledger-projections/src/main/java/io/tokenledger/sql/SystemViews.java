package io.tokenledger.sql;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** The views of schema {@code system} and their columns, in their order, as the schema has them. */
public final class SystemViews {

  /** Every view there is. */
  public static final Map<String, List<String>> ALL =
      Map.of(
          "tokens",
          List.of(
              "token_id",
              "name",
              "hash",
              "created_at",
              "description",
              "created_by_token_id",
              "updated_at",
              "updated_by_token_id",
              "expiry",
              "permissions"),
          "token_history",
          List.of(
              "token_id",
              "name",
              "kind",
              "state",
              "hash",
              "created_at",
              "created_by",
              "created_by_token_id",
              "description",
              "updated_at",
              "updated_by",
              "updated_by_token_id",
              "expiry",
              "suspended_at",
              "revoked_at",
              "revoked_by",
              "revoked_by_token_id",
              "last_used_at",
              "permissions"),
          "audit_log",
          List.of(
              "leaf_index",
              "time",
              "event_type",
              "action",
              "outcome",
              "outcome_reason",
              "actor_type",
              "actor_token_id",
              "actor_name",
              "target_id",
              "target_name",
              "request_id",
              "request_count"));

  private static final String HASH = "hash";

  private SystemViews() {}

  /**
   * Some of them, with their columns.
   *
   * @param withHashes whether hashes are shown; InfluxDB leaves the column out where nobody is
   *     asked for a token ({@code influxdb3-token-surface} 1.7)
   */
  public static Map<String, List<String>> of(Set<String> names, boolean withHashes) {
    Map<String, List<String>> views = new TreeMap<>();
    ALL.forEach(
        (name, columns) -> {
          if (names.contains(name)) {
            views.put(
                name,
                withHashes ? columns : columns.stream().filter(c -> !c.equals(HASH)).toList());
          }
        });
    return views;
  }
}

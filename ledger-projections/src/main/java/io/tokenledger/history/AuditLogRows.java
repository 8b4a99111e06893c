package io.tokenledger.history;

import io.tokenledger.history.AuditFilter.Field;
import java.sql.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.postgresql.PGStatement;

/**
 * All SQL that reads {@code views.audit_log}. The conditions are the same in each statement; what
 * is null among the wanted values is folded away when the statement is planned, and what is left
 * finds its index.
 */
final class AuditLogRows {

  /** Leaves that one row of {@code views.audit_log_span} speaks of. */
  private static final long SPAN_LEAVES = 1_024;

  /** The columns that a query compares with texts, in the order of the parameters. */
  private static final List<Field> TEXT_FIELDS =
      List.of(
          Field.ACTION,
          Field.TARGET,
          Field.TOKEN,
          Field.OUTCOME,
          Field.TYPE,
          Field.REQUEST,
          Field.CORRELATION);

  private static final String SIZE =
      """
      SELECT coalesce(max(leaf_index) + 1, 0)
        FROM views.audit_log
      """;

  private static final String SPANS =
      """
      SELECT min(span), max(span)
        FROM views.audit_log_span
       WHERE (?::timestamptz IS NULL OR last_at >= ?::timestamptz)
         AND (?::timestamptz IS NULL OR first_at < ?::timestamptz)
      """;

  private static final String SEARCH =
      """
      SELECT log.leaf_index, log.global_index, event.event_id, log.event_type, event.revision,
             log.occurred_at, event.recorded_at, leaf.sequenced_at, log.action, log.outcome,
             log.outcome_reason, log.actor_type, log.actor_token_id, log.actor_name,
             log.target_id, log.target_name, log.request_id, log.request_count, event.payload,
             event.metadata,
             EXISTS (SELECT 1
                       FROM state.quarantine AS kept
                      WHERE kept.event_id = event.event_id
                        AND kept.state = 'quarantined') AS quarantined
        FROM views.audit_log AS log
       CROSS JOIN (SELECT ?::bigint      AS first_leaf,
                          ?::bigint      AS before_leaf,
                          ?::timestamptz AS since,
                          ?::timestamptz AS until,
                          ?::text        AS actor_is,
                          ?::text[]      AS actor,
                          ?::text[]      AS actor_like,
                          ?::text[]      AS actor_unlike,
                          ?::bigint[]    AS actor_id,
                          ?::bigint[]    AS actor_id_not,
                          ?::text        AS action_is,
                          ?::text[]      AS action,
                          ?::text[]      AS action_like,
                          ?::text[]      AS action_unlike,
                          ?::text        AS target_is,
                          ?::text[]      AS target,
                          ?::text[]      AS target_like,
                          ?::text[]      AS target_unlike,
                          ?::text        AS token_is,
                          ?::text[]      AS token,
                          ?::text[]      AS token_like,
                          ?::text[]      AS token_unlike,
                          ?::text        AS outcome_is,
                          ?::text[]      AS outcome,
                          ?::text[]      AS outcome_like,
                          ?::text[]      AS outcome_unlike,
                          ?::text        AS type_is,
                          ?::text[]      AS type,
                          ?::text[]      AS type_like,
                          ?::text[]      AS type_unlike,
                          ?::text        AS request_is,
                          ?::text[]      AS request,
                          ?::text[]      AS request_like,
                          ?::text[]      AS request_unlike,
                          ?::text        AS correlation_is,
                          ?::text[]      AS correlation,
                          ?::text[]      AS correlation_like,
                          ?::text[]      AS correlation_unlike) AS wanted
        JOIN ledger.event    AS event ON event.global_index = log.global_index
        JOIN audit.leaf      AS leaf  ON leaf.leaf_index = log.leaf_index
       WHERE log.leaf_index >= wanted.first_leaf
         AND log.leaf_index < wanted.before_leaf
         AND (wanted.since IS NULL OR log.occurred_at >= wanted.since)
         AND (wanted.until IS NULL OR log.occurred_at < wanted.until)
         AND (wanted.actor_is IS NULL OR log.actor_name = wanted.actor_is)
         AND (wanted.actor IS NULL
              OR log.actor_name = ANY (wanted.actor)
              OR log.actor_token_id = ANY (wanted.actor_id))
         AND (wanted.actor_like IS NULL
              OR log.actor_name LIKE ANY (wanted.actor_like)
              OR log.actor_token_id = ANY (wanted.actor_id))
         AND (wanted.actor_unlike IS NULL
              OR log.actor_name IS NULL
              OR NOT log.actor_name LIKE ANY (wanted.actor_unlike))
         AND (wanted.actor_id_not IS NULL
              OR log.actor_token_id IS NULL
              OR NOT log.actor_token_id = ANY (wanted.actor_id_not))
         AND (wanted.action_is IS NULL OR log.action = wanted.action_is)
         AND (wanted.action IS NULL OR log.action = ANY (wanted.action))
         AND (wanted.action_like IS NULL OR log.action LIKE ANY (wanted.action_like))
         AND (wanted.action_unlike IS NULL
              OR log.action IS NULL
              OR NOT log.action LIKE ANY (wanted.action_unlike))
         AND (wanted.target_is IS NULL
              OR log.target_id = wanted.target_is
              OR log.target_name = wanted.target_is)
         AND (wanted.target IS NULL
              OR log.target_id = ANY (wanted.target)
              OR log.target_name = ANY (wanted.target))
         AND (wanted.target_like IS NULL
              OR log.target_id LIKE ANY (wanted.target_like)
              OR log.target_name LIKE ANY (wanted.target_like))
         AND (wanted.target_unlike IS NULL
              OR coalesce(NOT log.target_id LIKE ANY (wanted.target_unlike), true)
                 AND coalesce(NOT log.target_name LIKE ANY (wanted.target_unlike), true))
         AND (wanted.token_is IS NULL OR log.target_name = wanted.token_is)
         AND (wanted.token IS NULL OR log.target_name = ANY (wanted.token))
         AND (wanted.token_like IS NULL OR log.target_name LIKE ANY (wanted.token_like))
         AND (wanted.token_unlike IS NULL
              OR log.target_name IS NULL
              OR NOT log.target_name LIKE ANY (wanted.token_unlike))
         AND (wanted.outcome_is IS NULL OR log.outcome = wanted.outcome_is)
         AND (wanted.outcome IS NULL OR log.outcome = ANY (wanted.outcome))
         AND (wanted.outcome_like IS NULL OR log.outcome LIKE ANY (wanted.outcome_like))
         AND (wanted.outcome_unlike IS NULL
              OR log.outcome IS NULL
              OR NOT log.outcome LIKE ANY (wanted.outcome_unlike))
         AND (wanted.type_is IS NULL OR log.event_type = wanted.type_is)
         AND (wanted.type IS NULL OR log.event_type = ANY (wanted.type))
         AND (wanted.type_like IS NULL OR log.event_type LIKE ANY (wanted.type_like))
         AND (wanted.type_unlike IS NULL
              OR log.event_type IS NULL
              OR NOT log.event_type LIKE ANY (wanted.type_unlike))
         AND (wanted.request_is IS NULL OR log.request_id = wanted.request_is)
         AND (wanted.request IS NULL OR log.request_id = ANY (wanted.request))
         AND (wanted.request_like IS NULL OR log.request_id LIKE ANY (wanted.request_like))
         AND (wanted.request_unlike IS NULL
              OR log.request_id IS NULL
              OR NOT log.request_id LIKE ANY (wanted.request_unlike))
         AND (wanted.correlation_is IS NULL OR log.correlation_id = wanted.correlation_is)
         AND (wanted.correlation IS NULL OR log.correlation_id = ANY (wanted.correlation))
         AND (wanted.correlation_like IS NULL OR log.correlation_id LIKE ANY (wanted.correlation_like))
         AND (wanted.correlation_unlike IS NULL
              OR log.correlation_id IS NULL
              OR NOT log.correlation_id LIKE ANY (wanted.correlation_unlike))
       ORDER BY log.leaf_index DESC
       LIMIT ?
      """;

  private static final String EXPORT =
      """
      SELECT log.leaf_index, log.global_index, event.event_id, log.event_type, event.revision,
             log.occurred_at, event.recorded_at, leaf.sequenced_at, log.action, log.outcome,
             log.outcome_reason, log.actor_type, log.actor_token_id, log.actor_name,
             log.target_id, log.target_name, log.request_id, log.request_count, event.payload,
             event.metadata,
             EXISTS (SELECT 1
                       FROM state.quarantine AS kept
                      WHERE kept.event_id = event.event_id
                        AND kept.state = 'quarantined') AS quarantined
        FROM views.audit_log AS log
       CROSS JOIN (SELECT ?::bigint      AS first_leaf,
                          ?::bigint      AS before_leaf,
                          ?::timestamptz AS since,
                          ?::timestamptz AS until,
                          ?::text        AS actor_is,
                          ?::text[]      AS actor,
                          ?::text[]      AS actor_like,
                          ?::text[]      AS actor_unlike,
                          ?::bigint[]    AS actor_id,
                          ?::bigint[]    AS actor_id_not,
                          ?::text        AS action_is,
                          ?::text[]      AS action,
                          ?::text[]      AS action_like,
                          ?::text[]      AS action_unlike,
                          ?::text        AS target_is,
                          ?::text[]      AS target,
                          ?::text[]      AS target_like,
                          ?::text[]      AS target_unlike,
                          ?::text        AS token_is,
                          ?::text[]      AS token,
                          ?::text[]      AS token_like,
                          ?::text[]      AS token_unlike,
                          ?::text        AS outcome_is,
                          ?::text[]      AS outcome,
                          ?::text[]      AS outcome_like,
                          ?::text[]      AS outcome_unlike,
                          ?::text        AS type_is,
                          ?::text[]      AS type,
                          ?::text[]      AS type_like,
                          ?::text[]      AS type_unlike,
                          ?::text        AS request_is,
                          ?::text[]      AS request,
                          ?::text[]      AS request_like,
                          ?::text[]      AS request_unlike,
                          ?::text        AS correlation_is,
                          ?::text[]      AS correlation,
                          ?::text[]      AS correlation_like,
                          ?::text[]      AS correlation_unlike) AS wanted
        JOIN ledger.event    AS event ON event.global_index = log.global_index
        JOIN audit.leaf      AS leaf  ON leaf.leaf_index = log.leaf_index
       WHERE log.leaf_index >= wanted.first_leaf
         AND log.leaf_index < wanted.before_leaf
         AND (wanted.since IS NULL OR log.occurred_at >= wanted.since)
         AND (wanted.until IS NULL OR log.occurred_at < wanted.until)
         AND (wanted.actor_is IS NULL OR log.actor_name = wanted.actor_is)
         AND (wanted.actor IS NULL
              OR log.actor_name = ANY (wanted.actor)
              OR log.actor_token_id = ANY (wanted.actor_id))
         AND (wanted.actor_like IS NULL
              OR log.actor_name LIKE ANY (wanted.actor_like)
              OR log.actor_token_id = ANY (wanted.actor_id))
         AND (wanted.actor_unlike IS NULL
              OR log.actor_name IS NULL
              OR NOT log.actor_name LIKE ANY (wanted.actor_unlike))
         AND (wanted.actor_id_not IS NULL
              OR log.actor_token_id IS NULL
              OR NOT log.actor_token_id = ANY (wanted.actor_id_not))
         AND (wanted.action_is IS NULL OR log.action = wanted.action_is)
         AND (wanted.action IS NULL OR log.action = ANY (wanted.action))
         AND (wanted.action_like IS NULL OR log.action LIKE ANY (wanted.action_like))
         AND (wanted.action_unlike IS NULL
              OR log.action IS NULL
              OR NOT log.action LIKE ANY (wanted.action_unlike))
         AND (wanted.target_is IS NULL
              OR log.target_id = wanted.target_is
              OR log.target_name = wanted.target_is)
         AND (wanted.target IS NULL
              OR log.target_id = ANY (wanted.target)
              OR log.target_name = ANY (wanted.target))
         AND (wanted.target_like IS NULL
              OR log.target_id LIKE ANY (wanted.target_like)
              OR log.target_name LIKE ANY (wanted.target_like))
         AND (wanted.target_unlike IS NULL
              OR coalesce(NOT log.target_id LIKE ANY (wanted.target_unlike), true)
                 AND coalesce(NOT log.target_name LIKE ANY (wanted.target_unlike), true))
         AND (wanted.token_is IS NULL OR log.target_name = wanted.token_is)
         AND (wanted.token IS NULL OR log.target_name = ANY (wanted.token))
         AND (wanted.token_like IS NULL OR log.target_name LIKE ANY (wanted.token_like))
         AND (wanted.token_unlike IS NULL
              OR log.target_name IS NULL
              OR NOT log.target_name LIKE ANY (wanted.token_unlike))
         AND (wanted.outcome_is IS NULL OR log.outcome = wanted.outcome_is)
         AND (wanted.outcome IS NULL OR log.outcome = ANY (wanted.outcome))
         AND (wanted.outcome_like IS NULL OR log.outcome LIKE ANY (wanted.outcome_like))
         AND (wanted.outcome_unlike IS NULL
              OR log.outcome IS NULL
              OR NOT log.outcome LIKE ANY (wanted.outcome_unlike))
         AND (wanted.type_is IS NULL OR log.event_type = wanted.type_is)
         AND (wanted.type IS NULL OR log.event_type = ANY (wanted.type))
         AND (wanted.type_like IS NULL OR log.event_type LIKE ANY (wanted.type_like))
         AND (wanted.type_unlike IS NULL
              OR log.event_type IS NULL
              OR NOT log.event_type LIKE ANY (wanted.type_unlike))
         AND (wanted.request_is IS NULL OR log.request_id = wanted.request_is)
         AND (wanted.request IS NULL OR log.request_id = ANY (wanted.request))
         AND (wanted.request_like IS NULL OR log.request_id LIKE ANY (wanted.request_like))
         AND (wanted.request_unlike IS NULL
              OR log.request_id IS NULL
              OR NOT log.request_id LIKE ANY (wanted.request_unlike))
         AND (wanted.correlation_is IS NULL OR log.correlation_id = wanted.correlation_is)
         AND (wanted.correlation IS NULL OR log.correlation_id = ANY (wanted.correlation))
         AND (wanted.correlation_like IS NULL OR log.correlation_id LIKE ANY (wanted.correlation_like))
         AND (wanted.correlation_unlike IS NULL
              OR log.correlation_id IS NULL
              OR NOT log.correlation_id LIKE ANY (wanted.correlation_unlike))
       ORDER BY log.leaf_index
      """;

  private static final String FACETS =
      """
      WITH matching AS MATERIALIZED (
      SELECT log.action, log.outcome, coalesce(log.actor_name, log.actor_type) AS actor_name,
             log.event_type
        FROM views.audit_log AS log
       CROSS JOIN (SELECT ?::bigint      AS first_leaf,
                          ?::bigint      AS before_leaf,
                          ?::timestamptz AS since,
                          ?::timestamptz AS until,
                          ?::text        AS actor_is,
                          ?::text[]      AS actor,
                          ?::text[]      AS actor_like,
                          ?::text[]      AS actor_unlike,
                          ?::bigint[]    AS actor_id,
                          ?::bigint[]    AS actor_id_not,
                          ?::text        AS action_is,
                          ?::text[]      AS action,
                          ?::text[]      AS action_like,
                          ?::text[]      AS action_unlike,
                          ?::text        AS target_is,
                          ?::text[]      AS target,
                          ?::text[]      AS target_like,
                          ?::text[]      AS target_unlike,
                          ?::text        AS token_is,
                          ?::text[]      AS token,
                          ?::text[]      AS token_like,
                          ?::text[]      AS token_unlike,
                          ?::text        AS outcome_is,
                          ?::text[]      AS outcome,
                          ?::text[]      AS outcome_like,
                          ?::text[]      AS outcome_unlike,
                          ?::text        AS type_is,
                          ?::text[]      AS type,
                          ?::text[]      AS type_like,
                          ?::text[]      AS type_unlike,
                          ?::text        AS request_is,
                          ?::text[]      AS request,
                          ?::text[]      AS request_like,
                          ?::text[]      AS request_unlike,
                          ?::text        AS correlation_is,
                          ?::text[]      AS correlation,
                          ?::text[]      AS correlation_like,
                          ?::text[]      AS correlation_unlike) AS wanted
       WHERE log.leaf_index >= wanted.first_leaf
         AND log.leaf_index < wanted.before_leaf
         AND (wanted.since IS NULL OR log.occurred_at >= wanted.since)
         AND (wanted.until IS NULL OR log.occurred_at < wanted.until)
         AND (wanted.actor_is IS NULL OR log.actor_name = wanted.actor_is)
         AND (wanted.actor IS NULL
              OR log.actor_name = ANY (wanted.actor)
              OR log.actor_token_id = ANY (wanted.actor_id))
         AND (wanted.actor_like IS NULL
              OR log.actor_name LIKE ANY (wanted.actor_like)
              OR log.actor_token_id = ANY (wanted.actor_id))
         AND (wanted.actor_unlike IS NULL
              OR log.actor_name IS NULL
              OR NOT log.actor_name LIKE ANY (wanted.actor_unlike))
         AND (wanted.actor_id_not IS NULL
              OR log.actor_token_id IS NULL
              OR NOT log.actor_token_id = ANY (wanted.actor_id_not))
         AND (wanted.action_is IS NULL OR log.action = wanted.action_is)
         AND (wanted.action IS NULL OR log.action = ANY (wanted.action))
         AND (wanted.action_like IS NULL OR log.action LIKE ANY (wanted.action_like))
         AND (wanted.action_unlike IS NULL
              OR log.action IS NULL
              OR NOT log.action LIKE ANY (wanted.action_unlike))
         AND (wanted.target_is IS NULL
              OR log.target_id = wanted.target_is
              OR log.target_name = wanted.target_is)
         AND (wanted.target IS NULL
              OR log.target_id = ANY (wanted.target)
              OR log.target_name = ANY (wanted.target))
         AND (wanted.target_like IS NULL
              OR log.target_id LIKE ANY (wanted.target_like)
              OR log.target_name LIKE ANY (wanted.target_like))
         AND (wanted.target_unlike IS NULL
              OR coalesce(NOT log.target_id LIKE ANY (wanted.target_unlike), true)
                 AND coalesce(NOT log.target_name LIKE ANY (wanted.target_unlike), true))
         AND (wanted.token_is IS NULL OR log.target_name = wanted.token_is)
         AND (wanted.token IS NULL OR log.target_name = ANY (wanted.token))
         AND (wanted.token_like IS NULL OR log.target_name LIKE ANY (wanted.token_like))
         AND (wanted.token_unlike IS NULL
              OR log.target_name IS NULL
              OR NOT log.target_name LIKE ANY (wanted.token_unlike))
         AND (wanted.outcome_is IS NULL OR log.outcome = wanted.outcome_is)
         AND (wanted.outcome IS NULL OR log.outcome = ANY (wanted.outcome))
         AND (wanted.outcome_like IS NULL OR log.outcome LIKE ANY (wanted.outcome_like))
         AND (wanted.outcome_unlike IS NULL
              OR log.outcome IS NULL
              OR NOT log.outcome LIKE ANY (wanted.outcome_unlike))
         AND (wanted.type_is IS NULL OR log.event_type = wanted.type_is)
         AND (wanted.type IS NULL OR log.event_type = ANY (wanted.type))
         AND (wanted.type_like IS NULL OR log.event_type LIKE ANY (wanted.type_like))
         AND (wanted.type_unlike IS NULL
              OR log.event_type IS NULL
              OR NOT log.event_type LIKE ANY (wanted.type_unlike))
         AND (wanted.request_is IS NULL OR log.request_id = wanted.request_is)
         AND (wanted.request IS NULL OR log.request_id = ANY (wanted.request))
         AND (wanted.request_like IS NULL OR log.request_id LIKE ANY (wanted.request_like))
         AND (wanted.request_unlike IS NULL
              OR log.request_id IS NULL
              OR NOT log.request_id LIKE ANY (wanted.request_unlike))
         AND (wanted.correlation_is IS NULL OR log.correlation_id = wanted.correlation_is)
         AND (wanted.correlation IS NULL OR log.correlation_id = ANY (wanted.correlation))
         AND (wanted.correlation_like IS NULL OR log.correlation_id LIKE ANY (wanted.correlation_like))
         AND (wanted.correlation_unlike IS NULL
              OR log.correlation_id IS NULL
              OR NOT log.correlation_id LIKE ANY (wanted.correlation_unlike))
       ORDER BY log.leaf_index DESC
       LIMIT ?)
      SELECT kind, value, events
        FROM (SELECT kind, value, events,
                     row_number() OVER (PARTITION BY kind ORDER BY events DESC, value) AS place
                FROM (SELECT CASE GROUPING(action, outcome, actor_name, event_type)
                               WHEN 7  THEN 'action'
                               WHEN 11 THEN 'outcome'
                               WHEN 13 THEN 'actor'
                               WHEN 14 THEN 'type'
                               ELSE '' END AS kind,
                             coalesce(action, outcome, actor_name, event_type, '') AS value,
                             count(*) AS events
                        FROM matching
                       GROUP BY GROUPING SETS
                             ((action), (outcome), (actor_name), (event_type), ())) AS counted)
          AS ranked
       WHERE place <= ?
       ORDER BY kind, place
      """;

  private static final String POPULATION =
      """
      SELECT event_type, outcome, count(*) AS events, sum(request_count) AS requests,
             min(leaf_index) AS first_leaf, max(leaf_index) AS last_leaf
        FROM views.audit_log
       WHERE leaf_index >= ?
         AND leaf_index <  ?
         AND occurred_at >= ?::timestamptz
         AND occurred_at <  ?::timestamptz
       GROUP BY event_type, outcome
       ORDER BY event_type, outcome
      """;

  private static final String ONE =
      """
      SELECT log.leaf_index, log.global_index, event.event_id, log.event_type, event.revision,
             log.occurred_at, event.recorded_at, leaf.sequenced_at, log.action, log.outcome,
             log.outcome_reason, log.actor_type, log.actor_token_id, log.actor_name,
             log.target_id, log.target_name, log.request_id, log.request_count, event.payload,
             event.metadata,
             EXISTS (SELECT 1
                       FROM state.quarantine AS kept
                      WHERE kept.event_id = event.event_id
                        AND kept.state = 'quarantined') AS quarantined, leaf.entry
        FROM ledger.event    AS event
        JOIN views.audit_log AS log  ON log.global_index = event.global_index
        JOIN audit.leaf      AS leaf ON leaf.leaf_index = log.leaf_index
       WHERE event.event_id = ?
         AND leaf.event_id  = ?
      """;

  private AuditLogRows() {}

  /** The leaves that may be of a period, from the first on, before the second. */
  record Leaves(long first, long before) {}

  static long size(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(SIZE);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getLong(1);
    }
  }

  /** Where the events of a period lie, among the first so many leaves. */
  static Leaves leaves(
      Connection connection, @Nullable Instant since, @Nullable Instant until, long before)
      throws SQLException {
    if (since == null && until == null) {
      return new Leaves(0, before);
    }
    try (PreparedStatement statement = connection.prepareStatement(SPANS)) {
      statement.setString(1, text(since));
      statement.setString(2, text(since));
      statement.setString(3, text(until));
      statement.setString(4, text(until));
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        Long first = row.getObject(1, Long.class);
        Long last = row.getObject(2, Long.class);
        return first == null || last == null
            ? new Leaves(0, 0)
            : new Leaves(
                first * SPAN_LEAVES, Math.min(before, Math.addExact(last, 1) * SPAN_LEAVES));
      }
    }
  }

  /** Matching rows, newest first. The caller closes it. */
  static PreparedStatement search(
      Connection connection, AuditFilter filter, long beforeLeaf, int limit) throws SQLException {
    PreparedStatement statement = connection.prepareStatement(SEARCH);
    statement.setInt(bind(connection, statement, filter, beforeLeaf), limit);
    return statement;
  }

  /** All matching rows, oldest first. The caller closes it. */
  static PreparedStatement export(Connection connection, AuditFilter filter, long treeSize)
      throws SQLException {
    PreparedStatement statement = connection.prepareStatement(EXPORT);
    bind(connection, statement, filter, treeSize);
    return statement;
  }

  /**
   * @return the next parameter
   */
  private static int bind(
      Connection connection, PreparedStatement statement, AuditFilter filter, long beforeLeaf)
      throws SQLException {
    // A plan for any values would use no index: each is planned with its own.
    statement.unwrap(PGStatement.class).setPrepareThreshold(0);
    Leaves leaves = leaves(connection, filter.from(), filter.to(), beforeLeaf);
    int next = 1;
    statement.setLong(next++, leaves.first());
    statement.setLong(next++, leaves.before());
    statement.setString(next++, text(filter.from()));
    statement.setString(next++, text(filter.to()));
    next = bind(connection, statement, next, filter, Field.ACTOR);
    statement.setArray(next++, array(connection, "bigint", filter.actorIds(false)));
    statement.setArray(next++, array(connection, "bigint", filter.actorIds(true)));
    for (Field field : TEXT_FIELDS) {
      next = bind(connection, statement, next, filter, field);
    }
    return next;
  }

  private static int bind(
      Connection connection, PreparedStatement statement, int next, AuditFilter filter, Field field)
      throws SQLException {
    List<String> any = filter.any(field);
    // One value finds its rows in their order by an index; several do not.
    boolean one =
        any != null && any.size() == 1 && (field != Field.ACTOR || filter.actorIds(false) == null);
    statement.setString(next, one && any != null ? any.get(0) : null);
    statement.setArray(next + 1, array(connection, "text", one ? null : any));
    statement.setArray(next + 2, array(connection, "text", filter.anyLike(field)));
    statement.setArray(next + 3, array(connection, "text", filter.noneLike(field)));
    return next + 4;
  }

  private static @Nullable Array array(Connection connection, String type, @Nullable List<?> values)
      throws SQLException {
    return values == null ? null : connection.createArrayOf(type, values.toArray());
  }

  private static @Nullable String text(@Nullable Instant instant) {
    return instant == null ? null : instant.toString();
  }

  /**
   * Counts by kind and value; under the kind of no name the number of all.
   *
   * @param events count at most so many, the newest
   * @param values at most so many a kind, the most frequent
   */
  static Map<String, Map<String, Long>> facets(
      Connection connection, AuditFilter filter, long treeSize, int events, int values)
      throws SQLException {
    Map<String, Map<String, Long>> facets = new LinkedHashMap<>();
    try (PreparedStatement statement = connection.prepareStatement(FACETS)) {
      int next = bind(connection, statement, filter, treeSize);
      statement.setInt(next, events);
      statement.setInt(next + 1, values);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          facets
              .computeIfAbsent(row.getString("kind"), kind -> new LinkedHashMap<>())
              .put(row.getString("value"), row.getLong("events"));
        }
      }
    }
    return facets;
  }

  /** All events of a period among the first so many leaves. */
  static AuditPopulation population(Connection connection, Instant from, Instant to, long treeSize)
      throws SQLException {
    Leaves leaves = leaves(connection, from, to, treeSize);
    List<AuditPopulation.Count> counts = new ArrayList<>();
    long events = 0;
    Long first = null;
    Long last = null;
    try (PreparedStatement statement = connection.prepareStatement(POPULATION)) {
      statement.setLong(1, leaves.first());
      statement.setLong(2, leaves.before());
      statement.setString(3, from.toString());
      statement.setString(4, to.toString());
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          long some = row.getLong("events");
          counts.add(
              new AuditPopulation.Count(
                  row.getString("event_type"),
                  row.getString("outcome"),
                  some,
                  row.getLong("requests")));
          events += some;
          long lowest = row.getLong("first_leaf");
          long highest = row.getLong("last_leaf");
          first = first == null ? lowest : Math.min(first, lowest);
          last = last == null ? highest : Math.max(last, highest);
        }
      }
    }
    return new AuditPopulation(counts, events, first, last);
  }

  /** The event of that id with its entry. The caller closes it. */
  static PreparedStatement one(Connection connection, String eventId) throws SQLException {
    PreparedStatement statement = connection.prepareStatement(ONE);
    statement.setString(1, eventId);
    statement.setString(2, eventId);
    return statement;
  }
}

package io.tokenledger.history;

import io.tokenledger.sequence.WakeUp;
import io.tokenledger.store.Locks;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Keeps {@code views.audit_log}: takes leaf after leaf in the dense order and commits what it wrote
 * with how far it came. Every node runs one; a lock lets one work at a time, and taking a leaf
 * twice does no harm.
 */
public final class AuditLogFollower implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(AuditLogFollower.class);

  private static final int MAX_BATCH = 1_000;
  private static final Duration INTERVAL = Duration.ofMillis(250);
  private static final JsonMapper JSON = JsonMapper.shared();

  private static final String TRY_LOCK =
      """
      SELECT pg_try_advisory_xact_lock(?)
      """;

  private static final String POSITION =
      """
      SELECT coalesce((SELECT next_leaf_index
                         FROM views.follower
                        WHERE name = 'audit_log'), 0)
      """;

  private static final String NEXT =
      """
      SELECT leaf.leaf_index, event.global_index, event.occurred_at, event.event_type,
             event.aggregate_type, event.payload, event.metadata
        FROM audit.leaf   AS leaf
        JOIN ledger.event AS event ON event.global_index = leaf.global_index
       WHERE leaf.leaf_index >= ?
       ORDER BY leaf.leaf_index
       LIMIT ?
      """;

  private static final String INSERT =
      """
      INSERT INTO views.audit_log
        (leaf_index, global_index, occurred_at, event_type, action, outcome, outcome_reason,
         actor_type, actor_token_id, actor_name, target_id, target_name, request_id,
         request_count)
      VALUES (?, ?, ?::timestamptz, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          ON CONFLICT (leaf_index) DO NOTHING
      """;

  private static final String ADVANCE =
      """
      INSERT INTO views.follower (name, next_leaf_index)
      VALUES ('audit_log', ?)
          ON CONFLICT (name) DO UPDATE
         SET next_leaf_index = excluded.next_leaf_index
      """;

  private final DataSource writers;
  private final WakeUp wakeUp = new WakeUp();
  private final Thread thread;
  private volatile boolean closing;

  /**
   * @param writers connections that do not commit by themselves
   */
  public AuditLogFollower(DataSource writers) {
    this.writers = writers;
    this.thread = new Thread(this::work, "ledger-audit-log");
    thread.setDaemon(true);
  }

  /** Begins to work in a thread of its own. */
  public void start() {
    thread.start();
  }

  /** Says that there are new leaves; never waits. */
  public void wake() {
    wakeUp.call();
  }

  private void work() {
    while (!closing) {
      try {
        if (step() < MAX_BATCH) {
          pause();
        }
      } catch (SQLException e) {
        LOG.warn("the audit log waits for the database: {}", e.getMessage());
        pause();
      }
    }
  }

  private void pause() {
    if (!closing && !wakeUp.sleep(Duration.ZERO, INTERVAL)) {
      closing = true;
    }
  }

  /**
   * Takes the next leaves, a thousand at most.
   *
   * @return how many; 0 also while another node works
   */
  int step() throws SQLException {
    try (Connection connection = writers.getConnection()) {
      if (!locked(connection)) {
        connection.rollback();
        return 0;
      }
      long position = position(connection);
      List<Object[]> rows = next(connection, position);
      if (!rows.isEmpty()) {
        insert(connection, rows);
        advance(connection, position + rows.size());
      }
      connection.commit();
      return rows.size();
    }
  }

  private static boolean locked(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(TRY_LOCK)) {
      statement.setLong(1, Locks.AUDIT_FOLLOWER);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getBoolean(1);
      }
    }
  }

  private static long position(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(POSITION);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getLong(1);
    }
  }

  private static List<Object[]> next(Connection connection, long position) throws SQLException {
    List<Object[]> rows = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(NEXT)) {
      statement.setLong(1, position);
      statement.setInt(2, MAX_BATCH);
      try (ResultSet row = statement.executeQuery()) {
        while (row.next()) {
          long leafIndex = row.getLong("leaf_index");
          if (leafIndex != position + rows.size()) {
            throw new SQLException("leaf " + (position + rows.size()) + " is missing");
          }
          rows.add(values(row, leafIndex));
        }
      }
    }
    return rows;
  }

  private static @Nullable Object[] values(ResultSet row, long leafIndex) throws SQLException {
    JsonNode envelope = JSON.readTree(row.getString("metadata"));
    JsonNode actor = envelope.path("actor");
    JsonNode target = envelope.path("target");
    String type = actor.path("type").asString("");
    String actorName = text(actor.path("name"));
    long count =
        row.getString("aggregate_type").equals("Request")
            ? JSON.readTree(row.getString("payload")).path("count").asLong(1)
            : 1;
    JsonNode credential = actor.path("credential_id");
    return new Object[] {
      leafIndex,
      row.getLong("global_index"),
      row.getString("occurred_at"),
      row.getString("event_type"),
      envelope.path("action").asString(""),
      envelope.path("outcome").asString(""),
      text(envelope.path("outcome_reason")),
      type,
      credential.isNumber() ? credential.longValue() : null,
      actorName == null ? type : actorName,
      text(target.path("id")),
      text(target.path("name")),
      envelope.path("request_id").asString(""),
      count
    };
  }

  private static @Nullable String text(JsonNode node) {
    return node.isString() ? node.stringValue() : null;
  }

  private static void insert(Connection connection, List<Object[]> rows) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(INSERT)) {
      for (Object[] values : rows) {
        for (int i = 0; i < values.length; i++) {
          statement.setObject(i + 1, values[i]);
        }
        statement.addBatch();
      }
      statement.executeBatch();
    }
  }

  private static void advance(Connection connection, long next) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADVANCE)) {
      statement.setLong(1, next);
      statement.executeUpdate();
    }
  }

  @Override
  public void close() {
    closing = true;
    wake();
    try {
      thread.join(Duration.ofSeconds(10).toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

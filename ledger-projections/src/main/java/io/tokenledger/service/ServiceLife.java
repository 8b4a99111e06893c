package io.tokenledger.service;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.audit.ControlEvent;
import io.tokenledger.audit.ControlEvent.AuditHeartbeat;
import io.tokenledger.audit.ControlEvent.ConfigurationChanged;
import io.tokenledger.audit.ControlEvent.GrantDriftFound;
import io.tokenledger.audit.ControlEvent.ServiceStarted;
import io.tokenledger.audit.ControlEvent.ServiceStopped;
import io.tokenledger.audit.EventType;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditLog;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.LedgerUnavailable;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The life of a node as the audit tells it: that it began to serve and with which settings, once an
 * interval that it lives, whenever it finds the grants on the events to be wrong, and that it
 * drained. Nothing here can be switched off: a log that can be silent proves nothing by silence.
 */
public final class ServiceLife implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(ServiceLife.class);

  /** How many starts of all nodes are looked through for the last one of this node. */
  private static final int MAX_STARTS = 1_000;

  private static final Duration CLOSING_LIMIT = Duration.ofSeconds(10);

  private static final String DATABASE_MILLIS =
      """
      SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint
      """;

  private final RequestLog requests;
  private final AuditLog audit;
  private final DataSource readers;
  private final String nodeId;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          work -> {
            Thread thread = new Thread(work, "ledger-heartbeat");
            thread.setDaemon(true);
            return thread;
          });

  /** The faults that the last check found; each was reported when it was new. */
  private volatile Set<String> drift = Set.of();

  private @Nullable ScheduledFuture<?> beats;
  private boolean serving;

  /**
   * @param readers connections that commit each statement by themselves, as the role whose grants
   *     are checked
   */
  public ServiceLife(
      RequestLog requests,
      AuditLog audit,
      DataSource readers,
      String nodeId,
      MeterRegistry meters) {
    this.requests = requests;
    this.audit = audit;
    this.readers = readers;
    this.nodeId = nodeId;
    Gauge.builder("ledger.grants.drift", this, life -> life.drift.size()).register(meters);
  }

  /**
   * The node serves from now on.
   *
   * @param configuration every setting and its value, none of them secret
   * @param heartbeatInterval how often it says that it lives; an hour
   * @throws LedgerUnavailable when that cannot be recorded: then it must not serve
   */
  public void start(String version, Map<String, String> configuration, Duration heartbeatInterval) {
    Optional<ServiceStarted> before = lastStart();
    append(new ServiceStarted(version, configuration), "start", "the node serves");
    serving = true;
    before.ifPresent(last -> recordChanges(last.configuration(), configuration));
    try {
      checkGrants("start");
    } catch (SQLException e) {
      throw new LedgerUnavailable("the grants cannot be read", e);
    }
    beats =
        timer.scheduleAtFixedRate(
            this::beatSafely,
            heartbeatInterval.toMillis(),
            heartbeatInterval.toMillis(),
            TimeUnit.MILLISECONDS);
  }

  private Optional<ServiceStarted> lastStart() {
    return audit
        .search(AuditQuery.newest(EventType.SERVICE_STARTED.action(), MAX_STARTS))
        .entries()
        .stream()
        .filter(entry -> entry.envelope().path("node").asString("").equals(nodeId))
        .findFirst()
        .map(ServiceLife::started);
  }

  private static ServiceStarted started(AuditEntry entry) {
    return (ServiceStarted)
        EventReader.CURRENT
            .read(entry.eventType(), entry.revision(), entry.payload().toString())
            .get(0);
  }

  private void recordChanges(Map<String, String> before, Map<String, String> after) {
    Set<String> settings = new LinkedHashSet<>(after.keySet());
    settings.addAll(before.keySet());
    List<ConfigurationChanged.Change> changes = new ArrayList<>();
    for (String setting : settings) {
      if (!Objects.equals(before.get(setting), after.get(setting))) {
        changes.add(
            new ConfigurationChanged.Change(setting, before.get(setting), after.get(setting)));
      }
    }
    if (!changes.isEmpty()) {
      append(new ConfigurationChanged(changes), "start", "other settings than the last time");
    }
  }

  private void beatSafely() {
    try {
      append(
          new AuditHeartbeat(
              audit.search(AuditQuery.newest(null, 1)).treeSize(), clockOffsetMillis()),
          "clock",
          "heartbeat");
      checkGrants("clock");
    } catch (SQLException | RuntimeException e) {
      // The outermost boundary of this thread: the missing heartbeat is what is seen of it.
      LOG.warn("no heartbeat was recorded: {}", e.getMessage());
    }
  }

  /** The node's clock, at the middle of the question, minus the database's. */
  private long clockOffsetMillis() throws SQLException {
    try (Connection connection = readers.getConnection();
        PreparedStatement statement = connection.prepareStatement(DATABASE_MILLIS)) {
      long asked = System.currentTimeMillis();
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        long answered = System.currentTimeMillis();
        return asked + (answered - asked) / 2 - row.getLong(1);
      }
    }
  }

  private void checkGrants(String trigger) throws SQLException {
    List<String> findings;
    try (Connection connection = readers.getConnection()) {
      findings = EventGrants.findings(connection);
    }
    Set<String> known = new LinkedHashSet<>(drift);
    known.retainAll(findings);
    for (String finding : findings) {
      if (!known.contains(finding)) {
        LOG.error("the grants on the events are not as they must be: {}", finding);
        append(new GrantDriftFound(finding), trigger, "check of the grants");
        // Only now: what could not be recorded is new again at the next check.
        known.add(finding);
        drift = Set.copyOf(known);
      }
    }
    drift = Set.copyOf(known);
  }

  private void append(ControlEvent event, String trigger, String reason) {
    String id =
        requests.append(
            event, RequestContext.ofNode(trigger, reason, UUID.randomUUID().toString()));
    LOG.debug("{} is event {}", event, id);
  }

  /** The node has drained. */
  @Override
  public void close() {
    if (beats != null) {
      beats.cancel(false);
    }
    timer.shutdown();
    try {
      boolean ended = timer.awaitTermination(CLOSING_LIMIT.toSeconds(), TimeUnit.SECONDS);
      LOG.debug("heartbeats ended: {}", ended);
      if (serving) {
        serving = false;
        append(new ServiceStopped(), "stop", "the node drained");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (LedgerUnavailable e) {
      LOG.warn("that this node stopped was not recorded: {}", e.getMessage());
    }
  }
}

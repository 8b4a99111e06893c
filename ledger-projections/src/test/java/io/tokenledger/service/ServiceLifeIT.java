package io.tokenledger.service;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.TestLedger;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

class ServiceLifeIT {

  private static final Duration HOUR = Duration.ofHours(1);
  private static final Map<String, String> SETTINGS = Map.of("--node-id", "n1");

  @TempDir Path keys;
  private final DatabaseUrl database = TestPostgres.freshDatabase();
  private final SimpleMeterRegistry meters = new SimpleMeterRegistry();

  private Ledger open(String nodeId) {
    return TestLedger.openNode(database, keys, nodeId, meters);
  }

  /** What is stored, oldest first. */
  private static List<AuditEntry> entries(Ledger ledger) {
    List<AuditEntry> entries =
        new ArrayList<>(ledger.audit().search(AuditQuery.newest(null, 1_000)).entries());
    Collections.reverse(entries);
    return entries;
  }

  /** Types of the events, without the verification that every node begins with by itself. */
  private static List<String> types(Ledger ledger) {
    return entries(ledger).stream()
        .map(AuditEntry::eventType)
        .filter(type -> !type.equals("AuditVerified"))
        .toList();
  }

  private static JsonNode payload(AuditEntry entry) {
    return entry.payload();
  }

  private void execute(String sql) throws Exception {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement()) {
      statement.execute(sql.replace("APP", '"' + database.database() + "_app\""));
    }
  }

  private static void await(BooleanSupplier condition) {
    Instant end = Instant.now().plusSeconds(20);
    while (!condition.getAsBoolean()) {
      assertTrue(Instant.now().isBefore(end), "waited 20 seconds in vain");
      Thread.onSpinWait();
    }
  }

  @Test
  void aNodeThatServesSaysSoAndSaysThatItDrained() throws Exception {
    try (Ledger ledger = open("n1")) {
      assertEquals(List.of(), types(ledger), "opened, it does not serve yet");
      ledger.serving("0.1.0", SETTINGS, HOUR);
      assertEquals(List.of("ServiceStarted"), types(ledger));
    }
    try (Ledger ledger = open("n2")) {
      List<AuditEntry> entries = entries(ledger);
      assertEquals(List.of("ServiceStarted", "ServiceStopped"), types(ledger));
      assertEquals(
          "{\"version\":\"0.1.0\",\"configuration\":{\"--node-id\":\"n1\"}}",
          entries.get(0).payload().toString());
      JsonNode envelope = entries.get(0).envelope();
      assertEquals("n1", envelope.path("node").asString());
      assertEquals("system", envelope.path("actor").path("type").asString());
      assertEquals("start", envelope.path("actor").path("auth_method").asString());
      assertEquals("service.start", envelope.path("action").asString());
      assertEquals("success", envelope.path("outcome").asString());
      assertEquals("the node serves", envelope.path("reason").asString());
    }
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        var row =
            statement.executeQuery(
                "SELECT count(*) FROM ledger.event WHERE aggregate_type = 'Service'"
                    + " AND aggregate_id = 'service:' || event_id AND sequence_number = 0")) {
      row.next();
      assertEquals(2, row.getInt(1));
    }
  }

  @Test
  void otherSettingsThanTheLastTimeAreAnEventOfThatNodeOnly() {
    Map<String, String> first = Map.of("--tls-cert", "", "--node-id", "n1", "--gone", "1");
    Map<String, String> second = Map.of("--tls-cert", "c.pem", "--node-id", "n1", "--new", "2");
    for (Map<String, String> settings : List.of(first, first)) {
      try (Ledger ledger = open("n1")) {
        ledger.serving("0.1.0", settings, HOUR);
      }
    }
    try (Ledger ledger = open("n2")) {
      ledger.serving("0.1.0", second, HOUR);
      assertTrue(!types(ledger).contains("ConfigurationChanged"), types(ledger).toString());
    }
    try (Ledger ledger = open("n1")) {
      ledger.serving("0.2.0", second, HOUR);
      List<AuditEntry> changed =
          entries(ledger).stream()
              .filter(entry -> entry.eventType().equals("ConfigurationChanged"))
              .toList();
      assertEquals(1, changed.size());
      List<String> changes = new ArrayList<>();
      payload(changed.get(0)).path("changes").forEach(change -> changes.add(change.toString()));
      Collections.sort(changes);
      assertEquals(
          List.of(
              "{\"path\":\"--gone\",\"before\":\"1\",\"after\":null}",
              "{\"path\":\"--new\",\"before\":null,\"after\":\"2\"}",
              "{\"path\":\"--tls-cert\",\"before\":\"\",\"after\":\"c.pem\"}"),
          changes);
      assertEquals(
          3, changed.get(0).envelope().path("changes").size(), "the envelope has them too");
    }
  }

  /** From then on nothing else is written, so that each beat knows its own place. */
  private static List<AuditEntry> beatsAfterVerification(Ledger ledger) {
    List<AuditEntry> entries = entries(ledger);
    return entries.stream()
        .dropWhile(entry -> !entry.eventType().equals("AuditVerified"))
        .filter(entry -> entry.eventType().equals("AuditHeartbeat"))
        .toList();
  }

  @Test
  void aNodeSaysOnceAnIntervalThatItLivesHowLongTheLogIsAndHowFarItsClockIsOff() {
    try (Ledger ledger = open("n1")) {
      ledger.serving("0.1.0", SETTINGS, Duration.ofMillis(100));
      await(() -> beatsAfterVerification(ledger).size() >= 2);
      for (AuditEntry beat : beatsAfterVerification(ledger)) {
        assertEquals(beat.leafIndex(), payload(beat).path("tree_size").asLong());
        assertTrue(Math.abs(payload(beat).path("clock_offset_millis").asLong()) < 5_000);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "GRANT UPDATE ON ledger.event TO APP | REVOKE UPDATE ON ledger.event FROM APP"
            + " | holds UPDATE on ledger.event",
        "GRANT UPDATE (payload) ON ledger.event TO APP"
            + " | REVOKE UPDATE (payload) ON ledger.event FROM APP | holds UPDATE on ledger.event",
        "GRANT DELETE ON ledger.event TO PUBLIC | REVOKE DELETE ON ledger.event FROM PUBLIC"
            + " | holds DELETE on ledger.event",
        "GRANT TRUNCATE ON ledger.event TO APP | REVOKE TRUNCATE ON ledger.event FROM APP"
            + " | holds TRUNCATE on ledger.event",
        "GRANT TRIGGER ON ledger.event TO APP | REVOKE TRIGGER ON ledger.event FROM APP"
            + " | holds TRIGGER on ledger.event",
        "GRANT REFERENCES ON ledger.event TO APP | REVOKE REFERENCES ON ledger.event FROM APP"
            + " | holds REFERENCES on ledger.event",
        "ALTER TABLE ledger.event OWNER TO APP | ALTER TABLE ledger.event OWNER TO postgres;"
            + " GRANT SELECT, INSERT ON ledger.event TO APP | owns ledger.event",
        "ALTER ROLE APP SUPERUSER | ALTER ROLE APP NOSUPERUSER | is a superuser",
        "GRANT postgres TO APP | REVOKE postgres FROM APP | is a superuser"
      })
  void grantsThatDriftAreReportedOnceAndShownUntilTheyAreRight(
      String drift, String repair, String detail) throws Exception {
    try (Ledger ledger = open("n1")) {
      execute(drift);
      ledger.serving("0.1.0", SETTINGS, Duration.ofMillis(100));
      assertEquals(List.of("ServiceStarted", "GrantDriftFound"), types(ledger).subList(0, 2));
      assertEquals(1.0, meters.get("ledger.grants.drift").gauge().value());
      await(() -> types(ledger).stream().filter("AuditHeartbeat"::equals).count() >= 3);
      List<AuditEntry> found =
          entries(ledger).stream()
              .filter(entry -> entry.eventType().equals("GrantDriftFound"))
              .toList();
      assertEquals(1, found.size(), "once, however often it is looked at");
      assertEquals(
          database.database() + "_app " + detail, payload(found.get(0)).path("detail").asString());
      assertEquals("failed", found.get(0).outcome());
      execute(repair);
      await(() -> meters.get("ledger.grants.drift").gauge().value() == 0);
    }
  }

  @Test
  void aDriftThatComesLaterIsFoundWithTheNextHeartbeat() throws Exception {
    try (Ledger ledger = open("n1")) {
      ledger.serving("0.1.0", SETTINGS, Duration.ofMillis(100));
      assertEquals(0.0, meters.get("ledger.grants.drift").gauge().value());
      execute("GRANT UPDATE ON ledger.event TO APP");
      await(() -> types(ledger).contains("GrantDriftFound"));
    }
  }
}

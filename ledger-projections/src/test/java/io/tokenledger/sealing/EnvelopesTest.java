package io.tokenledger.sealing;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.audit.EventCatalogue;
import io.tokenledger.audit.EventDescription.Field;
import io.tokenledger.audit.EventDescription.FieldClass;
import io.tokenledger.audit.Outcome;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.sealing.Envelopes.What;
import io.tokenledger.token.Actor;
import io.tokenledger.token.TokenId;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class EnvelopesTest {

  private static final Instant NOW = Instant.parse("2026-11-24T12:00:00Z");
  private static final What CREATED =
      new What(
          "token.create",
          Outcome.SUCCESS,
          null,
          201,
          "token",
          "token:7",
          "ingest",
          null,
          0L,
          List.of());

  @TempDir Path directory;

  private Envelopes envelopes() {
    return new Envelopes(
        new SubjectKeys(directory.resolve("subjects")),
        LedgerKey.loadOrCreate(directory.resolve("ledger.key")),
        "log/1",
        "n1");
  }

  private static RequestContext context() {
    return new RequestContext(
        Actor.ANONYMOUS,
        null,
        "Alice",
        "why",
        "T-1",
        "203.0.113.7",
        1,
        "198.51.100.1",
        true,
        "agent",
        "rest",
        "r",
        null,
        null,
        null);
  }

  @Test
  void holdEveryKeyOfTheEnvelopeAlsoWhenItIsNotKnown() {
    JsonNode json = JsonMapper.shared().readTree(envelopes().write("e1", NOW, context(), CREATED));
    assertEquals(
        List.of(
            "log_origin",
            "actor",
            "on_behalf_of",
            "approver",
            "action",
            "outcome",
            "outcome_reason",
            "status_code",
            "target",
            "changes",
            "source",
            "service",
            "node",
            "tenant",
            "request_id",
            "correlation_id",
            "causation_id",
            "trace_id",
            "reason",
            "ticket",
            "subject"),
        List.copyOf(json.propertyNames()));
    assertTrue(json.get("approver").isNull());
    assertEquals(
        List.of("ip", "forwarded_for", "forwarded_trusted", "port", "user_agent", "client"),
        List.copyOf(json.get("source").propertyNames()));
  }

  @Test
  void areCataloguedFieldByFieldWithWhatIsSealed() {
    JsonNode json = JsonMapper.shared().readTree(envelopes().write("e1", NOW, context(), CREATED));
    List<String> stored = new ArrayList<>();
    List<String> sealed = new ArrayList<>();
    json.properties()
        .forEach(
            field -> {
              if (!field.getValue().isObject()) {
                note(field.getKey(), field.getValue(), stored, sealed);
                return;
              }
              field
                  .getValue()
                  .properties()
                  .forEach(
                      inner ->
                          note(
                              field.getKey() + "." + inner.getKey(),
                              inner.getValue(),
                              stored,
                              sealed));
            });
    assertEquals(stored, EventCatalogue.envelope().stream().map(Field::name).toList());
    assertEquals(
        sealed,
        EventCatalogue.envelope().stream()
            .filter(field -> field.fieldClass() == FieldClass.PERSONAL_SEALED)
            .map(Field::name)
            .toList());
  }

  private static void note(String path, JsonNode value, List<String> stored, List<String> sealed) {
    stored.add(path);
    if (value.isString() && value.stringValue().startsWith("sealed:1:")) {
      sealed.add(path);
    }
  }

  @Test
  void openForAReaderAndNotWithoutTheSubjectsKey() throws IOException {
    Envelopes envelopes = envelopes();
    String stored = envelopes.write("e1", NOW, context(), CREATED);
    assertTrue(envelopes.open("e1", stored).toString().contains("\"on_behalf_of\":\"Alice\""));
    try (Stream<Path> keys = Files.list(directory.resolve("subjects"))) {
      for (Path key : keys.toList()) {
        Files.delete(key);
      }
    }
    JsonNode erased = envelopes().open("e1", stored);
    assertTrue(erased.get("on_behalf_of").isNull());
    assertTrue(erased.get("source").get("ip").isNull());
    assertEquals("token.create", erased.get("action").asString());
  }

  @Test
  void cannotBeMovedToAnotherEvent() {
    Envelopes envelopes = envelopes();
    String stored = envelopes.write("e1", NOW, context(), CREATED);
    JsonNode moved = envelopes.open("e2", stored);
    for (String field : List.of("on_behalf_of", "reason", "ticket")) {
      assertEquals(Envelopes.UNREADABLE, moved.get(field).asString(), field);
    }
    assertEquals("token.create", moved.get("action").asString(), "the rest is as it is");
  }

  @Test
  void whatWasChangedIsMarkedAndNeverTakenForErased() {
    Envelopes envelopes = envelopes();
    JsonNode stored = JsonMapper.shared().readTree(envelopes.write("e1", NOW, context(), CREATED));
    String sealed = stored.get("reason").asString();
    String head = sealed.substring(0, sealed.lastIndexOf(':') + 1);
    for (String changed :
        List.of(
            "sealed:1:",
            "sealed:1:nothing",
            "sealed:1:nothing:AAAA",
            head,
            head + "AAAA",
            head + "no base64",
            sealed.substring(0, sealed.length() - 8),
            head + "A".repeat(sealed.length() - head.length()))) {
      assertEquals(
          "{\"reason\":\"" + Envelopes.UNREADABLE + "\"}",
          envelopes.open("e1", "{\"reason\":\"" + changed + "\"}").toString(),
          changed);
    }
    String noJson = "{\"error\":\"unreadable: the stored text is no JSON\"}";
    assertEquals(noJson, envelopes.open("e1", "no json").toString());
    assertEquals(noJson, envelopes.openPayload("e1", "no json").toString());
  }

  @Test
  void sealFreeTextOfAPayloadUnderTheTokensKey() throws IOException {
    Envelopes envelopes = envelopes();
    String sealed = envelopes.sealText(new TokenId(7), "e1", "description", "Bob's");
    assertFalse(sealed.contains("Bob"));
    assertEquals("Bob's", envelopes.openText("e1", "description", sealed));
    assertEquals(
        "{\"description\":\"Bob's\"}",
        envelopes.openPayload("e1", "{\"description\":\"" + sealed + "\"}").toString());
    assertEquals(Envelopes.UNREADABLE, envelopes.openText("e2", "description", sealed));
    assertEquals("", envelopes.sealText(new TokenId(7), "e1", "description", ""));
    try (Stream<Path> keys = Files.list(directory.resolve("subjects"))) {
      for (Path key : keys.toList()) {
        Files.delete(key);
      }
    }
    assertNull(envelopes().openText("e1", "description", sealed));
  }

  @Test
  void sealTheSameTextDifferentlyEachTime() {
    Envelopes envelopes = envelopes();
    assertNotEquals(
        envelopes.write("e1", NOW, context(), CREATED),
        envelopes.write("e1", NOW, context(), CREATED));
  }

  @Test
  void keysAreNeverSeenHalfWrittenByAnotherNode() throws Exception {
    Path shared = directory.resolve("shared");
    ExecutorService nodes = Executors.newFixedThreadPool(8);
    List<Future<?>> done = new ArrayList<>();
    for (int node = 0; node < 8; node++) {
      done.add(
          nodes.submit(
              () -> {
                SubjectKeys keys = new SubjectKeys(shared);
                for (int subject = 0; subject < 200; subject++) {
                  String id = keys.forSubject("s" + subject).id();
                  assertTrue(new SubjectKeys(shared).byId(id).isPresent());
                }
              }));
    }
    for (Future<?> node : done) {
      node.get(60, TimeUnit.SECONDS);
    }
    nodes.shutdown();
    try (Stream<Path> files = Files.list(shared)) {
      for (Path file : files.toList()) {
        assertTrue(file.toString().endsWith(".key"), file.toString());
        assertEquals(
            "rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
      }
    }
  }

  @Test
  void theLedgerKeyIsTheSameForAllWhoLoadIt() throws IOException {
    Path file = directory.resolve("made/ledger.key");
    LedgerKey first = LedgerKey.loadOrCreate(file);
    assertArrayEquals(first.checkValue(), LedgerKey.loadOrCreate(file).checkValue());
    assertFalse(
        java.util.Arrays.equals(first.mac("a", "bc"), first.mac("ab", "c")), "parts are apart");
    assertFalse(java.util.Arrays.equals(first.mac((String) null), first.mac("")));
    Files.writeString(file, "no key\n");
    IllegalStateException refused =
        assertThrows(IllegalStateException.class, () -> LedgerKey.loadOrCreate(file));
    assertTrue(String.valueOf(refused.getMessage()).startsWith("--ledger-key-file"));
  }
}

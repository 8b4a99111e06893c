package io.tokenledger.sink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import io.tokenledger.audit.EventCatalogue;
import io.tokenledger.audit.EventType;
import io.tokenledger.audit.RetentionClass;
import io.tokenledger.store.PrunedBody;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class EventFormatTest {

  private static final JsonMapper JSON = JsonMapper.shared();

  private static final Map<Integer, Schema> OCSF =
      Map.of(
          1008, schema("event_log_activity"),
          3002, schema("authentication"),
          3004, schema("entity_management"),
          6003, schema("api_activity"));

  /** All that an envelope may say, nothing that it need not, and what was erased or changed. */
  private static final List<String> ENVELOPES =
      List.of(
          """
          {"log_origin":"o","actor":{"type":"token","id":"token:1","credential_id":1,"name":"alice",
          "auth_method":"bearer"},"on_behalf_of":"Alice Example","approver":null,
          "action":"token.create","outcome":"success","outcome_reason":null,"status_code":201,
          "target":{"type":"token","id":"token:7","name":"größe","version_before":null,
          "version_after":0},"changes":[],"source":{"ip":"203.0.113.7","forwarded_for":null,
          "forwarded_trusted":false,"port":51544,"user_agent":"agent/1","client":"rest"},
          "service":"token-ledger","node":"n1","tenant":null,"request_id":"r-1",
          "correlation_id":"c-1","causation_id":"c-0","trace_id":null,"reason":"new | = \\\\ \\n line",
          "ticket":"CHG-1","subject":"token:1"}
          """,
          """
          {"log_origin":"o","actor":{"type":"system","id":null,"credential_id":null,"name":null,
          "auth_method":"log"},"on_behalf_of":null,"approver":null,"action":"log.witness",
          "outcome":"failed","outcome_reason":"witness_refused","status_code":422,
          "target":{"type":null,"id":null,"name":null,"version_before":null,"version_after":null},
          "changes":[],"source":{"ip":null,"forwarded_for":null,"forwarded_trusted":false,"port":null,
          "user_agent":null,"client":"node"},"service":"token-ledger","node":"n1","tenant":null,
          "request_id":"r-1","correlation_id":null,"causation_id":null,"trace_id":null,"reason":null,
          "ticket":null,"subject":"system"}
          """,
          """
          {"actor":{"type":"anonymous","id":null,"name":null,"auth_method":null},"outcome":"denied",
          "outcome_reason":"unknown_token","status_code":401,"action":"request.authenticate",
          "source":{"ip":"unreadable: the sealed field does not open","forwarded_for":"2001:db8::1",
          "forwarded_trusted":true,"port":1,"user_agent":null,"client":"rest"},"request_id":"r-1"}
          """,
          "{\"error\":\"unreadable: the stored text is no JSON\"}");

  private static Schema schema(String name) {
    try (InputStream in =
        EventFormatTest.class.getResourceAsStream("/ocsf/" + name + ".schema.json")) {
      assertNotNull(in, name);
      return SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)
          .getSchema(JSON.readTree(in.readAllBytes()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<Entry> entries(EventType type) throws IOException {
    String payload;
    try (InputStream in =
        EventFormatTest.class.getResourceAsStream(
            "/golden/" + type.storedName() + "-" + type.revision() + ".json")) {
      payload = new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
    List<Entry> entries = new ArrayList<>();
    for (String envelope : ENVELOPES) {
      entries.add(entry(type.storedName(), payload, envelope));
      if (RetentionClass.of(type) != RetentionClass.PERMANENT) {
        PrunedBody left = PrunedBody.of(payload, envelope);
        entries.add(entry(type.storedName(), left.payload(), left.metadata()));
      }
    }
    return entries;
  }

  private static Entry entry(String type, String payload, String envelope) {
    return new Entry(
        "ledger.example/audit/1",
        48_231,
        "q6fXq6fXq6fXq6fXq6fXq6fXq6fXq6fXq6fXq6fXq6c=",
        "0193a4f2-6c1e-7b6a-9a57-5f0c2f0f9f11",
        type,
        "1",
        "2026-11-23T21:00:00.123456Z",
        Instant.parse("2026-11-23T21:00:00.124Z"),
        Instant.parse("2026-11-23T21:00:00.300Z"),
        JSON.readTree(payload),
        JSON.readTree(envelope));
  }

  @ParameterizedTest
  @EnumSource(EventType.class)
  void everyEventIsAnEventOfItsClassByTheSchemasOfOcsf(EventType type) throws IOException {
    int classUid = EventCatalogue.of(type).ocsf().classUid();
    for (Entry entry : entries(type)) {
      JsonNode json = JSON.readTree(EventFormat.OCSF.write(entry));
      assertEquals(classUid, json.path("class_uid").asInt());
      assertEquals(List.of(), OCSF.get(classUid).validate(json), json.toString());
      assertEquals(48_231, json.path("metadata").path("sequence").asLong());
      assertEquals(48_231, json.path("unmapped").path("tlog").path("leaf_index").asLong());
    }
  }

  @Test
  void theSchemasRefuseWhatIsWrong() throws IOException {
    Entry entry = entries(EventType.TOKEN_REVOKED).get(0);
    String right = new String(EventFormat.OCSF.write(entry), StandardCharsets.UTF_8);
    for (String wrong :
        List.of(
            right.replace("\"activity_id\":4", "\"activity_id\":77"),
            right.replace("203.0.113.7", "no address"),
            right.replace("\"message\":", "\"mesage\":"))) {
      assertFalse(OCSF.get(3004).validate(JSON.readTree(wrong)).isEmpty(), wrong);
    }
  }

  @Test
  void anEventOfALaterVersionIsWrittenTooAndHidesNothing() {
    Entry entry = entry("TokenEaten", "{\"by\":\"whom\"}", ENVELOPES.get(0));
    JsonNode ocsf = JSON.readTree(EventFormat.OCSF.write(entry));
    assertEquals(List.of(), OCSF.get(1008).validate(ocsf), ocsf.toString());
    assertEquals("whom", ocsf.path("unmapped").path("payload").path("by").asString());
    assertTrue(Cef.write(entry).contains("|TokenEaten|"));
  }

  @ParameterizedTest
  @EnumSource(EventType.class)
  void everyEventIsACloudEvent(EventType type) throws IOException {
    for (Entry entry : entries(type)) {
      JsonNode json = JSON.readTree(EventFormat.CLOUDEVENTS.write(entry));
      for (String required : List.of("id", "source", "specversion", "type")) {
        assertFalse(json.path(required).asString("").isEmpty(), required);
      }
      assertEquals("io.tokenledger." + type.storedName() + ".v1", json.path("type").asString());
      assertEquals("48231", json.path("tlogindex").asString());
      assertEquals("0000000000000048231", json.path("sequence").asString());
      for (var attribute : json.properties()) {
        assertTrue(attribute.getKey().matches("[a-z0-9]{1,20}"), attribute.getKey());
        assertFalse(attribute.getValue().isNull(), attribute.getKey() + " is null");
      }
      assertEquals(entry.payload(), json.path("data").path("payload"));
      assertEquals(entry.envelope(), json.path("data").path("envelope"));
    }
  }

  /** Reads a line as the CEF guide says, without what writes it. */
  private static Map<String, String> readCef(String line) {
    assertTrue(line.startsWith("CEF:0|"), line);
    assertFalse(line.contains("\n") || line.contains("\r"), line);
    String[] parts = line.split("(?<!\\\\)\\|", 8);
    assertEquals(8, parts.length, line);
    Map<String, String> pairs = new TreeMap<>();
    pairs.put("type", parts[4]);
    pairs.put("severity", parts[6]);
    for (String pair : parts[7].split(" (?=[A-Za-z0-9]+=)")) {
      String[] both = pair.split("=", 2);
      String value = both[1].replace("\\n", "\n").replace("\\r", "\r").replace("\\=", "=");
      pairs.put(both[0], value.replace("\\\\", "\\"));
    }
    return pairs;
  }

  @ParameterizedTest
  @EnumSource(EventType.class)
  void everyEventIsOneLineOfCef(EventType type) throws IOException {
    for (Entry entry : entries(type)) {
      Map<String, String> read = readCef(Cef.write(entry));
      assertEquals(type.storedName(), read.get("type"));
      assertEquals("48231", read.get("cn1"));
      assertEquals("1795467600123", read.get("rt"));
      assertEquals(entry.outcome(), read.get("outcome"));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "a=b",
        "a|b",
        "a\\b",
        "a\\",
        "x\ny",
        "x\r\ny",
        "cs1=forged",
        " src=6.6.6.6",
        "ü\u0000z",
        "="
      })
  void noValueOfCefBecomesAnotherKeyOrLine(String hostile) {
    String envelope =
        JSON.createObjectNode().put("outcome", "denied").put("ticket", hostile).toString();
    Map<String, String> read = readCef(Cef.write(entry("AccessDenied", "{}", envelope)));
    assertEquals("ledger.example/audit/1", read.get("cs1"));
    assertFalse(read.containsKey("src"), read.toString());
    assertEquals(hostile.replace("\u0000", " "), read.get("cs3"));
  }

  @ParameterizedTest
  @CsvSource({
    "203.0.113.7,true",
    "0.0.0.0,true",
    "256.1.1.1,false",
    "1.2.3,false",
    "1.2.3.4.,false",
    "1.2.3.4.5,false",
    "::,true",
    "::1,true",
    "2001:db8::1,true",
    "1:2:3:4:5:6:7:8,true",
    "1:2:3:4:5:6:7,false",
    "1:2:3:4:5:6:7:8:9,false",
    "1::2::3,false",
    "1:::2,false",
    "203.0.113.7:80,false",
    "host,false",
    "'',false"
  })
  void anAddressIsToldFromWhatIsNone(String text, boolean address) {
    assertEquals(address, Addresses.isAddress(text));
  }
}

package io.tokenledger.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.audit.EventType;
import io.tokenledger.store.Upcasters.Form;
import io.tokenledger.store.Upcasters.Payload;
import io.tokenledger.store.Upcasters.Step;
import io.tokenledger.token.TokenEvent.TokenRevoked;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class UpcastersTest {

  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final String REVOKED =
      "{\"name\":\"a\",\"id\":7,\"revoked_at\":\"2026-01-01T00:00:00Z\"}";

  private static Step renamed(String revision, String next) {
    return new Step(
        new Form("TokenRevoked", revision),
        older ->
            List.of(
                new Payload(new Form("TokenRevoked", revision), older).as("TokenRevoked", next)));
  }

  @Test
  void everyGoldenFileOfAnyRevisionIsRead() throws IOException {
    try (Stream<Path> files = Files.list(GOLDEN)) {
      List<Path> all = files.sorted().toList();
      assertTrue(all.size() >= EventType.values().length);
      for (Path file : all) {
        String form = file.getFileName().toString().replace(".json", "");
        int dash = form.lastIndexOf('-');
        String type = form.substring(0, dash);
        String revision = form.substring(dash + 1);
        assertTrue(EventReader.CURRENT.reads(type, revision), form);
        EventReader.CURRENT.read(type, revision, Files.readString(file).strip());
      }
    }
  }

  @ParameterizedTest
  @EnumSource(EventType.class)
  void everyRevisionThatATypeEverHadHasItsGoldenFile(EventType type) {
    for (int revision = 1; revision <= Integer.parseInt(type.revision()); revision++) {
      assertTrue(
          Files.exists(GOLDEN.resolve(type.storedName() + "-" + revision + ".json")),
          type + " revision " + revision);
    }
  }

  @Test
  void stepsAreTakenUntilThereIsNone() {
    EventReader reader =
        new EventReader(new Upcasters(List.of(renamed("-1", "0"), renamed("0", "1"))));
    assertEquals(
        List.of(
            new TokenRevoked(
                new TokenName("a"), new TokenId(7), Instant.parse("2026-01-01T00:00:00Z"))),
        reader.read("TokenRevoked", "-1", REVOKED));
    assertTrue(reader.reads("TokenRevoked", "0") && reader.reads("TokenRevoked", "1"));
    assertFalse(reader.reads("TokenRevoked", "2"));
  }

  @Test
  void whatAStepCannotTakeIsUnreadable() {
    EventReader reader =
        new EventReader(
            new Upcasters(
                List.of(
                    renamed("0", "9"),
                    renamed("a", "b"),
                    renamed("b", "a"),
                    new Step(
                        new Form("TokenEaten", "1"),
                        older -> {
                          older.put("revoked_at", older.get("eaten_at").stringValue());
                          return List.of(new Payload(new Form("TokenRevoked", "1"), older));
                        }))));
    for (String payload : List.of("{", "[]", "1", "{}")) {
      assertThrows(UnreadableEvent.class, () -> reader.read("TokenEaten", "1", payload), payload);
    }
    assertThrows(UnreadableEvent.class, () -> reader.read("TokenRevoked", "0", REVOKED));
    assertThrows(UnreadableEvent.class, () -> reader.read("TokenRevoked", "a", REVOKED));
  }

  @Test
  void twoStepsFromOneFormAreRefused() {
    assertThrows(
        IllegalArgumentException.class,
        () -> new Upcasters(List.of(renamed("0", "1"), renamed("0", "2"))));
  }
}

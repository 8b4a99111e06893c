package io.tokenledger.audit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.token.TokenCommand;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class EventCatalogueTest {

  /** Activities that OCSF 1.8.0 has in the classes used here. */
  private static final Map<Integer, Set<Integer>> ACTIVITIES =
      Map.of(
          1008, Set.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99),
          3002, Set.of(1, 2, 3, 4, 5, 6, 7, 99),
          3004, Set.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 99),
          6003, Set.of(1, 2, 3, 4, 99));

  /** The controls that the audit is designed for. */
  private static final Set<String> CONTROLS =
      Set.of(
          "NIST AU-2",
          "NIST AU-3",
          "NIST AU-5",
          "NIST AU-7",
          "NIST AU-8",
          "NIST AU-9",
          "NIST AU-9(2)",
          "NIST AU-9(3)",
          "NIST AU-9(4)",
          "NIST AU-10",
          "NIST AU-11",
          "NIST AU-12",
          "NIST AU-12(3)",
          "PCI 10.2.1.2",
          "PCI 10.2.1.3",
          "PCI 10.2.1.4",
          "PCI 10.2.1.5",
          "PCI 10.2.1.6",
          "PCI 10.2.1.7",
          "PCI 10.2.2",
          "PCI 10.3.1",
          "PCI 10.3.2",
          "PCI 10.3.3",
          "PCI 10.3.4",
          "PCI 10.6",
          "PCI 10.7",
          "SOC2 CC6.2",
          "SOC2 CC6.3",
          "SOC2 CC7.2",
          "ISO 27001 A.8.15",
          "SEC 17a-4(f)",
          "DORA RTS 2024/1774 art. 12");

  @Test
  void everyCommandAsksForExactlyOneEventOfATokenAndEverySuchEventIsAskedFor() {
    Set<EventType> askedFor = new HashSet<>();
    for (Class<?> command : TokenCommand.class.getPermittedSubclasses()) {
      assertTrue(
          askedFor.add(EventCatalogue.askedFor(command.asSubclass(TokenCommand.class))),
          command + " has a type of its own");
    }
    Set<EventType> ofTokens = new HashSet<>();
    Arrays.stream(EventType.values())
        .filter(type -> type.eventClass().getEnclosingClass().getSimpleName().equals("TokenEvent"))
        .forEach(ofTokens::add);
    assertEquals(ofTokens, askedFor);
    assertThrows(IllegalArgumentException.class, () -> EventCatalogue.askedFor(TokenCommand.class));
  }

  @Test
  void whatStateAndProofsRestOnNeverEnds() {
    for (EventType type : EventType.values()) {
      boolean ofToken = type.eventClass().getEnclosingClass().getSimpleName().equals("TokenEvent");
      RetentionClass kept = RetentionClass.of(type);
      assertTrue(!ofToken || kept == RetentionClass.PERMANENT, type.storedName());
      assertEquals(
          kept != RetentionClass.PERMANENT,
          RetentionClass.named(kept.wireName()).filter(named -> named == kept).isPresent());
      assertTrue(kept.types().contains(type.storedName()));
    }
    assertEquals(RetentionClass.PERMANENT, RetentionClass.of(EventType.SUBJECT_ERASED));
    assertEquals(RetentionClass.PERMANENT, RetentionClass.of(EventType.EVENTS_PRUNED));
  }

  @ParameterizedTest
  @EnumSource(EventType.class)
  void everyRowSaysOneSentenceItsClassAndTheControlsItServes(EventType type) {
    EventDescription row = EventCatalogue.of(type);
    assertTrue(row.says().matches("[A-Z][^.]*\\."), row.says());
    assertTrue(
        ACTIVITIES.getOrDefault(row.ocsf().classUid(), Set.of()).contains(row.ocsf().activityId()),
        row.ocsf().toString());
    assertFalse(row.controls().isEmpty());
    assertTrue(CONTROLS.containsAll(row.controls()), row.controls().toString());
    assertEquals(row.controls().stream().distinct().toList(), row.controls());
    List<String> names = row.fields().stream().map(EventDescription.Field::name).toList();
    assertEquals(names.stream().distinct().toList(), names);
  }

  @Test
  void aClassIsCalledInTheCatalogueAsInItsDocumentation() {
    assertEquals(
        List.of("identifier", "personal-sealed", "plain"),
        Arrays.stream(EventDescription.FieldClass.values())
            .map(EventDescription.FieldClass::wireName)
            .toList());
  }
}

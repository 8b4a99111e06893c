package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.audit.EventCatalogue;
import io.tokenledger.audit.EventDescription;
import io.tokenledger.audit.EventType;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class RouteCatalogueTest {

  @Test
  void everyRouteOfTheServerHasOneRowAndEveryRowIsARoute() {
    List<String> rows =
        RouteCatalogue.ROWS.stream().map(row -> row.method() + " " + row.path()).sorted().toList();
    assertEquals(TestServer.routes(), rows);
  }

  @Test
  void everyRowSaysWhoMayAndNamesAnEventOnlyOnce() {
    for (RouteCatalogue.Row row : RouteCatalogue.ROWS) {
      assertFalse(row.permission().isBlank(), row.path());
      assertEquals(row.appends().stream().distinct().toList(), row.appends(), row.path());
    }
  }

  @ParameterizedTest
  @EnumSource(EventType.class)
  void everyEventTypeIsMadeBySomething(EventType type) {
    EventDescription row = EventCatalogue.of(type);
    assertTrue(
        !row.commands().isEmpty()
            || !row.triggers().isEmpty()
            || RouteCatalogue.ROWS.stream().anyMatch(route -> route.appends().contains(type)),
        type + " has no trigger");
  }

  @Test
  void aRouteThatCarriesOutACommandSaysWhatItsRefusalAppends() {
    for (RouteCatalogue.Row row : RouteCatalogue.ROWS) {
      List<EventType> carriedOut =
          row.appends().stream()
              .filter(type -> !EventCatalogue.of(type).commands().isEmpty())
              .collect(Collectors.toList());
      if (!carriedOut.isEmpty()) {
        assertTrue(row.appends().contains(EventType.COMMAND_REJECTED), row.path());
        assertTrue(row.appends().contains(EventType.ACCESS_DENIED), row.path());
      }
    }
  }

  @Test
  void whatIsNoRouteIsUnknown() {
    assertTrue(RouteCatalogue.knows("/api/v1/tokens/{id}"));
    assertFalse(RouteCatalogue.knows("/api/v1/tokens/7"));
    assertFalse(RouteCatalogue.knows("/apiv3_secret"));
  }
}

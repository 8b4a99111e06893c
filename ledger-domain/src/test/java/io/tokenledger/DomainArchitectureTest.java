package io.tokenledger;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import io.tokenledger.audit.ControlEvent;
import io.tokenledger.audit.EventType;
import io.tokenledger.audit.RequestEvent;
import io.tokenledger.token.Token;
import io.tokenledger.token.TokenEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.axonframework.eventsourcing.EventSourcingHandler;
import org.junit.jupiter.api.Test;

class DomainArchitectureTest {

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("io.tokenledger");

  @Test
  void theDomainKnowsJavaAndAxonAndNothingElse() {
    assertTrue(CLASSES.size() > 20, "the rule looks at real classes");
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage("java..", "org.axonframework..", "org.jspecify..", "io.tokenledger..")
        .check(CLASSES);
  }

  @Test
  void arrowsBetweenPackagesPointOneWay() {
    classes()
        .that()
        .resideInAPackage("io.tokenledger.permission")
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage("java..", "org.jspecify..", "io.tokenledger.permission")
        .check(CLASSES);
    classes()
        .that()
        .resideInAPackage("io.tokenledger.gateway")
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "java..", "org.jspecify..", "io.tokenledger.permission", "io.tokenledger.gateway")
        .check(CLASSES);
    classes()
        .that()
        .resideInAPackage("io.tokenledger.token")
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "java..",
            "org.axonframework..",
            "org.jspecify..",
            "io.tokenledger.permission",
            "io.tokenledger.token")
        .check(CLASSES);
  }

  @Test
  void everyEventHasACatalogueRowAndTheAggregateAHandlerForIt() {
    Set<Class<?>> events = new HashSet<>();
    events.addAll(List.of(TokenEvent.class.getPermittedSubclasses()));
    Set<Class<?>> handled = new HashSet<>();
    Arrays.stream(Token.class.getDeclaredMethods())
        .filter(method -> method.isAnnotationPresent(EventSourcingHandler.class))
        .forEach(method -> handled.add(method.getParameterTypes()[0]));
    assertEquals(events, handled);
    events.addAll(List.of(RequestEvent.class.getPermittedSubclasses()));
    events.addAll(List.of(ControlEvent.class.getPermittedSubclasses()));
    Set<Class<?>> catalogued = new HashSet<>();
    Arrays.stream(EventType.values()).forEach(type -> catalogued.add(type.eventClass()));
    assertEquals(events, catalogued);
    assertEquals(
        EventType.values().length,
        Arrays.stream(EventType.values()).map(EventType::storedName).distinct().count());
  }

  @Test
  void everyTestClassHasANameThatTheBuildRuns() throws IOException {
    try (Stream<Path> files = Files.walk(Path.of("src/test/java"))) {
      List<String> misnamed =
          files
              .map(file -> file.getFileName().toString())
              .filter(name -> name.endsWith(".java"))
              .filter(name -> !name.endsWith("Test.java") && !name.endsWith("IT.java"))
              .toList();
      assertEquals(List.of(), misnamed);
    }
  }
}

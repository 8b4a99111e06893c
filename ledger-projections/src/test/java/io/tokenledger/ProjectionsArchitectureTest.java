package io.tokenledger;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ProjectionsArchitectureTest {

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("io.tokenledger");

  @Test
  void theProjectionsKnowPlainJdbcAndNoSpring() {
    assertTrue(CLASSES.size() > 60, "the rule looks at real classes");
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "java..",
            "javax.crypto..",
            "javax.net.ssl..",
            "javax.sql..",
            "org.axonframework..",
            "org.jspecify..",
            "org.slf4j..",
            "org.postgresql..",
            "org.flywaydb..",
            "com.zaxxer.hikari..",
            "net.sf.jsqlparser..",
            "io.micrometer.core..",
            "tools.jackson..",
            "org.apache.commons.compress..",
            "org.tukaani.xz..",
            "org.bouncycastle..",
            "io.tokenledger..")
        .check(CLASSES);
  }

  @Test
  void arrowsBetweenPackagesPointOneWay() {
    slices().matching("io.tokenledger.(*)..").should().beFreeOfCycles().check(CLASSES);
  }

  @Test
  void sqlOnATableStandsInOneClass() throws IOException {
    try (Stream<Path> files = Files.walk(Path.of("src/main/java"))) {
      List<String> writers =
          files
              .filter(file -> file.toString().endsWith(".java"))
              .filter(
                  file -> {
                    try {
                      return Files.readString(file).contains("INSERT INTO ledger.event");
                    } catch (IOException e) {
                      throw new java.io.UncheckedIOException(e);
                    }
                  })
              .map(file -> file.getFileName().toString())
              .toList();
      assertEquals(List.of("EventTable.java"), writers);
    }
  }

  @Test
  void everyTestClassHasANameThatTheBuildRuns() throws IOException {
    try (Stream<Path> files = Files.walk(Path.of("src/test/java"))) {
      List<String> misnamed =
          files
              .map(file -> file.getFileName().toString())
              .filter(name -> name.endsWith(".java"))
              .filter(name -> !name.endsWith("Test.java") && !name.endsWith("IT.java"))
              .sorted()
              .toList();
      assertEquals(List.of("TestLedger.java", "TestPostgres.java"), misnamed);
    }
  }
}

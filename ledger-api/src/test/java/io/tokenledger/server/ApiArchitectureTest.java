package io.tokenledger.server;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

class ApiArchitectureTest {

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("io.tokenledger.server", "io.tokenledger.cli");

  @Test
  void theApiHoldsNoSql() {
    assertTrue(CLASSES.size() > 30, "the rule looks at real classes");
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "java.io..",
            "java.lang..",
            "java.math..",
            "java.net..",
            "java.nio..",
            "java.security..",
            "java.time..",
            "java.util..",
            "javax.net.ssl..",
            "com.sun.net.httpserver..",
            "jakarta.servlet..",
            "org.springframework..",
            // Requests that never reach a route are refused by the container itself.
            "org.apache.catalina..",
            "org.apache.coyote..",
            "org.apache.tomcat..",
            "org.slf4j..",
            "org.jspecify..",
            "io.micrometer..",
            "tools.jackson..",
            "picocli..",
            "io.tokenledger..")
        .check(CLASSES);
  }
}

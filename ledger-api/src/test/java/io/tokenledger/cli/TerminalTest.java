package io.tokenledger.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TerminalTest {

  /** As Java 22's, which is there in a pipe too. */
  record NewConsole(boolean isTerminal) {}

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aConsoleThatKnowsIsBelieved(boolean terminal) {
    assertEquals(terminal, Terminal.isTerminal(NewConsole.class, new NewConsole(terminal)));
  }

  @Test
  void aConsoleOfJava17IsThereForATerminalOnly() {
    assertTrue(Terminal.isTerminal(Object.class, new Object()));
  }
}

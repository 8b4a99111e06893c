package io.tokenledger.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TerminalTest {

  @Test
  void aBarSaysHowFarItIsHowFastAndForHowLong() {
    assertEquals(
        "[" + "#".repeat(15) + "-".repeat(15) + "] 50/100 events, 10/s, 5 s left",
        Terminal.bar(50, 100, "events", 10));
    assertEquals("[" + "-".repeat(30) + "] 0/100 leaves", Terminal.bar(0, 100, "leaves", 0));
    assertEquals(
        "[" + "#".repeat(30) + "] 100/100 events, 7/s, 0 s left",
        Terminal.bar(130, 100, "events", 7),
        "totals are estimates");
  }

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

package io.tokenledger.lookup;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SnapshotTest {

  @Test
  void seesAllBelowNoneFromTheEndAndInBetweenWhatWasNotRunning() {
    Snapshot snapshot = Snapshot.parse("10:20:10,14,15");
    assertTrue(snapshot.sees(9));
    assertFalse(snapshot.sees(10));
    assertTrue(snapshot.sees(13));
    assertFalse(snapshot.sees(14));
    assertFalse(snapshot.sees(15));
    assertTrue(snapshot.sees(19));
    assertFalse(snapshot.sees(20));
  }

  @Test
  void asItWasBeforeSoManyTransactionsItSeesNoneOfThem() {
    Snapshot snapshot = Snapshot.parse("10:20:10,14,15");
    assertEquals("10:15:10,14", snapshot.before(5).text());
    assertFalse(snapshot.before(5).sees(16));
    assertEquals("5:5:", snapshot.before(15).text());
    assertEquals("1:1:", snapshot.before(10_000).text());
  }

  @Test
  void isReadAsPostgresWritesIt() {
    assertEquals("10:20:10,14", Snapshot.parseGiven("10:20:10,14").orElseThrow().text());
    assertEquals("7:7:", Snapshot.parseGiven("7:7:").orElseThrow().text());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "10",
        "10:20",
        "20:10:",
        "0:1:",
        "10:20:9",
        "10:20:20",
        "10:20:15,14",
        "10:20:14,14",
        "10:20:14,",
        "10:20: 14",
        "-1:20:",
        "10:99999999999999999999:",
        "10:20:'; --"
      })
  void isRefusedWhenItIsNone(String text) {
    assertTrue(Snapshot.parseGiven(text).isEmpty());
  }
}

package io.tokenledger.follow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.sequence.LogRow;
import io.tokenledger.store.EventTable;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RecentLeavesTest {

  private final RecentLeaves recent = new RecentLeaves();

  private static List<LogRow> rows(int count) {
    return IntStream.range(0, count).mapToObj(i -> row("{\"action\":\"token.create\"}")).toList();
  }

  private static LogRow row(String metadata) {
    return new LogRow(
        7,
        new EventTable.Row(
            "id",
            "token:a",
            0,
            "Token",
            "TokenRevoked",
            "1",
            "2026-11-24T00:00:00.000Z",
            "{}",
            metadata),
        new byte[0],
        "2026-11-24T00:00:00.000001Z",
        null,
        null);
  }

  private List<Long> from(long position, int limit) {
    return recent.from(position, limit).stream().map(Leaf::leafIndex).toList();
  }

  @Test
  void whatFollowsWithoutAGapIsHandedOutFromAnyPlaceInIt() {
    recent.add(100, rows(3));
    recent.add(103, rows(2));
    assertEquals(List.of(100L, 101L, 102L, 103L, 104L), from(100, 1_000));
    assertEquals(List.of(102L, 103L), from(102, 2));
    assertEquals(List.of(104L), from(104, 1_000));
    assertEquals(List.of(), from(99, 1_000), "who is further behind reads the tables");
    assertEquals(List.of(), from(105, 1_000));
    assertEquals("token.create", recent.from(100, 1).get(0).header().action());
  }

  @Test
  void afterAGapOnlyWhatIsBehindItIsKept() {
    recent.add(100, rows(3));
    recent.add(110, rows(1));
    assertEquals(List.of(), from(100, 1_000));
    assertEquals(List.of(110L), from(110, 1_000));
  }

  @Test
  void onlyTheLastOfABacklogAreKept() {
    recent.add(0, rows(5_000));
    assertEquals(List.of(), from(2_999, 1));
    assertEquals(1_000, from(3_000, 1_000).size());
    recent.add(5_000, rows(1));
    assertEquals(List.of(), from(3_000, 1));
    assertEquals(List.of(5_000L), from(5_000, 1_000));
  }

  @Test
  void whatCannotBeReadIsForgottenAndWhatHasNoHeaderSaysSo() {
    recent.add(0, List.of(row("no json")));
    assertFalse(recent.from(0, 1).get(0).header().readable());
    recent.clear();
    assertTrue(recent.from(0, 1).isEmpty());
    recent.add(1, rows(1));
    assertEquals(List.of(1L), from(1, 10));
  }
}

package io.tokenledger.verify;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.audit.ControlEvent.EventsPruned;
import io.tokenledger.audit.ControlEvent.EventsWithheld;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PrunedLeavesTest {

  private static final Instant T0 = Instant.parse("2026-11-24T12:00:00Z");
  private static final List<String> TYPES =
      List.of("AccessDenied", "AuditLogRead", "AuditHeartbeat", "ResourceTokenCreated");

  private static byte[] entry(String type, Instant at, Instant recordedAt) {
    return "{\"type\":\"%s\",\"at\":\"%s\",\"rec\":\"%s\"}"
        .formatted(type, at, recordedAt)
        .getBytes(StandardCharsets.UTF_8);
  }

  private static boolean isIn(List<String> ranges, long leaf) {
    return ranges.stream()
        .map(range -> range.split("-"))
        .anyMatch(ends -> Long.parseLong(ends[0]) <= leaf && leaf <= Long.parseLong(ends[1]));
  }

  private static List<String> ranges(Random random) {
    List<String> ranges = new ArrayList<>();
    for (long at = random.nextInt(50); at < 1_000; at += 1 + random.nextInt(300)) {
      long last = at + random.nextInt(20);
      ranges.add(at + "-" + last);
      at = last;
    }
    return ranges;
  }

  /** However decisions overlap, each leaf is covered as their words say. */
  @Test
  void agreesWithAPlainReadingOfTheDecisions() {
    Random random = new Random(20261125);
    int covered = 0;
    for (int round = 0; round < 200; round++) {
      PrunedLeaves pruned = new PrunedLeaves();
      List<EventsPruned> decisions = new ArrayList<>();
      List<List<String>> kept = new ArrayList<>();
      for (int i = random.nextInt(12); i >= 0; i--) {
        long from = random.nextInt(1_000);
        EventsPruned decision =
            new EventsPruned(
                "requests",
                TYPES.subList(0, 1 + random.nextInt(TYPES.size())),
                T0.plusSeconds(random.nextInt(1_000)),
                from,
                from + random.nextInt(1_000),
                1,
                ranges(random));
        decisions.add(decision);
        pruned.add(2_000 + decisions.size(), decision);
        kept.add(new ArrayList<>(decision.kept()));
        if (random.nextBoolean()) {
          EventsWithheld withheld =
              new EventsWithheld("requests", "x", 2_000 + decisions.size(), ranges(random));
          pruned.withhold(withheld);
          kept.get(decisions.size() - 1).addAll(withheld.kept());
        }
      }
      for (int i = 0; i < 200; i++) {
        long leaf = random.nextInt(2_000);
        String type = TYPES.get(random.nextInt(TYPES.size()));
        Instant at = T0.plusSeconds(random.nextInt(1_000));
        Instant recordedAt = T0.plusSeconds(random.nextInt(1_000));
        boolean expected = false;
        for (int d = 0; d < decisions.size(); d++) {
          EventsPruned decision = decisions.get(d);
          expected |=
              !type.equals("ResourceTokenCreated")
                  && decision.types().contains(type)
                  && leaf >= decision.from()
                  && leaf < decision.to()
                  && at.isBefore(decision.before())
                  && recordedAt.isBefore(decision.before())
                  && !isIn(kept.get(d), leaf);
        }
        assertEquals(expected, pruned.cover(leaf, entry(type, at, recordedAt)));
        covered += expected ? 1 : 0;
      }
    }
    assertTrue(covered > 1_000, "covered: " + covered);
  }
}

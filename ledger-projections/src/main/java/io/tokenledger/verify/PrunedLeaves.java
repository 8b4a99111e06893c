package io.tokenledger.verify;

import io.tokenledger.audit.ControlEvent.EventsPruned;
import io.tokenledger.audit.ControlEvent.EventsWithheld;
import io.tokenledger.audit.EventType;
import io.tokenledger.audit.RetentionClass;
import io.tokenledger.sequence.LogRow;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.UnreadableEvent;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Leaves whose events have no bodies any more because a later leaf says so. What such a leaf covers
 * is read from the entries alone, which the tree vouches for; a type that never ends is covered by
 * none, whoever wrote it.
 *
 * <p>Not for use by several threads.
 */
public final class PrunedLeaves {

  private static final JsonMapper JSON = JsonMapper.shared();

  private final TreeMap<Long, Prune> prunes = new TreeMap<>();
  private final Map<String, OfType> byType = new HashMap<>();
  private final Map<Long, Long> counts = new HashMap<>();

  private record Prune(long leafIndex, EventsPruned event, TreeMap<Long, Long> kept) {

    private boolean covers(long leaf, Instant occurredAt, Instant recordedAt) {
      if (leaf < event.from()
          || leaf >= event.to()
          || !occurredAt.isBefore(event.before())
          || !recordedAt.isBefore(event.before())) {
        return false;
      }
      Map.Entry<Long, Long> range = kept.floorEntry(leaf);
      return range == null || range.getValue() < leaf;
    }
  }

  /** Those of a type by their first leaf. They hardly overlap, and there may be thousands. */
  private static final class OfType {
    private final List<Prune> prunes = new ArrayList<>();

    /** The greatest {@code to} of those up to each; empty until it is asked for. */
    private long[] reach = {};

    private void add(Prune prune) {
      prunes.add(prune);
      reach = new long[0];
    }

    private @Nullable Prune covering(long leaf, Instant occurredAt, Instant recordedAt) {
      if (reach.length == 0) {
        prunes.sort(Comparator.comparingLong(prune -> prune.event().from()));
        reach = new long[prunes.size()];
        for (int i = 0; i < reach.length; i++) {
          reach[i] = Math.max(i == 0 ? 0 : reach[i - 1], prunes.get(i).event().to());
        }
      }
      int low = 0;
      int high = prunes.size();
      while (low < high) {
        int middle = (low + high) >>> 1;
        if (prunes.get(middle).event().from() <= leaf) {
          low = middle + 1;
        } else {
          high = middle;
        }
      }
      for (int i = low - 1; i >= 0 && reach[i] > leaf; i--) {
        if (prunes.get(i).covers(leaf, occurredAt, recordedAt)) {
          return prunes.get(i);
        }
      }
      return null;
    }
  }

  /**
   * Takes a leaf by which bodies went; one that cannot be read, or speaks of leaves after itself,
   * explains nothing.
   */
  public void add(long leafIndex, EventsPruned event) {
    Prune prune = new Prune(leafIndex, event, new TreeMap<>());
    if (event.to() > leafIndex || !keep(prune, event.kept())) {
      return;
    }
    prunes.put(leafIndex, prune);
    event.types().stream()
        .distinct()
        .filter(PrunedLeaves::ends)
        .forEach(type -> byType.computeIfAbsent(type, key -> new OfType()).add(prune));
  }

  /** Takes a leaf that narrows such a one, which must have been given before. */
  public void withhold(EventsWithheld event) {
    Prune prune = prunes.get(event.leafIndex());
    if (prune != null) {
      keep(prune, event.kept());
    }
  }

  private static boolean keep(Prune prune, List<String> ranges) {
    try {
      for (String range : ranges) {
        String[] ends = range.split("-", 2);
        unite(prune.kept(), Long.parseLong(ends[0]), Long.parseLong(ends[1]));
      }
      return true;
    } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
      return false;
    }
  }

  /** Ranges stay apart, so that the one that begins before a leaf says all of it. */
  private static void unite(TreeMap<Long, Long> ranges, long first, long last) {
    long from = first;
    long to = last;
    Map.Entry<Long, Long> before = ranges.floorEntry(from);
    if (before != null && before.getValue() >= from) {
      from = before.getKey();
    }
    Map.Entry<Long, Long> next = ranges.ceilingEntry(from);
    while (next != null && next.getKey() <= to) {
      to = Math.max(to, next.getValue());
      ranges.remove(next.getKey());
      next = ranges.ceilingEntry(from);
    }
    ranges.put(from, to);
  }

  /** Takes either by its stored form; others say nothing of bodies. */
  void add(long leafIndex, LogRow event) {
    Object read = read(event);
    if (read instanceof EventsPruned pruned) {
      add(leafIndex, pruned);
    } else if (read instanceof EventsWithheld withheld) {
      withhold(withheld);
    }
  }

  /** Null when it is neither. */
  static @Nullable Object read(LogRow event) {
    try {
      return EventReader.CURRENT
          .read(event.row().eventType(), event.row().revision(), event.row().payload())
          .stream()
          .filter(each -> each instanceof EventsPruned || each instanceof EventsWithheld)
          .findFirst()
          .orElse(null);
    } catch (UnreadableEvent e) {
      return null;
    }
  }

  private static boolean ends(String type) {
    return EventType.named(type)
        .filter(known -> RetentionClass.of(known) != RetentionClass.PERMANENT)
        .isPresent();
  }

  /** Whether it is said of that leaf, whose entry this is. */
  public boolean cover(long leafIndex, byte[] entry) {
    if (prunes.isEmpty()) {
      return false;
    }
    try {
      JsonNode json = JSON.readTree(entry);
      OfType known = byType.get(json.path("type").asString(""));
      Prune prune =
          known == null
              ? null
              : known.covering(
                  leafIndex,
                  Instant.parse(json.path("at").asString("")),
                  Instant.parse(json.path("rec").asString("")));
      if (prune != null) {
        counts.merge(prune.leafIndex(), 1L, Long::sum);
      }
      return prune != null;
    } catch (JacksonException | DateTimeException e) {
      return false;
    }
  }

  /** A sentence for each of them that explained a leaf. */
  List<String> lines() {
    return prunes.values().stream()
        .filter(prune -> counts.containsKey(prune.leafIndex()))
        .map(
            prune ->
                counts.get(prune.leafIndex())
                    + " events of the class "
                    + prune.event().retentionClass()
                    + " reached the end of their retention, by leaf "
                    + prune.leafIndex())
        .toList();
  }
}

package io.tokenledger.verify;

import io.tokenledger.audit.ControlEvent.EventsPruned;
import io.tokenledger.audit.EventType;
import io.tokenledger.audit.RetentionClass;
import io.tokenledger.store.EventReader;
import io.tokenledger.store.UnreadableEvent;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
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

  private static final String SIGNED =
      """
      SELECT leaf.leaf_index, event.event_type, event.revision, event.payload
        FROM state.prune  AS prune
        JOIN audit.leaf   AS leaf  ON leaf.event_id = prune.event_id
        JOIN ledger.event AS event ON event.global_index = leaf.global_index
       WHERE leaf.leaf_index < (SELECT max(size) FROM audit.checkpoint)
       ORDER BY leaf.leaf_index
      """;

  private final List<Prune> prunes = new ArrayList<>();
  private final Map<Long, Long> counts = new HashMap<>();

  private record Prune(
      long leafIndex, EventsPruned event, Set<String> types, TreeMap<Long, Long> kept) {

    private boolean covers(long leaf, String type, Instant at) {
      Map.Entry<Long, Long> range = kept.floorEntry(leaf);
      return leaf >= event.from()
          && leaf < event.to()
          && types.contains(type)
          && at.isBefore(event.before())
          && (range == null || range.getValue() < leaf);
    }
  }

  /** Those that are signed in that database. */
  public static PrunedLeaves of(Connection connection) throws SQLException {
    PrunedLeaves pruned = new PrunedLeaves();
    try (PreparedStatement statement = connection.prepareStatement(SIGNED);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        pruned.add(
            row.getLong("leaf_index"),
            row.getString("event_type"),
            row.getString("revision"),
            row.getString("payload"));
      }
    }
    return pruned;
  }

  /**
   * Takes a leaf by which bodies went; one that cannot be read, or speaks of leaves after itself,
   * explains nothing.
   */
  public void add(long leafIndex, EventsPruned event) {
    TreeMap<Long, Long> kept = new TreeMap<>();
    try {
      for (String range : event.kept()) {
        String[] ends = range.split("-", 2);
        kept.put(Long.parseLong(ends[0]), Long.parseLong(ends[1]));
      }
    } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
      return;
    }
    if (event.to() <= leafIndex) {
      Set<String> types =
          event.types().stream().filter(PrunedLeaves::ends).collect(Collectors.toSet());
      prunes.add(new Prune(leafIndex, event, types, kept));
    }
  }

  /** The same by its stored form. */
  void add(long leafIndex, String type, String revision, String payload) {
    EventsPruned event = read(type, revision, payload);
    if (event != null) {
      add(leafIndex, event);
    }
  }

  /** Null when it is none. */
  static @Nullable EventsPruned read(String type, String revision, String payload) {
    try {
      return EventReader.CURRENT.read(type, revision, payload).stream()
          .filter(EventsPruned.class::isInstance)
          .map(EventsPruned.class::cast)
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
    String type;
    Instant at;
    try {
      JsonNode json = JSON.readTree(entry);
      type = json.path("type").asString("");
      at = Instant.parse(json.path("at").asString(""));
    } catch (JacksonException | DateTimeException e) {
      return false;
    }
    for (Prune prune : prunes) {
      if (prune.covers(leafIndex, type, at)) {
        counts.merge(prune.leafIndex(), 1L, Long::sum);
        return true;
      }
    }
    return false;
  }

  /** A sentence for each of them that explained a leaf. */
  List<String> lines() {
    return prunes.stream()
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

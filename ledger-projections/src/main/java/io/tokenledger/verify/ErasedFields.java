package io.tokenledger.verify;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Counts the events whose sealed fields the log itself says nobody can open any more. Their rows
 * are as they were hashed, so that they are verified like all others; whoever sees a null in their
 * place is told by this which leaf explains it.
 *
 * <p>Not for use by several threads.
 */
final class ErasedFields {

  private static final String SEALED = "sealed:1:";
  private static final int ID_CHARS = 48;
  private static final JsonMapper JSON = JsonMapper.shared();

  private final Map<String, Erasure> byKey = new HashMap<>();
  private final List<Erasure> erasures = new ArrayList<>();

  private static final class Erasure {
    private final long leafIndex;
    private final String subject;
    private long events;

    private Erasure(long leafIndex, String subject) {
      this.leafIndex = leafIndex;
      this.subject = subject;
    }
  }

  /** Takes a leaf by which keys were destroyed; one that cannot be read explains nothing. */
  void erasure(long leafIndex, String payload) {
    try {
      JsonNode json = JSON.readTree(payload);
      Erasure erasure = new Erasure(leafIndex, json.path("subject").asString(""));
      json.path("key_ids").forEach(id -> byKey.putIfAbsent(id.asString(""), erasure));
      erasures.add(erasure);
    } catch (JacksonException e) {
      // The comparison of that leaf with its entry finds it.
      return;
    }
  }

  /** Takes an event as it is stored. */
  void event(long leafIndex, String payload, String metadata) {
    if (byKey.isEmpty()) {
      return;
    }
    Set<Erasure> met = new HashSet<>();
    find(payload, met);
    find(metadata, met);
    for (Erasure erasure : met) {
      if (leafIndex < erasure.leafIndex) {
        erasure.events++;
      }
    }
  }

  private void find(String text, Set<Erasure> met) {
    for (int at = text.indexOf(SEALED); at >= 0; at = text.indexOf(SEALED, at + 1)) {
      int from = at + SEALED.length();
      if (from + ID_CHARS <= text.length()) {
        Erasure erasure = byKey.get(text.substring(from, from + ID_CHARS));
        if (erasure != null) {
          met.add(erasure);
        }
      }
    }
  }

  /** A sentence for each erasure. */
  List<String> lines() {
    return erasures.stream()
        .map(
            each ->
                "of "
                    + each.events
                    + (each.events == 1 ? " event" : " events")
                    + " personal fields were erased: "
                    + each.subject
                    + " by leaf "
                    + each.leafIndex)
        .toList();
  }
}

package io.tokenledger.verify;

import io.tokenledger.sequence.LogEntries;
import io.tokenledger.sequence.LogRow;
import io.tokenledger.store.EventTable;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.Frontier;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Reads a log leaf by leaf, in constant memory, and compares it with itself and with the
 * checkpoints that someone remembers: each must be the root over the leaves it covers. It does not
 * care where entries and bodies come from, so that the database, a bundle and a server are checked
 * by the same code.
 *
 * <p>Not for use by several threads.
 */
public final class LogAudit {

  static final int MAX_FINDINGS = 1_000;

  private static final String FORGED = "forged_event";
  private static final String UNCOMMITTED = "uncommitted";

  private static final JsonMapper JSON = JsonMapper.shared();

  /** Which column of the event a field of an entry speaks of. */
  private static final Map<String, String> COLUMNS =
      Map.ofEntries(
          Map.entry("gi", "global_index"),
          Map.entry("eid", "event_id"),
          Map.entry("agg", "aggregate_id"),
          Map.entry("aty", "aggregate_type"),
          Map.entry("seq", "sequence_number"),
          Map.entry("type", "event_type"),
          Map.entry("rev", "revision"),
          Map.entry("at", "occurred_at"),
          Map.entry("rec", "recorded_at"),
          Map.entry("pc", "payload"),
          Map.entry("mc", "metadata"),
          Map.entry("oc", "mac"));

  private final LogEntries entries = new LogEntries();
  private final PrunedLeaves pruned = new PrunedLeaves();
  private final Frontier tree;
  private final TreeMap<Long, List<Checkpoint>> remembered = new TreeMap<>();
  private final List<Finding> findings = new ArrayList<>();
  private final List<String> notes = new ArrayList<>();
  private final @Nullable EventTable macs;
  private final Frontier.Completed completed;
  private long findingCount;
  private @Nullable Finding difference;
  private boolean whole = true;
  private long bodies;
  private long pending;
  private @Nullable Long believed;

  /**
   * @param macs knows which rows a node wrote; null when the key of that is not at hand
   * @param completed hears of each complete subtree
   */
  public LogAudit(@Nullable EventTable macs, Frontier.Completed completed) {
    this(macs, new Frontier(), completed);
  }

  /**
   * The same for the part of a log from some leaf on.
   *
   * @param before right edge of the tree before that leaf
   */
  LogAudit(@Nullable EventTable macs, Frontier before, Frontier.Completed completed) {
    this.tree = before.copy();
    this.macs = macs;
    this.completed = completed;
  }

  /**
   * Takes a checkpoint that the log must agree with. Call it before the leaves.
   *
   * @param policy whom to believe
   * @param newest whether it is the one that the log itself shows as its newest
   */
  public void remember(SignedNote note, Policy policy, boolean newest) {
    try {
      Checkpoint checkpoint = policy.open(note);
      remember(checkpoint);
      if (newest) {
        believed = checkpoint.size();
      }
    } catch (InvalidTlogFormat e) {
      find("checkpoint_not_believed", null, null, String.valueOf(e.getMessage()));
    }
  }

  /** Whether the newest checkpoint covers that leaf, and is believed. */
  boolean isBelieved(long leafIndex) {
    return believed != null && leafIndex < believed;
  }

  /** The same for one whose signatures were checked already, or need not be. */
  public void remember(Checkpoint checkpoint) {
    if (checkpoint.size() == tree.size()) {
      compare(checkpoint);
    } else if (checkpoint.size() > tree.size()) {
      remembered.computeIfAbsent(checkpoint.size(), size -> new ArrayList<>()).add(checkpoint);
    }
  }

  private void compare(Checkpoint checkpoint) {
    if (!checkpoint.root().equals(tree.root())) {
      find(
          "root_differs",
          null,
          null,
          "the first "
              + checkpoint.size()
              + " leaves do not have the root that the checkpoint "
              + checkpoint.origin()
              + " "
              + checkpoint.size()
              + " signs");
    }
  }

  /** Takes the next leaf. */
  public void leaf(byte[] entry) {
    tree.add(TreeHash.leaf(entry), completed);
    List<Checkpoint> here = remembered.remove(tree.size());
    if (here != null) {
      here.forEach(this::compare);
    }
  }

  /** Does not wait for that checkpoint any more: it was compared in another way. */
  void forget(Checkpoint checkpoint) {
    remembered.remove(checkpoint.size());
  }

  /** How many leaves there are with those that were taken. */
  public long size() {
    return tree.size();
  }

  /** The root over what was taken. */
  public TreeHash root() {
    return tree.root();
  }

  /** The right edge over what was taken. */
  byte[] edge() {
    return tree.bytes();
  }

  /**
   * Compares an event, as it is stored or was handed over, with the entry of its leaf.
   *
   * @param event null when there is none
   */
  public void body(long leafIndex, byte[] entry, @Nullable LogRow event) {
    if (event == null) {
      find("event_missing", leafIndex, field(entry, "eid"), "the leaf's event is not there");
      return;
    }
    bodies++;
    requireOurs(leafIndex, event);
    byte[] expected;
    boolean saltless = event.payloadSalt() == null && event.metadataSalt() == null;
    if ((saltless || event.hasNoBody()) && isPruned(leafIndex, entry)) {
      if (!event.hasNoBody()) {
        find("body_unproven", leafIndex, event.row().eventId(), "a body that nothing vouches for");
        return;
      }
      expected = entries.write(event, LogEntries.Commitments.in(entry));
    } else if (event.payloadSalt() == null || event.metadataSalt() == null) {
      if (isUncommitted(entry, event)) {
        find(UNCOMMITTED, leafIndex, event.row().eventId(), "the log commits to nothing of it");
      } else {
        find("salt_missing", leafIndex, event.row().eventId(), "the event has no salts");
      }
      return;
    } else {
      expected = entries.write(event);
    }
    if (!Arrays.equals(expected, entry)) {
      if (isUncommitted(entry, event)) {
        find(UNCOMMITTED, leafIndex, event.row().eventId(), "the log commits to nothing of it");
        return;
      }
      find(
          "entry_differs",
          leafIndex,
          field(entry, "eid"),
          "the event is not what the log says of it: " + differing(entry, expected));
    }
  }

  /**
   * Whether no node wrote it, as far as that can be told, and it had no salts when it got its
   * place: the log then vouches for what its entry shows, whatever salts came later.
   */
  private boolean isUncommitted(byte[] entry, LogRow event) {
    LogEntries.Commitments none = new LogEntries.Commitments("", "", "");
    return (macs == null || !isOurs(event)) && Arrays.equals(entries.write(event, none), entry);
  }

  /** Leaves whose bodies the log says are gone. Tell it before the leaves. */
  PrunedLeaves pruned() {
    return pruned;
  }

  /** Whether the log says of that leaf that its event has no body any more. */
  boolean isPruned(long leafIndex, byte[] entry) {
    return pruned.cover(leafIndex, entry);
  }

  /** An event that has no leaf yet. */
  void pending(LogRow event) {
    pending++;
    requireOurs(null, event);
  }

  /** Whether a node wrote that row, as far as the key of that is at hand. */
  boolean isOurs(LogRow event) {
    return macs == null || macs.isOurs(event.row(), event.mac());
  }

  private void requireOurs(@Nullable Long leafIndex, LogRow event) {
    if (!isOurs(event)) {
      find(FORGED, leafIndex, event.row().eventId(), "no node wrote this row: its MAC");
    }
  }

  private static @Nullable String field(byte[] entry, String name) {
    try {
      JsonNode value = JSON.readTree(entry).path(name);
      return value.isString() ? value.stringValue() : null;
    } catch (JacksonException e) {
      return null;
    }
  }

  /** Names of the fields that differ. */
  private static String differing(byte[] entry, byte[] expected) {
    try {
      JsonNode said = JSON.readTree(entry);
      JsonNode is = JSON.readTree(expected);
      List<String> names = new ArrayList<>();
      for (String name : is.propertyNames()) {
        if (!Objects.equals(said.get(name), is.get(name))) {
          names.add(COLUMNS.getOrDefault(name, name));
        }
      }
      return names.isEmpty() ? "spelling" : String.join(", ", names);
    } catch (JacksonException e) {
      return "the entry is not JSON: " + new String(entry, 0, 1, StandardCharsets.US_ASCII) + "...";
    }
  }

  /** Adds a finding. */
  public void find(String kind, @Nullable Long leafIndex, @Nullable String eventId, String detail) {
    findingCount++;
    Finding finding = new Finding(kind, leafIndex, eventId, detail);
    if (findings.size() < MAX_FINDINGS) {
      findings.add(finding);
    }
    if (difference == null && !kind.equals(FORGED) && !kind.equals(UNCOMMITTED)) {
      difference = finding;
    }
  }

  /** Says that something was not checked, and why. */
  public void note(String note) {
    notes.add(note);
  }

  /** Says that something that was asked for was not compared, and why. */
  void notCompared(String note) {
    whole = false;
    notes.add(note);
  }

  /** Ends: what is remembered of more leaves than there are was cut off. */
  public Verdict finish() {
    remembered
        .values()
        .forEach(
            list ->
                list.forEach(
                    checkpoint ->
                        find(
                            "end_cut_off",
                            null,
                            null,
                            "the log has "
                                + tree.size()
                                + " leaves, and the checkpoint "
                                + checkpoint.origin()
                                + " "
                                + checkpoint.size()
                                + " covers more")));
    pruned.lines().forEach(this::note);
    return new Verdict(
        tree.size(),
        tree.root(),
        believed,
        bodies,
        pending,
        findings,
        findingCount,
        difference,
        whole,
        notes);
  }
}

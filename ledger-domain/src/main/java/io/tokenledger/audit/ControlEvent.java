package io.tokenledger.audit;

import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the service itself did or found, asked by nobody. Each stands in a stream of its own; which
 * node it was stands in the envelope. Component names are the storage format: see the golden files.
 */
public sealed interface ControlEvent {

  /**
   * A node began to serve.
   *
   * @param version of the program
   * @param configuration every setting and its value in the order of the documentation, none of
   *     them secret
   */
  record ServiceStarted(String version, Map<String, String> configuration) implements ControlEvent {
    public ServiceStarted {
      configuration = Collections.unmodifiableMap(new LinkedHashMap<>(configuration));
    }
  }

  /** A node drained. One that was killed leaves none: its heartbeats end. */
  record ServiceStopped() implements ControlEvent {}

  /** A node began to serve with other settings than the last time. */
  record ConfigurationChanged(List<Change> changes) implements ControlEvent {
    public ConfigurationChanged {
      changes = List.copyOf(changes);
    }

    /**
     * One setting.
     *
     * @param path its name
     * @param before its value; null when the setting did not exist
     * @param after its value; null when the setting no longer exists
     */
    public record Change(String path, @Nullable String before, @Nullable String after) {}
  }

  /**
   * A node lives, once an hour. A gap between two tells that it did not, or that someone kept it
   * from writing.
   *
   * @param treeSize number of leaves
   * @param clockOffsetMillis the node's clock minus the database's
   */
  record AuditHeartbeat(long treeSize, long clockOffsetMillis) implements ControlEvent {}

  /**
   * A checkpoint was left with someone who remembers it, once in a while. Each event makes a leaf
   * and so a checkpoint: witnesses, which sign nearly every one, leave their lines and no events.
   *
   * @param kind {@code rfc3161}
   * @param size the checkpoint's tree size
   * @param rootHex the checkpoint's root hash, 64 lower-case hexadecimal digits
   * @param reference where the receipt is found
   */
  record CheckpointAnchored(String kind, long size, String rootHex, String reference)
      implements ControlEvent {}

  /**
   * A witness refused a checkpoint: it remembers another history, or does not know the key. Once an
   * hour for each status while that lasts. One that does not answer leaves no event.
   *
   * @param witness its name
   * @param size the checkpoint's tree size
   * @param status the HTTP status of its answer: 403, 409 or 422
   * @param detail what it said
   */
  record WitnessRefused(String witness, long size, int status, String detail)
      implements ControlEvent {}

  /**
   * A log began that continues another one, or the first of all.
   *
   * @param generation from 1
   * @param origin name of the new log
   * @param previousOrigin name of the log before; null for the first
   * @param previousSize its last tree size, 0 for the first
   * @param previousNote its last checkpoint; null for the first
   * @param reason why, in words
   */
  record LogGenerationStarted(
      int generation,
      String origin,
      @Nullable String previousOrigin,
      long previousSize,
      @Nullable String previousNote,
      String reason)
      implements ControlEvent {}

  /**
   * Someone took a restored database for the ledger from now on.
   *
   * @param size leaves it held
   * @param knownSize leaves that the newest known checkpoint covers; 0 when none was known
   * @param absentEvents events that were shown from elsewhere and that it did not hold
   * @param reapplied commands that took back what those had taken from tokens
   * @param highestTokenId every later token has a greater id
   */
  record RestoreAccepted(
      long size, long knownSize, long absentEvents, int reapplied, long highestTokenId)
      implements ControlEvent {}

  /** Checkpoints are signed with another key from now on; both are in C2SP's vkey form. */
  record SigningKeyRotated(String oldVkey, String newVkey) implements ControlEvent {}

  /**
   * The signer refused a tree that contradicts what it remembers.
   *
   * @param reason a stable lower-case code such as {@code smaller_than_signed}
   * @param size the tree size it was asked to sign
   */
  record SigningRefused(String reason, long size) implements ControlEvent {}

  /**
   * The application's role may do more or less to the events than it should.
   *
   * @param detail what, in words
   */
  record GrantDriftFound(String detail) implements ControlEvent {}

  /** A row stands in the event table that no node wrote: its MAC is not ours. */
  record ForgedEventFound(long globalIndex, String eventId) implements ControlEvent {}

  /**
   * An event stands in the table that a node cannot read: projections stand still before it.
   *
   * @param reason an unknown type or revision, or a broken payload, in words
   */
  record UnreadableEventFound(long globalIndex, String eventId, String reason)
      implements ControlEvent {}

  /**
   * An operator let projections pass an event that cannot be read. No token of its name is valid.
   */
  record EventQuarantined(long globalIndex, String eventId) implements ControlEvent {}

  /** An event that was quarantined can be read, and is taken again. */
  record EventReleased(long globalIndex, String eventId) implements ControlEvent {}

  /**
   * The keys of a subject were destroyed: what was sealed under them is unreadable wherever it was
   * copied to, and every proof is as before.
   *
   * @param subject whose: {@code token:7}, {@code person:} and its pseudonym, {@code
   *     anonymous:2026-11-24} or {@code system}
   * @param keyIds the keys, of which no sealed field opens from now on
   * @param eventCount how many events held fields sealed under them
   */
  record SubjectErased(String subject, List<String> keyIds, long eventCount)
      implements ControlEvent {
    public SubjectErased {
      keyIds = List.copyOf(keyIds);
    }
  }

  /**
   * What it covers is neither erased nor pruned until it is lifted. Of several bounds all must hold
   * for an event to be covered; at least one is given.
   *
   * @param hold its name
   * @param subject whose events, as in {@link SubjectErased}; null for anyone's
   * @param token name of the token that acted or was acted upon; null for any
   * @param from first instant; null for the beginning
   * @param until first instant after it; null for no end
   */
  record LegalHoldPlaced(
      String hold,
      @Nullable String subject,
      @Nullable String token,
      @Nullable Instant from,
      @Nullable Instant until)
      implements ControlEvent {}

  /** A hold ended; its name is not used again. */
  record LegalHoldLifted(String hold) implements ControlEvent {}

  /**
   * The log was written into the archive.
   *
   * @param segments how many; 0 when it was asked for and nothing was due
   * @param from first leaf of the first of them
   * @param to first leaf that is in no segment now
   * @param sha256 of the last manifest there is, lower-case hexadecimal; null while there is none
   */
  record ArchiveWritten(long segments, long from, long to, @Nullable String sha256)
      implements ControlEvent {}

  /**
   * Events were made again what their leaves say, from the archive.
   *
   * @param from first leaf that was looked at
   * @param to first leaf after them
   * @param missing events that were not there
   * @param saltless events that had no salts
   * @param changed events that were not what their leaf says
   */
  record ArchiveRestored(long from, long to, long missing, long saltless, long changed)
      implements ControlEvent {}

  /**
   * Someone said for how long the bodies of a class of events are kept.
   *
   * @param retentionClass {@link RetentionClass#wireName}
   * @param beforeDays what was in force; null for without end
   * @param afterDays what was asked for; null for without end
   * @param inForce false where it waits for a second token to ask for the same
   */
  record RetentionChanged(
      String retentionClass,
      @Nullable Integer beforeDays,
      @Nullable Integer afterDays,
      boolean inForce)
      implements ControlEvent {}

  /**
   * From the next minutes on these events have no bodies any more: their entries in the log stay as
   * they are, and this leaf is why the commitments in them cannot be opened.
   *
   * <p>It covers each event of these types that occurred before that instant in these leaves, and
   * is in none of the ranges kept.
   *
   * @param retentionClass {@link RetentionClass#wireName}
   * @param types the class's stored names when it was decided
   * @param before first instant that is not covered
   * @param from first leaf
   * @param to first leaf after them
   * @param eventCount how many events that are; 0 when it was asked for and nothing was due
   * @param kept leaves under a legal hold, {@code FIRST-LAST} each
   */
  record EventsPruned(
      String retentionClass,
      List<String> types,
      Instant before,
      long from,
      long to,
      long eventCount,
      List<String> kept)
      implements ControlEvent {
    public EventsPruned {
      types = List.copyOf(types);
      kept = List.copyOf(kept);
    }
  }

  /**
   * A legal hold came after that decision and before it was carried out: what it holds keeps its
   * bodies, and the decision does not cover it any more.
   *
   * @param retentionClass {@link RetentionClass#wireName}
   * @param decision event id of the {@link EventsPruned}
   * @param leafIndex its leaf
   * @param kept leaves that keep their bodies, {@code FIRST-LAST} each
   */
  record EventsWithheld(String retentionClass, String decision, long leafIndex, List<String> kept)
      implements ControlEvent {
    public EventsWithheld {
      kept = List.copyOf(kept);
    }
  }

  /**
   * Rows of a live projection are not what the events make.
   *
   * @param projection the table
   * @param slice which part was compared
   * @param rowCount how many rows differ
   * @param digestHex SHA-256 over them, 64 lower-case hexadecimal digits
   * @param rows the first of them: how each differs, and its key
   */
  record ProjectionDriftFound(
      String projection, String slice, long rowCount, String digestHex, List<String> rows)
      implements ControlEvent {
    public ProjectionDriftFound {
      rows = List.copyOf(rows);
    }
  }

  /**
   * A receiver of the log refused an entry for good: it waits as a dead letter. Once an hour for
   * each sink while that lasts, since each event makes an entry, which may be refused too.
   *
   * @param sink its name
   * @param leafIndex the entry
   * @param reason what the receiver answered
   */
  record DeliveryRefused(String sink, long leafIndex, String reason) implements ControlEvent {}

  /**
   * Someone had dead letters sent again.
   *
   * @param sink its name
   * @param letterCount how many, 1 or more
   * @param firstLeafIndex the first of them
   * @param lastLeafIndex the last of them
   */
  record DeadLettersRequeued(String sink, long letterCount, long firstLeafIndex, long lastLeafIndex)
      implements ControlEvent {}
}

package io.tokenledger.signing;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.sequence.LogTable;
import io.tokenledger.sequence.StoredNodes;
import io.tokenledger.sequence.TreeKeeper;
import io.tokenledger.sequence.TreeRefused;
import io.tokenledger.store.Locks;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.Frontier;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.Proofs;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.tlog.VerifierKey;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Signs checkpoints while this node leads, and only such as continue what this node remembers. What
 * it remembers lies outside the database, so that who rewrites the rows, cuts the end off or
 * restores a backup gets no signature under the result.
 */
public final class Signer implements TreeKeeper {

  private static final Logger LOG = LoggerFactory.getLogger(Signer.class);

  private static final String LOCK_BATCH =
      """
      SELECT pg_advisory_xact_lock(?)
      """;

  private final SigningKeys keys;
  private final String logName;
  private final CheckpointMemory memory;
  private final Alerts alerts;
  private final Duration interval;
  private final Runnable signed;
  private boolean mayBegin;
  private final Counter signatures;
  private volatile @Nullable String refused;
  private volatile @Nullable String unsound;
  private long lastSigned;
  private long knownSize;

  /**
   * @param logName what every log's origin begins with; a generation's number follows
   * @param interval the least time between two checkpoints
   * @param signed called after each checkpoint
   */
  public Signer(
      SigningKeys keys,
      String logName,
      CheckpointMemory memory,
      Alerts alerts,
      Duration interval,
      Runnable signed,
      MeterRegistry meters) {
    this.keys = keys;
    this.logName = logName;
    this.memory = memory;
    this.alerts = alerts;
    this.interval = interval;
    this.signed = signed;
    this.mayBegin = keys.isNew();
    this.lastSigned = System.nanoTime() - interval.toNanos();
    this.signatures = Counter.builder("ledger.log.checkpoints").register(meters);
    Gauge.builder("ledger.log.refused", this, s -> s.refused == null ? 0 : 1).register(meters);
  }

  /** The name of the log of that generation, {@code NAME/GENERATION}. */
  public String origin(int generation) {
    return logName + "/" + generation;
  }

  /** The keys that sign that log. */
  public List<VerifierKey> verifierKeys(int generation) {
    return keys.verifierKeys(origin(generation));
  }

  /**
   * Signs what is no checkpoint, such as a manifest, in the name of that log.
   *
   * @throws IllegalArgumentException when the text could pass for a checkpoint
   */
  public SignedNote sign(String text, int generation) {
    String first = text.lines().findFirst().orElse("");
    if (first.matches(Pattern.quote(logName) + "/[0-9]+")) {
      throw new IllegalArgumentException("only the signer signs what begins with a log's name");
    }
    return keys.sign(text, origin(generation));
  }

  /** Says that nothing was signed yet, on the word of who starts this node. */
  public void trustNothing() {
    mayBegin = true;
  }

  /** Whom this node believes: its own keys under the name of that log. */
  public Policy policy(int generation) {
    return Policy.of(keys.verifierKeys(origin(generation)));
  }

  /** Why this node does not sign; null when it does or would. */
  public @Nullable String refused() {
    return refused;
  }

  /**
   * Takes a checkpoint that an operator brings for the node's own memory: for a node whose disk was
   * lost, or that joins.
   *
   * @throws IllegalStateException when none of this node's keys signed it
   */
  public void trust(SignedNote note) {
    try {
      String origin = Checkpoint.parse(note.text()).origin();
      String number = origin.substring(Math.min(origin.length(), logName.length() + 1));
      int generation = number.matches("[1-9][0-9]{0,3}") ? Integer.parseInt(number) : 0;
      policy(generation).open(note);
      memory.remember(generation, note);
    } catch (InvalidTlogFormat e) {
      throw new IllegalStateException("--trust-checkpoint: " + e.getMessage(), e);
    }
  }

  /**
   * Hears what a verification of the whole log found.
   *
   * @param finding what is wrong, which stops the signing; null when nothing is
   * @param leaves how many were read
   */
  public void verified(@Nullable String finding, long leaves) {
    unsound = finding == null ? null : "the verification of the log found: " + finding;
    String reason = unsound;
    if (reason != null) {
      refuse("verification_failed", reason, leaves);
    }
  }

  private void requireSound() {
    String reason = unsound;
    if (reason != null) {
      throw new TreeRefused("verification_failed", reason);
    }
  }

  @Override
  public void begin(Connection session, int generation, Frontier edge) throws SQLException {
    try {
      requireSound();
      CheckpointTable.addGeneration(session, 1, origin(1), 0, null);
      requireOwnName(session, generation);
      requireOwnKey(session, generation);
      Checkpoint known = Checkpoint.parse(remembered(session, generation).text());
      requireContinued(session, known, edge);
      requireAccepted(session);
      registerKeys(session, generation, edge.size());
      session.commit();
      // Not what is remembered: that was written before the row, which may have been lost.
      knownSize = CheckpointTable.newestSize(session, generation);
      refused = null;
    } catch (TreeRefused e) {
      refuse(e.code(), String.valueOf(e.getMessage()), edge.size());
      throw e;
    } catch (InvalidTlogFormat e) {
      refuse("not_readable", String.valueOf(e.getMessage()), edge.size());
      throw e;
    }
  }

  private void refuse(String code, String reason, long size) {
    if (!reason.equals(refused)) {
      refused = reason;
      alerts.signingRefused(code, reason, size);
    }
  }

  private void requireOwnName(Connection session, int generation) throws SQLException {
    for (CheckpointTable.Generation each : CheckpointTable.generations(session)) {
      if (each.generation() == generation && !each.origin().equals(origin(generation))) {
        throw new TreeRefused(
            "other_origin",
            "this ledger's log is " + each.origin() + ", and --log-origin says " + logName);
      }
    }
  }

  private void requireOwnKey(Connection session, int generation) throws SQLException {
    List<String> own =
        keys.verifierKeys(origin(generation)).stream().map(VerifierKey::toString).toList();
    List<String> known =
        CheckpointTable.keys(session).stream()
            .filter(key -> key.generation() == generation)
            .map(CheckpointTable.Key::verifierKey)
            .toList();
    if (!known.isEmpty() && own.stream().noneMatch(known::contains)) {
      throw new TreeRefused(
          "other_key",
          "--signing-key-file holds none of the keys that sign this log; for a rotation give the"
              + " old one and the new one, separated by a comma");
    }
  }

  /** What this node remembers of the log, or what it may begin with. */
  private SignedNote remembered(Connection session, int generation) throws SQLException {
    int newest = memory.newestGeneration();
    if (newest > generation) {
      throw new TreeRefused(
          "unknown_generation",
          "this node remembers the log "
              + origin(newest)
              + ", and the database knows only "
              + origin(generation)
              + ": a backup was restored, or rows were changed");
    }
    Optional<SignedNote> note = memory.newest(generation);
    if (note.isPresent()) {
      return note.get();
    }
    Optional<CheckpointTable.Signed> stored = CheckpointTable.newest(session);
    if (newest > 0) {
      // Only a holder of the key can have begun a further log: its first checkpoint says so.
      SignedNote first =
          stored
              .filter(each -> each.generation() == generation)
              .map(CheckpointTable.Signed::note)
              .orElseThrow(
                  () ->
                      new TreeRefused(
                          "unknown_generation",
                          "no checkpoint shows that " + origin(generation) + " began"));
      policy(generation).open(first);
      memory.remember(generation, first);
      return first;
    }
    if (stored.isPresent()) {
      throw new TreeRefused(
          "no_memory",
          "this node remembers no checkpoint of this log, which has some: give it one that you"
              + " trust with --trust-checkpoint, from another node's --state-dir or an auditor");
    }
    if (!mayBegin) {
      throw new TreeRefused(
          "no_memory",
          "this node remembers no checkpoint, and its signing key was there before it: the database"
              + " alone cannot tell that nothing was ever signed. Give a checkpoint that you trust"
              + " with --trust-checkpoint FILE, or --trust-checkpoint none when there is none");
    }
    SignedNote nothing =
        keys.sign(new Checkpoint(origin(generation), 0, TreeHash.EMPTY).text(), origin(generation));
    memory.remember(generation, nothing);
    return nothing;
  }

  /** A tree of which this node knows nothing begins with the tree of no leaves. */
  private static void requireContinued(Connection session, Checkpoint known, Frontier edge) {
    if (edge.size() < known.size()) {
      throw new TreeRefused(
          "smaller_than_signed",
          "the database holds "
              + edge.size()
              + " leaves, and this node remembers a checkpoint of "
              + known.size()
              + ": the end was cut off, or a backup was restored");
    }
    boolean continued =
        known.size() == 0
            || Proofs.isConsistent(
                known.size(),
                known.root(),
                edge.size(),
                edge.root(),
                Proofs.consistency(known.size(), edge.size(), new StoredNodes(session)));
    if (!continued) {
      throw new TreeRefused(
          "history_rewritten",
          "the leaves in the database do not begin with those of the checkpoint of "
              + known.size()
              + " that this node remembers: history was rewritten");
    }
  }

  /** Also for a node that remembers nothing: what another one saw, or the restore itself said. */
  private static void requireAccepted(Connection session) throws SQLException {
    Optional<String> restored = RestoreTable.open(session);
    if (restored.isPresent()) {
      throw new TreeRefused(
          "restore_not_accepted", restored.get() + "; see ledger replay restore accept");
    }
  }

  private void registerKeys(Connection session, int generation, long size) throws SQLException {
    List<CheckpointTable.Key> before =
        CheckpointTable.keys(session).stream()
            .filter(key -> key.generation() == generation)
            .toList();
    for (VerifierKey key : keys.verifierKeys(origin(generation))) {
      boolean isNew = CheckpointTable.addKey(session, key.toString(), generation, size);
      if (isNew && !before.isEmpty()) {
        alerts.keyRotated(
            session, VerifierKey.parse(before.get(before.size() - 1).verifierKey()), key);
      }
    }
  }

  @Override
  public void grown(Connection session, int generation, Frontier edge) throws SQLException {
    requireSound();
    if (edge.size() == knownSize || System.nanoTime() - lastSigned < interval.toNanos()) {
      return;
    }
    requireAccepted(session);
    Checkpoint checkpoint = new Checkpoint(origin(generation), edge.size(), edge.root());
    SignedNote note = keys.sign(checkpoint.text(), checkpoint.origin());
    // Remembered first: a checkpoint that others saw and this node forgot could be contradicted.
    memory.remember(generation, note);
    CheckpointTable.add(session, generation, checkpoint, note);
    session.commit();
    knownSize = edge.size();
    lastSigned = System.nanoTime();
    signatures.increment();
    signed.run();
  }

  @Override
  public void forged(Connection session, List<LogTable.NewLeaf> leaves) throws SQLException {
    alerts.forgedEvents(session, leaves);
  }

  /**
   * A log that was begun.
   *
   * @param previousSize leaves that the last known checkpoint of the log before covers
   * @param previousNote that checkpoint; null when none was known
   */
  public record Begun(
      int generation,
      String origin,
      String previousOrigin,
      long previousSize,
      @Nullable String previousNote) {}

  /** Says in the same transaction that a log was begun. */
  public interface Announcement {
    void of(Connection connection, Begun begun) throws SQLException;
  }

  /**
   * Begins a further log with the leaves that are there, because what was signed before cannot be
   * continued. Its first checkpoint is signed here and now, by whoever was asked to: no row in the
   * database can do that.
   *
   * @param connection does not commit by itself
   */
  public Begun beginGeneration(Connection connection, Announcement announcement)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(LOCK_BATCH)) {
      statement.setLong(1, Locks.SEQUENCER_BATCH);
      statement.execute();
    }
    LogTable.Head head = LogTable.head(connection);
    int previous = Math.max(head.generation(), memory.newestGeneration());
    int next = previous + 1;
    @Nullable SignedNote last = memory.newest(previous).orElse(null);
    CheckpointTable.addGeneration(
        connection, next, origin(next), head.size(), last == null ? null : last.toString());
    if (!LogTable.beginGeneration(connection, head.generation(), next)) {
      throw new SQLException("another node began a log at the same moment");
    }
    Checkpoint first = new Checkpoint(origin(next), head.size(), head.root());
    SignedNote note = keys.sign(first.text(), first.origin());
    CheckpointTable.add(connection, next, first, note);
    for (VerifierKey key : keys.verifierKeys(origin(next))) {
      CheckpointTable.addKey(connection, key.toString(), next, head.size());
    }
    Begun begun =
        new Begun(
            next,
            origin(next),
            origin(previous),
            last == null ? 0 : Checkpoint.parse(last.text()).size(),
            last == null ? null : last.toString());
    announcement.of(connection, begun);
    connection.commit();
    memory.remember(next, note);
    LOG.warn("the log {} goes on with {} leaves", origin(next), head.size());
    return begun;
  }
}

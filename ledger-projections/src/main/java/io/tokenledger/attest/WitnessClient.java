package io.tokenledger.attest;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.outside.Outside;
import io.tokenledger.sequence.StoredNodes;
import io.tokenledger.sequence.WakeUp;
import io.tokenledger.signing.Alerts;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Proofs;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends one witness the newest checkpoint, while this node leads, and keeps the signature that
 * comes back. Each witness has its own thread: signing waits for none of them, and none for
 * another. Only the newest is sent, at most once a second; one that does not answer is asked less
 * and less often.
 */
public final class WitnessClient implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(WitnessClient.class);

  private static final Duration REST = Duration.ofSeconds(1);
  private static final Duration LOOK = Duration.ofSeconds(5);
  private static final Duration MAX_REST = Duration.ofMinutes(1);
  private static final Duration END_LIMIT = Duration.ofSeconds(2);

  /** A refusal's event makes a checkpoint, which is refused: one event a while is enough. */
  private static final Duration REFUSAL_REST = Duration.ofHours(1);

  private static final int COSIGNED = 200;
  private static final int OTHER_SIZE = 409;
  private static final int UNKNOWN_KEY = 403;
  private static final int INCONSISTENT = 422;

  private final WitnessTarget target;
  private final URI url;
  private final DataSource writers;
  private final BooleanSupplier leading;
  private final Alerts alerts;
  private final Outside outside = new Outside();
  private final WakeUp wakeUp = new WakeUp();
  private final Thread thread;
  private volatile boolean closing;
  private volatile long newestSize;

  /** What the witness last had of the log, as far as is known. */
  private volatile long knownSize;

  private int generation;
  private long cosignedSize = -1;
  private @Nullable String said;

  /** When a refusal with that status was last made an event, by {@link System#nanoTime}. */
  private final Map<Integer, Long> recorded = new HashMap<>();

  /**
   * @param writers connections that do not commit by themselves
   * @param leading whether this node sends
   */
  public WitnessClient(
      WitnessTarget target,
      DataSource writers,
      BooleanSupplier leading,
      Alerts alerts,
      MeterRegistry meters) {
    this.target = target;
    this.url = URI.create(target.url() + "/add-checkpoint");
    this.writers = writers;
    this.leading = leading;
    this.alerts = alerts;
    Gauge.builder("ledger.witness.lag", this, WitnessClient::lag)
        .tag("witness", target.key().name())
        .baseUnit("leaves")
        .description("Leaves under the newest checkpoint that the witness has not signed")
        .register(meters);
    this.thread = new Thread(this::work, "ledger-witness-" + target.key().name());
    thread.setDaemon(true);
  }

  private double lag() {
    return leading.getAsBoolean() ? Math.max(0, newestSize - knownSize) : 0;
  }

  /** Begins to send. */
  public void start() {
    thread.start();
  }

  /** Says that there is a newer checkpoint; never waits. */
  public void wake() {
    wakeUp.call();
  }

  private void work() {
    Duration rest = REST;
    while (!closing && wakeUp.sleep(rest, rest.compareTo(LOOK) > 0 ? rest : LOOK)) {
      boolean done = false;
      try {
        done = !leading.getAsBoolean() || send();
      } catch (SQLException | LedgerUnavailable e) {
        LOG.debug("the witness waits for the database: {}", e.getMessage());
      } catch (IOException | InvalidTlogFormat e) {
        say(String.valueOf(e.getMessage()));
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      Duration longer = rest.multipliedBy(2);
      rest = done ? REST : longer.compareTo(MAX_REST) > 0 ? MAX_REST : longer;
    }
  }

  /** Once for each thing that is wrong, not once a second. */
  private void say(String what) {
    if (!what.equals(said)) {
      said = what;
      LOG.warn("the witness {} does not sign: {}", target.key().name(), what);
    }
  }

  /**
   * Sends the newest checkpoint; a second time when the witness remembers another size.
   *
   * @return whether there is nothing left to send
   */
  private boolean send() throws SQLException, IOException, InterruptedException {
    for (int round = 0; round < 2; round++) {
      Optional<CheckpointTable.Signed> newest;
      Optional<List<TreeHash>> proof;
      try (Connection connection = writers.getConnection()) {
        newest = CheckpointTable.newest(connection);
        if (newest.isEmpty() || isCosigned(newest.get())) {
          connection.rollback();
          return true;
        }
        proof =
            knownSize > newest.get().size()
                ? Optional.empty()
                : Optional.of(
                    Proofs.consistency(
                        knownSize, newest.get().size(), new StoredNodes(connection)));
        connection.rollback();
      }
      CheckpointTable.Signed signed = newest.get();
      if (proof.isEmpty()) {
        refused(
            signed.size(),
            OTHER_SIZE,
            "it remembers a checkpoint of " + knownSize + ", which is more than was signed here");
        return false;
      }
      byte[] body =
          new Submission(knownSize, proof.get(), signed.note())
              .toString()
              .getBytes(StandardCharsets.UTF_8);
      Outside.Answer answer = outside.post(url, "text/plain; charset=utf-8", body);
      if (take(signed, answer)) {
        return true;
      }
    }
    return false;
  }

  private boolean isCosigned(CheckpointTable.Signed newest) {
    newestSize = newest.size();
    if (newest.generation() != generation) {
      generation = newest.generation();
      knownSize = 0;
      cosignedSize = -1;
    }
    return newest.size() == cosignedSize;
  }

  /**
   * @return whether it signed
   */
  private boolean take(CheckpointTable.Signed signed, Outside.Answer answer)
      throws SQLException, IOException {
    String text = new String(answer.body(), StandardCharsets.UTF_8);
    switch (answer.status()) {
      case COSIGNED -> {
        return keep(signed, text);
      }
      case OTHER_SIZE -> {
        Optional<Long> theirs = size(text);
        if (theirs.isPresent() && theirs.get() != knownSize) {
          knownSize = theirs.get();
        } else {
          refused(
              signed.size(), OTHER_SIZE, "it remembers another tree of " + knownSize + " leaves");
        }
      }
      case UNKNOWN_KEY, INCONSISTENT -> refused(signed.size(), answer.status(), shown(text));
      default -> throw new IOException("it answered " + answer.status() + ": " + shown(text));
    }
    return false;
  }

  /** Which size it remembers; by version 1.0.0 it need not say when only the root is another. */
  private static Optional<Long> size(String text) {
    try {
      return Optional.of(Submission.size(text.strip()));
    } catch (InvalidTlogFormat e) {
      return Optional.empty();
    }
  }

  private boolean keep(CheckpointTable.Signed signed, String lines) throws SQLException {
    for (String each : lines.strip().split("\n", -1)) {
      SignedNote.Line line = SignedNote.Line.parse(each);
      boolean own = line.keyName().equals(target.key().name()) && line.keyId() == target.key().id();
      if (own && new SignedNote(signed.note().text(), List.of(line)).isSignedBy(target.key())) {
        try (Connection connection = writers.getConnection()) {
          CheckpointTable.addCosignature(
              connection, signed.generation(), signed.size(), line.keyName(), line);
          connection.commit();
        }
        knownSize = signed.size();
        cosignedSize = signed.size();
        said = null;
        return true;
      }
    }
    throw new InvalidTlogFormat("its answer holds no signature of its key");
  }

  /** A log line for each that differs, and an event the first time and after each hour of it. */
  private void refused(long size, int status, String detail) {
    say(status + " " + detail);
    long now = System.nanoTime();
    Long before = recorded.get(status);
    if (before == null || now - before >= REFUSAL_REST.toNanos()) {
      recorded.put(status, now);
      alerts.witnessRefused(target.key().name(), size, status, detail);
    }
  }

  private static String shown(String text) {
    String line = text.strip().replaceAll("\\p{Cntrl}", " ");
    return line.substring(0, Math.min(line.length(), 200));
  }

  @Override
  public void close() {
    closing = true;
    thread.interrupt();
    try {
      thread.join(END_LIMIT.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}

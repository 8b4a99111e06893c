package io.tokenledger.attest;

import io.tokenledger.outside.Outside;
import io.tokenledger.sequence.WakeUp;
import io.tokenledger.signing.Alerts;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.tlog.Checkpoint;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import javax.sql.DataSource;
import org.bouncycastle.tsp.TSPAlgorithms;
import org.bouncycastle.tsp.TSPException;
import org.bouncycastle.tsp.TimeStampRequest;
import org.bouncycastle.tsp.TimeStampRequestGenerator;
import org.bouncycastle.tsp.TimeStampResponse;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets a time-stamping authority attest, from time to time and while this node leads, that the
 * newest checkpoint is there (RFC 3161). What is stamped is the note as it is stored: the text with
 * the log's signatures, without those of witnesses, which may come later.
 *
 * <p>An answer is kept when it is granted and over that hash and nonce. Whether the authority's
 * certificate is to be believed, an auditor decides, with {@code openssl ts -verify}.
 */
public final class TimestampClient implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(TimestampClient.class);

  private static final String KIND = "rfc3161";
  private static final int NONCE_BITS = 64;
  private static final Duration FIRST = Duration.ofSeconds(1);
  private static final Duration MAX_LOOK = Duration.ofSeconds(30);
  private static final Duration MAX_REST = Duration.ofMinutes(10);
  private static final Duration END_LIMIT = Duration.ofSeconds(2);

  private final TimestampTarget target;
  private final DataSource writers;
  private final BooleanSupplier leading;
  private final Alerts alerts;
  private final Outside outside = new Outside();
  private final SecureRandom random = new SecureRandom();
  private final WakeUp wakeUp = new WakeUp();
  private final Thread thread;
  private volatile boolean closing;
  private @Nullable String said;

  /**
   * @param writers connections that do not commit by themselves
   * @param leading whether this node asks
   */
  public TimestampClient(
      TimestampTarget target, DataSource writers, BooleanSupplier leading, Alerts alerts) {
    this.target = target;
    this.writers = writers;
    this.leading = leading;
    this.alerts = alerts;
    this.thread = new Thread(this::work, "ledger-timestamps");
    thread.setDaemon(true);
  }

  /** Begins to ask. */
  public void start() {
    thread.start();
  }

  private void work() {
    Duration rest = FIRST;
    Duration look = shorter(target.interval(), MAX_LOOK);
    while (!closing && wakeUp.sleep(rest, rest)) {
      try {
        if (leading.getAsBoolean()) {
          stampWhenDue();
        }
        said = null;
        rest = shorter(look, leading.getAsBoolean() ? look : FIRST);
        continue;
      } catch (SQLException | LedgerUnavailable e) {
        LOG.debug("timestamps wait for the database: {}", e.getMessage());
      } catch (IOException | TSPException e) {
        if (!String.valueOf(e.getMessage()).equals(said)) {
          said = String.valueOf(e.getMessage());
          LOG.warn("{} gives no timestamp: {}", target.reference(), said);
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
      rest = shorter(rest.multipliedBy(2), MAX_REST);
    }
  }

  private static Duration shorter(Duration one, Duration other) {
    return one.compareTo(other) < 0 ? one : other;
  }

  /** The database remembers when the last one was: another node may have led then. */
  private void stampWhenDue() throws SQLException, IOException, TSPException, InterruptedException {
    Optional<CheckpointTable.Signed> due;
    try (Connection connection = writers.getConnection()) {
      due = due(connection);
      connection.rollback();
    }
    if (due.isPresent()) {
      stamp(due.get());
    }
  }

  /**
   * The newest checkpoint, unless another one was stamped lately, or nothing came since but the
   * events of stamps: a log that rests would otherwise be stamped for ever for its last stamp.
   */
  private Optional<CheckpointTable.Signed> due(Connection connection) throws SQLException {
    Optional<CheckpointTable.Signed> newest = CheckpointTable.newest(connection);
    Optional<AnchorTable.Anchor> last = AnchorTable.newest(connection, KIND, target.reference());
    if (newest.isEmpty() || (last.isPresent() && isEnough(connection, last.get(), newest.get()))) {
      return Optional.empty();
    }
    return CheckpointTable.before(connection, newest.get().generation(), newest.get().size() + 1, 1)
        .stream()
        .findFirst();
  }

  private boolean isEnough(
      Connection connection, AnchorTable.Anchor last, CheckpointTable.Signed newest)
      throws SQLException {
    return last.at().plus(target.interval()).isAfter(Instant.now())
        || (last.generation() == newest.generation()
            && !AnchorTable.hasOthers(connection, last.size(), newest.size()));
  }

  private void stamp(CheckpointTable.Signed signed)
      throws SQLException, IOException, TSPException, InterruptedException {
    TimeStampRequestGenerator generator = new TimeStampRequestGenerator();
    generator.setCertReq(true);
    TimeStampRequest request =
        generator.generate(
            TSPAlgorithms.SHA256,
            sha256(signed.note().toString().getBytes(StandardCharsets.UTF_8)),
            new BigInteger(NONCE_BITS, random));
    Outside.Answer answer =
        outside.post(target.url(), "application/timestamp-query", request.getEncoded());
    if (answer.status() != 200) {
      throw new IOException("it answered " + answer.status());
    }
    TimeStampResponse response = new TimeStampResponse(answer.body());
    // Granted, the same hash and nonce, and one signing certificate.
    response.validate(request);
    if (response.getTimeStampToken() == null) {
      throw new TSPException("refused: " + response.getStatusString());
    }
    try (Connection connection = writers.getConnection()) {
      AnchorTable.add(
          connection, signed.generation(), signed.size(), KIND, answer.body(), target.reference());
      alerts.checkpointAnchored(
          connection,
          KIND,
          signed.size(),
          Checkpoint.parse(signed.note().text()).root(),
          target.reference());
      connection.commit();
    }
  }

  private static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
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

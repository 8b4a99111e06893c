package io.tokenledger.sink;

import io.micrometer.core.instrument.MeterRegistry;
import io.tokenledger.audit.ControlEvent.DeadLettersRequeued;
import io.tokenledger.audit.ControlEvent.DeliveryRefused;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.store.LedgerUnavailable;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** All receivers of the log that this node knows, and how far each is. */
public final class Sinks implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(Sinks.class);

  /** An event makes an entry, which may be refused: one a while is enough. */
  private static final Duration REFUSAL_REST = Duration.ofHours(1);

  private final DataSource writers;
  private final RequestLog requests;
  private final Runnable wake;
  private final List<SinkWorker> workers;

  /** When a refusal of that sink was last made an event, by {@link System#nanoTime}. */
  private final Map<String, Long> recorded = new ConcurrentHashMap<>();

  /** A receiver whose settings were read. */
  public record Receiver(SinkTarget target, Sink sink) {}

  /** What the workers work with. */
  public record Surroundings(
      DataSource readers,
      DataSource writers,
      Sessions sessions,
      Envelopes envelopes,
      RequestLog requests,
      String node) {}

  /** Opens a session of its own, in which each statement commits by itself. */
  public interface Sessions {
    Connection open() throws SQLException;
  }

  /**
   * Reads the settings of each, before anything else of a ledger is opened.
   *
   * @throws IllegalArgumentException with the rule that one breaks
   */
  public static List<Receiver> open(List<SinkTarget> targets) {
    if (targets.isEmpty()) {
      return List.of();
    }
    Map<String, SinkFactory> factories = new HashMap<>();
    ServiceLoader.load(SinkFactory.class).forEach(each -> factories.put(each.type(), each));
    List<Receiver> receivers = new ArrayList<>();
    for (SinkTarget target : targets) {
      SinkFactory factory = factories.get(target.type());
      if (factory == null) {
        throw new IllegalArgumentException(
            target.name()
                + ": there is no sink of type "
                + target.type()
                + " here, only "
                + String.join(", ", new TreeSet<>(factories.keySet()))
                + "; others come in a jar of their own");
      }
      Set<String> unknown = new TreeSet<>(target.settings().keySet());
      unknown.removeAll(factory.settings());
      if (!unknown.isEmpty()) {
        throw new IllegalArgumentException(
            target.name()
                + ": a "
                + target.type()
                + " has no setting "
                + String.join(", ", unknown));
      }
      receivers.add(new Receiver(target, factory.open(target)));
    }
    return List.copyOf(receivers);
  }

  /**
   * @param resting whether nothing may be delivered at present
   * @param wake asks for what is committed to get its place in the log
   */
  public Sinks(
      List<Receiver> receivers,
      Surroundings around,
      BooleanSupplier resting,
      Runnable wake,
      MeterRegistry meters) {
    this.writers = around.writers();
    this.requests = around.requests();
    this.wake = wake;
    this.workers =
        receivers.stream()
            .map(
                receiver ->
                    new SinkWorker(
                        receiver.target(),
                        receiver.sink(),
                        new SinkPages(
                            around.readers(), around.envelopes(), receiver.target().format()),
                        around.sessions(),
                        around.node(),
                        resting,
                        (leaf, answer) -> refused(receiver.target().name(), leaf, answer),
                        meters))
            .toList();
  }

  /** Begins to deliver. */
  public void start() {
    workers.forEach(SinkWorker::start);
  }

  /** Says that there are new leaves; never waits. */
  public void wake() {
    workers.forEach(SinkWorker::wake);
  }

  private void refused(String sink, long leafIndex, String answer) {
    long now = System.nanoTime();
    Long before = recorded.get(sink);
    if (before != null && now - before < REFUSAL_REST.toNanos()) {
      return;
    }
    recorded.put(sink, now);
    try {
      requests.append(
          new DeliveryRefused(sink, leafIndex, answer),
          RequestContext.ofNode("log", "sink", UUID.randomUUID().toString()));
    } catch (LedgerUnavailable e) {
      LOG.warn("that the sink {} refused leaf {} is not recorded", sink, leafIndex);
    }
  }

  /**
   * How far each receiver is that any node ever delivered to.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public List<SinkState> list() {
    return read(SinkTable::list);
  }

  /**
   * What a receiver refused, in leaf order.
   *
   * @param from the first leaf that counts
   * @param limit at most this many
   * @throws LedgerUnavailable when the database does not answer
   */
  public List<DeadLetter> deadLetters(String sink, long from, int limit) {
    return read(table -> table.letters(sink, from, limit));
  }

  /**
   * Has dead letters sent again, by the node that delivers, and records who wanted it.
   *
   * @param leafIndex which; null for all of the sink
   * @return how many; 0 when none waits, and then nothing is recorded
   * @throws LedgerUnavailable when the database does not answer
   */
  public int requeue(String sink, @Nullable Long leafIndex, RequestContext context) {
    try (Connection connection = writers.getConnection()) {
      try {
        List<Long> leaves = new SinkTable(connection).requeue(sink, leafIndex);
        if (!leaves.isEmpty()) {
          requests.append(
              connection,
              List.of(
                  new DeadLettersRequeued(
                      sink, leaves.size(), Collections.min(leaves), Collections.max(leaves))),
              context);
          connection.commit();
          wake.run();
          wake();
        }
        return leaves.size();
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("no dead letter was requeued", e);
    }
  }

  private interface Query<T> {
    T run(SinkTable table) throws SQLException;
  }

  private <T> T read(Query<T> query) {
    try (Connection connection = writers.getConnection()) {
      try {
        return query.run(new SinkTable(connection));
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("the sinks cannot be read", e);
    }
  }

  @Override
  public void close() {
    workers.forEach(SinkWorker::close);
  }
}

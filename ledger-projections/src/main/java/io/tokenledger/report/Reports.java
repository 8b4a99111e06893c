package io.tokenledger.report;

import io.tokenledger.history.AuditPopulation;
import io.tokenledger.sealing.Envelopes;
import io.tokenledger.sequence.StoredNodes;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.signing.Signer;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.Frontier;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Proofs;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Supplier;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/**
 * Makes statements about a part of the log and signs them with the log's keys. A statement begins
 * with a line of its own, {@code token-ledger population report v1}, so that it can never pass for
 * a checkpoint; and it speaks only of leaves that a checkpoint covers which this node's keys
 * signed: who rewrites the rows gets no signature under what they then say.
 *
 * <p>Every method throws {@link LedgerUnavailable} when the database does not answer.
 */
public final class Reports {

  private static final String NONE = "none";

  /** Every event is looked at: what has no leaf may be the oldest of all. */
  private static final String WITHOUT_LEAF =
      """
      SELECT clock_timestamp() AS checked_at, count(*) AS events,
             min(event.recorded_at) AS oldest,
             (SELECT size FROM audit.tree_head WHERE log_id = 1) AS tree_size
        FROM ledger.event AS event
       WHERE NOT EXISTS (SELECT 1
                           FROM audit.leaf AS leaf
                          WHERE leaf.global_index = event.global_index)
      """;

  private static final String FOLLOWERS =
      """
      SELECT name, next_leaf_index
        FROM views.follower
       UNION ALL
      SELECT name, next_leaf_index
        FROM state.cursor
       ORDER BY name
      """;

  private final DataSource readers;
  private final Supplier<Signer> signer;

  /**
   * @param readers connections that commit each statement by themselves
   * @param signer throws {@link IllegalStateException} on a node that has no keys
   */
  public Reports(DataSource readers, Supplier<Signer> signer) {
    this.readers = readers;
    this.signer = signer;
  }

  /**
   * The first so many leaves with the root over them.
   *
   * @return empty when no checkpoint covers them yet
   * @throws IllegalStateException when this node has no keys, or the newest checkpoint is not
   *     signed by them or does not begin with these leaves
   */
  public Optional<SignedTree> tree(long size) {
    return read(
        connection -> {
          Optional<CheckpointTable.Signed> newest = CheckpointTable.newest(connection);
          if (newest.isEmpty() || newest.get().size() < size) {
            return Optional.empty();
          }
          try {
            return Optional.of(tree(connection, newest.get(), size));
          } catch (InvalidTlogFormat e) {
            throw new IllegalStateException("the stored log is broken: " + e.getMessage(), e);
          }
        });
  }

  private SignedTree tree(Connection connection, CheckpointTable.Signed newest, long size) {
    signer.get().policy(newest.generation()).open(newest.note());
    Checkpoint checkpoint = Checkpoint.parse(newest.note().text());
    StoredNodes nodes = new StoredNodes(connection);
    TreeHash root = Frontier.read(size, nodes).root();
    boolean continued =
        size == 0
            || Proofs.isConsistent(
                size,
                root,
                checkpoint.size(),
                checkpoint.root(),
                Proofs.consistency(size, checkpoint.size(), nodes));
    if (!continued) {
      throw new IllegalStateException(
          "the stored leaves are not those that the checkpoint of "
              + checkpoint.size()
              + " covers: history was rewritten");
    }
    return new SignedTree(newest.generation(), checkpoint.origin(), size, root);
  }

  /** How many events of each type and outcome a period has, all of them, signed. */
  public SignedNote population(
      SignedTree tree, Instant from, Instant to, AuditPopulation population) {
    StringBuilder text = begin("population report", tree);
    line(text, "from", from.toString());
    line(text, "to", to.toString());
    line(text, "events", Long.toString(population.events()));
    line(text, "first-leaf", number(population.firstLeafIndex()));
    line(text, "last-leaf", number(population.lastLeafIndex()));
    for (AuditPopulation.Count count : population.counts()) {
      line(
          text,
          "count",
          oneWord(count.eventType())
              + " "
              + oneWord(count.outcome())
              + " "
              + count.events()
              + " "
              + count.requests());
    }
    return signer.get().sign(text.toString(), tree.generation());
  }

  /** What an export took away, signed. */
  public SignedNote manifest(SignedTree tree, ExportManifest manifest) {
    StringBuilder text = begin("export manifest", tree);
    line(text, "event", manifest.eventId());
    line(text, "format", manifest.format());
    line(text, "query", Envelopes.withoutSecrets(manifest.query()));
    line(text, "rows", Long.toString(manifest.rows()));
    line(text, "first-leaf", number(manifest.firstLeafIndex()));
    line(text, "last-leaf", number(manifest.lastLeafIndex()));
    line(text, "sha256", manifest.sha256());
    return signer.get().sign(text.toString(), tree.generation());
  }

  private static StringBuilder begin(String what, SignedTree tree) {
    StringBuilder text = new StringBuilder("token-ledger " + what + " v1\n");
    line(text, "log", tree.origin());
    line(text, "tree-size", Long.toString(tree.size()));
    line(text, "root", tree.root().toString());
    return text;
  }

  private static void line(StringBuilder text, String key, String value) {
    text.append(key).append(' ').append(value.isEmpty() ? NONE : value).append('\n');
  }

  private static String number(@Nullable Long number) {
    return number == null ? NONE : number.toString();
  }

  /** What a forged row calls its type may be anything; it must not become a line of its own. */
  private static String oneWord(String text) {
    return text.isEmpty() ? NONE : text.replaceAll("[\\s\\p{Cntrl}]", "?");
  }

  /** Whether every event has its place in the log, as of now. */
  public Completeness completeness() {
    return read(
        connection -> {
          Map<String, Long> followers = new TreeMap<>();
          try (PreparedStatement statement = connection.prepareStatement(FOLLOWERS);
              ResultSet row = statement.executeQuery()) {
            while (row.next()) {
              followers.put(row.getString("name"), row.getLong("next_leaf_index"));
            }
          }
          try (PreparedStatement statement = connection.prepareStatement(WITHOUT_LEAF);
              ResultSet row = statement.executeQuery()) {
            row.next();
            OffsetDateTime oldest = row.getObject("oldest", OffsetDateTime.class);
            return new Completeness(
                row.getObject("checked_at", OffsetDateTime.class).toInstant(),
                row.getLong("events"),
                oldest == null ? null : oldest.toInstant(),
                row.getLong("tree_size"),
                followers,
                CheckpointTable.newest(connection).orElse(null));
          }
        });
  }

  private interface Query<T> {
    T run(Connection connection) throws SQLException;
  }

  private <T> T read(Query<T> query) {
    try (Connection connection = readers.getConnection()) {
      return query.run(connection);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the log does not answer", e);
    }
  }
}

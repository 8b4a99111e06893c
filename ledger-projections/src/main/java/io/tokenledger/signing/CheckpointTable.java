package io.tokenledger.signing;

import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.SignedNote;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * All SQL on {@code audit.generation}, {@code audit.signing_key}, {@code audit.checkpoint} and
 * {@code audit.cosignature}.
 */
public final class CheckpointTable {

  private static final String NEWEST_SIZE =
      """
      SELECT coalesce(max(size), 0)
        FROM audit.checkpoint
       WHERE generation = ?
      """;

  private static final String ADD_GENERATION =
      """
      INSERT INTO audit.generation (generation, origin, begun_at_size, previous_note)
      VALUES (?, ?, ?, ?)
          ON CONFLICT DO NOTHING
      """;

  private static final String GENERATIONS =
      """
      SELECT generation, origin, begun_at_size, previous_note, begun_at
        FROM audit.generation
       ORDER BY generation
      """;

  private static final String ADD_KEY =
      """
      INSERT INTO audit.signing_key (verifier_key, generation, begun_at_size)
      VALUES (?, ?, ?)
          ON CONFLICT DO NOTHING
      """;

  private static final String KEYS =
      """
      SELECT verifier_key, generation, begun_at, begun_at_size
        FROM audit.signing_key
       ORDER BY generation, begun_at_size, begun_at
      """;

  private static final String ADD =
      """
      INSERT INTO audit.checkpoint (generation, size, root, note)
      VALUES (?, ?, ?, ?)
          ON CONFLICT DO NOTHING
      """;

  private static final String ONE =
      """
      SELECT checkpoint.generation, checkpoint.size, checkpoint.note, checkpoint.signed_at,
             (SELECT string_agg(line, '' ORDER BY witness)
                FROM audit.cosignature AS cosignature
               WHERE cosignature.generation = checkpoint.generation
                 AND cosignature.size       = checkpoint.size) AS lines
        FROM audit.checkpoint AS checkpoint
       WHERE checkpoint.generation = ?
         AND checkpoint.size = ?
      """;

  private static final String IS_SIGNED =
      """
      SELECT EXISTS (SELECT 1
                       FROM audit.checkpoint
                      WHERE size = ?)
      """;

  private static final String NEWEST =
      """
      SELECT checkpoint.generation, checkpoint.size, checkpoint.note, checkpoint.signed_at,
             (SELECT string_agg(line, '' ORDER BY witness)
                FROM audit.cosignature AS cosignature
               WHERE cosignature.generation = checkpoint.generation
                 AND cosignature.size       = checkpoint.size) AS lines
        FROM audit.checkpoint AS checkpoint
       ORDER BY checkpoint.generation DESC, checkpoint.size DESC
       LIMIT 1
      """;

  private static final String SHOWN =
      """
      SELECT checkpoint.generation, checkpoint.size, checkpoint.note, checkpoint.signed_at,
             (SELECT string_agg(line, '' ORDER BY witness)
                FROM audit.cosignature AS cosignature
               WHERE cosignature.generation = checkpoint.generation
                 AND cosignature.size       = checkpoint.size) AS lines
        FROM audit.checkpoint AS checkpoint
       WHERE checkpoint.generation = (SELECT max(generation) FROM audit.checkpoint)
         AND (checkpoint.signed_at <= clock_timestamp() - make_interval(secs => ?)
              OR checkpoint.size = (SELECT min(first.size)
                                      FROM audit.checkpoint AS first
                                     WHERE first.generation = checkpoint.generation)
              OR (SELECT count(*)
                    FROM audit.cosignature AS cosignature
                   WHERE cosignature.generation = checkpoint.generation
                     AND cosignature.size       = checkpoint.size
                     AND cosignature.witness    = ANY (?::text[])) = ?)
       ORDER BY checkpoint.size DESC
       LIMIT 1
      """;

  private static final String COVERING =
      """
      SELECT checkpoint.generation, checkpoint.size, checkpoint.note, checkpoint.signed_at,
             (SELECT string_agg(line, '' ORDER BY witness)
                FROM audit.cosignature AS cosignature
               WHERE cosignature.generation = checkpoint.generation
                 AND cosignature.size       = checkpoint.size) AS lines
        FROM audit.checkpoint AS checkpoint
       WHERE checkpoint.generation = (SELECT max(generation) FROM audit.generation)
         AND checkpoint.size > ?
       ORDER BY checkpoint.size
       LIMIT 1
      """;

  private static final String LIST =
      """
      SELECT checkpoint.generation, checkpoint.size, checkpoint.note, checkpoint.signed_at,
             NULL AS lines
        FROM audit.checkpoint AS checkpoint
       WHERE (checkpoint.generation, checkpoint.size) < (?, ?)
       ORDER BY checkpoint.generation DESC, checkpoint.size DESC
       LIMIT ?
      """;

  private static final String ADD_COSIGNATURE =
      """
      INSERT INTO audit.cosignature (generation, size, witness, line)
      VALUES (?, ?, ?, ?)
          ON CONFLICT DO NOTHING
      """;

  private CheckpointTable() {}

  /**
   * One of the logs.
   *
   * @param begunAtSize how many leaves there were when it began
   * @param previousNote the last checkpoint known of the log before; null for the first
   */
  public record Generation(
      int generation,
      String origin,
      long begunAtSize,
      @Nullable String previousNote,
      Instant begunAt) {}

  /**
   * A key that signed.
   *
   * @param begunAtSize how many leaves there were when it was first used
   */
  public record Key(String verifierKey, int generation, Instant begunAt, long begunAtSize) {}

  /**
   * A checkpoint that was signed.
   *
   * @param note with the lines of witnesses
   */
  public record Signed(int generation, long size, SignedNote note, Instant signedAt) {}

  static void addGeneration(
      Connection connection, int generation, String origin, long size, @Nullable String previous)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADD_GENERATION)) {
      statement.setInt(1, generation);
      statement.setString(2, origin);
      statement.setLong(3, size);
      statement.setString(4, previous);
      statement.executeUpdate();
    }
  }

  /** All logs, the first one first. */
  public static List<Generation> generations(Connection connection) throws SQLException {
    List<Generation> generations = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(GENERATIONS);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        generations.add(
            new Generation(
                row.getInt("generation"),
                row.getString("origin"),
                row.getLong("begun_at_size"),
                row.getString("previous_note"),
                row.getObject("begun_at", OffsetDateTime.class).toInstant()));
      }
    }
    return generations;
  }

  /**
   * @return whether it was not known before
   */
  static boolean addKey(Connection connection, String verifierKey, int generation, long size)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADD_KEY)) {
      statement.setString(1, verifierKey);
      statement.setInt(2, generation);
      statement.setLong(3, size);
      return statement.executeUpdate() == 1;
    }
  }

  /** All keys that signed, oldest first. */
  public static List<Key> keys(Connection connection) throws SQLException {
    List<Key> keys = new ArrayList<>();
    try (PreparedStatement statement = connection.prepareStatement(KEYS);
        ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        keys.add(
            new Key(
                row.getString("verifier_key"),
                row.getInt("generation"),
                row.getObject("begun_at", OffsetDateTime.class).toInstant(),
                row.getLong("begun_at_size")));
      }
    }
    return keys;
  }

  static void add(Connection connection, int generation, Checkpoint checkpoint, SignedNote note)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADD)) {
      statement.setInt(1, generation);
      statement.setLong(2, checkpoint.size());
      statement.setBytes(3, checkpoint.root().bytes());
      statement.setString(4, note.toString());
      statement.executeUpdate();
    }
  }

  /** Keeps a witness's line under that checkpoint, unless there is one of it. */
  public static void addCosignature(
      Connection connection, int generation, long size, String witness, SignedNote.Line line)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ADD_COSIGNATURE)) {
      statement.setInt(1, generation);
      statement.setLong(2, size);
      statement.setString(3, witness);
      statement.setString(4, line.toString());
      statement.executeUpdate();
    }
  }

  /** Leaves under the newest checkpoint of that generation; its note is not read. */
  static long newestSize(Connection connection, int generation) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(NEWEST_SIZE)) {
      statement.setInt(1, generation);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getLong(1);
      }
    }
  }

  /** The newest checkpoint there is. */
  public static Optional<Signed> newest(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(NEWEST)) {
      return read(statement).stream().findFirst();
    }
  }

  /**
   * The newest checkpoint under which each of these witnesses has signed, or which waited so long
   * for them, or with which its log began. Once one is the answer no older one is: what makes it
   * one does not end.
   *
   * @param witnesses names of their keys, each once
   */
  public static Optional<Signed> shown(
      Connection connection, List<String> witnesses, Duration patience) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(SHOWN)) {
      statement.setLong(1, patience.toSeconds());
      statement.setArray(2, connection.createArrayOf("text", witnesses.toArray()));
      statement.setInt(3, witnesses.size());
      return read(statement).stream().findFirst();
    }
  }

  /** The checkpoint of that size. */
  public static Optional<Signed> one(Connection connection, int generation, long size)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(ONE)) {
      statement.setInt(1, generation);
      statement.setLong(2, size);
      return read(statement).stream().findFirst();
    }
  }

  /** Whether a checkpoint of that size was signed, in whichever log. */
  public static boolean isSigned(Connection connection, long size) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(IS_SIGNED)) {
      statement.setLong(1, size);
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        return row.getBoolean(1);
      }
    }
  }

  /** The first checkpoint of the newest log that covers that leaf. */
  public static Optional<Signed> covering(Connection connection, long leafIndex)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(COVERING)) {
      statement.setLong(1, leafIndex);
      return read(statement).stream().findFirst();
    }
  }

  /** Checkpoints before that one, newest first, without witnesses' lines. */
  public static List<Signed> before(Connection connection, int generation, long size, int limit)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(LIST)) {
      statement.setInt(1, generation);
      statement.setLong(2, size);
      statement.setInt(3, limit);
      return read(statement);
    }
  }

  private static List<Signed> read(PreparedStatement statement) throws SQLException {
    List<Signed> found = new ArrayList<>();
    try (ResultSet row = statement.executeQuery()) {
      while (row.next()) {
        String lines = row.getString("lines");
        found.add(
            new Signed(
                row.getInt("generation"),
                row.getLong("size"),
                SignedNote.parse(row.getString("note") + (lines == null ? "" : lines)),
                row.getObject("signed_at", OffsetDateTime.class).toInstant()));
      }
    }
    return found;
  }
}

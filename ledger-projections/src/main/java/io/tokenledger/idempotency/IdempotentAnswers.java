package io.tokenledger.idempotency;

import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.TokenId;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Optional;
import javax.sql.DataSource;

/** All SQL on {@code state.idempotent_answer}. */
public final class IdempotentAnswers {

  /** Name of the constraint that a second command under one key violates. */
  public static final String KEY_CONSTRAINT = "idempotent_answer_key";

  /** Housekeeping deletes a row some time after its day: until then its key must be free. */
  private static final String DELETE_OLD_ONE =
      """
      DELETE FROM state.idempotent_answer
       WHERE key_mac = ?
         AND stored_at <= clock_timestamp() - interval '24 hours'
      """;

  private static final String INSERT =
      """
      INSERT INTO state.idempotent_answer (key_mac, request_mac, token_id, sealed)
      VALUES (?, ?, ?, ?)
      """;

  private static final String FIND =
      """
      SELECT request_mac, token_id, sealed
        FROM state.idempotent_answer
       WHERE key_mac = ?
         AND stored_at > clock_timestamp() - interval '24 hours'
      """;

  private static final String DELETE_OLD =
      """
      DELETE FROM state.idempotent_answer
       WHERE stored_at <= clock_timestamp() - interval '24 hours'
      """;

  private final DataSource writers;

  /**
   * @param writers connections that do not commit by themselves; the readers may lag on a standby
   */
  public IdempotentAnswers(DataSource writers) {
    this.writers = writers;
  }

  /**
   * Keeps an answer, in the transaction of its event.
   *
   * @throws SQLException with {@link #KEY_CONSTRAINT} when there is one under the key
   */
  public static void keep(Connection connection, RequestKey key, TokenId tokenId, String answer)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(DELETE_OLD_ONE)) {
      statement.setBytes(1, key.keyMac());
      statement.executeUpdate();
    }
    try (PreparedStatement statement = connection.prepareStatement(INSERT)) {
      statement.setBytes(1, key.keyMac());
      statement.setBytes(2, key.requestMac());
      statement.setLong(3, tokenId.value());
      statement.setBytes(4, key.keepsSecrets() ? key.seal(answer) : null);
      statement.executeUpdate();
    }
  }

  /**
   * What is kept under that key, for a day.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public Optional<StoredAnswer> find(RequestKey key) {
    try (Connection connection = writers.getConnection();
        PreparedStatement statement = connection.prepareStatement(FIND)) {
      statement.setBytes(1, key.keyMac());
      try (ResultSet row = statement.executeQuery()) {
        if (!row.next()) {
          return Optional.empty();
        }
        byte[] sealed = row.getBytes("sealed");
        return Optional.of(
            new StoredAnswer(
                new TokenId(row.getLong("token_id")),
                MessageDigest.isEqual(row.getBytes("request_mac"), key.requestMac()),
                sealed == null || !key.keepsSecrets() ? null : key.open(sealed).orElse(null)));
      } finally {
        connection.rollback();
      }
    } catch (SQLException e) {
      throw new LedgerUnavailable("the stored answers cannot be read", e);
    }
  }

  /**
   * Deletes what is older than a day.
   *
   * @return how many
   */
  public int deleteOld() throws SQLException {
    try (Connection connection = writers.getConnection();
        PreparedStatement statement = connection.prepareStatement(DELETE_OLD)) {
      int deleted = statement.executeUpdate();
      connection.commit();
      return deleted;
    }
  }
}

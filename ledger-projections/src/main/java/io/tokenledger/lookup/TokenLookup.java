package io.tokenledger.lookup;

import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.SecretHash;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import javax.sql.DataSource;

/** Answers what a presented secret is, from the authorization lookup as it is committed now. */
public final class TokenLookup {

  private final DataSource readers;

  /**
   * @param readers connections that commit each statement by itself and see schema {@code views}
   */
  public TokenLookup(DataSource readers) {
    this.readers = readers;
  }

  /**
   * The token that this secret is or was a secret of.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public Optional<FoundToken> find(SecretHash hash) {
    try (Connection connection = readers.getConnection()) {
      return LookupTable.find(connection, hash);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the authorization lookup does not answer", e);
    }
  }

  /**
   * The same of many at once, in one snapshot.
   *
   * @return a token for each hash that is known
   * @throws LedgerUnavailable when the database does not answer
   */
  public Map<SecretHash, FoundToken> findAll(Collection<SecretHash> hashes) {
    if (hashes.isEmpty()) {
      return Map.of();
    }
    try (Connection connection = readers.getConnection()) {
      return LookupTable.findAll(connection, hashes);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the authorization lookup does not answer", e);
    }
  }

  /**
   * Whether any admin token exists that was not revoked, expired or not.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public boolean anyAdmin() {
    try (Connection connection = readers.getConnection()) {
      return LookupTable.anyAdmin(connection);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the authorization lookup does not answer", e);
    }
  }
}

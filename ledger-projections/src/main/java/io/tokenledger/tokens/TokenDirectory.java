package io.tokenledger.tokens;

import io.tokenledger.follow.Follower;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.TokenId;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import javax.sql.DataSource;

/**
 * Finds tokens, those that are and those that were. For people and lists: what a secret may do is
 * asked of the authorization lookup.
 */
public final class TokenDirectory {

  private final DataSource readers;
  private final Runnable wake;

  /**
   * @param readers connections that commit each statement by themselves
   * @param wake asks for what is committed to be taken by the followers
   */
  public TokenDirectory(DataSource readers, Runnable wake) {
    this.readers = readers;
    this.wake = wake;
  }

  /**
   * The tokens that match, by ascending id. Waits, a second at most, until what was committed
   * before the call can be found.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public List<TokenEntry> search(TokenQuery query) {
    try (Connection connection = readers.getConnection()) {
      Follower.awaitCaughtUp(connection, TokenTable.NAME, wake);
      return TokenTable.search(connection, query);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the table of tokens does not answer", e);
    }
  }

  /**
   * The token with that id.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public Optional<TokenEntry> find(TokenId id) {
    return search(TokenQuery.ofId(id)).stream().findFirst();
  }

  /**
   * Waits, a second at most, until the views for SQL show what was committed before the call.
   *
   * @throws LedgerUnavailable when the database does not answer
   */
  public void awaitCaughtUp() {
    try (Connection connection = readers.getConnection()) {
      Follower.awaitCaughtUp(connection, TokenTable.NAME, wake);
    } catch (SQLException e) {
      throw new LedgerUnavailable("the table of tokens does not answer", e);
    }
  }
}

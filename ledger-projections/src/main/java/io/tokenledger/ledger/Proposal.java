package io.tokenledger.ledger;

import io.tokenledger.idempotency.RequestKey;
import io.tokenledger.token.TokenCommand;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenSummary;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A command that still lacks the id which only the database can give.
 *
 * @param name the name it is about; a batch holds at most one proposal a name
 * @param needsId whether an id is to be drawn for it
 * @param command makes the command of the drawn id; gets the operator's id when none is needed
 * @param keep the answer to keep with the event; null for none
 */
public record Proposal(
    TokenName name, boolean needsId, Function<TokenId, TokenCommand> command, @Nullable Keep keep) {

  /**
   * An answer to be kept in the transaction of the event, so that a crash between commit and answer
   * loses nothing.
   *
   * @param key what it is kept under
   * @param answer makes it of what the command came to
   */
  public record Keep(RequestKey key, Function<TokenSummary, String> answer) {}

  /** A command that makes a new token and so needs an id. */
  public static Proposal withNewId(TokenName name, Function<TokenId, TokenCommand> command) {
    return new Proposal(name, true, command, null);
  }

  /** A command that is complete. */
  public static Proposal of(TokenCommand command) {
    return new Proposal(command.name(), false, id -> command, null);
  }

  /** The same, with its answer kept. */
  public Proposal keeping(@Nullable Keep newKeep) {
    return new Proposal(name, needsId, command, newKeep);
  }
}

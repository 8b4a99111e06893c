package io.tokenledger.ledger;

import io.tokenledger.token.TokenCommand;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import java.util.function.Function;

/**
 * A command that still lacks the id which only the database can give.
 *
 * @param name the name it is about; a batch holds at most one proposal a name
 * @param needsId whether an id is to be drawn for it
 * @param command makes the command of the drawn id; gets the operator's id when none is needed
 */
public record Proposal(TokenName name, boolean needsId, Function<TokenId, TokenCommand> command) {

  /** A command that makes a new token and so needs an id. */
  public static Proposal withNewId(TokenName name, Function<TokenId, TokenCommand> command) {
    return new Proposal(name, true, command);
  }

  /** A command that is complete. */
  public static Proposal of(TokenCommand command) {
    return new Proposal(command.name(), false, id -> command);
  }
}

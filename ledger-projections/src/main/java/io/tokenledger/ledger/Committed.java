package io.tokenledger.ledger;

import io.tokenledger.store.Position;
import io.tokenledger.token.TokenSummary;

/**
 * What a command came to.
 *
 * @param position where it was written
 */
public record Committed(TokenSummary token, Position position) {}

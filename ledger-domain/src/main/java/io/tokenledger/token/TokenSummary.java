package io.tokenledger.token;

import java.time.Instant;

/**
 * What an answer to a command says of its token.
 *
 * @param createdAt when the token was created, in whole milliseconds; a regeneration keeps it
 */
public record TokenSummary(TokenId id, TokenName name, Instant createdAt, Expiry expiry) {}

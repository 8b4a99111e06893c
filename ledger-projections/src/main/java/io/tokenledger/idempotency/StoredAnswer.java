package io.tokenledger.idempotency;

import io.tokenledger.token.TokenId;
import org.jspecify.annotations.Nullable;

/**
 * What is kept of an answer.
 *
 * @param tokenId the token it was about
 * @param sameRequest whether the request that asks now is the one that was answered
 * @param body the answer; null when it is not kept or cannot be opened by who asks
 */
public record StoredAnswer(TokenId tokenId, boolean sameRequest, @Nullable String body) {}

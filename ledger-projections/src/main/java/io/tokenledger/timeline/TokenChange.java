package io.tokenledger.timeline;

import io.tokenledger.token.TokenId;
import org.jspecify.annotations.Nullable;

/**
 * A token at two moments.
 *
 * @param before what it was; null when it did not exist yet
 * @param after what it was later; null when by that time it had not existed, which an earlier time
 *     than the first makes possible
 */
public record TokenChange(
    TokenId id, @Nullable TokenVersion before, @Nullable TokenVersion after) {}

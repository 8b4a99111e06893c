package io.tokenledger.history;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * What to look for in the audit log, newest first. Every part that is null does not restrict.
 *
 * @param actor name of the acting token, or {@code anonymous}, {@code system}
 * @param action an action such as {@code token.create}
 * @param token name of the token it was done to, over all tokens that ever bore it
 * @param targetId what it was done to, for example {@code token:7}
 * @param outcome {@code success}, {@code denied} or {@code failed}
 * @param since first instant that counts
 * @param until first instant that no longer counts
 * @param beforeLeafIndex only leaves below this one: the cursor
 * @param limit at most this many, 1 to 1,000
 */
public record AuditQuery(
    @Nullable String actor,
    @Nullable String action,
    @Nullable String token,
    @Nullable String targetId,
    @Nullable String outcome,
    @Nullable Instant since,
    @Nullable Instant until,
    @Nullable Long beforeLeafIndex,
    int limit) {

  public static final int MAX_LIMIT = 1_000;

  /** The newest entries of one action, or of all when it is null. */
  public static AuditQuery newest(@Nullable String action, int limit) {
    return new AuditQuery(null, action, null, null, null, null, null, null, limit);
  }

  public AuditQuery {
    if (limit < 1 || limit > MAX_LIMIT) {
      throw new IllegalArgumentException("limit must be 1 to 1000, got " + limit);
    }
  }
}

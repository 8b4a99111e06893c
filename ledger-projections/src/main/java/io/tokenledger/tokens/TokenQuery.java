package io.tokenledger.tokens;

import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenKind;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * Which tokens to look for. Every part that is null does not restrict.
 *
 * @param id this token
 * @param state state at {@code now}
 * @param name a name, in which {@code *} stands for any characters and {@code ?} for one
 * @param exactName a name, byte for byte
 * @param database tokens with any grant that speaks of this database, by name or wildcard; admins
 *     are among them
 * @param permission tokens with this very grant, in the form in which it is listed
 * @param createdSince first creation that counts
 * @param createdUntil first creation that no longer counts
 * @param expiresSince first expiry that counts; a token that never expires does not match
 * @param expiresUntil first expiry that no longer counts; likewise
 * @param createdBy name of the token that made it, else {@code anonymous} or {@code system}
 * @param madeBy tokens that this one made, and those that they made, and so on
 * @param unusedSince tokens not used at or after this instant, if they existed before it
 * @param afterId only ids above this one: the cursor
 * @param limit at most this many, 1 to 1,000
 */
public record TokenQuery(
    Instant now,
    @Nullable TokenId id,
    @Nullable TokenState state,
    @Nullable TokenKind kind,
    @Nullable String name,
    @Nullable String exactName,
    @Nullable String database,
    @Nullable String permission,
    @Nullable Instant createdSince,
    @Nullable Instant createdUntil,
    @Nullable Instant expiresSince,
    @Nullable Instant expiresUntil,
    @Nullable String createdBy,
    @Nullable TokenId madeBy,
    @Nullable Instant unusedSince,
    @Nullable TokenId afterId,
    int limit) {

  public static final int MAX_LIMIT = 1_000;

  public TokenQuery {
    if (limit < 1 || limit > MAX_LIMIT) {
      throw new IllegalArgumentException("limit must be 1 to 1000, got " + limit);
    }
  }

  /** Every token that ever bore this name, the latest last. */
  public static TokenQuery ofName(String exactName) {
    return new TokenQuery(
        Instant.EPOCH,
        null,
        null,
        null,
        null,
        exactName,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        MAX_LIMIT);
  }

  /** The token with that id. */
  public static TokenQuery ofId(TokenId id) {
    return new TokenQuery(
        Instant.EPOCH,
        id,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        null,
        1);
  }

  /** Whether nothing restricts it: as the aim of a bulk command it would hit every token. */
  public boolean isUnrestricted() {
    return id == null
        && kind == null
        && name == null
        && exactName == null
        && database == null
        && permission == null
        && createdSince == null
        && createdUntil == null
        && expiresSince == null
        && expiresUntil == null
        && createdBy == null
        && madeBy == null
        && unusedSince == null;
  }

  /** The same from another place on. */
  public TokenQuery after(TokenId last, int newLimit) {
    return new TokenQuery(
        now,
        id,
        state,
        kind,
        name,
        exactName,
        database,
        permission,
        createdSince,
        createdUntil,
        expiresSince,
        expiresUntil,
        createdBy,
        madeBy,
        unusedSince,
        last,
        newLimit);
  }
}

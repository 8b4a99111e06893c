package io.tokenledger.lookup;

import io.tokenledger.token.TokenKind;

/**
 * A row of the lookup as it is stored. Moments are milliseconds since 1970 UTC, {@link
 * FoundToken#NEVER} where there is none.
 *
 * @param hash the 64 bytes of the secret's SHA-512; not to be changed
 * @param permissions canonical text forms, a line each
 */
public record LookupRow(
    byte[] hash,
    long tokenId,
    String name,
    TokenKind kind,
    String permissions,
    long createdAtMillis,
    long expiresAtMillis,
    long revokedAtMillis,
    long supersededAtMillis,
    long suspendedAtMillis) {}

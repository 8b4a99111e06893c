package io.tokenledger.token;

import io.tokenledger.permission.Permissions;
import java.time.Instant;

/**
 * What a name's stream has come to: all that {@link Token} remembers of its events. Only a way to
 * read fewer of them; whoever stores one says up to which event it goes, and must not believe it
 * against the events.
 *
 * @param name the name of all tokens of the stream
 * @param kind of the last token that bore the name, as all that follows
 * @param hash SHA-512 of its last secret
 * @param taken whether it still bears the name: it was not revoked
 * @param expiryRecorded whether its expiry was recorded since it was last set
 * @param announcedDays the last notice of that expiry in days; {@link Integer#MAX_VALUE} for none
 */
public record TokenSnapshot(
    TokenName name,
    TokenKind kind,
    TokenId id,
    SecretHash hash,
    Instant createdAt,
    Expiry expiry,
    Permissions permissions,
    boolean taken,
    boolean suspended,
    boolean expiryRecorded,
    int announcedDays) {}

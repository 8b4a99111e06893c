package io.tokenledger.permission;

import org.jspecify.annotations.Nullable;

/**
 * The answer to "may these permissions do that?", with what decided it.
 *
 * @param allowed whether the action may be done
 * @param entry the deciding entry in text form, narrowed to the one resource it was found under
 *     ({@code db:metrics:read}, {@code db:*:write}, {@code *:*:*}); null when no entry speaks of
 *     the resource
 */
public record Decision(boolean allowed, @Nullable String entry) {}

package io.tokenledger.timeline;

/**
 * A token that could do something.
 *
 * @param entry the deciding entry of its permissions, narrowed to the one resource
 */
public record Holder(TokenVersion token, String entry) {}

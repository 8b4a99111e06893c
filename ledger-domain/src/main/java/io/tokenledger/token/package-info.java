/**
 * The life of a token: the {@link io.tokenledger.token.Token} aggregate with its commands, events
 * and refusals, and the values they are made of.
 */
@NullMarked
package io.tokenledger.token;

import org.jspecify.annotations.NullMarked;

/**
 * The authorization index: the whole lookup in the memory of each node, so that a decision costs
 * little more than the hash of the token it is about.
 */
@NullMarked
package io.tokenledger.index;

import org.jspecify.annotations.NullMarked;

/** The dense order of committed events, which every follower reads by. */
@NullMarked
package io.tokenledger.sequence;

import org.jspecify.annotations.NullMarked;

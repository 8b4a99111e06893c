/** The authorization lookup: what a secret may do, written in the transaction of the event. */
@NullMarked
package io.tokenledger.lookup;

import org.jspecify.annotations.NullMarked;

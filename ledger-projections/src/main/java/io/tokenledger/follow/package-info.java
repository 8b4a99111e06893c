/** Workers that take the committed events one after the other, in the dense order. */
@NullMarked
package io.tokenledger.follow;

import org.jspecify.annotations.NullMarked;

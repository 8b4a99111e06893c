/** Which tokens there are and were, with who made, changed, used and revoked them. */
@NullMarked
package io.tokenledger.tokens;

import org.jspecify.annotations.NullMarked;

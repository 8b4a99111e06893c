/** Tells a receiver elsewhere that tokens expire soon, or have. */
@NullMarked
package io.tokenledger.notices;

import org.jspecify.annotations.NullMarked;

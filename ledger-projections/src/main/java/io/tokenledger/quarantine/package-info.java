/** Events that cannot be read: found, passed after a review, and taken again. */
@NullMarked
package io.tokenledger.quarantine;

import org.jspecify.annotations.NullMarked;

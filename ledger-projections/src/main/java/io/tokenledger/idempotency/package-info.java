/** Answers that showed a secret, kept sealed for a day so that a retry gets the same one. */
@NullMarked
package io.tokenledger.idempotency;

import org.jspecify.annotations.NullMarked;

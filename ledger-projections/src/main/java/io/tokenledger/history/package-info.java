/** The audit log: the history as auditors search it. */
@NullMarked
package io.tokenledger.history;

import org.jspecify.annotations.NullMarked;

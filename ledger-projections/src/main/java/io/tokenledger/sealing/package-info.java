/** Personal data at rest: sealed under a key for each subject, kept apart from the events. */
@NullMarked
package io.tokenledger.sealing;

import org.jspecify.annotations.NullMarked;

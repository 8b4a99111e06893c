/** The truth as a file and back, and digests to compare two ledgers by. */
@NullMarked
package io.tokenledger.backup;

import org.jspecify.annotations.NullMarked;

/**
 * Checks a log against what someone remembers of it: in the database, or from what was taken out of
 * it.
 */
@NullMarked
package io.tokenledger.verify;

import org.jspecify.annotations.NullMarked;

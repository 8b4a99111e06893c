/** Copies of the log that nobody changes afterwards, a segment each, and what is read from them. */
@NullMarked
package io.tokenledger.archive;

import org.jspecify.annotations.NullMarked;

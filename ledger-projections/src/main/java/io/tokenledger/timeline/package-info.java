/** What every token was at any instant or place of the history. */
@NullMarked
package io.tokenledger.timeline;

import org.jspecify.annotations.NullMarked;

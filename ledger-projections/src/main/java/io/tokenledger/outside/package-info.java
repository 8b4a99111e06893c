/** How this speaks to programs of others: posts with limits, signatures, TLS from files. */
@NullMarked
package io.tokenledger.outside;

import org.jspecify.annotations.NullMarked;

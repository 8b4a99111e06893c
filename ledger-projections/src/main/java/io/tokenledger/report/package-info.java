/** What is said of a part of the log, signed by who signs the log. */
@NullMarked
package io.tokenledger.report;

import org.jspecify.annotations.NullMarked;

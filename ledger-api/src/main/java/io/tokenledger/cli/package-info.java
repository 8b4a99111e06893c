/** The command line: the words of {@code influxdb3}, and the ledger's own. */
@NullMarked
package io.tokenledger.cli;

import org.jspecify.annotations.NullMarked;

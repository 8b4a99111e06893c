/**
 * The HTTP server: InfluxDB's token endpoints, the ledger's own, and who may use them. No SQL: all
 * of it is behind {@link io.tokenledger.ledger.Ledger}.
 */
@NullMarked
package io.tokenledger.server;

import org.jspecify.annotations.NullMarked;

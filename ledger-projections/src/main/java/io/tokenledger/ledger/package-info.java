/**
 * The one door to the ledger, {@link io.tokenledger.ledger.Ledger}: commands through Axon onto the
 * event table, and everything below assembled.
 */
@NullMarked
package io.tokenledger.ledger;

import org.jspecify.annotations.NullMarked;

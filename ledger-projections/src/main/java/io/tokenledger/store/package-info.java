/**
 * Everything that touches the event table: the one door to the ledger, {@link
 * io.tokenledger.store.Ledger}, with Axon's event storage on PostgreSQL behind it.
 */
@NullMarked
package io.tokenledger.store;

import org.jspecify.annotations.NullMarked;

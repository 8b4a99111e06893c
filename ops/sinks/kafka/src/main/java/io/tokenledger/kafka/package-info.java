/** Brings the log to a topic of Kafka; a jar of its own beside the ledger's. */
@NullMarked
package io.tokenledger.kafka;

import org.jspecify.annotations.NullMarked;

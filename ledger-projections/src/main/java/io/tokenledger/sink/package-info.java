/**
 * Brings the log to receivers elsewhere: each is followed in leaf order with a cursor of its own,
 * at least once, the leaf's index being the key by which a receiver tells repetitions.
 */
@NullMarked
package io.tokenledger.sink;

import org.jspecify.annotations.NullMarked;

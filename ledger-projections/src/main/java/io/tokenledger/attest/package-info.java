/**
 * What others attest of checkpoints: witnesses, which sign what continues what they saw, and
 * time-stamping authorities. The witness that comes with the ledger is here as well; it needs no
 * database.
 */
@NullMarked
package io.tokenledger.attest;

import org.jspecify.annotations.NullMarked;

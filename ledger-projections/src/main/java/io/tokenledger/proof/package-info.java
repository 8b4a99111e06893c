/** The log as others read it: checkpoints, tiles, bundles of entries and proofs. */
@NullMarked
package io.tokenledger.proof;

import org.jspecify.annotations.NullMarked;

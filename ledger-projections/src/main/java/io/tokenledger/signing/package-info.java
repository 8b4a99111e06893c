/** Checkpoints: who signs them with which keys, what each node remembers of them, and witnesses. */
@NullMarked
package io.tokenledger.signing;

import org.jspecify.annotations.NullMarked;

/** Rebuilding projections from the events and comparing them with the live ones. */
@NullMarked
package io.tokenledger.replay;

import org.jspecify.annotations.NullMarked;

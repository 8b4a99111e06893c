/** The event table: its rows, their stored form, and the locks around it. */
@NullMarked
package io.tokenledger.store;

import org.jspecify.annotations.NullMarked;

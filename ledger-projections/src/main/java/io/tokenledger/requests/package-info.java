/** Audit of requests that changed nothing: refused, denied, failed. */
@NullMarked
package io.tokenledger.requests;

import org.jspecify.annotations.NullMarked;

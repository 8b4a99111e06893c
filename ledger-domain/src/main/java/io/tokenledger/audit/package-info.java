/**
 * Who did what, from where and why: the envelope that every event carries, the events of requests
 * that changed nothing, and the catalogue of all event types.
 */
@NullMarked
package io.tokenledger.audit;

import org.jspecify.annotations.NullMarked;

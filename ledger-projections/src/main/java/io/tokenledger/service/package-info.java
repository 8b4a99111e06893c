/** What a node says of itself in the audit: start, settings, heartbeats, faults of grants, end. */
@NullMarked
package io.tokenledger.service;

import org.jspecify.annotations.NullMarked;

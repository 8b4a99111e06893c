/**
 * Queries that callers write, behind two walls: what is admitted, and a login that can do little.
 */
@NullMarked
package io.tokenledger.sql;

import org.jspecify.annotations.NullMarked;

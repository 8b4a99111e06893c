/**
 * What a token may do: the permission grammar of InfluxDB 3 Enterprise and its evaluation.
 *
 * <p>{@link io.tokenledger.permission.Permissions} is the entry; nothing here knows tokens, HTTP or
 * storage.
 */
@NullMarked
package io.tokenledger.permission;

import org.jspecify.annotations.NullMarked;

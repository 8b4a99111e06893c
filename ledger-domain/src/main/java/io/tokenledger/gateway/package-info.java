/**
 * What a request to an InfluxDB behind a gateway asks for, read from its method, path and query
 * alone: a gateway shows no body.
 */
@NullMarked
package io.tokenledger.gateway;

import org.jspecify.annotations.NullMarked;

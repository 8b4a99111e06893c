/** Keeps archives in a bucket of S3, under a lock that outlives whoever owns it. */
@NullMarked
package io.tokenledger.s3;

import org.jspecify.annotations.NullMarked;

/** The PostgreSQL under the ledger: embedded or the user's own, its URL and the lesser roles. */
@NullMarked
package io.tokenledger.postgres;

import org.jspecify.annotations.NullMarked;

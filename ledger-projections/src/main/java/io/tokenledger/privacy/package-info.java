/** What is forgotten of persons, and what may not be forgotten. */
@NullMarked
package io.tokenledger.privacy;

import org.jspecify.annotations.NullMarked;

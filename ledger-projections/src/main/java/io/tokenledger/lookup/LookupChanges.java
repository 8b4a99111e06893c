package io.tokenledger.lookup;

import java.util.List;
import java.util.Set;

/**
 * What one look at the lookup found new.
 *
 * @param snapshot in which it was read
 * @param timeline of the server
 * @param generation which rows these are the changes of: counted up when they were replaced, and
 *     another one for each database and each run of its server
 * @param quarantined the names that are quarantined
 */
public record LookupChanges(
    Snapshot snapshot,
    int timeline,
    String generation,
    Set<String> quarantined,
    List<LookupRow> rows) {}

package io.tokenledger.report;

import io.tokenledger.tlog.TreeHash;

/**
 * The first so many leaves of a log, which a signed checkpoint begins with.
 *
 * @param root over those leaves
 */
public record SignedTree(int generation, String origin, long size, TreeHash root) {}

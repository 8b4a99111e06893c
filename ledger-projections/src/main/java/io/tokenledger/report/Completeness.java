package io.tokenledger.report;

import io.tokenledger.signing.CheckpointTable;
import java.time.Instant;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Whether every event has its place, and how far behind its readers are.
 *
 * @param checkedAt the clock of the database
 * @param eventsWithoutLeaf how many events have no place in the log yet
 * @param oldestWithoutLeaf when the oldest of them was recorded; null when there is none
 * @param treeSize number of leaves
 * @param followers the first leaf that each follower has not taken, by its name
 * @param newest the newest checkpoint; null before the first
 */
public record Completeness(
    Instant checkedAt,
    long eventsWithoutLeaf,
    @Nullable Instant oldestWithoutLeaf,
    long treeSize,
    Map<String, Long> followers,
    CheckpointTable.@Nullable Signed newest) {}

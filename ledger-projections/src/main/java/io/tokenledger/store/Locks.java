package io.tokenledger.store;

/**
 * Keys of the advisory locks that nodes share. One place, because two uses of one number would
 * silently exclude each other.
 */
public final class Locks {

  /** Shared by every append, exclusive for a swap of projections. Transaction-level. */
  public static final long APPEND = 0x7106_0001L;

  /** Held by the node that works on replays, for as long as its session lives. */
  public static final long REPLAY = 0x7106_0002L;

  /** Held by the node that sequences, for as long as its session lives. */
  public static final long SEQUENCER_LEADER = 0x7106_0003L;

  /** One batch of leaves at a time, whoever believes to be leader. Transaction-level. */
  public static final long SEQUENCER_BATCH = 0x7106_0004L;

  /** One writer of the audit log at a time. Transaction-level. */
  public static final long AUDIT_FOLLOWER = 0x7106_0005L;

  /** One writer of the table of tokens at a time. Transaction-level. */
  public static final long TOKEN_FOLLOWER = 0x7106_0007L;

  /** One writer of the history of tokens at a time. Transaction-level. */
  public static final long HISTORY_FOLLOWER = 0x7106_0010L;

  /** One sender of notices at a time. Transaction-level. */
  public static final long NOTICE_FOLLOWER = 0x7106_0009L;

  /** One node looks for expiries and old answers at a time. Transaction-level. */
  public static final long HOUSEKEEPING = 0x7106_0008L;

  /** One node migrates the schema; others wait. Session-level, on the owner's connection. */
  public static final long MIGRATION = 0x7106_0006L;

  /** One writer at a time of the generation that lies aside. */
  public static final long REPLAY_STEP = 0x7106_0051L;

  /** One node compares live projections with the events at a time. Transaction-level. */
  public static final long DRIFT = 0x7106_0052L;

  /**
   * With the hash of a sink's name as second key: one node delivers to it at a time, for as long as
   * its session lives.
   */
  public static final int SINK = 0x7106_0060;

  /** One places or lifts a hold, or erases, at a time: a hold is never placed between. */
  public static final long PRIVACY = 0x7106_0061L;

  /** One node or request writes into the archive at a time. Transaction-level. */
  public static final long ARCHIVE = 0x7106_0062L;

  /** One node carries out what was decided about bodies at a time. Transaction-level. */
  public static final long PRUNING = 0x7106_0063L;

  private Locks() {}
}

package io.tokenledger.signing;

import io.tokenledger.tlog.TreeHash;
import io.tokenledger.tlog.VerifierKey;

/** Hears what auditors must hear of the log itself; each is an event of its own. */
public interface Alerts {

  /** An event got its place in the log that no node wrote. */
  void forgedEvent(long globalIndex, String eventId);

  /**
   * This node does not sign.
   *
   * @param code stable and lower-case
   * @param reason in words
   * @param size of the tree in the database
   */
  void signingRefused(String code, String reason, long size);

  /** Another key signs from now on. */
  void keyRotated(VerifierKey before, VerifierKey now);

  /**
   * A witness did not sign a checkpoint, which it would if it continued what it saw before.
   *
   * @param size of the checkpoint
   * @param status what it answered: 403 it knows no key that signed, 409 it saw another tree of
   *     that size or a larger one, 422 the checkpoint does not continue what it saw
   */
  void witnessRefused(String witness, long size, int status, String detail);

  /**
   * Someone outside attested that a checkpoint was there.
   *
   * @param kind as in {@code audit.anchor}
   * @param reference who
   */
  void checkpointAnchored(String kind, long size, TreeHash root, String reference);
}

package io.tokenledger.signing;

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
}

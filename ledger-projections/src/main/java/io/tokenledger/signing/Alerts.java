package io.tokenledger.signing;

import io.tokenledger.tlog.VerifierKey;
import org.jspecify.annotations.Nullable;

/** Hears what auditors must hear of the log itself; each is an event of its own. */
public interface Alerts {

  /** An event got its place in the log that no node wrote. */
  void forgedEvent(long globalIndex, String eventId);

  /**
   * This node does not sign.
   *
   * @param size of the tree in the database
   */
  void signingRefused(String reason, long size);

  /** Another key signs from now on. */
  void keyRotated(VerifierKey before, VerifierKey now);

  /**
   * A further log begins.
   *
   * @param previousNote the last checkpoint known of the one before; null when none was
   */
  void generationStarted(
      int generation,
      String origin,
      String previousOrigin,
      long previousSize,
      @Nullable String previousNote,
      String reason);
}

package io.tokenledger.signing;

import io.tokenledger.sequence.LogTable;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.tlog.VerifierKey;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;

/**
 * Hears what auditors must hear of the log itself; each is an event of its own. What a row stands
 * for is told with the row's transaction, and its event is part of that: neither is there without
 * the other, wherever the node dies.
 */
public interface Alerts {

  /** Events get their places in the log that no node wrote. */
  void forgedEvents(Connection connection, List<LogTable.NewLeaf> leaves) throws SQLException;

  /**
   * This node does not sign.
   *
   * @param code stable and lower-case
   * @param reason in words
   * @param size of the tree in the database
   */
  void signingRefused(String code, String reason, long size);

  /** Another key signs from now on. */
  void keyRotated(Connection connection, VerifierKey before, VerifierKey now) throws SQLException;

  /**
   * A witness did not sign a checkpoint, which it would if it continued what it saw before.
   *
   * @param size of the checkpoint
   * @param status what it answered: 403 it knows no key that signed, 409 it saw another tree of
   *     that size or a larger one, 422 the checkpoint does not continue what it saw
   */
  void witnessRefused(String witness, long size, int status, String detail);

  /**
   * Someone outside attested that a checkpoint was there, once in a while: a witness, which signs
   * nearly every checkpoint, is not told here. Each event is a leaf and so makes a checkpoint.
   *
   * @param kind as in {@code audit.anchor}
   * @param reference who
   */
  void checkpointAnchored(
      Connection connection, String kind, long size, TreeHash root, String reference)
      throws SQLException;
}

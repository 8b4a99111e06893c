package io.tokenledger.sequence;

import io.tokenledger.tlog.Frontier;
import java.sql.Connection;
import java.sql.SQLException;

/** What the leading node does with the tree besides growing it; called in its thread. */
public interface TreeKeeper {

  /**
   * The node begins to lead, or found the tree other than it had left it. Nothing is added before
   * this returns.
   *
   * @throws TreeRefused when the tree is not one that this node can go on with
   */
  void begin(Connection session, int generation, Frontier edge) throws SQLException;

  /**
   * A round is over, whether or not leaves came; each tree begins with the one before.
   *
   * @throws TreeRefused as above
   */
  void grown(Connection session, int generation, Frontier edge) throws SQLException;

  /** A row without a valid MAC got its place: no node wrote it. */
  void forged(LogTable.NewLeaf leaf);
}

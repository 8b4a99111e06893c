package io.tokenledger.sequence;

import io.tokenledger.tlog.Frontier;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;

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

  /**
   * Rows without a valid MAC get their places: no node wrote them. Called within the transaction
   * that adds them, and before its commit, so that what is written here is there when they are.
   */
  void forged(Connection session, List<LogTable.NewLeaf> leaves) throws SQLException;
}

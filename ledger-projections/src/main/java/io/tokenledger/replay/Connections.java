package io.tokenledger.replay;

import java.sql.Connection;
import java.sql.SQLException;

/** Gives connections of the nodes' role that do not commit by themselves. */
public interface Connections {

  /** One that the caller closes. */
  Connection open() throws SQLException;
}

package io.tokenledger.follow;

import io.tokenledger.token.TokenName;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;

/** What is made of the events in their dense order. */
public interface Projection {

  /** Name under which its position is kept; never changes. */
  String name();

  /** The advisory lock that lets one node at a time work on it, of {@code Locks}. */
  long lock();

  /**
   * Whether it sends to someone outside: one that begins today leaves out what was before, and its
   * position is no projection's but a cursor that a rebuild must not move. Else it begins with leaf
   * 0.
   */
  default boolean startsAtHead() {
    return false;
  }

  /**
   * Writes what these events mean, in the transaction that also moves the position. Must take a
   * leaf twice without harm.
   */
  void take(Connection connection, List<Leaf> leaves) throws SQLException;

  /**
   * Removes what all events of that name came to, so that they can be taken again; nothing where a
   * leaf stands for itself.
   */
  default void forget(Connection connection, TokenName name) throws SQLException {}
}

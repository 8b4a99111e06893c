package io.tokenledger.ledger;

import io.tokenledger.store.LedgerUnavailable;
import java.sql.Connection;
import java.sql.SQLException;
import javax.sql.DataSource;
import org.axonframework.common.jdbc.ConnectionProvider;
import org.axonframework.common.jdbc.ConnectionWrapperFactory;
import org.axonframework.common.transaction.Transaction;
import org.axonframework.common.transaction.TransactionManager;
import org.jspecify.annotations.Nullable;

/**
 * One JDBC transaction a thread, which Axon's unit of work begins and ends and its event storage
 * works in. A transaction begun inside another joins it: the outer one decides.
 */
final class Transactions implements TransactionManager, ConnectionProvider {

  private final DataSource writers;
  private final ThreadLocal<@Nullable Connection> current = new ThreadLocal<>();

  /**
   * @param writers connections that do not commit by themselves
   */
  Transactions(DataSource writers) {
    this.writers = writers;
  }

  @Override
  public Transaction startTransaction() {
    if (current.get() != null) {
      return new Transaction() {
        @Override
        public void commit() {}

        @Override
        public void rollback() {}
      };
    }
    try {
      current.set(writers.getConnection());
    } catch (SQLException e) {
      throw new LedgerUnavailable("no database connection", e);
    }
    return new Transaction() {
      @Override
      public void commit() {
        try (Connection connection = release()) {
          connection.commit();
        } catch (SQLException e) {
          throw new LedgerUnavailable("the commit was not confirmed", e);
        }
      }

      @Override
      public void rollback() {
        try (Connection connection = release()) {
          connection.rollback();
        } catch (SQLException e) {
          // The server rolls back by itself what a lost session had begun.
          throw new LedgerUnavailable("the rollback was not confirmed", e);
        }
      }
    };
  }

  private Connection release() {
    Connection connection = connection();
    current.remove();
    return connection;
  }

  /**
   * The connection of this thread's transaction.
   *
   * @throws IllegalStateException outside a transaction: nothing may be written there
   */
  Connection connection() {
    Connection connection = current.get();
    if (connection == null) {
      throw new IllegalStateException("no transaction in this thread");
    }
    return connection;
  }

  /** For Axon, which closes what it gets: closing this one does nothing. */
  @Override
  public Connection getConnection() {
    return ConnectionWrapperFactory.wrap(
        connection(), new ConnectionWrapperFactory.NoOpCloseHandler());
  }
}

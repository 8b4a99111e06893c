package io.tokenledger.sql;

import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Takes what a query comes to, cell by cell: an answer that is never whole in memory cannot fill
 * it. A limit of the taker's own is a {@link SqlRefused}.
 */
public interface SqlRows {

  /** The columns' names in their order: once, before anything else. */
  void columns(List<String> names) throws IOException;

  /**
   * The next cell of the row.
   *
   * @param value null, {@link Boolean}, {@link Long}, {@link java.math.BigDecimal}, {@link
   *     java.time.LocalDateTime} or {@link String}
   */
  void cell(@Nullable Object value) throws IOException;

  /** The row has all its cells. */
  void endRow() throws IOException;

  /** There are no more rows. */
  void end() throws IOException;
}

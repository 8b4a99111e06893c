package io.tokenledger.sink;

import java.util.Set;

/**
 * Opens the sinks of one type. Found by {@link java.util.ServiceLoader}, so that a type can come in
 * a jar of its own, which needs libraries that the ledger does not.
 */
public interface SinkFactory {

  /** The type as the file of sinks names it. */
  String type();

  /** The settings that it knows, beside those of every sink. */
  Set<String> settings();

  /**
   * Opens a sink; connects to nothing.
   *
   * @throws IllegalArgumentException with the rule that a setting breaks, never with a secret
   */
  Sink open(SinkTarget target);
}

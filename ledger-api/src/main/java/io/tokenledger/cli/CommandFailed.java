package io.tokenledger.cli;

/** A command could not do what it was asked; the message is the one line for standard error. */
final class CommandFailed extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final int exitCode;

  CommandFailed(String message) {
    this(LedgerCli.FAILED, message);
  }

  CommandFailed(int exitCode, String message) {
    super(message, null, false, false);
    this.exitCode = exitCode;
  }

  int exitCode() {
    return exitCode;
  }
}

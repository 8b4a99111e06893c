package io.tokenledger.idempotency;

/** The command was carried out before, under the same key: its answer is there to be read. */
public final class AnswerExists extends RuntimeException {

  private static final long serialVersionUID = 1L;

  public AnswerExists() {
    super("an answer is stored under this key", null, false, false);
  }
}

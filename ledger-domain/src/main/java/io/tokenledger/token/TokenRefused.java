package io.tokenledger.token;

/** A command was refused; nothing changed. Has no stack trace: it is an answer, not a fault. */
public final class TokenRefused extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private final Refusal refusal;

  /**
   * @param detail what the refusal's text speaks of: a token name, or the broken rule
   */
  public TokenRefused(Refusal refusal, String detail) {
    super(refusal.text(detail), null, false, false);
    this.refusal = refusal;
  }

  public Refusal refusal() {
    return refusal;
  }
}

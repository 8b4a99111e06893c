package io.tokenledger.tokens;

/** Whether a token's secret opens anything, or why not. */
public enum TokenState {
  LIVE,
  EXPIRED,
  SUSPENDED,
  REVOKED
}

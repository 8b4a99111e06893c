package io.tokenledger.token;

/**
 * The number of a token, never used again after its token is revoked.
 *
 * @param value 0 for the operator token, from 1 for every other
 */
public record TokenId(long value) {

  /** The operator token's id, whatever was created before it. */
  public static final TokenId OPERATOR = new TokenId(0);

  public TokenId {
    if (value < 0) {
      throw new IllegalArgumentException("token id must not be negative: " + value);
    }
  }

  @Override
  public String toString() {
    return Long.toString(value);
  }
}

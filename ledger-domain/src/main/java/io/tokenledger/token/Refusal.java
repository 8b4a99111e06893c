package io.tokenledger.token;

/**
 * Why a command is refused, in the order in which the rules are checked: a command that breaks two
 * gets the earlier one. Status and text are the wire's ({@code influxdb3-token-surface} 1.8 and
 * 4.4); where InfluxDB has no such rule, the text names the field and the rule.
 */
public enum Refusal {
  /**
   * The actor may not do this; said before anything that would tell what exists. Checked once more
   * where the token to be revoked turns out to be an admin's.
   */
  NOT_PERMITTED(403, "{\"error\": \"unauthorized to perform requested action with the token\"}"),
  /**
   * The name's history holds an event that this version cannot read. Nothing is judged on the rest
   * of it, whatever the command.
   */
  UNREADABLE(409, "the history of the name holds an event that cannot be read, %s"),
  /** The name breaks a rule of {@link TokenName}. */
  INVALID_NAME(400, "invalid token name: %s"),
  /** The permissions break a rule of the grammar; the detail is the whole text. */
  INVALID_PERMISSION(400, "%s"),
  /** The secret from a file has no {@code apiv3_} prefix. */
  INVALID_SECRET(400, "Invalid token format: %s"),
  /** The expiry is not in the future, or beyond what can be written. */
  INVALID_EXPIRY(400, "invalid expiry: %s"),
  /** The description is too long or holds control characters. */
  INVALID_DESCRIPTION(400, "invalid description: %s"),
  /** The grace period is negative or too long. */
  INVALID_GRACE(400, "invalid grace period: %s"),
  /** {@code _admin} belongs to the operator token. */
  RESERVED_NAME(400, "token name is reserved for the operator token, %s"),
  /** The operator token can be regenerated, never revoked. */
  OPERATOR_NOT_DELETABLE(405, "cannot delete operator token"),
  /** The operator token is regenerated; it is not rotated, suspended or given an expiry. */
  OPERATOR_UNCHANGEABLE(405, "the operator token can only be regenerated"),
  /** No unrevoked token bears the name, or another than the one meant. */
  NOT_FOUND(404, "the requested resource was not found: %s"),
  /** There is no operator token to regenerate. */
  OPERATOR_MISSING(500, "missing admin token, cannot update"),
  /** An admin token has every permission and keeps them. */
  PERMISSIONS_FIXED(405, "an admin token's permissions cannot be changed, %s"),
  /** The token is past its expiry; a new secret would be as invalid as the old one. */
  EXPIRED(409, "token has expired, give it a later expiry first, %s"),
  /** The token is already as it should become; an event would say what is not so. */
  UNCHANGED(409, "nothing to change, %s"),
  /** An unrevoked token bears the name, expired or not. */
  NAME_TAKEN(409, "token name already exists, %s"),
  /** The same secret was registered before, under whatever name. */
  SECRET_TAKEN(409, "token secret already exists, choose another one for %s");

  private final int status;
  private final String text;

  Refusal(int status, String text) {
    this.status = status;
    this.text = text;
  }

  /** The HTTP status code of the answer. */
  public int status() {
    return status;
  }

  /** The body of the answer, with the detail where the text has a place for it. */
  public String text(String detail) {
    return text.replace("%s", detail);
  }
}

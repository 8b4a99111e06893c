package io.tokenledger.server;

/**
 * An answer other than success, thrown from wherever it is found out.
 *
 * <p>The body is sent as it is: {@code application/json} when it is a JSON object, else plain text.
 * InfluxDB sends no content type with either, and clients then guess; see {@code
 * ops/DIFFERENCES.md}.
 */
final class Rejection extends RuntimeException {

  private static final long serialVersionUID = 1L;

  static final String NOT_AUTHENTICATED = "{\"error\": \"the request was not authenticated\"}";
  static final String MALFORMED_HEADER =
      "{\"error\": \"Authorization header was malformed, the request was not in the form of"
          + " 'Authorization: <auth-scheme> <token>', supported auth-schemes are Bearer, Token and"
          + " Basic\"}";
  static final String NOT_PERMITTED =
      "{\"error\": \"unauthorized to perform requested action with the token\"}";
  static final String NOT_FOUND = "Not found";

  private final int status;
  private final String body;
  private final String reason;
  private final boolean audited;

  /**
   * @param reason stable lower-case code for the audit
   * @param audited whether the audit has it already
   */
  Rejection(int status, String body, String reason, boolean audited) {
    super(reason, null, false, false);
    this.status = status;
    this.body = body;
    this.reason = reason;
    this.audited = audited;
  }

  /** A bad request in InfluxDB's words for broken JSON. */
  static Rejection json(String detail) {
    return new Rejection(400, "serde json error: " + detail, "invalid_body", false);
  }

  /** A bad request of ours: names the field and the rule. */
  static Rejection invalid(String sentence) {
    return new Rejection(400, JsonText.error(sentence), "invalid_request", false);
  }

  static Rejection forbidden() {
    return new Rejection(403, NOT_PERMITTED, "not_permitted", false);
  }

  /** Too much at once: the same request may succeed a little later. */
  static Rejection busy(String what) {
    return new Rejection(
        503, JsonText.error("too many " + what + " at once, try again"), "busy", true);
  }

  int status() {
    return status;
  }

  String body() {
    return body;
  }

  String reason() {
    return reason;
  }

  boolean isAudited() {
    return audited;
  }
}

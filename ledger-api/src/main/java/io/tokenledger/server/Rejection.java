package io.tokenledger.server;

import io.tokenledger.audit.EventType;
import org.jspecify.annotations.Nullable;

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
  private final @Nullable String action;
  private final @Nullable String target;

  /**
   * @param reason stable lower-case code for the audit
   * @param audited whether the audit has it already
   */
  Rejection(int status, String body, String reason, boolean audited) {
    this(status, body, reason, audited, null, null);
  }

  private Rejection(
      int status,
      String body,
      String reason,
      boolean audited,
      @Nullable String action,
      @Nullable String target) {
    super(reason, null, false, false);
    this.status = status;
    this.body = body;
    this.reason = reason;
    this.audited = audited;
    this.action = action;
    this.target = target;
  }

  /** A bad request in InfluxDB's words for broken JSON. */
  static Rejection json(String detail) {
    return new Rejection(400, "serde json error: " + detail, "invalid_body", false);
  }

  /** A bad request of ours: names the field and the rule. */
  static Rejection invalid(String sentence) {
    return new Rejection(400, JsonText.error(sentence), "invalid_request", false);
  }

  /** What was asked for does not fit how things are; the sentence says how they are. */
  static Rejection conflict(String sentence) {
    return new Rejection(409, JsonText.error(sentence), "conflict", false);
  }

  static Rejection forbidden() {
    return new Rejection(403, NOT_PERMITTED, "not_permitted", false);
  }

  /**
   * The same for a command, so that the audit finds it beside those that were carried out.
   *
   * @param asked the event that the command asks for
   * @param name the token's name, null where it is not known
   */
  static Rejection forbidden(EventType asked, @Nullable String name) {
    return new Rejection(403, NOT_PERMITTED, "not_permitted", false, asked.action(), name);
  }

  /** Where nobody is asked for a token, nobody may be given one. */
  static Rejection withoutAuth() {
    return new Rejection(
        405, "endpoint disabled, started without auth", "started_without_auth", false);
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

  /** What was asked for, in the audit's words; null where only the route is known. */
  @Nullable String action() {
    return action;
  }

  /** The name of the token it was to be done to; null where that is not known. */
  @Nullable String target() {
    return target;
  }

  boolean isAudited() {
    return audited;
  }
}

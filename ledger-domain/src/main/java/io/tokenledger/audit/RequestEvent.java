package io.tokenledger.audit;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * A request to the ledger that changed no token: refused, denied, an answer "no", or a read of the
 * history itself. Each stands in a stream of its own, in a transaction of its own. Repeated ones
 * are one event with a count: the first is written at once, the others of the same minute as one
 * summary.
 */
public sealed interface RequestEvent {

  /** What was asked for, as an action of the catalogue or a route: {@code token.create}. */
  String action();

  /**
   * Why not: a stable lower-case code such as {@code unknown_token} or {@code name_taken}. Where
   * the request was carried out, by which right: {@code granted} or {@code admin_default}.
   */
  String reason();

  /** The HTTP status of the answer. */
  int statusCode();

  /** How many requests this stands for, at least 1. */
  long count();

  /** When the first of them came. */
  Instant first();

  /** When the last of them came. */
  Instant last();

  /** The caller presented no valid token. */
  record AuthenticationFailed(
      String action, String reason, int statusCode, long count, Instant first, Instant last)
      implements RequestEvent {}

  /** The caller's token is valid and does not allow this. */
  record AccessDenied(
      String action,
      String reason,
      int statusCode,
      @Nullable String target,
      long count,
      Instant first,
      Instant last)
      implements RequestEvent {}

  /** A permitted command was refused: a conflict, a bad value, no such token. */
  record CommandRejected(
      String action,
      String reason,
      int statusCode,
      @Nullable String target,
      long count,
      Instant first,
      Instant last)
      implements RequestEvent {}

  /**
   * Someone directed a replay: begun, stopped, gone on with, put in place, taken back or dropped.
   * It is stored before that is done, so that none is without its event.
   *
   * @param action {@code replay.start}, {@code replay.swap} and so on
   * @param reason {@code granted}
   * @param target {@code replay:7}; for a start what is to be built and of which moment
   */
  record ReplayRequested(
      String action,
      String reason,
      int statusCode,
      @Nullable String target,
      long count,
      Instant first,
      Instant last)
      implements RequestEvent {}

  /**
   * Projections that were rebuilt from the events were compared with the live ones, or changed
   * places with them.
   *
   * @param reason {@code equal} or {@code different}: what the comparison found
   * @param target {@code replay:7}; null of old, when only the lookup could be rebuilt
   * @param first when the rebuild began
   * @param last when it ended
   */
  record ReplayFinished(
      String action,
      String reason,
      int statusCode,
      @Nullable String target,
      long count,
      Instant first,
      Instant last)
      implements RequestEvent {}

  /**
   * A request came again with the same {@code Idempotency-Key} and got the stored answer of the
   * first, secret included.
   *
   * @param target the token as {@code token:ID}
   */
  record AnswerRepeated(
      String action,
      String reason,
      int statusCode,
      @Nullable String target,
      long count,
      Instant first,
      Instant last)
      implements RequestEvent {}

  /**
   * Decisions that were "no", asked by the actor about the token or network in the envelope. Only
   * ever a summary of a minute.
   *
   * @param target the checked token as {@code token:ID}; null when it is unknown
   */
  record DecisionsDenied(
      String action,
      String reason,
      int statusCode,
      @Nullable String target,
      long count,
      Instant first,
      Instant last)
      implements RequestEvent {}

  /**
   * Someone read the audit log. A summary tells the extent of the last of the reads it stands for.
   *
   * @param reason {@code granted} for a grant of {@code ledger:audit}, {@code admin_default} for an
   *     admin token, {@code tokens_granted} for the history of a token without its envelopes,
   *     {@code without_auth} where nobody is asked for a token
   * @param route method and path, without anything the caller chose
   * @param query what was asked for, values that may be personal as {@code *}
   * @param rows how many rows were answered
   * @param firstLeafIndex lowest leaf among them; null when there is none or it is not told
   * @param lastLeafIndex highest leaf among them; null as above
   * @param treeSize number of leaves when it was read
   */
  record AuditLogRead(
      String action,
      String reason,
      int statusCode,
      String route,
      String query,
      long rows,
      @Nullable Long firstLeafIndex,
      @Nullable Long lastLeafIndex,
      long treeSize,
      long count,
      Instant first,
      Instant last)
      implements RequestEvent {}

  /**
   * Someone took a copy of a part of the audit log away.
   *
   * @param reason as in {@link AuditLogRead}
   * @param format {@code ndjson}, {@code csv} and so on
   * @param query as in {@link AuditLogRead}
   * @param rows how many events are in it
   * @param firstLeafIndex lowest leaf among them; null when it is empty
   * @param lastLeafIndex highest leaf among them; null when it is empty
   * @param treeSize the checkpoint that it is pinned to
   * @param sha256Hex SHA-256 of the bytes handed out, 64 lower-case hexadecimal digits
   */
  record AuditExported(
      String action,
      String reason,
      int statusCode,
      String format,
      String query,
      long rows,
      @Nullable Long firstLeafIndex,
      @Nullable Long lastLeafIndex,
      long treeSize,
      String sha256Hex,
      long count,
      Instant first,
      Instant last)
      implements RequestEvent {}

  /**
   * The history was verified.
   *
   * @param reason as in {@link AuditLogRead}
   * @param scope what was looked at: {@code full}, {@code since:48231}
   * @param result {@code ok}, {@code tampered} or {@code not_checked}
   * @param treeSize number of leaves that were verified
   */
  record AuditVerified(
      String action,
      String reason,
      int statusCode,
      String scope,
      String result,
      long treeSize,
      long count,
      Instant first,
      Instant last)
      implements RequestEvent {}

  /**
   * A proof was handed out that an event is in the log.
   *
   * @param reason as in {@link AuditLogRead}
   * @param leafIndex the event's place
   * @param treeSize the checkpoint that the proof leads to
   */
  record AuditProofIssued(
      String action,
      String reason,
      int statusCode,
      long leafIndex,
      long treeSize,
      long count,
      Instant first,
      Instant last)
      implements RequestEvent {}
}

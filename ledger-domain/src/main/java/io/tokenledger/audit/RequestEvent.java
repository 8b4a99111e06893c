package io.tokenledger.audit;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * A request to the ledger that changed no token: refused, denied, or an answer "no". Each stands in
 * a stream of its own, in a transaction of its own. Repeated ones are one event with a count: the
 * first is written at once, the others of the same minute as one summary.
 */
public sealed interface RequestEvent {

  /** What was asked for, as an action of the catalogue or a route: {@code token.create}. */
  String action();

  /** Why not: a stable lower-case code such as {@code unknown_token} or {@code name_taken}. */
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
   * The authorization lookup was rebuilt from the events, and put in place or only compared.
   *
   * @param reason {@code equal} or {@code different}: what the comparison found
   * @param target null
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
}

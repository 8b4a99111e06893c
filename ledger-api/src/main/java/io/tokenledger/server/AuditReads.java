package io.tokenledger.server;

import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditPage;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.permission.Action;
import io.tokenledger.requests.AuditRead;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.Actor;
import jakarta.servlet.http.HttpServletRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Who may read the audit log, by which right, and the record that they did. It is written once a
 * request and before the answer leaves: what cannot be recorded is not shown.
 */
final class AuditReads {

  /** Who may see a token's history but not its envelopes reads by this right. */
  private static final String TOKENS_GRANTED = "tokens_granted";

  private final Ledger ledger;
  private final boolean separateDuties;

  /**
   * What was asked for, as text.
   *
   * @param shown with {@code *} for values that may tell about a person
   * @param exact with every value: it tells repeats from other reads
   */
  record Asked(String shown, String exact) {

    /**
     * The given filters of a request, in that order.
     *
     * @param values gives the value of a filter, null where there is none
     * @param personal those whose values are not shown
     */
    static Asked of(
        Function<String, @Nullable String> values, List<String> filters, Set<String> personal) {
      List<String> shown = new ArrayList<>();
      List<String> exact = new ArrayList<>();
      for (String filter : filters) {
        String value = values.apply(filter);
        if (value != null) {
          String text = filter + "=" + value.replace("%", "%25").replace("&", "%26");
          exact.add(text);
          shown.add(personal.contains(filter) ? filter + "=*" : text);
        }
      }
      return new Asked(String.join("&", shown), String.join("&", exact));
    }
  }

  AuditReads(Ledger ledger, boolean separateDuties) {
    this.ledger = ledger;
    this.separateDuties = separateDuties;
  }

  /**
   * By which right the actor reads the audit log; null when it may not. The codes are in every
   * event of a read.
   */
  @Nullable String right(Actor actor) {
    if (actor.type() == Actor.Type.SYSTEM) {
      return "without_auth";
    }
    if (actor.permissions().isAdmin()) {
      return separateDuties ? null : "admin_default";
    }
    return actor.mayReadAudit() ? "granted" : null;
  }

  /**
   * The same for who must have one.
   *
   * @throws Rejection 403
   */
  String require(HttpServletRequest request) {
    Actor actor = RequestContexts.of(request).actor();
    String right = right(actor);
    if (right == null) {
      throw refused(actor);
    }
    return right;
  }

  /** Why that actor may not read the audit log. */
  Rejection refused(Actor actor) {
    return actor.permissions().isAdmin()
        ? separate("read the audit", "ledger:audit:read")
        : Rejection.forbidden();
  }

  private static Rejection separate(String what, String permission) {
    return new Rejection(
        403,
        JsonText.error(
            "duties are separate here: admin tokens do not "
                + what
                + ", tokens with "
                + permission
                + " do"),
        "separate_duties",
        false);
  }

  /**
   * Lets only those pass who hold that permission of the ledger's own, and no admin where duties
   * are separate: whose deeds the history holds must neither forget nor redirect it.
   *
   * @return by which right
   * @throws Rejection 403
   */
  String requireDuty(HttpServletRequest request, String name, Action action) {
    Actor actor = RequestContexts.of(request).actor();
    if (actor.permissions().isAdmin() && separateDuties) {
      throw separate("do this", "ledger:" + name + ":" + action.wireName());
    }
    LedgerRoutes.require(actor, name, action);
    if (actor.type() == Actor.Type.SYSTEM) {
      return "without_auth";
    }
    return actor.permissions().isAdmin() ? "admin_default" : "granted";
  }

  /**
   * Records that a page is about to be answered.
   *
   * @param right null for who sees a token's history without its envelopes
   * @throws LedgerUnavailable when that cannot be stored
   */
  void record(HttpServletRequest request, @Nullable String right, Asked asked, AuditPage page) {
    List<AuditEntry> newestFirst = page.entries();
    int rows = newestFirst.size();
    record(
        request,
        right,
        asked,
        rows,
        rows == 0 ? null : newestFirst.get(rows - 1).leafIndex(),
        rows == 0 ? null : newestFirst.get(0).leafIndex(),
        page.treeSize());
  }

  /**
   * Records that so many rows are about to be answered.
   *
   * @throws LedgerUnavailable when that cannot be stored
   */
  void record(
      HttpServletRequest request,
      @Nullable String right,
      Asked asked,
      long rows,
      @Nullable Long firstLeafIndex,
      @Nullable Long lastLeafIndex,
      long treeSize) {
    ledger
        .requests()
        .auditRead(
            RequestContexts.of(request),
            right == null ? TOKENS_GRANTED : right,
            new AuditRead(
                request.getMethod() + " " + Answers.route(request),
                asked.shown(),
                asked.exact(),
                rows,
                firstLeafIndex,
                lastLeafIndex,
                treeSize));
  }
}

package io.tokenledger.server;

import io.tokenledger.audit.ControlEvent.LegalHoldPlaced;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.permission.Action;
import io.tokenledger.privacy.Erasure;
import io.tokenledger.privacy.LegalHold;
import io.tokenledger.privacy.PrivacyRefused;
import io.tokenledger.privacy.Subjects;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** What is forgotten of persons, and the holds that keep it from being forgotten. */
@RestController
class PrivacyRoutes {

  static final String ERASURES = "/api/v1/audit/erasures";
  static final String HOLDS = "/api/v1/audit/holds";
  static final String LIFT = HOLDS + "/lift";

  static final String RETENTION = "retention";
  private static final int MAX_HOLD_CHARS = 128;

  private final Ledger ledger;
  private final AuditReads audits;

  PrivacyRoutes(Ledger ledger, AuditReads audits) {
    this.ledger = ledger;
    this.audits = audits;
  }

  /** Erases a subject, or shows what that would do. */
  @PostMapping(ERASURES)
  void erase(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = RequestContexts.of(request);
    String right = audits.requireDuty(request, RETENTION, Action.WRITE);
    JsonBody body = TokenRoutes.jsonBody(request);
    String subject = subject(body);
    boolean dryRun = body.optionalBoolean("dry_run", false);
    if (!dryRun) {
      requireReason(context);
    }
    try {
      Erasure erasure =
          dryRun ? ledger.erasures().preview(subject) : ledger.erasures().erase(subject, context);
      if (dryRun) {
        record(request, right, asked -> subject, List.of("subject"), erasure.eventCount());
      }
      ObjectNode json = JsonText.object();
      json.put("subject", erasure.subject());
      json.put("erased", erasure.eventId() != null);
      json.put("event_id", erasure.eventId());
      json.put("event_count", erasure.eventCount());
      json.put("first_at", text(erasure.firstAt()));
      json.put("last_at", text(erasure.lastAt()));
      erasure.keyIds().forEach(json.putArray("key_ids")::add);
      erasure.holds().forEach(json.putArray("holds")::add);
      Answers.write(response, 200, json.toString());
    } catch (PrivacyRefused e) {
      throw refused(e);
    }
  }

  /** Who looks at what is held or would be forgotten reads the history. */
  private void record(
      HttpServletRequest request,
      String right,
      Function<String, @Nullable String> values,
      List<String> names,
      long rows) {
    audits.record(
        request,
        right,
        AuditReads.Asked.of(values, names, Set.copyOf(names)),
        rows,
        null,
        null,
        ledger.auditSize());
  }

  /** Whose: named as such, or by the human for whom was acted, of whom only a pseudonym is kept. */
  private String subject(JsonBody body) {
    String subject = body.optionalString("subject");
    String person = body.optionalString("person");
    if ((subject == null) == (person == null)) {
      throw Rejection.invalid("subject or person must say whose, and not both");
    }
    if (person != null) {
      return ledger.person(person);
    }
    return requireSubject(String.valueOf(subject));
  }

  private static String requireSubject(String subject) {
    if (!Subjects.isValid(subject)) {
      throw Rejection.invalid(
          "subject must be token:ID, person:PSEUDONYM, anonymous:YYYY-MM-DD or system");
    }
    return subject;
  }

  /** The holds there are and were. */
  @GetMapping(HOLDS)
  void holds(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String right = audits.requireDuty(request, RETENTION, Action.READ);
    List<LegalHold> found = ledger.holds().list();
    record(request, right, asked -> null, List.of(), found.size());
    ObjectNode json = JsonText.object();
    ArrayNode holds = json.putArray("holds");
    for (LegalHold hold : found) {
      ObjectNode each = holds.addObject();
      each.put("hold", hold.hold());
      each.put("subject", hold.subject());
      each.put("token", hold.token());
      each.put("from", text(hold.from()));
      each.put("until", text(hold.until()));
      each.put("placed_at", hold.placedAt().toString());
      each.put("placed_by_token_id", hold.placedByTokenId());
      each.put("lifted_at", text(hold.liftedAt()));
    }
    Answers.write(response, 200, json.toString());
  }

  /** Holds what the bounds cover. */
  @PostMapping(HOLDS)
  void place(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = RequestContexts.of(request);
    audits.requireDuty(request, RETENTION, Action.WRITE);
    JsonBody body = TokenRoutes.jsonBody(request);
    Parameters bounds = new Parameters(body::optionalString);
    String subject = body.optionalString("subject");
    LegalHoldPlaced hold =
        new LegalHoldPlaced(
            holdName(body),
            subject == null ? null : requireSubject(subject),
            bounds.text("token"),
            bounds.instant("from"),
            bounds.instant("until"));
    if (hold.subject() == null
        && hold.token() == null
        && hold.from() == null
        && hold.until() == null) {
      throw Rejection.invalid("a hold must have a subject, token, from or until");
    }
    if (hold.from() != null && hold.until() != null && !hold.until().isAfter(hold.from())) {
      throw Rejection.invalid("until must be after from");
    }
    requireReason(context);
    try {
      ledger.holds().place(hold, context);
    } catch (PrivacyRefused e) {
      throw refused(e);
    }
    done(response, hold.hold(), "placed");
  }

  /** Ends a hold. */
  @PostMapping(LIFT)
  void lift(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = RequestContexts.of(request);
    audits.requireDuty(request, RETENTION, Action.WRITE);
    String hold = holdName(TokenRoutes.jsonBody(request));
    requireReason(context);
    try {
      ledger.holds().lift(hold, context);
    } catch (PrivacyRefused e) {
      throw refused(e);
    }
    done(response, hold, "lifted");
  }

  private static void done(HttpServletResponse response, String hold, String state)
      throws IOException {
    Answers.write(
        response, 200, JsonText.object().put("hold", hold).put("state", state).toString());
  }

  private static String holdName(JsonBody body) {
    String hold = body.string("hold");
    if (hold.isEmpty()
        || hold.length() > MAX_HOLD_CHARS
        || !hold.matches("[A-Za-z0-9][A-Za-z0-9._-]*")) {
      throw Rejection.invalid("hold must be 1 to 128 letters, digits, '.', '_' and '-'");
    }
    return hold;
  }

  static void requireReason(RequestContext context) {
    if (context.reason() == null || context.reason().isBlank()) {
      throw Rejection.invalid(RequestContexts.REASON + " must say why");
    }
  }

  static Rejection refused(PrivacyRefused e) {
    return new Rejection(409, JsonText.error(String.valueOf(e.getMessage())), e.code(), false);
  }

  static @Nullable String text(@Nullable Instant instant) {
    return instant == null ? null : instant.toString();
  }
}

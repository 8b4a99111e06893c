package io.tokenledger.server;

import io.tokenledger.ledger.Ledger;
import io.tokenledger.permission.Action;
import io.tokenledger.permission.ResourceType;
import io.tokenledger.timeline.Holder;
import io.tokenledger.timeline.ResolvedMoment;
import io.tokenledger.timeline.Timeline;
import io.tokenledger.timeline.TokenChange;
import io.tokenledger.timeline.TokenVersion;
import io.tokenledger.token.TokenId;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** What tokens were: each in its life, all of them at a moment, between two, and who could what. */
@RestController
class TimelineRoutes {

  static final String HISTORY = "/api/v1/audit/tokens/{id}/history";
  static final String STATE = "/api/v1/audit/state";
  static final String DIFF = "/api/v1/audit/diff";
  static final String ACCESS = "/api/v1/audit/access";

  private static final int DEFAULT_LIMIT = 100;
  private static final int MAX_LIMIT = 1_000;

  private static final List<String> PARAMETERS =
      List.of("at", "from", "to", "resource", "action", "revoked", "cursor", "limit");

  /** What of a token counts as a difference, in the order of an answer. */
  private static final List<String> COMPARED =
      List.of(
          "state",
          "permissions",
          "hash",
          "grace_hash",
          "grace_ends_at",
          "expiry",
          "suspended_at",
          "revoked_at");

  private final Ledger ledger;
  private final AuditReads audits;

  TimelineRoutes(Ledger ledger, AuditReads audits) {
    this.ledger = ledger;
    this.audits = audits;
  }

  private void record(
      HttpServletRequest request, String right, long rows, ResolvedMoment moment, String before) {
    AuditReads.Asked asked =
        AuditReads.Asked.of(new Parameters(request::getParameter)::text, PARAMETERS, Set.of());
    String and = before.isEmpty() || asked.exact().isEmpty() ? "" : "&";
    audits.record(
        request,
        right,
        new AuditReads.Asked(before + and + asked.shown(), before + and + asked.exact()),
        rows,
        null,
        null,
        moment.treeSize());
  }

  /** A cursor's moments and what to go on after. */
  private static String @Nullable [] cursor(Parameters parameters, int parts) {
    String text = parameters.text("cursor");
    if (text == null) {
      return null;
    }
    String[] cursor = text.split("_", -1);
    if (cursor.length != parts || !cursor[parts - 1].matches("\\d{1,18}")) {
      throw Rejection.invalid("cursor must be the next_cursor of a page, got " + text);
    }
    return cursor;
  }

  /** A page of one moment: where it is, what it goes on after, and the most rows. */
  private record Asked(ResolvedMoment moment, @Nullable Long after, int limit) {
    @Nullable String next(@Nullable Long last) {
      return last == null ? null : Moments.text(moment) + "_" + last;
    }
  }

  private Asked asked(Parameters parameters) {
    int limit = parameters.limit(DEFAULT_LIMIT, MAX_LIMIT);
    String[] cursor = cursor(parameters, 2);
    Moments moments = new Moments(ledger, parameters);
    return cursor == null
        ? new Asked(moments.resolve("at"), null, limit)
        : new Asked(moments.pinned(cursor[0], "at"), Long.valueOf(cursor[1]), limit);
  }

  /** What one token was, the oldest first. */
  @GetMapping(HISTORY)
  void history(
      HttpServletRequest request, HttpServletResponse response, @PathVariable("id") String idText)
      throws IOException {
    String right = audits.require(request);
    if (!idText.matches("\\d{1,18}")) {
      throw Rejection.invalid("id must be a token's number, got " + idText);
    }
    TokenId id = new TokenId(Long.parseLong(idText));
    Asked asked = asked(new Parameters(request::getParameter));
    Timeline.Page<TokenVersion> page =
        ledger.timeline().history(id, asked.moment(), asked.after(), asked.limit());
    if (page.rows().isEmpty() && asked.after() == null) {
      throw new Rejection(
          404, JsonText.error("no token of id " + id + " was there by then"), "not_found", true);
    }
    record(request, right, page.rows().size(), asked.moment(), "id=" + id);
    ObjectNode json = JsonText.object();
    json.put("token_id", id.value());
    json.set("at", Moments.json(asked.moment()));
    ArrayNode versions = json.putArray("versions");
    for (TokenVersion version : page.rows()) {
      ObjectNode each = token(version, version.validFrom());
      each.put("to_leaf", version.toLeaf());
      each.put("valid_to", time(version.validTo()));
      versions.add(each);
    }
    json.put("next_cursor", asked.next(page.next()));
    Answers.write(response, 200, json.toString());
  }

  /** All tokens as of a moment. */
  @GetMapping(STATE)
  void state(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String right = audits.require(request);
    Parameters parameters = new Parameters(request::getParameter);
    String revoked = parameters.text("revoked");
    if (revoked != null && !Set.of("true", "false").contains(revoked)) {
      throw Rejection.invalid("revoked must be true or false, got " + revoked);
    }
    Asked asked = asked(parameters);
    Timeline.Page<TokenVersion> page =
        ledger
            .timeline()
            .state(asked.moment(), "true".equals(revoked), asked.after(), asked.limit());
    record(request, right, page.rows().size(), asked.moment(), "");
    ObjectNode json = JsonText.object();
    json.set("at", Moments.json(asked.moment()));
    ArrayNode tokens = json.putArray("tokens");
    page.rows().forEach(version -> tokens.add(token(version, asked.moment().time())));
    json.put("next_cursor", asked.next(page.next()));
    Answers.write(response, 200, json.toString());
  }

  /** What came, went and changed between two moments. */
  @GetMapping(DIFF)
  void diff(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String right = audits.require(request);
    Parameters parameters = new Parameters(request::getParameter);
    int limit = parameters.limit(DEFAULT_LIMIT, MAX_LIMIT);
    for (String parameter : List.of("from", "to")) {
      if (parameters.text(parameter) == null) {
        throw Rejection.invalid(
            parameter
                + " is missing: leaf:N, checkpoint:N or an instant such as 2026-11-24T12:00:00Z");
      }
    }
    Moments moments = new Moments(ledger, parameters);
    String[] cursor = cursor(parameters, 3);
    ResolvedMoment from =
        cursor == null ? moments.resolve("from") : moments.pinned(cursor[0], "from");
    ResolvedMoment to = cursor == null ? moments.resolve("to") : moments.pinned(cursor[1], "to");
    Timeline.Page<TokenChange> page =
        ledger.timeline().changes(from, to, cursor == null ? null : Long.valueOf(cursor[2]), limit);
    ObjectNode json = JsonText.object();
    json.set("from", Moments.json(from));
    json.set("to", Moments.json(to));
    ArrayNode added = json.putArray("added");
    ArrayNode removed = json.putArray("removed");
    ArrayNode changed = json.putArray("changed");
    for (TokenChange change : page.rows()) {
      @Nullable ObjectNode before = existing(change.before(), from);
      @Nullable ObjectNode after = existing(change.after(), to);
      if (before == null && after != null) {
        added.add(after);
      } else if (before != null && after == null) {
        removed.add(before);
      } else if (before != null && after != null) {
        addChange(changed, change, before, after);
      }
    }
    record(request, right, added.size() + removed.size() + changed.size(), to, "");
    json.put(
        "next_cursor",
        page.next() == null
            ? null
            : Moments.text(from) + "_" + Moments.text(to) + "_" + page.next());
    Answers.write(response, 200, json.toString());
  }

  private static @Nullable ObjectNode existing(
      @Nullable TokenVersion version, ResolvedMoment moment) {
    return version == null || version.revokedAt() != null ? null : token(version, moment.time());
  }

  /** An event that changed nothing of these, such as a notice, is no change. */
  private static void addChange(
      ArrayNode changed, TokenChange change, ObjectNode before, ObjectNode after) {
    ObjectNode row = JsonText.object();
    row.put("id", change.id().value());
    row.set("name", after.get("name"));
    ArrayNode differences = row.putArray("differences");
    for (String path : COMPARED) {
      JsonNode was = before.get(path);
      JsonNode is = after.get(path);
      if (!Objects.equals(was, is)) {
        ObjectNode difference = differences.addObject();
        difference.put("path", path);
        difference.set("before", was);
        difference.set("after", is);
      }
    }
    if (!differences.isEmpty()) {
      row.set("before", before);
      row.set("after", after);
      changed.add(row);
    }
  }

  /** Who could do something on a resource at a moment. */
  @GetMapping(ACCESS)
  void access(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String right = audits.require(request);
    Parameters parameters = new Parameters(request::getParameter);
    String resource = parameters.text("resource");
    int colon = resource == null ? -1 : resource.indexOf(':');
    if (resource == null || colon < 1 || colon == resource.length() - 1) {
      throw Rejection.invalid("resource must be TYPE:NAME such as db:metrics, got " + resource);
    }
    String name = resource.substring(colon + 1);
    if (name.equals("*")) {
      throw Rejection.invalid("resource must name one resource, got " + resource);
    }
    String actionText = parameters.text("action");
    Action action = CheckRoutes.action(actionText == null ? "nothing" : actionText);
    ResourceType type = ResourceType.parse(resource.substring(0, colon));
    Asked asked = asked(parameters);
    Timeline.Page<Holder> page =
        ledger.timeline().holders(asked.moment(), type, name, action, asked.after(), asked.limit());
    record(request, right, page.rows().size(), asked.moment(), "");
    ObjectNode json = JsonText.object();
    json.put("resource", resource);
    json.put("action", action.wireName());
    json.set("at", Moments.json(asked.moment()));
    ArrayNode tokens = json.putArray("tokens");
    for (Holder holder : page.rows()) {
      tokens.add(token(holder.token(), asked.moment().time()).put("entry", holder.entry()));
    }
    json.put("next_cursor", asked.next(page.next()));
    Answers.write(response, 200, json.toString());
  }

  private static ObjectNode token(TokenVersion version, Instant time) {
    ObjectNode json = JsonText.object();
    json.put("id", version.id().value());
    json.put("name", version.name().value());
    json.put("kind", version.kind().wireName());
    json.put("state", version.state(time).name().toLowerCase(Locale.ROOT));
    ArrayNode permissions = json.putArray("permissions");
    version.permissions().forEach(permissions::add);
    json.put("hash", version.hashPrefix());
    json.put("grace_hash", version.graceHashPrefix());
    json.put("grace_ends_at", time(version.graceEndsAt()));
    json.put("created_at", time(version.createdAt()));
    json.put("expiry", time(version.expiry()));
    json.put("suspended_at", time(version.suspendedAt()));
    json.put("revoked_at", time(version.revokedAt()));
    json.put("from_leaf", version.fromLeaf());
    json.put("valid_from", time(version.validFrom()));
    json.put("event_type", version.eventType());
    ObjectNode actor = json.putObject("actor");
    actor.put("token_id", version.actorTokenId());
    actor.put("name", version.actorName());
    return json;
  }

  private static @Nullable String time(@Nullable Instant instant) {
    return instant == null ? null : JsonText.time(instant);
  }
}

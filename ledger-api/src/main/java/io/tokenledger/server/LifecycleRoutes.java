package io.tokenledger.server;

import io.tokenledger.audit.EventType;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.history.AuditPage;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.ledger.Committed;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.Proposal;
import io.tokenledger.permission.Permissions;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenCommand;
import io.tokenledger.token.TokenCommand.ChangeExpiry;
import io.tokenledger.token.TokenCommand.ChangePermissions;
import io.tokenledger.token.TokenCommand.DescribeToken;
import io.tokenledger.token.TokenCommand.ResumeToken;
import io.tokenledger.token.TokenCommand.RevokeToken;
import io.tokenledger.token.TokenCommand.RotateToken;
import io.tokenledger.token.TokenCommand.SuspendToken;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenSecret;
import io.tokenledger.token.TokenSummary;
import io.tokenledger.tokens.TokenEntry;
import io.tokenledger.tokens.TokenQuery;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.math.BigInteger;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What InfluxDB lacks: tokens listed without SQL, and changed between creation and revocation. A
 * token is named by its id, which no other token ever has; a name may pass to another.
 */
@RestController
class LifecycleRoutes {

  static final String TOKENS = "/api/v1/tokens";
  static final String BY_NAME = TOKENS + "/by-name";
  static final String REVOKE = TOKENS + "/revoke";
  static final String ONE = TOKENS + "/{id}";

  private static final int MAX_REVOKED_AT_ONCE = 10_000;

  /** 256 bits of SHA-512. */
  private static final int DIGEST_DIGITS = 64;

  /** As many as InfluxDB shows. */
  private static final int SHOWN_HASH_DIGITS = 9;

  private final Ledger ledger;
  private final SecretAnswers secretAnswers;
  private final AuditReads audits;
  private final SecureRandom random = new SecureRandom();

  LifecycleRoutes(Ledger ledger, SecretAnswers secretAnswers, AuditReads audits) {
    this.ledger = ledger;
    this.audits = audits;
    this.secretAnswers = secretAnswers;
  }

  /** Makes the command for the token that was found. */
  private interface Change {
    TokenCommand of(TokenName name, TokenId id);
  }

  @GetMapping(TOKENS)
  void list(HttpServletRequest request, HttpServletResponse response) throws IOException {
    requireReader(request);
    request
        .getParameterNames()
        .asIterator()
        .forEachRemaining(name -> requireKnown(name, TokenFilter.LIST_PARAMETERS));
    TokenQuery query = new TokenFilter(request::getParameter).query(Instant.now());
    List<TokenEntry> found = ledger.tokens().search(query);
    ObjectNode json = JsonText.object();
    ArrayNode tokens = json.putArray("tokens");
    found.forEach(entry -> tokens.add(json(request, entry, query.now())));
    json.put(
        "next_cursor",
        found.size() < query.limit()
            ? null
            : Long.toString(found.get(found.size() - 1).id().value()));
    Answers.write(response, 200, json.toString());
  }

  private static void requireKnown(String name, Set<String> known) {
    if (!known.contains(name)) {
      throw Rejection.invalid("unknown filter " + name + ", known are " + String.join(", ", known));
    }
  }

  @GetMapping(ONE)
  void one(
      HttpServletRequest request, HttpServletResponse response, @PathVariable("id") String idText)
      throws IOException {
    requireReader(request);
    TokenEntry entry = find(idText);
    ObjectNode json = json(request, entry, Instant.now());
    String id = entry.id().toString();
    addHistory(request, json, null, "token:" + id, "id=" + id);
    Answers.write(response, 200, json.toString());
  }

  /** The whole life of a name, over all tokens that ever bore it. */
  @GetMapping(BY_NAME)
  void byName(HttpServletRequest request, HttpServletResponse response) throws IOException {
    requireReader(request);
    String name = new Parameters(request::getParameter).text("token_name");
    if (name == null) {
      throw Rejection.invalid("token_name is missing");
    }
    List<TokenEntry> bearers = ledger.tokens().search(TokenQuery.ofName(name));
    if (bearers.isEmpty()) {
      throw notFound(name);
    }
    Instant now = Instant.now();
    ObjectNode json = JsonText.object();
    json.put("name", name);
    ArrayNode tokens = json.putArray("tokens");
    bearers.forEach(entry -> tokens.add(json(request, entry, now)));
    addHistory(request, json, name, null, "token_name=" + name);
    Answers.write(response, 200, json.toString());
  }

  /**
   * Adds what the audit knows, and records that it was read; what is personal in it only for who
   * may read the audit.
   *
   * @param asked which token, for that record
   */
  private void addHistory(
      HttpServletRequest request,
      ObjectNode json,
      @Nullable String name,
      @Nullable String targetId,
      String asked) {
    Parameters parameters = new Parameters(request::getParameter);
    Long cursor = parameters.number("cursor");
    int limit = parameters.limit(AuditQuery.MAX_LIMIT, AuditQuery.MAX_LIMIT);
    AuditPage page =
        ledger
            .audit()
            .search(new AuditQuery(null, null, name, targetId, null, null, null, cursor, limit));
    String right = audits.right(RequestContexts.of(request).actor());
    String query =
        asked
            + (cursor == null ? "" : "&cursor=" + cursor)
            + (parameters.text("limit") == null ? "" : "&limit=" + limit);
    audits.record(request, right, new AuditReads.Asked(query, query), page);
    json.put("next_cursor", page.nextCursor() == null ? null : page.nextCursor().toString());
    ArrayNode events = json.putArray("events");
    page.entries()
        .forEach(
            entry -> {
              ObjectNode event = LedgerRoutes.json(entry);
              if (right == null) {
                event.remove("envelope");
              }
              events.add(event);
            });
  }

  @PostMapping(ONE + "/rotate")
  void rotate(
      HttpServletRequest request, HttpServletResponse response, @PathVariable("id") String idText)
      throws IOException {
    RequestContext context = requireManager(request, EventType.TOKEN_ROTATED, idText);
    byte[] bytes = TokenRoutes.jsonBytes(request);
    if (secretAnswers.repeat(request, response, bytes)) {
      return;
    }
    Duration grace = grace(JsonBody.parse(bytes));
    TokenEntry token = find(idText);
    TokenSecret secret = TokenSecret.generate(random);
    secretAnswers.answer(
        request,
        response,
        bytes,
        Proposal.of(
            new RotateToken(
                token.name(),
                token.id(),
                secret.hash(),
                TokenRoutes.now(),
                grace,
                context.actor())),
        secret);
  }

  private static Duration grace(JsonBody body) {
    BigInteger seconds = body.optionalInteger("grace_secs");
    if (seconds == null) {
      return Duration.ZERO;
    }
    // What does not fit is refused by the token, in its words.
    return Duration.ofSeconds(
        seconds.bitLength() < Integer.SIZE ? seconds.longValue() : Integer.MAX_VALUE);
  }

  @PostMapping(ONE + "/suspend")
  void suspend(
      HttpServletRequest request, HttpServletResponse response, @PathVariable("id") String idText)
      throws IOException {
    RequestContext context = requireManager(request, EventType.TOKEN_SUSPENDED, idText);
    change(
        request,
        response,
        idText,
        (name, id) -> new SuspendToken(name, id, TokenRoutes.now(), context.actor()));
  }

  @PostMapping(ONE + "/resume")
  void resume(
      HttpServletRequest request, HttpServletResponse response, @PathVariable("id") String idText)
      throws IOException {
    RequestContext context = requireManager(request, EventType.TOKEN_RESUMED, idText);
    change(
        request,
        response,
        idText,
        (name, id) -> new ResumeToken(name, id, TokenRoutes.now(), context.actor()));
  }

  @PutMapping(ONE + "/description")
  void describe(
      HttpServletRequest request, HttpServletResponse response, @PathVariable("id") String idText)
      throws IOException {
    RequestContext context = requireManager(request, EventType.TOKEN_DESCRIBED, idText);
    String description = TokenRoutes.jsonBody(request).string("description");
    change(
        request,
        response,
        idText,
        (name, id) -> new DescribeToken(name, id, description, TokenRoutes.now(), context.actor()));
  }

  @PutMapping(ONE + "/expiry")
  void changeExpiry(
      HttpServletRequest request, HttpServletResponse response, @PathVariable("id") String idText)
      throws IOException {
    RequestContext context = requireManager(request, EventType.TOKEN_EXPIRY_CHANGED, idText);
    JsonBody body = TokenRoutes.jsonBody(request);
    if (!body.has("expiry_secs")) {
      throw Rejection.invalid("expiry_secs is missing: seconds from now, or null for never");
    }
    Instant now = TokenRoutes.now();
    Expiry expiry = TokenRoutes.expiry(body, now);
    change(
        request,
        response,
        idText,
        (name, id) -> new ChangeExpiry(name, id, expiry, now, context.actor()));
  }

  @PutMapping(ONE + "/permissions")
  void changePermissions(
      HttpServletRequest request, HttpServletResponse response, @PathVariable("id") String idText)
      throws IOException {
    RequestContext context = requireManager(request, EventType.TOKEN_PERMISSIONS_CHANGED, idText);
    Permissions permissions = TokenRoutes.permissions(TokenRoutes.jsonBody(request));
    change(
        request,
        response,
        idText,
        (name, id) ->
            new ChangePermissions(name, id, permissions, TokenRoutes.now(), context.actor()));
  }

  @DeleteMapping(ONE)
  void revoke(
      HttpServletRequest request, HttpServletResponse response, @PathVariable("id") String idText)
      throws IOException {
    RequestContext context = requireManager(request, EventType.TOKEN_REVOKED, idText);
    change(
        request,
        response,
        idText,
        (name, id) -> new RevokeToken(name, id, TokenRoutes.now(), context.actor()));
  }

  private void change(
      HttpServletRequest request, HttpServletResponse response, String idText, Change change)
      throws IOException {
    TokenEntry token = find(idText);
    Committed done =
        TokenRoutes.execute(
            ledger, Proposal.of(change.of(token.name(), token.id())), request, response);
    TokenSummary changed = done.token();
    ObjectNode json = JsonText.object();
    json.put("id", changed.id().value());
    json.put("name", changed.name().value());
    json.put("created_at", JsonText.time(changed.createdAt()));
    json.put("expiry", JsonText.time(changed.expiry()));
    Answers.write(response, 200, Receipts.added(ledger, request, response, done, json.toString()));
  }

  /** Revokes all tokens that match, or says which would be. */
  @PostMapping(REVOKE)
  void revokeMatching(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = requireManager(request, EventType.TOKEN_REVOKED, null);
    JsonBody body = TokenRoutes.jsonBody(request);
    JsonBody filter = body.object("filter");
    filter.names().forEach(name -> requireKnown(name, TokenFilter.PARAMETERS));
    TokenQuery query = new TokenFilter(filter::text).query(Instant.now());
    if (query.isUnrestricted()) {
      throw Rejection.invalid("filter must restrict by more than state: it would hit every token");
    }
    boolean dryRun = body.optionalBoolean("dry_run", true);
    BigInteger expected = body.optionalInteger("expected_count");
    List<TokenEntry> hit = matching(query, context);
    if (!dryRun && expected != null && !expected.equals(BigInteger.valueOf(hit.size()))) {
      throw new Rejection(
          409,
          JsonText.error(
              "expected_count is "
                  + expected
                  + " but "
                  + hit.size()
                  + " tokens match now; nothing was revoked"),
          "count_changed",
          false);
    }
    String digest = digest(hit);
    String expectedDigest = body.optionalString("expected_digest");
    if (!dryRun && expectedDigest != null && !expectedDigest.equals(digest)) {
      throw new Rejection(
          409,
          JsonText.error("other tokens match now than when the digest was made; none was revoked"),
          "match_changed",
          false);
    }
    ObjectNode json = JsonText.object();
    json.put("dry_run", dryRun);
    json.put("matched", hit.size());
    json.put("digest", digest);
    int revoked = 0;
    Committed last = null;
    ArrayNode tokens = JsonText.JSON.createArrayNode();
    for (TokenEntry entry : hit) {
      ObjectNode token = tokens.addObject();
      token.put("id", entry.id().value());
      token.put("name", entry.name().value());
      token.put("kind", entry.kind().wireName());
      token.put("state", entry.state(query.now()).name().toLowerCase(Locale.ROOT));
      if (!dryRun) {
        try {
          last =
              TokenRoutes.execute(
                  ledger,
                  Proposal.of(
                      new RevokeToken(
                          entry.name(), entry.id(), TokenRoutes.now(), context.actor())),
                  request,
                  response);
          token.put("revoked", true);
          revoked++;
        } catch (Rejection e) {
          token.put("revoked", false);
          token.put("error", e.reason());
        }
      }
    }
    json.put("revoked", revoked);
    json.set("tokens", tokens);
    // Whoever knows the last one knows all before it.
    Answers.write(
        response,
        200,
        last == null
            ? json.toString()
            : Receipts.addedNodes(ledger, request, response, last, json.toString()));
  }

  /** Stands for which tokens match: ids are never reused. */
  private static String digest(List<TokenEntry> hit) {
    return SecretHash.of(
            hit.stream().map(entry -> entry.id().toString()).collect(Collectors.joining(",")))
        .hex()
        .substring(0, DIGEST_DIGITS);
  }

  /** Who is hit: neither the operator token, which stays, nor the one that asks. */
  private List<TokenEntry> matching(TokenQuery query, RequestContext context) {
    List<TokenEntry> hit = new ArrayList<>();
    TokenQuery next = query.after(new TokenId(0), TokenQuery.MAX_LIMIT);
    while (true) {
      List<TokenEntry> page = ledger.tokens().search(next);
      page.stream()
          .filter(entry -> entry.revokedAt() == null)
          .filter(entry -> !entry.id().equals(context.actor().tokenId()))
          .forEach(hit::add);
      if (hit.size() > MAX_REVOKED_AT_ONCE) {
        throw Rejection.invalid(
            "filter matches more than " + MAX_REVOKED_AT_ONCE + " tokens: restrict it");
      }
      if (page.size() < TokenQuery.MAX_LIMIT) {
        return hit;
      }
      next = next.after(page.get(page.size() - 1).id(), TokenQuery.MAX_LIMIT);
    }
  }

  private static void requireReader(HttpServletRequest request) {
    TokenRoutes.require(RequestContexts.of(request).actor().mayReadTokens());
  }

  private RequestContext requireManager(
      HttpServletRequest request, EventType asked, @Nullable String idText) {
    RequestContext context = RequestContexts.of(request);
    if (!context.actor().mayManageTokens()) {
      throw Rejection.forbidden(asked, idText == null ? null : nameOf(idText));
    }
    return context;
  }

  private @Nullable String nameOf(String idText) {
    try {
      return find(idText).name().value();
    } catch (Rejection e) {
      return null;
    }
  }

  private TokenEntry find(String idText) {
    long id = Objects.requireNonNull(new Parameters(name -> idText).number("the token id"));
    return ledger.tokens().find(new TokenId(id)).orElseThrow(() -> notFound(idText));
  }

  private static Rejection notFound(String what) {
    return new Rejection(404, "the requested resource was not found: " + what, "not_found", false);
  }

  /** The whole hash only for admins: with it guesses at a weak provided secret can be tried. */
  private static ObjectNode json(HttpServletRequest request, TokenEntry entry, Instant now) {
    ObjectNode json = JsonText.object();
    json.put("id", entry.id().value());
    json.put("name", entry.name().value());
    json.put("kind", entry.kind().wireName());
    json.put("state", entry.state(now).name().toLowerCase(Locale.ROOT));
    ArrayNode permissions = json.putArray("permissions");
    entry.permissions().forEach(permissions::add);
    boolean admin = RequestContexts.of(request).actor().permissions().isAdmin();
    json.put("hash", admin ? entry.hash() : entry.hash().substring(0, SHOWN_HASH_DIGITS));
    json.put("description", entry.description());
    json.put("created_at", JsonText.time(entry.createdAt()));
    json.put("created_by", entry.createdBy());
    json.put("created_by_token_id", entry.createdByTokenId());
    json.put("updated_at", time(entry.updatedAt()));
    json.put("updated_by", entry.updatedBy());
    json.put("updated_by_token_id", entry.updatedByTokenId());
    json.put("expiry", time(entry.expiry()));
    json.put("suspended_at", time(entry.suspendedAt()));
    json.put("revoked_at", time(entry.revokedAt()));
    json.put("revoked_by", entry.revokedBy());
    json.put("revoked_by_token_id", entry.revokedByTokenId());
    json.put("last_used_at", time(entry.lastUsedAt()));
    return json;
  }

  private static @Nullable String time(@Nullable Instant instant) {
    return instant == null ? null : JsonText.time(instant);
  }
}

package io.tokenledger.server;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.index.Authorization;
import io.tokenledger.index.Sighting;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.permission.Action;
import io.tokenledger.permission.Decision;
import io.tokenledger.permission.InvalidPermission;
import io.tokenledger.permission.Permissions;
import io.tokenledger.permission.ResourceType;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.Position;
import io.tokenledger.token.Actor;
import io.tokenledger.token.SecretHash;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.core.JsonGenerator;
import tools.jackson.databind.node.ObjectNode;

/**
 * "May this token do that?", one at a time, many at a time, and in the words of RFC 7662. A no is
 * an answer, not a failure, and is only counted.
 */
@RestController
class CheckRoutes {

  static final String CHECK = "/api/v1/check";
  static final String BATCH = "/api/v1/check/batch";
  static final String INTROSPECT = "/oauth2/introspect";

  /** All that is told of a token that is not live (RFC 7662, 2.2). */
  static final String INACTIVE = "{\"active\":false}";

  private static final String NOT_GRANTED = "not_granted";

  /** A check's body is a few hundred bytes; every token may send one. */
  private static final int MAX_CHECK_BYTES = 64 * 1024;

  private static final int BYTES_TOLD = 256;
  private static final int MAX_CHECK_VALUES = 1_000;
  private static final int MAX_CHECKS = 1_000;

  /** A hundred and more bytes for each of a thousand hashes, and a name of any length beside. */
  private static final int MAX_BATCH_BYTES = 1024 * 1024;

  private static final int MAX_BATCH_VALUES = 20_000;
  private static final int MAX_FORM_BYTES = 16 * 1024;

  /** A node that hears of changes knows each within milliseconds. */
  private static final Duration POSITION_LIMIT = Duration.ofSeconds(2);

  /** So many threads wait for positions; the others are for who asks without. */
  private static final int MAX_WAITING = 16;

  private final Semaphore positions = new Semaphore(MAX_WAITING);
  private final Ledger ledger;
  private final Explanations explanations;

  CheckRoutes(Ledger ledger, AuditReads audits) {
    this.ledger = ledger;
    this.explanations = new Explanations(ledger, audits);
  }

  /**
   * One question.
   *
   * @param hash of the token asked about; null for the one that asks
   */
  private record Question(
      ResourceType type, String name, Action action, @Nullable SecretHash hash) {}

  /**
   * The answer to a question.
   *
   * @param tokenId of the token asked about; null for one that never was
   * @param entry which of its permissions decided; null when none did
   */
  record Told(
      boolean allowed,
      String reason,
      @Nullable Long tokenId,
      @Nullable String tokenName,
      @Nullable String entry) {

    private static Told of(Decision decision, @Nullable Long tokenId, @Nullable String tokenName) {
      return new Told(
          decision.allowed(),
          decision.allowed() ? "granted" : NOT_GRANTED,
          tokenId,
          tokenName,
          decision.entry());
    }

    private void write(JsonGenerator json) {
      json.writeStartObject();
      json.writeBooleanProperty("allowed", allowed);
      json.writeStringProperty("reason", reason);
      if (tokenId == null) {
        json.writeNullProperty("token_id");
      } else {
        json.writeNumberProperty("token_id", tokenId);
      }
      json.writeStringProperty("token_name", tokenName);
      json.writeStringProperty("entry", entry);
      json.writeEndObject();
    }

    byte[] bytes() {
      return written(this::write);
    }
  }

  /** Without a tree of nodes between: gateways ask often. */
  private static byte[] written(Consumer<JsonGenerator> writer) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(BYTES_TOLD);
    try (JsonGenerator json = JsonText.JSON.createGenerator(bytes)) {
      writer.accept(json);
    }
    return bytes.toByteArray();
  }

  /** With {@code explain} a no says what decided, to those who may ask about any token. */
  @PostMapping(CHECK)
  void check(HttpServletRequest request, HttpServletResponse response) throws IOException {
    JsonBody body = RequestBodies.of(request).parsed(request, MAX_CHECK_BYTES, MAX_CHECK_VALUES);
    Question question = question(body, "");
    boolean explain = body.optionalBoolean("explain", false);
    if (explain && !mayAskAboutOthers(RequestContexts.of(request).actor())) {
      throw Rejection.forbidden();
    }
    awaitPosition(body);
    Decisions decided = decisions(request, List.of(question));
    Told told = decided.told().get(0);
    if (explain && !told.allowed()) {
      // A no is not too old to be given, however long its reasons took.
      ObjectNode json = (ObjectNode) JsonText.JSON.readTree(told.bytes());
      json.set("explanation", explanation(request, question, decided, told));
      Answers.write(response, 200, json.toString());
      return;
    }
    answer(response, decided, told.bytes());
  }

  private ObjectNode explanation(
      HttpServletRequest request, Question question, Decisions decided, Told told) {
    SecretHash caller = (SecretHash) request.getAttribute(LedgerFilter.PRESENTED);
    SecretHash hash = question.hash() == null ? caller : question.hash();
    return explanations.of(
        request,
        question.type(),
        question.name(),
        question.action(),
        hash,
        hash == null ? null : decided.sighting().seen().get(hash),
        !told.reason().equals(NOT_GRANTED));
  }

  /** Up to a thousand questions, answered in their order from one look at the lookup. */
  @PostMapping(BATCH)
  void batch(HttpServletRequest request, HttpServletResponse response) throws IOException {
    JsonBody body = RequestBodies.of(request).parsed(request, MAX_BATCH_BYTES, MAX_BATCH_VALUES);
    List<JsonBody> asked = body.objects("checks");
    if (asked.isEmpty() || asked.size() > MAX_CHECKS) {
      throw Rejection.invalid(
          "checks must hold 1 to " + MAX_CHECKS + " of them, got " + asked.size());
    }
    List<Question> questions = new ArrayList<>(asked.size());
    for (JsonBody each : asked) {
      questions.add(question(each, "checks[" + questions.size() + "]: "));
    }
    awaitPosition(body);
    Decisions decided = decisions(request, questions);
    answer(
        response,
        decided,
        written(
            json -> {
              json.writeStartObject();
              json.writeArrayPropertyStart("decisions");
              decided.told().forEach(told -> told.write(json));
              json.writeEndArray();
              json.writeEndObject();
            }));
  }

  private static Question question(JsonBody body, String where) {
    try {
      ResourceType type = ResourceType.parse(body.string("resource_type"));
      return new Question(
          type,
          body.string("resource_name"),
          action(body.string("action"), where),
          askedHash(body, where));
    } catch (InvalidPermission e) {
      throw where.isEmpty() ? e : Rejection.invalid(where + e.getMessage());
    }
  }

  private static @Nullable SecretHash askedHash(JsonBody body, String where) {
    String token = body.optionalString("token");
    String hex = body.optionalString("token_hash");
    if (token != null && hex != null) {
      throw Rejection.invalid(where + "give token or token_hash, not both");
    }
    if (token != null) {
      return SecretHash.of(token);
    }
    if (hex == null) {
      return null;
    }
    try {
      return SecretHash.parseHex(hex.toLowerCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw Rejection.invalid(
          where + "token_hash must be 128 hexadecimal digits, the token's SHA-512");
    }
  }

  static Action action(String text) {
    return action(text, "");
  }

  private static Action action(String text, String where) {
    for (Action action : Action.values()) {
      if (action.wireName().equals(text)) {
        return action;
      }
    }
    throw Rejection.invalid(
        where + "action must be create, describe, read, write or delete, got " + text);
  }

  /**
   * What was decided.
   *
   * @param keptUntilMillis until when all of it may be believed; 0 with a no in it, which must not
   *     be kept: what was not granted a moment ago may be by now
   */
  private record Decisions(
      List<Told> told, long keptUntilMillis, Sighting<Map<SecretHash, FoundToken>> sighting) {}

  private Decisions decisions(HttpServletRequest request, List<Question> questions) {
    RequestContext context = RequestContexts.of(request);
    Set<SecretHash> hashes = new HashSet<>();
    for (Question question : questions) {
      if (question.hash() != null) {
        hashes.add(question.hash());
      }
    }
    if (!hashes.isEmpty() && !mayAskAboutOthers(context.actor())) {
      throw Rejection.forbidden();
    }
    // The caller too, again: its body may have come long after it was authenticated.
    SecretHash caller = (SecretHash) request.getAttribute(LedgerFilter.PRESENTED);
    if (caller != null) {
      hashes.add(caller);
    }
    Sighting<Map<SecretHash, FoundToken>> sighting = ledger.authorization().findAll(hashes);
    List<Told> decisions = new ArrayList<>(questions.size());
    long keptUntilMillis = Long.MAX_VALUE;
    for (Question question : questions) {
      SecretHash hash = question.hash() == null ? caller : question.hash();
      FoundToken token = hash == null ? null : sighting.seen().get(hash);
      Told decision =
          hash == null ? ofCaller(context, question) : ofOther(context, question, token);
      decisions.add(decision);
      long until = token == null ? 0 : token.secretExpiry().epochMillis();
      keptUntilMillis = Math.min(keptUntilMillis, decision.allowed() ? until : 0);
    }
    return new Decisions(decisions, keptUntilMillis, sighting);
  }

  private static void answer(HttpServletResponse response, Decisions decided, byte[] json)
      throws IOException {
    requireCurrent(decided.sighting());
    letBeKept(response, decided.keptUntilMillis());
    Answers.write(response, 200, Answers.JSON, json);
  }

  /**
   * Asked last, before a yes is written.
   *
   * @throws LedgerUnavailable when this process was held up since it looked
   */
  static void requireCurrent(Sighting<?> sighting) {
    if (!sighting.isCurrent()) {
      throw new LedgerUnavailable(
          "the decision is too old to be given", new IllegalStateException("held up"));
    }
  }

  /**
   * For how long a gateway may keep a yes, and so serve a token revoked since: no longer than this
   * node itself would, nor than the secret lives.
   *
   * @param untilMillis milliseconds since 1970 UTC; what is over is not to be kept at all
   */
  static void letBeKept(HttpServletResponse response, long untilMillis) {
    long leftSeconds = Math.max(0, untilMillis - System.currentTimeMillis()) / 1_000;
    if (untilMillis > 0) {
      response.setHeader(
          "Cache-Control",
          "private, max-age=" + Math.min(Authorization.BOUND.toSeconds(), leftSeconds));
    }
  }

  /** Waits until this node knows what was written at the position that was given, if one was. */
  private void awaitPosition(JsonBody body) {
    String text = body.optionalString("min_position");
    if (text == null) {
      return;
    }
    Position position =
        Position.parse(text)
            .orElseThrow(
                () ->
                    Rejection.invalid(
                        "min_position must be what X-Ledger-Position said, such as 1-7345"));
    if (!positions.tryAcquire()) {
      throw Rejection.busy("checks that wait for a position");
    }
    boolean known;
    try {
      known =
          ledger.authorization().applied(position, POSITION_LIMIT).join()
              // The database decides then, and knows all that was ever answered.
              || ledger.authorization().degraded() != null;
    } finally {
      positions.release();
    }
    if (!known) {
      throw new Rejection(
          503,
          JsonText.error("this node does not know position " + position + " yet, try again"),
          "position_unknown",
          true);
    }
  }

  private Told ofOther(RequestContext context, Question question, @Nullable FoundToken token) {
    if (token == null) {
      ledger.requests().decisionDenied(context, "unknown_token", null);
      return new Told(false, "unknown_token", null, null, null);
    }
    String id = "token:" + token.id();
    long now = System.currentTimeMillis();
    String dead = reasonNotLive(token, now);
    if (dead != null) {
      ledger.requests().decisionDenied(context, dead, id);
      return new Told(false, dead, token.id().value(), token.name().value(), null);
    }
    ledger.usage().used(token.id(), now);
    Decision decision =
        token.permissions().decide(question.type(), question.name(), question.action());
    if (!decision.allowed()) {
      ledger.requests().decisionDenied(context, NOT_GRANTED, id);
    }
    return Told.of(decision, token.id().value(), token.name().value());
  }

  /** Null for a live token. A replaced secret is told as a revoked one. */
  private static @Nullable String reasonNotLive(FoundToken token, long nowEpochMillis) {
    return switch (token.state(nowEpochMillis)) {
      case LIVE -> null;
      case EXPIRED -> "expired_token";
      case SUSPENDED -> "suspended_token";
      case QUARANTINED -> "quarantined_token";
      case REVOKED, SUPERSEDED -> "revoked_token";
    };
  }

  /** A token may always ask about itself: it learns nothing that trying would not tell. */
  private Told ofCaller(RequestContext context, Question question) {
    Actor actor = context.actor();
    Decision decision =
        actor.permissions().decide(question.type(), question.name(), question.action());
    String id = actor.tokenId() == null ? null : "token:" + actor.tokenId();
    if (!decision.allowed()) {
      ledger.requests().decisionDenied(context, NOT_GRANTED, id);
    }
    return Told.of(
        decision,
        actor.tokenId() == null ? null : actor.tokenId().value(),
        actor.tokenName() == null ? null : actor.tokenName().value());
  }

  static boolean mayAskAboutOthers(Actor actor) {
    return actor.type() == Actor.Type.SYSTEM || mayAskAboutOthers(actor.permissions());
  }

  static boolean mayAskAboutOthers(Permissions permissions) {
    return permissions.allow(ResourceType.LEDGER, "check", Action.READ);
  }

  /**
   * Token introspection, RFC 7662: whether a token is live, and what it may do as {@code scope}. A
   * token that is not live is {@code {"active":false}}, whatever the reason (2.2).
   */
  @PostMapping(INTROSPECT)
  void introspect(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = RequestContexts.of(request);
    String presented = introspected(request);
    SecretHash hash = SecretHash.of(presented);
    Sighting<Optional<FoundToken>> sighting = ledger.authorization().find(hash);
    FoundToken token = sighting.seen().orElse(null);
    boolean itself = token != null && token.id().equals(context.actor().tokenId());
    if (!itself && !mayAskAboutOthers(context.actor())) {
      throw Rejection.forbidden();
    }
    ObjectNode json = JsonText.object();
    String dead =
        token == null ? "unknown_token" : reasonNotLive(token, System.currentTimeMillis());
    if (token == null || dead != null) {
      ledger
          .requests()
          .decisionDenied(
              context, String.valueOf(dead), token == null ? null : "token:" + token.id());
      Answers.write(response, 200, INACTIVE);
      return;
    }
    json.put("active", true);
    json.put("scope", String.join(" ", token.permissions().texts()));
    json.put("username", token.name().value());
    json.put("token_type", "Bearer");
    if (!token.secretExpiry().isNever()) {
      // Down to the second: a caller must not believe in it longer than it lives.
      json.put("exp", token.secretExpiry().epochMillis() / 1_000);
    }
    json.put("iat", token.createdAt().getEpochSecond());
    json.put("sub", "token:" + token.id());
    requireCurrent(sighting);
    letBeKept(response, token.secretExpiry().epochMillis());
    Answers.write(response, 200, json.toString());
  }

  /** The one parameter that is needed; {@code token_type_hint} and others are ignored (2.1). */
  private static String introspected(HttpServletRequest request) throws IOException {
    String type = request.getContentType();
    if (type == null
        || !type.toLowerCase(Locale.ROOT).startsWith("application/x-www-form-urlencoded")) {
      throw new Rejection(
          415,
          JsonText.error("unacceptable content-type, expected: application/x-www-form-urlencoded"),
          "content_type",
          false);
    }
    byte[] body = request.getInputStream().readNBytes(MAX_FORM_BYTES + 1);
    RequestBodies.of(request).requireStillPermitted(request);
    if (body.length > MAX_FORM_BYTES) {
      throw new Rejection(
          413, "max request size (" + MAX_FORM_BYTES + " bytes) exceeded", "too_large", false);
    }
    String token = null;
    for (String pair : new String(body, StandardCharsets.ISO_8859_1).split("&")) {
      if (!pair.startsWith("token=")) {
        continue;
      }
      if (token != null) {
        throw Rejection.invalid("token must be given once");
      }
      try {
        token = HeaderText.percentDecoded(pair.substring("token=".length()).replace('+', ' '));
      } catch (IllegalArgumentException e) {
        throw Rejection.invalid("token must be form-encoded UTF-8");
      }
    }
    if (token == null || token.isEmpty()) {
      throw Rejection.invalid("token must be given, as application/x-www-form-urlencoded");
    }
    return token;
  }
}

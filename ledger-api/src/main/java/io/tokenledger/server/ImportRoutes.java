package io.tokenledger.server;

import io.tokenledger.audit.EventType;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.Proposal;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.permission.InvalidPermission;
import io.tokenledger.permission.Permissions;
import io.tokenledger.token.Actor;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenCommand.CreateNamedAdmin;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenCommand.DescribeToken;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenRefused;
import io.tokenledger.token.TokenSummary;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Takes over the tokens of an InfluxDB 3 installation from the rows of its {@code system.tokens}
 * ({@code influxdb3-token-surface} 3.2), so that their holders notice nothing. A hash is enough: no
 * secret leaves its holder. Only rows with a whole hash can be taken, which InfluxDB showed until
 * the middle of 2025 and keeps in its catalog. A description comes along; created_at does not: it
 * is when the ledger came to know the token, and its events say so.
 */
@RestController
class ImportRoutes {

  static final String IMPORT = LifecycleRoutes.TOKENS + "/import";

  private static final int MAX_TOKENS = 10_000;
  private static final String SHORTENED =
      "the hash is shortened: take the row from a version or place that shows all 128 digits";

  private final Ledger ledger;

  ImportRoutes(Ledger ledger) {
    this.ledger = ledger;
  }

  @PostMapping(IMPORT)
  void importTokens(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = RequestContexts.of(request);
    // Admin tokens may be among them.
    if (!context.actor().permissions().isAdmin()) {
      throw Rejection.forbidden(EventType.RESOURCE_TOKEN_CREATED, null);
    }
    List<JsonBody> rows = TokenRoutes.jsonBody(request).objects("tokens");
    if (rows.size() > MAX_TOKENS) {
      throw Rejection.invalid("tokens must not hold more than " + MAX_TOKENS + " rows");
    }
    int created = 0;
    ArrayNode results = JsonText.JSON.createArrayNode();
    for (JsonBody row : rows) {
      ObjectNode result = results.addObject();
      String name = row.text("name");
      result.put("name", name);
      String outcome = take(row, request, response);
      result.put("outcome", outcome);
      if (outcome.equals("created")) {
        created++;
      }
    }
    ObjectNode json = JsonText.object();
    json.put("created", created);
    json.set("tokens", results);
    Answers.write(response, 200, json.toString());
  }

  /** What became of a row: {@code created}, {@code unchanged}, or why it was left. */
  private String take(JsonBody row, HttpServletRequest request, HttpServletResponse response) {
    RequestContext context = RequestContexts.of(request);
    try {
      TokenName name = new TokenName(row.string("name"));
      if (name.equals(TokenName.OPERATOR)) {
        return "left: the ledger has an operator token of its own";
      }
      String hex = row.string("hash");
      if (hex.length() < 128) {
        return "left: " + SHORTENED;
      }
      SecretHash hash = SecretHash.parseHex(hex);
      Permissions permissions = permissions(row.string("permissions"));
      Expiry expiry = expiry(row.optionalString("expiry"));
      Optional<FoundToken> known = ledger.lookup().find(hash);
      if (known.isPresent()) {
        FoundToken token = known.get();
        return token.name().equals(name) && token.revokedAt() == null
            ? "unchanged"
            : "left: the secret was registered before, as token " + token.id();
      }
      String description = row.optionalString("description");
      TokenSummary token =
          TokenRoutes.execute(
                  ledger, proposal(name, hash, permissions, expiry, context), request, response)
              .token();
      if (description != null && !description.isEmpty()) {
        describe(token, description, request, response);
      }
      return "created";
    } catch (Rejection e) {
      return "left: " + e.body();
    } catch (TokenRefused | InvalidPermission | IllegalArgumentException e) {
      return "left: " + e.getMessage();
    } catch (DateTimeException e) {
      return "left: expiry is not a time such as 2026-11-24T12:00:00.000";
    }
  }

  private void describe(
      TokenSummary token,
      String description,
      HttpServletRequest request,
      HttpServletResponse response) {
    TokenRoutes.execute(
        ledger,
        Proposal.of(
            new DescribeToken(
                token.name(),
                token.id(),
                description,
                TokenRoutes.now(),
                RequestContexts.of(request).actor())),
        request,
        response);
  }

  private static Proposal proposal(
      TokenName name,
      SecretHash hash,
      Permissions permissions,
      Expiry expiry,
      RequestContext context) {
    Actor actor = context.actor();
    Instant now = TokenRoutes.now();
    return Proposal.withNewId(
        name,
        id ->
            permissions.isAdmin()
                ? new CreateNamedAdmin(name, id, hash, now, expiry, actor)
                : new CreateResourceToken(name, id, hash, permissions, now, expiry, actor));
  }

  /** Enterprise shows a JSON array in a string, Core the bare {@code *:*:*}. */
  private static Permissions permissions(String text) {
    return Permissions.parse(
        text.startsWith("[")
            ? JsonBody.parse(
                    ("{\"p\":" + text + "}").getBytes(java.nio.charset.StandardCharsets.UTF_8))
                .strings("p")
            : List.of(text));
  }

  private static Expiry expiry(@Nullable String text) {
    if (text == null) {
      return Expiry.NEVER;
    }
    Instant instant =
        text.endsWith("Z")
            ? Instant.parse(text)
            : LocalDateTime.parse(text).toInstant(ZoneOffset.UTC);
    return new Expiry(instant.toEpochMilli());
  }
}

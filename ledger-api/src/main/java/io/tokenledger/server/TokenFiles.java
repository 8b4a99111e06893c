package io.tokenledger.server;

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
import io.tokenledger.token.TokenCommand.CreateOperatorToken;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenRefused;
import io.tokenledger.token.TokenSecret;
import io.tokenledger.tokens.TokenEntry;
import io.tokenledger.tokens.TokenQuery;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Provisions the tokens of InfluxDB's offline files at the start ({@code influxdb3-token-surface}
 * 2.6). What is there already is left alone, so that every start may name the same file; where the
 * file says something else than the ledger, that is reported in log and audit and changes nothing.
 */
final class TokenFiles {

  private static final Logger LOG = LoggerFactory.getLogger(TokenFiles.class);

  private static final String ACTION = "token.provision";
  private static final int CONFLICT = 409;

  private final Ledger ledger;

  TokenFiles(Ledger ledger) {
    this.ledger = ledger;
  }

  /** What a file says of one token. */
  private record Entry(
      TokenName name, SecretHash hash, Permissions permissions, Expiry expiry, String flag) {}

  /**
   * Creates the admin token of that file.
   *
   * @throws IllegalStateException with one sentence when the file is not right
   */
  void provisionAdmin(Path file) {
    String flag = "--admin-token-file";
    try {
      JsonBody json = read(flag, file);
      Entry entry = entry(json, Permissions.admin(), flag);
      Instant now = TokenRoutes.now();
      boolean operator = entry.name().equals(TokenName.OPERATOR);
      if (operator && !entry.expiry().isNever()) {
        throw new IllegalStateException(
            flag + " " + file + ": _admin never expires, leave expiry_millis out");
      }
      provision(
          entry,
          operator
              ? Proposal.of(new CreateOperatorToken(entry.hash(), now, Actor.SYSTEM))
              : Proposal.withNewId(
                  entry.name(),
                  id ->
                      new CreateNamedAdmin(
                          entry.name(), id, entry.hash(), now, entry.expiry(), Actor.SYSTEM)));
    } catch (Rejection e) {
      throw new IllegalStateException(flag + " " + file + ": " + e.body(), e);
    } catch (TokenRefused e) {
      throw new IllegalStateException(flag + " " + file + ": " + e.getMessage(), e);
    }
  }

  /**
   * Creates the resource tokens of that file.
   *
   * @throws IllegalStateException with one sentence when the file is not right; nothing of it is
   *     created then
   */
  void provisionPermissionTokens(Path file) {
    String flag = "--permission-tokens-file";
    try {
      List<Entry> entries = new ArrayList<>();
      for (JsonBody token : read(flag, file).objects("tokens")) {
        entries.add(entry(token, Permissions.parse(token.strings("permissions")), flag));
      }
      for (Entry entry : entries) {
        provision(
            entry,
            Proposal.withNewId(
                entry.name(),
                id ->
                    new CreateResourceToken(
                        entry.name(),
                        id,
                        entry.hash(),
                        entry.permissions(),
                        TokenRoutes.now(),
                        entry.expiry(),
                        Actor.SYSTEM)));
      }
      reportRemoved(flag, entries);
    } catch (Rejection e) {
      throw new IllegalStateException(flag + " " + file + ": " + e.body(), e);
    } catch (TokenRefused | InvalidPermission e) {
      throw new IllegalStateException(flag + " " + file + ": " + e.getMessage(), e);
    }
  }

  /**
   * Reports tokens of such a file that it names no more: who took one out may believe that it no
   * longer works. Only files make resource tokens for the system itself.
   */
  private void reportRemoved(String flag, List<Entry> entries) {
    Set<String> named = new HashSet<>();
    for (Entry entry : entries) {
      named.add(entry.name().value());
      named.add(entry.hash().hex());
    }
    TokenQuery next =
        new TokenFilter(Map.of("kind", "resource", "created_by", "system", "limit", "1000")::get)
            .query(Instant.now());
    ledger.tokens().awaitCaughtUp();
    while (true) {
      List<TokenEntry> page = ledger.tokens().search(next);
      for (TokenEntry token : page) {
        boolean known = named.contains(token.name().value()) || named.contains(token.hash());
        if (token.revokedAt() == null && !known) {
          LOG.warn(
              "token {} is no longer in {}, but stays valid until it is revoked",
              token.name(),
              flag);
          ledger
              .requests()
              .commandRejected(
                  RequestContext.ofNode(
                      "file", "no longer in " + flag, UUID.randomUUID().toString()),
                  ACTION,
                  "not_in_file",
                  CONFLICT,
                  token.name().value());
        }
      }
      if (page.size() < TokenQuery.MAX_LIMIT) {
        return;
      }
      next = next.after(page.get(page.size() - 1).id(), TokenQuery.MAX_LIMIT);
    }
  }

  private static Entry entry(JsonBody json, Permissions permissions, String flag) {
    BigInteger millis = json.optionalInteger("expiry_millis");
    return new Entry(
        new TokenName(json.string("name")),
        TokenSecret.provided(json.string("token")).hash(),
        permissions,
        millis == null
            ? Expiry.NEVER
            : new Expiry(millis.bitLength() < Long.SIZE ? millis.longValue() : -1),
        flag);
  }

  private void provision(Entry entry, Proposal proposal) {
    RequestContext context =
        RequestContext.ofNode(
            "file", "provisioned by " + entry.flag(), UUID.randomUUID().toString());
    Optional<FoundToken> known = ledger.lookup().find(entry.hash());
    if (known.isPresent()) {
      String difference = difference(entry, known.get());
      if (difference == null) {
        LOG.info("token {} of {} exists already", entry.name(), entry.flag());
      } else {
        report(entry, context, difference);
      }
      return;
    }
    try {
      TokenRoutes.execute(ledger, proposal, context);
      LOG.info("created token {} of {}", entry.name(), entry.flag());
    } catch (Rejection e) {
      if (e.status() != CONFLICT) {
        throw e;
      }
      LOG.warn(
          "token {} of {} was not created: {}: it has another secret, or another node was faster",
          entry.name(),
          entry.flag(),
          e.body());
    }
  }

  /** What the file says otherwise than the ledger; null for nothing. */
  private static @Nullable String difference(Entry entry, FoundToken token) {
    if (!token.name().equals(entry.name())) {
      return "name_changed";
    }
    if (token.revokedAt() != null) {
      return "was_revoked";
    }
    if (token.supersededAt() != null) {
      return "secret_was_replaced";
    }
    if (!token.permissions().equals(entry.permissions())) {
      return "permissions_differ";
    }
    return token.expiry().equals(entry.expiry()) ? null : "expiry_differs";
  }

  private void report(Entry entry, RequestContext context, String difference) {
    LOG.warn(
        "token {} of {} is otherwise in the ledger, which stays as it is: {}",
        entry.name(),
        entry.flag(),
        difference);
    ledger.requests().commandRejected(context, ACTION, difference, CONFLICT, entry.name().value());
  }

  private static JsonBody read(String flag, Path file) {
    try {
      Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(file);
      if (permissions.contains(PosixFilePermission.GROUP_READ)
          || permissions.contains(PosixFilePermission.OTHERS_READ)) {
        LOG.warn("{} {} can be read by others: chmod 600 it", flag, file);
      }
      return JsonBody.parse(Files.readAllBytes(file));
    } catch (IOException e) {
      throw new IllegalStateException(flag + " " + file + " cannot be read", e);
    }
  }
}

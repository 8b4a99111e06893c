package io.tokenledger.server;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.Proposal;
import io.tokenledger.permission.InvalidPermission;
import io.tokenledger.permission.Permissions;
import io.tokenledger.token.Actor;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.TokenCommand.CreateNamedAdmin;
import io.tokenledger.token.TokenCommand.CreateOperatorToken;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenRefused;
import io.tokenledger.token.TokenSecret;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Instant;
import java.util.Set;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Provisions the tokens of InfluxDB's offline files at the start ({@code influxdb3-token-surface}
 * 2.6). A token whose name exists is skipped, so that every start may name the same file.
 */
final class TokenFiles {

  private static final Logger LOG = LoggerFactory.getLogger(TokenFiles.class);

  private static final int CONFLICT = 409;

  private final Ledger ledger;

  TokenFiles(Ledger ledger) {
    this.ledger = ledger;
  }

  /**
   * Creates the admin token of that file.
   *
   * @throws IllegalStateException with one sentence when the file is not right
   */
  void provisionAdmin(Path file) {
    JsonBody json = read("--admin-token-file", file);
    try {
      TokenSecret secret = TokenSecret.provided(json.string("token"));
      TokenName name = new TokenName(json.string("name"));
      Instant now = TokenRoutes.now();
      Expiry expiry = expiry(json);
      boolean operator = name.equals(TokenName.OPERATOR);
      if (operator && !expiry.isNever()) {
        throw new IllegalStateException(
            "--admin-token-file " + file + ": _admin never expires, leave expiry_millis out");
      }
      create(
          operator
              ? Proposal.of(new CreateOperatorToken(secret.hash(), now, Actor.SYSTEM))
              : Proposal.withNewId(
                  name,
                  id -> new CreateNamedAdmin(name, id, secret.hash(), now, expiry, Actor.SYSTEM)),
          "--admin-token-file");
    } catch (Rejection e) {
      throw new IllegalStateException("--admin-token-file " + file + ": " + e.body(), e);
    } catch (TokenRefused e) {
      throw new IllegalStateException("--admin-token-file " + file + ": " + e.getMessage(), e);
    }
  }

  /**
   * Creates the resource tokens of that file.
   *
   * @throws IllegalStateException with one sentence when the file is not right; what stands before
   *     the mistake is created
   */
  void provisionPermissionTokens(Path file) {
    try {
      for (JsonBody token : read("--permission-tokens-file", file).objects("tokens")) {
        TokenSecret secret = TokenSecret.provided(token.string("token"));
        TokenName name = new TokenName(token.string("name"));
        Permissions permissions = Permissions.parse(token.strings("permissions"));
        Expiry expiry = expiry(token);
        create(
            Proposal.withNewId(
                name,
                id ->
                    new CreateResourceToken(
                        name,
                        id,
                        secret.hash(),
                        permissions,
                        TokenRoutes.now(),
                        expiry,
                        Actor.SYSTEM)),
            "--permission-tokens-file");
      }
    } catch (Rejection e) {
      throw new IllegalStateException("--permission-tokens-file " + file + ": " + e.body(), e);
    } catch (TokenRefused | InvalidPermission e) {
      throw new IllegalStateException(
          "--permission-tokens-file " + file + ": " + e.getMessage(), e);
    }
  }

  private void create(Proposal proposal, String flag) {
    RequestContext context =
        RequestContext.ofNode("file", "provisioned by " + flag, UUID.randomUUID().toString());
    try {
      TokenRoutes.execute(ledger, proposal, context);
      LOG.info("created token {} of {}", proposal.name(), flag);
    } catch (Rejection e) {
      if (e.status() != CONFLICT) {
        throw e;
      }
      LOG.info("token {} of {} exists already", proposal.name(), flag);
    }
  }

  private static Expiry expiry(JsonBody json) {
    BigInteger millis = json.optionalInteger("expiry_millis");
    return millis == null
        ? Expiry.NEVER
        : new Expiry(millis.bitLength() < Long.SIZE ? millis.longValue() : -1);
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

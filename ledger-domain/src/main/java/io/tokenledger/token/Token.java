package io.tokenledger.token;

import static java.util.Objects.requireNonNull;
import static org.axonframework.modelling.command.AggregateLifecycle.apply;

import io.tokenledger.permission.ResourceType;
import io.tokenledger.token.TokenCommand.CreateNamedAdmin;
import io.tokenledger.token.TokenCommand.CreateOperatorToken;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenCommand.RegenerateOperatorToken;
import io.tokenledger.token.TokenCommand.RevokeToken;
import io.tokenledger.token.TokenEvent.NamedAdminCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenRegenerated;
import io.tokenledger.token.TokenEvent.ResourceTokenCreated;
import io.tokenledger.token.TokenEvent.TokenRevoked;
import java.time.Instant;
import org.axonframework.commandhandling.CommandHandler;
import org.axonframework.eventsourcing.EventSourcingHandler;
import org.axonframework.modelling.command.AggregateCreationPolicy;
import org.axonframework.modelling.command.AggregateIdentifier;
import org.axonframework.modelling.command.AggregateRoot;
import org.axonframework.modelling.command.CreationPolicy;
import org.jspecify.annotations.Nullable;

/**
 * All tokens that ever bore one name, one after the other. The stream is the name's, so the event
 * store's unique (stream, sequence) makes names unique across nodes without a lock.
 *
 * <p>Every handler creates the stream when it is missing, so that a command for a name nobody ever
 * used gets this aggregate's refusal and not the framework's.
 */
@AggregateRoot(type = "Token")
public class Token {

  private static final String STREAM_PREFIX = "token:";

  @AggregateIdentifier private @Nullable String stream;
  private @Nullable TokenKind kind;
  private @Nullable TokenId id;
  private @Nullable SecretHash hash;
  private @Nullable Instant createdAt;
  private Expiry expiry = Expiry.NEVER;
  private boolean taken;

  /** For Axon, which makes an empty aggregate and replays the stream into it. */
  public Token() {}

  /** The identifier of a name's stream. */
  public static String aggregateId(TokenName name) {
    return STREAM_PREFIX + name.value();
  }

  @CommandHandler
  @CreationPolicy(AggregateCreationPolicy.CREATE_IF_MISSING)
  TokenSummary handle(CreateOperatorToken command) {
    // A token holder has no use for it: the operator exists, or an admin does.
    require(command.actor().type() != Actor.Type.TOKEN, command, Refusal.NOT_PERMITTED);
    require(!taken, command, Refusal.NAME_TAKEN);
    apply(
        new OperatorTokenCreated(
            command.name(), TokenId.OPERATOR, command.hash(), command.createdAt()));
    return summary();
  }

  @CommandHandler
  @CreationPolicy(AggregateCreationPolicy.CREATE_IF_MISSING)
  TokenSummary handle(RegenerateOperatorToken command) {
    require(command.actor().isOperator(), command, Refusal.NOT_PERMITTED);
    require(taken, command, Refusal.OPERATOR_MISSING);
    require(!command.hash().equals(hash), command, Refusal.SECRET_TAKEN);
    apply(
        new OperatorTokenRegenerated(
            command.name(), requireNonNull(id), command.hash(), command.regeneratedAt()));
    return summary();
  }

  @CommandHandler
  @CreationPolicy(AggregateCreationPolicy.CREATE_IF_MISSING)
  TokenSummary handle(CreateNamedAdmin command) {
    require(command.actor().isAdmin(), command, Refusal.NOT_PERMITTED);
    requireCreatable(command, command.hash(), command.createdAt(), command.expiry());
    apply(
        new NamedAdminCreated(
            command.name(), command.id(), command.hash(), command.createdAt(), command.expiry()));
    return summary();
  }

  @CommandHandler
  @CreationPolicy(AggregateCreationPolicy.CREATE_IF_MISSING)
  TokenSummary handle(CreateResourceToken command) {
    require(command.actor().mayManageTokens(), command, Refusal.NOT_PERMITTED);
    // Else a token manager could make itself an auditor, or another manager out of sight.
    require(
        command.actor().isAdmin() || !command.permissions().mention(ResourceType.LEDGER),
        command,
        Refusal.NOT_PERMITTED);
    require(!command.permissions().isAdmin(), command, Refusal.NOT_PERMITTED);
    requireCreatable(command, command.hash(), command.createdAt(), command.expiry());
    apply(
        new ResourceTokenCreated(
            command.name(),
            command.id(),
            command.hash(),
            command.permissions(),
            command.createdAt(),
            command.expiry()));
    return summary();
  }

  @CommandHandler
  @CreationPolicy(AggregateCreationPolicy.CREATE_IF_MISSING)
  TokenSummary handle(RevokeToken command) {
    require(command.actor().mayManageTokens(), command, Refusal.NOT_PERMITTED);
    require(!command.name().isOperator(), command, Refusal.OPERATOR_NOT_DELETABLE);
    require(taken, command, Refusal.NOT_FOUND);
    require(
        command.actor().isAdmin() || kind == TokenKind.RESOURCE, command, Refusal.NOT_PERMITTED);
    TokenSummary revoked = summary();
    apply(new TokenRevoked(command.name(), requireNonNull(id), command.revokedAt()));
    return revoked;
  }

  @EventSourcingHandler
  void on(OperatorTokenCreated event) {
    created(event, TokenKind.OPERATOR, event.hash(), event.createdAt(), Expiry.NEVER);
  }

  @EventSourcingHandler
  void on(OperatorTokenRegenerated event) {
    hash = event.hash();
  }

  @EventSourcingHandler
  void on(NamedAdminCreated event) {
    created(event, TokenKind.ADMIN, event.hash(), event.createdAt(), event.expiry());
  }

  @EventSourcingHandler
  void on(ResourceTokenCreated event) {
    created(event, TokenKind.RESOURCE, event.hash(), event.createdAt(), event.expiry());
  }

  @EventSourcingHandler
  void on(TokenRevoked event) {
    taken = false;
  }

  private void created(
      TokenEvent event, TokenKind kind, SecretHash hash, Instant createdAt, Expiry expiry) {
    this.stream = aggregateId(event.name());
    this.kind = kind;
    this.id = event.id();
    this.hash = hash;
    this.createdAt = createdAt;
    this.expiry = expiry;
    this.taken = true;
  }

  private void requireCreatable(
      TokenCommand command, SecretHash newHash, Instant createdAt, Expiry expiry) {
    require(
        expiry.isLive(createdAt.toEpochMilli()),
        "it must lie after the creation",
        Refusal.INVALID_EXPIRY);
    require(!command.name().isOperator(), command, Refusal.RESERVED_NAME);
    require(!taken, command, Refusal.NAME_TAKEN);
    require(!newHash.equals(hash), command, Refusal.SECRET_TAKEN);
  }

  private static void require(boolean rule, TokenCommand command, Refusal refusal) {
    require(rule, command.name().value(), refusal);
  }

  private static void require(boolean rule, String detail, Refusal refusal) {
    if (!rule) {
      throw new TokenRefused(refusal, detail);
    }
  }

  private TokenSummary summary() {
    return new TokenSummary(
        requireNonNull(id),
        new TokenName(requireNonNull(stream).substring(STREAM_PREFIX.length())),
        requireNonNull(createdAt),
        expiry);
  }
}

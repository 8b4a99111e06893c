package io.tokenledger.token;

import static java.util.Objects.requireNonNull;
import static org.axonframework.modelling.command.AggregateLifecycle.apply;

import io.tokenledger.permission.Permissions;
import io.tokenledger.permission.ResourceType;
import io.tokenledger.token.TokenCommand.AnnounceExpiry;
import io.tokenledger.token.TokenCommand.ChangeExpiry;
import io.tokenledger.token.TokenCommand.ChangePermissions;
import io.tokenledger.token.TokenCommand.CreateNamedAdmin;
import io.tokenledger.token.TokenCommand.CreateOperatorToken;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenCommand.DescribeToken;
import io.tokenledger.token.TokenCommand.RecordExpiry;
import io.tokenledger.token.TokenCommand.RegenerateOperatorToken;
import io.tokenledger.token.TokenCommand.ResumeToken;
import io.tokenledger.token.TokenCommand.RevokeToken;
import io.tokenledger.token.TokenCommand.RotateToken;
import io.tokenledger.token.TokenCommand.SuspendToken;
import io.tokenledger.token.TokenEvent.NamedAdminCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenCreated;
import io.tokenledger.token.TokenEvent.OperatorTokenRegenerated;
import io.tokenledger.token.TokenEvent.ResourceTokenCreated;
import io.tokenledger.token.TokenEvent.TokenDescribed;
import io.tokenledger.token.TokenEvent.TokenExpired;
import io.tokenledger.token.TokenEvent.TokenExpiryAnnounced;
import io.tokenledger.token.TokenEvent.TokenExpiryChanged;
import io.tokenledger.token.TokenEvent.TokenPermissionsChanged;
import io.tokenledger.token.TokenEvent.TokenResumed;
import io.tokenledger.token.TokenEvent.TokenRevoked;
import io.tokenledger.token.TokenEvent.TokenRotated;
import io.tokenledger.token.TokenEvent.TokenSuspended;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
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

  /** The days before an expiry at which notice is given, the earliest first. */
  public static final List<Integer> NOTICE_DAYS = List.of(30, 14, 7, 1);

  /** What the identifier of each name's stream begins with. */
  public static final String STREAM_PREFIX = "token:";

  private static final Duration MAX_GRACE = Duration.ofDays(90);
  private static final int MAX_DESCRIPTION_BYTES = 1_024;

  @AggregateIdentifier private @Nullable String stream;
  private @Nullable TokenKind kind;
  private @Nullable TokenId id;
  private @Nullable SecretHash hash;
  private @Nullable Instant createdAt;
  private Expiry expiry = Expiry.NEVER;
  private Permissions permissions = Permissions.none();
  private boolean taken;
  private boolean suspended;
  private boolean expiryRecorded;
  private int announcedDays = Integer.MAX_VALUE;

  /** For Axon, which makes an empty aggregate and replays the stream into it. */
  public Token() {}

  /** A token as it was when {@link #snapshot} was called. */
  public static Token of(TokenSnapshot snapshot) {
    Token token = new Token();
    token.stream = aggregateId(snapshot.name());
    token.kind = snapshot.kind();
    token.id = snapshot.id();
    token.hash = snapshot.hash();
    token.createdAt = snapshot.createdAt();
    token.expiry = snapshot.expiry();
    token.permissions = snapshot.permissions();
    token.taken = snapshot.taken();
    token.suspended = snapshot.suspended();
    token.expiryRecorded = snapshot.expiryRecorded();
    token.announcedDays = snapshot.announcedDays();
    return token;
  }

  /** All that this remembers of its events. There must be one. */
  public TokenSnapshot snapshot() {
    return new TokenSnapshot(
        summary().name(),
        requireNonNull(kind),
        requireNonNull(id),
        requireNonNull(hash),
        requireNonNull(createdAt),
        expiry,
        permissions,
        taken,
        suspended,
        expiryRecorded,
        announcedDays);
  }

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
    requireGrantable(command, command.permissions());
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
    requireMeant(command, command.id() == null ? id : command.id());
    TokenSummary revoked = summary();
    apply(new TokenRevoked(command.name(), requireNonNull(id), command.revokedAt()));
    return revoked;
  }

  @CommandHandler
  @CreationPolicy(AggregateCreationPolicy.CREATE_IF_MISSING)
  TokenSummary handle(RotateToken command) {
    require(command.actor().mayManageTokens(), command, Refusal.NOT_PERMITTED);
    require(
        !command.grace().isNegative() && command.grace().compareTo(MAX_GRACE) <= 0,
        "it must be 0 to 90 days",
        Refusal.INVALID_GRACE);
    requireChangeable(command, command.id());
    require(expiry.isLive(command.rotatedAt().toEpochMilli()), command, Refusal.EXPIRED);
    require(!command.hash().equals(hash), command, Refusal.SECRET_TAKEN);
    Instant graceEnd = command.rotatedAt().plus(command.grace());
    if (!expiry.isNever() && expiry.instant().isBefore(graceEnd)) {
      graceEnd = expiry.instant();
    }
    apply(
        new TokenRotated(
            command.name(), command.id(), command.hash(), command.rotatedAt(), graceEnd));
    return summary();
  }

  @CommandHandler
  @CreationPolicy(AggregateCreationPolicy.CREATE_IF_MISSING)
  TokenSummary handle(SuspendToken command) {
    require(command.actor().mayManageTokens(), command, Refusal.NOT_PERMITTED);
    requireChangeable(command, command.id());
    require(!suspended, command, Refusal.UNCHANGED);
    apply(new TokenSuspended(command.name(), command.id(), command.suspendedAt()));
    return summary();
  }

  @CommandHandler
  @CreationPolicy(AggregateCreationPolicy.CREATE_IF_MISSING)
  TokenSummary handle(ResumeToken command) {
    require(command.actor().mayManageTokens(), command, Refusal.NOT_PERMITTED);
    requireChangeable(command, command.id());
    require(suspended, command, Refusal.UNCHANGED);
    apply(new TokenResumed(command.name(), command.id(), command.resumedAt()));
    return summary();
  }

  @CommandHandler
  @CreationPolicy(AggregateCreationPolicy.CREATE_IF_MISSING)
  TokenSummary handle(DescribeToken command) {
    require(command.actor().mayManageTokens(), command, Refusal.NOT_PERMITTED);
    requireDescription(command.description());
    requireMeant(command, command.id());
    apply(
        new TokenDescribed(
            command.name(), command.id(), command.description(), command.describedAt()));
    return summary();
  }

  @CommandHandler
  @CreationPolicy(AggregateCreationPolicy.CREATE_IF_MISSING)
  TokenSummary handle(ChangeExpiry command) {
    require(command.actor().mayManageTokens(), command, Refusal.NOT_PERMITTED);
    requireFuture(command.expiry(), command.changedAt());
    requireChangeable(command, command.id());
    require(!command.expiry().equals(expiry), command, Refusal.UNCHANGED);
    apply(
        new TokenExpiryChanged(
            command.name(), command.id(), expiry, command.expiry(), command.changedAt()));
    return summary();
  }

  @CommandHandler
  @CreationPolicy(AggregateCreationPolicy.CREATE_IF_MISSING)
  TokenSummary handle(ChangePermissions command) {
    require(command.actor().mayManageTokens(), command, Refusal.NOT_PERMITTED);
    requireGrantable(command, command.permissions());
    requireChangeable(command, command.id());
    require(kind == TokenKind.RESOURCE, command, Refusal.PERMISSIONS_FIXED);
    require(!command.permissions().equals(permissions), command, Refusal.UNCHANGED);
    apply(
        new TokenPermissionsChanged(
            command.name(), command.id(), permissions, command.permissions(), command.changedAt()));
    return summary();
  }

  @CommandHandler
  @CreationPolicy(AggregateCreationPolicy.CREATE_IF_MISSING)
  TokenSummary handle(RecordExpiry command) {
    require(command.actor().type() == Actor.Type.SYSTEM, command, Refusal.NOT_PERMITTED);
    requireMeant(command, command.id());
    require(
        !expiryRecorded && !expiry.isLive(command.recordedAt().toEpochMilli()),
        command,
        Refusal.UNCHANGED);
    apply(new TokenExpired(command.name(), command.id(), expiry, command.recordedAt()));
    return summary();
  }

  @CommandHandler
  @CreationPolicy(AggregateCreationPolicy.CREATE_IF_MISSING)
  TokenSummary handle(AnnounceExpiry command) {
    require(command.actor().type() == Actor.Type.SYSTEM, command, Refusal.NOT_PERMITTED);
    requireMeant(command, command.id());
    Instant now = command.announcedAt();
    boolean due =
        !expiry.isNever()
            && expiry.isLive(now.toEpochMilli())
            && !expiry.isLive(now.plus(Duration.ofDays(command.daysAhead())).toEpochMilli());
    require(
        NOTICE_DAYS.contains(command.daysAhead()) && command.daysAhead() < announcedDays && due,
        command,
        Refusal.UNCHANGED);
    apply(new TokenExpiryAnnounced(command.name(), command.id(), expiry, command.daysAhead(), now));
    return summary();
  }

  @EventSourcingHandler
  void on(OperatorTokenCreated event) {
    created(
        event,
        TokenKind.OPERATOR,
        event.hash(),
        Permissions.admin(),
        event.createdAt(),
        Expiry.NEVER);
  }

  @EventSourcingHandler
  void on(OperatorTokenRegenerated event) {
    hash = event.hash();
  }

  @EventSourcingHandler
  void on(NamedAdminCreated event) {
    created(
        event,
        TokenKind.ADMIN,
        event.hash(),
        Permissions.admin(),
        event.createdAt(),
        event.expiry());
  }

  @EventSourcingHandler
  void on(ResourceTokenCreated event) {
    created(
        event,
        TokenKind.RESOURCE,
        event.hash(),
        event.permissions(),
        event.createdAt(),
        event.expiry());
  }

  @EventSourcingHandler
  void on(TokenRevoked event) {
    taken = false;
  }

  @EventSourcingHandler
  void on(TokenRotated event) {
    hash = event.hash();
  }

  @EventSourcingHandler
  void on(TokenSuspended event) {
    suspended = true;
  }

  @EventSourcingHandler
  void on(TokenResumed event) {
    suspended = false;
  }

  @EventSourcingHandler
  void on(TokenDescribed event) {
    // Words decide nothing, and once stored only who holds their key can read them.
  }

  @EventSourcingHandler
  void on(TokenExpiryChanged event) {
    expiry = event.expiry();
    expiryRecorded = false;
    announcedDays = Integer.MAX_VALUE;
  }

  @EventSourcingHandler
  void on(TokenPermissionsChanged event) {
    permissions = event.permissions();
  }

  @EventSourcingHandler
  void on(TokenExpired event) {
    expiryRecorded = true;
  }

  @EventSourcingHandler
  void on(TokenExpiryAnnounced event) {
    announcedDays = event.daysAhead();
  }

  private void created(
      TokenEvent event,
      TokenKind kind,
      SecretHash hash,
      Permissions permissions,
      Instant createdAt,
      Expiry expiry) {
    this.stream = aggregateId(event.name());
    this.kind = kind;
    this.id = event.id();
    this.hash = hash;
    this.permissions = permissions;
    this.createdAt = createdAt;
    this.expiry = expiry;
    this.taken = true;
    this.suspended = false;
    this.expiryRecorded = false;
    this.announcedDays = Integer.MAX_VALUE;
  }

  private void requireCreatable(
      TokenCommand command, SecretHash newHash, Instant createdAt, Expiry expiry) {
    requireFuture(expiry, createdAt);
    require(!command.name().isOperator(), command, Refusal.RESERVED_NAME);
    require(!taken, command, Refusal.NAME_TAKEN);
    require(!newHash.equals(hash), command, Refusal.SECRET_TAKEN);
  }

  private void requireChangeable(TokenCommand command, TokenId meant) {
    require(!command.name().isOperator(), command, Refusal.OPERATOR_UNCHANGEABLE);
    requireMeant(command, meant);
  }

  /** The token meant bears the name, and the actor may touch tokens of its power. */
  private void requireMeant(TokenCommand command, @Nullable TokenId meant) {
    require(taken && requireNonNull(id).equals(meant), command, Refusal.NOT_FOUND);
    // A manager that could rotate an auditor's token would hold an auditor's secret.
    require(
        command.actor().isAdmin()
            || (kind == TokenKind.RESOURCE && !permissions.mention(ResourceType.LEDGER)),
        command,
        Refusal.NOT_PERMITTED);
  }

  private static void requireGrantable(TokenCommand command, Permissions wanted) {
    // Else a token manager could make itself an auditor, or another manager out of sight.
    require(
        command.actor().isAdmin() || !wanted.mention(ResourceType.LEDGER),
        command,
        Refusal.NOT_PERMITTED);
    require(!wanted.isAdmin(), command, Refusal.NOT_PERMITTED);
  }

  private static void requireFuture(Expiry expiry, Instant now) {
    require(expiry.isLive(now.toEpochMilli()), "it must lie in the future", Refusal.INVALID_EXPIRY);
  }

  private static void requireDescription(String description) {
    require(
        description.getBytes(StandardCharsets.UTF_8).length <= MAX_DESCRIPTION_BYTES,
        "it must not be longer than 1024 bytes of UTF-8",
        Refusal.INVALID_DESCRIPTION);
    require(
        description.chars().noneMatch(Character::isISOControl),
        "it must not hold control characters",
        Refusal.INVALID_DESCRIPTION);
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

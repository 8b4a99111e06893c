package io.tokenledger.token;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.tokenledger.permission.Permissions;
import io.tokenledger.token.TokenCommand.ChangePermissions;
import io.tokenledger.token.TokenCommand.CreateNamedAdmin;
import io.tokenledger.token.TokenCommand.CreateOperatorToken;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenCommand.RegenerateOperatorToken;
import io.tokenledger.token.TokenCommand.ResumeToken;
import io.tokenledger.token.TokenCommand.RevokeToken;
import io.tokenledger.token.TokenCommand.RotateToken;
import io.tokenledger.token.TokenCommand.SuspendToken;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.LongStream;
import org.axonframework.commandhandling.GenericCommandMessage;
import org.axonframework.commandhandling.SimpleCommandBus;
import org.axonframework.eventsourcing.EventSourcingRepository;
import org.axonframework.eventsourcing.eventstore.EmbeddedEventStore;
import org.axonframework.eventsourcing.eventstore.inmemory.InMemoryEventStorageEngine;
import org.axonframework.modelling.command.AggregateAnnotationCommandHandler;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Random commands on few names, judged by a model too simple to be wrong. */
class TokenModelTest {

  private static final Instant NOW = Instant.parse("2026-11-24T12:00:00Z");
  private static final int COMMANDS = 200;

  /** What the model knows of a name: the token that bears it now or bore it last. */
  private record Held(
      TokenKind kind,
      boolean taken,
      TokenId id,
      SecretHash hash,
      String permissions,
      boolean suspended) {}

  static LongStream seeds() {
    return LongStream.range(0, 200);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void theAggregateAgreesWithTheModel(long seed) {
    Random random = new Random(seed);
    SimpleCommandBus bus = bus();
    Map<TokenName, Held> model = new HashMap<>();
    for (int i = 0; i < COMMANDS; i++) {
      TokenCommand command = command(random, i, model);
      String expected = judge(model, command);
      String actual = run(bus, command);
      assertEquals(expected, actual, () -> "seed " + seed + ", " + command);
    }
  }

  private static SimpleCommandBus bus() {
    SimpleCommandBus bus = SimpleCommandBus.builder().build();
    EventSourcingRepository<Token> repository =
        EventSourcingRepository.builder(Token.class)
            .eventStore(
                EmbeddedEventStore.builder()
                    .storageEngine(new InMemoryEventStorageEngine())
                    .build())
            .build();
    AggregateAnnotationCommandHandler.<Token>builder()
        .aggregateType(Token.class)
        .repository(repository)
        .build()
        .subscribe(bus);
    return bus;
  }

  private static String run(SimpleCommandBus bus, TokenCommand command) {
    AtomicReference<String> outcome = new AtomicReference<>("no answer");
    bus.dispatch(
        GenericCommandMessage.asCommandMessage(command),
        (sent, answer) ->
            outcome.set(
                answer.isExceptional()
                    ? ((TokenRefused) answer.exceptionResult()).refusal().name()
                    : "done"));
    return outcome.get();
  }

  private static TokenCommand command(Random random, int i, Map<TokenName, Held> model) {
    TokenName name =
        random.nextInt(8) == 0 ? TokenName.OPERATOR : new TokenName("n" + random.nextInt(4));
    Actor actor = actor(random);
    SecretHash hash = SecretHash.of("apiv3_" + random.nextInt(30));
    TokenId id = new TokenId(i + 1L);
    Held held = model.get(name);
    TokenId meant = held == null || random.nextInt(5) == 0 ? new TokenId(i) : held.id();
    return switch (random.nextInt(10)) {
      case 0 -> new CreateOperatorToken(hash, NOW, actor);
      case 1 -> new RegenerateOperatorToken(hash, NOW, actor);
      case 2 -> new CreateNamedAdmin(name, id, hash, NOW, Expiry.NEVER, actor);
      case 3 ->
          new CreateResourceToken(
              name,
              id,
              hash,
              Permissions.parse(List.of(random.nextBoolean() ? "db:a:read" : "ledger:check:read")),
              NOW,
              Expiry.NEVER,
              actor);
      case 4 -> new RotateToken(name, meant, hash, NOW, Duration.ZERO, actor);
      case 5 -> new SuspendToken(name, meant, NOW, actor);
      case 6 -> new ResumeToken(name, meant, NOW, actor);
      case 7 ->
          new ChangePermissions(
              name,
              meant,
              Permissions.parse(List.of(random.nextBoolean() ? "db:b:read" : "ledger:audit:read")),
              NOW,
              actor);
      default -> new RevokeToken(name, null, NOW, actor);
    };
  }

  private static Actor actor(Random random) {
    return switch (random.nextInt(8)) {
      case 0 -> Actor.ANONYMOUS;
      case 1 -> Actor.SYSTEM;
      case 2 -> Actor.token(TokenId.OPERATOR, TokenName.OPERATOR, Permissions.admin());
      case 3 -> holder("ledger:tokens:write");
      case 4 -> holder("ledger:audit:read");
      default -> Actor.token(new TokenId(5_000), new TokenName("alice"), Permissions.admin());
    };
  }

  private static Actor holder(String permission) {
    return Actor.token(
        new TokenId(6_000), new TokenName("holder"), Permissions.parse(List.of(permission)));
  }

  private static String judge(Map<TokenName, Held> model, TokenCommand command) {
    Held held = model.get(command.name());
    boolean taken = held != null && held.taken();
    Actor actor = command.actor();
    boolean system = actor.type() == Actor.Type.SYSTEM;
    boolean admin = system || actor.permissions().isAdmin();
    boolean manager = admin || actor.permissions().toString().equals("ledger:tokens:write");
    boolean operatorName = command.name().value().equals("_admin");
    if (command instanceof CreateOperatorToken create) {
      if (actor.type() == Actor.Type.TOKEN) {
        return "NOT_PERMITTED";
      }
      if (taken) {
        return "NAME_TAKEN";
      }
      model.put(command.name(), operator(create.hash()));
      return "done";
    }
    if (command instanceof RegenerateOperatorToken regenerate) {
      if (!system && !TokenId.OPERATOR.equals(actor.tokenId())) {
        return "NOT_PERMITTED";
      }
      if (!taken) {
        return "OPERATOR_MISSING";
      }
      if (held.hash().equals(regenerate.hash())) {
        return "SECRET_TAKEN";
      }
      model.put(command.name(), operator(regenerate.hash()));
      return "done";
    }
    if (command instanceof RevokeToken) {
      if (!manager) {
        return "NOT_PERMITTED";
      }
      if (operatorName) {
        return "OPERATOR_NOT_DELETABLE";
      }
      if (!taken) {
        return "NOT_FOUND";
      }
      if (!admin && isAboveManagers(held)) {
        return "NOT_PERMITTED";
      }
      model.put(command.name(), new Held(held.kind(), false, held.id(), held.hash(), "", false));
      return "done";
    }
    if (command instanceof RotateToken
        || command instanceof SuspendToken
        || command instanceof ResumeToken
        || command instanceof ChangePermissions) {
      return judgeChange(model, command, manager, admin);
    }
    SecretHash hash;
    TokenKind kind;
    TokenId id;
    String permissions;
    if (command instanceof CreateResourceToken create) {
      boolean grantsLedger = create.permissions().toString().startsWith("ledger:");
      if (!manager || (grantsLedger && !admin)) {
        return "NOT_PERMITTED";
      }
      hash = create.hash();
      id = create.id();
      kind = TokenKind.RESOURCE;
      permissions = create.permissions().toString();
    } else {
      if (!admin) {
        return "NOT_PERMITTED";
      }
      hash = ((CreateNamedAdmin) command).hash();
      id = ((CreateNamedAdmin) command).id();
      kind = TokenKind.ADMIN;
      permissions = "*:*:*";
    }
    if (operatorName) {
      return "RESERVED_NAME";
    }
    if (taken) {
      return "NAME_TAKEN";
    }
    if (held != null && held.hash().equals(hash)) {
      return "SECRET_TAKEN";
    }
    model.put(command.name(), new Held(kind, true, id, hash, permissions, false));
    return "done";
  }

  private static Held operator(SecretHash hash) {
    return new Held(TokenKind.OPERATOR, true, TokenId.OPERATOR, hash, "*:*:*", false);
  }

  private static boolean isAboveManagers(Held held) {
    return held.kind() != TokenKind.RESOURCE || held.permissions().startsWith("ledger:");
  }

  /** The commands that name a token by name and id, and leave it alive. */
  private static String judgeChange(
      Map<TokenName, Held> model, TokenCommand command, boolean manager, boolean admin) {
    Held held = model.get(command.name());
    String wanted =
        command instanceof ChangePermissions change ? change.permissions().toString() : "";
    if (!manager || (wanted.startsWith("ledger:") && !admin)) {
      return "NOT_PERMITTED";
    }
    if (command.name().value().equals("_admin")) {
      return "OPERATOR_UNCHANGEABLE";
    }
    TokenId meant =
        command instanceof RotateToken rotate
            ? rotate.id()
            : command instanceof SuspendToken suspend
                ? suspend.id()
                : command instanceof ResumeToken resume
                    ? resume.id()
                    : ((ChangePermissions) command).id();
    if (held == null || !held.taken() || !held.id().equals(meant)) {
      return "NOT_FOUND";
    }
    if (!admin && isAboveManagers(held)) {
      return "NOT_PERMITTED";
    }
    SecretHash hash = held.hash();
    String permissions = held.permissions();
    boolean suspended = held.suspended();
    if (command instanceof RotateToken rotate) {
      if (hash.equals(rotate.hash())) {
        return "SECRET_TAKEN";
      }
      hash = rotate.hash();
    } else if (command instanceof ChangePermissions) {
      if (held.kind() != TokenKind.RESOURCE) {
        return "PERMISSIONS_FIXED";
      }
      if (permissions.equals(wanted)) {
        return "UNCHANGED";
      }
      permissions = wanted;
    } else {
      boolean wish = command instanceof SuspendToken;
      if (suspended == wish) {
        return "UNCHANGED";
      }
      suspended = wish;
    }
    model.put(command.name(), new Held(held.kind(), true, held.id(), hash, permissions, suspended));
    return "done";
  }
}

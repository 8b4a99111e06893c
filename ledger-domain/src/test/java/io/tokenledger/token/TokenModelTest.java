package io.tokenledger.token;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.tokenledger.permission.Permissions;
import io.tokenledger.token.TokenCommand.CreateNamedAdmin;
import io.tokenledger.token.TokenCommand.CreateOperatorToken;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenCommand.RegenerateOperatorToken;
import io.tokenledger.token.TokenCommand.RevokeToken;
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

  /** What the model knows of a name: which kind holds it now, and the last secret it had. */
  private record Held(TokenKind kind, boolean taken, SecretHash hash) {}

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
      TokenCommand command = command(random, i);
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

  private static TokenCommand command(Random random, int i) {
    TokenName name =
        random.nextInt(8) == 0 ? TokenName.OPERATOR : new TokenName("n" + random.nextInt(4));
    Actor actor = actor(random);
    SecretHash hash = SecretHash.of("apiv3_" + random.nextInt(30));
    TokenId id = new TokenId(i + 1L);
    return switch (random.nextInt(6)) {
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
      default -> new RevokeToken(name, NOW, actor);
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
      model.put(command.name(), new Held(TokenKind.OPERATOR, true, create.hash()));
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
      model.put(command.name(), new Held(TokenKind.OPERATOR, true, regenerate.hash()));
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
      if (!admin && held.kind() != TokenKind.RESOURCE) {
        return "NOT_PERMITTED";
      }
      model.put(command.name(), new Held(held.kind(), false, held.hash()));
      return "done";
    }
    SecretHash hash;
    TokenKind kind;
    if (command instanceof CreateResourceToken create) {
      boolean grantsLedger = create.permissions().toString().startsWith("ledger:");
      if (!manager || (grantsLedger && !admin)) {
        return "NOT_PERMITTED";
      }
      hash = create.hash();
      kind = TokenKind.RESOURCE;
    } else {
      if (!admin) {
        return "NOT_PERMITTED";
      }
      hash = ((CreateNamedAdmin) command).hash();
      kind = TokenKind.ADMIN;
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
    model.put(command.name(), new Held(kind, true, hash));
    return "done";
  }
}

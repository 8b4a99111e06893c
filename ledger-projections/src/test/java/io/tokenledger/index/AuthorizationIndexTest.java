package io.tokenledger.index;

import static java.util.Objects.requireNonNull;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.index.AuthorizationIndex.Answer;
import io.tokenledger.lookup.FoundToken;
import io.tokenledger.lookup.LookupRow;
import io.tokenledger.permission.Action;
import io.tokenledger.permission.Permissions;
import io.tokenledger.permission.ResourceType;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenKind;
import io.tokenledger.token.TokenName;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AuthorizationIndexTest {

  private static final long NOW = 1_800_000_000_000L;
  private static final String[] GRANTS = {
    "db:a:read",
    "db:a:write",
    "db:*:read",
    "db:*:write,delete",
    "db:b,a/rp:read,write",
    "system:health:read",
    "system:*:read",
    "ledger:check:read",
    "ledger:*:read,write"
  };
  private static final String[] NAMES = {
    "a", "b", "a/rp", "A", "_internal", "nobody", "health", " HEALTH ", "check", "tokens", "*", ""
  };

  private final AuthorizationIndex index = new AuthorizationIndex();

  private static SecretHash hash(int number) {
    return SecretHash.of("apiv3_" + number);
  }

  private static LookupRow row(int number, String permissions, long expires, long revoked) {
    return new LookupRow(
        hash(number).bytes(),
        number,
        "token " + number,
        TokenKind.RESOURCE,
        permissions,
        NOW - 1,
        expires,
        revoked,
        FoundToken.NEVER,
        FoundToken.NEVER);
  }

  private Answer reading(int number, String database) {
    return index.decide(hash(number).bytes(), ResourceType.DB, database, Action.READ, NOW);
  }

  @Test
  void anExpiryOfThisVeryMillisecondIsOver() {
    index.put(
        List.of(
            row(1, "db:a:read", NOW, FoundToken.NEVER),
            row(2, "db:a:read", NOW + 1, FoundToken.NEVER)));
    assertEquals(Answer.EXPIRED, reading(1, "a"));
    assertEquals(Answer.ALLOWED, reading(2, "a"));
  }

  @Test
  void aHashThatDiffersInItsLastBitOnlyIsUnknown() {
    index.put(List.of(row(1, "db:a:read", FoundToken.NEVER, FoundToken.NEVER)));
    byte[] other = hash(1).bytes();
    other[63] ^= 1;
    assertEquals(Answer.UNKNOWN, index.decide(other, ResourceType.DB, "a", Action.READ, NOW));
    assertNull(index.find(SecretHash.ofBytes(other)));
  }

  @Test
  void aQuarantineHoldsForRowsThatComeLaterToo() {
    index.put(List.of(row(1, "db:a:read", FoundToken.NEVER, FoundToken.NEVER)));
    index.quarantine(Set.of("token 1", "token 2"));
    index.put(List.of(row(2, "db:a:read", FoundToken.NEVER, FoundToken.NEVER)));
    assertEquals(Answer.QUARANTINED, reading(1, "a"));
    assertEquals(Answer.QUARANTINED, reading(2, "a"));
    index.quarantine(Set.of("token 2"));
    assertEquals(Answer.ALLOWED, reading(1, "a"));
    assertEquals(Answer.QUARANTINED, reading(2, "a"));
  }

  /** The judge: a map of what the lookup itself would have found, and the domain's evaluation. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void answersAsTheLookupAndTheDomainDo(long seed) {
    Random random = new Random(seed);
    Map<SecretHash, FoundToken> model = new HashMap<>();
    Set<String> quarantined = new HashSet<>();
    for (int round = 0; round < 1_000; round++) {
      List<LookupRow> rows = new ArrayList<>();
      for (int i = random.nextInt(40); i > 0; i--) {
        rows.add(randomRow(random, random.nextInt(20_000)));
      }
      index.put(rows);
      if (random.nextInt(10) == 0) {
        quarantined = new HashSet<>();
        for (int i = random.nextInt(3); i > 0; i--) {
          quarantined.add("token " + random.nextInt(20_000));
        }
        index.quarantine(quarantined);
      }
      for (LookupRow row : rows) {
        model.put(SecretHash.ofBytes(row.hash()), found(row));
      }
      List<Integer> asked = new ArrayList<>(rows.stream().map(row -> (int) row.tokenId()).toList());
      while (asked.size() < 45) {
        asked.add(random.nextInt(20_000));
      }
      for (int number : asked) {
        ask(random, model.get(hash(number)), number, quarantined);
      }
    }
    assertEquals(model.size(), index.size());
    model.forEach((hash, token) -> assertEquals(token.id(), requireNonNull(index.find(hash)).id()));
  }

  private void ask(Random random, @Nullable FoundToken known, int number, Set<String> quarantined) {
    ResourceType type = ResourceType.values()[random.nextInt(ResourceType.values().length)];
    String name = NAMES[random.nextInt(NAMES.length)];
    Action action = Action.values()[random.nextInt(Action.values().length)];
    long now = NOW - 1 + random.nextInt(3);
    Answer answer = index.decide(hash(number).bytes(), type, name, action, now);
    FoundToken held = index.find(hash(number));
    if (known == null) {
      assertEquals(Answer.UNKNOWN, answer);
      assertNull(held);
      return;
    }
    FoundToken expected = withQuarantine(known, quarantined.contains(known.name().value()));
    assertEquals(expected, held);
    if (expected.state(now) != FoundToken.State.LIVE) {
      assertEquals(expected.state(now).name(), answer.name());
      return;
    }
    boolean allowed = expected.permissions().decide(type, name, action).allowed();
    assertEquals(allowed, expected.permissions().allow(type, name, action));
    assertEquals(allowed ? Answer.ALLOWED : Answer.NOT_GRANTED, answer);
  }

  private static LookupRow randomRow(Random random, int number) {
    boolean admin = random.nextInt(10) == 0;
    List<String> grants = new ArrayList<>();
    for (int i = 1 + random.nextInt(3); i > 0; i--) {
      grants.add(GRANTS[random.nextInt(GRANTS.length)]);
    }
    return new LookupRow(
        hash(number).bytes(),
        number,
        "token " + number,
        admin ? TokenKind.ADMIN : TokenKind.RESOURCE,
        admin ? Permissions.ADMIN_TEXT : String.join("\n", Permissions.parse(grants).texts()),
        NOW - number,
        moment(random, 3),
        moment(random, 10),
        moment(random, 6),
        moment(random, 10));
  }

  /** Around now, one time in so many; else never. */
  private static long moment(Random random, int oneIn) {
    return random.nextInt(oneIn) == 0 ? NOW - 1 + random.nextInt(3) : FoundToken.NEVER;
  }

  private static FoundToken found(LookupRow row) {
    return new FoundToken(
        new TokenId(row.tokenId()),
        new TokenName(row.name()),
        row.kind(),
        Permissions.parse(Arrays.asList(row.permissions().split("\n"))),
        Instant.ofEpochMilli(row.createdAtMillis()),
        row.expiresAtMillis() == FoundToken.NEVER
            ? Expiry.NEVER
            : new Expiry(row.expiresAtMillis()),
        instant(row.revokedAtMillis()),
        instant(row.supersededAtMillis()),
        instant(row.suspendedAtMillis()),
        false);
  }

  private static @Nullable Instant instant(long millis) {
    return millis == FoundToken.NEVER ? null : Instant.ofEpochMilli(millis);
  }

  private static FoundToken withQuarantine(FoundToken token, boolean quarantined) {
    return new FoundToken(
        token.id(),
        token.name(),
        token.kind(),
        token.permissions(),
        token.createdAt(),
        token.expiry(),
        token.revokedAt(),
        token.supersededAt(),
        token.suspendedAt(),
        quarantined);
  }

  /**
   * Two grants change places with each put: a reader sees the one or the other, never a mixture.
   */
  @Test
  void whoReadsWhileOthersWriteSeesWholeRows() throws InterruptedException {
    String[] grants = {"db:a:read", "db:b:read"};
    index.put(List.of(row(0, grants[0], NOW + 10, FoundToken.NEVER)));
    AtomicBoolean done = new AtomicBoolean();
    AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
    Thread reader =
        new Thread(
            () -> {
              try {
                while (!done.get()) {
                  FoundToken token = requireNonNull(index.find(hash(0)));
                  int side = token.permissions().texts().get(0).equals(grants[0]) ? 0 : 1;
                  assertEquals(NOW + 10 + side, token.expiry().epochMillis());
                  assertEquals("token 0", token.name().value());
                }
              } catch (Throwable e) {
                failure.set(e);
              }
            });
    reader.start();
    for (int i = 1; i <= 50_000; i++) {
      index.put(
          List.of(
              row(0, grants[i % 2], NOW + 10 + i % 2, FoundToken.NEVER),
              row(i, "db:c" + i % 300 + ":read", FoundToken.NEVER, FoundToken.NEVER)));
    }
    done.set(true);
    reader.join();
    assertNull(failure.get());
  }

  @Test
  void aSecretTakesLessThanTwoHundredBytes() {
    List<LookupRow> page = new ArrayList<>();
    for (int i = 0; i < 200_000; i++) {
      page.add(row(i, "db:database" + i % 500 + ":read,write", FoundToken.NEVER, FoundToken.NEVER));
      if (page.size() == 5_000) {
        index.put(page);
        page.clear();
      }
    }
    long each = index.approximateBytes() / index.size();
    assertTrue(each <= 200, each + " bytes");
  }
}

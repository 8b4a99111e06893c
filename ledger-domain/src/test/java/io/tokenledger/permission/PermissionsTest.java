package io.tokenledger.permission;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PermissionsTest {

  private static Permissions permissions(String... texts) {
    return Permissions.parse(List.of(texts));
  }

  private static Decision db(Permissions permissions, String name, Action action) {
    Decision decision = permissions.decide(ResourceType.DB, name, action);
    assertEquals(decision.allowed(), permissions.allow(ResourceType.DB, name, action));
    return decision;
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "db:A,B:read,write | db:A,B:read,write",
        "db:A:write,read,write | db:A:read,write",
        "db:B,A,B:read | db:B,A:read",
        "db:*:delete,create,describe | db:*:create,describe,delete",
        "system: Health ,PING:read | system:health,ping:read",
        "ledger:audit:read | ledger:audit:read",
        "db:a/autogen:read | db:a/autogen:read"
      })
  void areRenderedInOneForm(String text, String canonical) {
    assertEquals(canonical, Permission.parse(text).toString());
    assertEquals(canonical, Permission.parse(canonical).toString());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "token:a:read | resource type not supported token",
        "DB:a:read | resource type not supported DB",
        "*:*:* | * resource type can only be set for admin token",
        "db:_internal:read | invalid resource name _internal",
        "db:a b:read | invalid resource name a b",
        "db:a/b/c:read | invalid resource name a/b/c",
        "system:disk:read | invalid resource name disk",
        "ledger:keys:read | invalid resource name keys",
        "db:*,a:read | mixed wildcard (*) and resource name",
        "db:a:update | action not supported, database action update",
        "db:a:READ | action not supported, database action READ",
        "db:a:* | action not supported, database action *",
        "system:ping:write | action not supported, system action write",
        "ledger:audit:delete | action not supported, ledger action delete",
        "db:a: | actions must name at least one action",
        "db::read | resource_names must name at least one resource",
        "db:a,:read | invalid resource name",
      })
  void thatBreakARuleAreRefusedInInfluxDbsWords(String text, String detail) {
    InvalidPermission refused = assertThrows(InvalidPermission.class, () -> Permission.parse(text));
    assertEquals(
        "cannot parse token permission, " + detail, String.valueOf(refused.getMessage()).strip());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "db", "db:a", "db:a:read:x", "::", ":a:read"})
  void needThreeParts(String text) {
    assertThrows(InvalidPermission.class, () -> Permission.parse(text));
  }

  @Test
  void mustGrantSomething() {
    assertThrows(InvalidPermission.class, () -> Permissions.of(List.of()));
  }

  @Test
  void databaseNamesHaveAtMost511Bytes() {
    assertEquals(1, Permission.parse("db:" + "x".repeat(511) + ":read").names().size());
    assertThrows(
        InvalidPermission.class, () -> Permission.parse("db:" + "x".repeat(512) + ":read"));
  }

  @Test
  void entriesForTheSameNamesBecomeOne() {
    assertEquals(
        List.of("db:a,b:read,write", "db:a:delete"),
        permissions("db:a,b:read", "db:b,a:write", "db:a:delete").texts());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "db:a:read | db:a:read,write | true",
        "db:a:read,write | db:a:read | false",
        "db:a:read | db:*:read | true",
        "db:*:read | db:a:read | false",
        "db:*:read | *:*:* | true",
        "*:*:* | db:*:read | false",
        // The exact entry decides alone: beside this wildcard a may be written and not read.
        "db:a:read | db:*:read db:a:write | false",
        "db:*:read db:a:write | db:*:read,write | true",
        "db:*:read db:a:write | db:*:read | false",
        "system:ping:read | db:*:read | false",
      })
  void someAreWithinOthers(String inner, String outer, boolean within) {
    Permissions wide = permissions(outer.split(" "));
    assertEquals(within, permissions(inner.split(" ")).isWithin(wide));
    assertTrue(wide.isWithin(wide), "all are within themselves");
    assertTrue(Permissions.none().isWithin(wide));
  }

  @Test
  void theExactEntryDecidesAloneAndNeverTheUnionWithTheWildcard() {
    Permissions both = permissions("db:a:read", "db:*:write");
    assertEquals(new Decision(true, "db:a:read"), db(both, "a", Action.READ));
    assertEquals(new Decision(false, "db:a:read"), db(both, "a", Action.WRITE));
    assertEquals(new Decision(true, "db:*:write"), db(both, "b", Action.WRITE));
    assertEquals(new Decision(false, "db:*:write"), db(both, "b", Action.READ));
  }

  @Test
  void noActionImpliesAnother() {
    Permissions write = permissions("db:a:write");
    for (Action action : Action.values()) {
      assertEquals(action == Action.WRITE, db(write, "a", action).allowed());
    }
  }

  @Test
  void theInternalDatabaseIsForAdminsOnly() {
    assertEquals(
        new Decision(false, null), db(permissions("db:*:read,write"), "_internal", Action.READ));
    assertEquals(
        new Decision(false, null),
        db(permissions("db:*:read,write"), "_internal/monitor", Action.WRITE));
    assertTrue(db(Permissions.admin(), "_internal", Action.READ).allowed());
  }

  @Test
  void databaseNamesAreCaseSensitiveAndSystemNamesAreNot() {
    assertNull(db(permissions("db:Metrics:read"), "metrics", Action.READ).entry());
    assertTrue(
        permissions("system:health:read")
            .decide(ResourceType.SYSTEM, " Health", Action.READ)
            .allowed());
  }

  @Test
  void noWildcardOfAnotherTypeReachesTheLedger() {
    Permissions wide = permissions("db:*:create,describe,read,write,delete", "system:*:read");
    for (String name : List.of("tokens", "check", "audit", "replay", "retention")) {
      assertFalse(wide.decide(ResourceType.LEDGER, name, Action.READ).allowed());
      assertFalse(wide.decide(ResourceType.LEDGER, name, Action.WRITE).allowed());
    }
    assertTrue(
        permissions("ledger:*:read").decide(ResourceType.LEDGER, "audit", Action.READ).allowed());
  }

  @Test
  void anAdminMayDoEverythingAndNobodyNothing() {
    for (ResourceType type : ResourceType.values()) {
      for (Action action : Action.values()) {
        assertTrue(Permissions.admin().decide(type, "x", action).allowed());
        assertTrue(Permissions.admin().allow(type, "x", action));
        assertFalse(Permissions.none().decide(type, "x", action).allowed());
        assertFalse(Permissions.none().allow(type, "x", action));
      }
    }
    assertEquals(Permissions.admin(), permissions("*:*:*"));
    assertFalse(Permissions.admin().mention(ResourceType.DB));
    assertNotEquals(Permissions.admin(), Permissions.none());
    assertEquals(permissions("db:a:read").hashCode(), permissions("db:a:read").hashCode());
    assertFalse(Permissions.admin().equals("*:*:*"));
  }

  @Test
  void decideAsTheNaiveEvaluatorDoes() {
    Random random = new Random(42);
    List<String> names = List.of("a", "b", "c", "*");
    for (int round = 0; round < 20_000; round++) {
      List<String> texts = new ArrayList<>();
      for (int i = 1 + random.nextInt(4); i > 0; i--) {
        texts.add("db:" + names.get(random.nextInt(4)) + ":" + someActions(random));
      }
      Permissions permissions = Permissions.parse(texts);
      assertEquals(permissions, Permissions.parse(permissions.texts()));
      String asked = names.get(random.nextInt(3));
      Action action = Action.values()[random.nextInt(5)];
      boolean expected = naive(texts, asked, action);
      assertEquals(expected, db(permissions, asked, action).allowed(), texts::toString);
    }
  }

  private static String someActions(Random random) {
    Set<Action> some = EnumSet.of(Action.values()[random.nextInt(5)]);
    some.add(Action.values()[random.nextInt(5)]);
    return String.join(",", some.stream().map(Action::wireName).toList());
  }

  private static boolean naive(List<String> texts, String name, Action action) {
    for (String wanted : List.of(name, "*")) {
      List<String> speaking =
          texts.stream().filter(text -> text.split(":")[1].equals(wanted)).toList();
      if (!speaking.isEmpty()) {
        return speaking.stream()
            .anyMatch(
                text -> Arrays.asList(text.split(":")[2].split(",")).contains(action.wireName()));
      }
    }
    return false;
  }

  @Test
  void neverFailOtherwiseWhateverIsTyped() {
    String alphabet = "db:systemladger*,/_- readwi\u00e9\u0000";
    Random random = new Random(11);
    for (int i = 0; i < 20_000; i++) {
      StringBuilder text = new StringBuilder(random.nextBoolean() ? "db:" : "");
      for (int length = random.nextInt(20); length > 0; length--) {
        text.append(alphabet.charAt(random.nextInt(alphabet.length())));
      }
      try {
        Permission parsed = Permission.parse(text.toString());
        assertEquals(parsed, Permission.parse(parsed.toString()));
      } catch (InvalidPermission e) {
        assertTrue(String.valueOf(e.getMessage()).startsWith(InvalidPermission.PREFIX));
      }
    }
  }
}

package io.tokenledger.history;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.history.AuditFilter.Field;
import io.tokenledger.timeline.Moment;
import java.time.Instant;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class AuditFilterTest {

  private static final JsonNode PAYLOAD = json("{\"name\":\"ingest\",\"count\":2}");
  private static final JsonNode ENVELOPE =
      json(
          "{\"reason\":\"Quarterly Review\",\"ticket\":null,"
              + "\"source\":{\"ip\":\"203.0.113.7\",\"forwarded_for\":\"2001:db8::7\"}}");

  private static JsonNode json(String text) {
    return JsonMapper.shared().readTree(text);
  }

  @Test
  void wordsAreFieldsWithValuesOrText() {
    AuditFilter filter =
        AuditFilter.parse("actor:alice action:token.* -outcome:success  type:\"Token Revoked\"");
    assertEquals(List.of("alice"), filter.any(Field.ACTOR));
    assertNull(filter.any(Field.ACTION));
    assertEquals(List.of("token.%"), filter.anyLike(Field.ACTION));
    assertEquals(List.of("success"), filter.noneLike(Field.OUTCOME));
    assertEquals(List.of("Token Revoked"), filter.any(Field.TYPE));
    assertFalse(filter.needsOpening());
    assertTrue(AuditFilter.parse("review").needsOpening());
    assertTrue(AuditFilter.parse("-ip:10.0.0.0/8").needsOpening());
  }

  @Test
  void severalValuesOfAFieldAreAlternatives() {
    assertEquals(List.of("a", "b"), AuditFilter.parse("token:a token:b").any(Field.TOKEN));
    assertEquals(
        List.of("a%", "b\\_"), AuditFilter.parse("token:a* token:b_").anyLike(Field.TOKEN));
  }

  @Test
  void whatLikeWouldTakeForAPatternIsMeantAsItStands() {
    assertEquals(
        List.of("100\\%\\_\\\\"), AuditFilter.parse("-token:100%_\\").noneLike(Field.TOKEN));
    assertEquals(List.of("a*"), AuditFilter.parse("token:\"a*\"").any(Field.TOKEN));
  }

  @ParameterizedTest
  @CsvSource({
    "from:2026-01-31, 2026-01-31T00:00:00Z",
    "from:>=2026-01-31, 2026-01-31T00:00:00Z",
    "from:>2026-01-31, 2026-02-01T00:00:00Z",
    "from:>2026-01-31T12:00:00.5Z, 2026-01-31T12:00:00.501Z",
    "from:>=2026-01-31T12:00:00Z, 2026-01-31T12:00:00Z"
  })
  void aPeriodBeginsAtItsFirstInstant(String query, Instant first) {
    assertEquals(first, AuditFilter.parse(query).from());
  }

  @ParameterizedTest
  @CsvSource({
    "to:2026-01-31, 2026-01-31T00:00:00Z",
    "to:<2026-01-31, 2026-01-31T00:00:00Z",
    "to:<=2026-01-31, 2026-02-01T00:00:00Z",
    "to:<=2026-01-31T12:00:00Z, 2026-01-31T12:00:00.001Z",
    "to:<=9999-12-31, 9999-12-31T23:59:59.999Z"
  })
  void aPeriodEndsBeforeItsEnd(String query, Instant end) {
    assertEquals(end, AuditFilter.parse(query).to());
  }

  @Test
  void aPlaceInTheLogIsALeafOrACheckpoint() {
    assertEquals(new Moment.AfterLeaf(7), AuditFilter.parse("at:leaf:7").at());
    assertEquals(new Moment.AtCheckpoint(8), AuditFilter.parse("at:checkpoint:8").at());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "actr:bob|`actr:`|actr is no field, those are actor, action,",
        "https://x|`https:`|text with a colon stands in quotes",
        "actor:|`actor:`|a value is missing",
        "a -|`-`|a value is missing",
        "actor:\"bob|`actor:\"bob`|the quote is not closed",
        "actor:bo\"b|`actor:bo\"`|a quote stands at the beginning",
        "actor:\"bo\"b|`actor:\"bo\"b`|a space stands after the closing quote",
        "actor:\"b\\n\"|`actor:\"b\\`|a backslash stands before",
        "outcome:ok|`outcome:ok`|outcome is success, denied or failed",
        "ip:localhost|`ip:localhost`|ip is an address",
        "ip:1.2.3.4/33|`ip:1.2.3.4/33`|ip is an address",
        "ip:1.2.3.999|`ip:1.2.3.999`|ip is an address",
        "from:<2026-01-01|`from:<2026-01-01`|from takes >= or >",
        "to:>2026-01-01|`to:>2026-01-01`|to takes < or <=",
        "from:yesterday|`from:yesterday`|from is a date",
        "from:2026-02-30|`from:2026-02-30`|from is a date",
        "from:1969-12-31|`from:1969-12-31`|from 1970 on",
        "-from:2026-01-01|`-from:2026-01-01`|from is not negated",
        "to:2026-01-01 to:2026-01-02|`to:2026-01-02`|to is given once",
        "at:2026-01-01|`at:2026-01-01`|at is leaf:N or checkpoint:N",
        "at:leaf:-1|`at:leaf:-1`|at is leaf:N or checkpoint:N"
      })
  void aBrokenQueryIsToldItsWordAndTheRule(String query, String word, String rule) {
    InvalidFilter told = assertThrows(InvalidFilter.class, () -> AuditFilter.parse(query));
    assertTrue(String.valueOf(told.getMessage()).contains(word), told.getMessage());
    assertTrue(String.valueOf(told.getMessage()).contains(rule), told.getMessage());
  }

  @Test
  void aQueryHasItsLimits() {
    AuditFilter.parse("a ".repeat(50));
    assertThrows(InvalidFilter.class, () -> AuditFilter.parse("a ".repeat(51)));
    AuditFilter.parse("a".repeat(2_048));
    assertThrows(InvalidFilter.class, () -> AuditFilter.parse("a".repeat(2_049)));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "quarterly",
        "\"quarterly review\"",
        "QUARTERLY ingest",
        "-absent",
        "ip:203.0.113.7",
        "ip:203.0.113.0/24",
        "ip:2001:db8::/32",
        "ip:198.51.100.1 ip:203.0.113.7",
        "-ip:198.51.100.0/24",
        "ip:0.0.0.0/0 text:review"
      })
  void whatIsSealedIsFoundOnceItIsOpen(String query) {
    assertTrue(AuditFilter.parse(query).matches(PAYLOAD, ENVELOPE));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "absent",
        "quarterly absent",
        "-review",
        "ip:203.0.113.8",
        "ip:203.0.113.8/31 -ip:203.0.113.7",
        "-ip:2001:db8::7",
        "ip:203.0.113.0/24 -ingest"
      })
  void whatDoesNotMatchIsNotFound(String query) {
    assertFalse(AuditFilter.parse(query).matches(PAYLOAD, ENVELOPE));
  }

  @Test
  void whatAsksAboutPeopleIsNotShown() {
    assertEquals(
        "actor:* action:token.create -ip:* text:* from:>=2026-01-01",
        AuditFilter.parse("actor:alice action:token.create -ip:10.0.0.1 bob from:>=2026-01-01")
            .shown());
  }

  @Test
  void aConditionOfItsOwnIsMeantAsItStandsAndGivenOnce() {
    AuditFilter filter = AuditFilter.parse("action:token.create").with(Field.TOKEN, "a*b");
    assertEquals(List.of("a*b"), filter.any(Field.TOKEN));
    assertThrows(InvalidFilter.class, () -> filter.with(Field.ACTION, "token.revoke"));
    assertThrows(InvalidFilter.class, () -> AuditFilter.ALL.with(Field.OUTCOME, "ok"));
  }

  private static final String[] PIECES = {
    "actor:",
    "action:",
    "-",
    "ip:",
    "from:",
    "to:",
    "at:",
    "text:",
    "outcome:",
    "nothing:",
    "\"",
    "\\",
    " ",
    "*",
    ">=",
    "<",
    "2026-01-01",
    "T00:00:00Z",
    "leaf:",
    "checkpoint:",
    "7",
    "1.2.3.4",
    "/24",
    "::",
    "a",
    "\u00e9",
    "\u202e",
    "\ud83d\ude00",
    "\u0000",
    "\n",
    "%",
    "_",
    "'",
    "success",
    "9".repeat(30)
  };

  @Test
  void randomTextIsAQueryThatCanBeWrittenAgainOrIsToldItsRule() {
    Random random = new Random(20261124);
    int queries = 0;
    for (int i = 0; i < 40_000; i++) {
      StringBuilder text = new StringBuilder();
      for (int length = random.nextInt(9); length > 0; length--) {
        text.append(PIECES[random.nextInt(PIECES.length)]);
      }
      AuditFilter filter;
      try {
        filter = AuditFilter.parse(text.toString());
      } catch (InvalidFilter e) {
        assertTrue(String.valueOf(e.getMessage()).contains("`: "), e.getMessage());
        continue;
      }
      queries++;
      AuditFilter again = AuditFilter.parse(filter.toString());
      assertEquals(filter.toString(), again.toString(), text.toString());
      assertEquals(filter.from(), again.from());
      assertEquals(filter.to(), again.to());
      for (Field field : Field.values()) {
        assertEquals(filter.any(field), again.any(field), text.toString());
        assertEquals(filter.anyLike(field), again.anyLike(field), text.toString());
        assertEquals(filter.noneLike(field), again.noneLike(field), text.toString());
      }
      filter.matches(PAYLOAD, ENVELOPE);
    }
    assertTrue(queries > 4_000, "queries: " + queries);
  }
}

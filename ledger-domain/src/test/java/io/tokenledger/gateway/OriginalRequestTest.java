package io.tokenledger.gateway;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.tokenledger.gateway.Demand.Admin;
import io.tokenledger.gateway.Demand.Grants;
import io.tokenledger.gateway.Demand.Refused;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OriginalRequestTest {

  /** {@code db:a:read db:b:write}, {@code admin body_decides} or {@code refused unknown_route}. */
  private static String told(Demand demand) {
    if (demand instanceof Grants grants) {
      return grants.grants().stream()
          .map(
              grant ->
                  grant.type().wireName() + ":" + grant.name() + ":" + grant.action().wireName())
          .sorted()
          .collect(Collectors.joining(" "));
    }
    if (demand instanceof Admin admin) {
      return "admin " + admin.reason();
    }
    return "refused " + ((Refused) demand).reason();
  }

  private static String told(String method, String uri) {
    return told(OriginalRequest.of(method, uri).demand());
  }

  private static String told(String influxQl) {
    return told("GET", "/query?db=mydb&q=" + URLEncoder.encode(influxQl, StandardCharsets.UTF_8));
  }

  @Nested
  class Routes {

    @ParameterizedTest
    @CsvSource(
        delimiter = '|',
        value = {
          "POST | /write?db=mydb | db:mydb:write",
          "POST | /write?db=mydb&rp=&precision=s | db:mydb:write",
          "POST | /write?db=mydb&rp=autogen | db:mydb:write",
          "POST | /write?db=mydb&rp=default | db:mydb:write",
          "POST | /write?db=mydb&rp=%27%27 | db:mydb:write",
          "POST | /write?db=mydb&rp=week | db:mydb/week:write",
          "POST | /write?db=mydb&rp=Week | db:mydb/Week:write db:mydb/week:write",
          "POST | /write?db=mydb&rp=AUTOGEN | db:mydb/AUTOGEN:write db:mydb:write",
          "POST | /write?db=_internal&rp=monitor | db:_internal:write",
          "POST | /write | refused no_database",
          "POST | /write?db= | refused no_database",
          "POST | /write?db | refused no_database",
          "GET | /write?db=mydb | refused unknown_route",
          "POST | /api/v2/write?bucket=mydb&org=x | db:mydb:write",
          "POST | /api/v2/write?bucket=mydb%2Fweek&org=x | db:mydb/week:write",
          "POST | /api/v2/write?bucket=mydb%2Fautogen | db:mydb/autogen:write db:mydb:write",
          "POST | /api/v2/write?bucket=mydb%2F&orgID=x | db:mydb/:write db:mydb:write",
          "POST | /api/v2/write?bucket=_internal%2Fmonitor | db:_internal/monitor:write db:_internal:write",
          "POST | /api/v2/write?db=mydb | refused no_database",
          "POST | /api/v3/write_lp?db=mydb&precision=second | db:mydb:write",
          "GET | /api/v3/query_sql?db=mydb&q=SELECT%201 | db:mydb:read",
          "GET | /api/v3/query_sql?q=SELECT%201 | refused no_database",
          "POST | /api/v3/query_sql?db=mydb | admin body_decides",
          "POST | /api/v3/query_influxql?db=mydb | admin body_decides",
          "POST | /query?db=mydb&q=SELECT%20a%20FROM%20m | admin body_decides",
          "GET | /query?db=mydb | refused no_query",
          "GET | /query?db=mydb&q= | refused no_query",
          "GET | /query?db=mydb&q=%20%3B | refused no_query",
          "GET | /query?db=mydb&rp=week&q=SELECT%20a%20FROM%20m | db:mydb/week:read db:mydb:read",
          "GET | /query?db=mydb&rp=week&q=SHOW%20TAG%20KEYS | db:mydb/week:read db:mydb:read",
          "GET | /query?db=mydb&rp=week&q=SELECT%20a%20FROM%20b..m | db:b/week:read db:b:read",
          "GET | /query?db=mydb&rp=week&q=SHOW%20TAG%20KEYS%20ON%20b | db:b/week:read db:b:read",
          "GET | /query?db=a&rp=w&q=SELECT%20*%20INTO%20b..t%20FROM%20c.d.m | db:b/w:write db:b:write db:c/d:read",
          "GET | /api/v3/query_influxql?db=mydb&rp=week&q=SELECT%20a%20FROM%20m | db:mydb:read",
          "GET | /api/v3/query_influxql?db=mydb&q=SELECT%20a%20FROM%20week.m | db:mydb/week:read db:mydb:read",
          "GET | /api/v3/query_influxql?db=mydb&q=SELECT%20a%20FROM%20m | db:mydb:read",
          "POST | /arrow.flight.protocol.FlightService/DoGet | admin body_decides",
          "GET | /arrow.flight.protocol.FlightService/DoGet | refused unknown_route",
          "POST | /api/v3/configure/database | admin admin_only",
          "DELETE | /api/v3/configure/database?db=mydb | admin admin_only",
          "POST | /api/v3/enterprise/configure/token | admin admin_only",
          "POST | /api/v3/engine/foo | admin admin_only",
          "GET | /api/v3/plugins/files | admin admin_only",
          "GET | /health | system:health:read",
          "GET | /api/v1/health | system:health:read",
          "GET | /metrics | system:metrics:read",
          "GET | /ready | system:ready:read",
          "GET | /ping | system:ping:read",
          "HEAD | /ping | system:ping:read",
          "HEAD | /health | refused unknown_route",
          "POST | /health | refused unknown_route",
          "GET | / | refused unknown_route",
          "POST | /api/v2/delete?bucket=mydb | refused unknown_route",
          "POST | /api/v2/query | refused unknown_route",
          "GET | /debug/vars | refused unknown_route",
          "get | /query?db=mydb&q=SELECT%20a%20FROM%20m | refused unknown_route",
        })
    void needWhatInfluxDbSays(String method, String uri, String needs) {
      assertEquals(needs, told(method, uri));
    }
  }

  @Nested
  class WhatTwoReadersCouldReadDifferently {

    @ParameterizedTest
    @CsvSource(
        delimiter = '|',
        value = {
          "/write?db=a&db=b | repeated_parameter",
          "/write?db=a&DB=b | ambiguous_parameter_name",
          "/write?db=a&RP=x | ambiguous_parameter_name",
          "/write?Db=a | ambiguous_parameter_name",
          "/write?db=a&precision=s&precision=s | repeated_parameter",
          "/write?%64b=a | ambiguous_parameter_name",
          "/write?db[]=a | ambiguous_parameter_name",
          "/write?db=a&=b | ambiguous_parameter_name",
          "/write?db=a& | ambiguous_parameter_name",
          "/write?db=a&&rp=b | ambiguous_parameter_name",
          "/write?db=a;db=b | ambiguous_query",
          "/write?db=a#b | ambiguous_query",
          "/write?db=%zz | wrongly_encoded_parameter",
          "/write?db=%f | wrongly_encoded_parameter",
          "/write?db=%ff | wrongly_encoded_parameter",
          "/write?db=%c0%af | wrongly_encoded_parameter",
          "/write?db=a%00 | wrongly_encoded_parameter",
          "/write?db=ä | wrongly_encoded_parameter",
          "/%77rite?db=a | ambiguous_path",
          "/write%3Fdb=b?db=a | ambiguous_path",
          "//write?db=a | ambiguous_path",
          "/./write?db=a | ambiguous_path",
          "/api/../write?db=a | ambiguous_path",
          "/write;x=y?db=a | ambiguous_path",
          "/write\\?db=a | ambiguous_path",
          "http://localhost/write?db=a | ambiguous_path",
          "write?db=a | ambiguous_path",
          "* | ambiguous_path",
          "/write/?db=a | unknown_route",
          "/WRITE?db=a | unknown_route",
        })
    void isRefused(String uri, String reason) {
      assertEquals("refused " + reason, told("POST", uri));
    }

    @Test
    void isRefusedAlsoWhenItIsOnlyLong() {
      assertEquals("refused uri_too_long", told("POST", "/write?db=" + "a".repeat(70_000)));
      assertEquals("refused ambiguous_query", told("POST", "/write?db=a" + "&x=1".repeat(100)));
      assertEquals("refused ambiguous_path", told("POST", ""));
    }
  }

  @Nested
  class Passwords {

    @Test
    void standInTheQueryOfTheTwoEndpointsOfVersionOne() {
      assertEquals("s%", OriginalRequest.of("POST", "/write?db=a&p=s%25").password());
      assertEquals("s", OriginalRequest.of("GET", "/query?u=x&p=s").password());
      assertNull(OriginalRequest.of("POST", "/api/v2/write?bucket=a&p=s").password());
      assertNull(OriginalRequest.of("POST", "/write?db=a").password());
    }
  }

  @Nested
  class Statements {

    @ParameterizedTest
    @CsvSource(
        delimiter = '|',
        quoteCharacter = '`',
        value = {
          "SELECT a FROM m | db:mydb:read",
          "select mean(a) as b, c / 2 from m where time > now() - 1h group by time(5m), host fill(0)"
              + " order by time desc limit 10 | db:mydb:read",
          "SELECT a FROM \"other\"..m | db:other:read",
          "SELECT a FROM other.week.m | db:other/week:read",
          "SELECT a FROM \"other\".\"autogen\".\"m\" | db:other:read",
          "SELECT a FROM week.m | db:mydb/week:read db:mydb:read",
          "SELECT a FROM m, other..n | db:mydb:read db:other:read",
          "SELECT a FROM (SELECT b FROM other..m), third..n WHERE x = 'y' | db:other:read db:third:read",
          "SELECT a FROM (SELECT b FROM (SELECT c FROM other..m GROUP BY x) WHERE d > 1) | db:other:read",
          "SELECT a FROM /^cpu.*/ | db:mydb:read",
          "SELECT a FROM other../cpu/ | db:other:read",
          "SELECT a FROM m WHERE host =~ /^a\\/b/ AND x != 'FROM other..m' | db:mydb:read",
          "SELECT * FROM m GROUP BY /host/ | db:mydb:read",
          "SELECT a INTO b FROM m | db:mydb:read db:mydb:write",
          "SELECT a INTO other..b FROM m | db:mydb:read db:other:write",
          "SELECT * INTO other.week.:MEASUREMENT FROM m | db:mydb:read db:other/week:write",
          "SELECT a FROM _internal.monitor.m | db:_internal:read",
          "EXPLAIN SELECT a FROM other..m | db:other:read",
          "EXPLAIN ANALYZE SELECT a FROM other..m | db:other:read",
          "SELECT a FROM m; SELECT b FROM other..m; | db:mydb:read db:other:read",
          "SELECT a FROM m; DROP DATABASE mydb | admin admin_only",
          "SHOW DATABASES | db:*:read",
          "SHOW MEASUREMENTS | db:mydb:read",
          "SHOW MEASUREMENTS ON other WITH MEASUREMENT =~ /c.*/ LIMIT 5 | db:other:read",
          "SHOW TAG VALUES ON \"other\" FROM m WITH KEY = \"host\" WHERE x = 'y' | db:other:read",
          "SHOW TAG VALUES WITH KEY IN (a, b) | db:mydb:read",
          "SHOW TAG KEYS ON other FROM third..m | db:other:read db:third:read",
          "SHOW FIELD KEYS FROM m | db:mydb:read",
          "SHOW SERIES EXACT CARDINALITY ON other | db:other:read",
          "SHOW RETENTION POLICIES ON other | db:other:read",
          "SHOW RETENTION POLICIES | db:mydb:read",
          "SHOW USERS | admin admin_only",
          "SHOW GRANTS FOR x | admin admin_only",
          "SHOW STATS | admin admin_only",
          "SHOW CONTINUOUS QUERIES | admin admin_only",
          "CREATE DATABASE x | admin admin_only",
          "DROP MEASUREMENT m | admin admin_only",
          "DELETE FROM m | admin admin_only",
          "ALTER RETENTION POLICY x ON y DEFAULT | admin admin_only",
          "KILL QUERY 3 | admin admin_only",
        })
    void needWhatTheyName(String query, String needs) {
      assertEquals(needs, told(query));
    }

    @ParameterizedTest
    @CsvSource(
        delimiter = '|',
        quoteCharacter = '`',
        value = {
          "SELECT a",
          "SELECT a FROM",
          "SELECT a FROM m FROM other..m",
          "SELECT a FROM m other..m",
          "SELECT a FROM m -- FROM other..m",
          "SELECT a FROM m /* x */",
          "SELECT a FROM \"oth\\\"er\"..m",
          "SELECT a FROM a.b.c.d",
          "SELECT a FROM (m)",
          "SELECT a FROM (SELECT b FROM m",
          "SELECT a FROM m)",
          "SELECT a FROM m WHERE (x = 1",
          "SELECT (SELECT b FROM other..m) FROM m",
          "SELECT a FROM m WHERE x IN (SELECT b FROM other..m)",
          "SELECT a FROM m WHERE x = 'y",
          "SELECT a FROM $m",
          "SELECT a FROM m WHERE x = $y",
          "SELECT a FROM m INTO other..b",
          "SELECT a, 1INTO other..b FROM m",
          "SELECT a + /x FROM other..n/ FROM m",
          "SELECT a, /x FROM other..n WHERE b/ FROM m",
          "SELECT a, /\"/ FROM other..n WHERE c = '\"' FROM m",
          "SELECT a FROM m AS x",
          "SELECT a FROM m INNER JOIN other..n",
          "SELECT a FROM sélect",
          "SHOW TAG KEYS ON a.b",
          "SHOW TAG KEYS ON *",
          "SHOW TAG KEYS FROM (SELECT a FROM m)",
          "SHOW DATABASES ON x",
          "EXPLAIN DROP DATABASE x",
          "(SELECT a FROM m)",
          "'SELECT'",
        })
    void thatCannotBeFollowedAreRefused(String query) {
      assertEquals("refused unreadable_query", told(query), query);
    }

    @Test
    void withoutADatabaseNameAllOfThem() {
      assertEquals("refused unreadable_query", told("GET", "/query?q=SELECT%20a%20FROM%20m"));
      assertEquals("db:other:read", told("GET", "/query?q=SELECT%20a%20FROM%20other..m"));
      assertEquals("db:other:read", told("GET", "/query?q=SHOW%20MEASUREMENTS%20ON%20other"));
    }

    @Test
    void ofRandomWordsNeverBreakTheReader() {
      String[] words = {
        "SELECT", "FROM", "INTO", "SHOW", "ON", "a", "\"b\"", "'c'", "/d/", ".", "..", ",", "(",
        ")", ";", "1h", "=", "=~", "/", "-", "*", ":MEASUREMENT", "WHERE", "GROUP", "BY", "TAG"
      };
      Random random = new Random(11);
      for (int round = 0; round < 100_000; round++) {
        StringBuilder query = new StringBuilder();
        for (int i = random.nextInt(14); i >= 0; i--) {
          query.append(words[random.nextInt(words.length)]).append(random.nextBoolean() ? " " : "");
        }
        assertNotNull(
            InfluxQl.demand(Demand.Family.V1, query.toString(), "mydb", null), query.toString());
      }
    }
  }
}

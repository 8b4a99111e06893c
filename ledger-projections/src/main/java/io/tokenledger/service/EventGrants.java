package io.tokenledger.service;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What the application's role may do to the events. It must be able to append and to read and
 * nothing else: then whoever takes over a node, or its login, cannot change what was recorded.
 */
final class EventGrants {

  private static final List<String> EXPECTED = List.of("INSERT", "SELECT");

  /** Asks about every role that the login could become: what it can reach, it has. */
  private static final String READ =
      """
      SELECT current_user,
             EXISTS (SELECT 1
                       FROM pg_roles AS role
                      WHERE role.rolsuper
                        AND pg_has_role(current_user, role.oid, 'MEMBER')) AS is_superuser,
             pg_has_role(current_user, event.relowner, 'MEMBER') AS is_owner,
             ARRAY (SELECT privilege
                      FROM unnest(ARRAY['DELETE', 'INSERT', 'REFERENCES', 'SELECT', 'TRIGGER',
                                        'TRUNCATE', 'UPDATE']) AS privilege
                     WHERE EXISTS (SELECT 1
                                     FROM pg_roles AS role
                                    WHERE pg_has_role(current_user, role.oid, 'MEMBER')
                                      AND (has_table_privilege(role.oid, event.oid, privilege)
                                           OR CASE WHEN privilege IN ('INSERT', 'REFERENCES',
                                                                      'SELECT', 'UPDATE')
                                                   THEN has_any_column_privilege(
                                                          role.oid, event.oid, privilege)
                                                   ELSE false END))
                     ORDER BY privilege) AS privileges
        FROM pg_class AS event
       WHERE event.oid = 'ledger.event'::regclass
      """;

  private EventGrants() {}

  /** Each way in which the login of that connection may do more or less than it should. */
  static List<String> findings(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(READ);
        ResultSet row = statement.executeQuery()) {
      row.next();
      String role = row.getString("current_user");
      // Either of the two may do everything: the single privileges say nothing more.
      if (row.getBoolean("is_superuser")) {
        return List.of(role + " is a superuser");
      }
      if (row.getBoolean("is_owner")) {
        return List.of(role + " owns ledger.event");
      }
      List<String> held = Arrays.asList((String[]) row.getArray("privileges").getArray());
      List<String> findings = new ArrayList<>();
      held.stream()
          .filter(privilege -> !EXPECTED.contains(privilege))
          .forEach(privilege -> findings.add(role + " holds " + privilege + " on ledger.event"));
      EXPECTED.stream()
          .filter(privilege -> !held.contains(privilege))
          .forEach(privilege -> findings.add(role + " lacks " + privilege + " on ledger.event"));
      return List.copyOf(findings);
    }
  }
}

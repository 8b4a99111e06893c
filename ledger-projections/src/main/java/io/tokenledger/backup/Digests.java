package io.tokenledger.backup;

import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.store.LedgerUnavailable;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/**
 * SHA-256 of every table of truth and of every projection, over the bytes as they are stored: what
 * is sealed stays sealed, so that two ledgers are compared without the subject keys of either.
 */
public final class Digests {

  private Digests() {}

  /**
   * One table.
   *
   * @param sha256 lower-case hexadecimal
   */
  public record Digest(String table, long rows, String sha256) {}

  /**
   * The digests of one moment.
   *
   * @param truth over the tables that cannot be rebuilt, lower-case hexadecimal
   * @param rebuildable over the projections, lower-case hexadecimal
   */
  public record Snapshot(List<Digest> tables, String truth, String rebuildable) {}

  /**
   * Reads every table once.
   *
   * @param owner a login that may read every schema
   * @throws LedgerUnavailable when the database does not answer or holds no ledger
   */
  public static Snapshot of(DatabaseUrl owner) {
    try (Connection connection = snapshot(owner)) {
      TableCopy copy = new TableCopy(connection);
      List<Digest> truth = digests(copy, TableCopy.TRUTH);
      List<Digest> rebuildable = digests(copy, copy.rebuildable());
      List<Digest> all = new ArrayList<>(truth);
      all.addAll(rebuildable);
      return new Snapshot(List.copyOf(all), over(truth), over(rebuildable));
    } catch (SQLException e) {
      throw new LedgerUnavailable("the database " + owner + " cannot be read", e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A connection that sees one moment, without a limit on time. */
  static Connection snapshot(DatabaseUrl owner) throws SQLException {
    DatabaseUrl patient = owner.with("socketTimeout", "0");
    Connection connection =
        DriverManager.getConnection(patient.jdbcUrl(), patient.user(), patient.password());
    connection.setAutoCommit(false);
    connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
    return connection;
  }

  private static List<Digest> digests(TableCopy copy, List<String> tables)
      throws SQLException, IOException {
    List<Digest> digests = new ArrayList<>();
    for (String table : tables) {
      TableCopy.Written written =
          copy.out(table, copy.columns(table), OutputStream.nullOutputStream());
      digests.add(new Digest(table, written.rows(), written.sha256()));
    }
    return digests;
  }

  /** One digest over all of them, by their names. */
  static String over(List<Digest> digests) {
    MessageDigest sha256 = TableCopy.sha256();
    for (Digest each : digests) {
      sha256.update((each.sha256() + " " + each.table() + "\n").getBytes(StandardCharsets.UTF_8));
    }
    return HexFormat.of().formatHex(sha256.digest());
  }
}

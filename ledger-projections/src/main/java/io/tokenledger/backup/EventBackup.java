package io.tokenledger.backup;

import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.store.LedgerUnavailable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestInputStream;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * All that cannot be rebuilt, as one file that any PostgreSQL takes back, of whichever version: the
 * events, their salts and the log, every column as it is stored. A zip of one file a table, as
 * {@code COPY} writes it, and at its end {@value #MANIFEST} with the digest of each.
 */
public final class EventBackup {

  static final String MANIFEST = "manifest.json";
  static final String FORMAT = "token-ledger events v1";

  private static final String PREFIX = "tables/";
  private static final JsonMapper JSON = JsonMapper.shared();

  private static final String TOKEN_ID =
      """
      SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END
        FROM ledger.token_id
      """;

  private static final String EVENTS =
      """
      SELECT count(*)
        FROM ledger.event
      """;

  private static final String CLEAR_SEEDS =
      """
      DELETE FROM audit.tree_head;
      DELETE FROM state.key_check;
      DELETE FROM state.cursor
      """;

  private static final String CONTINUE_SEQUENCES =
      """
      SELECT setval('ledger.token_id', greatest(?, 1), ? > 0),
             setval(pg_get_serial_sequence('ledger.event', 'global_index'),
                    greatest((SELECT max(global_index) FROM ledger.event), 1)),
             setval(pg_get_serial_sequence('audit.anchor', 'id'),
                    greatest((SELECT max(id) FROM audit.anchor), 1))
      """;

  private EventBackup() {}

  /**
   * What a file holds.
   *
   * @param highestTokenId no token had a greater id
   * @param digest over all tables, as {@link Digests.Snapshot#truth} of the database it was read
   *     from
   */
  public record Summary(long events, long highestTokenId, String digest) {}

  /**
   * Writes it, of one moment, in constant memory, beside a server or without.
   *
   * @param owner a login that may read every schema
   * @param to must not exist; appears when it is whole
   * @throws IllegalStateException when it cannot be written
   * @throws LedgerUnavailable when the database does not answer or holds no ledger
   */
  public static Summary write(DatabaseUrl owner, Path to) {
    if (Files.exists(to)) {
      throw new IllegalStateException("--to " + to + " exists: a backup is not overwritten");
    }
    Path target = to.toAbsolutePath().normalize();
    Path fresh = target.resolveSibling("." + target.getFileName() + ".new");
    try (Connection connection = Digests.snapshot(owner)) {
      Files.deleteIfExists(fresh);
      Files.createFile(
          fresh,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      Summary summary;
      try (ZipOutputStream zip =
          new ZipOutputStream(Files.newOutputStream(fresh), StandardCharsets.UTF_8)) {
        summary = write(connection, zip);
      }
      Files.move(fresh, target, StandardCopyOption.ATOMIC_MOVE);
      return summary;
    } catch (SQLException e) {
      throw new LedgerUnavailable("the database " + owner + " cannot be read", e);
    } catch (IOException e) {
      throw new IllegalStateException("--to " + to + " cannot be written: " + e.getMessage(), e);
    }
  }

  private static Summary write(Connection connection, ZipOutputStream zip)
      throws SQLException, IOException {
    TableCopy copy = new TableCopy(connection);
    ObjectNode manifest = JSON.createObjectNode();
    manifest.put("format", FORMAT);
    // Read after the snapshot, so that it is not below what the events hold.
    long highestTokenId = number(connection, TOKEN_ID);
    manifest.put("highest_token_id", highestTokenId);
    ArrayNode tables = manifest.putArray("tables");
    List<Digests.Digest> digests = new ArrayList<>();
    for (String table : TableCopy.TRUTH) {
      zip.putNextEntry(new ZipEntry(PREFIX + table));
      TableCopy.Written written = copy.out(table, copy.columns(table), zip);
      zip.closeEntry();
      ObjectNode each = tables.addObject();
      each.put("table", table);
      written.columns().forEach(each.putArray("columns")::add);
      each.put("rows", written.rows());
      each.put("sha256", written.sha256());
      digests.add(new Digests.Digest(table, written.rows(), written.sha256()));
    }
    String digest = Digests.over(digests);
    manifest.put("digest", digest);
    zip.putNextEntry(new ZipEntry(MANIFEST));
    zip.write((manifest.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8));
    zip.closeEntry();
    return new Summary(digests.get(0).rows(), highestTokenId, digest);
  }

  /** Whether the zip is one of these. */
  static boolean isOne(ZipFile zip) {
    return zip.getEntry(MANIFEST) != null;
  }

  /** What a manifest says of one table. */
  record Table(String name, List<String> columns, String sha256) {}

  /**
   * The tables in the zip.
   *
   * @throws IOException when it is none of these
   */
  static List<Table> tables(ZipFile zip) throws IOException {
    JsonNode manifest = manifest(zip);
    List<Table> tables = new ArrayList<>();
    for (JsonNode each : manifest.path("tables")) {
      List<String> columns = new ArrayList<>();
      each.path("columns").forEach(column -> columns.add(column.asString("")));
      tables.add(
          new Table(each.path("table").asString(""), columns, each.path("sha256").asString("")));
    }
    return tables;
  }

  static long highestTokenId(ZipFile zip) throws IOException {
    return manifest(zip).path("highest_token_id").asLong(0);
  }

  private static JsonNode manifest(ZipFile zip) throws IOException {
    ZipEntry entry = zip.getEntry(MANIFEST);
    if (entry == null) {
      throw new IOException(zip.getName() + " is no backup of events: it has no " + MANIFEST);
    }
    try (InputStream in = zip.getInputStream(entry)) {
      JsonNode manifest = JSON.readTree(in.readAllBytes());
      if (!manifest.path("format").asString("").equals(FORMAT)) {
        throw new IOException(zip.getName() + " is not of the format " + FORMAT);
      }
      return manifest;
    } catch (JacksonException e) {
      throw new IOException(zip.getName() + ": " + MANIFEST + " cannot be read", e);
    }
  }

  static InputStream rows(ZipFile zip, String table) throws IOException {
    ZipEntry entry = zip.getEntry(PREFIX + table);
    if (entry == null) {
      throw new IOException(zip.getName() + " lacks the rows of " + table);
    }
    return zip.getInputStream(entry);
  }

  /**
   * Fills a database whose schema is there and holds no event. All of it or nothing.
   *
   * @param owner the owner's login
   * @throws IllegalStateException when the database holds events, or the file is not what its
   *     manifest says
   * @throws LedgerUnavailable when the database does not answer
   */
  public static Summary read(Path from, DatabaseUrl owner) {
    try (ZipFile zip = new ZipFile(from.toFile(), StandardCharsets.UTF_8);
        Connection connection = Digests.snapshot(owner)) {
      connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
      Summary summary = read(zip, connection);
      connection.commit();
      return summary;
    } catch (SQLException e) {
      throw new LedgerUnavailable("the database " + owner + " cannot be filled", e);
    } catch (IOException e) {
      throw new IllegalStateException("--from " + from + " cannot be read: " + e.getMessage(), e);
    }
  }

  private static Summary read(ZipFile zip, Connection connection) throws SQLException, IOException {
    if (number(connection, EVENTS) != 0) {
      throw new IllegalStateException(
          "the database holds events: give one that holds none, nothing is mixed");
    }
    try (PreparedStatement statement = connection.prepareStatement(CLEAR_SEEDS)) {
      statement.execute();
    }
    TableCopy copy = new TableCopy(connection);
    List<Digests.Digest> digests = new ArrayList<>();
    List<Table> tables = new ArrayList<>(tables(zip));
    Optional<Table> unknown =
        tables.stream().filter(each -> !TableCopy.TRUTH.contains(each.name())).findFirst();
    if (unknown.isPresent()) {
      throw new IllegalStateException(
          "the file holds " + unknown.get().name() + ", which this version does not know");
    }
    tables.sort(Comparator.comparing(each -> TableCopy.TRUTH.indexOf(each.name())));
    for (Table table : tables) {
      try (DigestInputStream rows =
          new DigestInputStream(rows(zip, table.name()), TableCopy.sha256())) {
        long count = copy.in(table.name(), table.columns(), rows);
        rows.transferTo(OutputStream.nullOutputStream());
        String sha256 = HexFormat.of().formatHex(rows.getMessageDigest().digest());
        if (!sha256.equals(table.sha256())) {
          throw new IllegalStateException(
              "the rows of " + table.name() + " are not what the manifest says of them");
        }
        digests.add(new Digests.Digest(table.name(), count, sha256));
      }
    }
    long highestTokenId = highestTokenId(zip);
    try (PreparedStatement statement = connection.prepareStatement(CONTINUE_SEQUENCES)) {
      statement.setLong(1, highestTokenId);
      statement.setLong(2, highestTokenId);
      statement.execute();
    }
    return new Summary(digests.get(0).rows(), highestTokenId, Digests.over(digests));
  }

  private static long number(Connection connection, String sql) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql);
        ResultSet row = statement.executeQuery()) {
      row.next();
      return row.getLong(1);
    }
  }
}

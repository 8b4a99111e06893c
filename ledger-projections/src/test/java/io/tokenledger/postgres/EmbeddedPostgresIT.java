package io.tokenledger.postgres;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedPostgresIT {

  @TempDir Path directory;

  /** A process that starts a server and waits to be killed. */
  static final class OrphanMaker {
    public static void main(String[] args) throws InterruptedException {
      EmbeddedPostgres postgres = EmbeddedPostgres.start(Path.of(args[0]), Path.of(args[1]));
      System.out.println(postgres.pid());
      new CountDownLatch(1).await();
    }
  }

  private EmbeddedPostgres start() throws IOException {
    return EmbeddedPostgres.start(directory, TestPostgres.binaries());
  }

  private static String ask(DatabaseUrl url, String sql) throws SQLException {
    try (Connection connection = TestPostgres.connect(url);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery(sql)) {
      row.next();
      return row.getString(1);
    }
  }

  @Test
  void isDurableChecksummedAndOnLoopbackWithAPasswordOnlyItsOwnerReads() throws Exception {
    try (EmbeddedPostgres postgres = start()) {
      for (var wanted :
          Map.of(
                  "fsync", "on",
                  "synchronous_commit", "on",
                  "full_page_writes", "on",
                  "data_checksums", "on",
                  "listen_addresses", "127.0.0.1",
                  "unix_socket_directories", "",
                  "password_encryption", "scram-sha-256")
              .entrySet()) {
        assertEquals(wanted.getValue(), ask(postgres.url(), "SHOW " + wanted.getKey()));
      }
      assertEquals(
          "rw-------",
          PosixFilePermissions.toString(
              Files.getPosixFilePermissions(directory.resolve("postgres.password"))));
      SQLException refused =
          assertThrows(
              SQLException.class,
              () ->
                  DriverManager.getConnection(
                      postgres.url().jdbcUrl(), postgres.url().user(), "wrong"));
      assertEquals("28P01", refused.getSQLState());
      assertFalse(postgres.url().toString().contains(postgres.url().password()));
    }
  }

  @Test
  void keepsItsRowsOverAStopAndOverAKill() throws Exception {
    try (EmbeddedPostgres postgres = start()) {
      try (Connection connection = TestPostgres.connect(postgres.url());
          Statement statement = connection.createStatement()) {
        statement.execute("CREATE TABLE kept (n int)");
        statement.execute("INSERT INTO kept VALUES (1)");
      }
    }
    EmbeddedPostgres second = start();
    assertFalse(second.adopted());
    try (Connection connection = TestPostgres.connect(second.url());
        Statement statement = connection.createStatement()) {
      statement.execute("INSERT INTO kept VALUES (2)");
    }
    new ProcessBuilder("kill", "-9", Long.toString(second.pid())).start().waitFor();
    second.close();
    try (EmbeddedPostgres third = start()) {
      assertEquals("2", ask(third.url(), "SELECT count(*) FROM kept"));
    }
  }

  @Test
  void refusesASecondUserOfTheDirectory() throws Exception {
    try (EmbeddedPostgres postgres = start()) {
      assertTrue(ProcessHandle.of(postgres.pid()).isPresent());
      DataDirectoryInUse refused = assertThrows(DataDirectoryInUse.class, this::start);
      assertTrue(refused.getMessage().contains(directory.toString()));
    }
  }

  @Test
  void adoptsAServerThatOutlivedItsLedger() throws Exception {
    Process orphaned =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                OrphanMaker.class.getName(),
                directory.toString(),
                TestPostgres.binaries().toString())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    String pid = orphaned.inputReader().readLine();
    new ProcessBuilder("kill", "-9", Long.toString(orphaned.pid())).start().waitFor();
    assertTrue(orphaned.waitFor(10, TimeUnit.SECONDS));
    try (EmbeddedPostgres adopted = start()) {
      assertTrue(adopted.adopted());
      assertEquals(pid, Long.toString(adopted.pid()));
      assertEquals("1", ask(adopted.url(), "SELECT 1"));
    }
    assertFalse(ProcessHandle.of(Long.parseLong(pid)).map(ProcessHandle::isAlive).orElse(false));
  }

  @Test
  void refusesBinariesThatAreNoneInsteadOfTakingOthers() {
    IllegalStateException refused =
        assertThrows(
            IllegalStateException.class,
            () -> EmbeddedPostgres.start(directory, directory.resolve("nowhere")));
    assertTrue(refused.getMessage().startsWith("LEDGER_POSTGRES_BINARIES "), refused.getMessage());
    assertTrue(refused.getMessage().contains("nowhere"), refused.getMessage());
  }

  @Test
  void refusesADirectoryOfAnotherMajorVersionWithAdvice() throws Exception {
    start().close();
    Files.writeString(directory.resolve("postgres/PG_VERSION"), "14\n");
    IllegalStateException refused = assertThrows(IllegalStateException.class, this::start);
    assertTrue(refused.getMessage().contains("was made by PostgreSQL 14"), refused.getMessage());
    assertTrue(refused.getMessage().contains("pg_upgrade"), refused.getMessage());
  }

  @Test
  void saysWhatIsWrongWhenTheServerDoesNotStart() throws Exception {
    start().close();
    Files.writeString(directory.resolve("postgres/postgresql.conf"), "nonsense = 1\n");
    IllegalStateException refused = assertThrows(IllegalStateException.class, this::start);
    assertTrue(refused.getMessage().startsWith("PostgreSQL does not start: "));
  }

  @Test
  void twoThatUnpackAtOnceBothHaveTheBinaries(@TempDir Path directory) {
    Path target = directory.resolve("binaries");
    List<CompletableFuture<Path>> unpacking = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      unpacking.add(
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return PostgresBinaries.unpack(target);
                } catch (IOException e) {
                  throw new java.io.UncheckedIOException(e);
                }
              }));
    }
    unpacking.forEach(each -> assertEquals(target, each.join()));
    assertTrue(PostgresBinaries.isUsable(target));
  }

  @Test
  void whatAStatementWasGivenIsInNoError() throws Exception {
    try (Connection connection = TestPostgres.connect(TestPostgres.freshDatabase());
        Statement statement = connection.createStatement()) {
      statement.execute("CREATE TEMP TABLE said (text text PRIMARY KEY)");
      try (PreparedStatement insert =
          connection.prepareStatement("INSERT INTO said (text) VALUES (?)")) {
        for (int i = 0; i < 2; i++) {
          insert.setString(1, "free text of a person");
          insert.addBatch();
        }
        SQLException failed = assertThrows(SQLException.class, insert::executeBatch);
        for (SQLException each = failed; each != null; each = each.getNextException()) {
          assertFalse(each.getMessage().contains("free text"), each.getMessage());
        }
      }
    }
  }

  @Test
  void readsBothFormsOfADatabaseUrlAndHidesThePassword() {
    DatabaseUrl libpq =
        DatabaseUrl.parse("postgresql://me:p%40ss@db1:5433,db2/ledger?sslmode=require");
    assertEquals("me", libpq.user());
    assertEquals("p@ss", libpq.password());
    assertEquals("ledger", libpq.database());
    assertTrue(libpq.jdbcUrl().startsWith("jdbc:postgresql://db1:5433,db2/ledger?"));
    assertTrue(libpq.jdbcUrl().contains("targetServerType=primary"));
    assertTrue(libpq.jdbcUrl().contains("sslmode=require"));
    assertFalse(libpq.jdbcUrl().contains("p%40ss"));
    assertEquals("postgresql://me:***@db1:5433,db2/ledger", libpq.toString());
    DatabaseUrl jdbc = DatabaseUrl.parse("jdbc:postgresql://h/d?user=u&password=s");
    assertEquals("u", jdbc.user());
    assertEquals("s", jdbc.password());
    for (String bad :
        new String[] {
          "mysql://u:secret@h/d",
          "postgresql://u:secret@h",
          "postgresql://:secret@h/d",
          "postgresql://u@h/d",
          "postgresql://u:secret@/d"
        }) {
      IllegalArgumentException refused =
          assertThrows(IllegalArgumentException.class, () -> DatabaseUrl.parse(bad), bad);
      assertFalse(String.valueOf(refused.getMessage()).contains("secret"));
    }
  }
}

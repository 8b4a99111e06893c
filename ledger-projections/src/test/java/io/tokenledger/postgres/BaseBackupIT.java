package io.tokenledger.postgres;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BaseBackupIT {

  @TempDir Path directory;

  private static void execute(DatabaseUrl url, String sql) throws SQLException {
    try (Connection connection = TestPostgres.connect(url);
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
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
  @Tag("long")
  void aBackupTakenUnderLoadHoldsWhatWasCommittedAndMomentsAfterItAreFoundInTheArchive()
      throws Exception {
    Path data = directory.resolve("data");
    Path backup = directory.resolve("backup");
    Path archive = directory.resolve("archive");
    Instant wanted;
    try (EmbeddedPostgres postgres =
        EmbeddedPostgres.start(data, TestPostgres.binaries(), archive)) {
      execute(postgres.url(), "CREATE TABLE kept (n int GENERATED ALWAYS AS IDENTITY, t text)");
      execute(postgres.url(), "INSERT INTO kept (t) VALUES ('before')");
      AtomicBoolean done = new AtomicBoolean();
      Thread load =
          new Thread(
              () -> {
                while (!done.get()) {
                  try {
                    execute(
                        postgres.url(),
                        "INSERT INTO kept (t) SELECT repeat('x', 500) FROM generate_series(1, 50)");
                  } catch (SQLException e) {
                    throw new IllegalStateException(e);
                  }
                }
              });
      load.start();
      DatabaseUrl running = EmbeddedPostgres.running(data).orElseThrow();
      BaseBackup.Taken taken = BaseBackup.take(running, data, backup);
      done.set(true);
      load.join();
      assertTrue(taken.files() > 100, taken.toString());
      execute(postgres.url(), "INSERT INTO kept (t) VALUES ('wanted')");
      wanted = Instant.parse(ask(postgres.url(), "SELECT to_json(clock_timestamp())#>>'{}'"));
      execute(postgres.url(), "INSERT INTO kept (t) VALUES ('unwanted')");
      assertThrows(
          IllegalStateException.class,
          () -> BaseBackup.take(running, data, backup),
          "a backup is not overwritten");
      String last = ask(postgres.url(), "SELECT pg_walfile_name(pg_current_wal_lsn())");
      execute(postgres.url(), "SELECT pg_switch_wal()");
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
      while (!Files.exists(archive.resolve(last))) {
        assertTrue(System.nanoTime() < end, "archived in time");
        TimeUnit.MILLISECONDS.sleep(20);
      }
    }
    assertTrue(EmbeddedPostgres.running(data).isEmpty());
    assertFalse(Files.exists(backup.resolve("ledger.key")), "keys are backed up apart");

    assertRestored("at-its-end", backup, null, null, "0", "0");
    assertRestored("to-a-moment", backup, archive, wanted, "1", "0");
    assertRestored("to-the-newest", backup, archive, null, "1", "1");

    Path tooLate = directory.resolve("too-late");
    IllegalStateException refused =
        assertThrows(
            IllegalStateException.class,
            () ->
                BaseBackup.restore(
                    backup,
                    tooLate,
                    TestPostgres.binaries(),
                    archive,
                    Instant.now().plusSeconds(3600),
                    url -> {}));
    assertTrue(refused.getMessage().contains("recovery target"), refused.getMessage());
    assertFalse(Files.exists(tooLate.resolve("postgres")), "nothing that could be taken for it");
  }

  private void assertRestored(
      String name, Path backup, Path archive, Instant until, String wanted, String unwanted)
      throws Exception {
    Path data = directory.resolve(name);
    List<String> databases = new ArrayList<>();
    BaseBackup.restore(
        backup,
        data,
        TestPostgres.binaries(),
        archive,
        until,
        url -> {
          assertTrue(Files.exists(data.resolve("restore.unfinished")), "cannot be started yet");
          databases.add(url.database());
        });
    assertEquals(List.of("ledger"), databases, "handed over once");
    try (EmbeddedPostgres postgres = EmbeddedPostgres.start(data, TestPostgres.binaries())) {
      String count = "SELECT count(*) FROM kept WHERE t = ";
      assertEquals("1", ask(postgres.url(), count + "'before'"), name);
      assertEquals(wanted, ask(postgres.url(), count + "'wanted'"), name);
      assertEquals(unwanted, ask(postgres.url(), count + "'unwanted'"), name);
      assertEquals("0", ask(postgres.url(), "SELECT count(*) % 50 FROM kept WHERE t LIKE 'x%'"));
    }
    assertThrows(
        IllegalStateException.class,
        () -> BaseBackup.restore(backup, data, TestPostgres.binaries(), archive, until, url -> {}),
        "a database is not overwritten");
  }

  @Test
  void whatIsNoBackupIsNotRestored() throws Exception {
    Path data = directory.resolve("data");
    Path empty = Files.createDirectories(directory.resolve("empty"));
    assertThrows(
        IllegalStateException.class,
        () -> BaseBackup.restore(empty, data, TestPostgres.binaries(), null, null, url -> {}));
    assertThrows(
        IllegalStateException.class,
        () ->
            BaseBackup.restore(
                empty, data, TestPostgres.binaries(), null, Instant.now(), url -> {}));
    assertFalse(Files.exists(data.resolve("postgres")));
    assertThrows(IllegalStateException.class, () -> EmbeddedPostgres.running(empty));
  }

  @Test
  void aRestoreThatWasBrokenOffIsNoDatabase() throws Exception {
    Files.createFile(directory.resolve("restore.unfinished"));
    IllegalStateException refused =
        assertThrows(
            IllegalStateException.class,
            () -> EmbeddedPostgres.start(directory, TestPostgres.binaries()));
    assertTrue(refused.getMessage().contains("broken off"), refused.getMessage());
  }

  @Test
  void anArchiveThatAShellWouldMisreadIsRefused() {
    for (String name : new String[] {"it's", "100%"}) {
      assertThrows(
          IllegalArgumentException.class, () -> WalArchive.restoring(directory.resolve(name)));
    }
  }
}

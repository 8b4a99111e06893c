package io.tokenledger.ledger;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tokenledger.backup.EventBackup;
import io.tokenledger.lookup.FoundToken.State;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.EmbeddedPostgres;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.token.Actor;
import io.tokenledger.token.SecretHash;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A server of one's own, with its own {@code pg_basebackup}, restored in its place while the node
 * keeps its memory: Debian's PostgreSQL 15, the oldest that the ledger takes.
 */
@Tag("long")
class ExternalRestoreIT {

  private static final Path INSTALLED = Path.of("/usr/lib/postgresql/15");

  @TempDir Path directory;

  @Test
  void aNodeThatKeptItsMemorySeesThatTheServerWasRestoredToBeforeARevocation() throws Exception {
    assertTrue(
        Files.isExecutable(INSTALLED.resolve("bin/pg_basebackup")),
        "install postgresql-15, as .ci/run does");
    Path keys = directory.resolve("keys");
    Path data = directory.resolve("server");
    Path base = directory.resolve("base");
    Path events = directory.resolve("events.zip");
    SecretHash leaked = TestLedger.newHash();
    SecretHash kept = TestLedger.newHash();
    try (EmbeddedPostgres server = EmbeddedPostgres.start(data, INSTALLED)) {
      try (Ledger ledger = TestLedger.open(server.url(), keys)) {
        TestLedger.create(ledger, "leaked", leaked, "db:a:read").join();
        TestLedger.create(ledger, "kept", kept, "db:a:read").join();
        awaitSigned(ledger, 2);
        baseBackup(server.url(), base);
        TestLedger.revoke(ledger, "leaked").join();
        awaitSigned(ledger, 3);
      }
      EventBackup.write(server.url(), events);
    }
    Path restored = Files.createDirectories(directory.resolve("restored"));
    Files.move(base, restored.resolve("postgres"));
    Files.copy(
        data.resolve("postgres.password"),
        restored.resolve("postgres.password"),
        StandardCopyOption.COPY_ATTRIBUTES);
    try (EmbeddedPostgres server = EmbeddedPostgres.start(restored, INSTALLED)) {
      try (Ledger ledger = TestLedger.open(server.url(), keys)) {
        assertEquals(State.LIVE, state(ledger, leaked), "the lookup would let it in");
        assertNotNull(ledger.restored());
      }
      try (RestoreAcceptance acceptance = TestLedger.acceptance(server.url(), keys)) {
        RestoreAcceptance.Shown shown = acceptance.show(List.of(events));
        assertEquals(1, shown.absentLeaves());
        assertEquals("test/log/2", acceptance.accept(shown, TestLedger.context(Actor.SYSTEM)));
      }
      try (Ledger ledger = TestLedger.open(server.url(), keys)) {
        assertNull(ledger.restored());
        assertEquals(State.REVOKED, state(ledger, leaked));
        assertEquals(State.LIVE, state(ledger, kept));
      }
    }
  }

  private static State state(Ledger ledger, SecretHash hash) {
    return ledger.lookup().find(hash).orElseThrow().state(System.currentTimeMillis());
  }

  private static void awaitSigned(Ledger ledger, long size) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (ledger.log().newest().map(CheckpointTable.Signed::size).orElse(0L) < size) {
      assertTrue(System.nanoTime() < end, "signed in time");
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  /** As the runbook says. */
  private void baseBackup(DatabaseUrl url, Path to) throws Exception {
    URI server = URI.create(url.jdbcUrl().substring("jdbc:".length()));
    Path password = directory.resolve("pgpass");
    Files.writeString(password, "*:*:*:*:" + url.password() + "\n", StandardOpenOption.CREATE_NEW);
    Files.setPosixFilePermissions(password, PosixFilePermissions.fromString("rw-------"));
    ProcessBuilder command =
        new ProcessBuilder(
                INSTALLED.resolve("bin/pg_basebackup").toString(),
                "-h",
                server.getHost(),
                "-p",
                Integer.toString(server.getPort()),
                "-U",
                url.user(),
                "-D",
                to.toString(),
                "-X",
                "stream",
                "-c",
                "fast")
            .redirectErrorStream(true);
    command.environment().put("PGPASSFILE", password.toString());
    Process process = command.start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), said);
  }
}

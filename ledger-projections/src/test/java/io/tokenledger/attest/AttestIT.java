package io.tokenledger.attest;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.audit.EventType;
import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.ledger.TestLedger;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.postgres.TestPostgres;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.signing.SigningKeys;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.VerifierKey;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real ledger, whose checkpoints a real witness signs and {@code openssl ts} timestamps. */
class AttestIT {

  @TempDir Path directory;
  private final List<HttpServer> servers = new ArrayList<>();
  private final SimpleMeterRegistry meters = new SimpleMeterRegistry();

  @AfterEach
  void stop() {
    servers.forEach(server -> server.stop(0));
  }

  private record Reply(int status, byte[] body) {}

  private String serve(Function<byte[], Reply> program) throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/",
        exchange -> {
          try (exchange) {
            Reply reply = program.apply(exchange.getRequestBody().readAllBytes());
            exchange.sendResponseHeaders(reply.status(), reply.body().length);
            exchange.getResponseBody().write(reply.body());
          }
        });
    server.start();
    servers.add(server);
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  private String serve(Supplier<Witness> witness) throws IOException {
    return serve(
        body -> {
          Witness.Answer answer =
              witness.get().addCheckpoint(new String(body, StandardCharsets.UTF_8));
          return new Reply(answer.status(), answer.body().getBytes(StandardCharsets.UTF_8));
        });
  }

  private Witness witness(String state) {
    return new Witness(
        SigningKeys.loadOrCreate(List.of(directory.resolve("witness.key")), "--key-file"),
        "w/1",
        SigningKeys.loadOrCreate(List.of(directory.resolve("signing.key")))
            .verifierKeys("test/log/1"),
        directory.resolve(state),
        Clock.systemUTC());
  }

  private static <T> T await(String what, Supplier<Optional<T>> condition)
      throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (true) {
      Optional<T> found = condition.get();
      if (found.isPresent()) {
        return found.get();
      }
      assertTrue(System.nanoTime() < end, what);
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  private static CheckpointTable.Signed cosigned(Ledger ledger, long size, VerifierKey key)
      throws InterruptedException {
    return await(
        "cosigned from " + size + " leaves on",
        () ->
            ledger
                .log()
                .newest()
                .filter(each -> each.size() >= size && each.note().isSignedBy(key)));
  }

  private static void create(Ledger ledger, int from, int to) {
    for (int i = from; i < to; i++) {
      TestLedger.create(ledger, "t" + i, TestLedger.newHash(), "db:a:read").join();
    }
  }

  @Test
  void everyCheckpointIsSentToTheWitnessAndItsSignatureShown() throws Exception {
    DatabaseUrl database = TestPostgres.freshDatabase();
    try (Witness witness = witness("witness")) {
      WitnessTarget target =
          WitnessTarget.parse(serve(() -> witness) + "/=" + witness.verifierKey());
      try (Ledger ledger =
          TestLedger.openAttested(database, directory, List.of(target), null, meters)) {
        create(ledger, 0, 3);
        cosigned(ledger, 3, witness.verifierKey());
        create(ledger, 3, 9);
        CheckpointTable.Signed signed = cosigned(ledger, 9, witness.verifierKey());
        assertEquals(
            signed.note().text(),
            witness.newest(Witness.fileName("test/log/1")).orElseThrow().text());
        assertEquals(0, meters.get("ledger.witness.lag").tag("witness", "w/1").gauge().value());
      }
      // A node that starts knows nothing of what the witness remembers.
      try (Ledger ledger =
          TestLedger.openAttested(database, directory, List.of(target), null, meters)) {
        create(ledger, 9, 12);
        cosigned(ledger, 12, witness.verifierKey());
      }
    }
  }

  /** As after {@code kill -9} between the sync to disk and the answer: signed, and nobody heard. */
  @Test
  void anAnswerThatAWitnessDiedWithIsAskedForAgainFromTheSizeItRemembers() throws Exception {
    AtomicReference<Witness> witness = new AtomicReference<>(witness("witness"));
    VerifierKey key = witness.get().verifierKey();
    List<Integer> statuses = Collections.synchronizedList(new ArrayList<>());
    String url =
        serve(
            body -> {
              Witness.Answer answer =
                  witness.get().addCheckpoint(new String(body, StandardCharsets.UTF_8));
              statuses.add(answer.status());
              if (statuses.size() == 1) {
                witness.get().close();
                witness.set(witness("witness"));
                throw new UncheckedIOException(new IOException("dead"));
              }
              return new Reply(answer.status(), answer.body().getBytes(StandardCharsets.UTF_8));
            });
    try (Ledger ledger =
        TestLedger.openAttested(
            TestPostgres.freshDatabase(),
            directory,
            List.of(WitnessTarget.parse(url + "=" + key)),
            null,
            meters)) {
      create(ledger, 0, 3);
      cosigned(ledger, 3, key);
      assertEquals(List.of(200, 409, 200), statuses.subList(0, 3));
    } finally {
      witness.get().close();
    }
  }

  /** Under load the newest has no line yet: what is shown has, and never goes back. */
  @Test
  void whatIsShownHasTheWitnessesLinesWhileThereIsLoadAndNeverGoesBack() throws Exception {
    try (Witness witness = witness("witness")) {
      AtomicBoolean away = new AtomicBoolean();
      String url =
          serve(
              body -> {
                if (away.get()) {
                  return new Reply(503, new byte[0]);
                }
                Witness.Answer answer =
                    witness.addCheckpoint(new String(body, StandardCharsets.UTF_8));
                return new Reply(answer.status(), answer.body().getBytes(StandardCharsets.UTF_8));
              });
      WitnessTarget target = WitnessTarget.parse(url + "=" + witness.verifierKey());
      DatabaseUrl database = TestPostgres.freshDatabase();
      try (Ledger ledger =
          TestLedger.openAttested(database, directory, List.of(target), null, meters)) {
        create(ledger, 0, 1);
        cosigned(ledger, 1, witness.verifierKey());
        int made = 1;
        long before = 0;
        int behind = 0;
        for (int round = 0; round < 6; round++) {
          int to = made + 20;
          create(ledger, made, to);
          made = to;
          await("signed", () -> ledger.log().newest().filter(each -> each.size() >= to));
          CheckpointTable.Signed shown = ledger.log().shown().orElseThrow();
          assertTrue(shown.note().isSignedBy(witness.verifierKey()), shown.note().toString());
          assertTrue(shown.size() >= before, shown.size() + " after " + before);
          before = shown.size();
          behind += ledger.log().newest().orElseThrow().size() > shown.size() ? 1 : 0;
        }
        assertTrue(behind > 0, "the newest was never ahead: there was no load");

        away.set(true);
        int to = made + 5;
        create(ledger, made, to);
        CheckpointTable.Signed newest =
            await("signed", () -> ledger.log().newest().filter(each -> each.size() >= to));
        CheckpointTable.Signed held = ledger.log().shown().orElseThrow();
        assertTrue(held.size() < newest.size(), "it waits for its witness");
        assertEquals(
            held.note().text(),
            ledger.log().proof(0, null).orElseThrow().checkpoint().text(),
            "proofs are under what is shown");
        assertEquals(
            newest.note().text(),
            ledger.log().proof(to - 1, null).orElseThrow().checkpoint().text(),
            "and under the newest where only that covers the event");
        try (Connection connection = TestPostgres.connect(database)) {
          age(connection, "5");
          assertEquals(held.size(), ledger.log().shown().orElseThrow().size());
          age(connection, "10");
          assertEquals(newest.size(), ledger.log().shown().orElseThrow().size());
        }
      }
    }
  }

  /** Lets the newest checkpoint have been signed so many seconds ago. */
  private static void age(Connection connection, String seconds) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      assertEquals(
          1,
          statement.executeUpdate(
              "UPDATE audit.checkpoint SET signed_at = clock_timestamp() - interval '"
                  + seconds
                  + "s' WHERE size = (SELECT max(size) FROM audit.checkpoint)"));
    }
  }

  @Test
  void aWitnessThatSeesAnotherHistoryRefusesAndSigningGoesOn() throws Exception {
    try (Witness witness = witness("witness")) {
      String url = serve(() -> witness);
      WitnessTarget target = WitnessTarget.parse(url + "=" + witness.verifierKey());
      DatabaseUrl first = TestPostgres.freshDatabase();
      try (Ledger ledger =
          TestLedger.openAttested(first, directory, List.of(target), null, meters)) {
        create(ledger, 0, 4);
        cosigned(ledger, 4, witness.verifierKey());
      }
      // The operator begins again with the same key, and hides what was.
      try (var files = Files.list(directory.resolve("state"))) {
        for (Path file : files.toList()) {
          Files.delete(file);
        }
      }
      AtomicInteger refusals = new AtomicInteger();
      WitnessTarget counted =
          WitnessTarget.parse(
              serve(
                      body -> {
                        Witness.Answer answer =
                            witness.addCheckpoint(new String(body, StandardCharsets.UTF_8));
                        if (answer.status() == 422) {
                          refusals.incrementAndGet();
                        }
                        return new Reply(
                            answer.status(), answer.body().getBytes(StandardCharsets.UTF_8));
                      })
                  + "="
                  + witness.verifierKey());
      try (Ledger ledger =
          TestLedger.openAttested(
              TestPostgres.freshDatabase(), directory, List.of(counted), null, meters)) {
        create(ledger, 0, 6);
        await("refused", () -> refusals.get() > 0 ? Optional.of(true) : Optional.empty());
        create(ledger, 6, 8);
        CheckpointTable.Signed signed =
            await("signed", () -> ledger.log().newest().filter(each -> each.size() >= 8));
        assertTrue(!signed.note().isSignedBy(witness.verifierKey()));
        // The event's own checkpoint was refused as well, and made no further event.
        await("refused again", () -> refusals.get() > 2 ? Optional.of(true) : Optional.empty());
        List<AuditEntry> events = entries(ledger, EventType.WITNESS_REFUSED);
        assertEquals(1, events.size(), events.toString());
        assertEquals(422, events.get(0).payload().get("status").intValue());
        assertEquals("failed", events.get(0).outcome());
      }
      assertEquals(
          4,
          Checkpoint.parse(witness.newest(Witness.fileName("test/log/1")).orElseThrow().text())
              .size());
    }
  }

  private static List<AuditEntry> entries(Ledger ledger, EventType type) {
    return ledger.audit().search(AuditQuery.newest(type.action(), 10)).entries();
  }

  private String run(String... command) {
    try {
      Process process =
          new ProcessBuilder(command)
              .directory(directory.toFile())
              .redirectErrorStream(true)
              .start();
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return process.waitFor() + " " + said;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** A certificate authority and a time-stamping one under it, as {@code openssl ts} wants them. */
  private void makeAuthority() throws IOException {
    Files.writeString(
        directory.resolve("tsa.cnf"),
        """
        [tsa]
        default_tsa = tsa1
        [tsa1]
        serial = serial
        crypto_device = builtin
        signer_cert = tsa.pem
        signer_key = tsa.key
        signer_digest = sha256
        default_policy = 1.2.3.4.1
        digests = sha256
        accuracy = secs:1
        ess_cert_id_alg = sha256
        [ext]
        extendedKeyUsage = critical,timeStamping
        """);
    for (List<String> command :
        List.of(
            List.of(
                "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2"
                    + " -subj /CN=ca"),
            List.of(
                "openssl req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=tsa"),
            List.of(
                "openssl x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out"
                    + " tsa.pem -days 2 -extfile tsa.cnf -extensions ext"))) {
      String said = run(command.get(0).split(" "));
      assertTrue(said.startsWith("0 "), said);
    }
  }

  private Reply stamp(byte[] query) {
    try {
      Files.write(directory.resolve("query.tsq"), query);
      String said =
          run(
              "openssl",
              "ts",
              "-reply",
              "-config",
              "tsa.cnf",
              "-queryfile",
              "query.tsq",
              "-out",
              "reply.tsr");
      assertTrue(said.startsWith("0 "), said);
      return new Reply(200, Files.readAllBytes(directory.resolve("reply.tsr")));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private String verify(String note) throws IOException {
    Files.writeString(directory.resolve("note"), note);
    return run(
        "openssl", "ts", "-verify", "-data", "note", "-in", "stored.tsr", "-CAfile", "ca.pem");
  }

  private static AnchorTable.Anchor anchored(Ledger ledger) throws InterruptedException {
    return await(
        "anchored",
        () -> {
          long size = ledger.log().newest().map(CheckpointTable.Signed::size).orElse(0L);
          for (long each = size; each > 0; each--) {
            List<AnchorTable.Anchor> found = ledger.log().anchors(each);
            if (!found.isEmpty()) {
              return Optional.of(found.get(0));
            }
          }
          return Optional.empty();
        });
  }

  @Test
  @Tag("client")
  void theNewestCheckpointIsTimestampedAndOpensslAgrees() throws Exception {
    makeAuthority();
    AtomicInteger asked = new AtomicInteger();
    String url =
        serve(
            query -> {
              asked.incrementAndGet();
              return stamp(query);
            });
    TimestampTarget target = TimestampTarget.parse(url, Duration.ofHours(1));
    DatabaseUrl database = TestPostgres.freshDatabase();
    try (Ledger ledger = TestLedger.openAttested(database, directory, List.of(), target, meters)) {
      create(ledger, 0, 5);
      AnchorTable.Anchor anchor = anchored(ledger);
      assertEquals("rfc3161", anchor.kind());
      assertEquals(url, anchor.reference());
      Files.write(directory.resolve("stored.tsr"), anchor.receipt());
      String good = verify(anchor.note());
      assertTrue(good.startsWith("0 ") && good.contains("Verification: OK"), good);
      String flipped = anchor.note().replaceFirst("test", "tess");
      assertNotEquals(anchor.note(), flipped);
      String bad = verify(flipped);
      assertTrue(bad.startsWith("1 ") && bad.contains("FAILED"), bad);
      AuditEntry event = entries(ledger, EventType.CHECKPOINT_ANCHORED).get(0);
      assertEquals(
          "{\"kind\":\"rfc3161\",\"size\":"
              + anchor.size()
              + ",\"root\":\""
              + Checkpoint.parse(SignedNote.parse(anchor.note()).text()).root().hex()
              + "\",\"reference\":\""
              + url
              + "\"}",
          event.payload().toString());
      assertOneCommit(database, event.eventId());
      try (Connection connection = TestPostgres.connect(database)) {
        long own = event.leafIndex();
        assertFalse(
            AnchorTable.hasOthers(connection, own, own + 1), "a stamp's event asks for no stamp");
        create(ledger, 5, 8);
        await("signed", () -> ledger.log().newest().filter(each -> each.size() >= own + 4));
        assertTrue(AnchorTable.hasOthers(connection, own, own + 4));
      }
      assertEquals(1, asked.get(), "once an hour");
      assertEquals(1, entries(ledger, EventType.CHECKPOINT_ANCHORED).size());
    }
  }

  /** Neither is there without the other, wherever the node dies. */
  private static void assertOneCommit(DatabaseUrl database, String eventId) throws SQLException {
    try (Connection connection = TestPostgres.connect(database);
        Statement statement = connection.createStatement();
        ResultSet row =
            statement.executeQuery(
                "SELECT count(*) FROM audit.anchor AS anchor JOIN ledger.event AS event"
                    + " ON event.xmin = anchor.xmin WHERE event.event_id = '"
                    + eventId
                    + "'")) {
      row.next();
      assertEquals(1, row.getInt(1));
    }
  }

  @Test
  @Tag("client")
  void anAnswerOverSomethingElseIsNotKept() throws Exception {
    makeAuthority();
    String elsewhere =
        run("openssl", "ts", "-query", "-data", "tsa.cnf", "-sha256", "-cert", "-out", "q0.tsq");
    assertTrue(elsewhere.startsWith("0 "), elsewhere);
    byte[] other = Files.readAllBytes(directory.resolve("q0.tsq"));
    AtomicInteger asked = new AtomicInteger();
    String url =
        serve(
            query -> {
              Reply reply = stamp(other);
              asked.incrementAndGet();
              return reply;
            });
    TimestampTarget target = TimestampTarget.parse(url, Duration.ofSeconds(1));
    try (Ledger ledger =
        TestLedger.openAttested(
            TestPostgres.freshDatabase(), directory, List.of(), target, meters)) {
      create(ledger, 0, 2);
      await("asked again", () -> asked.get() > 1 ? Optional.of(true) : Optional.empty());
      for (long size = 0; size <= 2; size++) {
        assertEquals(List.of(), ledger.log().anchors(size));
      }
    }
  }
}

package io.tokenledger.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import io.tokenledger.attest.Witness;
import io.tokenledger.server.BindAddress;
import io.tokenledger.server.TestServer;
import io.tokenledger.server.WitnessListener;
import io.tokenledger.signing.SigningKeys;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Three parties as in life: a ledger, a witness, and an auditor who demands its signature. */
class WatchIT {

  private static final String ORIGIN = "token-ledger/1";

  @TempDir Path directory;

  @Test
  void anAuditorFollowsAWitnessedLedger() throws Exception {
    SigningKeys log = SigningKeys.loadOrCreate(List.of(directory.resolve("signing.key")));
    try (Witness witness =
            new Witness(
                SigningKeys.loadOrCreate(List.of(directory.resolve("w.key")), "--key-file"),
                "w/1",
                log.verifierKeys(ORIGIN),
                directory.resolve("witness"),
                Clock.systemUTC());
        WitnessListener listener =
            new WitnessListener(witness, BindAddress.parse("--bind", "127.0.0.1:0"));
        TestServer server =
            new TestServer(
                directory.resolve("data"),
                Map.of(
                    "LEDGER_SIGNING_KEY_FILE",
                    directory.resolve("signing.key").toString(),
                    "LEDGER_TRUST_CHECKPOINT",
                    "none",
                    "LEDGER_WITNESSES",
                    listener.url() + "=" + witness.verifierKey()))) {
      server.bootstrap("first");
      Path policy =
          Files.writeString(
              directory.resolve("policy"),
              "log "
                  + log.verifierKeys(ORIGIN).get(0)
                  + "\nwitness w1 "
                  + witness.verifierKey()
                  + "\nquorum w1\n");
      for (int i = 0; i < 3; i++) {
        String made =
            server
                .send(
                    "POST",
                    "/api/v3/enterprise/configure/token",
                    "watch-" + i,
                    "{\"token_name\":\"w"
                        + i
                        + "\",\"permissions\":[{\"resource_type\":\"db\",\"resource_names\":"
                        + "[\"a\"],\"actions\":[\"read\"]}]}")
                .body();
        assertFalse(made.isEmpty());
        assertEquals(
            0,
            LedgerCli.run(
                "audit",
                "watch",
                "--once",
                "--state",
                directory.resolve("notebook").toString(),
                "--policy",
                policy.toString(),
                "--host",
                server.url(),
                "--token",
                server.operator()));
      }
      assertFalse(Files.exists(directory.resolve("notebook/evidence.json")));
    }
  }
}

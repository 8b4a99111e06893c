package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

class ServeCommandTest {

  private static ServeOptions options(Map<String, String> environment, String... arguments) {
    ServeCommand command = new ServeCommand(environment);
    new CommandLine(command).parseArgs(arguments);
    return command.options();
  }

  @Test
  void theDefaultsAreTheSafeOnes() {
    ServeOptions options = options(Map.of());
    assertEquals(new BindAddress("127.0.0.1", 8181), options.httpBind());
    assertEquals(Path.of(".ledger/data"), options.dataDir());
    assertEquals(Path.of(".ledger/data/ledger.key"), options.ledgerKeyFile());
    assertEquals(Path.of(".ledger/data/subject-keys"), options.subjectKeyStore());
    assertEquals(List.of(Path.of(".ledger/data/signing.key")), options.signingKeyFiles());
    assertEquals(Path.of(".ledger/data/state"), options.stateDir());
    assertNull(options.trustCheckpoint());
    assertEquals("token-ledger", options.logOrigin());
    assertNull(options.databaseUrl());
    assertNull(options.recoveryBind());
    assertNull(options.tlsCert());
    assertTrue(options.disableAuthz().isEmpty());
    assertTrue(options.trustedProxies().isEmpty());
    assertFalse(options.withoutAuth());
    assertFalse(options.allowRemoteBootstrap());
    assertFalse(options.separateDuties());
  }

  @Test
  void dutiesAreSeparatedByFlagOrByOurOwnVariableOnly() {
    assertTrue(options(Map.of(), "--separate-duties").separateDuties());
    assertTrue(options(Map.of("LEDGER_SEPARATE_DUTIES", "true")).separateDuties());
    assertFalse(options(Map.of("INFLUXDB3_SEPARATE_DUTIES", "true")).separateDuties());
  }

  @Test
  void aRotationNamesTwoSigningKeysAndANodeThatNeverSignsNone() {
    assertEquals(
        List.of(Path.of("old.key"), Path.of("new.key")),
        options(Map.of(), "--signing-key-file", "old.key, new.key").signingKeyFiles());
    assertEquals(List.of(), options(Map.of("LEDGER_SIGNING_KEY_FILE", "none")).signingKeyFiles());
  }

  @Test
  void theFlagsKeepTheirNames() {
    Set<String> names = new TreeSet<>();
    new CommandLine(new ServeCommand(Map.of()))
        .getCommandSpec()
        .options()
        .forEach(option -> names.add(option.longestName()));
    assertEquals(
        new TreeSet<>(
            Set.of(
                "--admin-token-file",
                "--admin-token-recovery-http-bind",
                "--allow-remote-bootstrap",
                "--archive",
                "--archive-interval",
                "--data-dir",
                "--database-url",
                "--disable-authz",
                "--exit-when-ready",
                "--help",
                "--http-bind",
                "--ledger-key-file",
                "--log-origin",
                "--no-secret-replay",
                "--node-id",
                "--notice-webhook",
                "--notice-webhook-secret-file",
                "--permission-tokens-file",
                "--signing-key-file",
                "--state-dir",
                "--separate-duties",
                "--sinks",
                "--subject-key-store",
                "--timestamp-authority",
                "--timestamp-interval",
                "--tls-cert",
                "--tls-key",
                "--trust-checkpoint",
                "--trusted-proxies",
                "--version",
                "--wal-archive",
                "--without-auth",
                "--witness")),
        names);
  }

  @Test
  void everySettingIsToldToTheAuditAndNoSecret() throws Exception {
    Path secret =
        Files.writeString(
            Files.createTempFile("secret", ".txt"), "whsec_" + "c2VjcmV0".repeat(4) + "\n");
    Map<String, String> settings =
        options(
                Map.of(),
                "--database-url",
                "postgresql://owner:p%40ss@db1/tokens",
                "--notice-webhook",
                "https://user:pw@hooks.example:8443/ledger?key=hidden",
                "--notice-webhook-secret-file",
                secret.toString(),
                "--timestamp-authority",
                "https://tsa.example/tsr?key=hidden",
                "--trusted-proxies",
                "10.0.0.0/8,::1")
            .settings();
    Files.delete(secret);
    Set<String> flags = new TreeSet<>();
    new CommandLine(new ServeCommand(Map.of()))
        .getCommandSpec()
        .options()
        .forEach(option -> flags.add(option.longestName()));
    flags.removeAll(Set.of("--help", "--version", "--exit-when-ready"));
    assertEquals(flags, new TreeSet<>(settings.keySet()));
    assertEquals("https://hooks.example:8443", settings.get("--notice-webhook"));
    assertEquals("10.0.0.0/8,0:0:0:0:0:0:0:1/128", settings.get("--trusted-proxies"));
    for (String hidden : new String[] {"p@ss", "p%40ss", "c2VjcmV0", "pw@", "hidden"}) {
      assertFalse(settings.toString().contains(hidden), hidden);
    }
  }

  @Test
  void witnessesAreRepeatedOrListedAndWhatIsNoneIsRefused() {
    String key = "w/1+5c6e9eb9+BN1zKbmy7w5cD7fPgI5Fj1zDZ6rZ4H8tqkFEN2Tw7iYL";
    String problem =
        assertThrows(
                IllegalArgumentException.class,
                () -> options(Map.of("LEDGER_WITNESSES", "https://w.example=" + key)))
            .getMessage();
    assertTrue(problem.startsWith("--witness: "), problem);
    for (String wrong :
        new String[] {"https://w.example", "ftp://w.example=k", "https://u:p@w.example=k"}) {
      assertThrows(
          IllegalArgumentException.class, () -> options(Map.of(), "--witness", wrong), wrong);
    }
    for (String interval : new String[] {"0", "900ms", "soon"}) {
      assertThrows(
          IllegalArgumentException.class,
          () ->
              options(
                  Map.of("LEDGER_TIMESTAMP_AUTHORITY", "http://tsa.example"),
                  "--timestamp-interval",
                  interval));
    }
    ServeOptions defaults = options(Map.of("LEDGER_TIMESTAMP_AUTHORITY", "http://tsa.example"));
    assertEquals(
        java.time.Duration.ofHours(1),
        java.util.Objects.requireNonNull(defaults.timestampAuthority()).interval());
    assertEquals(List.of(), defaults.witnesses());
  }

  @Test
  void aFlagWinsOverOurVariableAndThatOverInfluxDbs() {
    Map<String, String> both =
        Map.of("LEDGER_HTTP_BIND", "127.0.0.1:2", "INFLUXDB3_HTTP_BIND_ADDR", "127.0.0.1:3");
    assertEquals(1, options(both, "--http-bind", "127.0.0.1:1").httpBind().port());
    assertEquals(2, options(both).httpBind().port());
    assertEquals(3, options(Map.of("INFLUXDB3_HTTP_BIND_ADDR", "127.0.0.1:3")).httpBind().port());
  }

  @Test
  void whatWeakensSecurityIsReadOnlyFromOurOwnVariables() {
    ServeOptions options =
        options(
            Map.of(
                "INFLUXDB3_WITHOUT_AUTH", "true",
                "INFLUXDB3_START_WITHOUT_AUTH", "true",
                "INFLUXDB3_ADMIN_TOKEN_RECOVERY_HTTP_BIND", "127.0.0.1:8182",
                "INFLUXDB3_ADMIN_TOKEN_RECOVERY_HTTP_BIND_ADDR", "127.0.0.1:8182",
                "INFLUXDB3_DISABLE_AUTHZ", "health"));
    assertFalse(options.withoutAuth());
    assertNull(options.recoveryBind());
    assertTrue(options.disableAuthz().isEmpty());
    assertTrue(options(Map.of("LEDGER_WITHOUT_AUTH", "true")).withoutAuth());
  }

  @Test
  void theRecoveryPortIsForThisMachineOnly() {
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class,
            () -> options(Map.of(), "--admin-token-recovery-http-bind", "0.0.0.0:8182"));
    assertTrue(refused.getMessage().contains("must be a loopback address"), refused.getMessage());
  }

  @Test
  void aWebhookNeedsAUrlAndASecretAndTheErrorDoesNotRepeatIt() throws Exception {
    Path secret = Files.writeString(Files.createTempFile("secret", ".txt"), "whsec_c2hvcnQ=");
    for (String[] arguments :
        new String[][] {
          {"--notice-webhook", "http://127.0.0.1:1/"},
          {"--notice-webhook-secret-file", secret.toString()},
          {
            "--notice-webhook",
            "ftp://127.0.0.1/",
            "--notice-webhook-secret-file",
            secret.toString()
          },
          {
            "--notice-webhook",
            "http://127.0.0.1:1/",
            "--notice-webhook-secret-file",
            secret.toString()
          }
        }) {
      IllegalArgumentException refused =
          assertThrows(IllegalArgumentException.class, () -> options(Map.of(), arguments));
      assertTrue(refused.getMessage().contains("--notice-webhook"), refused.getMessage());
      assertFalse(refused.getMessage().contains("c2hvcnQ"), refused.getMessage());
    }
    Files.delete(secret);
  }

  @Test
  void theRecoveryPortHasADefaultWhenItIsAskedForBare() {
    assertEquals(
        new BindAddress("127.0.0.1", 8182),
        options(Map.of(), "--admin-token-recovery-http-bind").recoveryBind());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--http-bind | 8181 | --http-bind must be HOST:PORT",
        "--http-bind | h:65536 | --http-bind must be HOST:PORT",
        "--disable-authz | health,disk | invalid value passed in for --disable-authz",
        "--disable-authz | ping,ping,ping,ping,ping,ping,ping | --disable-authz cannot take more",
        "--trusted-proxies | 10.0.0.0/33 | --trusted-proxies must list networks",
        "--trusted-proxies | proxy.example | --trusted-proxies must list networks",
        "--tls-cert | cert.pem | --tls-cert and --tls-key go together",
        "--database-url | mysql://h/d | --database-url: the database URL must start with"
      })
  void aBadValueStopsTheStartNamingTheFlag(String flag, String value, String message) {
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> options(Map.of(), flag, value));
    assertTrue(String.valueOf(refused.getMessage()).startsWith(message), refused.getMessage());
  }

  @Test
  void networksHoldTheirAddresses() {
    Network network = Network.parse("--trusted-proxies", "10.1.0.0/15");
    assertTrue(network.contains("10.0.255.255") || network.contains("10.1.255.255"));
    assertFalse(network.contains("10.2.0.0"));
    assertFalse(network.contains("::1"));
    assertTrue(Network.parse("--trusted-proxies", "::1").contains("::1"));
  }
}

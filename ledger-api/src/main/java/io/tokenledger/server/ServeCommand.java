package io.tokenledger.server;

import io.tokenledger.archive.ArchiveTarget;
import io.tokenledger.attest.TimestampTarget;
import io.tokenledger.attest.WitnessTarget;
import io.tokenledger.notices.NoticeTarget;
import io.tokenledger.postgres.DataDirectoryInUse;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.sink.SinkTarget;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.token.HumanDuration;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import org.springframework.boot.web.server.PortInUseException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * {@code ledger serve}. A flag wins over its {@code LEDGER_} variable, which wins over InfluxDB's
 * own; what weakens security is never read from InfluxDB's variables, because they may stand in an
 * environment for another program.
 */
@Command(
    name = "serve",
    description = "Runs a node of the ledger.",
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  ledger serve                          embedded PostgreSQL under ./.ledger/data",
      "  ledger serve --database-url postgresql://ledger:secret@db1/ledger"
    })
public final class ServeCommand implements Callable<Integer> {

  @Option(
      names = "--http-bind",
      paramLabel = "HOST:PORT",
      description =
          "Where to listen. Default 127.0.0.1:8181 [LEDGER_HTTP_BIND, INFLUXDB3_HTTP_BIND_ADDR]")
  private @Nullable String httpBind;

  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description = "Embedded database and keys. Default .ledger/data [LEDGER_DATA_DIR]")
  private @Nullable String dataDir;

  @Option(
      names = "--wal-archive",
      paramLabel = "DIR",
      description =
          "Copies the embedded database's write-ahead log there, for a restore to a moment"
              + " [LEDGER_WAL_ARCHIVE]")
  private @Nullable String walArchive;

  @Option(
      names = "--database-url",
      paramLabel = "URL",
      description = "Owner's login at your own PostgreSQL, 15 or newer [LEDGER_DATABASE_URL]")
  private @Nullable String databaseUrl;

  @Option(
      names = "--node-id",
      paramLabel = "ID",
      description =
          "Name of this node. Default the host's [LEDGER_NODE_ID, INFLUXDB3_NODE_IDENTIFIER_PREFIX]")
  private @Nullable String nodeId;

  @Option(
      names = "--log-origin",
      paramLabel = "NAME",
      description = "Name of this ledger in every event. Default token-ledger [LEDGER_LOG_ORIGIN]")
  private @Nullable String logOrigin;

  @Option(
      names = "--admin-token-recovery-http-bind",
      paramLabel = "HOST:PORT",
      arity = "0..1",
      fallbackValue = "127.0.0.1:8182",
      description =
          "Opens a port to regenerate the operator token once [LEDGER_ADMIN_TOKEN_RECOVERY_HTTP_BIND]")
  private @Nullable String recoveryBind;

  @Option(
      names = "--admin-token-file",
      paramLabel = "FILE",
      description =
          "Provisions an admin token [LEDGER_ADMIN_TOKEN_FILE, INFLUXDB3_ADMIN_TOKEN_FILE]")
  private @Nullable String adminTokenFile;

  @Option(
      names = "--permission-tokens-file",
      paramLabel = "FILE",
      description =
          "Provisions resource tokens [LEDGER_PERMISSION_TOKENS_FILE, INFLUXDB3_PERMISSION_TOKENS_FILE]")
  private @Nullable String permissionTokensFile;

  @Option(
      names = "--disable-authz",
      paramLabel = "LIST",
      description = "Probes that need no token: health,ping,metrics,ready [LEDGER_DISABLE_AUTHZ]")
  private @Nullable String disableAuthz;

  @Option(
      names = "--without-auth",
      arity = "0",
      description = "Asks nobody for a token [LEDGER_WITHOUT_AUTH]")
  private @Nullable Boolean withoutAuth;

  @Option(
      names = "--tls-cert",
      paramLabel = "FILE",
      description = "PEM certificate chain [LEDGER_TLS_CERT, INFLUXDB3_TLS_CERT]")
  private @Nullable String tlsCert;

  @Option(
      names = "--tls-key",
      paramLabel = "FILE",
      description = "PEM private key [LEDGER_TLS_KEY, INFLUXDB3_TLS_KEY]")
  private @Nullable String tlsKey;

  @Option(
      names = "--ledger-key-file",
      paramLabel = "FILE",
      description = "Key that marks event rows. Default DATA_DIR/ledger.key [LEDGER_KEY_FILE]")
  private @Nullable String ledgerKeyFile;

  @Option(
      names = "--signing-key-file",
      paramLabel = "FILES",
      description =
          "Ed25519 key that signs the log, PKCS#8 PEM; during a rotation two, separated by a comma;"
              + " none for a node that never signs. Default DATA_DIR/signing.key"
              + " [LEDGER_SIGNING_KEY_FILE]")
  private @Nullable String signingKeyFile;

  @Option(
      names = "--state-dir",
      paramLabel = "DIR",
      description =
          "Where this node remembers what was signed; not shared. Default DATA_DIR/state"
              + " [LEDGER_STATE_DIR]")
  private @Nullable String stateDir;

  @Option(
      names = "--trust-checkpoint",
      paramLabel = "FILE",
      description =
          "Checkpoint for a node that remembers none; none when nothing was signed yet"
              + " [LEDGER_TRUST_CHECKPOINT]")
  private @Nullable String trustCheckpoint;

  @Option(
      names = "--subject-key-store",
      paramLabel = "DIR",
      description =
          "Keys of personal data. Default DATA_DIR/subject-keys [LEDGER_SUBJECT_KEY_STORE]")
  private @Nullable String subjectKeyStore;

  @Option(
      names = "--trusted-proxies",
      paramLabel = "CIDRS",
      description = "Networks whose X-Forwarded-For is believed [LEDGER_TRUSTED_PROXIES]")
  private @Nullable String trustedProxies;

  @Option(
      names = "--allow-remote-bootstrap",
      arity = "0",
      description =
          "Lets other machines make the first operator token [LEDGER_ALLOW_REMOTE_BOOTSTRAP]")
  private @Nullable Boolean allowRemoteBootstrap;

  @Option(
      names = "--no-secret-replay",
      arity = "0",
      description =
          "A repeated Idempotency-Key gets the token's id, not its secret again"
              + " [LEDGER_NO_SECRET_REPLAY]")
  private @Nullable Boolean noSecretReplay;

  @Option(
      names = "--separate-duties",
      arity = "0",
      description =
          "Admin tokens are refused the audit: only ledger:audit:read reads it"
              + " [LEDGER_SEPARATE_DUTIES]")
  private @Nullable Boolean separateDuties;

  @Option(
      names = "--notice-webhook",
      paramLabel = "URL",
      description = "Posts notices that tokens expire, signed, there [LEDGER_NOTICE_WEBHOOK]")
  private @Nullable String noticeWebhook;

  @Option(
      names = "--notice-webhook-secret-file",
      paramLabel = "FILE",
      description =
          "Holds what they are signed with: whsec_ and base64 [LEDGER_NOTICE_WEBHOOK_SECRET_FILE]")
  private @Nullable String noticeWebhookSecretFile;

  @Option(
      names = "--witness",
      paramLabel = "URL=VKEY",
      split = ",",
      description =
          "Sends every checkpoint to that witness and keeps its signature; may be repeated"
              + " [LEDGER_WITNESSES, separated by commas]")
  private @Nullable List<String> witnesses;

  @Option(
      names = "--timestamp-authority",
      paramLabel = "URL",
      description = "Lets it timestamp checkpoints (RFC 3161) [LEDGER_TIMESTAMP_AUTHORITY]")
  private @Nullable String timestampAuthority;

  @Option(
      names = "--timestamp-interval",
      paramLabel = "DURATION",
      description = "How often. Default 1h [LEDGER_TIMESTAMP_INTERVAL]")
  private @Nullable String timestampInterval;

  @Option(
      names = "--sinks",
      paramLabel = "FILE",
      description = "Receivers of the log, JSON: see ops/runbooks/sinks.md [LEDGER_SINKS]")
  private @Nullable String sinks;

  @Option(
      names = "--archive",
      paramLabel = "LOCATION",
      description =
          "Archives the log in segments that are never changed, in a directory or in s3://...: see"
              + " ops/runbooks/privacy-and-retention.md [LEDGER_ARCHIVE]")
  private @Nullable String archive;

  @Option(
      names = "--archive-interval",
      paramLabel = "DURATION",
      description = "How often it looks for a full segment. Default 1h [LEDGER_ARCHIVE_INTERVAL]")
  private @Nullable String archiveInterval;

  @Option(
      names = "--exit-when-ready",
      hidden = true,
      description = "Starts, stops and exits: the build records the classes of a start")
  private boolean exitWhenReady;

  private final Map<String, String> environment;

  /** For the command line. */
  public ServeCommand() {
    this(System.getenv());
  }

  ServeCommand(Map<String, String> environment) {
    this.environment = environment;
  }

  @Override
  public Integer call() throws InterruptedException {
    Server server;
    try {
      server = Server.start(options());
    } catch (IllegalArgumentException
        | IllegalStateException
        | DataDirectoryInUse
        | LedgerUnavailable e) {
      return fail(e.getMessage());
    } catch (RuntimeException e) {
      PortInUseException taken = portInUse(e);
      if (taken == null) {
        // The command line says one line; whoever runs a node needs the rest.
        LoggerFactory.getLogger(ServeCommand.class).error("the start failed", e);
        throw e;
      }
      return fail(
          "port " + taken.getPort() + " is taken by another program: choose one with --http-bind");
    }
    if (exitWhenReady) {
      server.close();
      return 0;
    }
    CountDownLatch stopped = new CountDownLatch(1);
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  server.close();
                  stopped.countDown();
                  // A signal would otherwise be the exit code; a drained node ended as it should.
                  Runtime.getRuntime().halt(0);
                },
                "ledger-shutdown"));
    System.out.println("ledger ready on " + server.url());
    System.out.flush();
    stopped.await();
    return 0;
  }

  static @Nullable PortInUseException portInUse(Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof PortInUseException taken) {
        return taken;
      }
    }
    return null;
  }

  private static int fail(@Nullable String message) {
    System.err.println("ledger: " + message);
    return 1;
  }

  /**
   * What flags and environment say together.
   *
   * @throws IllegalArgumentException naming the flag that is wrong
   */
  ServeOptions options() {
    Path data = Path.of(value(dataDir, ".ledger/data", "LEDGER_DATA_DIR"));
    String url = optional(databaseUrl, "LEDGER_DATABASE_URL");
    String recovery = optional(recoveryBind, "LEDGER_ADMIN_TOKEN_RECOVERY_HTTP_BIND");
    return new ServeOptions(
        BindAddress.parse(
            "--http-bind",
            value(httpBind, "127.0.0.1:8181", "LEDGER_HTTP_BIND", "INFLUXDB3_HTTP_BIND_ADDR")),
        data,
        path(optional(walArchive, "LEDGER_WAL_ARCHIVE")),
        url == null ? null : databaseUrl(url),
        value(nodeId, hostName(), "LEDGER_NODE_ID", "INFLUXDB3_NODE_IDENTIFIER_PREFIX"),
        value(logOrigin, "token-ledger", "LEDGER_LOG_ORIGIN"),
        recovery == null ? null : BindAddress.parse("--admin-token-recovery-http-bind", recovery),
        path(optional(adminTokenFile, "LEDGER_ADMIN_TOKEN_FILE", "INFLUXDB3_ADMIN_TOKEN_FILE")),
        path(
            optional(
                permissionTokensFile,
                "LEDGER_PERMISSION_TOKENS_FILE",
                "INFLUXDB3_PERMISSION_TOKENS_FILE")),
        ServeOptions.parseDisableAuthz(value(disableAuthz, "", "LEDGER_DISABLE_AUTHZ")),
        flag("--without-auth", withoutAuth, "LEDGER_WITHOUT_AUTH"),
        path(optional(tlsCert, "LEDGER_TLS_CERT", "INFLUXDB3_TLS_CERT")),
        path(optional(tlsKey, "LEDGER_TLS_KEY", "INFLUXDB3_TLS_KEY")),
        Path.of(value(ledgerKeyFile, data.resolve("ledger.key").toString(), "LEDGER_KEY_FILE")),
        signingKeyFiles(
            value(
                signingKeyFile, data.resolve("signing.key").toString(), "LEDGER_SIGNING_KEY_FILE")),
        Path.of(value(stateDir, data.resolve("state").toString(), "LEDGER_STATE_DIR")),
        path(optional(trustCheckpoint, "LEDGER_TRUST_CHECKPOINT")),
        Path.of(
            value(
                subjectKeyStore,
                data.resolve("subject-keys").toString(),
                "LEDGER_SUBJECT_KEY_STORE")),
        networks(value(trustedProxies, "", "LEDGER_TRUSTED_PROXIES")),
        flag("--allow-remote-bootstrap", allowRemoteBootstrap, "LEDGER_ALLOW_REMOTE_BOOTSTRAP"),
        flag("--no-secret-replay", noSecretReplay, "LEDGER_NO_SECRET_REPLAY"),
        flag("--separate-duties", separateDuties, "LEDGER_SEPARATE_DUTIES"),
        webhook(
            optional(noticeWebhook, "LEDGER_NOTICE_WEBHOOK"),
            path(optional(noticeWebhookSecretFile, "LEDGER_NOTICE_WEBHOOK_SECRET_FILE"))),
        witnesses(
            witnesses == null ? value(null, "", "LEDGER_WITNESSES") : String.join(",", witnesses)),
        timestamps(
            optional(timestampAuthority, "LEDGER_TIMESTAMP_AUTHORITY"),
            value(timestampInterval, "1h", "LEDGER_TIMESTAMP_INTERVAL")),
        sinks(path(optional(sinks, "LEDGER_SINKS"))),
        archive(
            optional(archive, "LEDGER_ARCHIVE"),
            value(archiveInterval, "1h", "LEDGER_ARCHIVE_INTERVAL")));
  }

  private static @Nullable ArchiveTarget archive(@Nullable String location, String interval) {
    if (location == null) {
      return null;
    }
    try {
      return new ArchiveTarget(location, Duration.ofSeconds(HumanDuration.parseSeconds(interval)));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("--archive-interval: " + e.getMessage(), e);
    }
  }

  private static List<SinkTarget> sinks(@Nullable Path file) {
    return file == null ? List.of() : SinkTarget.read(file);
  }

  private static List<WitnessTarget> witnesses(String list) {
    return list.isBlank()
        ? List.of()
        : Arrays.stream(list.split(",", -1)).map(String::strip).map(WitnessTarget::parse).toList();
  }

  private static @Nullable TimestampTarget timestamps(@Nullable String url, String interval) {
    if (url == null) {
      return null;
    }
    try {
      return TimestampTarget.parse(url, Duration.ofSeconds(HumanDuration.parseSeconds(interval)));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "--timestamp-authority or --timestamp-interval: " + e.getMessage(), e);
    }
  }

  private static @Nullable NoticeTarget webhook(@Nullable String url, @Nullable Path secretFile) {
    if (url == null && secretFile == null) {
      return null;
    }
    if (url == null || secretFile == null) {
      throw new IllegalArgumentException(
          "--notice-webhook and --notice-webhook-secret-file go together");
    }
    try {
      return NoticeTarget.parse(url, Files.readString(secretFile).strip());
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "--notice-webhook-secret-file " + secretFile + " cannot be read", e);
    }
  }

  private static List<Path> signingKeyFiles(String list) {
    return list.equals("none")
        ? List.of()
        : Arrays.stream(list.split(",", -1)).map(String::strip).map(Path::of).toList();
  }

  private static DatabaseUrl databaseUrl(String url) {
    try {
      return DatabaseUrl.parse(url);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("--database-url: " + e.getMessage(), e);
    }
  }

  private static List<Network> networks(String list) {
    return list.isBlank()
        ? List.of()
        : Arrays.stream(list.split(","))
            .map(text -> Network.parse("--trusted-proxies", text))
            .toList();
  }

  private static String hostName() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      return "node";
    }
  }

  private boolean flag(String name, @Nullable Boolean flag, String variable) {
    if (flag != null) {
      return flag;
    }
    String text = environment.getOrDefault(variable, "false");
    if (text.equals("true") || text.equals("false")) {
      return text.equals("true");
    }
    throw new IllegalArgumentException(variable + " (" + name + ") must be true or false");
  }

  private String value(@Nullable String flag, String byDefault, String... variables) {
    String value = optional(flag, variables);
    return value == null ? byDefault : value;
  }

  private @Nullable String optional(@Nullable String flag, String... variables) {
    if (flag != null) {
      return flag;
    }
    for (String variable : variables) {
      String value = environment.get(variable);
      if (value != null && !value.isEmpty()) {
        return value;
      }
    }
    return null;
  }

  private static @Nullable Path path(@Nullable String text) {
    return text == null ? null : Path.of(text);
  }
}

package io.tokenledger.server;

import io.tokenledger.archive.ArchiveTarget;
import io.tokenledger.attest.TimestampTarget;
import io.tokenledger.attest.WitnessTarget;
import io.tokenledger.notices.NoticeTarget;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.sink.SinkTarget;
import java.net.URI;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What {@code serve} was told.
 *
 * @param httpBind where to listen; loopback unless said otherwise
 * @param dataDir holds the embedded database and the keys
 * @param walArchive where the embedded database copies its write-ahead log; null for nowhere
 * @param databaseUrl the owner's login at an external PostgreSQL; null for the embedded one
 * @param nodeId this node's name in every event
 * @param logOrigin this ledger's name in every event
 * @param recoveryBind where the recovery listener listens; null for none
 * @param adminTokenFile an admin token to provision at the start
 * @param permissionTokensFile resource tokens to provision at the start
 * @param disableAuthz probes that need no token, see {@link #parseDisableAuthz}
 * @param withoutAuth nobody is asked for a token, and none can be made
 * @param tlsCert PEM certificate chain; null for plain HTTP
 * @param tlsKey PEM private key, with {@code tlsCert}
 * @param ledgerKeyFile the key that marks our event rows
 * @param signingKeyFiles the keys that sign checkpoints; none for a node that never leads
 * @param stateDir where this node remembers checkpoints
 * @param trustCheckpoint a checkpoint to begin that memory with; null for none
 * @param subjectKeyStore directory of the subject keys
 * @param trustedProxies networks whose {@code X-Forwarded-For} is believed
 * @param allowRemoteBootstrap whether the first operator token may be made from another machine
 * @param noSecretReplay whether a repeated request is told the token's id and not its secret again
 * @param separateDuties whether admin tokens are refused the audit, which auditors then read
 * @param noticeWebhook where notices of expiries are posted; null for nowhere
 * @param witnesses who is sent every checkpoint
 * @param timestampAuthority who attests when a checkpoint was there; null for nobody
 * @param sinks who is brought the log
 * @param archive where the log is archived; null for nowhere
 */
public record ServeOptions(
    BindAddress httpBind,
    Path dataDir,
    @Nullable Path walArchive,
    @Nullable DatabaseUrl databaseUrl,
    String nodeId,
    String logOrigin,
    @Nullable BindAddress recoveryBind,
    @Nullable Path adminTokenFile,
    @Nullable Path permissionTokensFile,
    Set<String> disableAuthz,
    boolean withoutAuth,
    @Nullable Path tlsCert,
    @Nullable Path tlsKey,
    Path ledgerKeyFile,
    List<Path> signingKeyFiles,
    Path stateDir,
    @Nullable Path trustCheckpoint,
    Path subjectKeyStore,
    List<Network> trustedProxies,
    boolean allowRemoteBootstrap,
    boolean noSecretReplay,
    boolean separateDuties,
    @Nullable NoticeTarget noticeWebhook,
    List<WitnessTarget> witnesses,
    @Nullable TimestampTarget timestampAuthority,
    List<SinkTarget> sinks,
    @Nullable ArchiveTarget archive) {

  private static final List<String> PROBES =
      List.of("health", "ping", "metrics", "ready", "pprof", "node_stop");

  public ServeOptions {
    signingKeyFiles = List.copyOf(signingKeyFiles);
    witnesses = List.copyOf(witnesses);
    sinks = List.copyOf(sinks);
    if ((tlsCert == null) != (tlsKey == null)) {
      throw new IllegalArgumentException("--tls-cert and --tls-key go together");
    }
    if (walArchive != null && databaseUrl != null) {
      throw new IllegalArgumentException(
          "--wal-archive is for the embedded database; archive your own server's log with it");
    }
    if (recoveryBind != null && !recoveryBind.isLoopback()) {
      throw new IllegalArgumentException(
          "--admin-token-recovery-http-bind must be a loopback address, got " + recoveryBind);
    }
  }

  /**
   * Every setting by its flag, for the audit: files by their paths, never by what they hold, and
   * empty where nothing is set.
   */
  Map<String, String> settings() {
    Map<String, String> settings = new LinkedHashMap<>();
    settings.put("--http-bind", httpBind.toString());
    settings.put("--data-dir", dataDir.toString());
    settings.put("--wal-archive", text(walArchive));
    settings.put("--database-url", text(databaseUrl));
    settings.put("--node-id", nodeId);
    settings.put("--log-origin", logOrigin);
    settings.put("--admin-token-recovery-http-bind", text(recoveryBind));
    settings.put("--admin-token-file", text(adminTokenFile));
    settings.put("--permission-tokens-file", text(permissionTokensFile));
    settings.put("--disable-authz", String.join(",", disableAuthz));
    settings.put("--without-auth", Boolean.toString(withoutAuth));
    settings.put("--tls-cert", text(tlsCert));
    settings.put("--tls-key", text(tlsKey));
    settings.put("--ledger-key-file", ledgerKeyFile.toString());
    settings.put(
        "--signing-key-file",
        signingKeyFiles.stream().map(Path::toString).collect(Collectors.joining(",")));
    settings.put("--state-dir", stateDir.toString());
    settings.put("--trust-checkpoint", text(trustCheckpoint));
    settings.put("--subject-key-store", subjectKeyStore.toString());
    settings.put(
        "--trusted-proxies",
        trustedProxies.stream().map(Network::toString).collect(Collectors.joining(",")));
    settings.put("--allow-remote-bootstrap", Boolean.toString(allowRemoteBootstrap));
    settings.put("--no-secret-replay", Boolean.toString(noSecretReplay));
    settings.put("--separate-duties", Boolean.toString(separateDuties));
    settings.put("--notice-webhook", noticeWebhook == null ? "" : host(noticeWebhook.url()));
    settings.put("--notice-webhook-secret-file", noticeWebhook == null ? "" : "given");
    settings.put(
        "--witness",
        witnesses.stream()
            .map(witness -> place(witness.url()) + "=" + witness.key())
            .collect(Collectors.joining(",")));
    settings.put(
        "--timestamp-authority", timestampAuthority == null ? "" : timestampAuthority.reference());
    settings.put(
        "--timestamp-interval",
        timestampAuthority == null ? "" : timestampAuthority.interval().toString());
    settings.put(
        "--sinks", sinks.stream().map(SinkTarget::toString).collect(Collectors.joining(", ")));
    settings.put("--archive", archive == null ? "" : archive.location());
    settings.put("--archive-interval", archive == null ? "" : archive.interval().toString());
    return settings;
  }

  private static String text(@Nullable Object value) {
    return value == null ? "" : value.toString();
  }

  /** The URL without what may be a secret in it: user, query and fragment. */
  private static String place(URI url) {
    String port = url.getPort() < 0 ? "" : ":" + url.getPort();
    return url.getScheme() + "://" + url.getHost() + port + url.getRawPath();
  }

  /** Without the path: what some write there is a secret. */
  private static String host(URI url) {
    return url.getScheme() + "://" + url.getHost() + (url.getPort() < 0 ? "" : ":" + url.getPort());
  }

  /**
   * Reads the value of {@code --disable-authz} as InfluxDB does.
   *
   * @throws IllegalArgumentException with InfluxDB's own words
   */
  public static Set<String> parseDisableAuthz(String text) {
    if (text.isBlank()) {
      return Set.of();
    }
    List<String> items = Arrays.stream(text.split(",", -1)).map(String::strip).toList();
    if (items.size() > PROBES.size()) {
      throw new IllegalArgumentException("--disable-authz cannot take more than 6 items");
    }
    if (!PROBES.containsAll(items)) {
      throw new IllegalArgumentException(
          "invalid value passed in for --disable-authz, allowed values are health, ping, metrics,"
              + " ready, pprof, and node_stop");
    }
    return new LinkedHashSet<>(items);
  }
}

package io.tokenledger.postgres;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A real PostgreSQL of our own on a data directory that persists: durable, checksummed, on loopback
 * only, with a password that no one but the owner of the directory can read.
 *
 * <p>The directory holds {@code postgres} (the cluster), {@code postgres.password}, {@code
 * postgres.log} and {@code ledger.lock}. A server that outlived its ledger is adopted, not fought;
 * a lock file that outlived its server is waited for.
 */
public final class EmbeddedPostgres implements AutoCloseable {

  private static final Logger LOG = LoggerFactory.getLogger(EmbeddedPostgres.class);

  private static final String SUPERUSER = "postgres";
  private static final String DATABASE = "ledger";

  /** A file beside a cluster that is being restored: it must not be taken for a ledger yet. */
  static final String UNFINISHED_RESTORE = "restore.unfinished";

  private static final Duration START_LIMIT = Duration.ofSeconds(60);
  private static final Duration STALE_LOCK_LIMIT = Duration.ofSeconds(15);
  private static final Duration RESTART_PAUSE = Duration.ofSeconds(3);
  private static final Duration STOP_LIMIT = Duration.ofSeconds(30);

  private final FileChannel lockFile;
  private final DatabaseUrl url;
  private final boolean adopted;
  private final Layout layout;
  private final ServerAccount account;
  private final int port;
  private final List<String> settings;
  private volatile ProcessHandle server;
  private boolean closing;

  private record Layout(Path dataDir, Path binaries) {
    Path cluster() {
      return dataDir.resolve("postgres");
    }

    Path passwordFile() {
      return dataDir.resolve("postgres.password");
    }

    Path log() {
      return dataDir.resolve("postgres.log");
    }

    Path unfinished() {
      return dataDir.resolve(UNFINISHED_RESTORE);
    }

    Path pidFile() {
      return cluster().resolve("postmaster.pid");
    }
  }

  /** What {@code postmaster.pid} says of a server that is still alive. */
  private record Running(ProcessHandle server, int port) {}

  private EmbeddedPostgres(
      FileChannel lockFile,
      DatabaseUrl url,
      Layout layout,
      ServerAccount account,
      Running running,
      List<String> settings,
      boolean adopted) {
    this.lockFile = lockFile;
    this.url = url;
    this.layout = layout;
    this.account = account;
    this.server = running.server();
    this.port = running.port();
    this.settings = List.copyOf(settings);
    this.adopted = adopted;
  }

  /**
   * Starts the server of that directory, or adopts the one that runs on it.
   *
   * @param binaries a directory with {@code bin/postgres}, unpacked by the build or installed; null
   *     to unpack into the data directory, which is also done when the server's account cannot
   *     reach it
   * @throws DataDirectoryInUse when another ledger works on the directory
   * @throws IllegalStateException with one sentence when the server cannot be started
   */
  public static EmbeddedPostgres start(Path dataDir, @Nullable Path binaries) {
    return start(dataDir, binaries, 0);
  }

  /**
   * The same on a given port, 0 for any free one. A server that is adopted keeps its own.
   *
   * @throws DataDirectoryInUse when another ledger works on the directory
   * @throws IllegalStateException with one sentence when the server cannot be started
   */
  public static EmbeddedPostgres start(Path dataDir, @Nullable Path binaries, int port) {
    return start(dataDir, binaries, port, List.of());
  }

  /**
   * The same, archiving its write-ahead log: each segment is copied as it is full, or after a
   * minute. A server that is adopted goes on as it was started.
   *
   * @param walArchive directory, which is made when missing; null for none
   * @throws DataDirectoryInUse when another ledger works on the directory
   * @throws IllegalStateException with one sentence when the server cannot be started
   */
  public static EmbeddedPostgres start(
      Path dataDir, @Nullable Path binaries, @Nullable Path walArchive) {
    try {
      return start(
          dataDir,
          binaries,
          0,
          walArchive == null
              ? List.of()
              : WalArchive.archiving(walArchive, ServerAccount.choose()::own));
    } catch (IOException e) {
      throw new IllegalStateException("--wal-archive " + walArchive + " cannot be made", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while PostgreSQL started", e);
    }
  }

  private static EmbeddedPostgres start(
      Path dataDir, @Nullable Path binaries, int port, List<String> settings) {
    Path directory = dataDir.toAbsolutePath().normalize();
    try {
      makePrivate(directory);
      FileChannel lockFile = lock(directory);
      try {
        return start(directory, binaries, port, settings, lockFile);
      } catch (IOException | RuntimeException e) {
        lockFile.close();
        throw e;
      }
    } catch (IOException e) {
      throw new IllegalStateException(
          "--data-dir " + directory + " cannot be used: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while PostgreSQL started", e);
    }
  }

  private static void makePrivate(Path directory) throws IOException {
    if (!Files.isDirectory(directory)) {
      Files.createDirectories(
          directory,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }
  }

  private static FileChannel lock(Path directory) throws IOException {
    FileChannel channel =
        FileChannel.open(
            directory.resolve("ledger.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      FileLock lock = channel.tryLock();
      if (lock != null) {
        return channel;
      }
    } catch (OverlappingFileLockException e) {
      // Held by this very process.
    }
    channel.close();
    throw new DataDirectoryInUse(directory);
  }

  private static EmbeddedPostgres start(
      Path directory,
      @Nullable Path givenBinaries,
      int port,
      List<String> settings,
      FileChannel lockFile)
      throws IOException, InterruptedException {
    ServerAccount account = ServerAccount.choose();
    open(directory, account);
    Layout layout = new Layout(directory, binaries(directory, givenBinaries, account));
    if (Files.exists(layout.unfinished())) {
      throw new IllegalStateException(
          "--data-dir " + directory + ": a restore into it was broken off; empty it and restore");
    }
    if (!Files.isDirectory(layout.cluster())) {
      initialise(layout, account);
    }
    requireSameMajorVersion(layout);
    String password = Files.readString(layout.passwordFile()).strip();
    Optional<Running> orphan = running(layout, password);
    Running running =
        orphan.isPresent() ? orphan.get() : startServer(layout, account, password, port, settings);
    DatabaseUrl url = DatabaseUrl.of("127.0.0.1", running.port(), DATABASE, SUPERUSER, password);
    createDatabase(url);
    EmbeddedPostgres embedded =
        new EmbeddedPostgres(lockFile, url, layout, account, running, settings, orphan.isPresent());
    embedded.watch();
    return embedded;
  }

  /**
   * Lets the account reach the directory; what lies in it stays as closed to it as to others.
   *
   * @throws IllegalStateException when a directory above is closed to it
   */
  private static void open(Path directory, ServerAccount account)
      throws IOException, InterruptedException {
    if (account.isAnother()) {
      Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
    }
    if (!account.canReach(directory)) {
      throw new IllegalStateException(
          "--data-dir "
              + directory
              + " lies in a directory that is closed to the user "
              + account.owner()
              + ", as whom PostgreSQL must run here: choose one elsewhere");
    }
  }

  /**
   * The programs to run, where the account can reach them.
   *
   * @throws IllegalStateException when those that were given are none
   */
  private static Path binaries(Path directory, @Nullable Path given, ServerAccount account)
      throws IOException, InterruptedException {
    if (given != null && !PostgresBinaries.isUsable(given)) {
      throw new IllegalStateException(
          "LEDGER_POSTGRES_BINARIES " + given + " holds no bin/postgres and bin/initdb to run");
    }
    return given != null && account.canReach(given.toAbsolutePath().resolve("bin"))
        ? given.toAbsolutePath()
        : PostgresBinaries.unpack(directory.resolve("postgres-binaries"));
  }

  /** Into a directory of another name first, so that a half-made cluster is never taken for one. */
  private static void initialise(Layout layout, ServerAccount account)
      throws IOException, InterruptedException {
    byte[] secret = new byte[32];
    new SecureRandom().nextBytes(secret);
    String password = HexFormat.of().formatHex(secret) + "\n";
    writePrivate(layout.passwordFile(), password);
    Path fresh = layout.dataDir().resolve("postgres.new");
    PostgresBinaries.deleteTree(fresh);
    // Made here: the account may not make anything in our directory, nor read our password file.
    Files.createDirectory(
        fresh, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    Path passwordToSet = layout.dataDir().resolve("postgres.pwfile");
    try {
      writePrivate(passwordToSet, password);
      account.own(fresh);
      account.own(passwordToSet);
      runInitdb(layout, account, fresh, passwordToSet);
    } finally {
      Files.deleteIfExists(passwordToSet);
    }
    Files.move(fresh, layout.cluster(), StandardCopyOption.ATOMIC_MOVE);
  }

  private static void runInitdb(
      Layout layout, ServerAccount account, Path fresh, Path passwordToSet)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(account.prefix());
    command.addAll(
        List.of(
            layout.binaries().resolve("bin/initdb").toString(),
            "--pgdata=" + fresh,
            "--username=" + SUPERUSER,
            "--pwfile=" + passwordToSet,
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--data-checksums"));
    Process initdb =
        new ProcessBuilder(command)
            .directory(layout.dataDir().toFile())
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(layout.log().toFile()))
            .start();
    if (!initdb.waitFor(START_LIMIT.toSeconds() * 2, TimeUnit.SECONDS) || initdb.exitValue() != 0) {
      initdb.destroyForcibly();
      throw new IllegalStateException(
          "PostgreSQL cannot make its cluster: " + lastLine(layout.log()));
    }
  }

  private static void writePrivate(Path file, String text) throws IOException {
    Files.deleteIfExists(file);
    Files.createFile(
        file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    Files.writeString(file, text);
  }

  private static void requireSameMajorVersion(Layout layout)
      throws IOException, InterruptedException {
    String cluster = Files.readString(layout.cluster().resolve("PG_VERSION")).strip();
    Process process =
        new ProcessBuilder(layout.binaries().resolve("bin/postgres").toString(), "--version")
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    String major = said.replaceFirst("(?s)^\\D*(\\d+).*$", "$1");
    if (!major.equals(cluster)) {
      throw new IllegalStateException(
          "--data-dir "
              + layout.dataDir()
              + " was made by PostgreSQL "
              + cluster
              + " and this is "
              + major
              + ": start it with binaries of version "
              + cluster
              + " (LEDGER_POSTGRES_BINARIES), or upgrade it with pg_upgrade first");
    }
  }

  /** The server that works on this cluster, if one is alive and knows our password. */
  private static Optional<Running> running(Layout layout, String password) throws IOException {
    if (!Files.exists(layout.pidFile())) {
      return Optional.empty();
    }
    List<String> lines = Files.readAllLines(layout.pidFile());
    if (lines.size() < 4 || !lines.get(0).matches("\\d+") || !lines.get(3).matches("\\d+")) {
      return Optional.empty();
    }
    Optional<ProcessHandle> server =
        ProcessHandle.of(Long.parseLong(lines.get(0))).filter(ProcessHandle::isAlive);
    int port = Integer.parseInt(lines.get(3));
    if (server.isEmpty() || !serves(layout, port, password)) {
      return Optional.empty();
    }
    return Optional.of(new Running(server.get(), port));
  }

  /**
   * The superuser's access to the ledger's database while another process runs it; empty when no
   * server runs on that directory.
   *
   * @throws IllegalStateException when the directory holds none or cannot be read
   */
  public static Optional<DatabaseUrl> running(Path dataDir) {
    Layout layout = new Layout(dataDir.toAbsolutePath().normalize(), dataDir);
    try {
      String password = Files.readString(layout.passwordFile()).strip();
      return running(layout, password)
          .map(found -> DatabaseUrl.of("127.0.0.1", found.port(), DATABASE, SUPERUSER, password));
    } catch (IOException e) {
      throw new IllegalStateException("--data-dir " + dataDir + " holds no ledger", e);
    }
  }

  /**
   * Lets a copied cluster recover, hands it over, and stops it again. What it is told to recover to
   * must be reached.
   *
   * @param settings of the recovery, {@code name=value}
   * @param patience how long it may take
   * @param recovered gets the superuser's access to the ledger's database
   * @throws IllegalStateException with PostgreSQL's own words when it does not succeed
   */
  static void recover(
      Path dataDir,
      @Nullable Path givenBinaries,
      List<String> settings,
      Duration patience,
      Consumer<DatabaseUrl> recovered)
      throws IOException, InterruptedException {
    Path directory = dataDir.toAbsolutePath().normalize();
    try (FileChannel lockFile = lock(directory)) {
      LOG.debug("recovering under {}", lockFile);
      ServerAccount account = ServerAccount.choose();
      open(directory, account);
      Layout layout = new Layout(directory, binaries(directory, givenBinaries, account));
      requireSameMajorVersion(layout);
      String password = Files.readString(layout.passwordFile()).strip();
      long logSize = Files.exists(layout.log()) ? Files.size(layout.log()) : 0;
      Running running = startServer(layout, account, password, 0, settings);
      try {
        awaitEndOfRecovery(layout, running, password, logSize, patience);
        recovered.accept(
            DatabaseUrl.of("127.0.0.1", running.port(), DATABASE, SUPERUSER, password));
      } finally {
        signal(running.server(), "INT");
        running.server().onExit().get(STOP_LIMIT.toSeconds(), TimeUnit.SECONDS);
      }
    } catch (java.util.concurrent.TimeoutException | java.util.concurrent.ExecutionException e) {
      throw new IllegalStateException("PostgreSQL cannot be stopped after its recovery", e);
    }
  }

  private static void awaitEndOfRecovery(
      Layout layout, Running running, String password, long logSize, Duration patience)
      throws IOException, InterruptedException {
    DatabaseUrl url = DatabaseUrl.of("127.0.0.1", running.port(), SUPERUSER, SUPERUSER, password);
    Instant end = Instant.now().plus(patience);
    while (Instant.now().isBefore(end)) {
      if (!running.server().isAlive()) {
        throw new IllegalStateException(
            "PostgreSQL does not recover: "
                + fatal(logSince(layout.log(), logSize)).orElse(lastLine(layout.log())));
      }
      try (Connection connection = connect(url);
          Statement statement = connection.createStatement();
          ResultSet row = statement.executeQuery("SELECT pg_is_in_recovery()")) {
        row.next();
        if (!row.getBoolean(1)) {
          return;
        }
      } catch (SQLException e) {
        LOG.debug("not yet: {}", e.getMessage());
      }
      Thread.sleep(100);
    }
    throw new IllegalStateException("PostgreSQL still recovers after " + patience);
  }

  /** What it died of: not what it told who came too early or too late. */
  private static Optional<String> fatal(String said) {
    return said.lines()
        .filter(line -> line.contains("FATAL:") && !line.contains("the database system is"))
        .reduce((first, second) -> second);
  }

  private static boolean serves(Layout layout, int port, String password) {
    DatabaseUrl url = DatabaseUrl.of("127.0.0.1", port, SUPERUSER, SUPERUSER, password);
    try (Connection connection = connect(url);
        Statement statement = connection.createStatement();
        ResultSet row = statement.executeQuery("SHOW data_directory")) {
      row.next();
      return Path.of(row.getString(1)).equals(layout.cluster());
    } catch (SQLException e) {
      return false;
    }
  }

  private static Running startServer(
      Layout layout, ServerAccount account, String password, int wantedPort, List<String> settings)
      throws IOException, InterruptedException {
    // Not before: a server that is adopted works on as whom it was started.
    account.own(layout.cluster());
    Instant staleLockEnd = Instant.now().plus(STALE_LOCK_LIMIT);
    while (true) {
      long logSize = Files.exists(layout.log()) ? Files.size(layout.log()) : 0;
      int port = wantedPort == 0 ? freePort() : wantedPort;
      Process process = launch(layout, account, port, settings);
      Instant end = Instant.now().plus(START_LIMIT);
      while (process.isAlive() && Instant.now().isBefore(end)) {
        if (serves(layout, port, password)) {
          return new Running(process.toHandle(), port);
        }
        process.waitFor(30, TimeUnit.MILLISECONDS);
      }
      String said = logSince(layout.log(), logSize);
      boolean lockIsStale =
          said.contains("postmaster.pid\" already") || said.contains("is still in use");
      if (process.isAlive()) {
        process.destroy();
        throw new IllegalStateException(
            "PostgreSQL did not answer within "
                + START_LIMIT.toSeconds()
                + " s, see "
                + layout.log());
      }
      if (wantedPort == 0
          && said.contains("Address already in use")
          && Instant.now().isBefore(staleLockEnd)) {
        LOG.info("port {} was taken meanwhile; PostgreSQL gets another", port);
        continue;
      }
      // A killed server stays a zombie, and so its lock file valid, until someone reaps it.
      if (!lockIsStale || Instant.now().isAfter(staleLockEnd)) {
        throw new IllegalStateException(
            "PostgreSQL does not start: " + fatal(said).orElse(lastLine(layout.log())));
      }
      LOG.info("waiting for a PostgreSQL that was killed to be gone");
      Thread.sleep(300);
    }
  }

  private static Process launch(
      Layout layout, ServerAccount account, int port, List<String> settings) throws IOException {
    List<String> command = new ArrayList<>(account.prefix());
    command.addAll(
        List.of(
            layout.binaries().resolve("bin/postgres").toString(),
            "-D",
            layout.cluster().toString(),
            "-p",
            Integer.toString(port)));
    for (String setting :
        List.of(
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=on",
            "synchronous_commit=on",
            "full_page_writes=on",
            "password_encryption=scram-sha-256",
            "max_connections=100",
            "shared_buffers=64MB",
            // A new ledger's plans are those of empty tables until their first ANALYZE.
            "autovacuum_naptime=15s",
            "idle_in_transaction_session_timeout=10min",
            "log_min_messages=warning",
            "log_line_prefix=%m [%p] ")) {
      command.add("-c");
      command.add(setting);
    }
    for (String setting : settings) {
      command.add("-c");
      command.add(setting);
    }
    return new ProcessBuilder(command)
        .directory(layout.dataDir().toFile())
        .redirectErrorStream(true)
        .redirectInput(ProcessBuilder.Redirect.from(new java.io.File("/dev/null")))
        .redirectOutput(ProcessBuilder.Redirect.appendTo(layout.log().toFile()))
        .start();
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private static void createDatabase(DatabaseUrl url) {
    try (Connection connection = connect(url.on(SUPERUSER));
        Statement statement = connection.createStatement()) {
      try (ResultSet row =
          statement.executeQuery("SELECT 1 FROM pg_database WHERE datname = 'ledger'")) {
        if (row.next()) {
          return;
        }
      }
      statement.execute("CREATE DATABASE ledger");
    } catch (SQLException e) {
      throw new IllegalStateException("the database cannot be made: " + e.getMessage(), e);
    }
  }

  private static Connection connect(DatabaseUrl url) throws SQLException {
    return DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
  }

  private static String logSince(Path log, long offset) throws IOException {
    byte[] all = Files.readAllBytes(log);
    int from = (int) Math.min(offset, all.length);
    return new String(Arrays.copyOfRange(all, from, all.length), StandardCharsets.UTF_8);
  }

  private static String lastLine(Path log) throws IOException {
    List<String> lines = Files.exists(log) ? Files.readAllLines(log) : List.of();
    return lines.isEmpty() ? "it said nothing, see " + log : lines.get(lines.size() - 1);
  }

  /** Starts the server again, on its port, when it ends without having been told to. */
  private void watch() {
    startAgainAfter(server.onExit());
  }

  private void startAgainAfter(CompletableFuture<?> end) {
    end.thenRunAsync(this::startAgain)
        .exceptionally(
            failure -> {
              LOG.error("PostgreSQL cannot be started again yet: {}", failure.getMessage());
              startAgainAfter(
                  CompletableFuture.runAsync(
                      () -> {},
                      CompletableFuture.delayedExecutor(
                          RESTART_PAUSE.toSeconds(), TimeUnit.SECONDS)));
              return null;
            });
  }

  /** Excludes {@link #close}, which would else leave behind what is being started here. */
  private synchronized void startAgain() {
    if (closing) {
      return;
    }
    LOG.error("PostgreSQL ended by itself: it is started again, see {}", layout.log());
    try {
      server = startServer(layout, account, url.password(), port, settings).server();
      watch();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** The superuser's access to the ledger's database. */
  public DatabaseUrl url() {
    return url;
  }

  /** The port it listens on. */
  public int port() {
    return port;
  }

  /** The process id of the server. */
  public long pid() {
    return server.pid();
  }

  /** Whether the server ran already when this was started. */
  public boolean adopted() {
    return adopted;
  }

  /** Ends all sessions, writes a checkpoint and stops; kills after 30 s, which loses nothing. */
  @Override
  public synchronized void close() {
    closing = true;
    try {
      signal(server, "INT");
      try {
        server.onExit().get(STOP_LIMIT.toSeconds(), TimeUnit.SECONDS);
      } catch (java.util.concurrent.TimeoutException | java.util.concurrent.ExecutionException e) {
        signal(server, "QUIT");
      }
      lockFile.close();
    } catch (IOException e) {
      throw new IllegalStateException("PostgreSQL cannot be stopped", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static void signal(ProcessHandle server, String name)
      throws IOException, InterruptedException {
    if (server.isAlive()) {
      new ProcessBuilder("kill", "-" + name, Long.toString(server.pid())).start().waitFor();
    }
  }
}

package io.tokenledger.postgres;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A copy of an embedded cluster while it works, and a cluster made of such a copy. The published
 * binaries have no {@code pg_basebackup}, so this does what it does, by PostgreSQL's functions for
 * backups at a low level: a slot keeps the write-ahead log, the files are copied as they are, and
 * the log from the first to the last moment of the copying goes with them.
 *
 * <p>A backup holds {@code postgres} (the cluster) and {@code postgres.password}, no keys and no
 * memory of checkpoints: who restores a memory with the database could not see that both are old.
 */
public final class BaseBackup {

  private static final String CLUSTER = "postgres";
  private static final String PASSWORD = "postgres.password";
  private static final String CONTROL = "global/pg_control";
  private static final Duration RECOVERY_LIMIT = Duration.ofHours(24);

  /** When this is read PostgreSQL knows no names of time zones, not even Z. */
  private static final DateTimeFormatter RECOVERY_TIME =
      DateTimeFormatter.ofPattern("uuuu-MM-dd HH:mm:ss.SSSSSS'+00'").withZone(ZoneOffset.UTC);

  /** Made anew by each start; the write-ahead log is copied by itself. */
  private static final Set<String> CONTENTS_LEFT_OUT =
      Set.of(
          "pg_wal",
          "pg_replslot",
          "pg_dynshmem",
          "pg_notify",
          "pg_serial",
          "pg_snapshots",
          "pg_stat_tmp",
          "pg_subtrans");

  private static final Set<String> FILES_LEFT_OUT =
      Set.of("postmaster.pid", "postmaster.opts", "backup_label", "tablespace_map", CONTROL);

  private static final String KEEP_LOG =
      """
      SELECT pg_create_physical_replication_slot(?, true, true)
      """;

  private static final String START =
      """
      SELECT pg_walfile_name(pg_backup_start(?, true)),
             (SELECT count(*) FROM pg_tablespace WHERE spcname NOT LIKE 'pg\\_%')
      """;

  private static final String STOP =
      """
      SELECT pg_walfile_name(stop.lsn), stop.labelfile
        FROM pg_backup_stop(false) AS stop
      """;

  private static final String SWITCH =
      """
      SELECT pg_switch_wal()
      """;

  private BaseBackup() {}

  /**
   * What was copied.
   *
   * @param bytes of all files
   */
  public record Taken(long files, long bytes) {}

  /**
   * Copies the cluster of a server that runs.
   *
   * @param superuser see {@link EmbeddedPostgres#running}
   * @param to must not exist; appears when it is whole
   * @throws IllegalStateException with one sentence when it cannot be made
   */
  public static Taken take(DatabaseUrl superuser, Path dataDir, Path to) {
    if (Files.exists(to)) {
      throw new IllegalStateException("--to " + to + " exists: a backup is not overwritten");
    }
    Path target = to.toAbsolutePath().normalize();
    Path fresh = target.resolveSibling("." + target.getFileName() + ".new");
    try (Connection connection =
        DriverManager.getConnection(
            // However long the files take, the session that keeps the log must live.
            superuser.with("socketTimeout", "0").jdbcUrl(),
            superuser.user(),
            superuser.password())) {
      PostgresBinaries.deleteTree(fresh);
      makePrivate(fresh.resolve(CLUSTER));
      Taken taken = copy(connection, dataDir.resolve(CLUSTER), fresh.resolve(CLUSTER));
      Copying password = new Copying(dataDir, fresh);
      password.file(dataDir.resolve(PASSWORD));
      Files.move(fresh, target, StandardCopyOption.ATOMIC_MOVE);
      return taken;
    } catch (SQLException | IOException e) {
      throw new IllegalStateException("the backup was not made: " + e.getMessage(), e);
    }
  }

  private static Taken copy(Connection connection, Path cluster, Path to)
      throws SQLException, IOException {
    String label = "ledger_" + UUID.randomUUID().toString().replace("-", "");
    ask(connection, KEEP_LOG, label);
    List<String> start = ask(connection, START, label);
    if (!start.get(1).equals("0")) {
      throw new IOException("the cluster has tablespaces, which this does not copy");
    }
    Copying copying = new Copying(cluster, to);
    Files.walkFileTree(cluster, copying);
    // Last, as pg_basebackup does.
    copying.file(cluster.resolve(CONTROL));
    List<String> stop = ask(connection, STOP, null);
    Path labelFile = to.resolve("backup_label");
    Files.writeString(labelFile, stop.get(1));
    force(labelFile);
    ask(connection, SWITCH, null);
    copyLog(cluster.resolve("pg_wal"), start.get(0), stop.get(0), copying);
    return new Taken(copying.files, copying.bytes);
  }

  /** Segments are named by timeline and place: their names sort as they were written. */
  private static void copyLog(Path log, String first, String last, Copying copying)
      throws IOException {
    try (Stream<Path> files = Files.list(log)) {
      for (Path file : files.sorted().toList()) {
        String name = file.getFileName().toString();
        boolean needed =
            name.matches("[0-9A-F]{24}") && name.compareTo(first) >= 0 && name.compareTo(last) <= 0;
        if (needed || name.endsWith(".history")) {
          copying.file(file);
        }
      }
    }
    if (!Files.exists(copying.to.resolve("pg_wal").resolve(first))
        || !Files.exists(copying.to.resolve("pg_wal").resolve(last))) {
      throw new IOException("the write-ahead log from " + first + " to " + last + " is not whole");
    }
  }

  private static List<String> ask(Connection connection, String sql, @Nullable String value)
      throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement(sql)) {
      if (value != null) {
        statement.setString(1, value);
      }
      try (ResultSet row = statement.executeQuery()) {
        row.next();
        List<String> columns = new ArrayList<>();
        for (int column = 1; column <= row.getMetaData().getColumnCount(); column++) {
          columns.add(String.valueOf(row.getString(column)));
        }
        return columns;
      }
    }
  }

  /**
   * Makes a data directory of a backup and lets it recover: to that moment, else to the end of the
   * archive, else to the end of the backup.
   *
   * @param from what {@link #take} made
   * @param dataDir must hold no cluster
   * @param walArchive where the write-ahead log since the backup lies; null for none
   * @param until the last moment that is wanted; null for the newest there is
   * @param recovered gets the superuser's access to the ledger's database; only when it returns can
   *     the directory be started
   * @throws IllegalStateException with one sentence when that cannot be done, such as when the log
   *     ends before the moment
   */
  public static void restore(
      Path from,
      Path dataDir,
      @Nullable Path binaries,
      @Nullable Path walArchive,
      @Nullable Instant until,
      Consumer<DatabaseUrl> recovered) {
    if (!Files.isRegularFile(from.resolve(PASSWORD))
        || !Files.isRegularFile(from.resolve(CLUSTER).resolve("backup_label"))) {
      throw new IllegalStateException("--from " + from + " holds no backup");
    }
    Path cluster = dataDir.resolve(CLUSTER);
    if (Files.exists(cluster)) {
      throw new IllegalStateException(
          "--data-dir " + dataDir + " holds a database: give a directory without one");
    }
    if (until != null && walArchive == null) {
      throw new IllegalStateException("--until needs --wal-archive: the log is what it reads");
    }
    try {
      makePrivate(dataDir);
      Path fresh = dataDir.resolve("postgres.new");
      PostgresBinaries.deleteTree(fresh);
      makePrivate(fresh);
      Copying copying = new Copying(from.resolve(CLUSTER), fresh);
      try (Stream<Path> all = Files.walk(from.resolve(CLUSTER))) {
        for (Path each : all.toList()) {
          if (Files.isDirectory(each)) {
            makePrivate(copying.target(each));
          } else {
            copying.file(each);
          }
        }
      }
      new Copying(from, dataDir).file(from.resolve(PASSWORD));
      List<String> settings = new ArrayList<>();
      if (walArchive != null) {
        Files.createFile(fresh.resolve("recovery.signal"));
        settings.add(WalArchive.restoring(walArchive));
        settings.add("recovery_target_action=promote");
        if (until != null) {
          settings.add("recovery_target_time=" + RECOVERY_TIME.format(until));
        }
      }
      Files.createFile(dataDir.resolve(EmbeddedPostgres.UNFINISHED_RESTORE));
      Files.move(fresh, cluster, StandardCopyOption.ATOMIC_MOVE);
      recover(dataDir, binaries, settings, recovered);
    } catch (IOException e) {
      throw new IllegalStateException("the backup was not restored: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while the backup was restored", e);
    }
  }

  private static void recover(
      Path dataDir, @Nullable Path binaries, List<String> settings, Consumer<DatabaseUrl> recovered)
      throws IOException, InterruptedException {
    try {
      EmbeddedPostgres.recover(dataDir, binaries, settings, RECOVERY_LIMIT, recovered);
      Files.delete(dataDir.resolve(EmbeddedPostgres.UNFINISHED_RESTORE));
    } catch (RuntimeException e) {
      // What is not what was asked for must not be taken for it.
      PostgresBinaries.deleteTree(dataDir.resolve(CLUSTER));
      Files.deleteIfExists(dataDir.resolve(PASSWORD));
      Files.deleteIfExists(dataDir.resolve(EmbeddedPostgres.UNFINISHED_RESTORE));
      throw e;
    }
  }

  private static void makePrivate(Path directory) throws IOException {
    if (!Files.isDirectory(directory)) {
      Files.createDirectories(
          directory,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }
  }

  private static void force(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      channel.force(true);
    }
  }

  /** Copies files, each durable, to the same places under another directory. */
  private static final class Copying extends SimpleFileVisitor<Path> {

    private final Path from;
    private final Path to;
    private long files;
    private long bytes;

    Copying(Path from, Path to) {
      this.from = from;
      this.to = to;
    }

    private Path target(Path file) {
      return to.resolve(from.relativize(file).toString());
    }

    @Override
    public FileVisitResult preVisitDirectory(Path directory, BasicFileAttributes attributes)
        throws IOException {
      makePrivate(target(directory));
      if (CONTENTS_LEFT_OUT.contains(from.relativize(directory).toString())) {
        return FileVisitResult.SKIP_SUBTREE;
      }
      return directory.getFileName().toString().startsWith("pgsql_tmp")
          ? FileVisitResult.SKIP_SUBTREE
          : FileVisitResult.CONTINUE;
    }

    @Override
    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
      boolean leftOut =
          FILES_LEFT_OUT.contains(from.relativize(file).toString())
              || file.getFileName().toString().startsWith("pg_internal.init");
      if (!leftOut) {
        file(file);
      }
      return FileVisitResult.CONTINUE;
    }

    /** A relation may be dropped while it is read: then the log drops it again. */
    @Override
    public FileVisitResult visitFileFailed(Path file, IOException failure) throws IOException {
      if (failure instanceof NoSuchFileException) {
        return FileVisitResult.CONTINUE;
      }
      throw failure;
    }

    private void file(Path file) throws IOException {
      Path copy = target(file);
      try {
        Files.copy(file, copy);
      } catch (NoSuchFileException e) {
        if (Files.exists(file)) {
          throw e;
        }
        return;
      }
      Files.setPosixFilePermissions(copy, PosixFilePermissions.fromString("rw-------"));
      force(copy);
      files++;
      bytes += Files.size(copy);
    }
  }
}

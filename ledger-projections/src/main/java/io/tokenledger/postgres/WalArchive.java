package io.tokenledger.postgres;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;

/**
 * The settings with which an embedded server copies its write-ahead log to a directory and reads it
 * from there. PostgreSQL runs both commands in a shell.
 */
final class WalArchive {

  /** A minute at most is lost with the machine. */
  private static final String TIMEOUT = "archive_timeout=60";

  private WalArchive() {}

  /** Gives a directory to the account that the server runs as. */
  interface Owning {
    void own(Path directory) throws IOException, InterruptedException;
  }

  /**
   * For writing. A segment appears whole or not at all; one that is there is left, and must be the
   * same.
   *
   * @throws IllegalArgumentException when the path holds what a shell would take for more than one
   */
  static List<String> archiving(Path directory, Owning account)
      throws IOException, InterruptedException {
    String quoted = quoted(directory);
    if (!Files.isDirectory(directory)) {
      Files.createDirectories(
          directory,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }
    account.own(directory);
    return List.of(
        "archive_mode=on",
        TIMEOUT,
        "archive_command=if test -f %1$s/%%f; then cmp -s %%p %1$s/%%f;".formatted(quoted)
            + " else cp %%p %1$s/.%%f.new && mv %1$s/.%%f.new %1$s/%%f; fi".formatted(quoted));
  }

  /**
   * For reading.
   *
   * @throws IllegalArgumentException as above
   */
  static String restoring(Path directory) {
    return "restore_command=cp %s/%%f %%p".formatted(quoted(directory));
  }

  private static String quoted(Path directory) {
    String path = directory.toAbsolutePath().normalize().toString();
    if (path.contains("'") || path.contains("%") || path.contains("\n")) {
      throw new IllegalArgumentException(
          "--wal-archive " + path + " must not hold quotes, percent signs or line breaks");
    }
    return "'" + path + "'";
  }
}

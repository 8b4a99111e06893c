package io.tokenledger.postgres;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.Locale;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.tukaani.xz.XZInputStream;

/**
 * The programs of PostgreSQL, published for each platform as a {@code .txz} inside a jar: only
 * {@code initdb}, {@code pg_ctl} and {@code postgres}.
 */
public final class PostgresBinaries {

  private PostgresBinaries() {}

  /** For the build, which unpacks once so that no start has to: {@code PostgresBinaries DIR}. */
  public static void main(String[] args) throws IOException {
    unpack(Path.of(args[0]));
  }

  /**
   * Unpacks into that directory, at once and whole, unless it is there already.
   *
   * @return the directory, which has a {@code bin/postgres}
   * @throws IllegalStateException when there are no binaries for this platform
   */
  public static Path unpack(Path directory) throws IOException {
    Path target = directory.toAbsolutePath().normalize();
    if (isUsable(target)) {
      return target;
    }
    String resource = "/postgres-" + platform() + ".txz";
    try (InputStream packed = PostgresBinaries.class.getResourceAsStream(resource)) {
      if (packed == null) {
        throw new IllegalStateException(
            "no embedded PostgreSQL for this platform ("
                + platform()
                + "): install PostgreSQL 15 or newer and give --database-url");
      }
      Files.createDirectories(target.getParent());
      Path fresh = Files.createTempDirectory(target.getParent(), ".unpacking-");
      try {
        extract(packed, fresh);
        Files.setPosixFilePermissions(fresh, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.move(fresh, target, StandardCopyOption.ATOMIC_MOVE);
      } catch (FileSystemException e) {
        // Another process was faster, which each system says in its own way; its copy is as good.
        if (!isUsable(target)) {
          throw e;
        }
      } finally {
        deleteTree(fresh);
      }
    }
    return target;
  }

  static boolean isUsable(Path directory) {
    return Files.isExecutable(directory.resolve("bin/postgres"))
        && Files.isExecutable(directory.resolve("bin/initdb"));
  }

  private static String platform() {
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
    return (os.startsWith("mac") ? "darwin" : os)
        + "-"
        + (arch.equals("aarch64") || arch.equals("arm64") ? "arm_64" : "x86_64");
  }

  private static void extract(InputStream packed, Path directory) throws IOException {
    try (TarArchiveInputStream tar =
        new TarArchiveInputStream(new XZInputStream(new BufferedInputStream(packed)))) {
      for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
        Path file = directory.resolve(entry.getName()).normalize();
        if (!file.startsWith(directory)) {
          throw new IOException("archive entry outside its directory: " + entry.getName());
        }
        if (entry.isDirectory()) {
          Files.createDirectories(file);
          continue;
        }
        Files.createDirectories(file.getParent());
        if (entry.isSymbolicLink()) {
          Files.createSymbolicLink(file, Path.of(entry.getLinkName()));
        } else if (entry.isLink()) {
          Files.createLink(file, directory.resolve(entry.getLinkName()));
        } else {
          Files.copy(tar, file);
          boolean executable = (entry.getMode() & 0100) != 0;
          Files.setPosixFilePermissions(
              file, PosixFilePermissions.fromString(executable ? "rwxr-xr-x" : "rw-r--r--"));
        }
      }
    }
  }

  static void deleteTree(Path directory) throws IOException {
    if (!Files.exists(directory)) {
      return;
    }
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}

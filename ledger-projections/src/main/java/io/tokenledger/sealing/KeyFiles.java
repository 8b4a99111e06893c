package io.tokenledger.sealing;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/** Files that hold a key: of mode 0600, whole or not there at all, durable before they are used. */
public final class KeyFiles {

  private KeyFiles() {}

  /**
   * Makes a file that no one can see half-written: nodes share directories and look for each
   * other's keys at any moment.
   *
   * @return false when the file exists already; it is then left as it is
   */
  public static boolean create(Path file, String text) throws IOException {
    Path directory = file.toAbsolutePath().getParent();
    Path fresh =
        Files.createTempFile(
            directory,
            ".key-",
            ".new",
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    try {
      try (FileChannel channel = FileChannel.open(fresh, StandardOpenOption.WRITE)) {
        channel.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII)));
        channel.force(true);
      }
      // A link, unlike a rename, does not replace what another node was faster to make.
      Files.createLink(file, fresh);
      try (FileChannel names = FileChannel.open(directory, Set.of(StandardOpenOption.READ))) {
        names.force(true);
      }
      return true;
    } catch (FileAlreadyExistsException e) {
      return false;
    } finally {
      Files.deleteIfExists(fresh);
    }
  }
}

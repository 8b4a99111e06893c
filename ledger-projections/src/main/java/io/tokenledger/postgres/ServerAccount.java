package io.tokenledger.postgres;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Whom PostgreSQL runs as: it refuses to be root. In a user namespace root is nobody special while
 * its files stay its own; where that is forbidden or cannot be had, the cluster is given to an
 * ordinary user. Which of both holds may change from one start to the next.
 *
 * @param prefix what stands before a command so that it runs as this account
 * @param owner whom the cluster must belong to, {@code USER:GROUP} in numbers; null to leave it
 */
record ServerAccount(List<String> prefix, @Nullable String owner) {

  private static final String ROOT = "0:0";
  private static final List<String> USERS = List.of("postgres", "nobody");

  /**
   * The account that works here and now.
   *
   * @throws IllegalStateException when this is root and there is none
   */
  static ServerAccount choose() throws InterruptedException {
    if (!"root".equals(System.getProperty("user.name"))) {
      return new ServerAccount(List.of(), null);
    }
    // Really tried: where it exists it may yet be forbidden.
    List<String> namespace = List.of("unshare", "-U");
    if (succeeds(with(namespace, "true"))) {
      return new ServerAccount(namespace, ROOT);
    }
    for (String user : USERS) {
      String userId = said("id", "-u", user);
      String groupId = said("id", "-g", user);
      if (!userId.isEmpty() && !groupId.isEmpty()) {
        List<String> change =
            List.of("setpriv", "--reuid=" + userId, "--regid=" + groupId, "--clear-groups");
        if (succeeds(with(change, "true"))) {
          return new ServerAccount(change, userId + ":" + groupId);
        }
      }
    }
    throw new IllegalStateException(
        "PostgreSQL does not run as root, and neither unshare nor setpriv works here: start the"
            + " ledger as an ordinary user, or give --database-url");
  }

  /**
   * Whether it is not the one that started the ledger, so that our private files are closed to it.
   */
  boolean isAnother() {
    return owner != null && !owner.equals(ROOT);
  }

  /** Whether this account may enter that directory. */
  boolean canReach(Path directory) throws InterruptedException {
    return prefix.isEmpty() || succeeds(with(prefix, "test", "-x", directory.toString()));
  }

  /** Gives a file or tree to this account, unless it has it. */
  void own(Path path) throws IOException, InterruptedException {
    if (owner == null || owner.equals(ownerOf(path))) {
      return;
    }
    // Of links only the links themselves: whoever had the tree chose where they lead.
    if (!succeeds(List.of("chown", "-hR", owner, path.toString()))) {
      throw new IOException(path + " cannot be given to the user " + owner);
    }
  }

  private static String ownerOf(Path path) throws IOException {
    return Files.getAttribute(path, "unix:uid") + ":" + Files.getAttribute(path, "unix:gid");
  }

  private static List<String> with(List<String> prefix, String... command) {
    List<String> all = new ArrayList<>(prefix);
    all.addAll(List.of(command));
    return all;
  }

  private static boolean succeeds(List<String> command) throws InterruptedException {
    try {
      return new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start()
              .waitFor()
          == 0;
    } catch (IOException e) {
      return false;
    }
  }

  /** What a command prints; empty when it fails. */
  private static String said(String... command) throws InterruptedException {
    try {
      Process process =
          new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
      String line = process.inputReader().readLine();
      return process.waitFor() == 0 && line != null ? line.strip() : "";
    } catch (IOException e) {
      return "";
    }
  }
}

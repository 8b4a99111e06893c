package io.tokenledger.cli;

import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenRefused;
import io.tokenledger.token.TokenSecret;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The files with which a server's first tokens are provisioned ({@code influxdb3-token-surface}
 * 2.6): only the owner may read them, and they appear whole or not at all. Who changes one holds a
 * lock on a file beside it, which stays: the file itself is another one after each change.
 */
final class OfflineFile {

  private static final JsonMapper JSON = JsonMapper.shared();
  private static final FileAttribute<Set<PosixFilePermission>> ONLY_OWNER =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

  private OfflineFile() {}

  /** Writes the file of {@code serve --admin-token-file}; one that is there is not overwritten. */
  static void writeAdmin(Path file, TokenSecret secret, String name, @Nullable Long expiryMillis) {
    ObjectNode json = entry(secret, name, expiryMillis);
    alone(
        file,
        () -> {
          if (Files.exists(file)) {
            throw new CommandFailed(
                "--output-file "
                    + file
                    + " exists: an admin token is not overwritten, choose another");
          }
          write(file, json);
        });
  }

  /** Adds to the file of {@code serve --permission-tokens-file}, which is made when missing. */
  static void addPermissionToken(
      Path file,
      TokenSecret secret,
      String name,
      @Nullable Long expiryMillis,
      List<String> permissions,
      List<String> databases) {
    ObjectNode entry = entry(secret, name, expiryMillis);
    permissions.forEach(entry.putArray("permissions")::add);
    alone(file, () -> add(file, entry, name, databases));
  }

  private static void add(Path file, ObjectNode entry, String name, List<String> databases) {
    ObjectNode json = Files.exists(file) ? read(file) : JSON.createObjectNode();
    ArrayNode known = array(file, json, "create_databases");
    for (String database : databases) {
      if (known.valueStream().noneMatch(node -> node.asString("").equals(database))) {
        known.add(database);
      }
    }
    ArrayNode tokens = array(file, json, "tokens");
    for (JsonNode token : tokens) {
      if (token.path("name").asString("").equals(name)) {
        throw new CommandFailed(
            "--output-file " + file + " has a token named " + name + " already");
      }
    }
    tokens.add(entry);
    write(file, json);
  }

  private static ObjectNode entry(TokenSecret secret, String name, @Nullable Long expiryMillis) {
    try {
      ObjectNode json = JSON.createObjectNode();
      json.put("token", secret.reveal());
      json.put("name", new TokenName(name).value());
      if (expiryMillis != null) {
        json.put("expiry_millis", expiryMillis);
      }
      return json;
    } catch (TokenRefused e) {
      throw new CommandFailed("--name: " + e.getMessage());
    }
  }

  private static ObjectNode read(Path file) {
    try {
      if (JSON.readTree(Files.readString(file)) instanceof ObjectNode object) {
        return object;
      }
    } catch (IOException | JacksonException e) {
      throw new CommandFailed("--output-file " + file + " cannot be read as JSON");
    }
    throw new CommandFailed("--output-file " + file + " holds no JSON object");
  }

  private static ArrayNode array(Path file, ObjectNode json, String field) {
    if (!json.has(field)) {
      return json.putArray(field);
    }
    if (json.get(field) instanceof ArrayNode array) {
      return array;
    }
    throw new CommandFailed("--output-file " + file + ": " + field + " is not an array");
  }

  /** Waits for every other command that changes the file. */
  private static void alone(Path file, Runnable change) {
    Path absolute = file.toAbsolutePath();
    Path lock = absolute.resolveSibling("." + absolute.getFileName() + ".lock");
    try (FileChannel channel =
        FileChannel.open(
            lock, Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE), ONLY_OWNER)) {
      // Closing gives it back, as does the end of the process.
      channel.lock();
      change.run();
    } catch (IOException e) {
      throw new CommandFailed(
          "--output-file " + file + " cannot be locked by " + lock + ": " + e.getMessage());
    }
  }

  private static void write(Path file, ObjectNode json) {
    Path absolute = file.toAbsolutePath();
    try {
      Path temporary =
          Files.createTempFile(
              absolute.getParent(), "." + absolute.getFileName(), ".tmp", ONLY_OWNER);
      Files.writeString(
          temporary,
          JSON.writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n",
          StandardCharsets.UTF_8);
      Files.move(temporary, absolute, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new CommandFailed("--output-file " + file + " cannot be written: " + e.getMessage());
    }
  }
}

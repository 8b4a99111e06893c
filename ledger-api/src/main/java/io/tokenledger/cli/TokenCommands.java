package io.tokenledger.cli;

import io.tokenledger.permission.InvalidPermission;
import io.tokenledger.permission.Permission;
import io.tokenledger.permission.Permissions;
import io.tokenledger.token.HumanDuration;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code create token} and {@code delete token}, in the words of {@code influxdb3}. */
final class TokenCommands {

  private static final JsonMapper JSON = JsonMapper.shared();
  private static final String OPERATOR = "_admin";

  private TokenCommands() {}

  @Command(
      name = "create",
      description = "Creates a token.",
      mixinStandardHelpOptions = true,
      subcommands = CreateToken.class)
  static final class Create {}

  @Command(
      name = "delete",
      description = "Revokes a token.",
      mixinStandardHelpOptions = true,
      subcommands = DeleteToken.class)
  static final class Delete {}

  @Command(
      name = "token",
      description = "Creates an operator, admin or resource token.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Examples:",
        "  ledger create token --admin                           the operator token, once",
        "  ledger create token --admin --name alice              an admin of one person",
        "  ledger create token --permission db:mydb:read,write --name ingest --expiry 7d",
        "  ledger create token --permission system:health:read --name probe --expiry 1y"
      })
  static final class CreateToken implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Option(names = "--admin", description = "Creates the operator token, or a named admin")
    private boolean admin;

    @Option(names = "--regenerate", description = "Gives the operator token a new secret")
    private boolean regenerate;

    @Option(
        names = "--permission",
        paramLabel = "PERMISSION",
        description = "TYPE:NAMES:ACTIONS, for example db:mydb:read,write; may be repeated")
    private List<String> permissions = new ArrayList<>();

    @Option(names = "--name", paramLabel = "NAME", description = "Name of the token")
    private @Nullable String name;

    @Option(
        names = "--expiry",
        paramLabel = "DURATION",
        description = "How long it is valid: 7d, 1h 30m, 1y. Default: for ever")
    private @Nullable String expiry;

    @Option(names = "--format", paramLabel = "FORMAT", description = "text or json. Default text")
    private String format = "text";

    @Override
    public Integer call() throws IOException {
      if (admin == !permissions.isEmpty()) {
        throw new CommandFailed(
            "Missing required subcommand. Use: ledger create token --admin [OPTIONS], or ledger"
                + " create token --permission PERMISSION --name NAME");
      }
      if (!format.equals("text") && !format.equals("json")) {
        throw new CommandFailed("--format must be text or json, got " + format);
      }
      Remote.Answer answer = admin ? createAdmin() : createResource();
      if (answer.status() != 201) {
        throw refused("create token", answer);
      }
      print(JSON.readTree(answer.body()).path("token").asString());
      return 0;
    }

    private Remote.Answer createAdmin() throws IOException {
      if (regenerate && name != null) {
        throw new CommandFailed(
            "--regenerate cannot be used with --name, --regenerate only applies for operator"
                + " token");
      }
      if (regenerate) {
        System.out.println(
            "Are you sure you want to regenerate admin token? Enter 'yes' to confirm");
        if (!"yes".equals(readLine())) {
          throw new CommandFailed("Cannot regenerate token without confirmation");
        }
        return remote.post("/api/v3/configure/token/admin/regenerate", null);
      }
      if (name == null) {
        return remote.post("/api/v3/configure/token/admin", null);
      }
      ObjectNode body = JSON.createObjectNode();
      body.put("token_name", name);
      putExpiry(body);
      return remote.post("/api/v3/configure/token/named_admin", body.toString());
    }

    private Remote.Answer createResource() {
      if (name == null) {
        throw new CommandFailed("--name is required with --permission");
      }
      ObjectNode body = JSON.createObjectNode();
      body.put("token_name", name);
      ArrayNode grants = body.putArray("permissions");
      try {
        for (String text : permissions) {
          Permission permission = Permission.parse(text);
          ObjectNode grant = grants.addObject();
          grant.put("resource_type", permission.type().wireName());
          ArrayNode names = grant.putArray("resource_names");
          permission.names().forEach(names::add);
          ArrayNode actions = grant.putArray("actions");
          permission.actions().forEach(action -> actions.add(action.wireName()));
        }
      } catch (InvalidPermission e) {
        throw new CommandFailed("Invalid permission: " + e.getMessage());
      }
      putExpiry(body);
      return remote.post("/api/v3/enterprise/configure/token", body.toString());
    }

    private void putExpiry(ObjectNode body) {
      if (expiry == null) {
        return;
      }
      try {
        long seconds = HumanDuration.parseSeconds(expiry);
        if (seconds < 1) {
          throw new CommandFailed(
              "--expiry must be at least one second, got "
                  + expiry
                  + "; leave it out for a token that never expires");
        }
        body.put("expiry_secs", seconds);
      } catch (IllegalArgumentException e) {
        throw new CommandFailed("--expiry " + expiry + ": " + e.getMessage());
      }
    }

    private void print(String secret) {
      if (format.equals("json")) {
        ObjectNode json = JSON.createObjectNode();
        json.put(
            "help_msg",
            "Store this token securely, as it will not be shown again. HTTP requests require the"
                + " following header: \"Authorization: Bearer "
                + secret
                + "\"");
        json.put("token", secret);
        System.out.println(JSON.writerWithDefaultPrettyPrinter().writeValueAsString(json));
        return;
      }
      // Colour codes only for eyes: the original writes them into pipes as well.
      boolean terminal = System.console() != null;
      String underline = terminal ? "\u001b[4m" : "";
      String bold = terminal ? "\u001b[1m" : "";
      String alert = terminal ? "\u001b[1;31m" : "";
      String plain = terminal ? "\u001b[0m" : "";
      System.out.println();
      System.out.println(underline + "New token created successfully!" + plain);
      System.out.println();
      System.out.println(bold + "Token:" + plain + " " + secret);
      System.out.println(
          bold + "HTTP Requests Header:" + plain + " Authorization: Bearer " + secret);
      System.out.println();
      System.out.println(
          alert
              + "IMPORTANT:"
              + plain
              + " Store this token securely, as it will not be shown again.");
    }
  }

  @Command(
      name = "token",
      description = "Revokes a token by its name; the name is free afterwards.",
      mixinStandardHelpOptions = true)
  static final class DeleteToken implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Option(names = "--token-name", paramLabel = "NAME", required = true, description = "Name")
    private String tokenName = "";

    @Option(
        names = {"-y", "--yes"},
        description = "Does not ask")
    private boolean yes;

    @Override
    public Integer call() throws IOException {
      if (tokenName.equals(OPERATOR)) {
        throw new CommandFailed(
            "The operator token \"_admin\" is required and cannot be deleted. To regenerate an"
                + " operator token, use: ledger create token --admin --regenerate --token [TOKEN]");
      }
      if (!yes) {
        System.err.println(
            "Are you sure you want to delete \"" + tokenName + "\"? Enter 'yes' or 'y' to confirm");
        String said = readLine();
        String word = said == null ? "" : said.toLowerCase(Locale.ROOT);
        if (!word.equals("yes") && !word.equals("y")) {
          throw new CommandFailed("Delete command failed: Cannot proceed without confirmation");
        }
      }
      Remote.Answer answer =
          remote.delete("/api/v3/configure/token?token_name=" + Remote.encode(tokenName));
      if (answer.status() != 200) {
        throw refused("delete token", answer);
      }
      System.out.println("Token \"" + tokenName + "\" deleted successfully");
      return 0;
    }
  }

  private static @Nullable String readLine() throws IOException {
    String line =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).readLine();
    return line == null ? null : line.strip();
  }

  /** One line for a refusal, with what to do about it where that is known. */
  static CommandFailed refused(String what, Remote.Answer answer) {
    String message = answer.body();
    if (message.startsWith("{")) {
      JsonNode json = JSON.readTree(message);
      message = json.path("message").asString(json.path("error").asString(message));
    }
    String hint =
        switch (answer.status()) {
          case 401 -> " (give a valid token with --token or INFLUXDB3_AUTH_TOKEN)";
          case 403 -> " (this token may not do that)";
          case 409 -> " (delete it first, or choose another name)";
          case 503 -> " (try again in a few seconds)";
          default -> "";
        };
    return new CommandFailed(
        "cannot " + what + ": " + answer.status() + " " + message.strip() + hint);
  }

  /** The texts of permissions as one grant list, for {@code check}. */
  static Permission single(String text) {
    try {
      Permission permission = Permission.parse(text);
      Permissions.of(List.of(permission));
      return permission;
    } catch (InvalidPermission e) {
      throw new CommandFailed("Invalid permission: " + e.getMessage());
    }
  }
}

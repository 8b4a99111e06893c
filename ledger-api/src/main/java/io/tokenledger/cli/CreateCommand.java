package io.tokenledger.cli;

import io.tokenledger.permission.InvalidPermission;
import io.tokenledger.permission.Permission;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.HumanDuration;
import io.tokenledger.token.TokenRefused;
import io.tokenledger.token.TokenSecret;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.core.JsonGenerator;

/** {@code create token}, in the words of {@code influxdb3}. */
@Command(
    name = "create",
    description = "Creates a token.",
    mixinStandardHelpOptions = true,
    subcommands = CreateCommand.Token.class)
final class CreateCommand {

  private static final String OPERATOR = "_admin";

  @Command(
      name = "token",
      description = "Creates an operator, admin or resource token.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Examples:",
        "  ledger create token --admin                      the operator token, once",
        "  ledger create token --admin --regenerate         another secret for it",
        "  ledger create token --admin --name alice         an admin of one person",
        "  ledger create token --permission db:mydb:read,write --name ingest --expiry 7d",
        "  ledger create token --permission db:a:read --permission db:b:read --name ops",
        "  ledger create token --permission system:health:read --name probe --expiry 1y",
        "  ledger create token --admin --offline --output-file admin.json",
        "                                     for --admin-token-file of ledger serve"
      })
  static final class Token implements Callable<Integer> {

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

    @Option(
        names = "--format",
        paramLabel = "FORMAT",
        completionCandidates = Formats.TextOrJson.class,
        description = "text or json. Default text")
    private String format = "text";

    @Option(
        names = "--offline",
        description = "Asks no server: writes the token to --output-file, for a server's start")
    private boolean offline;

    @Option(
        names = "--output-file",
        paramLabel = "FILE",
        description = "Where --offline writes to; a file of resource tokens is appended to")
    private @Nullable Path outputFile;

    @Option(
        names = "--create-databases",
        paramLabel = "NAMES",
        split = ",",
        description = "Names noted in the file of --offline; the ledger needs no database to exist")
    private List<String> databases = new ArrayList<>();

    @Override
    public Integer call() {
      if (admin == !permissions.isEmpty()) {
        throw new CommandFailed(
            "Missing required subcommand. Use: ledger create token --admin [OPTIONS], or ledger"
                + " create token --permission PERMISSION --name NAME");
      }
      if (!format.equals("text") && !format.equals("json")) {
        throw new CommandFailed("--format must be text or json, got " + format);
      }
      if (!admin && name == null) {
        throw new CommandFailed("--name is required with --permission");
      }
      if (regenerate && !admin) {
        throw new CommandFailed("--regenerate only applies for the operator token, with --admin");
      }
      if (regenerate && name != null) {
        throw new CommandFailed(
            "--regenerate cannot be used with --name, --regenerate only applies for operator"
                + " token");
      }
      if (offline != (outputFile != null)) {
        throw new CommandFailed("--offline and --output-file go together");
      }
      if (!offline && !databases.isEmpty()) {
        throw new CommandFailed("--create-databases goes with --offline");
      }
      if (outputFile != null) {
        return createOffline(outputFile);
      }
      Remote.Answer answer = admin ? createAdmin() : createResource();
      if (answer.status() != 201) {
        throw Remote.refused("create token", answer);
      }
      String secret = Json.field(answer.body(), "token");
      if (secret == null) {
        throw new CommandFailed("cannot create token: the server's answer holds no token");
      }
      print(secret);
      return 0;
    }

    private Remote.Answer createAdmin() {
      if (regenerate) {
        System.out.println(
            "Are you sure you want to regenerate admin token? Enter 'yes' to confirm");
        if (!"yes".equals(Terminal.readLine())) {
          throw new CommandFailed("Cannot regenerate token without confirmation");
        }
        return remote.post("/api/v3/configure/token/admin/regenerate", null);
      }
      if (name == null) {
        return remote.post("/api/v3/configure/token/admin", null);
      }
      return remote.post(
          "/api/v3/configure/token/named_admin", Json.object(this::putNameAndExpiry));
    }

    private Remote.Answer createResource() {
      List<Permission> grants = parsed(permissions);
      return remote.post(
          "/api/v3/enterprise/configure/token",
          Json.object(
              json -> {
                putNameAndExpiry(json);
                putPermissions(json, grants);
              }));
    }

    private void putNameAndExpiry(JsonGenerator json) {
      json.writeStringProperty("token_name", name);
      if (expiry != null) {
        json.writeNumberProperty("expiry_secs", seconds("--expiry", expiry));
      }
    }

    private int createOffline(Path file) {
      if (regenerate) {
        throw new CommandFailed("--regenerate needs the server: leave --offline out");
      }
      TokenSecret secret = TokenSecret.generate(new java.security.SecureRandom());
      // The operator token never expires, as with the original.
      Long expiryMillis = expiry == null || (admin && name == null) ? null : expiryMillis(expiry);
      if (admin) {
        OfflineFile.writeAdmin(file, secret, name == null ? OPERATOR : name, expiryMillis);
      } else {
        OfflineFile.addPermissionToken(
            file,
            secret,
            String.valueOf(name),
            expiryMillis,
            parsed(permissions).stream().map(Permission::toString).toList(),
            databases);
      }
      (format.equals("json") ? System.err : System.out).println("Token saved to: " + file);
      print(secret.reveal());
      return 0;
    }

    private static long expiryMillis(String expiry) {
      try {
        return Expiry.after(Instant.now(), seconds("--expiry", expiry)).epochMillis();
      } catch (TokenRefused e) {
        throw new CommandFailed("--expiry " + expiry + ": " + e.getMessage());
      }
    }

    private void print(String secret) {
      if (format.equals("json")) {
        String help =
            "Store this token securely, as it will not be shown again. HTTP requests require the"
                + " following header: \"Authorization: Bearer "
                + secret
                + "\"";
        System.out.println(
            "{\n  \"help_msg\" : "
                + Json.quoted(help)
                + ",\n  \"token\" : "
                + Json.quoted(secret)
                + "\n}");
        return;
      }
      printNew("New token created successfully!", secret);
    }
  }

  /** The text that shows a new secret, in the words of the original. */
  static void printNew(String title, String secret) {
    // Colour codes only for eyes: the original writes them into pipes as well.
    boolean person = Terminal.isPerson();
    String underline = person ? "\u001b[4m" : "";
    String bold = person ? "\u001b[1m" : "";
    String alert = person ? "\u001b[1;31m" : "";
    String plain = person ? "\u001b[0m" : "";
    System.out.println();
    System.out.println(underline + title + plain);
    System.out.println();
    System.out.println(bold + "Token:" + plain + " " + secret);
    System.out.println(bold + "HTTP Requests Header:" + plain + " Authorization: Bearer " + secret);
    System.out.println();
    System.out.println(
        alert
            + "IMPORTANT:"
            + plain
            + " Store this token securely, as it will not be shown again.");
  }

  /** The permissions of these texts, each an entry of its own. */
  static List<Permission> parsed(List<String> texts) {
    List<Permission> grants = new ArrayList<>();
    try {
      for (String text : texts) {
        grants.add(Permission.parse(text));
      }
    } catch (InvalidPermission e) {
      throw new CommandFailed("Invalid permission: " + e.getMessage());
    }
    return grants;
  }

  /** The field {@code permissions} in InfluxDB's JSON form. */
  static void putPermissions(JsonGenerator json, List<Permission> grants) {
    json.writeName("permissions");
    json.writeStartArray();
    for (Permission grant : grants) {
      json.writeStartObject();
      json.writeStringProperty("resource_type", grant.type().wireName());
      json.writeName("resource_names");
      json.writeStartArray();
      grant.names().forEach(json::writeString);
      json.writeEndArray();
      json.writeName("actions");
      json.writeStartArray();
      grant.actions().forEach(action -> json.writeString(action.wireName()));
      json.writeEndArray();
      json.writeEndObject();
    }
    json.writeEndArray();
  }

  /**
   * The seconds of a duration that must be at least one.
   *
   * @param flag its name, for the message
   */
  static long seconds(String flag, String text) {
    try {
      long seconds = HumanDuration.parseSeconds(text);
      if (seconds < 1) {
        throw new CommandFailed(
            flag
                + " must be at least one second, got "
                + text
                + "; leave it out for a token that never expires");
      }
      return seconds;
    } catch (IllegalArgumentException e) {
      throw new CommandFailed(flag + " " + text + ": " + e.getMessage());
    }
  }
}

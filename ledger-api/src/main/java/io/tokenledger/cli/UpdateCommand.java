package io.tokenledger.cli;

import io.tokenledger.permission.Permission;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code update token}: what can change while the secret stays. */
@Command(
    name = "update",
    description = "Changes a token.",
    mixinStandardHelpOptions = true,
    subcommands = UpdateCommand.Token.class)
final class UpdateCommand {

  @Command(
      name = "token",
      description = {
        "Changes description, expiry or permissions of a token; its secret stays.",
        "Several at once are made one after the other, and end at the first that is refused."
      },
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Examples:",
        "  ledger update token --token-name ingest --description \"collector in hall 3\"",
        "  ledger update token --token-name ingest --expiry 90d         from now on",
        "  ledger update token --token-name ingest --expiry never",
        "  ledger update token --id 7 --permission db:a,b:read     these and no others"
      })
  static final class Token implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();
    @Mixin private TokenChoice choice = new TokenChoice();

    @Option(names = "--description", paramLabel = "TEXT", description = "What it is for")
    private @Nullable String description;

    @Option(
        names = "--expiry",
        paramLabel = "DURATION",
        description = "How long it is valid from now on: 90d; or never")
    private @Nullable String expiry;

    @Option(
        names = "--permission",
        paramLabel = "PERMISSION",
        description = "What it may do instead of what it may now; may be repeated")
    private List<String> permissions = new ArrayList<>();

    @Override
    public Integer call() {
      if (description == null && expiry == null && permissions.isEmpty()) {
        throw new CommandFailed("give --description, --expiry or --permission");
      }
      List<Permission> grants = CreateCommand.parsed(permissions);
      Long seconds =
          expiry == null || expiry.equals("never")
              ? null
              : (Long) CreateCommand.seconds("--expiry", expiry);
      String path = "/api/v1/tokens/" + choice.id(remote);
      if (description != null) {
        put(
            path + "/description",
            Json.object(json -> json.writeStringProperty("description", description)));
      }
      if (expiry != null) {
        put(
            path + "/expiry",
            Json.object(
                json -> {
                  if (seconds == null) {
                    json.writeNullProperty("expiry_secs");
                  } else {
                    json.writeNumberProperty("expiry_secs", seconds);
                  }
                }));
      }
      if (!grants.isEmpty()) {
        put(path + "/permissions", Json.object(json -> CreateCommand.putPermissions(json, grants)));
      }
      System.out.println(choice + " updated successfully");
      return 0;
    }

    private void put(String path, String body) {
      Remote.Answer answer = remote.put(path, body);
      if (answer.status() != 200) {
        throw Remote.refused("update token", answer);
      }
    }
  }
}

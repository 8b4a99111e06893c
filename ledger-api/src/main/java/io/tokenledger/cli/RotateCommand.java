package io.tokenledger.cli;

import io.tokenledger.token.HumanDuration;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code rotate token}. */
@Command(
    name = "rotate",
    description = "Gives a token another secret.",
    mixinStandardHelpOptions = true,
    subcommands = RotateCommand.Token.class)
final class RotateCommand {

  @Command(
      name = "token",
      description = {
        "Gives a named token another secret; id, permissions and expiry stay.",
        "Until the grace ends both secrets work, so that clients can be changed one by one."
      },
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Examples:",
        "  ledger rotate token --token-name ingest --grace 1d",
        "  ledger rotate token --token-name ingest          the old secret ends at once"
      })
  static final class Token implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();
    @Mixin private TokenChoice choice = new TokenChoice();

    @Option(
        names = "--grace",
        paramLabel = "DURATION",
        description = "How long the old secret works on, 90d at most. Default 0")
    private String grace = "0";

    @Option(
        names = "--format",
        paramLabel = "FORMAT",
        completionCandidates = Formats.TextOrJson.class,
        description = "text or json. Default text")
    private String format = "text";

    @Override
    public Integer call() {
      if (!format.equals("text") && !format.equals("json")) {
        throw new CommandFailed("--format must be text or json, got " + format);
      }
      long seconds;
      try {
        seconds = HumanDuration.parseSeconds(grace);
      } catch (IllegalArgumentException e) {
        throw new CommandFailed("--grace " + grace + ": " + e.getMessage());
      }
      Remote.Answer answer =
          remote.post(
              "/api/v1/tokens/" + choice.id(remote) + "/rotate",
              Json.object(json -> json.writeNumberProperty("grace_secs", seconds)));
      @Nullable String secret = Json.field(answer.body(), "token");
      if (answer.status() != 201 || secret == null) {
        throw Remote.refused("rotate token", answer);
      }
      if (format.equals("json")) {
        System.out.println(answer.body());
      } else {
        CreateCommand.printNew("Token rotated successfully!", secret);
      }
      return 0;
    }
  }
}

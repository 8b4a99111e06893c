package io.tokenledger.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code suspend token}. */
@Command(
    name = "suspend",
    description = "Makes a token invalid until it is resumed.",
    mixinStandardHelpOptions = true,
    subcommands = SuspendCommand.Token.class)
final class SuspendCommand {

  @Command(
      name = "token",
      description = "Makes a token invalid until it is resumed.",
      mixinStandardHelpOptions = true,
      footer = {"", "Example:", "  ledger suspend token --token-name ingest"})
  static final class Token implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();
    @Mixin private TokenChoice choice = new TokenChoice();

    @Override
    public Integer call() {
      Remote.Answer answer = remote.post("/api/v1/tokens/" + choice.id(remote) + "/suspend", null);
      if (answer.status() != 200) {
        throw Remote.refused("suspend token", answer);
      }
      System.out.println(choice + " suspended successfully");
      return 0;
    }
  }
}

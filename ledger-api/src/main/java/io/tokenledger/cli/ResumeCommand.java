package io.tokenledger.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code resume token}. */
@Command(
    name = "resume",
    description = "Makes a suspended token valid again.",
    mixinStandardHelpOptions = true,
    subcommands = ResumeCommand.Token.class)
final class ResumeCommand {

  @Command(
      name = "token",
      description = "Makes a suspended token valid again.",
      mixinStandardHelpOptions = true,
      footer = {"", "Example:", "  ledger resume token --token-name ingest"})
  static final class Token implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();
    @Mixin private TokenChoice choice = new TokenChoice();

    @Override
    public Integer call() {
      Remote.Answer answer = remote.post("/api/v1/tokens/" + choice.id(remote) + "/resume", null);
      if (answer.status() != 200) {
        throw Remote.refused("resume token", answer);
      }
      System.out.println(choice + " resumed successfully");
      return 0;
    }
  }
}

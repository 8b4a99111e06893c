package io.tokenledger.cli;

import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Parameters;

/** {@code completion}: what a shell needs to complete commands and options. */
@Command(
    name = "completion",
    description = "Prints a script that completes commands and options in a shell.",
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  source <(ledger completion bash)",
      "  source <(ledger completion zsh)",
      "  ledger completion fish > ~/.config/fish/completions/ledger.fish"
    })
final class CompletionCommand implements Callable<Integer> {

  @Parameters(paramLabel = "SHELL", description = "bash, zsh or fish")
  private String shell = "";

  @Override
  public Integer call() {
    CommandLine all = LedgerCli.commandLine();
    System.out.print(
        switch (shell) {
          // One script: it turns on zsh's own support for such scripts by itself.
          case "bash", "zsh" -> AutoComplete.bash("ledger", all);
          case "fish" -> fish(all);
          default -> throw new CommandFailed("the shell must be bash, zsh or fish, got " + shell);
        });
    return 0;
  }

  private static String fish(CommandLine all) {
    StringBuilder script = new StringBuilder("complete -c ledger -f\n");
    fish(script, all.getCommandSpec(), "__fish_use_subcommand");
    return script.toString();
  }

  /**
   * Completes the words after a command.
   *
   * @param condition when fish is there
   */
  private static void fish(StringBuilder script, CommandSpec command, String condition) {
    command
        .subcommands()
        .forEach(
            (name, subcommand) -> {
              CommandSpec spec = subcommand.getCommandSpec();
              if (spec.usageMessage().hidden()) {
                return;
              }
              line(script, condition, " -a " + name, describe(spec.usageMessage().description()));
              String seen = "__fish_seen_subcommand_from " + name;
              fish(
                  script,
                  spec,
                  condition.equals("__fish_use_subcommand") ? seen : condition + "; and " + seen);
            });
    for (OptionSpec option : command.options()) {
      if (option.hidden()) {
        continue;
      }
      StringBuilder names = new StringBuilder();
      for (String name : option.names()) {
        names.append(
            name.startsWith("--") ? " -l " + name.substring(2) : " -s " + name.substring(1));
      }
      line(
          script,
          condition,
          names + (option.arity().max() > 0 ? " -r" : "") + values(option),
          describe(option.description()));
    }
  }

  private static String values(OptionSpec option) {
    if (option.completionCandidates() == null) {
      return "";
    }
    return " -f -a '" + String.join(" ", option.completionCandidates()) + "'";
  }

  private static void line(StringBuilder script, String condition, String what, String text) {
    script
        .append("complete -c ledger -n '")
        .append(condition)
        .append('\'')
        .append(what)
        .append(" -d '")
        .append(text.replace("\\", "\\\\").replace("'", "\\'"))
        .append("'\n");
  }

  private static String describe(String[] lines) {
    return lines.length == 0 ? "" : lines[0];
  }
}

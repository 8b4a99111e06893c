package io.tokenledger.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Parameters;

/** Writes a manual page for every command, from what its {@code --help} says. Run by the build. */
@Command(
    name = "man",
    hidden = true,
    description = "Writes the manual pages into a directory.",
    mixinStandardHelpOptions = true)
final class ManCommand implements Callable<Integer> {

  @Parameters(paramLabel = "DIR", description = "Where to, for example man/man1")
  private Path directory = Path.of(".");

  @Override
  public Integer call() {
    try {
      Files.createDirectories(directory);
      write(LedgerCli.commandLine().getCommandSpec());
      return 0;
    } catch (IOException e) {
      throw new CommandFailed(directory + " cannot be written: " + e.getMessage());
    }
  }

  private void write(CommandSpec command) throws IOException {
    if (command.usageMessage().hidden()) {
      return;
    }
    String name = command.qualifiedName("-");
    Files.writeString(directory.resolve(name + ".1"), page(command), StandardCharsets.UTF_8);
    for (CommandLine subcommand : command.subcommands().values()) {
      write(subcommand.getCommandSpec());
    }
  }

  /** The page in the language of man(7). */
  private static String page(CommandSpec command) {
    String name = command.qualifiedName("-");
    String[] description = command.usageMessage().description();
    StringBuilder page = new StringBuilder();
    page.append(".TH ").append(name.toUpperCase(java.util.Locale.ROOT)).append(" 1\n");
    page.append(".SH NAME\n").append(text(name)).append(" \\- ").append(text(description[0]));
    page.append("\n.SH SYNOPSIS\n.nf\n");
    page.append(text(new CommandLine(command).getHelp().synopsis(0).strip())).append("\n.fi\n");
    page.append(".SH DESCRIPTION\n");
    for (String line : description) {
      page.append(line(line)).append('\n');
    }
    if (command.options().stream().anyMatch(option -> !option.hidden())) {
      page.append(".SH OPTIONS\n");
      for (OptionSpec option : command.options()) {
        if (!option.hidden()) {
          option(page, option);
        }
      }
    }
    if (!command.subcommands().isEmpty()) {
      page.append(".SH COMMANDS\n");
      command
          .subcommands()
          .forEach(
              (word, subcommand) -> {
                CommandSpec spec = subcommand.getCommandSpec();
                if (!spec.usageMessage().hidden()) {
                  page.append(".TP\n.BR ").append(text(spec.qualifiedName("-"))).append(" (1)\n");
                  page.append(line(spec.usageMessage().description()[0])).append('\n');
                }
              });
    }
    String[] footer = command.usageMessage().footer();
    if (footer.length > 0) {
      page.append(".SH EXAMPLES\n.nf\n");
      for (String line : footer) {
        if (!line.isBlank() && !line.startsWith("Example")) {
          page.append(line(line)).append('\n');
        }
      }
      page.append(".fi\n");
    }
    page.append(
        ".SH EXIT STATUS\n0 for success, 1 for a failure, which one line on standard error");
    page.append(" explains, 4 for a wrong use.\n");
    return page.toString();
  }

  private static void option(StringBuilder page, OptionSpec option) {
    page.append(".TP\n\\fB").append(text(String.join(", ", option.names()))).append("\\fR");
    if (option.arity().max() > 0) {
      page.append(" \\fI").append(text(option.paramLabel())).append("\\fR");
    }
    page.append('\n');
    for (String line : option.description()) {
      page.append(line(line)).append('\n');
    }
  }

  private static String text(String plain) {
    return plain.replace("\\", "\\e").replace("-", "\\-");
  }

  /** A line must not begin with what man(7) takes for a command. */
  private static String line(String plain) {
    String text = text(plain);
    return text.startsWith(".") || text.startsWith("'") ? "\\&" + text : text;
  }
}

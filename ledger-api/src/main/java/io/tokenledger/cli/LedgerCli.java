package io.tokenledger.cli;

import io.tokenledger.server.ServeCommand;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The one executable: {@code serve} starts a node, every other word talks to one. */
@Command(
    name = "ledger",
    description = "A ledger of API tokens with an audit trail.",
    mixinStandardHelpOptions = true,
    versionProvider = LedgerCli.Version.class,
    footer = {
      "",
      "Examples:",
      "  ledger serve",
      "  ledger create token --admin",
      "  ledger create token --permission db:mydb:read,write --name ingest --expiry 7d",
      "  ledger rotate token --token-name ingest --grace 1d",
      "  ledger show tokens --unused-since 90d",
      "  ledger delete token --token-name ingest",
      "  ledger audit log --token ingest"
    })
public final class LedgerCli implements Callable<Integer> {

  /** Something failed; one line on standard error says what. */
  static final int FAILED = 1;

  /** For {@code audit} and {@code replay}: the evidence or the state is not what it should be. */
  static final int DIFFERENT = 2;

  /** For {@code audit} and {@code replay}: it could not be found out. */
  static final int UNKNOWN = 3;

  /** What was asked is wrong: an option, or a value that the server refuses. */
  static final int USAGE = 4;

  private static final Pattern SECRET = Pattern.compile("apiv3_\\S+");

  /** The original shows more with these; here all help is whole. */
  private static final Set<String> WORDS_FOR_HELP = Set.of("--help-all", "--help-full");

  private static final Map<String, Supplier<Object>> COMMANDS = commands();

  private static Map<String, Supplier<Object>> commands() {
    Map<String, Supplier<Object>> commands = new LinkedHashMap<>();
    commands.put("serve", ServeCommand::new);
    commands.put("create", CreateCommand::new);
    commands.put("show", ShowCommand::new);
    commands.put("update", UpdateCommand::new);
    commands.put("rotate", RotateCommand::new);
    commands.put("suspend", SuspendCommand::new);
    commands.put("resume", ResumeCommand::new);
    commands.put("delete", DeleteCommand::new);
    commands.put("import", ImportCommand::new);
    commands.put("check", CheckCommand::new);
    commands.put("audit", AuditCommand::new);
    commands.put("replay", ReplayCommand::new);
    commands.put("backup", BackupCommand::new);
    commands.put("restore", RestoreCommand::new);
    commands.put("completion", CompletionCommand::new);
    commands.put("man", ManCommand::new);
    return commands;
  }

  @Spec private CommandSpec spec = CommandSpec.create();

  /** Says the version that the jar was built as. */
  static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"ledger " + version()};
    }
  }

  static String version() {
    String version = LedgerCli.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  @Override
  public Integer call() {
    throw new ParameterException(spec.commandLine(), "Missing required subcommand");
  }

  public static void main(String[] args) {
    System.exit(run(args));
  }

  /** Runs a command line and gives its exit code. */
  static int run(String... args) {
    CommandLine line = commandLine(args);
    line.setExitCodeExceptionMapper(failure -> FAILED);
    line.setExecutionExceptionHandler((failure, command, result) -> explain(failure));
    line.setParameterExceptionHandler(LedgerCli::explainUsage);
    return line.execute(withOneWordForHelp(args));
  }

  private static String[] withOneWordForHelp(String[] args) {
    String[] words = args.clone();
    for (int i = 0; i < words.length && !words[i].equals("--"); i++) {
      if (WORDS_FOR_HELP.contains(words[i])) {
        words[i] = "--help";
      }
    }
    return words;
  }

  /** All words are known by it, or only the one that the arguments begin with. */
  static CommandLine commandLine(String... args) {
    CommandLine line = new CommandLine(new LedgerCli());
    // Reading the annotations of a command costs milliseconds, and serve's drag in the server.
    Supplier<Object> asked = args.length == 0 ? null : COMMANDS.get(args[0]);
    if (asked == null && hasServer()) {
      COMMANDS.values().forEach(command -> line.addSubcommand(command.get()));
    } else if (asked == null) {
      line.addSubcommand(new AuditCommand());
    } else {
      line.addSubcommand(asked.get());
    }
    return line;
  }

  /** The jar for machines without ledger has no server in it: only the audit's words work there. */
  private static boolean hasServer() {
    return LedgerCli.class.getResource("/org/springframework/boot/SpringApplication.class") != null;
  }

  /** Says in one line what went wrong, and gives the exit code. */
  static int explain(Exception failure) {
    if (failure instanceof CommandFailed failed) {
      System.err.println("ledger: " + failed.getMessage());
      return failed.exitCode();
    }
    // Neither its message nor its trace: either may hold what the caller gave, a secret too.
    StackTraceElement[] trace = failure.getStackTrace();
    System.err.println(
        "ledger: internal error, please report it: "
            + failure.getClass().getName()
            + (trace.length == 0 ? "" : " at " + trace[0]));
    return FAILED;
  }

  private static int explainUsage(ParameterException failure, String[] args) {
    String said = String.valueOf(failure.getMessage());
    System.err.println("error: " + SECRET.matcher(said).replaceAll("apiv3_..."));
    System.err.println(
        "For more information, try '"
            + failure.getCommandLine().getCommandSpec().qualifiedName()
            + " --help'.");
    return USAGE;
  }
}

package io.tokenledger.cli;

import io.tokenledger.archive.ArchiveReader;
import io.tokenledger.archive.ArchiveStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code audit archive}: copies of the log that are never changed. */
@Command(
    name = "archive",
    description = "Archives the log in segments, verifies them, brings events back.",
    mixinStandardHelpOptions = true,
    subcommands = {
      AuditArchiveCommand.Run.class,
      AuditArchiveCommand.Show.class,
      AuditArchiveCommand.Verify.class,
      AuditArchiveCommand.Restore.class
    })
final class AuditArchiveCommand {

  private static final String ARCHIVE = "/api/v1/audit/archive";

  private AuditArchiveCommand() {}

  /** {@code audit archive run}. */
  @Command(
      name = "run",
      description = "Archives at once what is signed and in no segment, in tiles of 256 leaves.",
      mixinStandardHelpOptions = true,
      footer = {"", "--reason is required: it goes into the audit."})
  static final class Run implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Override
    public Integer call() {
      Remote.Answer answer = remote.post(ARCHIVE, "{}");
      if (answer.status() != 200) {
        throw Remote.refused("archive", answer);
      }
      JsonNode run = AuditQuestion.JSON.readTree(answer.body());
      System.out.println(
          run.path("segments").asLong()
              + " segments written, archived up to leaf "
              + run.path("to").asLong());
      return 0;
    }
  }

  /** {@code audit archive list}. */
  @Command(
      name = "list",
      description = "Lists the segments as they say of themselves.",
      mixinStandardHelpOptions = true,
      footer = {"", "Exit codes: 0 listed, 3 no answer, 4 the question is wrong."})
  static final class Show extends AuditQuestion {

    private static final List<String> HEADING =
        List.of("name", "from", "to", "checkpoint", "sha256");

    @Override
    public Integer call() {
      requireFormat();
      List<Row> rows = new ArrayList<>();
      for (JsonNode segment : ask(ARCHIVE).path("segments")) {
        List<@Nullable String> cells = new ArrayList<>();
        HEADING.forEach(field -> cells.add(text(segment.path(field))));
        rows.add(new Row(cells, segment));
      }
      print(HEADING, rows, counted(rows.size(), "segment"));
      return 0;
    }
  }

  /** {@code audit archive restore}. */
  @Command(
      name = "restore",
      description =
          "Makes events that are lost or changed again what the log says, with their salts.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "--reason is required: it goes into the audit. Projections are not rebuilt by it.",
        "",
        "Examples:",
        "  ledger audit archive restore --dry-run",
        "  ledger audit archive restore --from 4096 --to 8192 --reason 'after the disk failed'"
      })
  static final class Restore implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Option(names = "--from", paramLabel = "LEAF", description = "First leaf. Default 0")
    private long from;

    @Option(names = "--to", paramLabel = "LEAF", description = "First leaf after. Default the end")
    private @Nullable Long to;

    @Option(names = "--dry-run", description = "Only counts them")
    private boolean dryRun;

    @Override
    public Integer call() {
      ObjectNode body = AuditQuestion.JSON.createObjectNode().put("from", from);
      if (to != null) {
        body.put("to", to);
      }
      body.put("dry_run", dryRun);
      Remote.Answer answer = remote.post(ARCHIVE + "/restore", body.toString());
      if (answer.status() != 200) {
        throw Remote.refused("restore", answer);
      }
      JsonNode result = AuditQuestion.JSON.readTree(answer.body());
      System.out.printf(
          "%s from %d segments: %d lost events, %d without salts, %d changed; %d pruned stay so%n",
          dryRun ? "could be brought back" : "brought back",
          result.path("segments").asLong(),
          result.path("missing").asLong(),
          result.path("saltless").asLong(),
          result.path("changed").asLong(),
          result.path("pruned").asLong());
      return 0;
    }
  }

  /** {@code audit archive verify}. */
  @Command(
      name = "verify",
      description =
          "Verifies every segment and that each continues the one before; needs no server.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Example:",
        "  ledger audit archive verify --archive /mnt/worm --policy policy",
        "",
        "Exit codes: 0 nothing speaks against it, 2 evidence of tampering, 3 could not be",
        "found out, 4 wrong usage."
      })
  static final class Verify implements Callable<Integer> {

    private static final int MAX_SHOWN = 50;

    @Mixin private TrustOptions trust = new TrustOptions();

    @Option(
        names = "--archive",
        required = true,
        paramLabel = "LOCATION",
        description = "The directory, or a copy of it; or s3://..., with the jars of S3")
    private String archive = "";

    @Override
    public Integer call() {
      if (!archive.contains("://") && !Files.isDirectory(Path.of(archive))) {
        throw new CommandFailed(LedgerCli.UNKNOWN, archive + " is no directory");
      }
      ArchiveReader.Result result;
      try {
        result =
            new ArchiveReader(ArchiveStore.open(archive))
                .verify(trust.policy(), trust.remembered());
      } catch (IllegalArgumentException e) {
        throw new CommandFailed(LedgerCli.USAGE, String.valueOf(e.getMessage()));
      } catch (IOException e) {
        throw new CommandFailed(LedgerCli.UNKNOWN, archive + " cannot be read: " + e.getMessage());
      }
      System.out.println(
          "segments: " + result.segments() + ", first leaf in none: " + result.next());
      result.notes().forEach(note -> System.out.println("note: " + note));
      if (result.findings().isEmpty()) {
        System.out.println("clean: each segment is what was signed and continues the one before");
        return 0;
      }
      System.out.printf("EVIDENCE OF TAMPERING: %d findings%n", result.findings().size());
      result.findings().stream()
          .limit(MAX_SHOWN)
          .forEach(finding -> System.out.println("  " + Terminal.shown(finding)));
      return LedgerCli.DIFFERENT;
    }
  }
}

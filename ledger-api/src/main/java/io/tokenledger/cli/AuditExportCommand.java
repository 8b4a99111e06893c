package io.tokenledger.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * {@code audit export}: takes events away, with a signed manifest. The file gets its name only when
 * it is whole and its bytes are those that the manifest speaks of.
 */
@Command(
    name = "export",
    description = "Writes all events that a query finds into a file, with a signed manifest.",
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  ledger audit export --format csv --from 2026-01-01 --to 2026-04-01 -o q1.csv",
      "  ledger audit export --q 'action:token.* -outcome:success' -o refused.ndjson",
      "",
      "Writes FILE and FILE.manifest. Exit codes: 0 done, 3 not done, 4 the question is wrong."
    })
final class AuditExportCommand implements Callable<Integer> {

  private static final JsonMapper JSON = JsonMapper.shared();
  private static final String MANIFEST = "{\"manifest\":";
  private static final int BAR = 30;
  private static final long PROGRESS_NANOS = TimeUnit.MILLISECONDS.toNanos(200);
  private static final int ATTEMPTS = 50;
  private static final long PAUSE_MILLIS = 100;

  private static final Pattern ROWS = Pattern.compile("(?m)^rows (\\d{1,18})$");

  private static final List<String> FORMATS =
      List.of("ndjson", "csv", "cloudevents", "ocsf", "cef");

  /** The place of a row, in every format. */
  private static final Pattern LEAF =
      Pattern.compile(
          "^(?:\\{\"leaf_index\":|\\{\"specversion\".{0,1000}?\"tlogindex\":\"|"
              + "\\{\"activity_id\".{0,2000}?\"sequence\":|CEF:0.{0,400}? cn1=)?"
              + "(\\d{1,18})[,\" ]");

  @Mixin private Remote.WithToken remote = new Remote.WithToken();

  @Option(
      names = "--format",
      paramLabel = "FORMAT",
      description = "ndjson, csv, cloudevents, ocsf or cef. Default ndjson")
  private String format = "ndjson";

  @Option(
      names = "--q",
      paramLabel = "QUERY",
      description = "Which events, as in audit log. Default all")
  private @Nullable String query;

  @Option(
      names = "--from",
      paramLabel = "TIME",
      description = "First date or instant that counts, or how long ago: 24h")
  private @Nullable String from;

  @Option(
      names = "--to",
      paramLabel = "TIME",
      description = "First date or instant that no longer counts: as --from")
  private @Nullable String to;

  @Option(
      names = "--at",
      paramLabel = "PLACE",
      description = "Place in the log: leaf:N or checkpoint:N. Default the newest checkpoint")
  private @Nullable String at;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FILE",
      required = true,
      description = "Where to write")
  private Path output = Path.of("");

  @Option(
      names = "--progress",
      paramLabel = "FORM",
      description = "jsonl: a line of JSON on standard error now and then. Default a bar for eyes")
  private @Nullable String progress;

  private final MessageDigest digest = sha256();
  private @Nullable String manifest;
  private long rows;
  private long shown = System.nanoTime();

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  @Override
  public Integer call() {
    if (!FORMATS.contains(format)) {
      throw new CommandFailed(
          LedgerCli.USAGE,
          "--format must be one of " + String.join(", ", FORMATS) + ", got " + format);
    }
    if (progress != null && !progress.equals("jsonl")) {
      throw new CommandFailed(LedgerCli.USAGE, "--progress must be jsonl, got " + progress);
    }
    String requestId = UUID.randomUUID().toString();
    String path =
        "/api/v1/audit/exports?format="
            + format
            + AuditQuestion.parameter("q", query)
            + AuditQuestion.parameter("since", time("--from", from))
            + AuditQuestion.parameter("until", time("--to", to))
            + AuditQuestion.parameter("at", at);
    Path part = Path.of(output + ".part");
    long taken;
    try {
      Remote.Answer answer = remote.stream(path, requestId, stream -> write(stream, part));
      if (answer.status() != 200) {
        throw AuditQuestion.refused(answer);
      }
      String signed = manifest == null ? fetchManifest(requestId) : manifest;
      taken = requireWhole(signed);
      Files.writeString(Path.of(output + ".manifest"), signed, StandardCharsets.UTF_8);
      Files.move(part, output, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException e) {
      throw new CommandFailed(
          LedgerCli.UNKNOWN, output + " could not be written: " + e.getMessage());
    } catch (CommandFailed e) {
      throw e.exitCode() == LedgerCli.USAGE
          ? e
          : new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
    } finally {
      part.toFile().delete();
    }
    System.out.println(
        AuditQuestion.counted(taken, "event")
            + " in "
            + output
            + ", manifest in "
            + output
            + ".manifest");
    return 0;
  }

  private static @Nullable String time(String option, @Nullable String text) {
    if (text == null) {
      return null;
    }
    String moment = AuditQuestion.moment(option, text);
    return moment.matches("\\d{4}-\\d{2}-\\d{2}") ? moment + "T00:00:00Z" : moment;
  }

  private void write(Remote.Stream stream, Path part) throws IOException {
    try (InputStream in = stream.body();
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
        OutputStream out = Files.newOutputStream(part)) {
      // Lines end with a newline alone; one within a CSV cell is a row's part and is written as it
      // is, but a carriage return would be lost by a reader of lines.
      StringBuilder line = new StringBuilder();
      for (int c = lines.read(); c >= 0; c = lines.read()) {
        line.append((char) c);
        if (c == '\n') {
          take(line.toString(), out, stream.treeSize());
          line.setLength(0);
        }
      }
      take(line.toString(), out, stream.treeSize());
    }
    show(stream.treeSize(), stream.treeSize(), true);
  }

  private void take(String line, OutputStream out, long treeSize) throws IOException {
    byte[] bytes = line.getBytes(StandardCharsets.UTF_8);
    out.write(bytes);
    if (format.equals("ndjson") && line.startsWith(MANIFEST)) {
      manifest = JSON.readTree(line).path("manifest").asString();
      return;
    }
    digest.update(bytes);
    Matcher leaf = LEAF.matcher(line);
    if (leaf.find()) {
      rows++;
      show(Long.parseLong(leaf.group(1)) + 1, treeSize, false);
    }
  }

  private void show(long done, long total, boolean last) {
    if (!last && System.nanoTime() - shown < PROGRESS_NANOS) {
      return;
    }
    shown = System.nanoTime();
    if (progress != null) {
      System.err.println(
          JSON.createObjectNode()
              .put("type", "progress")
              .put("rows", rows)
              .put("leaf", done)
              .put("tree_size", total));
    } else if (System.console() != null && total > 0) {
      int filled = (int) (BAR * Math.min(done, total) / total);
      System.err.printf(
          "\r[%s%s] %d events, leaf %d/%d",
          "#".repeat(filled), "-".repeat(BAR - filled), rows, done, total);
      if (last) {
        System.err.println();
      }
    }
  }

  /**
   * The manifest of a file that cannot hold its own; its event may have no place in the log yet.
   */
  private String fetchManifest(String requestId) {
    if (format.equals("ndjson")) {
      throw new CommandFailed("the export broke off: it has no manifest");
    }
    String search =
        "/api/v1/audit/events?limit=1&q="
            + Remote.encode("type:AuditExported request:" + requestId);
    try {
      for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        Remote.Answer found = remote.get(search);
        if (found.status() != 200) {
          throw AuditQuestion.refused(found);
        }
        JsonNode id = JSON.readTree(found.body()).path("events").path(0).path("event_id");
        if (id.isString()) {
          Remote.Answer answer = remote.get("/api/v1/audit/exports/" + id.stringValue());
          if (answer.status() == 200) {
            return answer.body();
          }
          throw AuditQuestion.refused(answer);
        }
        TimeUnit.MILLISECONDS.sleep(PAUSE_MILLIS);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    throw new CommandFailed("the export broke off: it has no manifest");
  }

  /** That the file's bytes are those of the manifest, and how many events it says they are. */
  private long requireWhole(String signed) {
    String sha256 = HexFormat.of().formatHex(digest.digest());
    Matcher said = ROWS.matcher(signed);
    if (!signed.lines().toList().contains("sha256 " + sha256) || !said.find()) {
      throw new CommandFailed("what came is not what the manifest speaks of: try again");
    }
    return Long.parseLong(said.group(1));
  }
}

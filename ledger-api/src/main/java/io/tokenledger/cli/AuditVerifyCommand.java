package io.tokenledger.cli;

import io.tokenledger.ledger.Ledger;
import io.tokenledger.signing.CheckpointMemory;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.verify.BundleHead;
import io.tokenledger.verify.BundleVerification;
import io.tokenledger.verify.Finding;
import io.tokenledger.verify.Verdict;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code audit verify}: is the history what was signed? */
@Command(
    name = "verify",
    description = "Checks signatures, tree, entries and events against each other.",
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  ledger audit verify --policy policy --since old.checkpoint",
      "  ledger audit verify --bundle audit.zip --policy policy",
      "  ledger audit verify --database-url postgresql://... --policy policy",
      "",
      "Exit codes: 0 nothing speaks against it, 2 evidence of tampering, 3 could not be",
      "found out, 4 wrong usage."
    })
final class AuditVerifyCommand implements Callable<Integer> {

  private static final int MAX_SHOWN = 50;

  @Mixin private Remote.WithToken remote = new Remote.WithToken();
  @Mixin private OfflineDatabase database = new OfflineDatabase();
  @Mixin private TrustOptions trust = new TrustOptions();

  @Option(
      names = "--bundle",
      paramLabel = "FILE",
      description = "Checks this file, without any server or database")
  private @Nullable Path bundle;

  @Option(
      names = "--ledger-key-file",
      paramLabel = "FILE",
      description = "Also checks that nodes wrote every row; on the database itself")
  private @Nullable Path ledgerKeyFile;

  @Option(
      names = "--deep",
      description = "Checks the signature of every stored checkpoint; on the database itself")
  private boolean deep;

  @Option(names = "--format", paramLabel = "FORMAT", description = "text or json. Default text")
  private String format = "text";

  @Override
  public Integer call() {
    if (!format.equals("text") && !format.equals("json")) {
      throw new CommandFailed("--format must be text or json, got " + format);
    }
    Verdict verdict =
        bundle != null
            ? verifyBundle(bundle)
            : database.isGiven() ? verifyDatabase() : verifyServer();
    print(verdict);
    if (!verdict.isClean()) {
      return LedgerCli.DIFFERENT;
    }
    return verdict.isWhole() ? 0 : LedgerCli.UNKNOWN;
  }

  private Verdict verifyBundle(Path file) {
    try {
      return new BundleVerification(trust.policy(), trust.remembered()).run(file);
    } catch (IOException | InvalidTlogFormat e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, file + " cannot be checked: " + e.getMessage());
    }
  }

  /** What the server hands over is checked here: its own word counts for nothing. */
  private Verdict verifyServer() {
    try {
      Path file = Files.createTempFile("ledger-audit-", ".zip");
      try {
        List<SignedNote> remembered = trust.remembered();
        String since =
            remembered.isEmpty()
                ? ""
                : "?since=" + Checkpoint.parse(remembered.get(0).text()).size();
        Remote.Answer answer = remote.download("/api/v1/audit/bundles" + since, file);
        if (answer.status() != 200) {
          throw Remote.refused("read the log", answer);
        }
        Verdict verdict = verifyBundle(file);
        requireAll(file, verdict);
        return verdict;
      } finally {
        Files.deleteIfExists(file);
      }
    } catch (CommandFailed e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
    } catch (IOException e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, "no room for the log: " + e.getMessage());
    }
  }

  /** It chooses what it hands over: part of the log says nothing of the rest. */
  private static void requireAll(Path file, Verdict verdict) throws IOException {
    BundleHead head = BundleHead.read(file);
    Long size = verdict.checkpoint();
    if (verdict.isClean() && (head.from() != 0 || size == null || head.to() != size)) {
      throw new CommandFailed(
          LedgerCli.UNKNOWN,
          "the server handed over leaves "
              + head.from()
              + " to "
              + head.to()
              + " of "
              + size
              + ", and not the whole log");
    }
  }

  private Verdict verifyDatabase() {
    List<SignedNote> remembered = new ArrayList<>(trust.remembered());
    Path key = ledgerKeyFile;
    Path dataDir = database.dataDir();
    if (dataDir != null) {
      if (key == null && Files.exists(dataDir.resolve("ledger.key"))) {
        key = dataDir.resolve("ledger.key");
      }
      CheckpointMemory memory = new CheckpointMemory(dataDir.resolve("state"));
      for (int generation = 1; generation <= memory.newestGeneration(); generation++) {
        memory.newest(generation).ifPresent(remembered::add);
      }
    }
    try (OfflineDatabase.Opened opened = database.open()) {
      return Ledger.verifyOffline(
          opened.url(), trust.policy(), remembered, key, deep, AuditVerifyCommand::progress);
    } catch (IllegalStateException | IllegalArgumentException | LedgerUnavailable e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
    }
  }

  private static void progress(long done, long total) {
    Terminal.progress(done, total, "leaves", 0);
    if (total > 0 && done >= total) {
      Terminal.endProgress();
    }
  }

  private void print(Verdict verdict) {
    if (format.equals("json")) {
      System.out.println(json(verdict));
      return;
    }
    System.out.printf(
        "%d leaves, root %s%n%d events compared with their entries, %d wait for their place%n",
        verdict.leaves(), verdict.root(), verdict.bodies(), verdict.pending());
    verdict.notes().forEach(note -> System.out.println("note: " + note));
    if (verdict.isClean() && !verdict.isWhole()) {
      System.out.println("NOT FOUND OUT: what was compared is clean, and not all was: see above");
      return;
    }
    if (verdict.isClean()) {
      System.out.println(
          verdict.checkpoint() == null
              ? "clean, and nothing is signed yet"
              : "clean: the history is what the checkpoint of "
                  + verdict.checkpoint()
                  + " leaves signs");
      return;
    }
    System.out.printf("EVIDENCE OF TAMPERING: %d findings%n", verdict.findingCount());
    verdict.findings().stream()
        .limit(MAX_SHOWN)
        .forEach(finding -> System.out.println("  " + Terminal.shown(finding.toString())));
  }

  private static ObjectNode json(Verdict verdict) {
    ObjectNode json = JsonMapper.shared().createObjectNode();
    json.put("clean", verdict.isClean());
    json.put("all_compared", verdict.isWhole());
    json.put("leaves", verdict.leaves());
    json.put("root", verdict.root().toString());
    json.put("checkpoint", verdict.checkpoint());
    json.put("events_compared", verdict.bodies());
    json.put("events_waiting", verdict.pending());
    json.put("finding_count", verdict.findingCount());
    ArrayNode findings = json.putArray("findings");
    for (Finding finding : verdict.findings()) {
      ObjectNode each = findings.addObject();
      each.put("kind", finding.kind());
      each.put("leaf_index", finding.leafIndex());
      each.put("event_id", finding.eventId());
      each.put("detail", finding.detail());
    }
    ArrayNode notes = json.putArray("notes");
    verdict.notes().forEach(note -> notes.add(Objects.requireNonNull(note)));
    return json;
  }
}

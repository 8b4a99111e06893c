package io.tokenledger.cli;

import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TlogProof;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code audit check}: a proof against the keys that the auditor believes; asks nobody. */
@Command(
    name = "check",
    description = "Checks a proof offline.",
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Example:",
      "  ledger audit check ingest.tlog-proof --entry ingest.tlog-proof.entry --policy policy",
      "",
      "Exit codes: 0 proven, 2 not proven, 3 could not be found out, 4 wrong usage."
    })
final class AuditCheckCommand implements Callable<Integer> {

  @Mixin private TrustOptions trust = new TrustOptions();

  @Parameters(index = "0", paramLabel = "FILE", description = "The .tlog-proof file")
  private Path proofFile = Path.of("");

  @Option(
      names = "--entry",
      required = true,
      paramLabel = "FILE",
      description = "The entry, byte for byte")
  private Path entryFile = Path.of("");

  @Override
  public Integer call() {
    Policy policy = trust.policy();
    if (policy == null) {
      throw new CommandFailed(
          LedgerCli.UNKNOWN, "whom do you believe? give --policy or --key: a proof names no one");
    }
    byte[] entry = read(entryFile);
    try {
      TlogProof proof = TlogProof.parse(new String(read(proofFile), StandardCharsets.UTF_8));
      Checkpoint head = policy.open(proof.checkpoint());
      requireSame(head, policy);
      if (!proof.includes(entry)) {
        System.out.println(
            "NOT PROVEN: the entry is not leaf " + proof.leafIndex() + " of " + head.origin());
        return LedgerCli.DIFFERENT;
      }
      System.out.println(
          "proven: the entry is leaf "
              + proof.leafIndex()
              + " of "
              + head.size()
              + " in "
              + head.origin());
      return 0;
    } catch (InvalidTlogFormat e) {
      System.out.println("NOT PROVEN: " + e.getMessage());
      return LedgerCli.DIFFERENT;
    }
  }

  /** A proof joins no checkpoint to another: of one that is given only the same can be said. */
  private void requireSame(Checkpoint head, Policy policy) {
    for (SignedNote note : trust.remembered()) {
      Checkpoint known = Policy.of(policy.logs()).open(note);
      if (!known.origin().equals(head.origin()) || known.size() != head.size()) {
        throw new CommandFailed(
            LedgerCli.UNKNOWN,
            "the proof is under the checkpoint of "
                + head.size()
                + ", which cannot be compared with that of "
                + known.size()
                + ": use audit verify --since");
      }
      if (!known.root().equals(head.root())) {
        throw new InvalidTlogFormat("two checkpoints of " + head.size() + " have different roots");
      }
    }
  }

  private static byte[] read(Path file) {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw new CommandFailed(
          LedgerCli.UNKNOWN, file + " cannot be read: " + e.getClass().getSimpleName());
    }
  }
}

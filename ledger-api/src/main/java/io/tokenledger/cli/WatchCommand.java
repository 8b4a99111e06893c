package io.tokenledger.cli;

import io.tokenledger.signing.NoteFiles;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.Proofs;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.token.HumanDuration;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * {@code audit watch}: the auditor's notebook. It remembers the newest checkpoint it saw and
 * believes only what continues it. What does not is written down with both notes: each is signed by
 * the log, so that they convict it wherever they are shown.
 */
@Command(
    name = "watch",
    description = "Remembers the newest checkpoint and demands that the next one continues it.",
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Exit codes: 0 continued, 2 evidence of tampering, 3 could not be found out.",
      "",
      "Example:",
      "  ledger audit watch --state ~/ledger-notebook --policy ledger.policy --once"
    })
final class WatchCommand implements Callable<Integer> {

  private static final JsonMapper JSON = JsonMapper.shared();

  private static final String NEWEST = "checkpoint";
  private static final int MAX_EVIDENCE_FILES = 1_000;
  private static final Duration WITNESS_PATIENCE = Duration.ofSeconds(10);
  private static final long WITNESS_POLL_MILLIS = 250;
  private static final long MAX_INTERVAL_SECONDS = Duration.ofDays(365).toSeconds();

  @Mixin private Remote remote = new Remote();

  @Option(
      names = "--token",
      paramLabel = "TOKEN",
      description = "Token to authenticate with [LEDGER_AUTH_TOKEN, INFLUXDB3_AUTH_TOKEN]")
  void token(String secret) {
    remote.authenticate(secret);
  }

  @Option(
      names = "--state",
      required = true,
      paramLabel = "DIR",
      description = "The notebook; not on the ledger's machines")
  private Path state = Path.of("");

  @Option(
      names = "--policy",
      required = true,
      paramLabel = "FILE",
      description = "Whom to believe (C2SP tlog-policy): the keys of the log and of witnesses")
  private Path policyFile = Path.of("");

  @Option(names = "--once", description = "Looks once and ends")
  private boolean once;

  @Option(
      names = "--interval",
      paramLabel = "DURATION",
      description = "How often to look. Default 60s")
  private String interval = "60s";

  @Override
  public Integer call() throws InterruptedException {
    long seconds = intervalSeconds();
    Policy policy = WitnessCommand.read(policyFile);
    try {
      NoteFiles notebook = new NoteFiles(state, "--state");
      while (true) {
        int found = lookSafely(notebook, policy);
        if (once || found == LedgerCli.DIFFERENT) {
          return found;
        }
        TimeUnit.SECONDS.sleep(seconds);
      }
    } catch (IllegalStateException e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
    }
  }

  private long intervalSeconds() {
    try {
      long seconds = HumanDuration.parseSeconds(interval);
      if (seconds >= 1 && seconds <= MAX_INTERVAL_SECONDS) {
        return seconds;
      }
    } catch (IllegalArgumentException e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, "--interval: " + e.getMessage());
    }
    throw new CommandFailed(LedgerCli.UNKNOWN, "--interval must be from 1s to 365d");
  }

  /** One look at a time: a slow one must not write over what a later one has seen. */
  private int lookSafely(NoteFiles notebook, Policy policy) throws InterruptedException {
    try (FileChannel file =
            FileChannel.open(
                notebook.directory().resolve(".lock"),
                StandardOpenOption.CREATE,
                StandardOpenOption.WRITE);
        FileLock lock = file.tryLock()) {
      if (lock == null) {
        throw new CommandFailed(LedgerCli.UNKNOWN, "another look with this --state is under way");
      }
      return look(notebook, policy);
    } catch (IOException | OverlappingFileLockException e) {
      System.err.println("ledger: not found out: --state cannot be locked");
      return LedgerCli.UNKNOWN;
    } catch (CommandFailed | InvalidTlogFormat | UncheckedIOException e) {
      System.err.println("ledger: not found out: " + e.getMessage());
      return LedgerCli.UNKNOWN;
    }
  }

  private int look(NoteFiles notebook, Policy policy) throws InterruptedException {
    Optional<SignedNote> remembered = notebook.read(NEWEST);
    SignedNote note = fetch(policy, remembered);
    Checkpoint newest = Checkpoint.parse(note.text());
    if (remembered.isEmpty()) {
      notebook.write(NEWEST, note);
      System.out.println(
          "trusted on first use, nothing was remembered: " + shown(newest) + " " + newest.root());
      return 0;
    }
    Checkpoint known = Checkpoint.parse(remembered.get().text());
    String contradiction = contradiction(known, newest);
    if (contradiction != null) {
      System.err.println("ledger: evidence of tampering: " + contradiction);
      try {
        System.err.println("see " + writeEvidence(notebook, contradiction, remembered.get(), note));
      } catch (UncheckedIOException e) {
        // A full disk makes it no less true.
        System.err.println("it cannot be written down: " + e.getMessage() + "\n" + note);
      }
      return LedgerCli.DIFFERENT;
    }
    if (newest.size() > known.size() || !newest.origin().equals(known.origin())) {
      notebook.write(NEWEST, note);
    }
    System.out.println(shown(newest) + " continues " + shown(known));
    return 0;
  }

  private static String shown(Checkpoint checkpoint) {
    return Terminal.shown(checkpoint.origin()) + " " + checkpoint.size();
  }

  /**
   * The newest checkpoint, signed by the log. Witnesses sign a moment later, so that a note without
   * them is asked for again; one that contradicts what is remembered convicts the log without them.
   */
  private SignedNote fetch(Policy policy, Optional<SignedNote> remembered)
      throws InterruptedException {
    Policy signature = Policy.of(policy.logs());
    long end = System.nanoTime() + WITNESS_PATIENCE.toNanos();
    while (true) {
      Remote.Answer answer = remote.get("/tlog/checkpoint");
      if (answer.status() != 200) {
        throw Remote.refused("read the checkpoint", answer);
      }
      SignedNote note = SignedNote.parse(answer.body());
      Checkpoint checkpoint = signature.open(note);
      try {
        policy.open(note);
        return note;
      } catch (InvalidTlogFormat e) {
        boolean contradicts =
            remembered.isPresent()
                && contradiction(Checkpoint.parse(remembered.get().text()), checkpoint) != null;
        if (contradicts) {
          return note;
        }
        if (System.nanoTime() >= end) {
          throw e;
        }
        TimeUnit.MILLISECONDS.sleep(WITNESS_POLL_MILLIS);
      }
    }
  }

  /** What is wrong with the newer checkpoint, when the older one is true; null when nothing is. */
  private @Nullable String contradiction(Checkpoint known, Checkpoint newest) {
    if (newest.size() < known.size()) {
      return "the log shows " + newest.size() + " leaves, and had " + known.size();
    }
    if (newest.size() == known.size()) {
      return newest.root().equals(known.root())
          ? null
          : "the log shows another tree of " + known.size() + " leaves than before";
    }
    boolean continued =
        known.size() == 0
            || Proofs.isConsistent(
                known.size(),
                known.root(),
                newest.size(),
                newest.root(),
                proof(known.size(), newest.size()));
    return continued
        ? null
        : "the tree of " + newest.size() + " leaves does not begin with that of " + known.size();
  }

  private List<TreeHash> proof(long from, long to) {
    Remote.Answer answer = remote.get("/api/v1/audit/consistency?from=" + from + "&to=" + to);
    if (answer.status() != 200) {
      throw Remote.refused("read the consistency proof", answer);
    }
    List<TreeHash> hashes = new ArrayList<>();
    answer.body().lines().forEach(line -> hashes.add(TreeHash.parse(line)));
    return hashes;
  }

  /** Never over what is there: the first evidence is the best. */
  private static Path writeEvidence(
      NoteFiles notebook, String contradiction, SignedNote remembered, SignedNote shown) {
    ObjectNode json = JSON.createObjectNode();
    json.put("found_at", Instant.now().toString());
    json.put("contradiction", contradiction);
    json.put("remembered", remembered.toString());
    json.put("shown", shown.toString());
    String text = JSON.writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n";
    for (int number = 1; number <= MAX_EVIDENCE_FILES; number++) {
      Path file =
          notebook
              .directory()
              .resolve(number == 1 ? "evidence.json" : "evidence-" + number + ".json");
      try {
        Files.writeString(file, text, StandardCharsets.UTF_8, StandardOpenOption.CREATE_NEW);
        return file;
      } catch (FileAlreadyExistsException e) {
        continue;
      } catch (IOException e) {
        throw new UncheckedIOException("--state " + notebook.directory() + " is not writable", e);
      }
    }
    throw new UncheckedIOException(
        new IOException("--state " + notebook.directory() + " holds 1,000 files of evidence"));
  }
}

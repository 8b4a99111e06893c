package io.tokenledger.cli;

import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.VerifierKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Whom the auditor believes, and what the auditor remembers. */
final class TrustOptions {

  @Option(
      names = "--policy",
      paramLabel = "FILE",
      description = "Keys and witnesses to believe, lines as in C2SP tlog-policy")
  private @Nullable Path policyFile;

  @Option(
      names = "--key",
      paramLabel = "VKEY",
      description = "A log's key to believe, NAME+ID+BASE64; instead of --policy, repeatable")
  private List<String> keys = new ArrayList<>();

  @Option(
      names = "--since",
      paramLabel = "FILE",
      description = "A checkpoint from earlier that the log must agree with, repeatable")
  private List<Path> since = new ArrayList<>();

  /**
   * The policy; null when none was given.
   *
   * @throws CommandFailed with {@link LedgerCli#UNKNOWN} when it cannot be read
   */
  @Nullable Policy policy() {
    try {
      if (policyFile != null) {
        return Policy.parse(Files.readString(policyFile, StandardCharsets.UTF_8));
      }
      return keys.isEmpty() ? null : Policy.of(keys.stream().map(VerifierKey::parse).toList());
    } catch (IOException e) {
      throw unreadable(policyFile, e);
    } catch (InvalidTlogFormat e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
    }
  }

  /**
   * The checkpoints given.
   *
   * @throws CommandFailed with {@link LedgerCli#UNKNOWN} when one cannot be read
   */
  List<SignedNote> remembered() {
    List<SignedNote> notes = new ArrayList<>();
    for (Path file : since) {
      try {
        notes.add(SignedNote.parse(Files.readString(file, StandardCharsets.UTF_8)));
      } catch (IOException e) {
        throw unreadable(file, e);
      } catch (InvalidTlogFormat e) {
        throw new CommandFailed(LedgerCli.UNKNOWN, file + " is no checkpoint: " + e.getMessage());
      }
    }
    return notes;
  }

  private static CommandFailed unreadable(@Nullable Path file, IOException e) {
    return new CommandFailed(
        LedgerCli.UNKNOWN, file + " cannot be read: " + e.getClass().getSimpleName());
  }
}

package io.tokenledger.cli;

import io.tokenledger.attest.Witness;
import io.tokenledger.server.BindAddress;
import io.tokenledger.server.WitnessListener;
import io.tokenledger.signing.SigningKeys;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.VerifierKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code audit witness}: the second trust domain. */
@Command(
    name = "witness",
    description = "Signs checkpoints of logs that never contradict themselves.",
    mixinStandardHelpOptions = true,
    subcommands = WitnessCommand.Serve.class)
final class WitnessCommand {

  /** {@code audit witness serve}: runs until it is stopped. */
  @Command(
      name = "serve",
      description = "Runs a witness (C2SP tlog-witness). It needs no database.",
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Example:",
        "  ledger audit witness serve --state-dir /var/lib/witness --key-file witness.key \\",
        "    --name witness.example/w1 --log token-ledger/1+..."
      })
  static final class Serve implements Callable<Integer> {

    @Option(
        names = "--bind",
        paramLabel = "HOST:PORT",
        description = "Where to listen. Default 127.0.0.1:8191")
    private String bind = "127.0.0.1:8191";

    @Option(
        names = "--state-dir",
        required = true,
        paramLabel = "DIR",
        description = "Where it remembers what it signed. A witness that lost it needs a new key")
    private Path stateDir = Path.of("");

    @Option(
        names = "--key-file",
        required = true,
        paramLabel = "FILE",
        description = "Ed25519 key, PKCS#8 PEM; made when missing")
    private Path keyFile = Path.of("");

    @Option(
        names = "--name",
        required = true,
        paramLabel = "NAME",
        description = "Name of its key: witness.example/w1")
    private String name = "";

    @Option(
        names = "--log",
        split = ",",
        paramLabel = "VKEY",
        description = "Key of a log it knows; may be repeated")
    private @Nullable List<String> logs;

    @Option(
        names = "--policy",
        paramLabel = "FILE",
        description = "Knows the logs of that policy as well")
    private @Nullable Path policy;

    @Override
    public Integer call() throws InterruptedException {
      try (Witness witness =
              new Witness(
                  SigningKeys.loadOrCreate(List.of(keyFile), "--key-file"),
                  name,
                  knownLogs(),
                  stateDir,
                  Clock.systemUTC());
          WitnessListener listener =
              new WitnessListener(witness, BindAddress.parse("--bind", bind))) {
        System.out.println("witness ready on " + listener.url());
        System.out.println(witness.verifierKey());
        System.out.flush();
        new CountDownLatch(1).await();
        return 0;
      } catch (IllegalStateException | IllegalArgumentException | InvalidTlogFormat e) {
        throw new CommandFailed(String.valueOf(e.getMessage()));
      }
    }

    private List<VerifierKey> knownLogs() {
      List<VerifierKey> known = new ArrayList<>();
      if (logs != null) {
        logs.forEach(log -> known.add(VerifierKey.parse(log)));
      }
      if (policy != null) {
        known.addAll(read(policy).logs());
      }
      if (known.isEmpty()) {
        throw new CommandFailed("a witness knows a log: give --log or --policy");
      }
      return known;
    }
  }

  /**
   * The policy in that file.
   *
   * @throws CommandFailed when there is none
   */
  static Policy read(Path file) {
    try {
      return Policy.parse(Files.readString(file));
    } catch (IOException e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, "--policy " + file + " cannot be read");
    } catch (InvalidTlogFormat e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, "--policy " + file + ": " + e.getMessage());
    }
  }
}

package io.tokenledger.cli;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code audit prove}: that an event is in the log, for whoever does not believe it. */
@Command(
    name = "prove",
    description = "Fetches the proof that an event is in the log.",
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "Examples:",
      "  ledger audit prove 0193a4f2-6c1e-7b6a-9a57-5f0c2f0f9f11 -o created.tlog-proof",
      "  ledger audit prove --token-name ingest -o ingest.tlog-proof",
      "  ledger audit check ingest.tlog-proof --entry ingest.tlog-proof.entry --policy policy"
    })
final class AuditProveCommand implements Callable<Integer> {

  @Mixin private Remote.WithToken remote = new Remote.WithToken();

  @Parameters(index = "0", arity = "0..1", paramLabel = "EVENT_ID", description = "The event")
  private @Nullable String eventId;

  @Option(
      names = "--token-name",
      paramLabel = "NAME",
      description = "Instead: the last event of the token of this name")
  private @Nullable String tokenName;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FILE",
      description = "Writes the proof there and the entry to FILE.entry, instead of printing it")
  private @Nullable Path output;

  @Override
  public Integer call() {
    String id = eventId == null ? lastEvent() : eventId;
    String path = "/api/v1/audit/events/" + Remote.encode(id);
    String proof = get(path + "/proof");
    if (output == null) {
      System.out.print(proof);
      return 0;
    }
    try {
      Files.writeString(output, proof, StandardCharsets.UTF_8);
      Files.writeString(Path.of(output + ".entry"), get(path + "/entry"), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, output + " cannot be written: " + e.getMessage());
    }
    System.out.println("proof in " + output + ", entry in " + output + ".entry");
    return 0;
  }

  private String lastEvent() {
    if (tokenName == null) {
      throw new CommandFailed("give an EVENT_ID or --token-name");
    }
    JsonNode page =
        JsonMapper.shared()
            .readTree(get("/api/v1/audit/events?limit=1&token=" + Remote.encode(tokenName)));
    JsonNode event = page.path("events").path(0).path("event_id");
    if (!event.isString()) {
      throw new CommandFailed(LedgerCli.UNKNOWN, "no event is of a token named " + tokenName);
    }
    return event.stringValue();
  }

  private String get(String path) {
    Remote.Answer answer;
    try {
      answer = remote.get(path);
    } catch (CommandFailed e) {
      throw new CommandFailed(LedgerCli.UNKNOWN, String.valueOf(e.getMessage()));
    }
    if (answer.status() != 200) {
      throw new CommandFailed(
          LedgerCli.UNKNOWN, String.valueOf(Remote.refused("get the proof", answer).getMessage()));
    }
    return answer.body();
  }
}

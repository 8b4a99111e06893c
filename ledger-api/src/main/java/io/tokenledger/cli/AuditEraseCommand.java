package io.tokenledger.cli;

import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** {@code audit erase}: nothing personal of a subject can be read from then on. */
@Command(
    name = "erase",
    description = {
      "Destroys the keys under which what is personal of a subject is sealed.",
      "Every event stays and every proof holds; nobody can undo it."
    },
    mixinStandardHelpOptions = true,
    footer = {
      "",
      "--reason is required: it goes into the audit.",
      "",
      "Examples:",
      "  ledger audit erase --person 'Alice Example' --dry-run",
      "  ledger audit erase --subject token:7 --reason 'request 2026-17'",
      "",
      "Whose: token:ID (what it wrote and words about it), person:PSEUDONYM (who was acted for),",
      "anonymous:YYYY-MM-DD (callers without a token of a day) or system. The envelope of an event",
      "names its subject."
    })
final class AuditEraseCommand implements Callable<Integer> {

  private static final JsonMapper JSON = JsonMapper.shared();

  @Mixin private Remote.WithToken remote = new Remote.WithToken();

  @Option(names = "--subject", paramLabel = "SUBJECT", description = "Whose, as envelopes say it")
  private @Nullable String subject;

  @Option(
      names = "--person",
      paramLabel = "NAME",
      description = "Whose: the human for whom was acted, as --on-behalf-of said it")
  private @Nullable String person;

  @Option(names = "--dry-run", description = "Only shows what it would make unreadable")
  private boolean dryRun;

  @Option(
      names = {"-y", "--yes"},
      description = "Does not ask")
  private boolean yes;

  @Override
  public Integer call() {
    JsonNode found = post(true);
    print(found);
    if (dryRun) {
      return 0;
    }
    if (!yes) {
      Terminal.confirm("Are you sure you want to erase this for good?", "Erase");
    }
    JsonNode erased = post(false);
    System.out.println(
        "erased "
            + Terminal.shown(erased.path("subject").asString())
            + ", event "
            + erased.path("event_id").asString());
    return 0;
  }

  private static void print(JsonNode found) {
    System.out.println(
        Terminal.shown(found.path("subject").asString())
            + ": "
            + found.path("event_count").asLong()
            + " events under "
            + found.path("key_ids").size()
            + " keys, from "
            + found.path("first_at").asString("-")
            + " to "
            + found.path("last_at").asString("-"));
    found
        .path("holds")
        .forEach(hold -> System.out.println("held by " + Terminal.shown(hold.asString())));
  }

  private JsonNode post(boolean preview) {
    ObjectNode body = JSON.createObjectNode();
    if (subject != null) {
      body.put("subject", subject);
    }
    if (person != null) {
      body.put("person", person);
    }
    body.put("dry_run", preview);
    Remote.Answer answer = remote.post("/api/v1/audit/erasures", body.toString());
    if (answer.status() != 200) {
      throw Remote.refused("erase", answer);
    }
    return JSON.readTree(answer.body());
  }
}

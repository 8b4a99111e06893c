package io.tokenledger.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** {@code replay unreadable}, {@code quarantine} and {@code release}: events that stop a replay. */
final class ReplayQuarantine {

  private static final JsonMapper JSON = JsonMapper.shared();

  private ReplayQuarantine() {}

  /** {@code replay unreadable}: what was found, and what stands still. */
  @Command(
      name = "unreadable",
      description = "Lists the events that cannot be read, and the projections that wait for one.",
      mixinStandardHelpOptions = true)
  static final class Unreadable implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Override
    public Integer call() {
      Remote.Answer answer = remote.get("/api/v1/replay/quarantine");
      if (answer.status() != 200) {
        throw Remote.refused("replay unreadable", answer);
      }
      JsonNode json = JSON.readTree(answer.body());
      json.path("standing").forEach(line -> System.out.println(line.asString()));
      System.out.printf("%-36s %-11s %-30s %s%n", "EVENT", "STATE", "STREAM", "WHY");
      for (JsonNode event : json.path("events")) {
        System.out.printf(
            "%-36s %-11s %-30s %s%n",
            event.path("event_id").asString(),
            event.path("state").asString(),
            event.path("stream").asString(),
            event.path("reason").asString());
      }
      return 0;
    }
  }

  /** {@code replay quarantine}: projections pass an event that cannot be read. */
  @Command(
      name = "quarantine",
      description = {
        "Lets projections and replays pass one event that cannot be read, after a review.",
        "As long no token of its name is valid and the name obeys no command."
      },
      mixinStandardHelpOptions = true,
      footer = {"", "--reason is required: it goes into the audit."})
  static final class Quarantine extends Change {
    @Override
    public Integer call() {
      return change("/api/v1/replay/quarantine", "quarantined");
    }
  }

  /** {@code replay release}: it is read again. */
  @Command(
      name = "release",
      description = "Takes a quarantined event again that this version can read.",
      mixinStandardHelpOptions = true,
      footer = {"", "--reason is required: it goes into the audit."})
  static final class Release extends Change {
    @Override
    public Integer call() {
      return change("/api/v1/replay/release", "released");
    }
  }

  /** What these two have in common. */
  abstract static class Change implements Callable<Integer> {

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Parameters(paramLabel = "EVENT_ID", description = "As `replay unreadable` lists it")
    private String eventId = "";

    int change(String route, String done) {
      Remote.Answer answer =
          remote.post(route, JSON.createObjectNode().put("event_id", eventId).toString());
      if (answer.status() != 200) {
        throw Remote.refused("replay", answer);
      }
      System.out.println("event " + eventId + " is " + done);
      return 0;
    }
  }
}

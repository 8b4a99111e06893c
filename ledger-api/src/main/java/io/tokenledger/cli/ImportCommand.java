package io.tokenledger.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** {@code import tokens}: from an InfluxDB 3 to the ledger. */
@Command(
    name = "import",
    description = "Takes tokens over from elsewhere.",
    mixinStandardHelpOptions = true,
    subcommands = ImportCommand.Tokens.class)
final class ImportCommand {

  @Command(
      name = "tokens",
      description = {
        "Takes over the tokens of an InfluxDB 3 from the JSON of its system.tokens.",
        "Their secrets stay valid: rows with a whole hash of 128 digits can be taken."
      },
      mixinStandardHelpOptions = true,
      footer = {
        "",
        "Example:",
        "  influxdb3 query --database _internal --format json \\",
        "    \"SELECT * FROM system.tokens\" > tokens.json",
        "  ledger import tokens --file tokens.json"
      })
  static final class Tokens implements Callable<Integer> {

    private static final JsonMapper JSON = JsonMapper.shared();

    @Mixin private Remote.WithToken remote = new Remote.WithToken();

    @Option(
        names = "--file",
        paramLabel = "FILE",
        required = true,
        description = "JSON array of rows")
    private Path file = Path.of("");

    @Override
    public Integer call() {
      ObjectNode body = JSON.createObjectNode();
      body.set("tokens", read());
      Remote.Answer answer = remote.post("/api/v1/tokens/import", body.toString());
      if (answer.status() != 200) {
        throw Remote.refused("import tokens", answer);
      }
      JsonNode json = JSON.readTree(answer.body());
      boolean all = true;
      for (JsonNode token : json.path("tokens")) {
        String outcome = token.path("outcome").asString("");
        all &= outcome.equals("created") || outcome.equals("unchanged");
        System.out.println(
            Terminal.shown(token.path("name").asString("-")) + ": " + Terminal.shown(outcome));
      }
      System.out.println(
          json.path("created").asLong() + " of " + json.path("tokens").size() + " tokens created");
      return all ? 0 : LedgerCli.FAILED;
    }

    private ArrayNode read() {
      try {
        if (JSON.readTree(Files.readString(file)) instanceof ArrayNode rows) {
          return rows;
        }
      } catch (IOException | JacksonException e) {
        throw new CommandFailed("--file " + file + " cannot be read as JSON");
      }
      throw new CommandFailed("--file " + file + " must hold a JSON array of rows");
    }
  }
}

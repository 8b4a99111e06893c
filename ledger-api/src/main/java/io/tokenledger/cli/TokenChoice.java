package io.tokenledger.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Which token is meant: the one that bears a name now, or the one with an id. */
final class TokenChoice {

  @Option(
      names = "--token-name",
      paramLabel = "NAME",
      description = "The token that bears this name now")
  private @Nullable String name;

  @Option(names = "--id", paramLabel = "ID", description = "The token with this id")
  private @Nullable Long id;

  @Nullable String name() {
    return name;
  }

  /**
   * The id of the token meant; asks the server for the one that bears the name.
   *
   * @throws CommandFailed when none or both options are given, or nobody bears the name
   */
  long id(Remote remote) {
    if ((name == null) == (id == null)) {
      throw new CommandFailed("give --token-name or --id");
    }
    if (id != null) {
      return id;
    }
    Remote.Answer answer =
        remote.get("/api/v1/tokens/by-name?token_name=" + Remote.encode(String.valueOf(name)));
    if (answer.status() != 200) {
      throw Remote.refused("find token " + name, answer);
    }
    for (JsonNode token : JsonMapper.shared().readTree(answer.body()).path("tokens")) {
      if (token.path("revoked_at").isNull()) {
        return token.path("id").asLong();
      }
    }
    throw new CommandFailed("no token bears the name " + name + " any more: see show token");
  }

  @Override
  public String toString() {
    return name == null ? "token " + id : "Token \"" + name + "\"";
  }
}

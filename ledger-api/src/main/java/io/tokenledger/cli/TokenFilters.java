package io.tokenledger.cli;

import io.tokenledger.token.HumanDuration;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Which tokens are meant: the filters of {@code GET /api/v1/tokens}. */
final class TokenFilters {

  @Option(
      names = "--state",
      paramLabel = "STATE",
      description = "live, expired, suspended or revoked")
  private @Nullable String state;

  @Option(names = "--kind", paramLabel = "KIND", description = "operator, admin or resource")
  private @Nullable String kind;

  @Option(
      names = "--name",
      paramLabel = "PATTERN",
      description = "Name; * stands for any characters, ? for one")
  private @Nullable String name;

  @Option(
      names = "--database",
      paramLabel = "NAME",
      description = "With a grant on this database, by name or wildcard; admins included")
  private @Nullable String database;

  @Option(
      names = "--permission",
      paramLabel = "PERMISSION",
      description = "With this very grant, as it is listed: db:mydb:read,write")
  private @Nullable String permission;

  @Option(
      names = "--created-since",
      paramLabel = "TIME",
      description = "Created then or later: 2026-11-24T12:00:00Z, or how long ago: 24h")
  private @Nullable String createdSince;

  @Option(names = "--created-until", paramLabel = "TIME", description = "Created before: likewise")
  private @Nullable String createdUntil;

  @Option(
      names = "--expires-within",
      paramLabel = "DURATION",
      description = "Expiring from now on within this time: 30d")
  private @Nullable String expiresWithin;

  @Option(
      names = "--created-by",
      paramLabel = "NAME",
      description = "Made by the token of this name, or anonymous, system")
  private @Nullable String createdBy;

  @Option(
      names = "--made-by",
      paramLabel = "ID",
      description = "Made by the token with this id, or by one that it made, and so on")
  private @Nullable Long madeBy;

  @Option(
      names = "--unused-since",
      paramLabel = "TIME",
      description = "Not used since then, though it existed: 90d")
  private @Nullable String unusedSince;

  /** The filters by the names that the server knows them by. */
  Map<String, String> values() {
    Map<String, String> values = new LinkedHashMap<>();
    put(values, "state", state);
    put(values, "kind", kind);
    put(values, "name", name);
    put(values, "database", database);
    put(values, "permission", permission);
    put(values, "created_since", instant("--created-since", createdSince));
    put(values, "created_until", instant("--created-until", createdUntil));
    if (expiresWithin != null) {
      Instant now = Instant.now();
      put(values, "expires_since", now.toString());
      put(
          values,
          "expires_until",
          now.plusSeconds(CreateCommand.seconds("--expires-within", expiresWithin)).toString());
    }
    put(values, "created_by", createdBy);
    put(values, "made_by", madeBy == null ? null : madeBy.toString());
    put(values, "unused_since", instant("--unused-since", unusedSince));
    return values;
  }

  private static void put(Map<String, String> values, String name, @Nullable String value) {
    if (value != null) {
      values.put(name, value);
    }
  }

  /** An instant as it is given, or as long ago as a duration says; null for null. */
  static @Nullable String instant(String flag, @Nullable String text) {
    if (text == null) {
      return null;
    }
    try {
      return Instant.parse(text).toString();
    } catch (DateTimeException e) {
      try {
        return Instant.now().minusSeconds(HumanDuration.parseSeconds(text)).toString();
      } catch (IllegalArgumentException | DateTimeException | ArithmeticException notEither) {
        throw new CommandFailed(
            flag
                + " must be an instant such as 2026-11-24T12:00:00Z or a duration such as 24h,"
                + " got "
                + text);
      }
    }
  }
}

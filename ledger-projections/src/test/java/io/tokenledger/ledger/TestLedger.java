package io.tokenledger.ledger;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.tokenledger.archive.ArchiveTarget;
import io.tokenledger.attest.TimestampTarget;
import io.tokenledger.attest.WitnessTarget;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.notices.NoticeTarget;
import io.tokenledger.permission.Permissions;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.sink.SinkTarget;
import io.tokenledger.sql.SqlRows;
import io.tokenledger.sql.SystemViews;
import io.tokenledger.token.Actor;
import io.tokenledger.token.Expiry;
import io.tokenledger.token.SecretHash;
import io.tokenledger.token.TokenCommand;
import io.tokenledger.token.TokenCommand.CreateOperatorToken;
import io.tokenledger.token.TokenCommand.CreateResourceToken;
import io.tokenledger.token.TokenCommand.RevokeToken;
import io.tokenledger.token.TokenId;
import io.tokenledger.token.TokenName;
import io.tokenledger.token.TokenSecret;
import io.tokenledger.token.TokenSummary;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** Opens ledgers for tests and says common commands in few words. */
public final class TestLedger {

  public static final Actor ADMIN =
      Actor.token(new TokenId(1), new TokenName("alice"), Permissions.admin());

  private static final SecureRandom RANDOM = new SecureRandom();

  private TestLedger() {}

  public static Ledger open(DatabaseUrl database, Path keys) {
    return open(database, keys, null);
  }

  static Ledger open(DatabaseUrl database, Path keys, @Nullable NoticeTarget noticeWebhook) {
    return open(
        database,
        keys,
        "n1",
        List.of(keys.resolve("signing.key")),
        keys.resolve("state"),
        null,
        noticeWebhook,
        new SimpleMeterRegistry());
  }

  /** One of several nodes, with meters to look at. */
  public static Ledger openNode(
      DatabaseUrl database, Path keys, String nodeId, MeterRegistry meters) {
    return open(
        database,
        keys,
        nodeId,
        List.of(keys.resolve("signing.key")),
        keys.resolve("state"),
        null,
        null,
        meters);
  }

  /** A node that is told which checkpoint to trust. */
  public static Ledger openTrusting(DatabaseUrl database, Path keys, Path trustCheckpoint) {
    return open(
        database,
        keys,
        "n1",
        List.of(keys.resolve("signing.key")),
        keys.resolve("state"),
        trustCheckpoint,
        null,
        new SimpleMeterRegistry());
  }

  /** A second node, with a memory of its own. */
  public static Ledger openNode(
      DatabaseUrl database, Path keys, Path state, @Nullable Path trustCheckpoint) {
    return open(
        database,
        keys,
        "n2",
        List.of(keys.resolve("signing.key")),
        state,
        trustCheckpoint,
        null,
        new SimpleMeterRegistry());
  }

  /** A node that signs with these keys. */
  public static Ledger openWithKeys(DatabaseUrl database, Path keys, List<Path> signingKeys) {
    return open(
        database,
        keys,
        "n1",
        signingKeys,
        keys.resolve("state"),
        null,
        null,
        new SimpleMeterRegistry());
  }

  /** One that archives when it is told to. */
  public static Ledger openWithArchive(DatabaseUrl database, Path keys, Path archive) {
    return openWithArchive(
        database, keys, new ArchiveTarget(archive.toString(), Duration.ofDays(1)));
  }

  /** One that archives. */
  public static Ledger openWithArchive(DatabaseUrl database, Path keys, ArchiveTarget archive) {
    return openWithArchive(database, keys, archive, new SimpleMeterRegistry());
  }

  /** The same with meters to look at. */
  public static Ledger openWithArchive(
      DatabaseUrl database, Path keys, ArchiveTarget archive, MeterRegistry meters) {
    return Ledger.open(
        new LedgerOptions(
            database,
            keys.resolve("ledger.key"),
            keys.resolve("subjects"),
            "test/log",
            "n1",
            6,
            List.of(keys.resolve("signing.key")),
            keys.resolve("state"),
            null,
            null,
            List.of(),
            null,
            List.of(),
            archive),
        meters);
  }

  private static Ledger open(
      DatabaseUrl database,
      Path keys,
      String node,
      List<Path> signingKeys,
      Path state,
      @Nullable Path trustCheckpoint,
      @Nullable NoticeTarget noticeWebhook,
      MeterRegistry meters) {
    return Ledger.open(
        new LedgerOptions(
            database,
            keys.resolve("ledger.key"),
            keys.resolve("subjects"),
            "test/log",
            node,
            6,
            signingKeys,
            state,
            trustCheckpoint,
            noticeWebhook,
            List.of(),
            null,
            List.of()),
        meters);
  }

  /** A node whose checkpoints others attest. */
  public static Ledger openAttested(
      DatabaseUrl database,
      Path keys,
      List<WitnessTarget> witnesses,
      @Nullable TimestampTarget timestampAuthority,
      MeterRegistry meters) {
    return Ledger.open(
        new LedgerOptions(
            database,
            keys.resolve("ledger.key"),
            keys.resolve("subjects"),
            "test/log",
            "n1",
            6,
            List.of(keys.resolve("signing.key")),
            keys.resolve("state"),
            Path.of("none"),
            null,
            witnesses,
            timestampAuthority,
            List.of()),
        meters);
  }

  /** A node that brings the log to receivers. */
  public static Ledger openWithSinks(
      DatabaseUrl database, Path keys, List<SinkTarget> sinks, MeterRegistry meters) {
    return openWithSinks(database, keys, "n1", keys.resolve("state"), sinks, meters);
  }

  /** A second one, with a memory of its own. */
  public static Ledger openSecondWithSinks(
      DatabaseUrl database, Path keys, Path state, List<SinkTarget> sinks) {
    return openWithSinks(database, keys, "n2", state, sinks, new SimpleMeterRegistry());
  }

  private static Ledger openWithSinks(
      DatabaseUrl database,
      Path keys,
      String node,
      Path state,
      List<SinkTarget> sinks,
      MeterRegistry meters) {
    return Ledger.open(
        new LedgerOptions(
            database,
            keys.resolve("ledger.key"),
            keys.resolve("subjects"),
            "test/log",
            node,
            6,
            List.of(keys.resolve("signing.key")),
            state,
            null,
            null,
            List.of(),
            null,
            sinks),
        meters);
  }

  /** What accepts a restore of that database, with the keys and the memory of the node above. */
  public static RestoreAcceptance acceptance(DatabaseUrl database, Path keys) {
    return acceptance(database, keys, keys.resolve("state"));
  }

  /** The same on a machine that remembers what lies in that directory. */
  public static RestoreAcceptance acceptance(DatabaseUrl database, Path keys, Path state) {
    return RestoreAcceptance.open(
        database,
        new RestoreAcceptance.Keys(
            keys.resolve("ledger.key"),
            keys.resolve("subjects"),
            List.of(keys.resolve("signing.key")),
            state),
        new SimpleMeterRegistry());
  }

  public static RequestContext context(Actor actor) {
    return new RequestContext(
        actor,
        "bearer",
        "Alice Example",
        "a reason to be sealed",
        "CHG-1",
        "203.0.113.7",
        4711,
        null,
        false,
        "agent/1",
        "rest",
        "request-1",
        null,
        null,
        null);
  }

  public static SecretHash newHash() {
    return TokenSecret.generate(RANDOM).hash();
  }

  public static Instant now() {
    return Instant.now().truncatedTo(ChronoUnit.MILLIS);
  }

  public static CompletableFuture<TokenSummary> create(
      Ledger ledger, String name, SecretHash hash, String... permissions) {
    TokenName tokenName = new TokenName(name);
    return ledger.execute(
        Proposal.withNewId(
            tokenName,
            id ->
                new CreateResourceToken(
                    tokenName,
                    id,
                    hash,
                    Permissions.parse(List.of(permissions)),
                    now(),
                    Expiry.NEVER,
                    ADMIN)),
        context(ADMIN));
  }

  public static CompletableFuture<TokenSummary> revoke(Ledger ledger, String name) {
    return execute(ledger, new RevokeToken(new TokenName(name), null, now(), ADMIN));
  }

  public static CompletableFuture<TokenSummary> createOperator(Ledger ledger, SecretHash hash) {
    return execute(ledger, new CreateOperatorToken(hash, now(), Actor.ANONYMOUS));
  }

  public static CompletableFuture<TokenSummary> execute(Ledger ledger, TokenCommand command) {
    return ledger.execute(Proposal.of(command), context(command.actor()));
  }

  /** In how many rows the live lookup is not what the events make. */
  public static long differences(Ledger ledger) {
    long id = ledger.replay().ready("test", job -> {}).id();
    long count = ledger.replay().compare(id).differenceCount();
    ledger.replay().drop(id);
    return count;
  }

  /** The rows that a query comes to, over some of the views of schema {@code system}. */
  public static List<List<@Nullable Object>> query(Ledger ledger, String sql, String... views) {
    List<List<@Nullable Object>> rows = new ArrayList<>();
    List<@Nullable Object> row = new ArrayList<>();
    try {
      ledger
          .sql()
          .run(
              sql,
              Map.of(),
              SystemViews.of(Set.of(views), true),
              new SqlRows() {
                @Override
                public void columns(List<String> names) {}

                @Override
                public void cell(@Nullable Object value) {
                  row.add(value);
                }

                @Override
                public void endRow() {
                  rows.add(new ArrayList<>(row));
                  row.clear();
                }

                @Override
                public void end() {}
              });
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return rows;
  }
}

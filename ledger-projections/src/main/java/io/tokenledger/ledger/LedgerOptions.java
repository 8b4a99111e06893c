package io.tokenledger.ledger;

import io.tokenledger.archive.ArchiveTarget;
import io.tokenledger.attest.TimestampTarget;
import io.tokenledger.attest.WitnessTarget;
import io.tokenledger.notices.NoticeTarget;
import io.tokenledger.postgres.DatabaseUrl;
import io.tokenledger.sink.SinkTarget;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a ledger needs to be opened.
 *
 * @param database the owner's login; the ledger makes its lesser role and works as that
 * @param ledgerKeyFile see {@link io.tokenledger.sealing.LedgerKey}; the same on every node
 * @param subjectKeyStore directory of the subject keys; shared by all nodes
 * @param logOrigin name of this ledger's log, in every envelope
 * @param nodeId name of this node, in every envelope
 * @param poolSize connections that write, at least 4; as many again read
 * @param signingKeyFiles the keys that sign checkpoints, see {@link
 *     io.tokenledger.signing.SigningKeys}; none for a node that never leads
 * @param stateDir where this node remembers checkpoints; its own, never shared
 * @param trustCheckpoint file with a checkpoint to begin that memory with; null for none
 * @param noticeWebhook where notices of expiries are posted; null for nowhere
 * @param witnesses who is sent every checkpoint; none by default: they learn the log's size and
 *     rate
 * @param timestampAuthority who attests when a checkpoint was there; null for nobody
 * @param sinks who is brought the log
 * @param archive where the log is archived; null for nowhere
 */
public record LedgerOptions(
    DatabaseUrl database,
    Path ledgerKeyFile,
    Path subjectKeyStore,
    String logOrigin,
    String nodeId,
    int poolSize,
    List<Path> signingKeyFiles,
    Path stateDir,
    @Nullable Path trustCheckpoint,
    @Nullable NoticeTarget noticeWebhook,
    List<WitnessTarget> witnesses,
    @Nullable TimestampTarget timestampAuthority,
    List<SinkTarget> sinks,
    @Nullable ArchiveTarget archive) {

  public LedgerOptions {
    signingKeyFiles = List.copyOf(signingKeyFiles);
    witnesses = List.copyOf(witnesses);
    sinks = List.copyOf(sinks);
    if (poolSize < 4) {
      throw new IllegalArgumentException("the pool needs at least 4 connections, got " + poolSize);
    }
  }

  /** The same without an archive. */
  public LedgerOptions(
      DatabaseUrl database,
      Path ledgerKeyFile,
      Path subjectKeyStore,
      String logOrigin,
      String nodeId,
      int poolSize,
      List<Path> signingKeyFiles,
      Path stateDir,
      @Nullable Path trustCheckpoint,
      @Nullable NoticeTarget noticeWebhook,
      List<WitnessTarget> witnesses,
      @Nullable TimestampTarget timestampAuthority,
      List<SinkTarget> sinks) {
    this(
        database,
        ledgerKeyFile,
        subjectKeyStore,
        logOrigin,
        nodeId,
        poolSize,
        signingKeyFiles,
        stateDir,
        trustCheckpoint,
        noticeWebhook,
        witnesses,
        timestampAuthority,
        sinks,
        null);
  }
}

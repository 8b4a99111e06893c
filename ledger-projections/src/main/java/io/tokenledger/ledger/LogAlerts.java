package io.tokenledger.ledger;

import io.tokenledger.signing.Alerts;
import io.tokenledger.tlog.VerifierKey;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes events and log lines of what the log's keeper reports, beside the keeper's own thread. */
final class LogAlerts implements Alerts {

  private static final Logger LOG = LoggerFactory.getLogger(LogAlerts.class);

  @Override
  public void forgedEvent(long globalIndex, String eventId) {
    LOG.error("event {} at {} was written by no node", eventId, globalIndex);
  }

  @Override
  public void signingRefused(String reason, long size) {
    LOG.error("no checkpoint is signed: {}", reason);
  }

  @Override
  public void keyRotated(VerifierKey before, VerifierKey now) {
    LOG.info("{} signs beside {}", now, before);
  }

  @Override
  public void generationStarted(
      int generation,
      String origin,
      String previousOrigin,
      long previousSize,
      @Nullable String previousNote,
      String reason) {
    LOG.warn("{} follows {}", origin, previousOrigin);
  }
}

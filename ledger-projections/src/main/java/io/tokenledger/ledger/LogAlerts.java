package io.tokenledger.ledger;

import io.tokenledger.audit.ControlEvent;
import io.tokenledger.audit.ControlEvent.ForgedEventFound;
import io.tokenledger.audit.ControlEvent.SigningKeyRotated;
import io.tokenledger.audit.ControlEvent.SigningRefused;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.requests.RequestLog;
import io.tokenledger.signing.Alerts;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.tlog.VerifierKey;
import java.util.UUID;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes an event and a log line of what the log's keeper reports, beside the keeper's own thread:
 * that one holds the leadership and must not wait for a transaction.
 */
final class LogAlerts implements Alerts {

  private static final Logger LOG = LoggerFactory.getLogger(LogAlerts.class);

  private final RequestLog requests;
  private final Executor executor;

  LogAlerts(RequestLog requests, Executor executor) {
    this.requests = requests;
    this.executor = executor;
  }

  @Override
  public void forgedEvent(long globalIndex, String eventId) {
    LOG.error("event {} at {} was written by no node", eventId, globalIndex);
    append(new ForgedEventFound(globalIndex, eventId));
  }

  @Override
  public void signingRefused(String code, String reason, long size) {
    LOG.error("no checkpoint is signed: {}", reason);
    append(new SigningRefused(code, size));
  }

  @Override
  public void keyRotated(VerifierKey before, VerifierKey now) {
    LOG.info("{} signs beside {}", now, before);
    append(new SigningKeyRotated(before.toString(), now.toString()));
  }

  private void append(ControlEvent event) {
    executor.execute(
        () -> {
          try {
            requests.append(
                event, RequestContext.ofNode("log", "keeper", UUID.randomUUID().toString()));
          } catch (LedgerUnavailable e) {
            LOG.warn("{} is not recorded: {}", event, e.getMessage());
          }
        });
  }
}

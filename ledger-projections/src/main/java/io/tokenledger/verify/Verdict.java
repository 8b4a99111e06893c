package io.tokenledger.verify;

import io.tokenledger.tlog.TreeHash;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a verification came to.
 *
 * @param leaves how many were read
 * @param root over them
 * @param checkpoint size of the newest checkpoint that was believed; null when there was none
 * @param bodies how many events were compared with their entries
 * @param pending events that have no leaf yet, which the next checkpoint must cover
 * @param findings the first of them, at most {@value LogAudit#MAX_FINDINGS}
 * @param findingCount how many there were
 * @param difference the first that is not about a row that no node wrote: such a row is recorded
 *     and marked, and the log is still what it was; null when there is none
 * @param isWhole whether everything that was asked for was compared: a checkpoint that was given
 *     and could not be is told by a note
 * @param notes what was not checked and why
 */
public record Verdict(
    long leaves,
    TreeHash root,
    @Nullable Long checkpoint,
    long bodies,
    long pending,
    List<Finding> findings,
    long findingCount,
    @Nullable Finding difference,
    boolean isWhole,
    List<String> notes) {

  public Verdict {
    findings = List.copyOf(findings);
    notes = List.copyOf(notes);
  }

  /** Whether nothing speaks against the log. */
  public boolean isClean() {
    return findingCount == 0;
  }
}

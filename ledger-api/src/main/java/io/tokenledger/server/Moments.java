package io.tokenledger.server;

import io.tokenledger.ledger.Ledger;
import io.tokenledger.timeline.Moment;
import io.tokenledger.timeline.MomentUnknown;
import io.tokenledger.timeline.ResolvedMoment;
import java.time.Instant;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Reads which moment of the history a request means. A cursor carries the moment that the first
 * page found, so that all pages are of the same one.
 */
final class Moments {

  private static final Pattern PINNED = Pattern.compile("(\\d{1,15})\\.(\\d{1,15})\\.([tx])");

  private final Ledger ledger;
  private final Parameters parameters;

  Moments(Ledger ledger, Parameters parameters) {
    this.ledger = ledger;
    this.parameters = parameters;
  }

  /**
   * The moment of a parameter as it is written; null where there is none.
   *
   * @throws Rejection 400
   */
  static @Nullable Moment parse(Parameters parameters, String parameter) {
    String text = parameters.text(parameter);
    try {
      return text == null ? null : Moment.parse(text);
    } catch (IllegalArgumentException e) {
      throw Rejection.invalid(parameter + " " + e.getMessage() + ", got " + text);
    }
  }

  /**
   * The moment of a parameter, now where there is none.
   *
   * @throws Rejection 400
   */
  ResolvedMoment resolve(String parameter) {
    return resolve(parameter, parse(parameters, parameter));
  }

  private ResolvedMoment resolve(String parameter, @Nullable Moment moment) {
    try {
      return ledger.timeline().resolve(moment);
    } catch (MomentUnknown e) {
      throw Rejection.invalid(parameter + " " + e.getMessage());
    }
  }

  /**
   * The moment of a cursor's part.
   *
   * @param part what {@link #text} wrote
   * @param parameter which may say the same again
   * @throws Rejection 400
   */
  ResolvedMoment pinned(String part, String parameter) {
    Matcher matcher = PINNED.matcher(part);
    if (!matcher.matches()) {
      throw Rejection.invalid("cursor must be the next_cursor of a page");
    }
    ResolvedMoment pinned =
        new ResolvedMoment(
            Long.parseLong(matcher.group(1)),
            Instant.ofEpochMilli(Long.parseLong(matcher.group(2))),
            matcher.group(3).equals("x"));
    if (pinned.treeSize() > 0) {
      resolve("cursor", new Moment.AfterLeaf(pinned.treeSize() - 1));
    }
    Moment again = parse(parameters, parameter);
    boolean same =
        again == null
            || (again instanceof Moment.AtTime at
                ? !pinned.exact() && at.instant().equals(pinned.time())
                : pinned.exact() && again.size() == pinned.treeSize());
    if (!same) {
      throw Rejection.invalid("cursor belongs to another moment than " + parameter);
    }
    return pinned;
  }

  /** The moment as a part of a cursor. */
  static String text(ResolvedMoment moment) {
    return moment.treeSize()
        + "."
        + moment.time().toEpochMilli()
        + "."
        + (moment.exact() ? "x" : "t");
  }

  /** The moment for an answer. */
  static ObjectNode json(ResolvedMoment moment) {
    ObjectNode json = JsonText.object();
    json.put("tree_size", moment.treeSize());
    json.put("time", JsonText.time(moment.time()));
    json.put("exact", moment.exact());
    return json;
  }
}

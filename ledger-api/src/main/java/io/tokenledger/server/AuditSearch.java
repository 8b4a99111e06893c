package io.tokenledger.server;

import io.tokenledger.history.AuditFilter;
import io.tokenledger.history.AuditFilter.Field;
import io.tokenledger.history.InvalidFilter;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.timeline.Moment;
import io.tokenledger.timeline.MomentUnknown;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What a request looks for in the audit log, and in how much of it.
 *
 * @param treeSize how many leaves are searched: of the cursor, of {@code at}, or all there are
 * @param beforeLeaf only leaves below this one; null for the first page
 * @param asked for the record of the read
 */
record AuditSearch(
    AuditFilter filter, long treeSize, @Nullable Long beforeLeaf, AuditReads.Asked asked) {

  /** The parameters that say by themselves what {@code q} can say too, and what they say. */
  private static final Map<String, Field> FILTERS = filters();

  /** A size and a leaf; in older cursors the leaf alone. */
  private static final Pattern CURSOR = Pattern.compile("(?:(\\d{1,18})\\.)?(\\d{1,18})");

  private static Map<String, Field> filters() {
    Map<String, Field> filters = new LinkedHashMap<>();
    filters.put("actor", Field.ACTOR);
    filters.put("action", Field.ACTION);
    filters.put("token", Field.TOKEN);
    filters.put("target_id", Field.TARGET);
    filters.put("outcome", Field.OUTCOME);
    filters.put("since", Field.FROM);
    filters.put("until", Field.TO);
    return filters;
  }

  /**
   * Reads it.
   *
   * @param byDefault the place in the log where the request says none; null for its end
   * @throws Rejection 400 naming the parameter, the word and the rule
   */
  static AuditSearch of(Ledger ledger, Parameters parameters, @Nullable Moment byDefault) {
    AuditFilter filter = filter(parameters);
    Moment at = at(parameters, filter);
    Matcher cursor = cursor(parameters);
    Long beforeLeaf = cursor == null ? null : Long.valueOf(cursor.group(2));
    Long pinned = cursor == null || cursor.group(1) == null ? null : Long.valueOf(cursor.group(1));
    if (pinned != null && at != null && at.size() != pinned) {
      throw Rejection.invalid("cursor belongs to another size of the log than at");
    }
    long treeSize;
    try {
      if (pinned != null && at == null) {
        treeSize = pinned == 0 ? 0 : ledger.audit().size(new Moment.AfterLeaf(pinned - 1));
      } else {
        treeSize = ledger.audit().size(at == null ? byDefault : at);
      }
    } catch (MomentUnknown e) {
      throw Rejection.invalid((at == null ? "cursor " : "at ") + e.getMessage());
    }
    return new AuditSearch(filter, treeSize, beforeLeaf, asked(parameters));
  }

  private static AuditFilter filter(Parameters parameters) {
    String query = parameters.text("q");
    AuditFilter filter;
    try {
      filter = query == null ? AuditFilter.ALL : AuditFilter.parse(query);
    } catch (InvalidFilter e) {
      throw Rejection.invalid("q is wrong " + e.getMessage());
    }
    for (Map.Entry<String, Field> each : FILTERS.entrySet()) {
      String value = value(parameters, each.getKey(), each.getValue());
      if (value != null) {
        try {
          filter = filter.with(each.getValue(), value);
        } catch (InvalidFilter e) {
          throw Rejection.invalid(each.getKey() + " is wrong " + e.getMessage());
        }
      }
    }
    return filter;
  }

  private static @Nullable String value(Parameters parameters, String parameter, Field field) {
    if (field == Field.FROM || field == Field.TO) {
      Instant instant = parameters.instant(parameter);
      // Before 1970 nothing occurred.
      return instant == null
          ? null
          : (instant.isBefore(Instant.EPOCH) ? Instant.EPOCH : instant).toString();
    }
    String value = parameters.text(parameter);
    if (field == Field.OUTCOME
        && value != null
        && !List.of("success", "denied", "failed").contains(value)) {
      throw Rejection.invalid("outcome must be success, denied or failed, got " + value);
    }
    return value;
  }

  private static @Nullable Moment at(Parameters parameters, AuditFilter filter) {
    Moment at = Moments.parse(parameters, "at");
    if (at instanceof Moment.AtTime) {
      throw Rejection.invalid(
          "at must be leaf:N or checkpoint:N here; for times use from: and to: in q");
    }
    if (at != null && filter.at() != null) {
      throw Rejection.invalid("at is given in q or by itself, not both");
    }
    return at == null ? filter.at() : at;
  }

  private static @Nullable Matcher cursor(Parameters parameters) {
    String text = parameters.text("cursor");
    if (text == null) {
      return null;
    }
    Matcher cursor = CURSOR.matcher(text);
    if (!cursor.matches()) {
      throw Rejection.invalid("cursor must be the next_cursor of a page, got " + text);
    }
    return cursor;
  }

  private static AuditReads.Asked asked(Parameters parameters) {
    List<String> shown = new ArrayList<>();
    List<String> exact = new ArrayList<>();
    if (parameters.text("q") != null) {
      AuditFilter alone = AuditFilter.parse(String.valueOf(parameters.text("q")));
      shown.add("q=" + alone.shown());
      exact.add("q=" + alone);
    }
    AuditReads.Asked others =
        AuditReads.Asked.of(
            parameters::text,
            List.of(
                "actor",
                "action",
                "token",
                "target_id",
                "outcome",
                "since",
                "until",
                "at",
                "format",
                "cursor",
                "limit"),
            Set.of("actor"));
    if (!others.shown().isEmpty()) {
      shown.add(others.shown());
      exact.add(others.exact());
    }
    return new AuditReads.Asked(String.join("&", shown), String.join("&", exact));
  }
}

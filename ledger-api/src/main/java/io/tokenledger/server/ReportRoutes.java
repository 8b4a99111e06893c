package io.tokenledger.server;

import io.tokenledger.history.AuditPopulation;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.report.Completeness;
import io.tokenledger.report.SignedTree;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.timeline.Moment;
import io.tokenledger.timeline.MomentUnknown;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.SignedNote;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** What an auditor asks of the log as a whole: that nothing is missing, and what was signed. */
@RestController
class ReportRoutes {

  static final String POPULATION = "/api/v1/audit/population";
  static final String COMPLETENESS = "/api/v1/audit/completeness";
  static final String CHECKPOINTS = "/api/v1/audit/checkpoints";
  static final String CHECKPOINT = CHECKPOINTS + "/{size}";

  private static final int DEFAULT_LIMIT = 100;
  private static final int MAX_LIMIT = 1_000;
  private static final int MAX_GENERATION = Short.MAX_VALUE;

  private final Ledger ledger;
  private final AuditReads audits;

  ReportRoutes(Ledger ledger, AuditReads audits) {
    this.ledger = ledger;
    this.audits = audits;
  }

  private void record(
      HttpServletRequest request, String right, String before, long rows, long treeSize) {
    AuditReads.Asked asked =
        AuditReads.Asked.of(
            new Parameters(request::getParameter)::text,
            List.of("from", "to", "at", "format", "generation", "before", "limit"),
            Set.of());
    String and = before.isEmpty() || asked.exact().isEmpty() ? "" : "&";
    audits.record(
        request,
        right,
        new AuditReads.Asked(before + and + asked.shown(), before + and + asked.exact()),
        rows,
        null,
        null,
        treeSize);
  }

  /** Every event of a period, counted and signed: that a sample is of all there is. */
  @GetMapping(POPULATION)
  void population(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String right = audits.require(request);
    Parameters parameters = new Parameters(request::getParameter);
    String format = parameters.text("format");
    if (format != null && !Set.of("json", "note").contains(format)) {
      throw Rejection.invalid("format must be json or note, got " + format);
    }
    Instant from = time(parameters, "from");
    Instant to = time(parameters, "to");
    if (from.isAfter(to)) {
      throw Rejection.invalid("from must not be after to, got " + from + " and " + to);
    }
    long treeSize = treeSize(parameters);
    SignedTree tree = AuditRoutes.tree(ledger, treeSize);
    AuditPopulation population = ledger.audit().population(from, to, treeSize);
    SignedNote note = ledger.reports().population(tree, from, to, population);
    record(request, right, "", population.events(), treeSize);
    if ("note".equals(format)) {
      Answers.write(response, 200, note.toString());
      return;
    }
    ObjectNode json = JsonText.object();
    json.put("from", JsonText.time(from));
    json.put("to", JsonText.time(to));
    json.put("events", population.events());
    json.put("first_leaf_index", population.firstLeafIndex());
    json.put("last_leaf_index", population.lastLeafIndex());
    ArrayNode counts = json.putArray("counts");
    for (AuditPopulation.Count count : population.counts()) {
      ObjectNode each = counts.addObject();
      each.put("event_type", count.eventType());
      each.put("outcome", count.outcome());
      each.put("events", count.events());
      each.put("requests", count.requests());
    }
    json.put("tree_size", treeSize);
    json.put("root", tree.root().toString());
    json.put("note", note.toString());
    Answers.write(response, 200, json.toString());
  }

  private static Instant time(Parameters parameters, String parameter) {
    Moment moment = Moments.parse(parameters, parameter);
    if (moment instanceof Moment.AtTime at) {
      return at.instant();
    }
    throw Rejection.invalid(
        parameter
            + " must be a date or an instant such as 2026-11-24T12:00:00Z, got "
            + parameters.text(parameter));
  }

  private long treeSize(Parameters parameters) {
    Moment at = Moments.parse(parameters, "at");
    if (at instanceof Moment.AtTime) {
      throw Rejection.invalid("at must be leaf:N or checkpoint:N here");
    }
    try {
      return ledger.audit().size(at == null ? AuditRoutes.newestCheckpoint(ledger) : at);
    } catch (MomentUnknown e) {
      throw Rejection.invalid("at " + e.getMessage());
    }
  }

  /** Whether every event has its place now, and how far behind the readers are. */
  @GetMapping(COMPLETENESS)
  void completeness(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String right = audits.require(request);
    Completeness found = ledger.reports().completeness();
    record(request, right, "", 0, found.treeSize());
    ObjectNode json = JsonText.object();
    json.put("checked_at", JsonText.time(found.checkedAt()));
    json.put("events_without_leaf", found.eventsWithoutLeaf());
    json.put("oldest_without_leaf_seconds", age(found.checkedAt(), found.oldestWithoutLeaf()));
    json.put("tree_size", found.treeSize());
    CheckpointTable.Signed newest = found.newest();
    if (newest == null) {
      json.putNull("checkpoint");
    } else {
      ObjectNode checkpoint = json.putObject("checkpoint");
      checkpoint.put("size", newest.size());
      checkpoint.put("signed_at", JsonText.time(newest.signedAt()));
      checkpoint.put("age_seconds", age(found.checkedAt(), newest.signedAt()));
    }
    json.put("leaves_without_checkpoint", found.treeSize() - (newest == null ? 0 : newest.size()));
    json.put("signing_refused", ledger.signingRefused());
    ArrayNode followers = json.putArray("followers");
    found
        .followers()
        .forEach(
            (name, next) ->
                followers
                    .addObject()
                    .put("name", name)
                    .put("leaves_behind", Math.max(0, found.treeSize() - next)));
    Answers.write(response, 200, json.toString());
  }

  private static @Nullable Double age(Instant now, @Nullable Instant then) {
    return then == null ? null : Math.max(0, Duration.between(then, now).toMillis()) / 1_000.0;
  }

  /** What was signed, newest first. */
  @GetMapping(CHECKPOINTS)
  void checkpoints(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String right = audits.require(request);
    Parameters parameters = new Parameters(request::getParameter);
    int limit = parameters.limit(DEFAULT_LIMIT, MAX_LIMIT);
    String before = parameters.text("before");
    int generation = MAX_GENERATION;
    long size = Long.MAX_VALUE;
    if (before != null) {
      if (!before.matches("(\\d{1,4}/)?\\d{1,18}")) {
        throw Rejection.invalid("before must be a size or GENERATION/SIZE, got " + before);
      }
      int slash = before.indexOf('/');
      generation = slash < 0 ? newestGeneration() : Integer.parseInt(before.substring(0, slash));
      size = Long.parseLong(before.substring(slash + 1));
    }
    List<CheckpointTable.Signed> found = ledger.log().checkpointsBefore(generation, size, limit);
    record(request, right, "", found.size(), found.isEmpty() ? 0 : found.get(0).size());
    ObjectNode json = JsonText.object();
    ArrayNode checkpoints = json.putArray("checkpoints");
    found.forEach(signed -> checkpoints.add(json(signed)));
    CheckpointTable.Signed last = found.size() < limit ? null : found.get(limit - 1);
    json.put("next_before", last == null ? null : last.generation() + "/" + last.size());
    Answers.write(response, 200, json.toString());
  }

  private int newestGeneration() {
    return ledger.log().newest().map(CheckpointTable.Signed::generation).orElse(1);
  }

  /** One checkpoint with the lines of the witnesses that saw it. */
  @GetMapping(CHECKPOINT)
  void checkpoint(
      HttpServletRequest request, HttpServletResponse response, @PathVariable("size") String text)
      throws IOException {
    String right = audits.require(request);
    if (!text.matches("\\d{1,18}")) {
      throw Rejection.invalid("size must be a number of leaves, got " + text);
    }
    long size = Long.parseLong(text);
    Long asked = new Parameters(request::getParameter).number("generation");
    if (asked != null && asked > MAX_GENERATION) {
      throw Rejection.invalid("generation must be at most " + MAX_GENERATION + ", got " + asked);
    }
    int generation = asked == null ? newestGeneration() : Math.toIntExact(asked);
    CheckpointTable.Signed signed =
        ledger
            .log()
            .checkpoint(generation, size)
            .orElseThrow(
                () ->
                    new Rejection(
                        404,
                        JsonText.error("no checkpoint has " + size + " leaves"),
                        "not_found",
                        true));
    record(request, right, "size=" + size, 1, size);
    Answers.write(response, 200, json(signed).toString());
  }

  private static ObjectNode json(CheckpointTable.Signed signed) {
    Checkpoint checkpoint = Checkpoint.parse(signed.note().text());
    ObjectNode json = JsonText.object();
    json.put("generation", signed.generation());
    json.put("origin", checkpoint.origin());
    json.put("size", checkpoint.size());
    json.put("root", checkpoint.root().toString());
    json.put("signed_at", JsonText.time(signed.signedAt()));
    json.put("note", signed.note().toString());
    return json;
  }
}

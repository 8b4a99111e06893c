package io.tokenledger.server;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.permission.Action;
import io.tokenledger.replay.Replay;
import io.tokenledger.replay.ReplayJob;
import io.tokenledger.replay.ReplayReport;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.store.UnreadableEvent;
import io.tokenledger.timeline.Moment;
import io.tokenledger.timeline.MomentUnknown;
import io.tokenledger.timeline.ResolvedMoment;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** Rebuilds of projections: asked for here, carried out by whichever node has the lead. */
@RestController
class ReplayRoutes {

  static final String START = "/api/v1/replay/start";
  static final String STATUS = "/api/v1/replay/status";
  static final String HISTORY = "/api/v1/replay/history";
  static final String VERIFY = "/api/v1/replay/verify";
  static final String SWAP = "/api/v1/replay/swap";
  static final String ROLLBACK = "/api/v1/replay/rollback";
  static final String PAUSE = "/api/v1/replay/pause";
  static final String RESUME = "/api/v1/replay/resume";
  static final String DROP = "/api/v1/replay/drop";

  private static final long MAX_LEASE_SECONDS = Duration.ofDays(365).toSeconds();
  private static final int MAX_HISTORY = 1_000;

  private final Ledger ledger;

  ReplayRoutes(Ledger ledger) {
    this.ledger = ledger;
  }

  /** Begins a rebuild; with {@code to} of a moment, in a schema of its own. */
  @PostMapping(START)
  void start(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = permitted(request, Action.WRITE);
    Parameters parameters = parameters(request);
    String named = parameters.text("projections");
    List<String> projections = named == null ? List.of() : Arrays.asList(named.split(",", -1));
    for (String projection : projections) {
      if (!Replay.PROJECTIONS.contains(projection)) {
        throw Rejection.invalid(
            "projections must be some of "
                + String.join(",", Replay.PROJECTIONS)
                + ", got "
                + projection);
      }
    }
    String to = parameters.text("to");
    Long lease = parameters.number("lease_seconds");
    if (lease != null && (to == null || lease < 1 || lease > MAX_LEASE_SECONDS)) {
      throw Rejection.invalid("lease_seconds must be 1 to 31536000, and goes with to");
    }
    Moment moment = to == null ? null : moment(to);
    ResolvedMoment resolved = moment == null ? null : resolved(moment);
    ledger
        .requests()
        .replayRequested(
            context,
            "replay.start",
            (projections.isEmpty() ? "all" : named) + (moment == null ? "" : " to " + moment));
    ReplayJob job =
        refusable(
            () ->
                moment == null || resolved == null
                    ? ledger.replay().start(projections, by(context))
                    : ledger
                        .replay()
                        .startAt(
                            projections,
                            moment.toString(),
                            resolved.treeSize(),
                            resolved.exact() ? null : resolved.time(),
                            by(context),
                            lease == null ? Replay.LEASE : Duration.ofSeconds(lease)));
    Answers.write(response, 202, json(job).toString());
  }

  private static Moment moment(String to) {
    try {
      return Moment.parse(to.startsWith("time:") ? to.substring("time:".length()) : to);
    } catch (IllegalArgumentException e) {
      throw Rejection.invalid("to " + e.getMessage() + ", got " + to);
    }
  }

  private ResolvedMoment resolved(Moment moment) {
    try {
      return ledger.timeline().resolve(moment);
    } catch (MomentUnknown e) {
      throw Rejection.invalid("to " + e.getMessage());
    }
  }

  private static String by(RequestContext context) {
    return context.actor().tokenName() == null
        ? context.actor().type().name().toLowerCase(Locale.ROOT)
        : context.actor().tokenName().value();
  }

  /** How far a replay is: that one, or the newest whose tables are there. */
  @GetMapping(STATUS)
  void status(HttpServletRequest request, HttpServletResponse response) throws IOException {
    permitted(request, Action.READ);
    Answers.write(response, 200, json(named(request)).toString());
  }

  /** The newest replays. */
  @GetMapping(HISTORY)
  void history(HttpServletRequest request, HttpServletResponse response) throws IOException {
    permitted(request, Action.READ);
    ObjectNode json = JsonText.object();
    ArrayNode rows = json.putArray("replays");
    ledger
        .replay()
        .history(parameters(request).limit(100, MAX_HISTORY))
        .forEach(job -> rows.add(json(job)));
    Answers.write(response, 200, json.toString());
  }

  /** Compares; what is not there is built for it, and dropped again when all is equal. */
  @PostMapping(VERIFY)
  void verify(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = permitted(request, Action.READ);
    Long id = parameters(request).number("id");
    boolean made = id == null && !isThere();
    stream(
        response,
        out -> {
          Instant started = Instant.now();
          ReplayJob job = ready(id, context, out);
          ReplayReport report = ledger.replay().compare(job.id());
          boolean equal = report.differenceCount() == 0;
          if (made && equal) {
            ledger.replay().drop(job.id());
          }
          ledger
              .requests()
              .replayFinished(context, "replay.verify", "replay:" + job.id(), equal, started);
          writeLine(out, json(report));
        });
  }

  private boolean isThere() {
    ReplayJob there = ledger.replay().current();
    return there != null
        && (there.isUnfinished()
            || there.state() == ReplayJob.State.READY
            || there.state() == ReplayJob.State.FAILED);
  }

  private ReplayJob ready(@Nullable Long id, RequestContext context, OutputStream out) {
    return id == null
        ? ledger.replay().ready(by(context), job -> writeLine(out, progress(job)))
        : ledger.replay().await(id, job -> writeLine(out, progress(job)));
  }

  /** Puts the rebuilt generation in place, when it is equal or its differences are accepted. */
  @PostMapping(SWAP)
  void swap(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = permitted(request, Action.WRITE);
    String accept = accepted(request);
    Long id = parameters(request).number("id");
    stream(
        response,
        out -> {
          ReplayJob job = ready(id, context, out);
          exchange(context, "replay.swap", job, out, each -> ledger.replay().swap(each, accept));
        });
  }

  /** Puts the generation that was replaced back in place, under the same conditions. */
  @PostMapping(ROLLBACK)
  void rollback(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = permitted(request, Action.WRITE);
    String accept = accepted(request);
    ReplayJob job = named(request);
    stream(
        response,
        out ->
            exchange(
                context,
                "replay.rollback",
                job,
                out,
                each -> ledger.replay().rollback(each, accept)));
  }

  private static @Nullable String accepted(HttpServletRequest request) {
    String accept = parameters(request).text("accept_differences");
    if (accept != null && !accept.matches("[0-9a-f]{64}")) {
      throw Rejection.invalid(
          "accept_differences must be the 64 hexadecimal digits that verify shows, got " + accept);
    }
    return accept;
  }

  private void exchange(
      RequestContext context,
      String action,
      ReplayJob job,
      OutputStream out,
      LongFunction<Replay.Exchange> work) {
    Instant started = Instant.now();
    ledger.requests().replayRequested(context, action, "replay:" + job.id());
    Replay.Exchange done = work.apply(job.id());
    ledger
        .requests()
        .replayFinished(
            context, action, "replay:" + job.id(), done.differenceCount() == 0, started);
    ObjectNode json = JsonText.object();
    json.put("type", "exchange");
    json.put("replay_id", job.id());
    json.put("swapped", done.swapped());
    json.put("equal", done.differenceCount() == 0);
    json.put("difference_count", done.differenceCount());
    json.put("digest", done.digest());
    json.put("pause_millis", done.pauseMillis());
    json.put("position", ledger.position().toString());
    writeLine(out, json);
  }

  /** Nobody works on it until it is resumed. */
  @PostMapping(PAUSE)
  void pause(HttpServletRequest request, HttpServletResponse response) throws IOException {
    direct(request, response, "replay.pause", ledger.replay()::pause);
  }

  /** It goes on where it was; one that failed tries again there. */
  @PostMapping(RESUME)
  void resume(HttpServletRequest request, HttpServletResponse response) throws IOException {
    direct(request, response, "replay.resume", ledger.replay()::resume);
  }

  /** Drops the tables that lie aside. */
  @PostMapping(DROP)
  void drop(HttpServletRequest request, HttpServletResponse response) throws IOException {
    direct(request, response, "replay.drop", ledger.replay()::drop);
  }

  private void direct(
      HttpServletRequest request,
      HttpServletResponse response,
      String action,
      LongFunction<ReplayJob> work)
      throws IOException {
    RequestContext context = permitted(request, Action.WRITE);
    ReplayJob job = named(request);
    ledger.requests().replayRequested(context, action, "replay:" + job.id());
    ReplayJob after = refusable(() -> work.apply(job.id()));
    Answers.write(response, 200, json(after).toString());
  }

  private ReplayJob named(HttpServletRequest request) {
    Long id = parameters(request).number("id");
    if (id != null) {
      try {
        return ledger.replay().job(id);
      } catch (Replay.ReplayRefused e) {
        throw new Rejection(404, JsonText.error(String.valueOf(e.getMessage())), "unknown", false);
      }
    }
    ReplayJob current = ledger.replay().current();
    if (current == null) {
      throw new Rejection(404, JsonText.error("there is no replay"), "unknown", false);
    }
    return current;
  }

  private static Parameters parameters(HttpServletRequest request) {
    Parameters.requireDecodable(request.getQueryString());
    return new Parameters(request::getParameter);
  }

  private static RequestContext permitted(HttpServletRequest request, Action action) {
    RequestContext context = RequestContexts.of(request);
    LedgerRoutes.require(context.actor(), "replay", action);
    return context;
  }

  private interface Asked {
    ReplayJob get();
  }

  private static ReplayJob refusable(Asked asked) {
    try {
      return asked.get();
    } catch (Replay.ReplayRefused e) {
      throw Rejection.conflict(String.valueOf(e.getMessage()));
    }
  }

  private interface Work {
    void to(OutputStream out);
  }

  private static void stream(HttpServletResponse response, Work work) throws IOException {
    response.setContentType("application/x-ndjson");
    OutputStream out = response.getOutputStream();
    try {
      work.to(out);
    } catch (Replay.ReplayRefused | UnreadableEvent | LedgerUnavailable e) {
      writeLine(out, JsonText.object().put("type", "error").put("error", e.getMessage()));
    }
  }

  private static ObjectNode progress(ReplayJob job) {
    ObjectNode json = json(job);
    json.put("type", "progress");
    json.put("done", job.eventsDone());
    json.put("per_second", job.eventsPerSecond());
    json.put("total", job.eventsTotal());
    return json;
  }

  static ObjectNode json(ReplayJob job) {
    ObjectNode json = JsonText.object();
    json.put("replay_id", job.id());
    ArrayNode projections = json.putArray("projections");
    job.projections().forEach(projections::add);
    json.put("moment", job.moment());
    json.put("schema", job.schema());
    json.put("state", job.state().name().toLowerCase(Locale.ROOT));
    json.put("paused", job.paused());
    json.put("started_by", job.startedBy());
    json.put("started_at", JsonText.time(job.startedAt()));
    json.put("events_done", job.eventsDone());
    json.put("events_total", job.eventsTotal());
    json.put("events_per_second", job.eventsPerSecond());
    json.put("remaining_millis", job.remainingMillis());
    json.put("position", job.position());
    json.put("tree_size", job.treeSize());
    json.put("difference_count", job.differenceCount());
    json.put("digest", job.differenceDigest());
    json.put("error", job.error());
    json.put("drop_after", job.dropAfter() == null ? null : JsonText.time(job.dropAfter()));
    return json;
  }

  private static ObjectNode json(ReplayReport report) {
    ObjectNode json = JsonText.object();
    json.put("type", "report");
    json.put("replay_id", report.replayId());
    json.put("equal", report.differenceCount() == 0);
    json.put("events", report.events());
    json.put("rows", report.rows());
    json.set("live", digests(report.live()));
    json.set("rebuilt", digests(report.rebuilt()));
    json.put("difference_count", report.differenceCount());
    json.put("digest", report.digest());
    ArrayNode differences = json.putArray("differences");
    for (ReplayReport.Difference difference : report.differences()) {
      ObjectNode row = differences.addObject();
      row.put("table", difference.table());
      row.put("kind", difference.kind());
      row.put("key", difference.key());
      row.put("token_id", difference.tokenId());
      row.put("token_name", difference.tokenName());
      row.put("detail", difference.detail());
    }
    json.put("millis", report.millis());
    return json;
  }

  private static ObjectNode digests(Map<String, ReplayReport.Digest> digests) {
    ObjectNode json = JsonText.object();
    digests.forEach(
        (table, digest) ->
            json.putObject(table).put("rows", digest.rows()).put("sha256", digest.hex()));
    return json;
  }

  private static void writeLine(OutputStream out, ObjectNode line) {
    try {
      out.write((line + "\n").getBytes(StandardCharsets.UTF_8));
      out.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}

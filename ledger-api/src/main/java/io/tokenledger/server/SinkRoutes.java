package io.tokenledger.server;

import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.permission.Action;
import io.tokenledger.sink.DeadLetter;
import io.tokenledger.sink.SinkState;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.math.BigInteger;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** The receivers of the log: how far each is, and what it refused. */
@RestController
class SinkRoutes {

  static final String SINKS = "/api/v1/audit/sinks";
  static final String DEAD_LETTERS = "/api/v1/audit/dead-letters";
  static final String REQUEUE = "/api/v1/audit/dead-letters/requeue";

  private static final int DEFAULT_LIMIT = 100;
  private static final int MAX_LIMIT = 1_000;

  private final Ledger ledger;
  private final AuditReads audits;

  SinkRoutes(Ledger ledger, AuditReads audits) {
    this.ledger = ledger;
    this.audits = audits;
  }

  private void record(HttpServletRequest request, String right, long rows, long treeSize) {
    audits.record(
        request,
        right,
        AuditReads.Asked.of(
            new Parameters(request::getParameter)::text,
            List.of("sink", "from", "limit"),
            Set.of()),
        rows,
        null,
        null,
        treeSize);
  }

  /** How far each receiver is. */
  @GetMapping(SINKS)
  void sinks(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String right = audits.require(request);
    List<SinkState> states = ledger.sinks().list();
    long treeSize = states.isEmpty() ? 0 : states.get(0).treeSize();
    record(request, right, states.size(), treeSize);
    ObjectNode json = JsonText.object();
    ArrayNode sinks = json.putArray("sinks");
    for (SinkState state : states) {
      ObjectNode sink = sinks.addObject();
      sink.put("name", state.name());
      sink.put("next_leaf_index", state.nextLeafIndex());
      sink.put("lag", state.lag());
      sink.put("dead_letters", state.deadLetters());
      sink.put("node", state.node());
      sink.put("delivered_at", time(state.deliveredAt()));
      sink.put("trouble", state.trouble());
      sink.put("trouble_since", time(state.troubleSince()));
    }
    json.put("tree_size", treeSize);
    Answers.write(response, 200, json.toString());
  }

  /** What a receiver refused, in leaf order. */
  @GetMapping(DEAD_LETTERS)
  void deadLetters(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String right = audits.require(request);
    Parameters parameters = new Parameters(request::getParameter);
    String name = parameters.text("sink");
    if (name == null) {
      throw Rejection.invalid("sink is missing: whose dead letters");
    }
    Long from = parameters.number("from");
    int limit = parameters.limit(DEFAULT_LIMIT, MAX_LIMIT);
    SinkState sink = find(name);
    List<DeadLetter> letters = ledger.sinks().deadLetters(name, from == null ? 0 : from, limit);
    record(request, right, letters.size(), sink.treeSize());
    ObjectNode json = JsonText.object();
    json.put("sink", name);
    ArrayNode rows = json.putArray("dead_letters");
    for (DeadLetter letter : letters) {
      ObjectNode row = rows.addObject();
      row.put("leaf_index", letter.leafIndex());
      row.put("event_id", letter.eventId());
      row.put("event_type", letter.eventType());
      row.put("reason", letter.reason());
      row.put("refusals", letter.refusals());
      row.put("refused_at", JsonText.time(letter.refusedAt()));
      row.put("requeued", letter.requeued());
    }
    if (letters.size() < limit) {
      json.putNull("next_from");
    } else {
      json.put("next_from", letters.get(letters.size() - 1).leafIndex() + 1);
    }
    Answers.write(response, 200, json.toString());
  }

  private SinkState find(String name) {
    return ledger.sinks().list().stream()
        .filter(sink -> sink.name().equals(name))
        .findFirst()
        .orElseThrow(
            () -> new Rejection(404, JsonText.error("no sink of that name"), "not_found", true));
  }

  /** Has dead letters sent again. */
  @PostMapping(REQUEUE)
  void requeue(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = RequestContexts.of(request);
    audits.requireDuty(request, "audit", Action.WRITE);
    JsonBody body = TokenRoutes.jsonBody(request);
    String name = body.string("sink");
    Long leafIndex = leaf("leaf_index", body.optionalInteger("leaf_index"));
    find(name);
    int requeued = ledger.sinks().requeue(name, leafIndex, context);
    if (requeued == 0) {
      throw new Rejection(
          409, JsonText.error("no such dead letter waits to be requeued"), "nothing_waits", false);
    }
    Answers.write(
        response, 200, JsonText.object().put("sink", name).put("requeued", requeued).toString());
  }

  static @Nullable Long leaf(String name, @Nullable BigInteger number) {
    if (number == null) {
      return null;
    }
    if (number.signum() < 0 || number.bitLength() > 62) {
      throw Rejection.invalid(name + " must be the index of a leaf, got " + number);
    }
    return number.longValue();
  }

  private static @Nullable String time(@Nullable Instant instant) {
    return instant == null ? null : JsonText.time(instant);
  }
}

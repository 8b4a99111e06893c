package io.tokenledger.server;

import io.tokenledger.audit.EventType;
import io.tokenledger.history.AuditEntry;
import io.tokenledger.history.AuditEvent;
import io.tokenledger.history.AuditFacets;
import io.tokenledger.history.AuditPage;
import io.tokenledger.history.AuditQuery;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.report.ExportManifest;
import io.tokenledger.report.SignedTree;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.sink.Entry;
import io.tokenledger.sink.EventFormat;
import io.tokenledger.timeline.Moment;
import io.tokenledger.tlog.SignedNote;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** The audit trail: searched, counted, taken away. */
@RestController
class AuditRoutes {

  static final String EVENT = LedgerRoutes.AUDIT + "/{id}";
  static final String FACETS = "/api/v1/audit/facets";
  static final String EXPORTS = "/api/v1/audit/exports";
  static final String EXPORT = EXPORTS + "/{id}";

  private static final Logger LOG = LoggerFactory.getLogger(AuditRoutes.class);

  private static final int DEFAULT_LIMIT = 100;

  /** Each holds a connection of the readers' pool and may last for minutes. */
  private static final int MAX_EXPORTS = 2;

  /** Bytes between two flushes: whoever watches sees progress, and the socket no tiny writes. */
  private static final int FLUSHED_BYTES = 256 * 1_024;

  private final Ledger ledger;
  private final AuditReads audits;
  private final Semaphore exports = new Semaphore(MAX_EXPORTS);

  AuditRoutes(Ledger ledger, AuditReads audits) {
    this.ledger = ledger;
    this.audits = audits;
  }

  /** The audit trail, newest first. */
  @GetMapping(LedgerRoutes.AUDIT)
  void search(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String right = audits.require(request);
    Parameters parameters = new Parameters(request::getParameter);
    int limit = parameters.limit(DEFAULT_LIMIT, AuditQuery.MAX_LIMIT);
    AuditSearch search = AuditSearch.of(ledger, parameters, null);
    AuditPage page =
        ledger.audit().search(search.filter(), search.treeSize(), search.beforeLeaf(), limit);
    audits.record(request, right, search.asked(), page);
    ObjectNode json = JsonText.object();
    ArrayNode events = json.putArray("events");
    page.entries().forEach(entry -> events.add(LedgerRoutes.json(entry)));
    json.put(
        "next_cursor",
        page.nextCursor() == null ? null : page.treeSize() + "." + page.nextCursor());
    json.put("tree_size", page.treeSize());
    json.put("scanned", page.scanned());
    Answers.write(response, 200, json.toString());
  }

  /** One event, with the exact text that the log hashed for it. */
  @GetMapping(EVENT)
  void one(
      HttpServletRequest request, HttpServletResponse response, @PathVariable("id") String eventId)
      throws IOException {
    String right = audits.require(request);
    AuditEvent event = find(eventId);
    long leaf = event.entry().leafIndex();
    String asked = "id=" + event.entry().eventId();
    audits.record(request, right, new AuditReads.Asked(asked, asked), 1, leaf, leaf, leaf + 1);
    ObjectNode json = LedgerRoutes.json(event.entry());
    json.put("entry", event.entryText());
    Answers.write(response, 200, json.toString());
  }

  private AuditEvent find(String eventId) {
    return ledger
        .audit()
        .event(eventId)
        .orElseThrow(() -> notFound("no event of that id has a place in the log"));
  }

  private static Rejection notFound(String sentence) {
    return new Rejection(404, JsonText.error(sentence), "not_found", true);
  }

  /** How many events of each kind a query finds. */
  @GetMapping(FACETS)
  void facets(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String right = audits.require(request);
    AuditSearch search = AuditSearch.of(ledger, new Parameters(request::getParameter), null);
    AuditFacets facets = ledger.audit().facets(search.filter(), search.treeSize());
    audits.record(request, right, search.asked(), facets.events(), null, null, facets.treeSize());
    ObjectNode json = JsonText.object();
    json.put("events", facets.events());
    for (String kind : List.of("action", "outcome", "actor", "type")) {
      ArrayNode values = json.putArray(kind);
      facets
          .counts()
          .getOrDefault(kind, java.util.Map.of())
          .forEach((value, count) -> values.addObject().put("value", value).put("count", count));
    }
    json.put("complete", facets.complete());
    json.put("tree_size", facets.treeSize());
    json.put("scanned", facets.scanned());
    Answers.write(response, 200, json.toString());
  }

  /** How an export is written. */
  private enum Format {
    NDJSON("application/x-ndjson", null),
    CSV("text/csv; charset=utf-8", null),
    CLOUDEVENTS("application/x-ndjson", EventFormat.CLOUDEVENTS),
    OCSF("application/x-ndjson", EventFormat.OCSF),
    CEF("text/plain; charset=utf-8", EventFormat.CEF);

    private static final String NAMES =
        Arrays.stream(values())
            .map(Format::wireName)
            .collect(java.util.stream.Collectors.joining(", "));

    private final String contentType;
    private final @Nullable EventFormat eventFormat;

    Format(String contentType, @Nullable EventFormat eventFormat) {
      this.contentType = contentType;
      this.eventFormat = eventFormat;
    }

    String wireName() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }

    static Format of(@Nullable String name) {
      return Arrays.stream(values())
          .filter(format -> format.wireName().equals(name))
          .findFirst()
          .orElseThrow(() -> Rejection.invalid("format must be one of " + NAMES + ", got " + name));
    }

    String line(AuditEntry entry, String logOrigin) {
      if (eventFormat != null) {
        return new String(eventFormat.write(entry(entry, logOrigin)), StandardCharsets.UTF_8);
      }
      return this == NDJSON ? LedgerRoutes.json(entry).toString() : csv(entry);
    }
  }

  private static Entry entry(AuditEntry entry, String logOrigin) {
    return new Entry(
        logOrigin,
        entry.leafIndex(),
        null,
        entry.eventId(),
        entry.eventType(),
        entry.revision(),
        entry.occurredAt().toString(),
        entry.recordedAt(),
        entry.sequencedAt(),
        entry.payload(),
        entry.envelope());
  }

  private static final String CSV_HEADING =
      "leaf_index,event_id,event_type,revision,occurred_at,recorded_at,sequenced_at,actor_type,"
          + "actor_token_id,actor_name,action,target_id,target_name,outcome,outcome_reason,count,"
          + "source_ip,on_behalf_of,ticket,reason,request_id,correlation_id,payload";

  private static String csv(AuditEntry entry) {
    JsonNode envelope = entry.envelope();
    return CsvRow.of(
        Arrays.asList(
            Long.toString(entry.leafIndex()),
            entry.eventId(),
            entry.eventType(),
            entry.revision(),
            entry.occurredAt().toString(),
            entry.recordedAt().toString(),
            entry.sequencedAt().toString(),
            entry.actorType(),
            entry.actorTokenId() == null ? null : entry.actorTokenId().toString(),
            entry.actorName(),
            entry.action(),
            entry.targetId(),
            entry.targetName(),
            entry.outcome(),
            entry.outcomeReason(),
            Long.toString(entry.count()),
            text(envelope.path("source").path("ip")),
            text(envelope.path("on_behalf_of")),
            text(envelope.path("ticket")),
            text(envelope.path("reason")),
            entry.requestId(),
            text(envelope.path("correlation_id")),
            entry.payload().toString()));
  }

  private static @Nullable String text(JsonNode node) {
    return node.isString() ? node.stringValue() : null;
  }

  /** What was written so far. */
  private static final class Written {
    private final OutputStream out;
    private final MessageDigest digest;
    private int unflushed;
    private long rows;
    private @Nullable Long first;
    private @Nullable Long last;

    Written(OutputStream out) {
      this.out = out;
      try {
        this.digest = MessageDigest.getInstance("SHA-256");
      } catch (NoSuchAlgorithmException e) {
        throw new AssertionError("every Java platform has SHA-256", e);
      }
    }

    void line(String text) throws IOException {
      byte[] bytes = (text + "\n").getBytes(StandardCharsets.UTF_8);
      digest.update(bytes);
      out.write(bytes);
      unflushed += bytes.length;
      if (unflushed > FLUSHED_BYTES) {
        out.flush();
        unflushed = 0;
      }
    }

    void row(Format format, AuditEntry entry, String logOrigin) throws IOException {
      line(format.line(entry, logOrigin));
      rows++;
      last = entry.leafIndex();
      first = first == null ? last : first;
    }
  }

  /**
   * Streams all that a query finds, oldest first, of the leaves that a checkpoint covers. The read
   * is recorded before the first byte leaves, and what was taken away after the last.
   */
  @PostMapping(EXPORTS)
  void export(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String right = audits.require(request);
    Parameters parameters = new Parameters(request::getParameter);
    Format format = Format.of(parameters.text("format"));
    AuditSearch search = AuditSearch.of(ledger, parameters, newestCheckpoint(ledger));
    if (search.beforeLeaf() != null) {
      throw Rejection.invalid("cursor is not for exports, which have no pages");
    }
    SignedTree tree = tree(ledger, search.treeSize());
    if (!exports.tryAcquire()) {
      throw new Rejection(
          429,
          JsonText.error(MAX_EXPORTS + " exports are running on this node, try again"),
          "too_many_exports",
          false);
    }
    try {
      audits.record(request, right, search.asked(), 0, null, null, search.treeSize());
      response.setContentType(format.contentType);
      response.setHeader(
          "Content-Disposition", "attachment; filename=\"audit." + format.wireName() + "\"");
      response.setHeader("Audit-Tree-Size", Long.toString(search.treeSize()));
      export(request, right, format, search, tree, response.getOutputStream());
    } catch (IOException e) {
      LOG.info("an export was not taken to its end: {}", e.getMessage());
    } finally {
      exports.release();
    }
  }

  private void export(
      HttpServletRequest request,
      String right,
      Format format,
      AuditSearch search,
      SignedTree tree,
      OutputStream out)
      throws IOException {
    Written written = new Written(out);
    if (format == Format.CSV) {
      written.line(CSV_HEADING);
    }
    ledger
        .audit()
        .export(
            search.filter(), search.treeSize(), entry -> written.row(format, entry, tree.origin()));
    String sha256 = HexFormat.of().formatHex(written.digest.digest());
    String query = search.asked().shown();
    String eventId =
        ledger
            .requests()
            .auditExported(
                RequestContexts.of(request),
                right,
                format.wireName(),
                query,
                written.rows,
                written.first,
                written.last,
                search.treeSize(),
                sha256);
    if (format == Format.NDJSON) {
      SignedNote manifest =
          ledger
              .reports()
              .manifest(
                  tree,
                  new ExportManifest(
                      eventId,
                      format.wireName(),
                      query,
                      written.rows,
                      written.first,
                      written.last,
                      search.treeSize(),
                      sha256));
      written.line(JsonText.object().put("manifest", manifest.toString()).toString());
    }
    out.flush();
  }

  /** The signed manifest of an export, made again from the event that records it. */
  @GetMapping(EXPORT)
  void manifest(
      HttpServletRequest request, HttpServletResponse response, @PathVariable("id") String eventId)
      throws IOException {
    String right = audits.require(request);
    AuditEvent event = find(eventId);
    JsonNode payload = event.entry().payload();
    String format = payload.path("format").asString("");
    boolean isExport =
        event.entry().eventType().equals(EventType.AUDIT_EXPORTED.storedName())
            && Arrays.stream(Format.values()).anyMatch(each -> each.wireName().equals(format));
    if (!isExport) {
      throw notFound("the event of that id is no export of events");
    }
    long leaf = event.entry().leafIndex();
    String asked = "id=" + event.entry().eventId();
    audits.record(request, right, new AuditReads.Asked(asked, asked), 1, leaf, leaf, leaf + 1);
    long treeSize = payload.path("tree_size").asLong();
    SignedNote manifest =
        ledger
            .reports()
            .manifest(
                tree(ledger, treeSize),
                new ExportManifest(
                    event.entry().eventId(),
                    format,
                    payload.path("query").asString(""),
                    payload.path("rows").asLong(),
                    number(payload.path("first_leaf_index")),
                    number(payload.path("last_leaf_index")),
                    treeSize,
                    payload.path("sha256").asString("")));
    Answers.write(response, 200, manifest.toString());
  }

  private static @Nullable Long number(JsonNode node) {
    return node.isNumber() ? node.longValue() : null;
  }

  /**
   * The newest checkpoint as a place in the log.
   *
   * @throws Rejection 404 when nothing was signed yet
   */
  static Moment newestCheckpoint(Ledger ledger) {
    CheckpointTable.Signed newest =
        ledger.log().newest().orElseThrow(() -> notFound("nothing was signed yet"));
    return new Moment.AtCheckpoint(newest.size());
  }

  /**
   * The leaves that a statement is to speak of, with their root.
   *
   * @throws Rejection when no checkpoint covers them, or this node cannot sign
   */
  static SignedTree tree(Ledger ledger, long size) {
    try {
      return ledger
          .reports()
          .tree(size)
          .orElseThrow(
              () ->
                  Rejection.invalid(
                      "at must lie in what a checkpoint covers, and none covers "
                          + size
                          + " leaves yet"));
    } catch (IllegalStateException e) {
      throw new Rejection(
          503, JsonText.error("nothing is signed here: " + e.getMessage()), "not_signed", false);
    }
  }
}

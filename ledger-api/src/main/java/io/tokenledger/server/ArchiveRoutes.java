package io.tokenledger.server;

import io.tokenledger.archive.Archive;
import io.tokenledger.archive.ArchiveRefused;
import io.tokenledger.archive.ArchiveRestore;
import io.tokenledger.archive.Segment;
import io.tokenledger.audit.RequestContext;
import io.tokenledger.ledger.Ledger;
import io.tokenledger.permission.Action;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/** The copies of the log that are never changed. */
@RestController
class ArchiveRoutes {

  static final String ARCHIVE = "/api/v1/audit/archive";
  static final String RESTORE = ARCHIVE + "/restore";

  private final Ledger ledger;
  private final AuditReads audits;

  ArchiveRoutes(Ledger ledger, AuditReads audits) {
    this.ledger = ledger;
    this.audits = audits;
  }

  /** The segments there are, as they say of themselves. */
  @GetMapping(ARCHIVE)
  void list(HttpServletRequest request, HttpServletResponse response) throws IOException {
    audits.requireDuty(request, PrivacyRoutes.RETENTION, Action.READ);
    ObjectNode json = JsonText.object();
    ArrayNode segments = json.putArray("segments");
    try {
      for (Segment segment : archive().list()) {
        ObjectNode each = segments.addObject();
        each.put("name", segment.name());
        each.put("from", segment.head().from());
        each.put("to", segment.head().to());
        each.put("checkpoint", segment.head().size());
        each.put("sha256", segment.head().sha256());
      }
    } catch (ArchiveRefused e) {
      throw refused(e);
    }
    Answers.write(response, 200, json.toString());
  }

  /** Archives what is signed and not archived. */
  @PostMapping(ARCHIVE)
  void run(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = RequestContexts.of(request);
    audits.requireDuty(request, PrivacyRoutes.RETENTION, Action.WRITE);
    PrivacyRoutes.requireReason(context);
    try {
      Archive.Run run = archive().run(context, true);
      ObjectNode json = JsonText.object();
      json.put("segments", run.segments());
      json.put("from", run.from());
      json.put("to", run.to());
      json.put("sha256", run.sha256());
      Answers.write(response, 200, json.toString());
    } catch (ArchiveRefused e) {
      throw refused(e);
    }
  }

  /** Makes lost and changed events again what the log says, or counts them. */
  @PostMapping(RESTORE)
  void restore(HttpServletRequest request, HttpServletResponse response) throws IOException {
    RequestContext context = RequestContexts.of(request);
    audits.requireDuty(request, PrivacyRoutes.RETENTION, Action.WRITE);
    JsonBody body = TokenRoutes.jsonBody(request);
    Long first = SinkRoutes.leaf("from", body.optionalInteger("from"));
    Long next = SinkRoutes.leaf("to", body.optionalInteger("to"));
    long from = first == null ? 0 : first;
    long to = next == null ? Long.MAX_VALUE : next;
    if (to <= from) {
      throw Rejection.invalid("to must be after from");
    }
    boolean dryRun = body.optionalBoolean("dry_run", false);
    if (!dryRun) {
      PrivacyRoutes.requireReason(context);
    }
    try {
      ArchiveRestore restore = ledger.archiveRestore();
      if (restore == null) {
        throw none();
      }
      ArchiveRestore.Result result = restore.restore(from, to, dryRun, context);
      ObjectNode json = JsonText.object();
      json.put("segments", result.segments());
      json.put("missing", result.missing());
      json.put("saltless", result.saltless());
      json.put("changed", result.changed());
      json.put("pruned", result.pruned());
      Answers.write(response, 200, json.toString());
    } catch (ArchiveRefused e) {
      throw refused(e);
    }
  }

  private Archive archive() {
    Archive archive = ledger.archive();
    if (archive == null) {
      throw none();
    }
    return archive;
  }

  private static Rejection none() {
    return new Rejection(
        409,
        JsonText.error("this node archives nothing: serve --archive DIR, with a signing key"),
        "no_archive",
        false);
  }

  static Rejection refused(ArchiveRefused e) {
    return new Rejection(409, JsonText.error(String.valueOf(e.getMessage())), e.code(), false);
  }
}

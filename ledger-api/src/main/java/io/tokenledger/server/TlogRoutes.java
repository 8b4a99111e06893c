package io.tokenledger.server;

import io.tokenledger.ledger.Ledger;
import io.tokenledger.signing.CheckpointTable;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.TilePath;
import io.tokenledger.tlog.TlogProof;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.verify.BundleWriter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * The log for those who check it: checkpoints, tiles and bundles of entries at the C2SP paths, the
 * proofs, and what offline checks need.
 */
@RestController
class TlogRoutes {

  static final String CHECKPOINT = "/tlog/checkpoint";
  static final String TILES = "/tlog/tile";
  static final String KEYS = "/api/v1/audit/keys";
  static final String CONSISTENCY = "/api/v1/audit/consistency";
  static final String PROOF = "/api/v1/audit/events/{id}/proof";
  static final String ENTRY = "/api/v1/audit/events/{id}/entry";
  static final String BUNDLES = "/api/v1/audit/bundles";
  static final String GENERATIONS = "/api/v1/audit/generations";

  private static final String BYTES = "application/octet-stream";

  /** A tile never changes, a partial one neither: its width is in its name. */
  private static final String IMMUTABLE = "private, max-age=31536000, immutable";

  private static final AuditReads.Asked FOLLOWING = new AuditReads.Asked("tlog", "tlog");

  private final Ledger ledger;
  private final AuditReads audits;

  TlogRoutes(Ledger ledger, AuditReads audits) {
    this.ledger = ledger;
    this.audits = audits;
  }

  /** Who follows the log reads it often: the reads of a minute are one event. */
  private void requireFollower(HttpServletRequest request) {
    String right = audits.require(request);
    audits.record(request, right, FOLLOWING, 0, null, null, 0);
  }

  /**
   * The newest checkpoint that all configured witnesses signed, with their lines, or that waited 10
   * s for them: at most 10 s behind, and never one before what was answered already.
   */
  @GetMapping(CHECKPOINT)
  void checkpoint(HttpServletRequest request, HttpServletResponse response) throws IOException {
    requireFollower(request);
    CheckpointTable.Signed shown =
        ledger.log().shown().orElseThrow(() -> notFound("nothing was signed yet"));
    Answers.write(response, 200, shown.note().toString());
  }

  /** A tile of hashes, or a bundle of entries. */
  @GetMapping(TILES + "/**")
  void tile(HttpServletRequest request, HttpServletResponse response) throws IOException {
    requireFollower(request);
    TilePath tile = TilePath.parse(request.getRequestURI().substring(TILES.length() + 1));
    byte[] bytes = tile == null ? null : ledger.log().tile(tile).orElse(null);
    if (bytes == null) {
      throw notFound("no checkpoint covers such a tile");
    }
    response.setHeader("Cache-Control", IMMUTABLE);
    Answers.write(response, 200, BYTES, bytes);
  }

  private static Rejection notFound(String sentence) {
    return new Rejection(404, JsonText.error(sentence), "not_found", true);
  }

  /** The keys that signed, and the logs they signed. Whom to believe is the auditor's decision. */
  @GetMapping(KEYS)
  void keys(HttpServletRequest request, HttpServletResponse response) throws IOException {
    requireFollower(request);
    ObjectNode json = JsonText.object();
    ArrayNode keys = json.putArray("keys");
    for (CheckpointTable.Key key : ledger.log().keys()) {
      ObjectNode each = keys.addObject();
      each.put("verifier_key", key.verifierKey());
      each.put("generation", key.generation());
      each.put("begun_at", JsonText.time(key.begunAt()));
      each.put("begun_at_size", key.begunAtSize());
    }
    ArrayNode logs = json.putArray("logs");
    for (CheckpointTable.Generation generation : ledger.log().generations()) {
      ObjectNode each = logs.addObject();
      each.put("generation", generation.generation());
      each.put("origin", generation.origin());
      each.put("begun_at", JsonText.time(generation.begunAt()));
      each.put("begun_at_size", generation.begunAtSize());
      each.put("previous_checkpoint", generation.previousNote());
    }
    Answers.write(response, 200, json.toString());
  }

  /** The hashes that join two trees, a line each. */
  @GetMapping(CONSISTENCY)
  void consistency(HttpServletRequest request, HttpServletResponse response) throws IOException {
    requireFollower(request);
    Parameters parameters = new Parameters(request::getParameter);
    long from = size(parameters, "from");
    long to = size(parameters, "to");
    if (from > to) {
      throw Rejection.invalid("from must not be greater than to, got " + from + " and " + to);
    }
    List<TreeHash> proof =
        ledger
            .log()
            .consistency(from, to)
            .orElseThrow(() -> Rejection.invalid("no checkpoint covers to=" + to));
    Answers.write(
        response, 200, proof.stream().map(hash -> hash + "\n").collect(Collectors.joining()));
  }

  private static long size(Parameters parameters, String name) {
    Long size = parameters.number(name);
    if (size == null) {
      throw Rejection.invalid(name + " is missing: a number of leaves");
    }
    return size;
  }

  /** The proof that an event is in the log, as a {@code .tlog-proof} file. */
  @GetMapping(PROOF)
  void proof(
      HttpServletRequest request, HttpServletResponse response, @PathVariable("id") String eventId)
      throws IOException {
    String right = audits.require(request);
    TlogProof proof =
        ledger
            .log()
            .proof(leaf(eventId), new Parameters(request::getParameter).number("size"))
            .orElseThrow(() -> notFound("no such checkpoint covers the event; try again"));
    ledger
        .requests()
        .auditProofIssued(
            RequestContexts.of(request),
            right,
            proof.leafIndex(),
            Checkpoint.parse(proof.checkpoint().text()).size());
    response.setHeader("Audit-Leaf", Long.toString(proof.leafIndex()));
    Answers.write(response, 200, proof.toString());
  }

  /** The exact bytes that the log hashed for an event. */
  @GetMapping(ENTRY)
  void entry(
      HttpServletRequest request, HttpServletResponse response, @PathVariable("id") String eventId)
      throws IOException {
    requireFollower(request);
    long leaf = leaf(eventId);
    response.setHeader("Audit-Leaf", Long.toString(leaf));
    Answers.write(
        response,
        200,
        Answers.JSON,
        ledger.log().entry(leaf).orElseThrow(() -> notFound("no such event")));
  }

  private long leaf(String eventId) {
    return ledger
        .log()
        .leafOf(eventId)
        .orElseThrow(() -> notFound("no event of that id has a place in the log"));
  }

  /**
   * A part of the log as a file that proves itself, under the checkpoint that is shown; under the
   * newest when what is asked for ends after that.
   */
  @PostMapping(BUNDLES)
  void bundle(HttpServletRequest request, HttpServletResponse response) throws IOException {
    String right = audits.require(request);
    Parameters parameters = new Parameters(request::getParameter);
    CheckpointTable.Signed newest =
        ledger.log().newest().orElseThrow(() -> notFound("nothing was signed yet"));
    CheckpointTable.Signed shown = ledger.log().shown().orElse(newest);
    long from = Objects.requireNonNullElse(parameters.number("from"), 0L);
    long to = Objects.requireNonNullElse(parameters.number("to"), Math.max(from, shown.size()));
    @Nullable Long since = parameters.number("since");
    if (from > to || to > newest.size() || (since != null && since > newest.size())) {
      throw Rejection.invalid(
          "from, to and since are leaves of the newest checkpoint, from not after to: 0 to "
              + newest.size());
    }
    CheckpointTable.Signed under =
        Math.max(to, since == null ? 0 : since) <= shown.size() ? shown : newest;
    String query = "from=" + from + "&to=" + to;
    Long first = to == from ? null : Long.valueOf(from);
    Long last = to == from ? null : Long.valueOf(to - 1);
    audits.record(
        request, right, new AuditReads.Asked(query, query), to - from, first, last, under.size());
    response.setContentType("application/zip");
    response.setHeader("Content-Disposition", "attachment; filename=\"bundle.zip\"");
    BundleWriter.Written written =
        ledger.writeBundle(
            under, new BundleWriter.Range(from, to, since), response.getOutputStream());
    ledger
        .requests()
        .auditExported(
            RequestContexts.of(request),
            right,
            "bundle",
            query,
            written.entries(),
            first,
            last,
            under.size(),
            written.sha256());
  }

  /** Begins a further log, because what was signed cannot be continued. */
  @PostMapping(GENERATIONS)
  void beginGeneration(HttpServletRequest request, HttpServletResponse response)
      throws IOException {
    if (!RequestContexts.of(request).actor().permissions().isAdmin()) {
      throw Rejection.forbidden();
    }
    String reason = TokenRoutes.jsonBody(request).string("reason");
    if (reason.isBlank()) {
      throw Rejection.invalid("reason must say why the log cannot be continued");
    }
    try {
      String origin = ledger.beginGeneration(reason, RequestContexts.of(request));
      Answers.write(response, 201, JsonText.object().put("origin", origin).toString());
    } catch (IllegalStateException e) {
      throw Rejection.invalid(String.valueOf(e.getMessage()));
    }
  }
}

package io.tokenledger.verify;

import io.tokenledger.sequence.LogEntries;
import io.tokenledger.sequence.LogRow;
import io.tokenledger.sequence.StoredNodes;
import io.tokenledger.store.EventTable;
import io.tokenledger.store.LedgerUnavailable;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.Frontier;
import io.tokenledger.tlog.Proofs;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.tlog.VerifierKey;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * Writes a range of the log into a zip file that proves itself: entries, the events behind them,
 * what joins them to a signed checkpoint, and a manifest of it all that the log signs too. Nothing
 * else is needed to check it, and part of it can be checked with {@code openssl} alone.
 */
public final class BundleWriter {

  /** First line of a manifest: it can never pass for a checkpoint. */
  static final String MANIFEST = "token-ledger bundle v1";

  /** The signed note in a bundle. */
  public static final String CHECKPOINT = "checkpoint";

  static final String LEFT = "left";
  static final String CONSISTENCY = "consistency";
  static final String SINCE = "consistency-since";
  static final String PREVIOUS = "previous";
  static final String PRUNES = "prunes.ndjson";
  static final String ENTRIES = "entries.ndjson";

  /** The events in a bundle, a line each. */
  public static final String BODIES = "bodies.ndjson";

  static final String MANIFEST_FILE = "manifest";

  private static final int ED25519_BYTES = 64;

  private static final String README =
      """
      # A part of the log %s: leaves %d to %d of %d

      Made to be checked on any machine, without the ledger and without trusting who sent it. You
      need the log's public key from elsewhere; `keys` and `key.pem` here only help to find it.

          java -jar ledger-verifier.jar audit verify --bundle THIS.zip --policy POLICY

      POLICY is a file with the lines `log VKEY` and `quorum none`.

      The signature alone, with nothing but openssl:

          openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in checkpoint.text -sigfile checkpoint.sig

      | file | what |
      |---|---|
      | `checkpoint` | the signed note: origin, size, root (C2SP tlog-checkpoint) |
      | `checkpoint.text`, `checkpoint.sig` | its text and its first signature, for openssl |
      | `entries.ndjson` | the exact bytes of each entry, a line each: leaf hash = SHA-256(0x00, line) |
      | `bodies.ndjson` | the events: each commitment in an entry is HMAC-SHA256(salt, body) |
      | `left` | right edge of the tree before the first leaf, largest subtree first |
      | `consistency` | proof that the tree up to the last leaf here is the beginning of the checkpoint's |
      | `consistency-since` | the same from an earlier checkpoint, when one was asked for |
      | `previous` | in a segment of an archive: first leaf of the segment before, and its manifest's SHA-256 |
      | `prunes.ndjson` | later leaves by which bodies here went, each with its proof; when there are any |
      | `manifest` | SHA-256 of every file, signed |
      """;

  private final Connection connection;
  private final EventTable table;
  private final UnaryOperator<String> sign;
  private final LogEntries entries = new LogEntries();

  /**
   * What is written.
   *
   * @param from first leaf
   * @param to first leaf that is not in it
   * @param since size of an earlier checkpoint to be joined; null for none
   * @param previous what goes before it in an archive, a line; null when it is in none
   */
  public record Range(long from, long to, @Nullable Long since, @Nullable String previous) {

    /** A part that is in no archive. */
    public Range(long from, long to, @Nullable Long since) {
      this(from, to, since, null);
    }
  }

  /**
   * What was written.
   *
   * @param sha256 of the manifest's text, lower-case hexadecimal
   */
  public record Written(long entries, String sha256) {}

  /**
   * @param connection must see one snapshot
   * @param table knows which rows a node wrote
   * @param sign gives the signed note of a text
   */
  public BundleWriter(Connection connection, EventTable table, UnaryOperator<String> sign) {
    this.connection = connection;
    this.table = table;
    this.sign = sign;
  }

  /**
   * Writes it, in constant memory.
   *
   * @param range must lie within the checkpoint
   * @throws LedgerUnavailable when the database does not answer
   */
  public Written write(SignedNote checkpoint, List<VerifierKey> keys, Range range, OutputStream out)
      throws IOException {
    Checkpoint head = Checkpoint.parse(checkpoint.text());
    StoredNodes nodes = new StoredNodes(connection);
    List<String> sums = new ArrayList<>();
    // Not closed here: the stream is the caller's.
    ZipOutputStream zip = new ZipOutputStream(out, StandardCharsets.UTF_8);
    try {
      text(
          zip,
          sums,
          "README.md",
          README.formatted(head.origin(), range.from(), range.to() - 1, head.size()));
      text(zip, sums, CHECKPOINT, checkpoint.toString());
      text(zip, sums, "checkpoint.text", checkpoint.text());
      file(zip, sums, "checkpoint.sig", file -> file.write(signature(checkpoint)));
      text(zip, sums, "keys", lines(keys.stream().map(VerifierKey::toString).toList()));
      text(zip, sums, "key.pem", pem(keys));
      text(zip, sums, LEFT, lines(hashes(Frontier.read(range.from(), nodes).bytes())));
      text(
          zip,
          sums,
          CONSISTENCY,
          lines(strings(Proofs.consistency(range.to(), head.size(), nodes))));
      if (range.since() != null) {
        text(
            zip,
            sums,
            SINCE,
            range.since()
                + "\n"
                + lines(strings(Proofs.consistency(range.since(), head.size(), nodes))));
      }
      if (range.previous() != null) {
        text(zip, sums, PREVIOUS, range.previous() + "\n");
      }
      long[] count = new long[1];
      file(
          zip,
          sums,
          ENTRIES,
          file ->
              LeafRows.read(
                  connection,
                  range.from(),
                  range.to(),
                  leaf -> {
                    count[0]++;
                    line(file, leaf.entry());
                  }));
      file(
          zip,
          sums,
          BODIES,
          file ->
              LeafRows.read(
                  connection,
                  range.from(),
                  range.to(),
                  leaf -> {
                    LogRow event = leaf.event();
                    if (event != null && !isGone(event, leaf.entry())) {
                      line(file, utf8(Bodies.write(leaf.leafIndex(), event)));
                    }
                  }));
      List<String> prunes =
          Prunes.covering(connection, table, range.from(), range.to(), head.size(), nodes);
      if (!prunes.isEmpty()) {
        text(zip, sums, PRUNES, lines(prunes));
      }
      String manifest =
          MANIFEST
              + "\n"
              + head.origin()
              + "\n"
              + range.from()
              + " "
              + range.to()
              + " "
              + head.size()
              + "\n"
              + lines(sums);
      text(zip, new ArrayList<>(), MANIFEST_FILE, sign.apply(manifest));
      zip.finish();
      return new Written(count[0], HexFormat.of().formatHex(sha256().digest(utf8(manifest))));
    } catch (SQLException e) {
      throw new LedgerUnavailable("the bundle could not be read to its end", e);
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  /**
   * A row that no node wrote may look like what is left of an event; its entry commits to nothing.
   */
  private boolean isGone(LogRow event, byte[] entry) {
    return event.hasNoBody()
        && !LogEntries.Commitments.in(entry).payload().isEmpty()
        && !Arrays.equals(entries.write(event), entry);
  }

  private static byte[] signature(SignedNote note) {
    return note.signatures().stream()
        .map(SignedNote.Line::signature)
        .filter(bytes -> bytes.length == ED25519_BYTES)
        .findFirst()
        .orElseThrow();
  }

  /** The key of the first signature, as openssl reads it. */
  private static String pem(List<VerifierKey> keys) {
    byte[] prefix = HexFormat.of().parseHex("302a300506032b6570032100");
    byte[] raw = keys.get(0).rawKey();
    byte[] encoded = new byte[prefix.length + raw.length];
    System.arraycopy(prefix, 0, encoded, 0, prefix.length);
    System.arraycopy(raw, 0, encoded, prefix.length, raw.length);
    return "-----BEGIN PUBLIC KEY-----\n"
        + Base64.getEncoder().encodeToString(encoded)
        + "\n-----END PUBLIC KEY-----\n";
  }

  private static List<String> hashes(byte[] edge) {
    List<String> hashes = new ArrayList<>();
    for (int at = 0; at < edge.length; at += TreeHash.BYTES) {
      hashes.add(
          Base64.getEncoder().encodeToString(Arrays.copyOfRange(edge, at, at + TreeHash.BYTES)));
    }
    return hashes;
  }

  private static List<String> strings(List<TreeHash> hashes) {
    return hashes.stream().map(TreeHash::toString).toList();
  }

  private static String lines(List<String> lines) {
    return lines.stream().map(line -> line + "\n").collect(Collectors.joining());
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private static void line(OutputStream file, byte[] bytes) {
    try {
      file.write(bytes);
      file.write('\n');
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private interface Content {
    void write(OutputStream file) throws IOException, SQLException;
  }

  private static void text(ZipOutputStream zip, List<String> sums, String name, String text)
      throws IOException, SQLException {
    file(zip, sums, name, file -> file.write(utf8(text)));
  }

  private static void file(ZipOutputStream zip, List<String> sums, String name, Content content)
      throws IOException, SQLException {
    zip.putNextEntry(new ZipEntry(name));
    MessageDigest digest = sha256();
    content.write(
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            write(new byte[] {(byte) b});
          }

          @Override
          public void write(byte[] bytes, int from, int count) throws IOException {
            digest.update(bytes, from, count);
            zip.write(bytes, from, count);
          }
        });
    zip.closeEntry();
    sums.add(HexFormat.of().formatHex(digest.digest()) + " " + name);
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }
}

package io.tokenledger.verify;

import io.tokenledger.sequence.LogRow;
import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.Frontier;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.Proofs;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.tlog.VerifierKey;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;

/** Verifies what {@link BundleWriter} wrote, with nothing but the file and the keys to believe. */
public final class BundleVerification {

  private final @Nullable Policy policy;
  private final List<SignedNote> remembered;

  /**
   * @param policy whom to believe; null to take the keys that the bundle names, which proves less
   * @param remembered checkpoints from elsewhere that the log must agree with
   */
  public BundleVerification(@Nullable Policy policy, List<SignedNote> remembered) {
    this.policy = policy;
    this.remembered = List.copyOf(remembered);
  }

  /**
   * Reads the bundle once.
   *
   * @throws IOException when it cannot be read: nothing was found out
   * @throws InvalidTlogFormat when it is not a bundle
   */
  public Verdict run(Path file) throws IOException {
    try (ZipFile zip = new ZipFile(file.toFile(), StandardCharsets.UTF_8)) {
      SignedNote checkpoint = SignedNote.parse(text(zip, BundleWriter.CHECKPOINT));
      SignedNote manifest = SignedNote.parse(text(zip, BundleWriter.MANIFEST_FILE));
      String[] lines = manifest.text().split("\n", -1);
      if (lines.length < 4 || !lines[0].equals(BundleWriter.MANIFEST)) {
        throw new InvalidTlogFormat("the manifest does not begin with " + BundleWriter.MANIFEST);
      }
      String[] range = lines[2].split(" ", -1);
      if (range.length != 3) {
        throw new InvalidTlogFormat("the manifest's third line is FROM TO SIZE");
      }
      long from = Long.parseLong(range[0]);
      long to = Long.parseLong(range[1]);
      LogAudit audit = new LogAudit(null, edge(zip, from), (level, index, hash) -> {});
      Policy believing = policy == null ? ownKeys(zip, audit) : policy;
      checkManifest(zip, manifest, lines, believing, audit);
      audit.remember(checkpoint, believing, true);
      for (SignedNote note : remembered) {
        checkRemembered(zip, note, checkpoint, from, to, believing, audit);
      }
      readPrunes(zip, Checkpoint.parse(checkpoint.text()), audit);
      readEntries(zip, from, to, audit);
      checkEnd(zip, to, Checkpoint.parse(checkpoint.text()), audit);
      return audit.finish();
    } catch (NumberFormatException e) {
      throw new InvalidTlogFormat("the manifest's third line is FROM TO SIZE");
    }
  }

  private static Policy ownKeys(ZipFile zip, LogAudit audit) throws IOException {
    audit.note("the keys were taken from the bundle itself: give --policy with the ones you trust");
    List<VerifierKey> keys = new ArrayList<>();
    for (String line : text(zip, "keys").split("\n", -1)) {
      if (!line.isEmpty()) {
        keys.add(VerifierKey.parse(line));
      }
    }
    return Policy.of(keys);
  }

  static Frontier edge(ZipFile zip, long from) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    hashes(text(zip, BundleWriter.LEFT)).forEach(hash -> bytes.writeBytes(hash.bytes()));
    return Frontier.of(from, bytes.toByteArray());
  }

  private static List<TreeHash> hashes(String text) {
    List<TreeHash> hashes = new ArrayList<>();
    for (String line : text.split("\n", -1)) {
      if (!line.isEmpty()) {
        hashes.add(TreeHash.parse(line));
      }
    }
    return hashes;
  }

  private static void checkManifest(
      ZipFile zip, SignedNote manifest, String[] lines, Policy believing, LogAudit audit)
      throws IOException {
    try {
      boolean signed =
          believing.logs().stream()
              .anyMatch(key -> key.name().equals(lines[1]) && manifest.isSignedBy(key));
      if (!signed) {
        audit.find("manifest_not_believed", null, null, "no known key signed the manifest");
      }
    } catch (InvalidTlogFormat e) {
      audit.find("manifest_not_believed", null, null, String.valueOf(e.getMessage()));
    }
    Map<String, String> sums = new HashMap<>();
    for (int i = 3; i < lines.length - 1; i++) {
      String[] parts = lines[i].split(" ", 2);
      sums.put(parts.length == 2 ? parts[1] : "", parts[0]);
    }
    var files = zip.entries();
    while (files.hasMoreElements()) {
      ZipEntry file = files.nextElement();
      if (file.getName().equals(BundleWriter.MANIFEST_FILE)) {
        continue;
      }
      String expected = sums.remove(file.getName());
      if (!sha256(zip, file).equals(expected)) {
        audit.find(
            "file_differs", null, null, file.getName() + " is not what the manifest says of it");
      }
    }
    sums.keySet()
        .forEach(name -> audit.find("file_missing", null, null, name + " is not in the bundle"));
  }

  private static String sha256(ZipFile zip, ZipEntry file) throws IOException {
    MessageDigest digest = BundleWriter.sha256();
    byte[] buffer = new byte[65_536];
    try (InputStream in = zip.getInputStream(file)) {
      for (int count = in.read(buffer); count >= 0; count = in.read(buffer)) {
        digest.update(buffer, 0, count);
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** A checkpoint within the range is compared on the way; another needs the proof to be there. */
  private static void checkRemembered(
      ZipFile zip,
      SignedNote note,
      SignedNote newest,
      long from,
      long to,
      Policy believing,
      LogAudit audit)
      throws IOException {
    Checkpoint known;
    try {
      known = believing.open(note);
    } catch (InvalidTlogFormat e) {
      audit.find("checkpoint_not_believed", null, null, String.valueOf(e.getMessage()));
      return;
    }
    Checkpoint head = Checkpoint.parse(newest.text());
    if (known.size() >= from && known.size() <= to || known.size() > head.size()) {
      audit.remember(known);
      return;
    }
    if (known.size() == head.size()) {
      if (!known.root().equals(head.root())) {
        audit.find("root_differs", null, null, "two checkpoints of " + head.size());
      }
      return;
    }
    if (zip.getEntry(BundleWriter.SINCE) == null) {
      audit.notCompared(
          "the checkpoint of "
              + known.size()
              + " was not compared: ask for the bundle with --since "
              + known.size());
      return;
    }
    String[] parts = text(zip, BundleWriter.SINCE).split("\n", 2);
    boolean proven =
        parts[0].equals(Long.toString(known.size()))
            && Proofs.isConsistent(
                known.size(), known.root(), head.size(), head.root(), hashes(parts[1]));
    if (!proven) {
      audit.find(
          "root_differs",
          null,
          null,
          "the log does not begin with the checkpoint of " + known.size());
    }
  }

  private static void readPrunes(ZipFile zip, Checkpoint head, LogAudit audit) throws IOException {
    if (zip.getEntry(BundleWriter.PRUNES) == null) {
      return;
    }
    try (BufferedReader prunes = reader(zip, BundleWriter.PRUNES)) {
      for (String line = prunes.readLine(); line != null; line = prunes.readLine()) {
        Prunes.take(line, head, audit);
      }
    }
  }

  private static void readEntries(ZipFile zip, long from, long to, LogAudit audit)
      throws IOException {
    try (BufferedReader entries = reader(zip, BundleWriter.ENTRIES);
        BufferedReader bodies = reader(zip, BundleWriter.BODIES)) {
      String body = bodies.readLine();
      long leaf = from;
      for (String line = entries.readLine(); line != null; line = entries.readLine()) {
        byte[] entry = line.getBytes(StandardCharsets.UTF_8);
        audit.leaf(entry);
        Bodies.@Nullable Body read = body == null ? null : Bodies.read(body);
        if (read != null && read.leafIndex() == leaf) {
          audit.body(leaf, entry, read.event());
          body = bodies.readLine();
        } else if (!audit.isPruned(leaf, entry)) {
          audit.body(leaf, entry, null);
        }
        leaf++;
      }
      if (leaf != to) {
        audit.find("leaf_missing", leaf, null, "the bundle should reach to " + to);
      }
      if (body != null) {
        audit.find("event_added", null, null, "a body without an entry");
      }
    }
  }

  /** Takes event after event of a bundle. */
  public interface Events {
    /**
     * @throws SQLException to stop reading
     */
    void take(long leafIndex, LogRow event) throws SQLException;
  }

  /**
   * Hands over the events of a bundle in leaf order, unverified: {@link #run} it before.
   *
   * @throws IOException when it cannot be read
   */
  public static void events(Path file, Events events) throws IOException, SQLException {
    try (ZipFile zip = new ZipFile(file.toFile(), StandardCharsets.UTF_8);
        BufferedReader bodies = reader(zip, BundleWriter.BODIES)) {
      for (String line = bodies.readLine(); line != null; line = bodies.readLine()) {
        Bodies.Body body = Bodies.read(line);
        events.take(body.leafIndex(), body.event());
      }
    }
  }

  private static BufferedReader reader(ZipFile zip, String name) throws IOException {
    return new BufferedReader(
        new InputStreamReader(zip.getInputStream(entry(zip, name)), StandardCharsets.UTF_8));
  }

  private static void checkEnd(ZipFile zip, long to, Checkpoint head, LogAudit audit)
      throws IOException {
    boolean joined =
        to == head.size()
            ? audit.root().equals(head.root())
            : to == 0
                || Proofs.isConsistent(
                    to,
                    audit.root(),
                    head.size(),
                    head.root(),
                    hashes(text(zip, BundleWriter.CONSISTENCY)));
    if (!joined) {
      audit.find(
          "root_differs",
          null,
          null,
          "the entries do not lead to the root that the checkpoint of " + head.size() + " signs");
    }
    audit.forget(head);
  }

  private static ZipEntry entry(ZipFile zip, String name) throws IOException {
    ZipEntry entry = zip.getEntry(name);
    if (entry == null) {
      throw new FileNotFoundException(name + " is not in the bundle");
    }
    return entry;
  }

  private static String text(ZipFile zip, String name) throws IOException {
    try (InputStream in = zip.getInputStream(entry(zip, name))) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }
}

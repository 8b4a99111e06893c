package io.tokenledger.archive;

import io.tokenledger.tlog.Checkpoint;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.Policy;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import io.tokenledger.verify.BundleHead;
import io.tokenledger.verify.BundleVerification;
import io.tokenledger.verify.Finding;
import io.tokenledger.verify.Verdict;
import java.io.EOFException;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.zip.ZipException;
import org.jspecify.annotations.Nullable;

/** Reads an archive, with nothing but the store and the keys to believe. */
public final class ArchiveReader {

  private final ArchiveStore store;

  public ArchiveReader(ArchiveStore store) {
    this.store = store;
  }

  /**
   * What a verification of an archive came to.
   *
   * @param segments how many there are
   * @param next first leaf that is in none
   * @param findings each with the segment's name
   * @param notes what was not checked and why
   */
  public record Result(int segments, long next, List<String> findings, List<String> notes) {
    public Result {
      findings = List.copyOf(findings);
      notes = List.copyOf(notes);
    }
  }

  /** Takes a segment as a file of its own. */
  interface Reader {
    /**
     * @param file is gone afterwards
     */
    void take(Segment segment, Path file) throws IOException;
  }

  /** Names of the segments, the first leaves first. */
  List<String> names() throws IOException {
    return store.list().stream().filter(Segment::isName).toList();
  }

  /**
   * What all segments say of themselves, unverified.
   *
   * @throws IOException when the store does not answer
   * @throws InvalidTlogFormat when one is no segment
   */
  public List<Segment> segments() throws IOException {
    List<Segment> segments = new ArrayList<>();
    for (String name : names()) {
      read(name, (segment, file) -> segments.add(segment));
    }
    return segments;
  }

  /** The one with the last leaves. */
  Optional<Segment> newest() throws IOException {
    List<String> names = names();
    if (names.isEmpty()) {
      return Optional.empty();
    }
    List<Segment> found = new ArrayList<>();
    read(names.get(names.size() - 1), (segment, file) -> found.add(segment));
    return Optional.of(found.get(0));
  }

  /** Hands that segment over, unverified. */
  void read(String name, Reader reader) throws IOException {
    Path file = Files.createTempFile("ledger-segment-", ".zip");
    try {
      store.get(name, file);
      reader.take(new Segment(name, BundleHead.read(file)), file);
    } finally {
      Files.deleteIfExists(file);
    }
  }

  /**
   * Verifies every segment, and that each continues the one before: by its first leaf, by the hash
   * of its manifest, and by the root over all leaves so far.
   *
   * @param policy whom to believe; null to take the keys that the segments name, which proves less
   * @param remembered checkpoints from elsewhere that the log must agree with
   * @throws IOException when it cannot be read: nothing was found out
   */
  public Result verify(@Nullable Policy policy, List<SignedNote> remembered) throws IOException {
    List<String> findings = new ArrayList<>();
    List<String> notes = new ArrayList<>();
    @Nullable Segment[] before = new Segment[1];
    TreeHash[] root = new TreeHash[1];
    List<String> names = names();
    for (String name : names) {
      try {
        read(
            name,
            (segment, file) -> {
              String broken = brokenChain(before[0], root[0], segment);
              if (broken != null) {
                findings.add(name + ": " + broken);
              }
              boolean last = name.equals(names.get(names.size() - 1));
              List<SignedNote> here =
                  remembered.stream().filter(note -> isFor(note, segment, last)).toList();
              Verdict verdict = new BundleVerification(policy, here).run(file);
              for (Finding finding : verdict.findings()) {
                findings.add(name + ": " + finding);
              }
              verdict.notes().stream().filter(note -> !notes.contains(note)).forEach(notes::add);
              before[0] = segment;
              root[0] = verdict.root();
            });
      } catch (InvalidTlogFormat | ZipException | EOFException | FileNotFoundException e) {
        findings.add(name + ": it is no segment: " + e.getMessage());
      }
    }
    return new Result(names.size(), before[0] == null ? 0 : before[0].head().to(), findings, notes);
  }

  /** A checkpoint beyond a segment is for a later one, and says nothing of this one's end. */
  private static boolean isFor(SignedNote note, Segment segment, boolean last) {
    long size = Checkpoint.parse(note.text()).size();
    return size >= segment.head().from() && (last || size <= segment.head().to());
  }

  private static @Nullable String brokenChain(
      @Nullable Segment before, @Nullable TreeHash root, Segment segment) {
    BundleHead head = segment.head();
    if (!segment.name().equals(Segment.name(head.from()))) {
      return "its name is that of another segment: it begins with leaf " + head.from();
    }
    if (before == null) {
      return head.from() == 0 && Segment.NOTHING.equals(head.previous())
          ? null
          : "the segments before leaf " + head.from() + " are missing";
    }
    if (head.from() != before.head().to()) {
      return "leaf " + before.head().to() + " should follow, it begins with " + head.from();
    }
    if (!before.reference().equals(head.previous())) {
      return "its manifest names another segment before it";
    }
    return head.left().equals(root) ? null : "it continues another history";
  }
}
